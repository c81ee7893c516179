//! `action-get`, `action-set`, `action-fail`, `action-log`.

use serde_json::{Map, Value};

use super::{Asked, Command, Done, Failure, Outcome, failed, usage};
use crate::event::Event;
use crate::metadata::is_action_name;
use crate::run::Purpose;

pub(super) const COMMANDS: &[Command] = &[
    Command::getter("action-get", "[<key>[.<key>.<key>...]]", &[], action_get),
    Command::setter("action-set", "<key>=<value> [<key>=<value> ...]", &[], action_set),
    Command::setter("action-fail", "[\"<failure message>\"]", &[], action_fail),
    Command::setter("action-log", "<message>", &[], action_log),
];

/// Keys that the agent writes itself.
const RESERVED: &[&str] = &["stdout", "stdout-encoding", "stderr", "stderr-encoding"];

fn parameters<'a>(asked: &'a Asked<'_>) -> Result<&'a Map<String, Value>, Failure> {
    match &asked.run.purpose {
        Purpose::Action { parameters, .. } => Ok(parameters),
        _ => failed("not running an action"),
    }
}

fn action_get(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(1)?;
    let parameters = parameters(asked)?;
    let Some(key) = asked.line.positional.first().filter(|key| !key.is_empty()) else {
        return Ok(Done::Value(Value::Object(parameters.clone())));
    };
    let mut parts = key.split('.');
    let first = parts.next().and_then(|part| parameters.get(part));
    let found = parts.try_fold(first, |value, part| Some(value?.get(part))).flatten();
    Ok(Done::Value(found.cloned().unwrap_or(Value::Null)))
}

/// # Source
///
/// `J/action-set.go`: values are texts, dots in keys make maps.
fn action_set(asked: &mut Asked<'_>) -> Outcome {
    let mut pairs = Vec::new();
    for arg in &asked.line.positional {
        let Some((key, value)) = arg.split_once('=') else {
            return usage(format!("argument {arg:?} must be of the form key...=value"));
        };
        let parts: Vec<&str> = key.split('.').collect();
        for part in &parts {
            if RESERVED.contains(part) {
                return usage(format!("cannot set reserved action key {part:?}"));
            }
            if !is_action_name(part) {
                return usage(format!(
                    "key {part:?} must start and end with lowercase alphanumeric, and contain only lowercase alphanumeric and hyphens"
                ));
            }
        }
        pairs.push((parts.into_iter().map(str::to_owned).collect::<Vec<_>>(), value.to_owned()));
    }
    parameters(asked)?;
    for (path, value) in pairs {
        insert(&mut asked.run.action.results, &path, value);
    }
    Ok(Done::Nothing)
}

/// Puts `value` under a path of keys; a text in the way gives place to a map.
fn insert(map: &mut Map<String, Value>, path: &[String], value: String) {
    match path {
        [] => {}
        [last] => drop(map.insert(last.clone(), Value::from(value))),
        [first, rest @ ..] => {
            let slot = map.entry(first.clone()).or_insert(Value::Null);
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            if let Value::Object(inner) = slot {
                insert(inner, rest, value);
            }
        }
    }
}

fn action_fail(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(1)?;
    parameters(asked)?;
    let message = asked.line.positional.first().cloned();
    let message = message.filter(|message| !message.is_empty());
    asked.run.action.failure = Some(
        message.unwrap_or_else(|| "action failed without reason given, check action for errors".to_owned()),
    );
    Ok(Done::Nothing)
}

fn action_log(asked: &mut Asked<'_>) -> Outcome {
    if asked.line.positional.is_empty() {
        return usage("no message specified");
    }
    parameters(asked)?;
    let message = asked.line.positional.join(" ");
    asked.run.action.log.push(message.clone());
    asked.model.journal.record(Event::ActionLogged { unit: asked.run.unit.clone(), message });
    Ok(Done::Nothing)
}
