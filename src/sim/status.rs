//! The model as `juju status` would print it.

use std::fmt;

use charms_reactive_core::ApplicationName;
use serde::Serialize;

use crate::model::{Life, Model, StatusEntry, Unit};

/// What an operator sees of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The applications, by name.
    pub applications: Vec<ApplicationStatus>,
    /// The units, by application and number.
    pub units: Vec<UnitStatus>,
    /// The relations, by number.
    pub relations: Vec<RelationStatus>,
}

/// A line of the table of applications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApplicationStatus {
    /// The name.
    pub name: String,
    /// The version of its workload.
    pub version: String,
    /// What its leader said, or the most severe of its units' statuses.
    #[serde(flatten)]
    pub status: StatusEntry,
    /// How many units it has.
    pub scale: usize,
    /// The name of its charm.
    pub charm: String,
    /// How often the charm was upgraded.
    pub revision: u32,
}

/// A line of the table of units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitStatus {
    /// The name.
    pub name: String,
    /// Whether it leads its application.
    pub leader: bool,
    /// What it said about its workload; `error` while a hook has failed.
    pub workload: StatusEntry,
    /// What its agent does.
    pub agent: StatusEntry,
    /// The number of its machine.
    pub machine: String,
    /// Its address.
    pub address: String,
    /// Its open ports, for example `80/tcp`.
    pub ports: Vec<String>,
    /// Whether it is on its way out.
    pub life: Life,
}

/// A line of the table of relations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelationStatus {
    /// The number.
    pub id: u32,
    /// The side that provides, for example `prometheus:manual-jobs`; the only side of peers.
    pub provider: String,
    /// The side that requires; the same as the provider for peers.
    pub requirer: String,
    /// The interface.
    pub interface: String,
    /// `regular` or `peer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is on its way out.
    pub life: Life,
}

/// How much a status of one unit counts for its application.
///
/// # Source
///
/// `juju/juju:core/status`, severities.
fn severity(status: &str) -> u8 {
    match status {
        "error" => 6,
        "blocked" => 5,
        "waiting" => 4,
        "maintenance" => 3,
        "active" => 2,
        "terminated" => 1,
        _ => 0,
    }
}

/// What a unit's workload is shown as.
fn workload(unit: &Unit) -> StatusEntry {
    match unit.error_text() {
        Some(text) => StatusEntry::new("error", &text),
        None => unit.workload.clone(),
    }
}

/// What an application is shown as: what its leader said, or the most severe of its units.
pub(crate) fn application_status(model: &Model, name: &ApplicationName) -> StatusEntry {
    let said = model.applications.get(name).and_then(|application| application.status.clone());
    said.unwrap_or_else(|| {
        let units = model.units_of(name).map(workload);
        // Of equals the first: `max_by_key` would give the last.
        units
            .reduce(|worst, next| if severity(&next.status) > severity(&worst.status) { next } else { worst })
            .unwrap_or_else(|| StatusEntry::new("unknown", ""))
    })
}

impl Status {
    pub(crate) fn of(model: &Model) -> Self {
        let applications = model.applications.values().map(|application| {
            let units: Vec<&Unit> = model.units_of(&application.name).collect();
            let version = units.iter().rev().map(|unit| &unit.workload_version);
            ApplicationStatus {
                name: application.name.to_string(),
                version: version.into_iter().find(|version| !version.is_empty()).cloned().unwrap_or_default(),
                status: application_status(model, &application.name),
                scale: units.len(),
                charm: application.charm.metadata.name.clone(),
                revision: application.charm_revision,
            }
        });
        let units = model.units.values().map(|unit| UnitStatus {
            name: unit.name.to_string(),
            leader: model.is_leader(&unit.name),
            workload: workload(unit),
            agent: match unit.failed {
                // As in Juju's table: the error is shown beside the workload.
                Some(_) => StatusEntry::new("idle", ""),
                None => unit.agent_status(),
            },
            machine: unit.machine.to_string(),
            address: unit.address.to_string(),
            ports: open_ports(unit),
            life: unit.life,
        });
        let relations = model.relations.values().map(|relation| {
            let ends: Vec<String> = relation.ends.iter().map(ToString::to_string).collect();
            RelationStatus {
                id: relation.number,
                provider: ends.last().cloned().unwrap_or_default(),
                requirer: ends.first().cloned().unwrap_or_default(),
                interface: relation.interface.clone(),
                kind: if relation.is_peer() { "peer" } else { "regular" }.to_owned(),
                life: relation.life,
            }
        });
        Self { applications: applications.collect(), units: units.collect(), relations: relations.collect() }
    }
}

/// The open ports of a unit, each once.
pub(crate) fn open_ports(unit: &Unit) -> Vec<String> {
    let mut ports: Vec<String> = unit.ports.iter().map(|(range, _)| range.to_string()).collect();
    ports.dedup();
    ports
}

impl fmt::Display for Status {
    /// Writes three tables, without the empty ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let applications = self.applications.iter().map(|application| {
            vec![
                application.name.clone(),
                application.version.clone(),
                application.status.status.clone(),
                application.scale.to_string(),
                application.charm.clone(),
                application.revision.to_string(),
                application.status.message.clone(),
            ]
        });
        let head = ["App", "Version", "Status", "Scale", "Charm", "Rev", "Message"];
        table(f, &head, applications.collect(), false)?;
        let units = self.units.iter().map(|unit| {
            vec![
                format!("{}{}", unit.name, if unit.leader { "*" } else { "" }),
                unit.workload.status.clone(),
                unit.agent.status.clone(),
                unit.machine.clone(),
                unit.address.clone(),
                unit.ports.join(","),
                match unit.life {
                    Life::Dying => format!("(dying) {}", unit.workload.message),
                    _ => unit.workload.message.clone(),
                },
            ]
        });
        let head = ["Unit", "Workload", "Agent", "Machine", "Public address", "Ports", "Message"];
        table(f, &head, units.collect(), !self.applications.is_empty())?;
        let relations = self.relations.iter().map(|relation| {
            let (provider, requirer) = (relation.provider.clone(), relation.requirer.clone());
            let message = if relation.life == Life::Alive { "" } else { "dying" };
            let kind = relation.kind.clone();
            vec![provider, requirer, relation.interface.clone(), kind, message.to_owned()]
        });
        let head = ["Integration provider", "Requirer", "Interface", "Type", "Message"];
        table(f, &head, relations.collect(), !self.applications.is_empty())
    }
}

/// Writes rows below their head, in columns as wide as they must be.
fn table(f: &mut fmt::Formatter<'_>, head: &[&str], rows: Vec<Vec<String>>, is_next: bool) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    if is_next {
        writeln!(f)?;
    }
    let mut lines = vec![head.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()];
    lines.extend(rows);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(f, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
