//! Applying the plan and saving the flags: the only part of a dispatch that changes anything.

use std::collections::BTreeMap;

use charms_reactive_core::HookEvent;
use charms_reactive_core::digest::digest;
use charms_reactive_hookcmd::{CommandError, Commands as _};

use crate::automatic::ends_with_dispatch;
use crate::dispatch::{Dispatch, DispatchError};
use crate::plan::{Plan, Status};
use crate::record::RelationRecord;
use crate::store::{Store, Unsaved};

/// The key of the set flags: a sorted JSON array.
const FLAGS: &str = "flags";

/// The key of the digests of the options.
const CONFIG: &str = "config";

/// The key of the digest of the status that was shown last.
const STATUS: &str = "status";

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
/// | `status` | the digest of the status that was shown last |
/// | `relation/ID` | what is remembered of a relation, [`RelationRecord`] |
/// | `charm/KEY` | what the charm keeps by itself |
///
/// Keys that are not known are left alone: a later revision may have written them.
pub(crate) struct State {
    store: Store,
    saved: BTreeMap<String, String>,
    /// The digests of the options: those of the last dispatch, until this one asks.
    pub(crate) config: Option<BTreeMap<String, String>>,
}

impl State {
    /// Reads the state and fills `dispatch` with it.
    pub(crate) fn load(store: Store, dispatch: &Dispatch) -> Result<Self, DispatchError> {
        let saved = store.load(&mut *dispatch.model.commands(), &dispatch.context.charm_dir)?;
        let names: Vec<String> = saved.get(FLAGS).map_or_else(Vec::new, |text| parsed(FLAGS, text));
        *dispatch.flags.borrow_mut() = charms_reactive_core::FlagSet::from_saved(names);
        for (key, text) in &saved {
            if let Some(id) = key.strip_prefix(RELATION).and_then(|id| id.parse().ok()) {
                dispatch.records.borrow_mut().insert(id, RelationRecord::parse(text));
            } else if let Some(key) = key.strip_prefix(KEPT) {
                dispatch.kept.borrow_mut().insert(key.to_owned(), text.clone());
            }
        }
        let config = saved.get(CONFIG).map(|text| parsed(CONFIG, text));
        Ok(Self { store, saved, config })
    }

    /// Whether no dispatch has ended well before.
    pub(crate) fn is_first(&self) -> bool {
        !self.saved.contains_key(FLAGS)
    }

    /// The state as this dispatch leaves it.
    fn next(&self, dispatch: &Dispatch, status: Option<&Status>) -> BTreeMap<String, String> {
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
        if let Some(status) = status {
            next.insert(STATUS.to_owned(), status_digest(status));
        }
        let records = dispatch.records.borrow();
        for (id, record) in records.iter().filter(|(_, record)| !record.is_spent()) {
            next.insert(format!("{RELATION}{id}"), record.clone().into_text());
        }
        for (key, text) in dispatch.kept.borrow().iter() {
            next.insert(format!("{KEPT}{key}"), text.clone());
        }
        next
    }

    /// Whether `status` is what was shown last, and nobody else showed another since.
    fn shows(&self, dispatch: &Dispatch, status: &Status) -> bool {
        // Juju itself shows a status before these three hooks (`U/op_callbacks.go`).
        let is_juju_first =
            matches!(dispatch.context.event, HookEvent::Install | HookEvent::Stop | HookEvent::Remove);
        !is_juju_first && self.saved.get(STATUS) == Some(&status_digest(status))
    }
}

fn status_digest(status: &Status) -> String {
    digest(&format!("{} {}", status.status, status.message))
}

/// A value that we wrote ourselves.  One that cannot be read is as good as none, and is told.
fn parsed<T: serde::de::DeserializeOwned + Default>(key: &str, text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| {
        log::warn!("cannot read state key `{key}`, starting anew: {error}");
        T::default()
    })
}

/// What came of a commit.
pub(crate) struct Committed {
    /// Whether anything changed.
    pub(crate) has_effects: bool,
    /// What has to be saved when Juju has been told everything, the log included.
    pub(crate) unsaved: Option<Unsaved>,
}

impl Committed {
    /// Nothing was done besides what was told to Juju.
    pub(crate) fn told() -> Self {
        Self { has_effects: true, unsaved: None }
    }
}

/// Does everything that the dispatch planned, in an order that can be done again.
///
/// First files, and what follows from them; then what Juju holds back until the dispatch ends well
/// (relation data, ports, state); last what Juju does not hold back (statuses, the workload's version,
/// the action's result).
///
/// Tells whether anything changed, and what has to be saved last of all.
///
/// # Guarantees
///
/// Nothing is written that did not change.  A kill in the middle leaves no trace in relation data,
/// ports and state; files and statuses are the same after Juju's retry.
pub(crate) fn commit(dispatch: &Dispatch, state: &State) -> Result<Committed, DispatchError> {
    let mut plan = std::mem::take(&mut *dispatch.plan.borrow_mut());
    let mut has_effects = plan.has_more_than_files();
    for (path, effect) in &plan.files {
        has_effects |= effect.apply(path)?;
    }
    for (name, work) in plan.after_files.drain(..) {
        crate::dispatch::caught(&name, work)?;
    }
    let status = plan.status().cloned();
    let next = state.next(dispatch, status.as_ref());
    has_effects |= next != state.saved;
    for (relation, is_application, changes) in dispatch.model.unwritten() {
        has_effects = true;
        dispatch.model.commands().relation_set(&relation, is_application, &changes)?;
    }
    commit_ports(dispatch, &plan)?;
    let context = &dispatch.context;
    let unsaved = state.store.save(
        &mut *dispatch.model.commands(),
        &context.charm_dir,
        &context.id,
        &state.saved,
        next,
    )?;
    let status = status.filter(|status| !state.shows(dispatch, status));
    commit_unheld(dispatch, &plan, status.as_ref())?;
    Ok(Committed { has_effects, unsaved })
}

fn commit_ports(dispatch: &Dispatch, plan: &Plan) -> Result<(), CommandError> {
    if plan.ports.is_empty() {
        return Ok(());
    }
    let mut commands = dispatch.model.commands();
    let open = commands.opened_ports()?;
    for (port, is_open) in &plan.ports {
        // Juju lists ports with their protocol, and takes them without.
        let listed = if port.contains('/') || port == "icmp" { port.clone() } else { format!("{port}/tcp") };
        match (open.contains(&listed), is_open) {
            (false, true) => commands.open_port(port)?,
            (true, false) => commands.close_port(port)?,
            _ => {}
        }
    }
    Ok(())
}

/// What Juju shows at once, whatever becomes of the dispatch.
fn commit_unheld(dispatch: &Dispatch, plan: &Plan, status: Option<&Status>) -> Result<(), CommandError> {
    let mut commands = dispatch.model.commands();
    if let Some(status) = status {
        commands.status_set(status.status, &status.message)?;
    }
    if let Some(status) = &plan.application_status {
        commands.application_status_set(status.status, &status.message)?;
    }
    if let Some(version) = &plan.workload_version {
        commands.application_version_set(version)?;
    }
    if !plan.results.is_empty() {
        commands.action_set(&plan.results)?;
    }
    if let Some(message) = &plan.failure {
        commands.action_fail(message)?;
    }
    Ok(())
}
