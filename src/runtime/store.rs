//! Where a unit keeps its state between dispatches.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use charms_reactive_hookcmd::{CommandError, Commands as _, HookCommands};
use serde::{Deserialize, Serialize};

use crate::file::{FileEffect, FileError};

/// How long one value of the unit state may be.
///
/// # Source
///
/// `core/quota` of Juju: `max allowed value length (65536) exceeded`.
pub const VALUE_BYTES_MAX: usize = 65_536;

/// The file of [`Store::File`], in the charm directory.
pub(crate) const FILE_NAME: &str = ".charms-reactive.json";

/// Where a unit keeps its state between dispatches; chosen once for a charm.
///
/// # Guarantees
///
/// With [`Store::UnitState`] the state is part of the hook's transaction: Juju keeps it exactly when it
/// keeps the relation data of the same dispatch.  With [`Store::File`] it is written last, after every
/// hook command, just before the dispatch ends well; Juju may still refuse the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// Juju's unit state (`state-get`, `state-set`).
    #[default]
    UnitState,
    /// A file in the charm directory, for agents that have no unit state.
    File,
}

/// Why the state could not be read or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Juju refused.
    #[error("cannot reach the unit state")]
    Command(#[from] CommandError),
    /// The file cannot be read.
    #[error("cannot read the state in `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("cannot read the state in `{}` as JSON", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file cannot be written.
    #[error("cannot save the state")]
    Write(#[from] FileError),
    /// The other store has a state: choosing one silently would lose it.
    #[error(
        "the charm keeps its state in {chosen}, but there is one in {other}: remove it, or choose that store"
    )]
    Other {
        /// The store that the charm chose.
        chosen: &'static str,
        /// The store that has a state.
        other: &'static str,
    },
    /// A value is longer than Juju takes.
    #[error("the value of state key `{key}` has {bytes} bytes, expected at most {VALUE_BYTES_MAX}")]
    TooLong {
        /// The key.
        key: String,
        /// How long it is.
        bytes: usize,
    },
}

/// What [`Store::File`] holds.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// The context id of the dispatch that wrote it.
    dispatch: String,
    state: BTreeMap<String, String>,
}

/// A state that has to be saved when Juju has been told everything.
///
/// Saved before, it would say of a dispatch that is killed on its way that all was done.
#[must_use]
pub(crate) struct Unsaved {
    path: PathBuf,
    effect: FileEffect,
}

impl Unsaved {
    pub(crate) fn save(self) -> Result<(), StoreError> {
        self.effect.apply(&self.path)?;
        Ok(())
    }
}

impl Store {
    /// The state that was saved last; empty when none was.
    pub(crate) fn load(
        self,
        commands: &mut dyn HookCommands,
        charm_dir: &Path,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let path = charm_dir.join(FILE_NAME);
        match self {
            Self::UnitState if path.exists() => {
                Err(StoreError::Other { chosen: "the unit state", other: "the file `.charms-reactive.json`" })
            }
            Self::UnitState => Ok(commands.state_get()?),
            Self::File => match fs::read(&path) {
                Ok(bytes) => serde_json::from_slice::<Saved>(&bytes)
                    .map(|saved| saved.state)
                    .map_err(|source| StoreError::Parse { path, source }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Self::begin_file(commands),
                Err(source) => Err(StoreError::Read { path, source }),
            },
        }
    }

    /// The first state of a file store.  An agent without `state-get` has no unit state to lose.
    fn begin_file(commands: &mut dyn HookCommands) -> Result<BTreeMap<String, String>, StoreError> {
        let unit_state = match commands.state_get() {
            Err(CommandError::Start { .. }) => BTreeMap::new(),
            answer => answer?,
        };
        if unit_state.contains_key("flags") {
            return Err(StoreError::Other {
                chosen: "the file `.charms-reactive.json`",
                other: "the unit state",
            });
        }
        Ok(BTreeMap::new())
    }

    /// Saves what differs between `old` and `new`; or gives what is to be saved last of all.
    pub(crate) fn save(
        self,
        commands: &mut dyn HookCommands,
        charm_dir: &Path,
        dispatch: &str,
        old: &BTreeMap<String, String>,
        new: BTreeMap<String, String>,
    ) -> Result<Option<Unsaved>, StoreError> {
        if *old == new {
            return Ok(None);
        }
        if let Some((key, value)) = new.iter().find(|(_, value)| value.len() > VALUE_BYTES_MAX) {
            return Err(StoreError::TooLong { key: key.clone(), bytes: value.len() });
        }
        match self {
            Self::UnitState => {
                let gone = old.keys().filter(|key| !new.contains_key(*key));
                let changes: BTreeMap<String, String> = new
                    .iter()
                    .filter(|(key, value)| old.get(*key) != Some(*value))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if !changes.is_empty() {
                    commands.state_set(&changes)?;
                }
                for key in gone {
                    commands.state_delete(key)?;
                }
            }
            Self::File => {
                let saved = Saved { dispatch: dispatch.to_owned(), state: new };
                let content = serde_json::to_vec_pretty(&saved).expect("texts are JSON");
                let effect = FileEffect::Write { content, mode: 0o600 };
                return Ok(Some(Unsaved { path: charm_dir.join(FILE_NAME), effect }));
            }
        }
        Ok(None)
    }
}
