//! The states that orders have come to.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::model::{Hook, Model};
use crate::sim::Sim;

/// The states that were reached, and where the run is that looks for others.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Each state as 128 bits of its text: two of a billion states are taken for one with a chance of 10^-21.
    states: HashSet<(u64, u64)>,
    position: String,
    /// How many choices are made as before: up to the last of them, all states are known.
    replayed: usize,
    is_known: bool,
}

impl Seen {
    /// Begins another run.
    pub(super) fn begin(&mut self, replayed: usize) {
        self.replayed = replayed;
        self.is_known = false;
    }

    /// Goes on to another part of the run.
    pub(super) fn enter(&mut self, position: String) {
        self.position = position;
    }

    /// Whether the run has come to a state that was there before.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }
}

impl Sim {
    /// Whether all that may follow has been gone through, or is about to be, by orders before this one.
    ///
    /// Between hooks only: then the state is in the model, on the clock and in folders, and nowhere else.
    pub(crate) fn is_state_known(&mut self) -> bool {
        let choices = self.model.random.taken().len();
        let is_new = match &self.seen {
            None => return false,
            Some(seen) => seen.is_known || choices >= seen.replayed,
        };
        if !is_new || !self.rules.is_empty() {
            return false;
        }
        let state = self.state();
        let Some(seen) = &mut self.seen else { return false };
        let text = (&seen.position, state);
        seen.is_known = seen.is_known || !seen.states.insert((hash(0, &text), hash(1, &text)));
        seen.is_known
    }

    /// All that decides what can happen from here on, as text.
    ///
    /// Whatever a part of the model is made of is in its `Debug` form, so nothing can be forgotten.  Left out
    /// are the choices to come, which are gone through, and the record of what has happened, which nothing
    /// looks at.
    fn state(&mut self) -> String {
        let model = &mut self.model;
        let (journal, random) = (std::mem::take(&mut model.journal), std::mem::take(&mut model.random));
        let (units, relations) = (model.units.clone(), model.relations.clone());
        name_versions(model);
        let text = format!("{model:?}\n{:?}\n{:?}\n{:?}", self.clock, self.interrupted, self.names);
        let model = &mut self.model;
        (model.journal, model.random) = (journal, random);
        (model.units, model.relations) = (units, relations);
        // Each run has a folder of its own.
        let mut text = text.replace(&*model.root.to_string_lossy(), "<folder>");
        files(&model.root, &mut text);
        text
    }
}

/// Replaces the versions of databags by what counts: whether somebody was shown the newest one.
///
/// Versions are compared for equality alone (`schedule::relation`), and a new one is never one that was
/// there before; so which numbers they are makes no difference.
fn name_versions(model: &mut Model) {
    const NEWEST: u64 = 1;
    const OLDER: u64 = 2;
    let shown = |version: u64, newest: Option<u64>| match newest {
        Some(newest) if newest == version => version.min(NEWEST),
        _ => OLDER,
    };
    let relations = &model.relations;
    let of_hook = |hook: &mut Hook, unit: &charms_reactive_core::UnitName| {
        let Some(about) = &mut hook.relation else { return };
        let Some(relation) = relations.get(&about.number) else { return };
        let newest = match &about.remote_unit {
            Some(remote) => relation.unit_bags.get(remote).map(|bag| bag.version),
            None => Some(relation.application_version(&relation.remote_end(unit.application()).application)),
        };
        about.version = shown(about.version, newest);
    };
    for (name, unit) in &mut model.units {
        for (number, membership) in &mut unit.relations {
            let Some(relation) = relations.get(number) else { continue };
            for (member, version) in &mut membership.members {
                *version = shown(*version, relation.unit_bags.get(member).map(|bag| bag.version));
            }
            let remote = &relation.remote_end(name.application()).application;
            membership.application_version =
                shown(membership.application_version, Some(relation.application_version(remote)));
        }
        if let Some(hook) = &mut unit.queued {
            of_hook(hook, name);
        }
        if let Some(failed) = &mut unit.failed {
            of_hook(&mut failed.hook, name);
        }
    }
    for relation in model.relations.values_mut() {
        let bags = relation.unit_bags.values_mut().chain(relation.application_bags.values_mut());
        for bag in bags {
            bag.version = bag.version.min(NEWEST);
        }
    }
}

/// Every file below a folder: its name, its mode, its content.
fn files(folder: &Path, text: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        text.push('\n');
        text.push_str(&path.file_name().unwrap_or_default().to_string_lossy());
        let _ = write!(text, " {:o} ", metadata.permissions().mode());
        if metadata.is_dir() {
            text.push('{');
            files(&path, text);
            text.push('}');
        } else if metadata.is_symlink() {
            let _ = write!(text, "{:?}", fs::read_link(&path).ok());
        } else if metadata.is_file() {
            let content = fs::read(&path).unwrap_or_default();
            let _ = write!(text, "{} {:x} {:x}", content.len(), hash(0, &content), hash(1, &content));
        }
    }
}

fn hash(key: u8, value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}
