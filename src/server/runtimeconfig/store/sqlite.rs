//! The embedded store: one file of `SQLite`.

use std::collections::BTreeMap;
use std::path::Path;

use charms_reactive_core::waiter::{
    Cardinality, Moment, Outcome, VariablePath, WaiterName, parse_span, span_text,
};
use rusqlite::{Row, Transaction, params};

use super::{Change, Kept, Request, Snapshot, Store, StoreError};
use crate::database::{Database, Schema};
use crate::runtimeconfig::call::{Condition, ConfigName, Content, Declared};
use crate::runtimeconfig::variable::Variable;
use crate::runtimeconfig::waiter::KeptWaiter;

const SCHEMA: Schema = Schema(&[include_str!("schema.sql")]);

/// Keeps changes in `runtimeconfig.sqlite` in a directory, private to its owner.
///
/// # Guarantees
///
/// A commit that returned is on the disk.  One process uses the directory.
#[derive(Debug)]
pub struct Sqlite(Database);

impl Sqlite {
    /// Opens the database in `directory`, which is made where it is missing.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self(Database::open(directory, "runtimeconfig", SCHEMA)?))
    }

    /// Every row of a table, as `read` makes it.
    fn rows<T>(
        &self,
        table: &'static str,
        order: &str,
        read: impl Fn(&Row<'_>) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.0.connection.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row).map_err(|error| StoreError::Row { table, reason: error.0 })?);
        }
        Ok(all)
    }
}

/// Why a row cannot be read.
struct Unreadable(String);

impl<E: std::error::Error> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn moment(row: &Row<'_>, column: &str) -> Result<Moment, Unreadable> {
    Ok(Moment::parse(&row.get::<_, String>(column)?)?)
}

fn read_config(row: &Row<'_>) -> Result<(ConfigName, Kept), Unreadable> {
    let name: String = row.get("name")?;
    let name = ConfigName { project: row.get("project")?, config: WaiterName::parse(&name)? };
    let policy: String = row.get("policy")?;
    let kept = Kept {
        uid: row.get("uid")?,
        description: row.get("description")?,
        policy: serde_json::from_str(&policy)?,
        variables: Vec::new(),
        waiters: Vec::new(),
    };
    Ok((name, kept))
}

fn read_variable(row: &Row<'_>) -> Result<(i64, (VariablePath, Variable)), Unreadable> {
    let path: String = row.get("path")?;
    let body: Vec<u8> = row.get("body")?;
    let content =
        if row.get("is_text")? { Content::Text(String::from_utf8(body)?) } else { Content::Bytes(body) };
    let variable = Variable { content, created: moment(row, "created")?, updated: moment(row, "updated")? };
    Ok((row.get("config")?, (VariablePath::parse_variable(&path)?, variable)))
}

fn read_waiter(row: &Row<'_>) -> Result<(i64, (WaiterName, KeptWaiter)), Unreadable> {
    let condition = |path: String, number: u32| -> Result<Condition, Unreadable> {
        Ok(Condition { cardinality: Cardinality::new(VariablePath::parse(&path)?, number), path })
    };
    let failure = match (row.get("failure_path")?, row.get("failure_number")?) {
        (Some(path), Some(number)) => Some(condition(path, number)?),
        _ => None,
    };
    let timeout: String = row.get("timeout")?;
    let declared = Declared {
        success: condition(row.get("success_path")?, row.get("success_number")?)?,
        failure,
        timeout: parse_span(&timeout)?,
    };
    let outcome: Option<String> = row.get("outcome")?;
    let ended = match outcome {
        None => None,
        Some(text) => {
            let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
            let outcome = outcome.ok_or_else(|| Unreadable(format!("`{text}` is no outcome")))?;
            Some((outcome, moment(row, "ended")?))
        }
    };
    let name: String = row.get("name")?;
    let waiter = KeptWaiter { declared, created: moment(row, "created")?, ended };
    Ok((row.get("config")?, (WaiterName::parse(&name)?, waiter)))
}

fn read_request(row: &Row<'_>) -> Result<Request, Unreadable> {
    let at = moment(row, "at")?;
    Ok(Request { list: row.get("list")?, id: row.get("id")?, name: row.get("name")?, at })
}

impl Store for Sqlite {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        let mut configs = self.rows("config", "uid", read_config)?;
        let places: BTreeMap<i64, usize> =
            configs.iter().enumerate().map(|(place, (_, config))| (config.uid, place)).collect();
        let orphan = |table| StoreError::Row { table, reason: "its config is not there".to_owned() };
        for (config, variable) in self.rows("variable", "config, path", read_variable)? {
            let place = *places.get(&config).ok_or_else(|| orphan("variable"))?;
            configs[place].1.variables.push(variable);
        }
        // As they were made: that is the order in which they end.
        for (config, waiter) in self.rows("waiter", "config, created", read_waiter)? {
            let place = *places.get(&config).ok_or_else(|| orphan("waiter"))?;
            configs[place].1.waiters.push(waiter);
        }
        let mut requests = self.rows("request", "at", read_request)?;
        requests.sort_by_key(|request| request.at);
        Ok(Snapshot { configs, requests })
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let transaction = self.0.connection.transaction()?;
        for change in changes {
            write(&transaction, change)?;
        }
        Ok(transaction.commit()?)
    }
}

fn write(transaction: &Transaction<'_>, change: &Change) -> Result<(), rusqlite::Error> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| transaction.execute(sql, values).map(drop);
    match change {
        Change::PutConfig { uid, name, description, policy } => run(
            "INSERT INTO config VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (uid) DO UPDATE SET description = ?4, policy = ?5",
            params![uid, name.project, name.config.as_str(), description, policy.to_string()],
        ),
        Change::DropConfig { uid } => {
            for table in ["variable", "waiter"] {
                run(&format!("DELETE FROM {table} WHERE config = ?1"), params![uid])?;
            }
            run("DELETE FROM config WHERE uid = ?1", params![uid])
        }
        Change::PutVariable { config, path, variable } => {
            let (is_text, body) = match &variable.content {
                Content::Text(text) => (true, text.as_bytes()),
                Content::Bytes(bytes) => (false, bytes.as_slice()),
            };
            let (created, updated) = (variable.created.to_string(), variable.updated.to_string());
            run(
                "INSERT OR REPLACE INTO variable VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![config, path.as_str(), is_text, body, created, updated],
            )
        }
        Change::DropVariable { config, path } => {
            // What begins with the path and a slash: `0` follows the slash.
            let (begin, end) = (format!("{}/", path.as_str()), format!("{}0", path.as_str()));
            run(
                "DELETE FROM variable WHERE config = ?1 AND (path = ?2 OR (path >= ?3 AND path < ?4))",
                params![config, path.as_str(), begin, end],
            )
        }
        Change::PutWaiter { config, name, waiter } => {
            let Declared { success, failure, timeout } = &waiter.declared;
            run(
                "INSERT OR REPLACE INTO waiter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    config,
                    name.as_str(),
                    success.path,
                    success.cardinality.number,
                    failure.as_ref().map(|failure| &failure.path),
                    failure.as_ref().map(|failure| failure.cardinality.number),
                    span_text(*timeout),
                    waiter.created.to_string(),
                    waiter.ended.map(|(outcome, _)| outcome.as_str()),
                    waiter.ended.map(|(_, at)| at.to_string()),
                ],
            )
        }
        Change::DropWaiter { config, name } => {
            run("DELETE FROM waiter WHERE config = ?1 AND name = ?2", params![config, name.as_str()])
        }
        Change::PutRequest(request) => run(
            "INSERT OR REPLACE INTO request VALUES (?1, ?2, ?3, ?4)",
            params![request.list, request.id, request.name, request.at.to_string()],
        ),
        Change::DropRequest { list, id } => {
            run("DELETE FROM request WHERE list = ?1 AND id = ?2", params![list, id])
        }
    }
}
