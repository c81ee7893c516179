//! The list of what charms.reactive does, against our tests.

use std::collections::BTreeSet;

use super::expect_none;
use super::tree::{pages_of_kind, read};

const PAGE: &str = "docs/parity/charms-reactive.md";

const DIFFERENCES: &str = "docs/differences.md";

/// How many rows each family has.
const FAMILIES: [(char, usize); 11] = [
    ('M', 49),
    ('T', 9),
    ('F', 29),
    ('L', 23),
    ('H', 43),
    ('E', 63),
    ('R', 37),
    ('P', 28),
    ('S', 16),
    ('C', 22),
    ('G', 14),
];

/// One row: `| M1 | what Python does | done | tests, or why not |`.
struct Row {
    id: String,
    status: String,
    note: String,
}

#[test]
fn every_row_of_the_list_is_there_once() {
    let ids: Vec<String> = rows().into_iter().map(|row| row.id).collect();
    let wanted =
        FAMILIES.iter().flat_map(|(family, count)| (1..=*count).map(move |row| format!("{family}{row}")));
    let wanted: Vec<String> = wanted.collect();
    let mut found: Vec<String> =
        wanted.iter().filter(|id| !ids.contains(id)).map(|id| format!("{id} is missing")).collect();
    found.extend(ids.iter().filter(|id| !wanted.contains(id)).map(|id| format!("{id} is not a row")));
    let mut seen = BTreeSet::new();
    found.extend(ids.iter().filter(|id| !seen.insert(*id)).map(|id| format!("{id} is there twice")));
    expect_none(&found, &format!("mend the table in {PAGE}:"));
}

#[test]
fn a_row_that_is_done_names_a_test() {
    let tests = tests();
    let mut found = Vec::new();
    for row in rows().into_iter().filter(|row| row.status == "done") {
        let names: Vec<&str> = row.note.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            found.push(format!("{}: names no test", row.id));
        }
        found.extend(
            names
                .iter()
                .filter(|name| !tests.contains(**name))
                .map(|name| format!("{}: no test `{name}`", row.id)),
        );
    }
    expect_none(&found, &format!("name in {PAGE} the tests that prove these rows, in backticks:"));
}

#[test]
fn a_row_that_differs_says_where_it_is_explained() {
    let rows = rows().into_iter().filter(|row| row.status == "differs");
    let silent = rows.filter(|row| !row.note.contains("](../differences.md#"));
    let silent: Vec<String> = silent.map(|row| row.id).collect();
    expect_none(&silent, "link these rows to their place in docs/differences.md:");
}

#[test]
fn every_difference_names_tests_that_exist() {
    let tests = tests();
    let page = read(DIFFERENCES);
    let rows = page.lines().filter(|line| line.starts_with("| <a id="));
    let rows: Vec<&str> = rows.map(|line| line.trim_end_matches(" |")).collect();
    assert!(rows.len() > 20, "{DIFFERENCES} has a row for each difference");
    let last = rows.iter().filter_map(|row| row.rsplit(" | ").next());
    let names = last.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let missing: Vec<String> = names.filter(|name| !tests.contains(*name)).map(str::to_owned).collect();
    expect_none(&missing, &format!("{DIFFERENCES} names tests that do not exist (any more):"));
}

#[test]
fn a_row_has_one_of_three_statuses() {
    let rows =
        rows().into_iter().filter(|row| !["done", "differs", "not yet"].contains(&row.status.as_str()));
    let found: Vec<String> = rows.map(|row| format!("{}: `{}`", row.id, row.status)).collect();
    expect_none(&found, "a row is `done`, `differs` or `not yet`:");
}

fn rows() -> Vec<Row> {
    let page = read(PAGE);
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = cells.map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());
    let is_row =
        |cells: &Vec<&str>| cells.len() == 4 && cells[0].ends_with(|last: char| last.is_ascii_digit());
    let rows = rows.filter(is_row);
    rows.map(|cells| Row { id: cells[0].to_owned(), status: cells[2].to_owned(), note: cells[3].to_owned() })
        .collect()
}

/// The names of all functions that are tests.
pub(super) fn tests() -> BTreeSet<String> {
    let tests: BTreeSet<String> = pages_of_kind("rs").iter().flat_map(|page| tests_in(&page.text)).collect();
    assert!(tests.contains("a_row_that_is_done_names_a_test"), "tests are found by their attribute");
    tests
}

fn tests_in(code: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in code.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some((name, _)) = line.strip_prefix("fn ").and_then(|rest| rest.split_once(['(', '<']))
        {
            if std::mem::take(&mut is_test) {
                tests.push(name.to_owned());
            }
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            is_test = false;
        }
    }
    tests
}

#[test]
fn a_function_is_a_test_by_its_attribute() {
    let code = "#[test]\n// why\n#[should_panic]\nfn yes() {}\nfn no() {}\n#[test]\n\nfn far() {}";
    assert_eq!(tests_in(code), ["yes"]);
}
