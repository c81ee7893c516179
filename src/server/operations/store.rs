//! Where operations are kept: one file of `SQLite`.

use std::path::Path;

use charms_reactive_core::operation::{Class, Fault, Life, OperationId, Status};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{Change, Record};
use rusqlite::{Row, Statement, params};

use crate::database::{Database, DatabaseError, Schema};

const SCHEMA: Schema = Schema(&[include_str!("store/schema.sql"), include_str!("store/outbox.sql")]);

/// Why nothing could be kept, or read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// `SQLite` failed.
    #[error("cannot use the database of operations")]
    Database(#[from] rusqlite::Error),
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] DatabaseError),
    /// The system gives no thread, or no chance, to begin with.
    #[error("cannot begin")]
    Begin(#[from] std::io::Error),
    /// Something in it is not what was written.
    #[error("operation `{id}` cannot be read: {reason}")]
    Row {
        /// Which.
        id: String,
        /// Why.
        reason: String,
    },
}

/// Everything that was kept.
pub type Kept = Vec<Record>;

/// Where operations are kept.
pub trait Store: Send {
    /// Everything that was kept.
    fn load(&mut self) -> Result<Kept, StoreError>;

    /// Keeps changes, all or none; when this returns, they survive whatever happens.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Store for Memory {
    fn load(&mut self) -> Result<Kept, StoreError> {
        Ok(Kept::new())
    }

    fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Keeps operations in `operations.sqlite` in a directory, private to its owner.
///
/// # Guarantees
///
/// A commit that returned is on the disk.  One process uses the file.
#[derive(Debug)]
pub struct Sqlite(Database);

impl Sqlite {
    /// Opens the database in `directory`, which is made where it is missing.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self(Database::open(directory, "operations", SCHEMA)?))
    }
}

impl Store for Sqlite {
    fn load(&mut self) -> Result<Kept, StoreError> {
        let mut statement = self.0.connection.prepare("SELECT * FROM operation ORDER BY id")?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let record = read(row).map_err(|Unreadable(reason)| StoreError::Row {
                id: row.get("id").unwrap_or_default(),
                reason,
            })?;
            all.push(record);
        }
        Ok(all)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let transaction = self.0.connection.transaction()?;
        // Parsed once for all of them.
        let mut put = transaction.prepare(PUT)?;
        for change in changes {
            match change {
                Change::Put(record) => write(&mut put, record)?,
                Change::Drop(id) => {
                    transaction.execute("DELETE FROM operation WHERE id = ?1", params![id.to_string()])?;
                }
            }
        }
        drop(put);
        Ok(transaction.commit()?)
    }
}

/// Why a row cannot be read.
struct Unreadable(String);

impl<E: std::error::Error> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn read(row: &Row<'_>) -> Result<Record, Unreadable> {
    let text = |column: &str| row.get::<_, String>(column);
    let optional = |column: &str| row.get::<_, Option<String>>(column);
    let no = |what: &str, found: &str| Unreadable(format!("`{found}` is no {what}"));
    let (class, status): (String, u16) = (text("class")?, row.get("status")?);
    let fault = match (optional("error")?, row.get("error_code")?) {
        (Some(text), Some(code)) => Some(Fault { code, text }),
        _ => None,
    };
    let life = Life {
        class: Class::of(&class).ok_or_else(|| no("class", &class))?,
        status: Status::of(status).ok_or_else(|| no("status", &status.to_string()))?,
        fault,
        cancel: optional("cancel")?,
        updated: Moment::parse(&text("updated")?)?,
    };
    Ok(Record {
        id: OperationId::parse(&text("id")?)?,
        parent: optional("parent")?.map(|id| OperationId::parse(&id)).transpose()?,
        is_parent: row.get("is_parent")?,
        kind: text("kind")?,
        description: text("description")?,
        project: optional("project")?,
        created: Moment::parse(&text("created")?)?,
        life,
        resources: serde_json::from_str(&text("resources")?)?,
        metadata: serde_json::from_str(&text("metadata")?)?,
        inputs: serde_json::from_str(&text("inputs")?)?,
        requestor: optional("requestor")?.map(|json| serde_json::from_str(&json)).transpose()?,
        reference: optional("reference")?,
        may_cancel: row.get("may_cancel")?,
        stage: row.get("stage")?,
        must_run: row.get("must_run")?,
        in_outbox: row.get("in_outbox")?,
    })
}

const PUT: &str = "INSERT OR REPLACE INTO operation
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

fn write(put: &mut Statement<'_>, record: &Record) -> Result<(), rusqlite::Error> {
    let fault = record.life.fault.as_ref();
    put.execute(params![
        record.id.to_string(),
        record.parent.map(|id| id.to_string()),
        record.is_parent,
        record.kind,
        record.life.class.as_str(),
        record.description,
        record.project,
        record.created.to_string(),
        record.life.updated.to_string(),
        record.life.status.code(),
        fault.map(|fault| &fault.text),
        fault.map(|fault| fault.code),
        record.life.cancel,
        json(&record.resources),
        json(&record.metadata),
        json(&record.inputs),
        record.requestor.as_ref().map(json),
        record.reference,
        record.may_cancel,
        record.stage,
        record.must_run,
        record.in_outbox,
    ])?;
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("texts, numbers, lists and maps with texts as keys")
}
