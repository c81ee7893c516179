//! What an operator does to the model: deploy, relate, configure, scale, remove.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::rc::Rc;

use charms_reactive_core::{ApplicationName, EndpointName, EndpointSpec, Role, UnitName};

use charms_reactive_hookcmd::commands::Party;

use super::unit::Place;
use super::{Application, End, Life, Model, Relation, Substrate, Unit};
use crate::deployment::missing_feature;
use crate::error::{ModelError, SimError};
use crate::event::Event;
use crate::metadata::{Charm, JUJU_INFO};

impl Model {
    /// Adds an application without units, and the relation of each of its peer endpoints.
    pub(crate) fn add_application(&mut self, name: &ApplicationName, charm: Charm) -> Result<(), ModelError> {
        if self.applications.contains_key(name) {
            return Err(ModelError::ApplicationExists { name: name.clone() });
        }
        if let Some(assumed) = missing_feature(&charm, self.juju, self.substrate) {
            return Err(ModelError::Assumes { assumed });
        }
        let service = Ipv4Addr::from_bits(0x0a98_b701_u32.wrapping_add(self.services_made));
        self.services_made += 1;
        let mut application = Application::new(name.clone(), Rc::new(charm), service);
        application.storage =
            application.charm.storage.iter().map(|(name, spec)| (name.clone(), spec.least)).collect();
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
            self.add_relation(vec![end], endpoint.interface, false);
        }
    }

    fn add_relation(&mut self, ends: Vec<End>, interface: String, is_container: bool) -> u32 {
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
            is_container,
            is_suspended: false,
            alias: None,
        };
        self.journal.record(Event::Related { relation: number, key: relation.key() });
        self.relations.insert(number, relation);
        number
    }

    /// Adds a unit on a machine of its own; the first one leads.
    pub(crate) fn add_unit(&mut self, name: &ApplicationName) -> Result<UnitName, ModelError> {
        self.refuse_subordinate(name)?;
        let place = Place { machine: self.machines_made, address: self.next_address(), principal: None };
        let unit = self.place_unit(name, place)?;
        self.machines_made += 1;
        Ok(unit)
    }

    /// Adds a unit on a machine that is there already.
    pub(crate) fn add_unit_to(
        &mut self,
        name: &ApplicationName,
        machine: u32,
    ) -> Result<UnitName, ModelError> {
        self.refuse_subordinate(name)?;
        if self.substrate == Substrate::Kubernetes {
            return Err(ModelError::OnlyMachines { what: "a unit placed" });
        }
        let there = self.units.values().find(|unit| unit.machine == machine).map(|unit| unit.address);
        let Some(address) = there else { return Err(ModelError::NoMachine { number: machine }) };
        self.place_unit(name, Place { machine, address, principal: None })
    }

    fn refuse_subordinate(&self, name: &ApplicationName) -> Result<(), ModelError> {
        if self.is_subordinate(name) {
            return Err(ModelError::Subordinate { name: name.clone() });
        }
        Ok(())
    }

    /// Adds a unit where it belongs, with its storage.
    pub(super) fn place_unit(
        &mut self,
        name: &ApplicationName,
        place: Place,
    ) -> Result<UnitName, ModelError> {
        let application = self.application_mut(name)?;
        if application.life != Life::Alive {
            return Err(ModelError::NotAlive { what: name.to_string() });
        }
        let unit_name = UnitName::new(name.clone(), application.units_made);
        application.units_made += 1;
        let storage = application.storage.clone();
        let unit = Unit::new(unit_name.clone(), place, application);
        self.units.insert(unit_name.clone(), unit);
        self.journal.record(Event::UnitAdded { unit: unit_name.clone() });
        for (storage, count) in storage {
            self.add_storage(&unit_name, &storage, count);
        }
        if self.substrate == Substrate::Kubernetes {
            self.start_containers(&unit_name);
        }
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
        let is_container = self.check_scope(&ends)?;
        let consumer = ApplicationName::parse(one.split(':').next().unwrap_or_default())?;
        let alias = self.new_alias(&ends, &consumer)?;
        let number = self.add_relation(ends, interface, is_container);
        if let Some(relation) = self.relations.get_mut(&number) {
            relation.alias = alias;
        }
        Ok(number)
    }

    /// Whether the relation of two endpoints has scope `container`: when either of them says so.
    ///
    /// # Source
    ///
    /// `juju/juju:state/state.go`, `AddRelation`.
    fn check_scope(&self, ends: &[End]) -> Result<bool, ModelError> {
        let is_container = |end: &End| {
            let application = self.applications.get(&end.application);
            application.is_some_and(|application| application.charm.container_scoped.contains(&end.endpoint))
        };
        if !ends.iter().any(is_container) {
            return Ok(false);
        }
        if !ends.iter().any(|end| self.is_subordinate(&end.application)) {
            let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
            return Err(ModelError::NoSubordinate { key: ends.join(" ") });
        }
        Ok(true)
    }

    /// The name under which an offer knows its consumer, when the two are in different models.
    fn new_alias(
        &mut self,
        ends: &[End],
        consumer: &ApplicationName,
    ) -> Result<Option<(ApplicationName, ApplicationName)>, SimError> {
        let homes: Vec<_> = ends
            .iter()
            .map(|end| self.application(&end.application).map(|it| it.home.clone()))
            .collect::<Result<_, _>>()?;
        if homes.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(None);
        }
        let alias = format!("remote-{}", self.ids.hex(32));
        Ok(Some((consumer.clone(), ApplicationName::parse(&alias)?)))
    }

    /// Has a relation with an offer pause: its units leave it as if it ended, and come back later.
    ///
    /// # Source
    ///
    /// `juju/juju:apiserver/facades/client/application`, `SetRelationsSuspended`: offers only.
    pub(crate) fn suspend(&mut self, number: u32, is_suspended: bool) -> Result<(), ModelError> {
        let relation = self.relations.get_mut(&number).ok_or(ModelError::NoRelation { number })?;
        if relation.alias.is_none() {
            return Err(ModelError::NoOffer { key: relation.key() });
        }
        relation.is_suspended = is_suspended;
        Ok(())
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
        // What nobody declared is meant only where nothing else can be.
        let is_implicit = |end: &End| end.endpoint.as_str() == JUJU_INFO && end.role == Role::Provides;
        let is_declared = |(ends, _): &(Vec<End>, String)| !ends.iter().any(is_implicit);
        if pairs.iter().any(is_declared) {
            pairs.retain(is_declared);
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
        let implicit = EndpointSpec {
            name: EndpointName::parse(JUJU_INFO)?,
            role: Role::Provides,
            interface: JUJU_INFO.to_owned(),
        };
        let endpoints = application.charm.metadata.endpoints.iter().chain([&implicit]);
        Ok(endpoints.filter(is_meant).map(|spec| (end(spec), spec.clone())).collect())
    }

    /// What keeps two texts from meaning a pair of endpoints.
    fn why_no_pair(&self, one: &str, other: &str) -> String {
        let described = |text: &str| match self.endpoints(text) {
            Ok(found) if found.is_empty() => format!("`{text}` is no endpoint of its charm"),
            Ok(found) => {
                // The implicit endpoint is worth a word only where it was asked for.
                let words: Vec<_> = found
                    .iter()
                    .filter(|(end, _)| text.contains(':') || end.endpoint.as_str() != JUJU_INFO)
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

    /// Has a unit go; it is gone after its `remove` hook, or at once when nothing of it was ever run.
    ///
    /// # Source
    ///
    /// `juju/juju:apiserver/facades/client/application`, `DestroyUnit`: subordinates go with their
    /// relations, and on Kubernetes only the number of units can be said.
    pub(crate) fn remove_unit(&mut self, name: &UnitName) -> Result<(), ModelError> {
        if self.unit(name)?.principal.is_some() {
            return Err(ModelError::SubordinateUnit { name: name.clone() });
        }
        let is_last = self.units_of(name.application()).next_back().is_some_and(|last| last.name == *name);
        let is_leaving = self.application(name.application())?.life != Life::Alive;
        if self.substrate == Substrate::Kubernetes && !is_last && !is_leaving {
            return Err(ModelError::NotLastPod { name: name.clone() });
        }
        self.end_unit(name);
        Ok(())
    }

    /// Has a unit go, whatever it is.
    pub(crate) fn end_unit(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.life = unit.life.max(Life::Dying);
        let is_untouched = !unit.is_installed && unit.failed.is_none();
        self.drop_unseen_storage(name);
        let has_storage = self.units.get(name).is_some_and(|unit| !unit.storage_shown.is_empty());
        if is_untouched && !has_storage {
            self.drop_unit(name);
        }
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
            self.end_unit(&unit);
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
        // What lies beside a lost machine is lost with it.
        for subordinate in self.subordinates(name) {
            self.drop_unit(&subordinate);
        }
        let storage: Vec<_> = self.storage_of(name).map(|(id, _)| id.clone()).collect();
        for id in storage {
            self.detached(name, &id);
        }
        let principal = self.units.remove(name).and_then(|unit| unit.principal);
        self.secrets.retain(|_, secret| secret.owner != Some(Party::Unit(name.clone())));
        self.journal.record(Event::UnitRemoved { unit: name.clone() });
        if self.is_leader(name) {
            self.make_leader(name.application(), None);
            self.elect(name.application());
        }
        self.drop_application_if_left(name.application());
        // A principal that only waited for this one is gone as well.
        if let Some(principal) = principal
            && self.units.get(&principal).is_some_and(|unit| unit.is_removed)
        {
            self.removed(&principal);
        }
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
        self.secrets.retain(|_, secret| secret.owner != Some(Party::Application(name.clone())));
    }
}
