//! The list of what charms.reactive does, against our tests.

use std::collections::BTreeSet;

use super::expect_none;
use super::tree::{pages_of_kind, read};

const PAGE: &str = "docs/parity/charms-reactive.md";

const UPSTREAM: &str = "docs/parity/upstream-tests.md";

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

/// The rows that are a convenience, or about interfaces of the first generation: these alone may be left out.
const OPTIONAL: &[&str] = &[
    "M11", "M20", "M21", "M46", "F3", "F14", "F15", "F25", "L23", "H11", "H12", "H16", "H24", "H25", "H26",
    "H28", "H32", "H33", "H34", "H35", "H36", "E7", "E8", "E28", "E45", "E62", "P2", "P27", "P28", "C9",
    "C10", "C12", "C18", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "G11", "G12", "G13",
    "G14",
];

/// How many tests charms.reactive has.
const UPSTREAM_TESTS: usize = 122;

/// How many of its defects are numbered.
const DEFECTS: usize = 52;

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
    let places = places();
    let rows = rows().into_iter().filter(|row| row.status == "differs");
    let silent = rows.filter(|row| !leads_to(&row.note, &places));
    let silent: Vec<String> = silent.map(|row| row.id).collect();
    expect_none(&silent, "link these rows to their place in docs/differences.md:");
}

#[test]
fn what_is_not_offered_is_optional_and_says_why() {
    let rows = rows().into_iter().filter(|row| row.status == "not offered");
    let wrong = rows.filter(|row| !OPTIONAL.contains(&row.id.as_str()) || row.note.len() < 20);
    let wrong: Vec<String> = wrong.map(|row| row.id).collect();
    expect_none(
        &wrong,
        &format!("build these, or say in {PAGE} why they are not there, if they are optional:"),
    );
}

#[test]
fn the_page_counts_its_rows() {
    let rows = rows();
    let count = |status: &str| rows.iter().filter(|row| row.status == status).count();
    let told = format!(
        "{} rows are done, {} differ, {} are not offered.",
        count("done"),
        count("differs"),
        count("not offered")
    );
    assert!(read(PAGE).contains(&told), "say in {PAGE}: {told}");
}

#[test]
fn every_test_of_charms_reactive_has_its_place() {
    let (tests, places) = (tests(), places());
    let page = read(UPSTREAM);
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split(" | ").collect()).collect();
    let names: BTreeSet<&str> = rows.iter().map(|cells| cells[0]).collect();
    assert_eq!(
        (rows.len(), names.len()),
        (UPSTREAM_TESTS, UPSTREAM_TESTS),
        "{UPSTREAM} has a row for each test"
    );
    let mut found = Vec::new();
    for cells in &rows {
        let (name, here) = (cells[0], cells[cells.len() - 1]);
        let proofs: Vec<&str> = here.split('`').skip(1).step_by(2).collect();
        let missing = proofs.iter().filter(|test| !tests.contains(**test));
        found.extend(missing.map(|test| format!("{name}: no test `{test}`")));
        let is_left_out = here.starts_with("not offered: ");
        if proofs.is_empty() && !leads_to(here, &places) && !is_left_out {
            found.push(format!("{name}: neither a test, nor why there is none"));
        }
        if here.contains("](") && !leads_to(here, &places) {
            found.push(format!("{name}: its link leads to no difference"));
        }
    }
    expect_none(&found, &format!("mend these rows of {UPSTREAM}:"));
}

#[test]
fn every_defect_has_a_row_and_a_test() {
    let tests = tests();
    let page = read(DIFFERENCES);
    let rows = page.lines().filter_map(|line| line.strip_prefix("| D")?.strip_suffix(" |"));
    let rows = rows.map(|line| line.split(" | ").collect::<Vec<&str>>());
    let rows: Vec<Vec<&str>> = rows.filter(|cells| cells[0].parse::<usize>().is_ok()).collect();
    let numbers: Vec<usize> = rows.iter().filter_map(|cells| cells[0].parse().ok()).collect();
    assert_eq!(
        numbers,
        (1..=DEFECTS).collect::<Vec<_>>(),
        "{DIFFERENCES} has a row for each defect, in order"
    );
    let mut found = Vec::new();
    for cells in &rows {
        let named: Vec<&str> = cells[cells.len() - 1].split('`').skip(1).step_by(2).collect();
        if cells.len() != 4 || named.is_empty() {
            found.push(format!("D{}: names no test", cells[0]));
        }
        let missing = named.iter().filter(|name| !tests.contains(**name));
        found.extend(missing.map(|name| format!("D{}: no test `{name}`", cells[0])));
    }
    expect_none(&found, &format!("name in {DIFFERENCES} the tests that show our side:"));
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
    let statuses = ["done", "differs", "not offered"];
    let rows = rows().into_iter().filter(|row| !statuses.contains(&row.status.as_str()));
    let found: Vec<String> = rows.map(|row| format!("{}: `{}`", row.id, row.status)).collect();
    expect_none(&found, "a row is `done`, `differs` or `not offered`:");
}

/// The names of all differences.
fn places() -> BTreeSet<String> {
    let page = read(DIFFERENCES);
    let places: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| <a id=\"")?.split_once('"').map(|(name, _)| name.to_owned()))
        .collect();
    assert!(places.len() > 20, "{DIFFERENCES} has a row for each difference");
    places
}

/// Whether the links of a text to the page of differences lead to some, and there is one.
fn leads_to(text: &str, places: &BTreeSet<String>) -> bool {
    let mut links =
        text.split("](../differences.md#").skip(1).filter_map(|rest| rest.split(')').next()).peekable();
    links.peek().is_some() && links.all(|place| places.contains(place))
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
