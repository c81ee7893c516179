//! Storage that is attached to a unit.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a storage instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// A folder that is mounted.
    Filesystem,
    /// A device.
    Block,
}

impl fmt::Display for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filesystem => "filesystem",
            Self::Block => "block",
        })
    }
}

/// A storage instance that is attached to this unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// Its id, for example `data/0`.
    pub id: String,
    /// What it is.
    pub kind: StorageKind,
    /// Where it is: a folder, or a device.
    pub location: PathBuf,
}

impl Storage {
    /// The name in the metadata: `data` of `data/0`.
    pub fn name(&self) -> &str {
        self.id.split_once('/').map_or(self.id.as_str(), |(name, _)| name)
    }
}

/// What `storage-get` answers.
#[derive(Deserialize)]
pub(super) struct Attributes {
    pub(super) kind: StorageKind,
    pub(super) location: PathBuf,
}
