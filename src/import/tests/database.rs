//! Databases of charmhelpers, as they are found.

use std::fs;
use std::path::Path;

use charms_reactive_import::FromPython;
use charms_reactive_runtime::{Import as _, Imported};
use rusqlite::Connection;

fn database(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    let schema = "create table kv (key text, data text, primary key (key)); \
                  create table kv_revisions (key text, revision integer, data text, primary key (key, revision)); \
                  create table hooks (version integer primary key autoincrement, hook text, date text);";
    connection.execute_batch(schema).expect("a schema");
    connection
}

fn put(connection: &Connection, key: &str, data: &str) {
    connection.execute("insert or replace into kv values (?1, ?2)", [key, data]).expect("written");
}

fn read(folder: &Path) -> Option<Imported> {
    FromPython::new().read(folder).expect("a good database, or none")
}

#[test]
fn without_a_database_there_is_nothing_to_take_over() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(read(folder.path()).is_none());
}

#[test]
fn a_database_of_ops_alone_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = Connection::open(folder.path().join(".unit-state.db")).expect("a database");
    connection
        .execute_batch("create table snapshot (handle text, data blob); create table notice (x);")
        .expect("tables");
    assert!(read(folder.path()).is_none());
}

#[test]
fn tables_of_ops_beside_are_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = database(&folder.path().join(".unit-state.db"));
    connection.execute_batch("create table snapshot (handle text primary key, data blob);").expect("a table");
    put(&connection, "reactive.states.a", "null");
    assert_eq!(read(folder.path()).expect("one").flags, ["a"]);
}

#[test]
fn the_database_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(".unit-state.db");
    put(&database(&path), "reactive.states.a", "null");
    let before = (fs::read(&path).expect("there"), fs::metadata(&path).expect("there").modified().ok());
    assert_eq!(read(folder.path()).expect("one").flags, ["a"]);
    assert_eq!(
        (fs::read(&path).expect("there"), fs::metadata(&path).expect("there").modified().ok()),
        before
    );
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "no copy is left");
}

#[test]
fn what_a_killed_hook_left_unfinished_is_not_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, killed) = (folder.path().join("whole.db"), folder.path().join(".unit-state.db"));
    let connection = database(&path);
    put(&connection, "reactive.states.done", "null");
    // A transaction that is larger than the cache reaches the file before it is committed.
    connection.execute_batch("pragma cache_size = 1; begin immediate;").expect("a transaction");
    let text = format!("\"{}\"", "x".repeat(20_000));
    for number in 0..200 {
        put(&connection, &format!("reactive.states.half-{number}"), &text);
    }
    fs::copy(&path, &killed).expect("copied");
    fs::copy(folder.path().join("whole.db-journal"), folder.path().join(".unit-state.db-journal"))
        .expect("copied");
    assert!(fs::metadata(&killed).expect("there").len() > 1_000_000, "the file has the unfinished part");
    assert_eq!(read(folder.path()).expect("one").flags, ["done"]);
    assert!(folder.path().join(".unit-state.db-journal").exists(), "and it was left as it is");
}

#[test]
fn what_is_no_database_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::File::create(folder.path().join(".unit-state.db")).expect("made");
    assert!(read(folder.path()).is_none(), "SQLite takes an empty file for an empty database");
    let other = folder.path().join("other.db");
    #[expect(clippy::disallowed_methods, reason = "a file of the test, no hook's")]
    fs::write(&other, "no database at all, but long enough to be looked at ".repeat(40)).expect("written");
    let error = FromPython::new().database("other.db").read(folder.path()).expect_err("no database");
    assert!(error.to_string().contains("other.db`, expected a database of charmhelpers"), "{error}");
}

#[test]
fn the_last_options_are_found_beside_the_database() {
    let folder = tempfile::tempdir().expect("a folder");
    database(&folder.path().join(".unit-state.db"));
    assert!(read(folder.path()).expect("one").config.is_none());
    let path = folder.path().join(".juju-persistent-config");
    #[expect(clippy::disallowed_methods, reason = "a file of the test, no hook's")]
    fs::write(&path, r#"{"port": 80, "name": null}"#).expect("written");
    let config = read(folder.path()).expect("one").config.expect("kept");
    assert_eq!(config["port"], 80);
}
