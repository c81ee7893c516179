//! Automatic flags: what the framework sets and clears before any handler is considered.
//!
//! In this fixed order: config, leadership, series upgrade, then the endpoints by name, each followed
//! by what its interface makes of it.

use std::collections::BTreeMap;

use charms_reactive_core::digest::digest;
use charms_reactive_core::{EndpointName, Flag, HookEvent, RelationEvent, RelationId, UnitName, json};
use charms_reactive_hookcmd::CommandError;
use charms_reactive_hookcmd::commands::Party;
use serde_json::Value;

use crate::dispatch::{Dispatch, DispatchError};
use crate::exchange::{self, Malformed, own_databag};
use crate::interface::Manage;
use crate::record::{Facts, changed_keys, facts_of};

/// Set while this unit leads.
pub const IS_LEADER: Flag = Flag::new("leadership.is_leader");

/// Set between `pre-series-upgrade` and `post-series-upgrade`.
pub const SERIES_UPGRADE: Flag = Flag::new("upgrade.series.in-progress");

/// Set in the dispatch in which any option changed.
pub const CONFIG_CHANGED: Flag = Flag::new("config.changed");

/// How many bytes the names of all flags `endpoint.NAME.changed.KEY` may have; more keys set `changed`
/// alone.  The other side chooses the keys, and all flags are one value of the unit state.
pub const CHANGED_FLAGS_BYTES_MAX: usize = 16 * 1024;

/// Whether a flag says that an option changed: such flags end with their dispatch.
pub(crate) fn ends_with_dispatch(name: &str) -> bool {
    name == CONFIG_CHANGED.as_str() || name.starts_with("config.changed.")
}

/// Sets the flags of the options, and gives the digests of their values for the next dispatch.
///
/// `old` are the digests of the last dispatch that ended well; None before the first: then every option
/// has changed, also one without a value.
///
/// # Source
///
/// charms.reactive's layer-basic, `lib/charms/layer/basic.py`.
pub(crate) fn raise_config(
    dispatch: &Dispatch,
    old: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, CommandError> {
    let config = dispatch.model.config()?;
    clear_unknown_options(dispatch);
    let mut digests = BTreeMap::new();
    for option in &dispatch.metadata.options {
        let value = config.get(&option.name).unwrap_or(&Value::Null);
        if !value.is_null() {
            digests.insert(option.name.clone(), digest(&json::to_text(value)));
        }
        let is_changed = old.is_none_or(|old| old.get(&option.name) != digests.get(&option.name));
        let toggle = |family: &str, is_set: bool| {
            dispatch.change_flag(&format!("config.{family}.{}", option.name).into(), is_set);
        };
        toggle("changed", is_changed);
        toggle("set", is_truthy(value));
        toggle("default", is_equal(value, &option.default));
        if is_changed {
            dispatch.change_flag(&CONFIG_CHANGED, true);
        }
    }
    Ok(digests)
}

/// Clears the flags of options that the charm does not have any more.
fn clear_unknown_options(dispatch: &Dispatch) {
    let names: Vec<String> = dispatch.flags.borrow().names().map(str::to_owned).collect();
    for name in names {
        let option = ["config.set.", "config.default."].iter().find_map(|family| name.strip_prefix(family));
        if option.is_some_and(|option| dispatch.metadata.options.iter().all(|known| known.name != option)) {
            dispatch.change_flag(&name.into(), false);
        }
    }
}

/// Whether two values are equal, `1` and `1.0` among them.
fn is_equal(left: &Value, right: &Value) -> bool {
    left == right || left.as_f64().is_some_and(|number| right.as_f64() == Some(number))
}

/// Whether Python takes a value for true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Sets or clears the flag of leadership.
///
/// A unit that gains leadership gets `leader-elected`; one that loses it gets no hook.  So only a unit
/// that led, or is being elected, has to ask.
pub(crate) fn raise_leadership(dispatch: &Dispatch, is_sweep: bool) -> Result<(), CommandError> {
    let has_led = dispatch.flags.borrow().is_set(&IS_LEADER);
    if has_led || is_sweep || dispatch.context.event == HookEvent::LeaderElected {
        dispatch.change_flag(&IS_LEADER, dispatch.model.is_leader()?);
    }
    Ok(())
}

/// Sets or clears the flag of a series upgrade.
pub(crate) fn raise_series(dispatch: &Dispatch) {
    match dispatch.context.event {
        HookEvent::PreSeriesUpgrade => dispatch.change_flag(&SERIES_UPGRADE, true),
        HookEvent::PostSeriesUpgrade => dispatch.change_flag(&SERIES_UPGRADE, false),
        _ => {}
    }
}

/// Clears the flags of endpoints that the charm does not have any more.
pub(crate) fn clear_unknown_endpoints(dispatch: &Dispatch) {
    let names: Vec<String> = dispatch.flags.borrow().names().map(str::to_owned).collect();
    for name in names {
        let endpoint = name.strip_prefix("endpoint.").and_then(|rest| rest.split('.').next());
        let is_known = |endpoint: &str| {
            EndpointName::parse(endpoint)
                .is_ok_and(|endpoint| dispatch.metadata.endpoint(&endpoint).is_some())
        };
        if endpoint.is_some_and(|endpoint| !is_known(endpoint)) {
            dispatch.change_flag(&name.into(), false);
        }
    }
    dispatch.records.borrow_mut().retain(|id, _| dispatch.metadata.endpoint(id.endpoint()).is_some());
}

/// Brings what is remembered of an endpoint up to date, then sets and clears its flags.
///
/// In a hook of the endpoint that costs one `relation-list` and one `relation-get`, however many units
/// there are; elsewhere nothing.  With `is_sweep` (the first dispatch, a new charm revision, a reboot)
/// Juju is asked for everything that is not known.
pub(crate) fn raise_endpoint(
    dispatch: &Dispatch,
    endpoint: &EndpointName,
    manager: &dyn Manage,
    is_sweep: bool,
) -> Result<(), DispatchError> {
    if is_sweep {
        sweep(dispatch, endpoint, manager)?;
    }
    if let Some((own, event)) = dispatch.context.relation_event()
        && own == endpoint
        && let Some(relation) = &dispatch.context.relation
    {
        note_event(dispatch, relation, event, manager)?;
    }
    let is_joined = dispatch.has_record(endpoint, |record| !record.members.is_empty());
    let is_departed = dispatch.has_record(endpoint, |record| !record.departed.is_empty());
    let flag = |name: &str| Flag::from(format!("endpoint.{endpoint}.{name}"));
    dispatch.change_flag(&flag("joined"), is_joined);
    dispatch.change_flag(&flag("departed"), is_departed);
    manager.manage_flags().map_err(|source| DispatchError::Interface { endpoint: endpoint.clone(), source })
}

/// Asks Juju for all relations of an endpoint, and for the data of units nothing is known of.
fn sweep(dispatch: &Dispatch, endpoint: &EndpointName, manager: &dyn Manage) -> Result<(), CommandError> {
    let broken = dispatch.broken_relation();
    let ids = dispatch.model.relations(endpoint)?;
    let there: Vec<&RelationId> = ids.iter().filter(|id| Some(*id) != broken).collect();
    for (id, record) in dispatch.records_of(endpoint) {
        if !there.contains(&&id) && !record.broken {
            forget_relation(dispatch, &id);
        }
    }
    // A hook that an operator skipped may have been about any unit.
    let is_all = dispatch.context.event == HookEvent::UpgradeCharm;
    for relation in there {
        // Read the own databag too: what it says may be from an earlier revision of the charm.
        own_databag(dispatch, relation)?;
        let unknown = sync_members(dispatch, relation)?;
        for unit in dispatch.model.members(relation)?.iter() {
            if is_all || unknown.contains(unit) {
                see_unit(dispatch, relation, unit, manager)?;
            }
        }
        dispatch.see_application_silently(relation, manager)?;
    }
    Ok(())
}

/// Takes the members of a relation from Juju; gives those of whom no facts are known.
fn sync_members(dispatch: &Dispatch, relation: &RelationId) -> Result<Vec<UnitName>, CommandError> {
    let units = dispatch.model.members(relation)?;
    let mut records = dispatch.records.borrow_mut();
    let record = records.entry(relation.clone()).or_default();
    record.broken = false;
    record.members.retain(|unit, _| units.contains(unit));
    for unit in units.iter() {
        record.members.entry(unit.clone()).or_default();
        record.application = Some(unit.application().clone());
    }
    let unknown = record.members.iter().filter(|(_, facts)| facts.is_none());
    Ok(unknown.map(|(unit, _)| unit.clone()).collect())
}

/// Reads the databag of a unit and sets the flags of what changed in it.
fn see_unit(
    dispatch: &Dispatch,
    relation: &RelationId,
    unit: &UnitName,
    manager: &dyn Manage,
) -> Result<(), CommandError> {
    let databag = dispatch.model.databag(relation, &Party::Unit(unit.clone()))?;
    let facts = facts_of(&databag, |key, text| manager.note(key, text));
    let old = {
        let mut records = dispatch.records.borrow_mut();
        let record = records.entry(relation.clone()).or_default();
        record.members.insert(unit.clone(), Some(facts.clone())).flatten()
    };
    let old = old.or_else(|| dispatch.imported_facts(relation, unit, &databag, &facts)).unwrap_or_default();
    for key in changed_keys(&old, &facts) {
        if let Some(reason) = databag.text(&key).and_then(|text| manager.problem(&key, text)) {
            dispatch.warn_once(Malformed { unit: unit.clone(), key, reason }.to_string());
        }
    }
    raise_changed(dispatch, relation.endpoint(), &old, &facts);
    Ok(())
}

fn raise_changed(dispatch: &Dispatch, endpoint: &EndpointName, old: &Facts, new: &Facts) {
    let changed = format!("endpoint.{endpoint}.changed");
    let prefix = format!("{changed}.");
    // Counted once: the other side chooses how many keys there are.
    let mut bytes = changed_bytes(dispatch);
    for key in changed_keys(old, new) {
        dispatch.change_flag(&changed.clone().into(), true);
        let flag = Flag::from(format!("{prefix}{key}"));
        let is_set = dispatch.flags.borrow().is_set(&flag);
        if !is_set && bytes + flag.as_str().len() <= CHANGED_FLAGS_BYTES_MAX {
            bytes += flag.as_str().len();
            dispatch.change_flag(&flag, true);
        }
    }
}

/// How many bytes the names of all flags of changed keys have.
fn changed_bytes(dispatch: &Dispatch) -> usize {
    let flags = dispatch.flags.borrow();
    let names = flags.names().filter(|name| name.starts_with("endpoint.") && name.contains(".changed."));
    names.map(str::len).sum()
}

/// Takes in what the hook of a relation says.
fn note_event(
    dispatch: &Dispatch,
    relation: &RelationId,
    event: RelationEvent,
    manager: &dyn Manage,
) -> Result<(), CommandError> {
    if let Some(application) = &dispatch.context.remote_application {
        let mut records = dispatch.records.borrow_mut();
        records.entry(relation.clone()).or_default().application = Some(application.clone());
    }
    match (event, &dispatch.context.remote_unit) {
        (RelationEvent::Created, _) => {
            dispatch.records.borrow_mut().entry(relation.clone()).or_default().broken = false;
        }
        (RelationEvent::Joined | RelationEvent::Changed, Some(unit)) => {
            sync_members(dispatch, relation)?;
            see_unit(dispatch, relation, unit, manager)?;
        }
        (RelationEvent::Joined | RelationEvent::Changed, None) => {
            see_application(dispatch, relation, manager)?;
        }
        (RelationEvent::Departed, unit) => {
            sync_members(dispatch, relation)?;
            if let Some(unit) = unit {
                let databag = dispatch.model.databag(relation, &Party::Unit(unit.clone()))?;
                let mut last = (*databag).clone();
                manager.forget_secrets(&mut last);
                let mut records = dispatch.records.borrow_mut();
                records.entry(relation.clone()).or_default().depart(unit.clone(), last);
            }
        }
        (RelationEvent::Broken, _) => forget_relation(dispatch, relation),
    }
    Ok(())
}

fn see_application(
    dispatch: &Dispatch,
    relation: &RelationId,
    manager: &dyn Manage,
) -> Result<(), CommandError> {
    let Some(application) = &dispatch.context.remote_application else {
        return Ok(());
    };
    let databag = dispatch.model.databag(relation, &Party::Application(application.clone()))?;
    let facts = facts_of(&databag, |key, text| manager.note(key, text));
    let old = {
        let mut records = dispatch.records.borrow_mut();
        std::mem::replace(&mut records.entry(relation.clone()).or_default().remote, facts.clone())
    };
    raise_changed(dispatch, relation.endpoint(), &old, &facts);
    Ok(())
}

/// Forgets a relation that is gone, but not the units that left it; with the last relation of an
/// endpoint go its facts of change.
fn forget_relation(dispatch: &Dispatch, relation: &RelationId) {
    exchange::forget_secrets(dispatch, relation);
    let is_last = {
        let mut records = dispatch.records.borrow_mut();
        let record = records.entry(relation.clone()).or_default();
        record.members.clear();
        record.remote.clear();
        record.own.clear();
        record.are_secrets_taken = false;
        record.broken = true;
        let mut others = records.iter().filter(|(id, _)| id.endpoint() == relation.endpoint());
        others.all(|(_, record)| record.broken)
    };
    if is_last {
        let changed = format!("endpoint.{}.changed", relation.endpoint());
        let is_fact = |name: &str| name == changed || name.starts_with(&format!("{changed}."));
        let names: Vec<String> =
            dispatch.flags.borrow().names().filter(|name| is_fact(name)).map(str::to_owned).collect();
        for name in names {
            dispatch.change_flag(&name.into(), false);
        }
    }
}
