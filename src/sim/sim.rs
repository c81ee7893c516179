//! A simulation: what an operator can do, and what can be looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use charms_reactive_core::{ApplicationName, Databag, UnitName};
use charms_reactive_hookcmd::commands::Party;
use tempfile::TempDir;

use crate::agent::Agents;
use crate::builder::Builder;
use crate::error::{ModelError, SimError};
use crate::event::Event;
use crate::metadata::Charm;
use crate::model::{Life, Model, StatusEntry};
use crate::status::{Status, open_ports};
use crate::transcript::transcript;

/// How processes are run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path_tail: String,
    pub(crate) hook_limit: Duration,
    pub(crate) connection_limit: Duration,
    pub(crate) retries_max: u32,
    pub(crate) hooks_max: usize,
}

/// A simulated Juju model that runs real hook binaries.
///
/// Nothing happens by itself: the calls of an operator ([`Sim::deploy`], [`Sim::relate`] and so on)
/// change the model, and [`Sim::settle`] or [`Sim::step`] run the hooks that are due then.
///
/// # Guarantees
///
/// - The same seed, charms and calls give the same order of hooks.
/// - One process of a charm runs at a time, as under one machine lock for the whole model.
/// - A charm gets the environment that Juju documents, and nothing of the caller's.
#[derive(Debug)]
pub struct Sim {
    pub(crate) model: Model,
    pub(crate) agents: Agents,
    pub(crate) settings: Settings,
    _temporary: Option<TempDir>,
}

/// What can be known of a unit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UnitView {
    /// Its name.
    pub name: UnitName,
    /// How far its life is.
    pub life: Life,
    /// Whether it leads.
    pub leader: bool,
    /// What the charm said about the workload.
    pub workload: StatusEntry,
    /// What the agent does: `allocating`, `idle` or `error`.
    pub agent: StatusEntry,
    /// The version of the workload.
    pub version: String,
    /// The open ports, for example `80/tcp`.
    pub ports: Vec<String>,
    /// Its address.
    pub address: String,
    /// The hook that failed and holds back all others, and why it failed.
    pub failed_hook: Option<FailedHook>,
}

/// A hook that failed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FailedHook {
    /// Its name.
    pub hook: String,
    /// How often it was run.
    pub attempts: u32,
    /// How it ended the last time.
    pub error: String,
}

impl Sim {
    /// The settings of a simulation to be made.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(model: Model, agents: Agents, settings: Settings, temporary: Option<TempDir>) -> Self {
        Self { model, agents, settings, _temporary: temporary }
    }

    /// Deploys the charm in a folder under a name, with some units; the first one leads.
    ///
    /// Each unit gets a copy.  The folder itself is needed again when a unit is added later.
    pub fn deploy(&mut self, name: &str, charm: impl AsRef<Path>, units: u32) -> Result<(), SimError> {
        let name = ApplicationName::parse(name)?;
        let charm = Charm::read(charm.as_ref())?;
        self.model.add_application(&name, charm)?;
        for _ in 0..units {
            self.add_unit(name.as_str())?;
        }
        Ok(())
    }

    /// Adds a unit to an application.
    pub fn add_unit(&mut self, application: &str) -> Result<UnitName, SimError> {
        let unit = self.model.add_unit(&ApplicationName::parse(application)?)?;
        let charm = Rc::clone(&self.model.unit(&unit)?.charm);
        self.agents.deploy(&unit, &charm.folder, None)?;
        self.model.unit_mut(&unit)?.has_files = true;
        Ok(unit)
    }

    /// Relates two endpoints, each `application:endpoint`, or only `application` where one pair fits.
    ///
    /// Gives the number of the relation.
    pub fn relate(&mut self, one: &str, other: &str) -> Result<u32, SimError> {
        self.model.relate(one, other)
    }

    /// Has a relation go.
    pub fn remove_relation(&mut self, relation: u32) -> Result<(), SimError> {
        Ok(self.model.remove_relation(relation)?)
    }

    /// Has a unit go.
    pub fn remove_unit(&mut self, unit: &str) -> Result<(), SimError> {
        Ok(self.model.remove_unit(&UnitName::parse(unit)?)?)
    }

    /// Has an application go, with its units and relations.
    pub fn remove_application(&mut self, application: &str) -> Result<(), SimError> {
        Ok(self.model.remove_application(&ApplicationName::parse(application)?)?)
    }

    /// Sets options from texts, which are read by the options' types; all or none.
    pub fn configure(&mut self, application: &str, options: &[(&str, &str)]) -> Result<(), SimError> {
        let application = ApplicationName::parse(application)?;
        Ok(self.model.application_mut(&application)?.configure(options)?)
    }

    /// Gives options their defaults again; all or none.
    pub fn reset(&mut self, application: &str, options: &[&str]) -> Result<(), SimError> {
        let application = ApplicationName::parse(application)?;
        Ok(self.model.application_mut(&application)?.reset(options)?)
    }

    /// Has another unit lead its application.
    pub fn set_leader(&mut self, unit: &str) -> Result<(), SimError> {
        Ok(self.model.set_leader(&UnitName::parse(unit)?)?)
    }

    /// Gives an application another charm; each unit takes it over with its next hook.
    pub fn upgrade(&mut self, application: &str, charm: impl AsRef<Path>) -> Result<(), SimError> {
        let name = ApplicationName::parse(application)?;
        let charm = Rc::new(Charm::read(charm.as_ref())?);
        for relation in self.model.relations.values() {
            let end = relation.end(&name).filter(|_| !relation.is_implicit(&name));
            let is_kept = |end: &crate::model::End| {
                charm.metadata.endpoint(&end.endpoint).is_some_and(|endpoint| {
                    endpoint.role == end.role && endpoint.interface == relation.interface
                })
            };
            if let Some(end) = end.filter(|end| !is_kept(end)) {
                return Err(ModelError::UpgradeBreaks { endpoint: end.to_string() }.into());
            }
        }
        self.model.application_mut(&name)?.upgrade(charm);
        self.model.add_peer_relations(&name);
        self.model.add_missing_storage(&name);
        Ok(())
    }

    /// Has the timer of `update-status` fire for a unit; the hook runs when nothing else is due.
    pub fn update_status(&mut self, unit: &str) -> Result<(), SimError> {
        self.model.unit_mut(&UnitName::parse(unit)?)?.is_update_status_due = true;
        Ok(())
    }

    /// A copy of a databag of a relation; an empty one for a party that is not in it.
    pub fn databag(&self, relation: u32, party: &Party) -> Result<Databag, SimError> {
        let relation = self.model.relation(relation)?;
        let bag = match party {
            Party::Unit(unit) => relation.unit_bags.get(unit),
            Party::Application(application) => relation.application_bags.get(application),
        };
        Ok(bag.map(|bag| bag.databag.clone()).unwrap_or_default())
    }

    /// The databag of a unit, by its name.
    pub fn unit_databag(&self, relation: u32, unit: &str) -> Result<Databag, SimError> {
        self.databag(relation, &Party::Unit(UnitName::parse(unit)?))
    }

    /// The databag of an application, by its name.
    pub fn application_databag(&self, relation: u32, application: &str) -> Result<Databag, SimError> {
        self.databag(relation, &Party::Application(ApplicationName::parse(application)?))
    }

    /// The state that a unit keeps with Juju.
    pub fn unit_state(&self, unit: &str) -> Result<BTreeMap<String, String>, SimError> {
        Ok(self.model.unit(&UnitName::parse(unit)?)?.state.clone())
    }

    /// What can be known of a unit.
    pub fn unit(&self, unit: &str) -> Result<UnitView, SimError> {
        let unit = self.model.unit(&UnitName::parse(unit)?)?;
        Ok(UnitView {
            name: unit.name.clone(),
            life: unit.life,
            leader: self.model.is_leader(&unit.name),
            workload: unit.workload.clone(),
            agent: unit.agent_status(),
            version: unit.workload_version.clone(),
            ports: open_ports(unit),
            address: unit.address.to_string(),
            failed_hook: unit.failed.as_ref().map(|failed| FailedHook {
                hook: failed.hook.event.to_string(),
                attempts: failed.attempts,
                error: failed.error.clone(),
            }),
        })
    }

    /// The folder with a unit's copy of its charm.
    pub fn charm_dir(&self, unit: &str) -> Result<PathBuf, SimError> {
        Ok(self.agents.charm(&self.model.unit(&UnitName::parse(unit)?)?.name))
    }

    /// The model as `juju status` would show it.
    pub fn status(&self) -> Status {
        Status::of(&self.model)
    }

    /// Has `observer` told about everything that happens from now on.
    pub fn observe(&mut self, observer: Box<dyn FnMut(&Event)>) {
        self.model.journal.observe(observer);
    }

    /// All that has happened.
    pub fn events(&self) -> &[Event] {
        self.model.journal.events()
    }

    /// All that has happened, as text.
    pub fn transcript(&self) -> String {
        transcript(self.events())
    }
}
