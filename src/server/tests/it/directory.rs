//! The directory of the embedded store: one server's, and private.

use std::path::Path;

use charms_reactive_server::database::DatabaseError;
use charms_reactive_server::runtimeconfig::{Sqlite, StoreError};

use crate::desk::Desk;

#[test]
fn two_servers_do_not_share_a_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Sqlite::open(folder.path()).expect("opened");
    assert!(matches!(Sqlite::open(folder.path()), Err(StoreError::Open(DatabaseError::Locked))));
    drop(first);
    assert!(Sqlite::open(folder.path()).is_ok());
}

#[test]
fn what_is_kept_is_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("deep/data");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let _desk = Desk::on(Box::new(Sqlite::open(&data).expect("opened")));
    assert_eq!(mode(&data), 0o700);
    for entry in std::fs::read_dir(&data).expect("a folder").flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
    }
}
