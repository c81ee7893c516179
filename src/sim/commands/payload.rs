//! `payload-register`, `payload-unregister`, `payload-status-set` (to Juju 3).  All at once, not staged.

use super::{Asked, Command, Done, Outcome, failed, usage};
use crate::model::Payload;

pub(super) const COMMANDS: &[Command] = &[
    Command::setter("payload-register", "<type> <class> <id> [tags...]", &[], payload_register),
    Command::setter("payload-unregister", "<class> <id>", &[], payload_unregister),
    Command::setter("payload-status-set", "<class> <id> <status>", &[], payload_status_set),
];

const STATUSES: &[&str] = &["starting", "running", "stopping", "stopped"];

/// # Source
///
/// `juju/juju:payload/context/register.go`: a new payload runs.
fn payload_register(asked: &mut Asked<'_>) -> Outcome {
    let [kind, class, id, labels @ ..] = asked.line.positional.as_slice() else {
        return usage("missing required arguments");
    };
    let Some(unit) = asked.model.units.get_mut(&asked.run.unit) else { return failed("unit not found") };
    if !unit.charm.payloads.contains(class) {
        return failed(format!("payload {class:?} not found in metadata.yaml"));
    }
    let payload = Payload { kind: kind.clone(), status: "running".to_owned(), labels: labels.to_vec() };
    unit.payloads.insert((class.clone(), id.clone()), payload);
    Ok(Done::Nothing)
}

/// # Source
///
/// `juju/juju:payload/context/unregister.go`: what is not there is as good as gone.
fn payload_unregister(asked: &mut Asked<'_>) -> Outcome {
    let [class, id] = asked.line.positional.as_slice() else { return usage("missing required arguments") };
    if let Some(unit) = asked.model.units.get_mut(&asked.run.unit) {
        unit.payloads.remove(&(class.clone(), id.clone()));
    }
    Ok(Done::Nothing)
}

/// # Source
///
/// `juju/juju:payload/context/status-set.go`.
fn payload_status_set(asked: &mut Asked<'_>) -> Outcome {
    let [class, id, status] = asked.line.positional.as_slice() else {
        return usage("missing required arguments");
    };
    if !STATUSES.contains(&status.as_str()) {
        return failed(format!("status {status:?} not supported; expected one of [{}]", STATUSES.join(" ")));
    }
    let unit = asked.model.units.get_mut(&asked.run.unit);
    let payload = unit.and_then(|unit| unit.payloads.get_mut(&(class.clone(), id.clone())));
    let Some(payload) = payload else { return failed(format!("payload {class}/{id} not found")) };
    payload.status.clone_from(status);
    Ok(Done::Nothing)
}
