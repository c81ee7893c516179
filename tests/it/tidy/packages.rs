//! Rules for versions and manifests.

use super::cargo::{manifests, text};
use super::expect_none;
use super::tree::{exists, read};

#[test]
fn the_changelog_knows_the_current_version() {
    let version = version();
    let changelog = read("CHANGELOG.md");
    let is_known = changelog.lines().any(|line| line.starts_with(&format!("## {version}")));
    assert!(
        is_known,
        "write a chapter `## {version}` into CHANGELOG.md: what is added, changed, fixed, removed"
    );
    assert!(
        changelog.lines().any(|line| line == "## Unreleased"),
        "keep a chapter `## Unreleased` on top of CHANGELOG.md"
    );
}

#[test]
fn all_crates_share_one_version() {
    let version = version();
    let others = manifests().into_iter().filter(|package| text(package, "version") != version);
    let others: Vec<String> = others.map(|package| text(&package, "name").to_owned()).collect();
    expect_none(&others, "write `version.workspace = true` into the manifests of:");
}

#[test]
fn every_crate_takes_the_lints_of_the_house() {
    let mut found = Vec::new();
    for package in manifests() {
        let manifest = text(&package, "manifest_path");
        let content = std::fs::read_to_string(manifest).expect("cargo read it");
        if !content.contains("[lints]\nworkspace = true") {
            found.push(text(&package, "name").to_owned());
        }
    }
    expect_none(&found, "write `[lints]` with `workspace = true` into the manifests of:");
}

#[test]
fn the_licences_that_the_manifests_name_are_here() {
    let licences: Vec<String> =
        manifests().iter().map(|package| text(package, "license").to_owned()).collect();
    let others: Vec<String> = licences.into_iter().filter(|licence| licence != "MIT OR Apache-2.0").collect();
    expect_none(&others, "write `license.workspace = true` into every manifest; found:");
    let missing: Vec<String> = ["LICENSE-MIT", "LICENSE-APACHE"]
        .iter()
        .filter(|file| !exists(file))
        .map(ToString::to_string)
        .collect();
    expect_none(&missing, "put back the texts of the licences:");
}

fn version() -> String {
    let packages = manifests();
    let front_door = packages.iter().find(|package| text(package, "name") == "charms-reactive");
    text(front_door.expect("in the workspace"), "version").to_owned()
}
