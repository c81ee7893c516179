//! What any store does, where it is kept in a directory.

#[path = "process.rs"]
mod process;
#[path = "restart.rs"]
mod restart;
#[expect(clippy::duplicate_mod, reason = "one suite for every store")]
#[path = "time.rs"]
mod time;

use charms_reactive_server::runtimeconfig::{Sqlite, Store};

use crate::charmd::Charmd;

/// A directory.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn open(&self) -> Box<dyn Store> {
        Box::new(Sqlite::open(self.folder.path()).expect("opened"))
    }

    fn start(&self) -> Charmd {
        let data = self.folder.path().join("data").display().to_string();
        Charmd::start(self.folder.path(), &["--data".to_owned(), data])
    }
}
