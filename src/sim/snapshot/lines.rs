//! A model as lines, one for each thing; nothing that only counts how often something happened.

use std::collections::BTreeSet;
use std::fmt;

use charms_reactive_core::Databag;

use super::hash;
use crate::event::party_name;
use crate::model::{Model, Relation, Storage, StorageId, Unit};
use crate::secret::Secret;

/// What Juju holds back until a hook has ended well: databags, unit states, ports, secrets, storage that was
/// asked for, and who a unit was told about.
pub(super) fn held(model: &Model) -> Vec<String> {
    let mut lines = Vec::new();
    for relation in model.relations.values() {
        databags(relation, &mut lines);
    }
    for unit in model.units.values() {
        unit_held(model, unit, &mut lines);
    }
    for (id, secret) in &model.secrets {
        lines.extend(secret_lines(model, id, secret));
    }
    lines.extend(model.storage.iter().map(|(id, storage)| storage_line(id, storage)));
    lines
}

/// What is effective at once, and what operators and the cloud have done.
pub(super) fn shown(model: &Model) -> Vec<String> {
    let mut lines = Vec::new();
    applications(model, &mut lines);
    for relation in model.relations.values() {
        let paused = if relation.is_suspended { ", suspended" } else { "" };
        let scope: Vec<String> = relation.scope.iter().map(ToString::to_string).collect();
        let key = relation.key();
        lines.push(format!(
            "relation {} {key}: {:?}{paused}, of {}",
            relation.number,
            relation.life,
            scope.join(" ")
        ));
    }
    for unit in model.units.values() {
        unit_shown(unit, &mut lines);
    }
    for (id, action) in &model.actions {
        lines.push(format!("action {id} {}", action.line()));
    }
    lines
}

fn databags(relation: &Relation, lines: &mut Vec<String>) {
    let mut bag = |owner: &dyn fmt::Display, databag: &Databag| {
        let number = relation.number;
        lines.extend(databag.iter().map(|(key, text)| format!("databag {number} {owner} {key} = {text:?}")));
    };
    for (unit, content) in &relation.unit_bags {
        bag(unit, &content.databag);
    }
    for (application, content) in &relation.application_bags {
        bag(application, &content.databag);
    }
}

fn unit_held(model: &Model, unit: &Unit, lines: &mut Vec<String>) {
    let name = &unit.name;
    lines.extend(unit.state.iter().map(|(key, text)| format!("state {name} {key} = {text:?}")));
    lines.extend(unit.ports.iter().map(|(range, endpoint)| {
        let of = endpoint.as_ref().map_or_else(|| "all endpoints".to_owned(), ToString::to_string);
        format!("port {name} {range} for {of}")
    }));
    for tracked in unit.tracked.values() {
        lines.push(format!("tracked {name} {:?} revision {}", tracked.label, tracked.revision));
    }
    for (number, membership) in &unit.relations {
        let created = if membership.is_created { "created" } else { "entered" };
        lines.push(format!("member {number} {name}: {created}"));
        let Some(relation) = model.relations.get(number) else { continue };
        for (member, version) in &membership.members {
            let newest = relation.unit_bags.get(member).map_or(0, |bag| bag.version);
            let is_old = if *version == newest { "" } else { ", as it was before" };
            lines.push(format!("member {number} {name} knows {member}{is_old}"));
        }
        lines.extend(
            membership
                .changed_pending
                .iter()
                .map(|member| format!("member {number} {name} has yet to be told of {member}")),
        );
    }
}

fn secret_lines(model: &Model, id: &str, secret: &Secret) -> Vec<String> {
    let owner = secret.owner.as_ref().map_or_else(|| "the operator".to_owned(), party_name);
    let name = format!("secret {id} of {owner} ({})", secret.label.as_deref().unwrap_or_default());
    let mut lines = vec![format!(
        "{name}: {:?}, rotated {}, {}",
        secret.description,
        secret.rotation,
        if secret.expires.contains_key(&secret.newest()) { "expires" } else { "stays" },
    )];
    lines.extend(secret.revisions.iter().map(|(revision, content)| {
        let content: Vec<String> = content.iter().map(|(key, text)| format!("{key}={text}")).collect();
        format!("{name} revision {revision}: {}", content.join(" "))
    }));
    for grant in &secret.grants {
        let reader = grant.unit.as_ref().map_or_else(|| grant.application.to_string(), ToString::to_string);
        let relation = grant.relation.and_then(|number| model.relations.get(&number));
        lines.push(format!("{name} is for {reader} {}", relation.map(Relation::key).unwrap_or_default()));
    }
    let due = [(secret.is_rotation_due, "to be rotated"), (!secret.expired.is_empty(), "expired")];
    lines.extend(due.into_iter().filter(|(is_due, _)| *is_due).map(|(_, what)| format!("{name} is {what}")));
    lines
}

fn storage_line(id: &StorageId, storage: &Storage) -> String {
    let unit = storage.unit.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let there = if storage.is_there { "there" } else { "asked for" };
    format!("storage {id} {} of {unit}: {:?}, {there}", storage.kind.as_str(), storage.life)
}

fn applications(model: &Model, lines: &mut Vec<String>) {
    for (name, application) in &model.applications {
        let leader = application.leader.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        let trusted = if application.is_trusted { ", trusted" } else { "" };
        lines.push(format!("application {name}: {:?}, led by {leader}{trusted}", application.life));
        if let Some(status) = &application.status {
            lines.push(format!("status {name} {}: {}", status.status, status.message));
        }
        let texts = &application.leader_settings;
        lines.extend(texts.iter().map(|(key, text)| format!("leader {name} {key} = {text:?}")));
        lines
            .extend(application.settings.iter().map(|(key, value)| format!("config {name} {key} = {value}")));
        lines.extend(
            application.pod_specs.iter().map(|(kind, yaml)| format!("pod spec {name} {kind:?} = {yaml:?}")),
        );
        lines.extend(application.resources.iter().map(|(key, resource)| {
            let content = &resource.content;
            format!("resource {name} {key}: {} bytes, hash {:016x}", content.len(), hash(content))
        }));
    }
}

fn unit_shown(unit: &Unit, lines: &mut Vec<String>) {
    let name = &unit.name;
    let steps = [
        (unit.is_installed, "installed"),
        (unit.is_started, "started"),
        (unit.is_stopped, "stopped"),
        (unit.is_removed, "waits for its subordinates"),
        (unit.is_rebooted, "restarts"),
        (unit.pod.is_ending, "its pod ends"),
    ];
    let steps: Vec<&str> = steps.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word).collect();
    lines.push(format!("unit {name}: {:?} at {} ({})", unit.life, unit.address, steps.join(", ")));
    for (binding, network) in &unit.networks {
        lines.push(format!("network {name} {binding}: {network:?}"));
    }
    let error = unit.error_text().map(|text| format!(", {text}")).unwrap_or_default();
    lines.push(format!("status {name} {}: {}{error}", unit.workload.status, unit.workload.message));
    lines.push(format!("version {name} {}", unit.workload_version));
    lines.extend(unit.payloads.iter().map(|((class, id), payload)| {
        let labels = payload.labels.join(" ");
        format!("payload {name} {class}/{id}: {} {} {labels}", payload.kind, payload.status)
    }));
    lines.extend(unit.metrics.iter().map(|(key, value)| format!("metric {name} {key} = {value}")));
    let told: BTreeSet<String> = unit.storage_shown.iter().map(ToString::to_string).collect();
    lines.extend(told.iter().map(|id| format!("storage {id} is known to {name}")));
}
