//! The map of the house against the house.

use std::fs;

use super::expect_none;
use super::tree::{exists, is_of_kind, read, top};

/// Where the map is.
const PAGE: &str = "docs/architecture.md";

/// Folders all of whose entries have to be on the map.
const WHOLE: [&str; 3] = ["src", "interfaces", "src/runtime"];

#[test]
fn everything_on_the_map_is_there() {
    let missing: Vec<String> = map().into_iter().filter(|path| !exists(path)).collect();
    expect_none(&missing, &format!("the map in {PAGE} names what is not there (any more):"));
}

#[test]
fn everything_of_weight_is_on_the_map() {
    let map = map();
    let mut missing = Vec::new();
    for folder in WHOLE {
        for entry in fs::read_dir(top().join(folder)).expect("a folder of the house").flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let is_code = entry.path().is_dir() && !path.ends_with("/tests") || is_of_kind(&path, "rs");
            if is_code && !map.contains(&path) {
                missing.push(path);
            }
        }
    }
    expect_none(&missing, &format!("draw these into the map in {PAGE}, with a line on what they are for:"));
}

/// Every path on the map, from the top.
fn map() -> Vec<String> {
    let page = read(PAGE);
    let chapter =
        page.split("\n## ").find(|chapter| chapter.starts_with("The map")).expect("a chapter `The map`");
    let drawing = chapter.split("```").nth(1).expect("the map is a block of code");
    let map = paths(drawing.trim_start_matches("text"));
    assert!(map.len() > 20, "the map in {PAGE} could not be read: {map:?}");
    map
}

/// The paths of a drawing: one or more names, two blanks, what they are for; indented below their folder.
fn paths(drawing: &str) -> Vec<String> {
    let mut folders: Vec<(usize, String)> = Vec::new();
    let mut paths = Vec::new();
    for line in drawing.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        folders.retain(|(outer, _)| *outer < indent);
        let parent = folders.last().map(|(_, path)| format!("{path}/")).unwrap_or_default();
        let names = line.trim_start().split("  ").next().unwrap_or_default();
        for name in names.split(' ') {
            let path = format!("{parent}{}", name.trim_end_matches('/'));
            if name.ends_with('/') {
                folders.push((indent, path.clone()));
            }
            paths.push(path);
        }
    }
    paths
}

#[test]
fn a_drawing_is_read_as_it_is_indented() {
    let drawing = "\na.toml b.toml   two files\nsrc/   code\n  core/\n    name.rs  names\n  lib.rs   door\ndocs/  pages\n";
    let expected = ["a.toml", "b.toml", "src", "src/core", "src/core/name.rs", "src/lib.rs", "docs"];
    assert_eq!(paths(drawing), expected);
}
