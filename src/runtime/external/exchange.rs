//! What a dispatch and the programs it starts tell each other: a snapshot one way, a journal the other.
//!
//! # Shape
//!
//! In a folder of the charm directory, which is there while a program runs: `snapshot.json`, a
//! [`Snapshot`]; `journal`, one [`Change`] a line; `bin`, with the commands for the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use charms_reactive_core::{Flag, FlagSet};
use serde::{Deserialize, Serialize};

use crate::dispatch::{Dispatch, TRIGGER_DEPTH_MAX};
use crate::trigger::{Trigger, Triggers, cleared, set};

/// The variable that names the folder to the helper.
pub(super) const FOLDER_VARIABLE: &str = "CHARMS_REACTIVE_DISPATCH";

/// The folder, below the charm directory.
const FOLDER: &str = ".charms-reactive-programs";

/// The name of the helper.
pub(super) const HELPER: &str = "charms.reactive";

/// The decorators for bash.
const BASH: &str = include_str!("charms.reactive.sh");

/// A trigger as it is told: flag, whether it is about setting, flags to set, flags to clear.
type Told = (String, bool, Vec<String>, Vec<String>);

/// What a program may ask about.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// The program, as its path from the charm directory.
    pub(super) program: String,
    /// The hook.
    pub(super) hook: String,
    /// Whether the handlers of the hook run, rather than the rounds after them.
    pub(super) is_hook_phase: bool,
    pub(super) flags: Vec<String>,
    pub(super) triggers: Vec<Told>,
    /// What has been done, of what runs once.
    pub(super) done: BTreeSet<String>,
    /// The digests of files as the functions of this program saw them last.
    pub(super) files: BTreeMap<String, BTreeMap<PathBuf, Option<String>>>,
    /// The endpoints: name, role, interface.
    pub(super) endpoints: Vec<(String, String, String)>,
    pub(super) charm_dir: PathBuf,
}

/// What a program said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    /// Set or clear a flag.
    Flag(String, bool),
    /// Register a trigger, for this dispatch.
    Trigger(Told),
    /// Mark as done.
    Done(String),
    /// This function has looked at a file.
    Seen(String, PathBuf, Option<String>),
}

impl Change {
    /// Takes it into the dispatch.
    pub(super) fn apply(self, dispatch: &Dispatch) {
        match self {
            Self::Flag(name, is_set) => dispatch.change_flag(&name.into(), is_set),
            Self::Trigger(told) => dispatch.triggers.borrow_mut().add(trigger_of(told)),
            Self::Done(name) => {
                dispatch.memory.borrow_mut().done.insert(name);
            }
            Self::Seen(function, path, digest) => {
                let mut memory = dispatch.memory.borrow_mut();
                memory.files.entry(function).or_default().insert(path, digest);
            }
        }
    }
}

fn trigger_of((flag, is_set, sets, clears): Told) -> Trigger {
    let trigger = if is_set { set(Flag::from(flag)) } else { cleared(Flag::from(flag)) };
    let trigger = sets.into_iter().fold(trigger, |trigger, flag| trigger.sets(Flag::from(flag)));
    clears.into_iter().fold(trigger, |trigger, flag| trigger.clears(Flag::from(flag)))
}

fn told_of(trigger: &Trigger) -> Told {
    let names = |flags: &[Flag]| flags.iter().map(ToString::to_string).collect();
    let (flag, is_set, sets, clears) = trigger.parts();
    (flag.to_string(), is_set, names(sets), names(clears))
}

/// The side of the dispatch, while a program runs.
pub(super) struct Exchange {
    folder: PathBuf,
}

impl Exchange {
    /// Makes the folder anew, whatever a killed dispatch left in it.
    pub(super) fn begin(dispatch: &Dispatch, program: &str) -> io::Result<Self> {
        let charm_dir = std::path::absolute(&dispatch.context.charm_dir)?;
        let folder = charm_dir.join(FOLDER);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let exchange = Self { folder };
        let commands = exchange.commands();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&commands)?;
        symlink(std::env::current_exe()?, commands.join(HELPER))?;
        write_new(&commands.join("charms.reactive.sh"), BASH.as_bytes())?;
        let snapshot = serde_json::to_vec(&Snapshot::of(dispatch, program, charm_dir))?;
        write_new(&exchange.folder.join("snapshot.json"), &snapshot)?;
        Ok(exchange)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the commands for the program.
    pub(super) fn commands(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// What was said, in order.
    pub(super) fn end(self) -> io::Result<Vec<Change>> {
        read_journal(&self.folder)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

fn read_journal(folder: &Path) -> io::Result<Vec<Change>> {
    match fs::read_to_string(folder.join("journal")) {
        Ok(text) => text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl Snapshot {
    fn of(dispatch: &Dispatch, program: &str, charm_dir: PathBuf) -> Self {
        let memory = dispatch.memory.borrow();
        let endpoints = dispatch.metadata.endpoints.iter();
        let of_program = memory.files.iter().filter(|(key, _)| key.starts_with(program));
        Self {
            program: program.to_owned(),
            hook: dispatch.context.event.to_string(),
            is_hook_phase: dispatch.is_hook_phase.get(),
            flags: dispatch.flags.borrow().names().map(str::to_owned).collect(),
            triggers: dispatch.triggers.borrow().iter().map(told_of).collect(),
            done: memory.done.clone(),
            files: of_program.map(|(key, files)| (key.clone(), files.clone())).collect(),
            endpoints: endpoints
                .map(|spec| (spec.name.to_string(), spec.role.as_str().to_owned(), spec.interface.clone()))
                .collect(),
            charm_dir,
        }
    }
}

/// The side of the helper: the snapshot, with what was said since.
pub(super) struct View {
    folder: PathBuf,
    pub(super) snapshot: Snapshot,
    pub(super) flags: FlagSet,
    triggers: Triggers,
}

impl View {
    /// Reads what the dispatch left in `folder`.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut snapshot: Snapshot = serde_json::from_slice(&fs::read(folder.join("snapshot.json"))?)?;
        let flags = FlagSet::from_saved(std::mem::take(&mut snapshot.flags));
        let mut triggers = Triggers::default();
        for told in std::mem::take(&mut snapshot.triggers) {
            triggers.add(trigger_of(told));
        }
        let mut view = Self { folder: folder.to_owned(), snapshot, flags, triggers };
        for change in read_journal(folder)? {
            view.see(change);
        }
        Ok(view)
    }

    /// Says something to the dispatch.
    pub(super) fn say(&mut self, change: Change) -> io::Result<()> {
        let mut line = serde_json::to_string(&change)?;
        line.push('\n');
        let path = self.folder.join("journal");
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(line.as_bytes())?;
        self.see(change);
        Ok(())
    }

    fn see(&mut self, change: Change) {
        match change {
            Change::Flag(name, is_set) => self.change(&name.into(), is_set, 0),
            Change::Trigger(told) => self.triggers.add(trigger_of(told)),
            Change::Done(name) => {
                self.snapshot.done.insert(name);
            }
            Change::Seen(function, path, digest) => {
                self.snapshot.files.entry(function).or_default().insert(path, digest);
            }
        }
    }

    fn change(&mut self, flag: &Flag, is_set: bool, depth: usize) {
        let is_change = if is_set { self.flags.set(flag) } else { self.flags.clear(flag) };
        // The dispatch itself makes an error of triggers that never rest.
        if is_change && depth < TRIGGER_DEPTH_MAX {
            let (sets, clears) = self.triggers.effects(flag, is_set);
            for (flag, is_set) in
                sets.iter().map(|flag| (flag, true)).chain(clears.iter().map(|flag| (flag, false)))
            {
                self.change(flag, is_set, depth + 1);
            }
        }
    }
}
