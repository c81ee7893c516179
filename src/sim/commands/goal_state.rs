//! `goal-state`, `credential-get`.

use serde_json::{Map, Value, json};

use super::{Asked, Command, Done, Outcome, failed};
use crate::model::{Life, Unit};

pub(super) const COMMANDS: &[Command] = &[
    Command::yaml_getter("goal-state", "", &[], goal_state),
    Command::getter("credential-get", "", &[], credential_get),
];

/// The model has no clock: everything has been so since this moment.
const SINCE: &str = "2024-05-01 10:00:00Z";

/// # Source
///
/// `A/uniter.go`, `GoalStates`: own units, and the other side of each relation that is not of peers.
fn goal_state(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    let model = &asked.model;
    let own = asked.run.unit.application();
    let unit_goal = |unit: &Unit| {
        let status = if unit.life == Life::Alive { unit.workload.status.as_str() } else { "dying" };
        (unit.name.to_string(), json!({"status": status, "since": SINCE}))
    };
    let units: Map<String, Value> = model.units_of(own).map(unit_goal).collect();
    let mut relations = Map::new();
    for relation in model.relations.values().filter(|relation| !relation.is_peer()) {
        let Some(end) = relation.end(own) else { continue };
        let remote = &relation.remote_end(own).application;
        let status = if relation.scope.is_empty() { "joining" } else { "joined" };
        let slot = relations.entry(end.endpoint.to_string()).or_insert_with(|| json!({}));
        if let Value::Object(slot) = slot {
            slot.insert(remote.to_string(), json!({"status": status, "since": SINCE}));
            slot.extend(model.units_of(remote).map(unit_goal));
        }
    }
    Ok(Done::Value(json!({"units": units, "relations": relations})))
}

/// No application of the model is trusted.
fn credential_get(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    failed("cannot access cloud credentials: permission denied")
}
