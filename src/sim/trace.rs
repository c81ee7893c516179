//! What a charm writes down about its handlers: which ran, and why others did not.
//!
//! The charm is told by a variable where to write; what is there after its run is taken into the journal.
//! It is plain JSON here: this crate knows no handlers, only the page that shows it does.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::event::Event;
use crate::run::Run;
use crate::sim::Sim;

/// The variable with the path of the file that a charm writes its trace to.
pub(crate) const TRACE_VARIABLE: &str = "CHARMS_REACTIVE_TRACE";
/// How large a trace may be: far above what handlers can fill.
const TRACE_BYTES_MAX: u64 = 4 << 20;

impl Sim {
    /// Where a run may write its trace; nowhere when nothing is recorded.
    ///
    /// Each run has a place of its own: a process that outlives its run must not pass for the next one.
    pub(crate) fn place_for_trace(&self, run: &Run) -> Option<PathBuf> {
        if !self.settings.is_recording {
            return None;
        }
        let folder = self.model.root.join("traces");
        // Without a folder the charm finds no place to write to, and the run has no trace.
        fs::create_dir_all(&folder).ok()?;
        Some(folder.join(run.context_id.replace('/', "-")).with_extension("json"))
    }

    /// Takes what a run has written into the journal.
    pub(crate) fn take_trace(&mut self, run: &Run) {
        let Some(path) = self.place_for_trace(run) else { return };
        let trace = match read(&path) {
            Ok(None) => return,
            Ok(Some(trace)) => trace,
            Err(error) => json!({ "unreadable": error.to_string() }),
        };
        // The folder is temporary, or the caller's to clean.
        let _ = fs::remove_file(&path);
        self.model.journal.record(Event::Traced { unit: run.unit.clone(), trace });
    }

    /// Has the journal know what time it is.
    pub(crate) fn tell_time(&mut self) {
        let now = self.now();
        self.model.journal.tell_time(now);
    }
}

/// The trace in a file, if there is one.
fn read(path: &Path) -> io::Result<Option<Value>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        // A pipe would keep us waiting, a link could lead anywhere.
        Ok(found) if !found.is_file() => return Err(io::Error::other("it is no plain file")),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(TRACE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TRACE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {TRACE_BYTES_MAX} bytes")));
    }
    Ok(Some(serde_json::from_slice(&bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.json");
        let check = |expected: Result<Option<Value>, &str>| {
            let found = read(&path).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        check(Ok(None));
        crate::agent::write_file(&path, b"{\"format\": 1}").expect("written");
        check(Ok(Some(json!({ "format": 1 }))));
        crate::agent::write_file(&path, b"[").expect("written");
        check(Err("EOF while parsing a list at line 1 column 1"));
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a folder");
        check(Err("it is no plain file"));
    }
}
