//! `state-get`, `state-set`, `state-delete`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::flags::Flag;
use super::{Asked, Command, Done, Outcome, failed, one_or_all, usage};

/// # Source
///
/// `juju/juju:core/quota`: what a key and a value of the state may have.
const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 65_536;

pub(super) const COMMANDS: &[Command] = &[
    Command::getter("state-get", "[ - | <key>]", &[Flag::switch(&["strict"])], state_get),
    Command::setter("state-set", "<key>=<value> [...]", &[Flag::value(&["file"])], state_set),
    Command::setter("state-delete", "<key>", &[], state_delete),
];

/// # Source
///
/// `J/state-get.go`.
fn state_get(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(1)?;
    let stored = asked.model.units.get(&asked.run.unit).map(|unit| &unit.state);
    let mut state: BTreeMap<&str, &str> =
        stored.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    for (key, value) in &asked.run.staged.state {
        match value {
            Some(value) => drop(state.insert(key, value)),
            None => drop(state.remove(key.as_str())),
        }
    }
    let key = asked.key(0);
    if let Some(key) = key.filter(|key| asked.line.is_on("strict") && !state.contains_key(*key)) {
        return failed(format!("{key:?} not found"));
    }
    if state.is_empty() {
        // Not even an empty map.
        return Ok(Done::Value(Value::Null));
    }
    Ok(one_or_all(state.into_iter(), key))
}

/// # Source
///
/// `J/state-set.go`: the file first, then the pairs.
fn state_set(asked: &mut Asked<'_>) -> Outcome {
    let pairs = asked.pairs()?;
    let mut changes = asked.file()?;
    changes.extend(pairs);
    for (key, value) in &changes {
        if key.len() > KEY_BYTES_MAX {
            return failed(format!("max allowed key length ({KEY_BYTES_MAX}) exceeded"));
        }
        if value.len() > VALUE_BYTES_MAX {
            return failed(format!("max allowed value length ({VALUE_BYTES_MAX}) exceeded"));
        }
    }
    asked.run.staged.state.extend(changes.into_iter().map(|(key, value)| (key, Some(value))));
    Ok(Done::Nothing)
}

fn state_delete(asked: &mut Asked<'_>) -> Outcome {
    let Some(key) = asked.line.positional.first().filter(|key| !key.is_empty()) else {
        return usage("missing required key name");
    };
    asked.refuse_from(1)?;
    asked.run.staged.state.insert(key.clone(), None);
    Ok(Done::Nothing)
}
