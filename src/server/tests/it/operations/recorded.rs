//! What earlier versions left on the disk.

use charms_reactive_core::operation::Status;
use charms_reactive_operations::Change;
use charms_reactive_server::operations::{Sqlite, Store as _};
use rusqlite::Connection;

#[test]
fn what_the_first_version_kept_is_read_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = Connection::open(folder.path().join("operations.sqlite")).expect("a database");
    old.execute_batch(include_str!("version-1.sql")).expect("as it was left");
    drop(old);
    let kept = Sqlite::open(folder.path()).expect("opened").load().expect("read");
    let told = kept.iter().map(|one| (one.life.status, one.parent.is_some(), one.description.as_str()));
    let expected = [
        (Status::Success, false, "Ünder \"quotes\""),
        (Status::Failure, false, "Demonstration"),
        (Status::Success, true, "Demonstration"),
        (Status::Failure, true, "Demonstration"),
        (Status::Running, false, "Demonstration"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert!(kept.iter().all(|one| !one.in_outbox));
    let fault = kept[3].life.fault.as_ref().expect("a fault");
    assert_eq!((fault.code, fault.text.as_str()), (500, "failed as it was told"));
    assert_eq!(kept[0].metadata["step"], 2);
    // It is of this version from now on.
    let mut again = Sqlite::open(folder.path()).expect("opened");
    let mut changed = kept[4].clone();
    changed.in_outbox = true;
    again.commit(&[Change::Put(Box::new(changed.clone()))]).expect("kept");
    drop(again);
    let read = Sqlite::open(folder.path()).expect("opened").load().expect("read");
    assert_eq!(read[..4], kept[..4]);
    assert_eq!(read[4], changed);
}
