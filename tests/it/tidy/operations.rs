//! The list of what LXD and Hyperkit do with operations, against our tests.

use std::collections::BTreeSet;

use super::expect_none;
use super::parity::tests;
use super::tree::read;

const PAGE: &str = "docs/parity/lxd-operations.md";

/// How many rows there are.
const ROWS: usize = 83;

/// One row: `| 1 | what LXD does | done | tests, or why not |`.
struct Row {
    number: usize,
    status: String,
    note: String,
}

fn rows() -> Vec<Row> {
    let page = read(PAGE);
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
fn every_row_of_lxds_operations_is_there_once_and_in_order() {
    let found: Vec<usize> = rows().into_iter().map(|row| row.number).collect();
    let wanted: Vec<usize> = (1..=ROWS).collect();
    assert_eq!(found, wanted, "mend the tables in {PAGE}");
}

#[test]
fn a_row_of_lxds_operations_that_is_done_names_a_test() {
    let tests = tests();
    let mut found = Vec::new();
    for Row { number, status, note } in rows() {
        let names: BTreeSet<&str> = note.split('`').skip(1).step_by(2).collect();
        match status.as_str() {
            "done" if names.is_empty() => found.push(format!("{number}: names no test")),
            "differs" if !note.contains("](../operations.md#") => {
                found.push(format!("{number}: explains nothing"));
            }
            "done" | "differs" | "not yet" => {}
            other => found.push(format!("{number}: `{other}`")),
        }
        let missing = names.into_iter().filter(|name| !tests.contains(*name));
        found.extend(missing.map(|name| format!("{number}: no test `{name}`")));
    }
    expect_none(
        &found,
        &format!("a row in {PAGE} is `done` with its tests in backticks, `differs`, or `not yet`:"),
    );
}

#[test]
fn the_page_of_lxds_operations_counts_its_rows() {
    let rows = rows();
    let count = |status: &str| rows.iter().filter(|row| row.status == status).count();
    let told = format!(
        "{} rows are done, {} differ, {} are to be done.",
        count("done"),
        count("differs"),
        count("not yet")
    );
    assert!(read(PAGE).contains(&told), "say in {PAGE}: {told}");
}
