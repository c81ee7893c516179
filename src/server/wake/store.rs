//! Where wake-ups are kept: one file of `SQLite`.

use std::path::Path;

use charms_reactive_core::waiter::Moment;
use rusqlite::params;

use super::When;
use crate::database::{Database, DatabaseError, Schema};

const SCHEMA: Schema = Schema(&[include_str!("schema.sql")]);

/// Keeps wake-ups in `wake.sqlite` in a directory, private to its owner.
#[derive(Debug)]
pub(super) struct Store(Database);

impl Store {
    /// Opens the database in `directory`, which is made where it is missing.
    pub(super) fn open(directory: &Path) -> Result<Self, DatabaseError> {
        Ok(Self(Database::open(directory, "wake", SCHEMA)?))
    }

    /// Everything that was kept.
    pub(super) fn load(&self) -> Result<Vec<(String, When)>, DatabaseError> {
        let mut statement = self.0.connection.prepare("SELECT name, at, waiter FROM wake_up")?;
        let rows = statement.query_map([], |row| {
            let waiter: Option<String> = row.get("waiter")?;
            let at: Option<String> = row.get("at")?;
            // A moment that cannot be read is over: better woken once too often.
            let at = at.and_then(|text| Moment::parse(&text).ok()).unwrap_or(Moment::MIN);
            Ok((row.get("name")?, waiter.map_or(When::At(at), When::Ended)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps one; when this returns, it survives whatever happens.
    pub(super) fn put(&self, name: &str, when: &When) -> Result<(), DatabaseError> {
        let (at, waiter) = match when {
            When::At(at) => (Some(at.to_string()), None),
            When::Ended(waiter) => (None, Some(waiter)),
        };
        let put = "INSERT OR REPLACE INTO wake_up (name, at, waiter) VALUES (?1, ?2, ?3)";
        self.0.connection.execute(put, params![name, at, waiter])?;
        Ok(())
    }

    /// Forgets one.
    pub(super) fn drop(&self, name: &str) -> Result<(), DatabaseError> {
        self.0.connection.execute("DELETE FROM wake_up WHERE name = ?1", params![name])?;
        Ok(())
    }
}
