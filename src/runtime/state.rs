//! The state of the unit: what one dispatch leaves to the next.

use std::collections::{BTreeMap, BTreeSet};

use charms_reactive_core::RelationId;
use serde_json::{Map, Value};

use crate::automatic::ends_with_dispatch;
use crate::dispatch::{Dispatch, DispatchError};
use crate::memory::Memory;
use crate::plan::{Plan, Status};
use crate::record::{RelationRecord, in_parts};
use crate::store::Store;

/// The key of the set flags: a sorted JSON array.
const FLAGS: &str = "flags";

/// The key of the digests of the options.
const CONFIG: &str = "config";

/// The key of the status that the unit is to show.
const STATUS: &str = "status";

/// The keys of what is remembered by name, see [`crate::memory::Memory`].
const DATA: &str = "data";
const FILES: &str = "files";
const DONE: &str = "done";
const LEADER: &str = "leader";
const SECRETS: &str = "secrets";

/// Before a number: a part of the handlers that met an obstacle, and of what is to be done.
const STALLED: &str = "stalled/";

/// Before a number: a part of the options as they were, where the charm keeps them.
const OPTIONS: &str = "options/";

/// Before the id of a relation: the key of its record.
const RELATION: &str = "relation/";

/// Before a key of the charm's own.
const KEPT: &str = "charm/";

/// The state of the unit as the last dispatch that ended well left it.
///
/// # Shape
///
/// | Key | Value |
/// |---|---|
/// | `flags` | the set flags, a sorted JSON array |
/// | `config` | the digest of each option's value, a JSON object |
/// | `status` | the status that the unit is to show, as `active ready` |
/// | `relation/ID` | what is remembered of a relation, [`RelationRecord`] |
/// | `stalled/0`, ... | the handlers that met an obstacle, with what is to be done, a JSON object in parts |
/// | `options/0`, ... | the options, of charms that keep them, a JSON object in parts |
/// | `operation/NAME` | what is remembered of an operation, a JSON object |
/// | `charm/KEY` | what the charm keeps by itself |
/// | `data`, `files`, `done`, `leader`, `secrets` | what is remembered by name, [`crate::memory::Memory`] |
///
/// Keys that are not known are left alone: a later revision may have written them.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) saved: BTreeMap<String, String>,
    /// The digests of the options: those of the last dispatch, until this one asks.
    pub(crate) config: Option<BTreeMap<String, String>>,
    /// The options that are to be kept; None where those that are kept stay.
    pub(crate) options: Option<Map<String, Value>>,
}

impl State {
    /// Reads the state and fills `dispatch` with it.
    pub(crate) fn load(store: Store, dispatch: &Dispatch) -> Result<Self, DispatchError> {
        let load = || store.load(&mut *dispatch.model.commands(), &dispatch.context.charm_dir);
        let saved = dispatch.model.state(load)?;
        let names: Vec<String> = saved.get(FLAGS).map_or_else(Vec::new, |text| parsed(FLAGS, text));
        *dispatch.flags.borrow_mut() = charms_reactive_core::FlagSet::from_saved(names);
        let mut texts: BTreeMap<RelationId, BTreeMap<usize, &str>> = BTreeMap::new();
        for (key, text) in &saved {
            if let Some((id, part)) = key.strip_prefix(RELATION).and_then(part_of) {
                texts.entry(id).or_default().insert(part, text);
            } else if let Some(key) = key.strip_prefix(KEPT) {
                dispatch.kept.borrow_mut().insert(key.to_owned(), text.clone());
            }
        }
        for (id, parts) in texts {
            let text: String = parts.into_values().collect();
            dispatch.records.borrow_mut().insert(id, RelationRecord::parse(&text));
        }
        *dispatch.memory.borrow_mut() = Memory {
            data: saved.get(DATA).map_or_else(BTreeMap::new, |text| parsed(DATA, text)),
            files: saved.get(FILES).map_or_else(BTreeMap::new, |text| parsed(FILES, text)),
            done: saved.get(DONE).map_or_else(BTreeSet::new, |text| parsed(DONE, text)),
            leader: saved.get(LEADER).map_or_else(BTreeMap::new, |text| parsed(LEADER, text)),
            secrets: saved.get(SECRETS).map_or_else(BTreeMap::new, |text| parsed(SECRETS, text)),
        };
        *dispatch.stalled.before.borrow_mut() =
            from_parts(&saved, STALLED).map_or_else(BTreeMap::new, |text| parsed(STALLED, &text));
        *dispatch.options_before.borrow_mut() =
            from_parts(&saved, OPTIONS).map(|text| parsed(OPTIONS, &text));
        let config = saved.get(CONFIG).map(|text| parsed(CONFIG, text));
        Ok(Self { store, saved, config, options: None })
    }

    /// Whether no dispatch has ended well before.
    pub(crate) fn is_first(&self) -> bool {
        !self.saved.contains_key(FLAGS)
    }

    /// The status that the unit is to show when no handler says otherwise.
    pub(crate) fn status(&self) -> Option<Status> {
        let (status, message) = self.saved.get(STATUS)?.split_once(' ')?;
        Some(Status { status: status.parse().ok()?, message: message.to_owned() })
    }

    /// The state as this dispatch leaves it.
    pub(crate) fn next(&self, dispatch: &Dispatch, plan: &Plan) -> BTreeMap<String, String> {
        let is_ours = |key: &str| key.starts_with(RELATION) || key.starts_with(KEPT);
        let mut next = self.saved.clone();
        next.retain(|key, _| !is_ours(key));
        let flags = dispatch.flags.borrow();
        let names: Vec<&str> = flags.names().filter(|name| !ends_with_dispatch(name)).collect();
        let names = serde_json::to_string(&names).expect("texts are JSON");
        next.insert(FLAGS.to_owned(), names);
        if let Some(config) = &self.config {
            let digests = serde_json::to_string(config).expect("texts are JSON");
            next.insert(CONFIG.to_owned(), digests);
        }
        let stalled = dispatch.stalled.left();
        keep_parts(&mut next, STALLED, stalled.is_empty(), &stalled);
        if let Some(options) = &self.options {
            keep_parts(&mut next, OPTIONS, false, options);
        }
        if let Some(status) = plan.status() {
            next.insert(STATUS.to_owned(), format!("{} {}", status.status, status.message));
        }
        let records = dispatch.records.borrow();
        let count = records.len();
        for (id, record) in records.iter().filter(|(_, record)| !record.is_spent()) {
            for (part, text) in record.clone().into_parts(count).into_iter().enumerate() {
                let key =
                    if part == 0 { format!("{RELATION}{id}") } else { format!("{RELATION}{id}/{part}") };
                next.insert(key, text);
            }
        }
        let memory = dispatch.memory.borrow();
        keep(&mut next, DATA, memory.data.is_empty(), &memory.data);
        keep(&mut next, FILES, memory.files.is_empty(), &memory.files);
        keep(&mut next, DONE, memory.done.is_empty(), &memory.done);
        keep(&mut next, LEADER, memory.leader.is_empty(), &memory.leader);
        keep(&mut next, SECRETS, memory.secrets.is_empty(), &memory.secrets);
        for (key, text) in dispatch.kept.borrow().iter() {
            next.insert(format!("{KEPT}{key}"), text.clone());
        }
        if let Some(engine) = &dispatch.engine {
            engine.save(dispatch, &mut next);
        }
        next
    }
}

/// Puts `value` under `key`, where there is something in it.
fn keep(next: &mut BTreeMap<String, String>, key: &str, is_empty: bool, value: &impl serde::Serialize) {
    if is_empty {
        next.remove(key);
    } else {
        next.insert(key.to_owned(), serde_json::to_string(value).expect("texts are JSON"));
    }
}

/// Puts `value` under `prefix` and numbers, in parts that Juju takes, where there is something in it.
fn keep_parts(
    next: &mut BTreeMap<String, String>,
    prefix: &str,
    is_empty: bool,
    value: &impl serde::Serialize,
) {
    next.retain(|key, _| !key.starts_with(prefix));
    if !is_empty {
        let text = serde_json::to_string(value).expect("texts and JSON are JSON");
        let parts = in_parts(&text).into_iter().enumerate();
        next.extend(parts.map(|(number, part)| (format!("{prefix}{number}"), part)));
    }
}

/// A text that was kept in parts.
fn from_parts(saved: &BTreeMap<String, String>, prefix: &str) -> Option<String> {
    let parts = (0..).map_while(|number| saved.get(&format!("{prefix}{number}")));
    Some(parts.map(String::as_str).collect::<String>()).filter(|text| !text.is_empty())
}

/// The relation and the part of its record that a key is about: `db:1`, or `db:1/2`.
fn part_of(key: &str) -> Option<(RelationId, usize)> {
    match key.split_once('/') {
        None => Some((key.parse().ok()?, 0)),
        Some((id, part)) => Some((id.parse().ok()?, part.parse().ok()?)),
    }
}

/// A value that we wrote ourselves.  One that cannot be read is as good as none, and is told.
fn parsed<T: serde::de::DeserializeOwned + Default>(key: &str, text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| {
        log::warn!("cannot read state key `{key}`, starting anew: {error}");
        T::default()
    })
}
