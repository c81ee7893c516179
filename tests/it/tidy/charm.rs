//! What the charm is to Juju, against what its code does.

use super::expect_none;
use super::tree::{pages_of_kind, read};

#[test]
fn every_endpoint_option_and_action_is_used() {
    let metadata = read("metadata.yaml");
    let config = read("config.yaml");
    let actions = read("actions.yaml");
    let roles = ["provides", "requires", "peers"];
    let endpoints = roles.iter().flat_map(|role| keys_in(&metadata, role));
    let mut wanted: Vec<(String, String)> = Vec::new();
    wanted.extend(
        endpoints.map(|name| (format!("endpoints::{}", constant(&name)), format!("endpoint `{name}`"))),
    );
    for name in keys_in(&config, "options") {
        wanted.push((format!("config.{}", name.replace('-', "_")), format!("option `{name}`")));
    }
    for name in keys(&actions, "") {
        wanted.push((format!("actions::{}", constant(&name)), format!("action `{name}`")));
    }
    assert!(wanted.len() >= 6, "the charm has an endpoint, options and actions: {wanted:?}");

    let code: String = pages_of_kind("rs")
        .into_iter()
        .filter(|page| page.path.starts_with("charm/"))
        .map(|page| page.text)
        .collect();
    let found = wanted.into_iter().filter(|(word, _)| !code.contains(word));
    let found: Vec<String> = found.map(|(word, name)| format!("{name}: no `{word}`")).collect();
    expect_none(&found, "the YAML files promise more than charm/ does; keep the promise or take it back:");
}

fn constant(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

/// The keys of the map under the top-level key `section`.
fn keys_in(yaml: &str, section: &str) -> Vec<String> {
    let header = format!("{section}:");
    let body = yaml.lines().skip_while(|line| line.trim_end() != header).skip(1);
    let body: Vec<&str> = body.take_while(|line| line.is_empty() || line.starts_with(' ')).collect();
    keys(&body.join("\n"), "  ")
}

/// The keys that are indented by exactly `indent`.  Enough for files that we write ourselves.
fn keys(yaml: &str, indent: &str) -> Vec<String> {
    let lines = yaml.lines().filter_map(|line| line.strip_prefix(indent)?.split_once(':'));
    let is_key = |key: &str| !key.is_empty() && !key.starts_with([' ', '#']) && !key.contains(' ');
    lines.map(|(key, _)| key.to_owned()).filter(|key| is_key(key)).collect()
}

#[test]
fn keys_are_those_of_the_section_alone() {
    let yaml = "name: a\nprovides:\n  db:\n    interface: x\n  # none: b\n  web: {}\n\nrequires:\n  c: {}\n";
    assert_eq!(keys_in(yaml, "provides"), ["db", "web"]);
    assert_eq!(keys(yaml, ""), ["name", "provides", "requires"]);
    assert!(keys_in(yaml, "peers").is_empty());
}
