//! Runs a scenario again when a file of it changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// Files with their time and length.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Files and folders, as they were at one moment.
#[derive(Debug)]
pub(super) struct Watched {
    sources: Vec<PathBuf>,
    seen: Seen,
}

impl Watched {
    /// These files, and all below these folders, as they are now.
    ///
    /// What cargo makes, and what a name hides, is left out.
    pub(super) fn new(sources: Vec<PathBuf>) -> Self {
        let seen = look(&sources);
        Self { sources, seen }
    }

    /// Waits until something is other than it was, and nothing changes any more.
    pub(super) fn wait(&self) {
        let mut last = look(&self.sources);
        loop {
            std::thread::sleep(INTERVAL);
            let now = look(&self.sources);
            if now != self.seen && now == last {
                return;
            }
            last = now;
        }
    }
}

fn look(sources: &[PathBuf]) -> Seen {
    let mut seen = Seen::new();
    for source in sources {
        add(source, &mut seen);
    }
    seen
}

fn add(path: &Path, seen: &mut Seen) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if !metadata.is_dir() {
        seen.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_made = name == "target" || name.to_string_lossy().starts_with('.');
        // A link to a folder may lead around in a circle.
        if !is_made && !entry.path().is_symlink() {
            add(&entry.path(), seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a file of a test")]
    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_file_that_changes_comes_or_goes_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let sources = [folder.path().to_owned()];
        fs::create_dir_all(folder.path().join("hooks")).unwrap();
        fs::create_dir_all(folder.path().join("target")).unwrap();
        let file = folder.path().join("hooks/install");
        write(&file, "one");
        let (first, watched) = (look(&sources), Watched::new(sources.to_vec()));
        assert_eq!(first.len(), 1);
        write(&folder.path().join("target/made"), "");
        write(&folder.path().join(".hidden"), "");
        assert_eq!(look(&sources), first);
        write(&file, "three");
        let second = look(&sources);
        assert_ne!(second, first);
        watched.wait();
        fs::remove_file(&file).unwrap();
        assert_ne!(look(&sources), second);
    }
}
