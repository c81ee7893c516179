//! `goal-state`, `credential-get`.

use serde_json::{Map, Value, json};

use super::{Asked, Command, Done, Outcome, failed};
use crate::model::{Life, Substrate, Unit};

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
    let principal = model.units.get(&asked.run.unit).and_then(|unit| unit.principal.clone());
    let unit_goal = |name: String, unit: &Unit| {
        let status = if unit.life == Life::Alive { unit.workload.status.as_str() } else { "dying" };
        (name, json!({"status": status, "since": SINCE}))
    };
    let units: Map<String, Value> =
        model.units_of(own).map(|unit| unit_goal(unit.name.to_string(), unit)).collect();
    let mut relations = Map::new();
    for relation in model.relations.values().filter(|relation| !relation.is_peer()) {
        let Some(end) = relation.end(own) else { continue };
        let remote = &relation.remote_end(own).application;
        let status = match () {
            () if relation.is_suspended => "suspended",
            () if relation.scope.is_empty() => "joining",
            () => "joined",
        };
        let slot = relations.entry(end.endpoint.to_string()).or_insert_with(|| json!({}));
        if let Value::Object(slot) = slot {
            slot.insert(relation.shown(own, remote).to_string(), json!({"status": status, "since": SINCE}));
            // A subordinate is told of its own principal alone.
            let is_meant = |unit: &&Unit| {
                !relation.is_container || principal.as_ref().is_none_or(|it| *it == *unit.group())
            };
            slot.extend(
                model
                    .units_of(remote)
                    .filter(is_meant)
                    .map(|unit| unit_goal(relation.shown_unit(own, &unit.name).to_string(), unit)),
            );
        }
    }
    Ok(Done::Value(json!({"units": units, "relations": relations})))
}

/// # Source
///
/// `J/credential-get.go`, and `A/uniter.go`, `CloudSpec`: for applications with trust only.
fn credential_get(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    let application = asked.model.applications.get(asked.run.unit.application());
    if !application.is_some_and(|application| application.is_trusted) {
        return failed("cannot access cloud credentials: permission denied");
    }
    let default = || match asked.model.substrate {
        Substrate::Machine => json!({
            "type": "lxd",
            "name": "localhost",
            "region": "localhost",
            "endpoint": "https://10.0.0.1:8443",
            "credential": {"auth-type": "certificate", "attrs": {"server-cert": "x"}},
        }),
        Substrate::Kubernetes => json!({
            "type": "kubernetes",
            "name": "k8s",
            "endpoint": "https://10.152.183.1:443",
            "credential": {"auth-type": "oauth2", "attrs": {"Token": "x"}},
        }),
    };
    Ok(Done::Value(asked.model.credential.clone().unwrap_or_else(default)))
}
