//! The index itself: which word is in which documents.  Done in stages, so that it can go on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charms_reactive::prelude::*;
use serde::{Deserialize, Serialize};

/// What is to be indexed, and where the index goes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Folders {
    pub(crate) folder: String,
    pub(crate) index: String,
    /// Milliseconds of rest after each document.
    pub(crate) pause: u64,
}

/// What came of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) documents: usize,
    pub(crate) words: usize,
}

/// How far it is: after a restart it goes on from there.
#[derive(Default, Serialize, Deserialize)]
struct Stage {
    /// The documents in the part of the index that is on the disk.
    documents: usize,
}

type Words = BTreeMap<String, BTreeSet<String>>;

/// Builds the index, document by document.
pub(crate) fn build(work: &mut Work) -> Result<Index, HandlerError> {
    let Folders { folder, index, pause } = work.input()?;
    let index = PathBuf::from(index);
    fs::create_dir_all(&index)?;
    let part = index.join("part.json");
    let stage: Stage = work.kept()?.unwrap_or_default();
    let mut words: Words = match stage.documents {
        0 => Words::new(),
        _ => serde_json::from_slice(&fs::read(&part)?)?,
    };
    let documents = documents(Path::new(&folder))?;
    for (number, document) in documents.iter().enumerate().skip(stage.documents) {
        if work.is_stopped() {
            return Err("told to stop".into());
        }
        let text =
            fs::read_to_string(document).map_err(|error| format!("{}: {error}", document.display()))?;
        let name = document.file_name().unwrap_or_default().to_string_lossy();
        for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
            words.entry(word.to_lowercase()).or_default().insert(name.to_string());
        }
        // The part first: what is kept must be there.
        write(&part, &words)?;
        work.keep(Stage { documents: number + 1 })?;
        work.progress(number as u64 + 1, documents.len() as u64, "Indexing")?;
        std::thread::sleep(Duration::from_millis(pause));
    }
    // The part stays: whoever is ended now begins with it again.
    write(&index.join("index.json"), &words)?;
    Ok(Index { documents: documents.len(), words: words.len() })
}

/// The documents, in an order that stays.
fn documents(folder: &Path) -> Result<Vec<PathBuf>, HandlerError> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut all = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    all.retain(|path| path.is_file());
    all.sort();
    Ok(all)
}

fn write(path: &Path, words: &Words) -> Result<(), HandlerError> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(words)?)?;
    file.sync_all()?;
    Ok(fs::rename(beside, path)?)
}
