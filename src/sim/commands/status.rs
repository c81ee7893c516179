//! `status-set`, `status-get`, `application-version-set`.

use charms_reactive_core::WorkloadStatus;
use charms_reactive_hookcmd::commands::Party;
use serde_json::{Map, Value, json};

use super::flags::Flag;
use super::{Asked, Command, Done, Outcome, failed, usage};
use crate::event::Event;
use crate::model::StatusEntry;
use crate::status::application_status;

pub(super) const COMMANDS: &[Command] = &[
    Command::setter(
        "status-set",
        "<maintenance | blocked | waiting | active> [message]",
        &[Flag::switch(&["application"])],
        status_set,
    ),
    Command::getter(
        "status-get",
        "",
        &[Flag::switch(&["application"]), Flag::switch(&["include-data"])],
        status_get,
    ),
    Command::setter("application-version-set", "<new-version>", &[], application_version_set),
];

/// Shown at once, whatever becomes of the hook.
///
/// # Source
///
/// `J/status-set.go`.
fn status_set(asked: &mut Asked<'_>) -> Outcome {
    let Some(status) = asked.line.positional.first() else {
        return usage("invalid args, require <status> [message]");
    };
    if status.parse::<WorkloadStatus>().is_err() {
        return usage(format!(
            "invalid status {status:?}, expected one of [maintenance blocked waiting active]"
        ));
    }
    asked.refuse_from(2)?;
    let message = asked.line.positional.get(1).map(String::as_str).unwrap_or_default();
    let entry = StatusEntry::new(status, message);
    let unit = &asked.run.unit;
    if !asked.line.is_on("application") {
        if let Some(unit) = asked.model.units.get_mut(unit) {
            unit.is_status_said = true;
        }
        asked.model.set_status(unit, entry);
        return Ok(Done::Nothing);
    }
    if !asked.model.is_leader(unit) {
        return failed("this unit is not the leader");
    }
    if let Some(application) = asked.model.applications.get_mut(unit.application())
        && application.status.as_ref() != Some(&entry)
    {
        application.status = Some(entry.clone());
        asked.model.journal.record(Event::StatusChanged {
            party: Party::Application(unit.application().clone()),
            status: entry.status,
            message: entry.message,
        });
    }
    Ok(Done::Nothing)
}

/// # Source
///
/// `J/status-get.go`.
fn status_get(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    let has_data = asked.line.is_on("include-data");
    let full =
        |entry: &StatusEntry| json!({"status": entry.status, "message": entry.message, "status-data": {}});
    if asked.line.is_on("application") {
        if !asked.model.is_leader(&asked.run.unit) {
            return failed("finding application status: this unit is not the leader");
        }
        let name = asked.run.unit.application();
        let mut whole = full(&application_status(asked.model, name));
        let units: Map<String, Value> =
            asked.model.units_of(name).map(|unit| (unit.name.to_string(), full(&unit.workload))).collect();
        whole["units"] = Value::Object(units);
        let smart = whole["status"].clone();
        let value = if has_data { whole } else { json!({"status": smart}) };
        return Ok(Done::Value(json!({ "application-status": value })));
    }
    let entry = asked.model.units.get(&asked.run.unit).map(|unit| unit.workload.clone());
    let entry = entry.unwrap_or_else(|| StatusEntry::new("unknown", ""));
    let smart = Value::from(entry.status.as_str());
    Ok(if has_data {
        Done::Value(full(&entry))
    } else {
        Done::Short { full: json!({"status": smart}), smart }
    })
}

fn application_version_set(asked: &mut Asked<'_>) -> Outcome {
    let Some(version) = asked.line.positional.first().cloned() else { return usage("no version specified") };
    asked.refuse_from(1)?;
    if let Some(unit) = asked.model.units.get_mut(&asked.run.unit)
        && unit.workload_version != version
    {
        unit.workload_version.clone_from(&version);
        asked.model.journal.record(Event::VersionChanged { unit: asked.run.unit.clone(), version });
    }
    Ok(Done::Nothing)
}
