//! `relation-ids`, `relation-list`, `relation-get`, `relation-set`, `relation-model-get`.

use charms_reactive_core::{ApplicationName, Databag, UnitName};
use serde_json::{Value, json};

use super::flags::Flag;
use super::{Asked, Command, Done, Failure, Outcome, failed, one_or_all, usage};

const RELATION: Flag = Flag::value(&["r", "relation"]);
const APP: Flag = Flag::switch(&["app"]);

pub(super) const COMMANDS: &[Command] = &[
    Command::getter("relation-ids", "[<name>]", &[], relation_ids),
    Command::getter("relation-list", "", &[RELATION, APP], relation_list),
    Command::getter("relation-get", "[<key> [<unit id>]]", &[RELATION, APP], relation_get),
    Command::old_setter(
        "relation-set",
        "<key>=<value> [<key>=<value> ...]",
        &[RELATION, APP, Flag::value(&["file"])],
        relation_set,
    ),
    Command::getter("relation-model-get", "", &[RELATION], relation_model_get),
];

/// # Source
///
/// `J/relation-ids.go`: sorted as texts.
fn relation_ids(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(1)?;
    let current = asked.run.current.as_ref().and_then(|current| asked.run.views.get(&current.number));
    let name = match (asked.line.positional.first(), current) {
        (Some(name), _) => name.as_str(),
        (None, Some(view)) => view.id.endpoint().as_str(),
        (None, None) => return usage("no endpoint name specified"),
    };
    let views = asked.run.views.values();
    let shown = views.filter(|view| !view.is_hidden && view.id.endpoint().as_str() == name);
    let mut ids: Vec<String> = shown.map(|view| view.id.to_string()).collect();
    ids.sort();
    Ok(Done::Value(Value::from(ids)))
}

/// # Source
///
/// `J/relation-list.go`.
fn relation_list(asked: &mut Asked<'_>) -> Outcome {
    let number = asked.some_relation()?;
    asked.refuse_from(0)?;
    if asked.line.is_on("app") {
        let own = asked.run.unit.application();
        let relation = asked.model.relations.get(&number);
        let remote = relation.map(|relation| relation.shown(own, &relation.remote_end(own).application));
        return Ok(Done::Value(remote.map_or(Value::Null, |name| Value::from(name.as_str()))));
    }
    let members = asked.run.views.get(&number).map(|view| view.members.as_slice()).unwrap_or_default();
    Ok(Done::Value(members.iter().map(ToString::to_string).collect()))
}

/// Whose databag `relation-get` is to read.
enum Target {
    Unit(String),
    Application(String),
}

/// # Source
///
/// `J/relation-get.go`, `determineUnitOrAppName`.
fn target(asked: &Asked<'_>) -> Result<Target, Failure> {
    let is_app = asked.line.is_on("app");
    if let Some(named) = asked.line.positional.get(1) {
        let unit = UnitName::parse(named);
        return match (is_app, unit) {
            (true, Ok(unit)) => Ok(Target::Application(unit.application().to_string())),
            (true, Err(_)) => Ok(Target::Application(named.clone())),
            (false, Ok(_)) => Ok(Target::Unit(named.clone())),
            (false, Err(_)) if ApplicationName::parse(named).is_ok() => {
                usage(format!("expected unit name, got application name {named:?}"))
            }
            (false, Err(_)) => usage(format!("invalid unit name {named:?}")),
        };
    }
    match &asked.run.current {
        None => usage("no unit or application specified"),
        Some(current) => match &current.remote_unit {
            Some(unit) if !is_app => Ok(Target::Unit(unit.to_string())),
            _ => Ok(Target::Application(current.remote_application.to_string())),
        },
    }
}

fn relation_get(asked: &mut Asked<'_>) -> Outcome {
    let number = asked.some_relation()?;
    let target = target(asked)?;
    asked.refuse_from(2)?;
    let databag = match target {
        Target::Unit(unit) => {
            let unit = UnitName::parse(&unit).or_else(|_| failed("permission denied"))?;
            unit_databag(asked, number, &unit)?
        }
        Target::Application(application) => {
            let application =
                ApplicationName::parse(&application).or_else(|_| failed("permission denied"))?;
            application_databag(asked, number, &application)?
        }
    };
    Ok(one_or_all(databag.iter(), asked.key(0)))
}

/// The databag of a unit as this run sees it: its own with what it has written, others as first read.
///
/// # Source
///
/// `A/uniter.go`, `checkRemoteUnit`: any unit of the relation's applications, present or not.
fn unit_databag(asked: &mut Asked<'_>, number: u32, unit: &UnitName) -> Result<Databag, Failure> {
    let (Some(relation), Some(view)) = (asked.model.relations.get(&number), asked.run.views.get_mut(&number))
    else {
        return failed("relation not found");
    };
    if *unit == asked.run.unit {
        let stored = relation.unit_databag(unit).cloned().unwrap_or_default();
        return Ok(overlaid(stored, &view.own_unit));
    }
    let meant = relation.meant_unit(asked.run.unit.application(), unit);
    if relation.end(meant.application()).is_none() {
        return failed("permission denied");
    }
    if let Some(read) = view.units.get(unit).or_else(|| view.cache.get(unit)) {
        return Ok(read.clone());
    }
    let Some(databag) = relation.unit_databag(&meant) else {
        let key = relation.key();
        return failed(format!(
            "cannot read settings for unit \"{unit}\" in relation \"{key}\": unit \"{unit}\": settings not found"
        ));
    };
    view.units.insert(unit.clone(), databag.clone());
    Ok(databag.clone())
}

/// The databag of an application as this run sees it.
///
/// # Source
///
/// `A/uniter.go`: a unit that does not lead reads its own application only in a peer relation.
fn application_databag(
    asked: &mut Asked<'_>,
    number: u32,
    application: &ApplicationName,
) -> Result<Databag, Failure> {
    let is_leader = asked.model.is_leader(&asked.run.unit);
    let (Some(relation), Some(view)) = (asked.model.relations.get(&number), asked.run.views.get_mut(&number))
    else {
        return failed("relation not found");
    };
    let meant = relation.meant(asked.run.unit.application(), application);
    if relation.end(&meant).is_none() {
        return failed("permission denied");
    }
    let stored = || relation.application_bags.get(&meant).map(|bag| bag.databag.clone()).unwrap_or_default();
    if application == asked.run.unit.application() && (is_leader || !relation.is_peer()) {
        return if is_leader {
            Ok(overlaid(stored(), &view.own_application))
        } else {
            failed("permission denied")
        };
    }
    Ok(view.applications.entry(application.clone()).or_insert_with(stored).clone())
}

fn overlaid(mut databag: Databag, writes: &std::collections::BTreeMap<String, String>) -> Databag {
    for (key, value) in writes {
        databag.set(key, value);
    }
    databag
}

/// # Source
///
/// `J/relation-set.go`: the file first, then the pairs; an empty value removes the key.
fn relation_set(asked: &mut Asked<'_>) -> Outcome {
    let number = asked.some_relation()?;
    let pairs = asked.pairs()?;
    let mut changes = asked.file()?;
    changes.extend(pairs);
    let is_app = asked.line.is_on("app");
    if is_app && !asked.model.is_leader(&asked.run.unit) {
        return failed("cannot write relation settings");
    }
    let Some(view) = asked.run.views.get_mut(&number) else { return failed("relation not found") };
    let writes = if is_app { &mut view.own_application } else { &mut view.own_unit };
    writes.extend(changes);
    Ok(Done::Nothing)
}

/// # Source
///
/// `J/relation-model-get.go`: the model of the other side.
fn relation_model_get(asked: &mut Asked<'_>) -> Outcome {
    let number = asked.some_relation()?;
    asked.refuse_from(0)?;
    let Some(relation) = asked.model.relations.get(&number) else { return failed("relation not found") };
    let remote = &relation.remote_end(asked.run.unit.application()).application;
    Ok(Done::Value(json!({ "uuid": asked.model.home_of(remote).1 })))
}
