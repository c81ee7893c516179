//! The key-value store of charmhelpers: SQLite, read from a copy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};

use crate::ImportError;

/// The folder of the copy, in the charm directory.
const COPY: &str = ".charms-reactive-import";

/// The journal of a hook that was killed, beside the database.
const JOURNAL: &str = "-journal";

/// All keys with their values; None where there is no database, or no such table in it.
///
/// Reads a copy: a hook that was killed left a journal, and SQLite makes that undone in the file that it
/// opens.
///
/// # Source
///
/// `charmhelpers.core.unitdata.Storage`; the table is `kv (key text, data text)`.  ops has tables of its own
/// in a file of the same name.
pub(crate) fn read(path: &Path, charm_dir: &Path) -> Result<Option<Vec<(String, String)>>, ImportError> {
    if !path.exists() {
        return Ok(None);
    }
    let copy =
        Copy::make(path, charm_dir).map_err(|source| ImportError::Copy { path: path.to_owned(), source })?;
    rows(&copy.file()).map_err(|source| ImportError::Database { path: path.to_owned(), source })
}

fn rows(path: &Path) -> Result<Option<Vec<(String, String)>>, rusqlite::Error> {
    let connection = Connection::open(path)?;
    let table = "select name from sqlite_master where type = 'table' and name = 'kv'";
    if connection.query_row(table, [], |row| row.get::<_, String>(0)).optional()?.is_none() {
        return Ok(None);
    }
    let mut statement = connection.prepare("select key, data from kv order by key")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect::<Result<_, _>>().map(Some)
}

/// A copy, gone with the value.
struct Copy(PathBuf);

impl Copy {
    fn make(path: &Path, charm_dir: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let folder = charm_dir.join(COPY);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let copy = Self(folder);
        fs::copy(path, copy.file())?;
        let journal = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(JOURNAL);
            PathBuf::from(name)
        };
        match fs::copy(journal(path), journal(&copy.file())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(copy)
    }

    fn file(&self) -> PathBuf {
        self.0.join("state.db")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
