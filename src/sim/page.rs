//! The page of a run: one HTML file with everything that happened, to be looked at in a browser.
//!
//! The file is whole by itself: style, script and events are in it, and its own policy forbids it to load
//! anything.  The events are data in it, never markup: the script puts every text of them into the page as
//! text.  What is secret is taken out before ([`hide`]).

mod hide;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::Value;

use crate::error::{RunError, SimError};
use crate::model::Substrate;
use crate::sim::Sim;
use hide::Hider;

/// The variable with the folder that pages of failing tests are written to.
pub const PAGE_VARIABLE: &str = "CHARMS_REACTIVE_PAGE";

/// The page without its parts, which stand at the marks.
const HTML: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// The rooms of the script, in one scope.
const SCRIPT: &[&str] = &[
    include_str!("page/element.js"),
    include_str!("page/run.js"),
    include_str!("page/replay.js"),
    include_str!("page/search.js"),
    include_str!("page/timeline.js"),
    include_str!("page/overview.js"),
    include_str!("page/detail.js"),
    include_str!("page/state.js"),
    include_str!("page/handlers.js"),
    include_str!("page/main.js"),
];

/// What the script finds in the page.
#[derive(Serialize)]
struct Run {
    /// The version of this shape.
    format: u32,
    seed: u64,
    model: String,
    juju: String,
    substrate: &'static str,
    /// Whether charms were asked to trace their handlers.
    recorded: bool,
    /// How many events came before the first one here.
    dropped: usize,
    events: Vec<Value>,
}

impl Sim {
    /// The run so far as a page for a browser: one HTML file that needs nothing else.
    ///
    /// Why handlers did not run is in it when [`crate::Builder::record`] was asked for.
    ///
    /// # Guarantees
    ///
    /// - In process, one seed gives the same bytes.
    /// - The content of secrets, as hook commands pass it, and private keys in PEM are not in it.
    /// - Nothing that a charm writes becomes markup, and nothing is loaded from anywhere.
    pub fn page(&self) -> String {
        let run = Run {
            format: 1,
            seed: self.seed,
            model: self.model.name.clone(),
            juju: self.model.juju.to_string(),
            substrate: match self.model.substrate {
                Substrate::Machine => "machines",
                Substrate::Kubernetes => "pods",
            },
            recorded: self.settings.is_recording,
            dropped: self.model.journal.dropped(),
            events: self.public_events(),
        };
        let json = serde_json::to_string(&run).expect("texts, numbers and lists become JSON");
        assemble(&inert(&json))
    }

    /// What happened, as JSON and without what is secret: as the page has it.
    ///
    /// The shape of an event is that of [`crate::Event`]; [`Sim::events`] has them as they are.
    pub fn public_events(&self) -> Vec<Value> {
        let mut hider = Hider::new(&self.model.root);
        self.model.journal.events().iter().map(|event| hider.hide(event)).collect()
    }

    /// Writes [`Sim::page`] to a file; its folder is made where it is missing.
    pub fn write_page(&self, path: impl AsRef<Path>) -> Result<(), SimError> {
        let path = path.as_ref();
        let wrong = |source| RunError::Files { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(wrong)?;
        }
        Ok(crate::agent::write_file(path, self.page().as_bytes()).map_err(wrong)?)
    }

    /// Leaves the page of a run whose test fails, where somebody wants it.
    #[expect(clippy::print_stderr, reason = "where a test that fails says why")]
    pub(crate) fn leave_page(&self) {
        let wanted = self.settings.page.clone();
        let folder = self.settings.page_folder.as_ref();
        let path = wanted.or_else(|| folder.map(|folder| folder.join(file_name(self.seed))));
        let Some(path) = path.map(|path| free(&path)) else { return };
        let shown = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        match self.write_page(&path) {
            Ok(()) => eprintln!("its page: {}", shown.display()),
            Err(error) => eprintln!("cannot write its page: {error}"),
        }
    }
}

/// The folder for pages that the environment names.
#[expect(clippy::disallowed_methods, reason = "who runs a test says in the environment what to leave behind")]
pub(crate) fn chosen_folder() -> Option<PathBuf> {
    std::env::var_os(PAGE_VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The file of a test: its name and its seed.
fn file_name(seed: u64) -> String {
    let current = std::thread::current();
    let test = current.name().unwrap_or("run").replace("::", "-");
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let test: String = test.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    format!("{test}-seed-{seed}.html")
}

/// `path`, or one beside it when this program has written there: a test may hold several models.
fn free(path: &Path) -> PathBuf {
    static WRITTEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut written = WRITTEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut free = path.to_owned();
    let mut number = 2;
    while !written.insert(free.clone()) {
        free = path.with_file_name(format!("{stem}-{number}.html"));
        number += 1;
    }
    free
}

/// JSON that HTML reads over: no character in it means anything to a parser of markup.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    // In JSON these stand inside of strings only, where the escape means the same.
    for letter in json.chars() {
        match letter {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

/// Puts the parts of the page at their marks.
fn assemble(json: &str) -> String {
    let (head, rest) = HTML.split_once("{{style}}").expect("a mark of the page");
    let (body, rest) = rest.split_once("{{run}}").expect("a mark of the page");
    let (between, end) = rest.split_once("{{script}}").expect("a mark of the page");
    [head, STYLE, body, json, between, &SCRIPT.concat(), end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_data() {
        let hostile = "</script><script>alert(1)</script><!-- <![CDATA[ &lt; \u{2028}\u{2029}";
        let json = inert(&serde_json::to_string(hostile).expect("a text"));
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{json}");
        let read: String = serde_json::from_str(&json).expect("still JSON");
        assert_eq!(read, hostile);
    }

    #[test]
    fn data_cannot_bring_marks_of_its_own() {
        let page = assemble("\"{{script}}{{style}}{{run}}\"");
        assert_eq!(page.matches("\"{{script}}{{style}}{{run}}\"").count(), 1);
        assert!(page.trim_end().ends_with("</html>"));
    }

    #[test]
    fn the_script_makes_no_markup_of_texts_and_the_page_loads_nothing() {
        let marks = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("];
        for mark in marks {
            assert!(SCRIPT.iter().all(|room| !room.contains(mark)), "`{mark}` makes markup or code of texts");
        }
        for mark in ["http://", "https://", "//cdn", "@import", "url(", "src=\"", "fetch(", "<link"] {
            let parts = SCRIPT.iter().chain([&STYLE, &HTML]);
            assert!(parts.into_iter().all(|part| !part.contains(mark)), "`{mark}` loads something");
        }
        assert!(HTML.contains("default-src 'none'"), "the page's own policy forbids what is forgotten here");
    }

    #[test]
    fn a_second_model_of_a_test_gets_a_page_of_its_own() {
        let path = PathBuf::from("nowhere/two-models.html");
        assert_eq!(free(&path), path);
        assert_eq!(free(&path), Path::new("nowhere/two-models-2.html"));
    }
}
