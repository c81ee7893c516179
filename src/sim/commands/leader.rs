//! `is-leader`, `leader-get`, `leader-set`.

use serde_json::Value;

use super::{Asked, Command, Done, Outcome, failed, one_or_all, usage};
use crate::event::Event;

pub(super) const COMMANDS: &[Command] = &[
    Command::getter("is-leader", "", &[], is_leader),
    Command::getter("leader-get", "[<key>]", &[], leader_get),
    Command::setter("leader-set", "<key>=<value> [...]", &[], leader_set),
];

fn is_leader(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    Ok(Done::Value(Value::from(asked.model.is_leader(&asked.run.unit))))
}

/// # Source
///
/// `J/leader-get.go`.
fn leader_get(asked: &mut Asked<'_>) -> Outcome {
    if let Some(key) = asked.line.positional.first().filter(|key| key.contains('=')) {
        return usage(format!("invalid key {key:?}"));
    }
    asked.refuse_from(1)?;
    let Some(application) = asked.model.applications.get(asked.run.unit.application()) else {
        return failed("cannot read leadership settings: application not found");
    };
    let settings = application.leader_settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Ok(one_or_all(settings, asked.key(0)))
}

/// Effective at once, whatever becomes of the hook.
///
/// # Source
///
/// `J/leader-set.go`.
fn leader_set(asked: &mut Asked<'_>) -> Outcome {
    let pairs = asked.pairs()?;
    if !asked.model.is_leader(&asked.run.unit) {
        return failed("cannot write leadership settings: cannot write settings: not the leader");
    }
    let version = asked.model.next_version();
    let name = asked.run.unit.application().clone();
    let Some(application) = asked.model.applications.get_mut(&name) else { return Ok(Done::Nothing) };
    let before = application.leader_settings.clone();
    for (key, value) in pairs {
        if value.is_empty() {
            application.leader_settings.remove(&key);
        } else {
            application.leader_settings.insert(key, value);
        }
    }
    if application.leader_settings != before {
        application.leader_settings_version = version;
        asked.model.journal.record(Event::LeaderSettingsChanged { application: name });
    }
    Ok(Done::Nothing)
}
