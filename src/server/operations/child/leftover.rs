//! Children that a `charmd` left which was killed.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::DIRECTORY;

/// How often it is looked again: a process may start another while it is being killed.
const LOOKS_MAX: usize = 200;
/// How long a killed process is given.
const PAUSE: Duration = Duration::from_millis(10);

/// Ends what children of an earlier `charmd` with this directory still do, and returns when they are gone.
///
/// They are found by the variables that they were given, and gave to those that they started.
pub fn end_leftovers(directory: &Path) {
    let marks = [DIRECTORY.as_bytes(), b"=", directory.as_os_str().as_bytes()].concat();
    for look in 0..LOOKS_MAX {
        let found = with_variable(&marks);
        if found.is_empty() {
            return;
        }
        if look == 0 {
            log::warn!("ending {} processes that an earlier charmd left", found.len());
        }
        for pid in found {
            // One that has ended by itself is fine.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(PAUSE);
    }
    log::error!("processes that an earlier charmd left do not end");
}

/// Our own processes with this variable.
fn with_variable(variable: &[u8]) -> Vec<Pid> {
    let own = std::process::id();
    let is_ours = |path: &Path| {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).is_ok_and(|metadata| metadata.uid() == geteuid().as_raw())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        if pid == own || !is_ours(&entry.path()) {
            return None;
        }
        // One that is not there any more has no variables.
        let variables = fs::read(entry.path().join("environ")).ok()?;
        let has_it = variables.split(|byte| *byte == 0).any(|found| found == variable);
        if has_it { Pid::from_raw(i32::try_from(pid).ok()?) } else { None }
    });
    pids.collect()
}
