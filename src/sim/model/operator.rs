//! What an operator does to the model: deploy, relate, configure, scale, remove.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::rc::Rc;

use charms_reactive_core::{ApplicationName, EndpointName, EndpointSpec, Role, UnitName};

use charms_reactive_hookcmd::commands::Party;

use super::{Application, End, Life, Model, Relation, StatusEntry, Unit};
use crate::error::{ModelError, SimError};
use crate::event::Event;
use crate::metadata::Charm;

impl Model {
    /// Adds an application without units, and the relation of each of its peer endpoints.
    pub(crate) fn add_application(&mut self, name: &ApplicationName, charm: Charm) -> Result<(), ModelError> {
        if self.applications.contains_key(name) {
            return Err(ModelError::ApplicationExists { name: name.clone() });
        }
        let charm = Rc::new(charm);
        let application = Application {
            name: name.clone(),
            charm: Rc::clone(&charm),
            charm_revision: 0,
            life: Life::Alive,
            settings: BTreeMap::new(),
            leader: None,
            units_made: 0,
            status: None,
            leader_settings: BTreeMap::new(),
            leader_settings_version: 0,
        };
        self.applications.insert(name.clone(), application);
        self.add_peer_relations(name);
        Ok(())
    }

    /// Peer endpoints that have no relation yet get one: at deployment, and by an upgrade.
    pub(crate) fn add_peer_relations(&mut self, name: &ApplicationName) {
        let Some(application) = self.applications.get(name) else { return };
        let peers: Vec<EndpointSpec> = application
            .charm
            .metadata
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.role == Role::Peer)
            .filter(|endpoint| {
                !self.relations.values().any(|relation| {
                    relation.is_peer() && relation.end(name).is_some_and(|end| end.endpoint == endpoint.name)
                })
            })
            .cloned()
            .collect();
        for endpoint in peers {
            let end = End { application: name.clone(), endpoint: endpoint.name, role: Role::Peer };
            self.add_relation(vec![end], endpoint.interface);
        }
    }

    fn add_relation(&mut self, ends: Vec<End>, interface: String) -> u32 {
        let number = self.relations_made;
        self.relations_made += 1;
        let relation = Relation {
            number,
            ends,
            interface,
            life: Life::Alive,
            unit_bags: BTreeMap::new(),
            application_bags: BTreeMap::new(),
            scope: BTreeSet::new(),
        };
        self.journal.record(Event::Related { relation: number, key: relation.key() });
        self.relations.insert(number, relation);
        number
    }

    /// Adds a unit on a machine of its own; the first one leads.
    pub(crate) fn add_unit(&mut self, name: &ApplicationName) -> Result<UnitName, ModelError> {
        let machine = self.machines_made;
        let application = self.application_mut(name)?;
        if application.life != Life::Alive {
            return Err(ModelError::NotAlive { what: name.to_string() });
        }
        let unit_name = UnitName::new(name.clone(), application.units_made);
        application.units_made += 1;
        let unit = Unit {
            name: unit_name.clone(),
            machine,
            address: machine_address(machine),
            life: Life::Alive,
            charm: Rc::clone(&application.charm),
            charm_revision: application.charm_revision,
            is_installed: false,
            is_started: false,
            is_stopped: false,
            is_rebooted: false,
            config_shown: None,
            is_leader_shown: false,
            leader_settings_shown: None,
            is_update_status_due: false,
            queued: None,
            failed: None,
            workload: StatusEntry::new("waiting", "waiting for machine"),
            is_status_said: false,
            workload_version: String::new(),
            state: BTreeMap::new(),
            ports: BTreeSet::new(),
            relations: BTreeMap::new(),
            tracked: BTreeMap::new(),
            secrets_shown: BTreeMap::new(),
        };
        self.machines_made += 1;
        self.units.insert(unit_name.clone(), unit);
        self.journal.record(Event::UnitAdded { unit: unit_name.clone() });
        self.elect(name);
        Ok(unit_name)
    }

    /// Gives an application without a leader one: its living unit with the lowest number.
    pub(crate) fn elect(&mut self, name: &ApplicationName) {
        let Some(application) = self.applications.get(name) else { return };
        if application.leader.is_some() {
            return;
        }
        let leader = self.units_of(name).find(|unit| unit.life == Life::Alive).map(|unit| unit.name.clone());
        if leader.is_some() {
            self.make_leader(name, leader);
        }
    }

    fn make_leader(&mut self, name: &ApplicationName, leader: Option<UnitName>) {
        if let Some(application) = self.applications.get_mut(name) {
            application.leader.clone_from(&leader);
            self.journal.record(Event::LeaderChanged { application: name.clone(), leader });
        }
    }

    /// Has another unit lead.  The old leader is not told: losing leadership has no hook.
    ///
    /// # Source
    ///
    /// `internal/charm/hooks/hooks.go` knows `leader-deposed`, and nothing sends it.
    pub(crate) fn set_leader(&mut self, unit: &UnitName) -> Result<(), ModelError> {
        if self.unit(unit)?.life != Life::Alive {
            return Err(ModelError::NotAlive { what: unit.to_string() });
        }
        if self.is_leader(unit) {
            return Ok(());
        }
        for other in self.units.values_mut().filter(|other| other.name.application() == unit.application()) {
            other.is_leader_shown = false;
        }
        self.make_leader(unit.application(), Some(unit.clone()));
        Ok(())
    }

    /// Has a unit lose leadership to nobody.
    pub(crate) fn depose(&mut self, unit: &UnitName) {
        if let Some(unit) = self.units.get_mut(unit) {
            unit.is_leader_shown = false;
        }
        self.make_leader(unit.application(), None);
    }

    /// Relates two endpoints, each written as `application` or `application:endpoint`.
    ///
    /// # Source
    ///
    /// `juju/juju:state/state.go`, `InferEndpoints` and `AddRelation`.
    pub(crate) fn relate(&mut self, one: &str, other: &str) -> Result<u32, SimError> {
        let pairs = self.pairs(one, other)?;
        let (one, other) = (one.to_owned(), other.to_owned());
        let [pair] = pairs.as_slice() else {
            if pairs.is_empty() {
                let reason = self.why_no_pair(&one, &other);
                return Err(ModelError::NoEndpoints { one, other, reason }.into());
            }
            let possible: Vec<_> =
                pairs.iter().map(|(ends, _)| format!("\"{} {}\"", ends[0], ends[1])).collect();
            return Err(ModelError::Ambiguous { one, other, possible: possible.join("; ") }.into());
        };
        let (ends, interface) = pair.clone();
        if let Some(old) = self.relations.values().find(|relation| relation.ends == ends) {
            return Err(ModelError::RelationExists { key: old.key() }.into());
        }
        for end in &ends {
            self.check_limit(end)?;
        }
        Ok(self.add_relation(ends, interface))
    }

    fn check_limit(&self, end: &End) -> Result<(), ModelError> {
        let charm = &self.application(&end.application)?.charm;
        let Some(limit) = charm.limits.get(&end.endpoint).copied() else { return Ok(()) };
        let count = self.relations.values().filter(|relation| relation.ends.contains(end)).count();
        if count < limit { Ok(()) } else { Err(ModelError::Limit { endpoint: end.to_string(), limit }) }
    }

    /// The pairs of a requirer and a provider that the two texts can mean.
    fn pairs(&self, one: &str, other: &str) -> Result<Vec<(Vec<End>, String)>, SimError> {
        let (one, other) = (self.endpoints(one)?, self.endpoints(other)?);
        let mut pairs = Vec::new();
        for (left, left_spec) in &one {
            for (right, right_spec) in &other {
                if left_spec.interface != right_spec.interface || left.application == right.application {
                    continue;
                }
                let ends = match (left.role, right.role) {
                    (Role::Requires, Role::Provides) => vec![left.clone(), right.clone()],
                    (Role::Provides, Role::Requires) => vec![right.clone(), left.clone()],
                    _ => continue,
                };
                pairs.push((ends, left_spec.interface.clone()));
            }
        }
        Ok(pairs)
    }

    /// The endpoints that `application` or `application:endpoint` can mean.
    fn endpoints(&self, text: &str) -> Result<Vec<(End, EndpointSpec)>, SimError> {
        let (application, endpoint) = match text.split_once(':') {
            Some((application, endpoint)) => (application, Some(EndpointName::parse(endpoint)?)),
            None => (text, None),
        };
        let application = self.application(&ApplicationName::parse(application)?)?;
        if application.life != Life::Alive {
            return Err(ModelError::NotAlive { what: application.name.to_string() }.into());
        }
        let is_meant = |spec: &&EndpointSpec| endpoint.as_ref().is_none_or(|endpoint| spec.name == *endpoint);
        let end = |spec: &EndpointSpec| End {
            application: application.name.clone(),
            endpoint: spec.name.clone(),
            role: spec.role,
        };
        let endpoints = &application.charm.metadata.endpoints;
        Ok(endpoints.iter().filter(is_meant).map(|spec| (end(spec), spec.clone())).collect())
    }

    /// What keeps two texts from meaning a pair of endpoints.
    fn why_no_pair(&self, one: &str, other: &str) -> String {
        let described = |text: &str| match self.endpoints(text) {
            Ok(found) if found.is_empty() => format!("`{text}` is no endpoint of its charm"),
            Ok(found) => {
                let words: Vec<_> = found
                    .iter()
                    .map(|(end, spec)| format!("`{end}` {} `{}`", spec.role.as_str(), spec.interface))
                    .collect();
                words.join(", ")
            }
            Err(error) => error.to_string(),
        };
        format!("{}; {}", described(one), described(other))
    }

    /// Has a relation go; its units get `-departed` and `-broken` first.
    pub(crate) fn remove_relation(&mut self, number: u32) -> Result<(), ModelError> {
        if self.relation(number)?.is_peer() {
            return Err(ModelError::NotModelled { what: "a peer relation removed" });
        }
        self.end_relation(number);
        Ok(())
    }

    fn end_relation(&mut self, number: u32) {
        if let Some(relation) = self.relations.get_mut(&number) {
            relation.life = Life::Dying;
        }
        self.drop_relation_if_left(number);
    }

    /// Has a unit go; it is gone after its `remove` hook, or at once when it was never installed.
    pub(crate) fn remove_unit(&mut self, name: &UnitName) -> Result<(), ModelError> {
        let unit = self.unit_mut(name)?;
        unit.life = unit.life.max(Life::Dying);
        if !unit.is_installed && unit.failed.is_none() {
            self.drop_unit(name);
        }
        Ok(())
    }

    /// Has an application go, with its units and relations.
    pub(crate) fn remove_application(&mut self, name: &ApplicationName) -> Result<(), ModelError> {
        self.application_mut(name)?.life = Life::Dying;
        let relations: Vec<u32> = self
            .relations
            .values()
            .filter(|relation| !relation.is_peer() && relation.end(name).is_some())
            .map(|relation| relation.number)
            .collect();
        for number in relations {
            self.end_relation(number);
        }
        let units: Vec<UnitName> = self.units_of(name).map(|unit| unit.name.clone()).collect();
        for unit in units {
            self.remove_unit(&unit)?;
        }
        self.drop_application_if_left(name);
        Ok(())
    }

    /// Takes a unit out of the model.
    pub(crate) fn drop_unit(&mut self, name: &UnitName) {
        let relations: Vec<u32> =
            self.units.get(name).map(|unit| unit.relations.keys().copied().collect()).unwrap_or_default();
        for number in relations {
            self.leave_scope(name, number);
        }
        self.units.remove(name);
        self.secrets.retain(|_, secret| secret.owner != Party::Unit(name.clone()));
        self.journal.record(Event::UnitRemoved { unit: name.clone() });
        if self.is_leader(name) {
            self.make_leader(name.application(), None);
            self.elect(name.application());
        }
        self.drop_application_if_left(name.application());
    }

    fn drop_application_if_left(&mut self, name: &ApplicationName) {
        let is_dying = self.applications.get(name).is_some_and(|application| application.life != Life::Alive);
        if !is_dying || self.units_of(name).next().is_some() {
            return;
        }
        let peers: Vec<u32> = self
            .relations
            .values()
            .filter(|relation| relation.is_peer() && relation.end(name).is_some())
            .map(|relation| relation.number)
            .collect();
        for number in peers {
            self.end_relation(number);
        }
        // A relation whose other side still has units in it keeps a name, not an application.
        self.applications.remove(name);
        self.secrets.retain(|_, secret| secret.owner != Party::Application(name.clone()));
    }
}

/// The address of the only unit on a machine.
fn machine_address(machine: u32) -> Ipv4Addr {
    // 10.1.0.1 and on: the last three bytes are a number.
    Ipv4Addr::from_bits(0x0a01_0001_u32.wrapping_add(machine))
}
