//! The page about the simulated model against its tests.

use super::expect_none;
use super::parity::tests;
use super::tree::read;

/// Where it is said what is modelled.
const PAGE: &str = "docs/simulator.md";

#[test]
fn a_rule_of_the_model_names_tests_that_are_there() {
    let tests = tests();
    let page = read(PAGE);
    let (modelled, _) = page.split_once("\n## Where the model differs").expect("the page has this chapter");
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| Rule");
    let rows: Vec<&str> = modelled.lines().filter(is_row).collect();
    assert!(rows.len() > 40, "the tables of {PAGE} are found by their last column");
    let mut found = Vec::new();
    for row in rows {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            found.push(format!("no test: {row}"));
        }
        let names = names.into_iter();
        found.extend(names.filter(|name| !tests.contains(*name)).map(|name| format!("{name}: {row}")));
    }
    expect_none(&found, &format!("name in {PAGE} the tests that show these rules:"));
}
