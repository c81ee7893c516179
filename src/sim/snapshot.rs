//! All of a model that a charm can leave behind, as lines that can be compared.

mod lines;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::model::Model;
use crate::sim::Sim;

/// Longer files, and those that are no text, are shown by their hash.
const FILE_BYTES_SHOWN_MAX: usize = 4096;

/// What charms have left behind: databags, states, ports, secrets, storage, statuses, versions, payloads, leader's
/// settings, metrics, results of actions, files; with what they were told, and what operators have set.
///
/// # Shape
///
/// One sorted line for each thing; ids that are drawn by chance (UUIDs, of secrets, of runs) are replaced by
/// `<id>`, so that two runs that differ in nothing else are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    lines: Vec<String>,
}

impl Snapshot {
    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// What `other` has and this has not (`+`), and the other way round (`-`); empty for equal ones.
    pub fn difference(&self, other: &Self) -> String {
        let count = |lines: &[String]| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for line in lines {
                *counts.entry(line.clone()).or_default() += 1;
            }
            counts
        };
        let (old, new) = (count(&self.lines), count(&other.lines));
        let mut text = String::new();
        for (one, two, sign) in [(&old, &new, '-'), (&new, &old, '+')] {
            for (line, count) in one {
                if two.get(line).copied().unwrap_or_default() < *count {
                    text.extend([sign, ' ']);
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        text
    }

    fn new(lines: impl IntoIterator<Item = String>) -> Self {
        let mut lines: Vec<String> = lines.into_iter().map(|line| without_ids(&line)).collect();
        lines.sort();
        Self { lines }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Sim {
    /// What charms have left behind in the model and in their folders.
    ///
    /// Files of a charm as it was deployed are left out.
    pub fn snapshot(&self) -> Snapshot {
        let mut lines = lines::held(&self.model);
        lines.extend(lines::shown(&self.model));
        for (id, storage) in &self.model.storage {
            lines.extend(files(&storage.location, None).map(|text| format!("file {id} {text}")));
        }
        for (name, unit) in &self.model.units {
            let own = unit.charm.is_copied.then_some(unit.charm.folder.as_path());
            let folder = self.agents.charm(name);
            lines.extend(files(&folder, own).map(|text| format!("file {name} {text}")));
            let resources = folder.with_file_name("resources");
            lines.extend(files(&resources, None).map(|text| format!("file {name} resource {text}")));
        }
        Snapshot::new(lines)
    }
}

/// What Juju holds back until a hook has ended well.
pub(crate) fn held_back(model: &Model) -> Snapshot {
    Snapshot::new(lines::held(model))
}

/// The files below a folder as lines, without those that are as in `own`; a single file is one, too.
fn files(folder: &Path, own: Option<&Path>) -> impl Iterator<Item = String> {
    let mut paths = Vec::new();
    if folder.is_file() {
        paths.push(PathBuf::new());
    } else {
        list(folder, folder, &mut paths);
    }
    paths.into_iter().filter_map(move |path| file(folder, &path, own))
}

fn list(folder: &Path, top: &Path, found: &mut Vec<PathBuf>) {
    // A charm in process has no folder before it writes a file.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            list(&path, top, found);
        } else if let Ok(below) = path.strip_prefix(top) {
            found.push(below.to_owned());
        }
    }
}

/// A file as a line; none for one that is as it was deployed.
fn file(folder: &Path, below: &Path, own: Option<&Path>) -> Option<String> {
    let path = if below == Path::new("") { folder.to_owned() } else { folder.join(below) };
    let (content, mode) = (fs::read(&path).ok()?, fs::metadata(&path).ok()?.permissions().mode() & 0o777);
    if own.is_some_and(|own| fs::read(own.join(below)).is_ok_and(|original| original == content)) {
        return None;
    }
    let shown = match std::str::from_utf8(&content) {
        Ok(text) if text.len() <= FILE_BYTES_SHOWN_MAX => format!("{text:?}"),
        _ => format!("{} bytes, hash {:016x}", content.len(), hash(&content)),
    };
    Some(format!("{} ({mode:o}) {shown}", below.display()))
}

fn hash(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// The text with `<id>` for each UUID, each id of a secret and of a run.
fn without_ids(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(length) = id_length(rest, clean.chars().next_back()) {
            clean.push_str("<id>");
            rest = &rest[length..];
        } else {
            clean.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    clean
}

/// How long the id is that `text` begins with, when it begins with one.
fn id_length(text: &str, before: Option<char>) -> Option<usize> {
    const UUID: usize = 36;
    const SECRET: usize = 20;
    const CONTEXT: usize = 32;
    if before.is_some_and(|letter| letter.is_ascii_alphanumeric()) {
        return None;
    }
    let head = text.as_bytes();
    let is_uuid = head.len() >= UUID
        && head[..UUID].iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let end = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let is_secret = end == SECRET
        && head[..end].iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'v').contains(byte))
        && head[..end].iter().any(u8::is_ascii_digit);
    let is_context = end == CONTEXT && head[..end].iter().all(u8::is_ascii_hexdigit);
    [(is_uuid, UUID), (is_secret, SECRET), (is_context, CONTEXT)]
        .into_iter()
        .find_map(|(is_id, length)| is_id.then_some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_drawn_by_chance_do_not_count() {
        for (text, expected) in [
            ("request_3f2a4a8e-5b1c-4d2e-8f3a-0123456789ab = 1", "request_<id> = 1"),
            ("uri secret:9m4e2mr0ui3e8a215n4g", "uri secret:<id>"),
            ("web/0-start-a395651eb8e15ba009f096885c5702f7", "web/0-start-<id>"),
            ("10.1.0.1/32", "10.1.0.1/32"),
            ("a-long-word-that-is-no-id-at-all-but-text", "a-long-word-that-is-no-id-at-all-but-text"),
            ("größer 3f2a4a8e-5b1c-4d2e-8f3a-0123456789abcd", "größer <id>cd"),
        ] {
            assert_eq!(without_ids(text), expected);
        }
    }

    #[test]
    fn a_difference_names_what_is_more_on_either_side() {
        let snapshot = |lines: &[&str]| Snapshot::new(lines.iter().map(ToString::to_string));
        let (one, two) = (snapshot(&["a", "b", "b"]), snapshot(&["b", "c"]));
        assert_eq!(one.difference(&two), "- a\n- b\n+ c\n");
        assert_eq!(one.difference(&one), "");
    }
}
