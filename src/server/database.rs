//! A file of `SQLite` in a directory: private to its owner, durable, and of one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// `SQLite` failed.
    #[error("cannot use the database")]
    Database(#[from] rusqlite::Error),
    /// The directory cannot be used.
    #[error("cannot use the directory of the database")]
    Directory(#[from] std::io::Error),
    /// Another server uses it.
    #[error("another `charmd` uses this directory")]
    Locked,
    /// It was written by a later version.
    #[error("the database has version {found}, expected at most {expected}")]
    Version {
        /// What was found.
        found: i64,
        /// What this version writes.
        expected: i64,
    },
}

/// What makes each version of the tables of the one before it, from none at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema(pub(crate) &'static [&'static str]);

/// How long whoever has just ended may take to let go of the directory: a program that it was starting has the lock
/// for a moment, too.
const LET_GO: Duration = Duration::from_secs(1);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(20);

/// Takes the lock of a directory.
fn take(lock: &File) -> Result<(), DatabaseError> {
    let mut waited = Duration::ZERO;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if waited < LET_GO => std::thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => return Err(DatabaseError::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        waited += LOOK;
    }
}

/// An open database.
///
/// # Guarantees
///
/// A commit that returned is on the disk (journal WAL, `synchronous=FULL`).  One process uses the file.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) connection: Connection,
    /// Locked for as long as this lives; the system unlocks it when the process ends, in whatever way.
    _lock: File,
}

impl Database {
    /// Opens `NAME.sqlite` in `directory`; both are made where they are missing.
    pub(crate) fn open(directory: &Path, name: &str, schema: Schema) -> Result<Self, DatabaseError> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut private = OpenOptions::new();
        private.write(true).create(true).truncate(false).mode(0o600);
        let lock = private.open(directory.join(format!("{name}.lock")))?;
        take(&lock)?;
        let path = directory.join(format!("{name}.sqlite"));
        // Made by us, for `SQLite` would let others read it; its side files take over the mode.
        private.open(&path)?;
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let expected = i64::try_from(schema.0.len()).expect("few versions");
        let missing = usize::try_from(found).ok().and_then(|found| schema.0.get(found..));
        let missing = missing.ok_or(DatabaseError::Version { found, expected })?;
        if !missing.is_empty() {
            let transaction = connection.transaction()?;
            for sql in missing {
                transaction.execute_batch(sql)?;
            }
            transaction.pragma_update(None, "user_version", expected)?;
            transaction.commit()?;
        }
        Ok(Self { connection, _lock: lock })
    }
}
