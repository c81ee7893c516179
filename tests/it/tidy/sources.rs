//! Rules for the text of files.

use super::expect_none;
use super::tree::{Page, pages, pages_of_kind};

/// How many lines a file of Rust may have.
const LINES_MAX: usize = 600;

#[test]
fn every_module_begins_with_a_doc() {
    // A case of a compile-fail test shows what its author would write, from the first line on.
    let modules = pages_of_kind("rs").into_iter().filter(|page| !page.path.contains("/tests/cases/"));
    let found = modules.filter(|page| !page.text.starts_with("//!"));
    let found: Vec<String> = found.map(|page| page.path).collect();
    expect_none(&found, "begin these files with a `//!` line that says what the module is for:");
}

#[test]
fn a_file_is_a_room_not_a_hall() {
    let found = pages_of_kind("rs").into_iter().map(|page| (page.text.lines().count(), page.path));
    let found: Vec<String> = found
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines}"))
        .collect();
    expect_none(&found, &format!("split these files into modules of one noun each; over {LINES_MAX} lines:"));
}

#[test]
fn every_test_runs() {
    let found = lines_with(&pages_of_kind("rs"), &[concat!("#[ign", "ore"), concat!("ign", "ore = \"")]);
    expect_none(&found, "let these tests run, or assert the wrong behaviour as it is and say why:");
}

#[test]
fn nothing_is_left_for_later() {
    let marks =
        [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("FIX", "ME"), concat!("XX", "X")];
    let found = lines_with(&pages_of_kind("rs"), &marks);
    expect_none(&found, "write what is missing, or leave it out and open a report:");
}

#[test]
fn every_example_compiles() {
    let mut found = Vec::new();
    for page in pages_of_kind("rs").into_iter().chain(pages_of_kind("md")) {
        let skipped = page.lines().filter(|(_, line)| is_skipped_example(line));
        found.extend(skipped.map(|(number, line)| format!("{}: {}", page.place(number), line.trim())));
    }
    expect_none(&found, "make these examples compile (or mark what is no Rust as `text`):");
}

/// Whether a line begins a block of code that nobody compiles although it is Rust.
fn is_skipped_example(line: &str) -> bool {
    let block = line.trim_start().trim_start_matches('/').trim_start_matches('!').trim_start();
    let kind = block.strip_prefix("```").unwrap_or_default();
    kind.split([',', ' ']).any(|word| word.starts_with("ignore"))
}

#[test]
fn no_path_of_the_authors_machine_is_written_down() {
    let roots = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut found = Vec::new();
    for page in pages() {
        for (number, line) in page.lines() {
            if roots.iter().any(|root| has_absolute(line, root)) {
                found.push(format!("{}: {}", page.place(number), line.trim()));
            }
        }
    }
    expect_none(&found, "write these paths relative to the repository, or take them as arguments:");
}

/// Whether `line` has a path that begins with `root`, rather than one that has it in the middle.
fn has_absolute(line: &str, root: &str) -> bool {
    let is_middle = |character: char| character.is_alphanumeric() || "-_.}*~".contains(character);
    line.match_indices(root).any(|(at, _)| !line[..at].ends_with(is_middle))
}

#[test]
fn packages_come_from_the_public_registries() {
    let mut found = lines_with(
        &pages(),
        &[
            concat!("--ind", "ex-url"),
            concat!("--extra-ind", "ex-url"),
            concat!("--find", "-links"),
            concat!("PIP_IND", "EX"),
            concat!("GOPR", "OXY="),
            concat!("[regi", "stries"),
            concat!("replace", "-with"),
        ],
    );
    for page in pages_of_kind("lock") {
        let foreign = page.lines().filter(|(_, line)| {
            line.starts_with("source = ")
                && !line.contains("registry+https://github.com/rust-lang/crates.io-index")
        });
        found.extend(foreign.map(|(number, line)| format!("{}: {line}", page.place(number))));
    }
    expect_none(&found, "leave the choice of a mirror to the machine's own configuration:");
}

/// The lines that contain one of `marks`, with their places.
fn lines_with(pages: &[Page], marks: &[&str]) -> Vec<String> {
    let lines = pages.iter().flat_map(|page| page.lines().map(move |(number, line)| (page, number, line)));
    let marked = lines.filter(|(_, _, line)| marks.iter().any(|mark| line.contains(mark)));
    marked.map(|(page, number, line)| format!("{}: {}", page.place(number), line.trim())).collect()
}

#[test]
fn a_path_is_of_a_machine_only_where_it_begins() {
    let root = concat!("/ro", "ot/");
    let absolute = format!("see `{root}x`");
    assert!(has_absolute(&absolute, root));
    assert!(has_absolute(&root.repeat(2), root));
    assert!(!has_absolute(&format!("$folder.d{root}x"), root));
}

#[test]
fn an_example_is_skipped_by_its_first_line() {
    for line in ["```ignore", "/// ```ignore-x86_64", "    //! ```rust,ignore", "```rust, ignore"] {
        assert!(is_skipped_example(line), "`{line}`");
    }
    for line in ["```", "```text", "/// ```no_run", "ignore", "`ignore`"] {
        assert!(!is_skipped_example(line), "`{line}`");
    }
}
