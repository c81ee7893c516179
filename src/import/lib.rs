//! What a charm on Python's charms.reactive kept, for its successor in Rust.
//!
//! A charm that was written in Python and is upgraded in place begins with this:
//!
//! ```
//! use charms_reactive_import::FromPython;
//! use charms_reactive_runtime::prelude::*;
//!
//! fn app() -> App {
//!     App::new(Charm::default()).import(FromPython::new().handler("install_packages", "install"))
//! }
//! # app();
//! ```
//!
//! Taken over, once, in the `upgrade-charm` hook, are: flags; the units that left, with their last data;
//! what was seen of databags, data and files, so that nothing has changed because of the upgrade; the
//! settings of the leader and the options as they were; which handlers ran once; and what the charm itself
//! kept in `unitdata`, which is then found with [`Hook::kept`](charms_reactive_runtime::Hook::kept), as JSON.
//!
//! The database of the charm in Python is left as it is.
//!
//! ```text
//! .unit-state.db            charmhelpers' key-value store        database
//!   keys and values         families of keys                     keys
//!   hashes                  MD5 of JSON in Python's spelling     python_json, md5
//! .juju-persistent-config   the options                          config
//! ```
//!
//! # Source
//!
//! `charmhelpers.core.unitdata`; the keys are those of charms.reactive 1.5.3 and of layer-leadership.

mod database;
mod keys;
mod md5;
mod python_json;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use charms_reactive_core::json;
use charms_reactive_runtime::{HandlerError, Import, Imported};
use serde_json::Value;

/// The store of charmhelpers, in the charm directory.
const DATABASE: &str = ".unit-state.db";

/// Where charmhelpers keeps the options as they were last.
const CONFIG: &str = ".juju-persistent-config";

/// Why what a charm in Python kept cannot be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The database could not be copied, to be read.
    #[error("cannot copy `{}` to read it", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no database, or a broken one.
    #[error("cannot read `{}`, expected a database of charmhelpers (SQLite)", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file of options could not be read.
    #[error("cannot read the last options in `{}`", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Takes over what a charm on Python's charms.reactive kept; see [`charms_reactive_runtime::App::import`].
#[derive(Clone, Debug)]
pub struct FromPython {
    database: PathBuf,
    handlers: BTreeMap<String, String>,
}

impl Default for FromPython {
    fn default() -> Self {
        Self::new()
    }
}

impl FromPython {
    /// The charm in Python that was here before, as layer-basic leaves it.
    pub fn new() -> Self {
        Self { database: DATABASE.into(), handlers: BTreeMap::new() }
    }

    /// The charm in Python had its database elsewhere: what `UNIT_STATE_DB` said.
    #[must_use]
    pub fn database(mut self, path: impl Into<PathBuf>) -> Self {
        self.database = path.into();
        self
    }

    /// The handler that ran once under this name in Python has another one here.
    ///
    /// A handler that has the same name in both is known by itself.
    #[must_use]
    pub fn handler(mut self, python: &str, ours: &str) -> Self {
        self.handlers.insert(python.to_owned(), ours.to_owned());
        self
    }
}

impl Import for FromPython {
    fn read(&self, charm_dir: &Path) -> Result<Option<Imported>, HandlerError> {
        let Some(rows) = database::read(&charm_dir.join(&self.database), charm_dir)? else {
            return Ok(None);
        };
        let mut imported = keys::imported(rows, &self.handlers);
        imported.config = read_config(&charm_dir.join(CONFIG))?;
        Ok(Some(imported))
    }

    fn is_of_text(&self, hash: &str, text: &str) -> bool {
        hash == md5::hex(python_json::canonical(text).as_bytes())
    }

    fn is_of_data(&self, hash: &str, data: &Value) -> bool {
        hash == md5::hex(json::to_text(data).as_bytes())
    }

    fn is_of_file(&self, hash: &str, content: &[u8]) -> bool {
        hash == md5::hex(content)
    }
}

/// The options as they were last; None where they were not kept.
fn read_config(path: &Path) -> Result<Option<BTreeMap<String, Value>>, ImportError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ImportError::Config { path: path.to_owned(), source }),
    };
    let config = serde_json::from_slice(&text);
    // Without it every option counts as changed, which is what Python makes of such a file too.
    Ok(config.map_err(|error| log::warn!("not knowing the last options: {error}")).ok())
}
