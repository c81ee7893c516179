//! Programs that charms started and left behind: found, named, and ended.
//!
//! A hook may start a daemon, as on a real machine; it lives until its unit, its machine or the simulation is
//! gone.  A charm that is killed takes along what it started.
//!
//! Where there is no `/proc`, nothing is found.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program that keeps starting others while it is looked for is given up after so many looks.
const LOOKS_MAX: usize = 20;

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stray {
    pid: u32,
    command: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`{}`)", self.pid, self.command)
    }
}

/// Which run is meant: simulations with one seed have the same context ids, but no two share a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) charm: &'a Path,
    pub(crate) context_id: &'a str,
}

/// The programs that a run has started, whoever their parents are by now.
pub(crate) fn of_run(origin: Origin<'_>) -> Vec<Stray> {
    let id = format!("JUJU_CONTEXT_ID={}", origin.context_id);
    let folder = format!("JUJU_CHARM_DIR={}", origin.charm.display());
    let is_meant =
        |variables: &[&[u8]]| variables.contains(&id.as_bytes()) && variables.contains(&folder.as_bytes());
    all().filter(|pid| was_started_with(*pid, is_meant)).map(named).collect()
}

/// The programs that were started by charms whose directory is below `folder`.
pub(crate) fn below(folder: &Path) -> Vec<Stray> {
    let is_below = |variables: &[&[u8]]| {
        let path = variables.iter().find_map(|text| text.strip_prefix(b"JUJU_CHARM_DIR="));
        path.is_some_and(|path| Path::new(OsStr::from_bytes(path)).starts_with(folder))
    };
    let stands_below =
        |pid: u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|at| at.starts_with(folder));
    // A program that was started without Juju's variables may still stand in its charm.
    all().filter(|pid| was_started_with(*pid, is_below) || stands_below(*pid)).map(named).collect()
}

/// Ends all that `look` finds, and what that starts meanwhile.
pub(crate) fn end_all(look: impl Fn() -> Vec<Stray>) {
    for _ in 0..LOOKS_MAX {
        let found: Vec<String> = look().iter().map(|stray| stray.pid.to_string()).collect();
        if found.is_empty() {
            return;
        }
        kill(&found);
    }
}

/// Ends a charm that is not waited for yet, with everything that it started.
pub(crate) fn end_run(pid: u32, origin: Origin<'_>) {
    end_all(|| {
        let mut found = of_run(origin);
        found.extend(descendants(pid).into_iter().map(named));
        found
    });
}

#[expect(clippy::disallowed_methods, reason = "the standard library kills nothing but its own children")]
fn kill(pids: &[String]) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -KILL \"$@\"", "kill"]).args(pids).env_clear();
    // One that has ended meanwhile is as good.
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// The ids of all processes but this one.
fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != std::process::id())
}

/// Whether a process was started with such variables; never, once it has ended.
fn was_started_with(pid: u32, is_meant: impl Fn(&[&[u8]]) -> bool) -> bool {
    let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    is_meant(&variables.split(|byte| *byte == 0).collect::<Vec<_>>())
}

fn named(pid: u32) -> Stray {
    const CHARS_MAX: usize = 80;
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = words.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    Stray { pid, command: words.join(" ").trim_end().chars().take(CHARS_MAX).collect() }
}

/// The processes below this one, and itself, that have not ended.
fn descendants(pid: u32) -> Vec<u32> {
    let known: Vec<(u32, u32)> = all().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = BTreeSet::from([pid]);
    loop {
        let more = known.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid);
        let more: Vec<u32> = more.filter(|pid| !found.contains(pid)).collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    let is_there = |pid: &u32| known.iter().any(|(known, _)| known == pid);
    found.into_iter().filter(is_there).collect()
}

/// The parent of a process that has not ended.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in brackets, and may hold any of what follows.
    let mut words = stat.rsplit(')').next()?.split_whitespace();
    let state = words.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_parent_and_is_below_it() {
        let own = std::process::id();
        let parent = parent(own).expect("it runs");
        assert!(parent > 0);
        assert!(descendants(u32::MAX).is_empty());
    }

    #[test]
    fn nothing_runs_in_a_folder_that_nobody_knows() {
        assert_eq!(below(Path::new("/nowhere/at/all")), []);
    }
}
