//! The numbered lists of what other services do, against our tests: Google's Runtime Configurator, LXD's operations.

use std::collections::BTreeSet;

use super::expect_none;
use super::parity::tests;
use super::tree::read;

/// A list.
struct List {
    page: &'static str,
    /// How many rows there are.
    rows: usize,
    /// What a link to an explanation has in it.
    explained: &'static str,
}

const LISTS: [List; 2] = [
    List { page: "docs/parity/runtimeconfig.md", rows: 115, explained: "](../waiters.md#" },
    List { page: "docs/parity/lxd-operations.md", rows: 83, explained: "](../operations.md#" },
];

/// One row: `| 1 | what they do | done | tests, or why not |`.
struct Row {
    number: usize,
    status: String,
    note: String,
}

fn rows(list: &List) -> Vec<Row> {
    let page = read(list.page);
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = cells.map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());
    let row = |cells: Vec<&str>| match cells.as_slice() {
        [number, _, status, note] => {
            let number = number.parse().ok()?;
            Some(Row { number, status: (*status).to_owned(), note: (*note).to_owned() })
        }
        _ => None,
    };
    cells.filter_map(row).collect()
}

#[test]
fn every_row_of_a_numbered_list_is_there_once_and_in_order() {
    for list in &LISTS {
        let found: Vec<usize> = rows(list).into_iter().map(|row| row.number).collect();
        let wanted: Vec<usize> = (1..=list.rows).collect();
        assert_eq!(found, wanted, "mend the tables in {}", list.page);
    }
}

#[test]
fn a_row_of_a_numbered_list_that_is_done_names_a_test() {
    let tests = tests();
    let mut found = Vec::new();
    for list in &LISTS {
        for Row { number, status, note } in rows(list) {
            let mut wrong = |what: String| found.push(format!("{}: {number}: {what}", list.page));
            let names: BTreeSet<&str> = note.split('`').skip(1).step_by(2).collect();
            match status.as_str() {
                "done" if names.is_empty() => wrong("names no test".to_owned()),
                "differs" if !note.contains(list.explained) => wrong("explains nothing".to_owned()),
                "done" | "differs" | "not yet" => {}
                other => wrong(format!("`{other}`")),
            }
            let missing = names.into_iter().filter(|name| !tests.contains(*name));
            missing.for_each(|name| wrong(format!("no test `{name}`")));
        }
    }
    expect_none(&found, "a row is `done` with its tests in backticks, `differs`, or `not yet`:");
}

#[test]
fn a_numbered_list_counts_its_rows() {
    for list in &LISTS {
        let rows = rows(list);
        let count = |status: &str| rows.iter().filter(|row| row.status == status).count();
        let (done, differ, open) = (count("done"), count("differs"), count("not yet"));
        let told = format!("{done} rows are done, {differ} differ, {open} are to be done.");
        assert!(read(list.page).contains(&told), "say in {}: {told}", list.page);
    }
}
