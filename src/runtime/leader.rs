//! Settings that the leader gives to all units of its application, up to Juju 3, and their flags.
//!
//! | Flag | Set | Cleared |
//! |---|---|---|
//! | `leadership.set.KEY` | the leader has set it | it is removed |
//! | `leadership.changed`, `leadership.changed.KEY` | it is other than in the last dispatch, or gone | at the start of the next |
//!
//! # Source
//!
//! charms.reactive's layer-leadership.  Juju 4 has no such settings: there, and in new charms, use the
//! application databag of a peer relation.

use std::collections::BTreeMap;

use charms_reactive_core::Flag;
use charms_reactive_core::digest::digest;
use charms_reactive_hookcmd::CommandError;

use crate::context::Context;
use crate::dispatch::Dispatch;

/// Set in the dispatch in which any setting of the leader changed.
pub const LEADER_SETTINGS_CHANGED: Flag = Flag::new("leadership.changed");

/// The first release without settings of the leader.
const LAST_JUJU: u32 = 3;

/// Why the settings of the leader cannot be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaderError {
    /// Juju gave no answer.
    #[error("cannot reach Juju")]
    Command(#[from] CommandError),
    /// This unit does not lead.
    #[error("cannot set `{key}` for all units: this unit is not the leader")]
    NotLeader {
        /// The key.
        key: String,
    },
    /// This release of Juju has none.
    #[error(
        "cannot set `{key}` for all units: Juju {juju} has no leader settings, \
         expected Juju 3 or older; use the application databag of a peer relation"
    )]
    None {
        /// The key.
        key: String,
        /// The release.
        juju: String,
    },
}

/// A setting of the leader, as a constant: the names of its automatic flags.
#[derive(Clone, Copy, Debug)]
pub struct LeaderKey(&'static str);

impl LeaderKey {
    /// The setting of this name.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Set while the leader has set it.
    pub fn set(self) -> Flag {
        set_flag(self.0)
    }

    /// Set in the dispatch in which it changed.
    pub fn changed(self) -> Flag {
        changed_flag(self.0)
    }
}

fn set_flag(key: &str) -> Flag {
    format!("leadership.set.{key}").into()
}

fn changed_flag(key: &str) -> Flag {
    format!("{LEADER_SETTINGS_CHANGED}.{key}").into()
}

/// Whether a flag is about the settings of the leader.
pub(crate) fn is_about_settings(flag: &Flag) -> bool {
    let name = flag.as_str();
    name.starts_with("leadership.set.") || is_change(name)
}

pub(crate) fn is_change(name: &str) -> bool {
    let changed = LEADER_SETTINGS_CHANGED;
    name == changed.as_str() || name.strip_prefix(changed.as_str()).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether this Juju has settings of the leader.
pub(crate) fn has_settings(context: &Context) -> bool {
    let version = context.juju_version.as_deref().and_then(|version| version.split('.').next());
    version.and_then(|major| major.parse::<u32>().ok()).is_none_or(|major| major <= LAST_JUJU)
}

/// Ends the flags of what changed in the dispatch before.
pub(crate) fn clear_changes(dispatch: &Dispatch) {
    let names: Vec<String> = dispatch.flags.borrow().names().map(str::to_owned).collect();
    for name in names.into_iter().filter(|name| is_change(name)) {
        dispatch.change_flag(&name.into(), false);
    }
}

/// Asks Juju for the settings, and sets and clears their flags.
pub(crate) fn raise_settings(dispatch: &Dispatch) -> Result<(), CommandError> {
    let settings =
        if has_settings(&dispatch.context) { dispatch.model.leader_settings()? } else { BTreeMap::new() };
    let known: Vec<String> = dispatch.memory.borrow().leader.keys().cloned().collect();
    let gone = known.into_iter().filter(|key| !settings.contains_key(key));
    let keys: Vec<String> = settings.keys().cloned().chain(gone).collect();
    for key in keys {
        note(dispatch, &key, settings.get(&key).map(String::as_str));
    }
    Ok(())
}

/// Takes in one setting: its flags, and what is remembered of it.
fn note(dispatch: &Dispatch, key: &str, text: Option<&str>) {
    let new = text.map(digest);
    let old = dispatch.memory.borrow().leader.get(key).cloned();
    match &new {
        Some(new) => dispatch.memory.borrow_mut().leader.insert(key.to_owned(), new.clone()),
        None => dispatch.memory.borrow_mut().leader.remove(key),
    };
    if old != new {
        dispatch.change_flag(&LEADER_SETTINGS_CHANGED, true);
        dispatch.change_flag(&changed_flag(key), true);
    }
    dispatch.change_flag(&set_flag(key), new.is_some());
}

/// Plans to change a setting; its flags change at once.
pub(crate) fn plan(dispatch: &Dispatch, key: &str, text: &str) -> Result<(), LeaderError> {
    if !has_settings(&dispatch.context) {
        let juju = dispatch.context.juju_version.clone().unwrap_or_default();
        return Err(LeaderError::None { key: key.to_owned(), juju });
    }
    if !dispatch.model.is_leader()? {
        return Err(LeaderError::NotLeader { key: key.to_owned() });
    }
    if dispatch.model.set_leader_setting(key, text)? {
        dispatch.plan.borrow_mut().leader_settings.insert(key.to_owned(), text.to_owned());
        note(dispatch, key, (!text.is_empty()).then_some(text));
    }
    Ok(())
}
