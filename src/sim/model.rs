//! The model: applications, units, relations, and what an operator can do to them.
//!
//! Nothing in here runs a hook.  [`crate::schedule`] decides which one is next, [`crate::run`] holds
//! what one run sees and stages, [`crate::commit`] makes that part of the model.

mod application;
mod network;
mod operator;
mod relation;
mod storage;
mod subordinate;
mod unit;
mod workload;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::time::Duration;

use charms_reactive_core::{ApplicationName, UnitName};
use charms_reactive_hookcmd::commands::Party;

pub(crate) use application::{Application, Home, PodSpecKind, Resource};
pub use network::Network;
pub(crate) use relation::{Bag, End, Relation, compared_as_text, sorted_as_text};
pub(crate) use storage::{Storage, StorageId};
pub(crate) use unit::{
    Failed, Hook, HookRelation, HookSecret, Membership, OpenPort, PortRange, SeriesStep, Tracked, Unit,
};
pub use unit::{Life, Payload, StatusEntry};

use crate::action::ActionTask;
use crate::error::ModelError;
use crate::event::{Event, Journal};
use crate::random::Random;
use crate::secret::Secret;
use crate::version::JujuVersion;

/// What the units of a model live on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Substrate {
    /// Machines, of which subordinates share one.
    #[default]
    Machine,
    /// Pods of a Kubernetes cluster.
    Kubernetes,
}

/// Everything that Juju's controller and agents know.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) juju: JujuVersion,
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) applications: BTreeMap<ApplicationName, Application>,
    pub(crate) units: BTreeMap<UnitName, Unit>,
    pub(crate) relations: BTreeMap<u32, Relation>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) storage: BTreeMap<StorageId, Storage>,
    /// Actions that were asked for, by number.
    pub(crate) actions: BTreeMap<u32, ActionTask>,
    pub(crate) substrate: Substrate,
    /// What the clock said when the charm was started that runs.
    pub(crate) now: Duration,
    /// Where storage and the units' resources are.
    pub(crate) root: PathBuf,
    /// Whether the cloud makes new storage only when it is asked to.
    pub(crate) is_storage_held: bool,
    /// Proxies by the setting of the model.
    pub(crate) proxies: BTreeMap<String, String>,
    /// What `credential-get` tells applications that are trusted.
    pub(crate) credential: Option<serde_json::Value>,
    /// The colour and the text of the model's meter (to Juju 3).
    pub(crate) meter: (String, String),
    /// Chance for the order of hooks alone, so that looking at a unit does not change what follows.
    pub(crate) random: Random,
    /// Chance for ids.
    pub(crate) ids: Random,
    pub(crate) journal: Journal,
    relations_made: u32,
    machines_made: u32,
    addresses_made: u32,
    services_made: u32,
    storage_made: u32,
    actions_made: u32,
    versions_made: u64,
}

impl Model {
    pub(crate) fn new(juju: JujuVersion, name: &str, seed: u64) -> Self {
        let mut ids = Random::new(!seed);
        let uuid = new_uuid(&mut ids);
        Self {
            juju,
            name: name.to_owned(),
            uuid,
            applications: BTreeMap::new(),
            units: BTreeMap::new(),
            relations: BTreeMap::new(),
            secrets: BTreeMap::new(),
            storage: BTreeMap::new(),
            actions: BTreeMap::new(),
            substrate: Substrate::default(),
            now: Duration::ZERO,
            root: PathBuf::new(),
            is_storage_held: false,
            proxies: BTreeMap::new(),
            credential: None,
            meter: ("AMBER".to_owned(), "not set".to_owned()),
            random: Random::new(seed),
            ids,
            journal: Journal::default(),
            relations_made: 0,
            machines_made: 0,
            addresses_made: 0,
            services_made: 0,
            storage_made: 0,
            actions_made: 0,
            versions_made: 0,
        }
    }

    pub(crate) fn application(&self, name: &ApplicationName) -> Result<&Application, ModelError> {
        self.applications.get(name).ok_or_else(|| ModelError::NoApplication { name: name.clone() })
    }

    pub(crate) fn application_mut(&mut self, name: &ApplicationName) -> Result<&mut Application, ModelError> {
        self.applications.get_mut(name).ok_or_else(|| ModelError::NoApplication { name: name.clone() })
    }

    pub(crate) fn unit(&self, name: &UnitName) -> Result<&Unit, ModelError> {
        self.units.get(name).ok_or_else(|| ModelError::NoUnit { name: name.clone() })
    }

    pub(crate) fn unit_mut(&mut self, name: &UnitName) -> Result<&mut Unit, ModelError> {
        self.units.get_mut(name).ok_or_else(|| ModelError::NoUnit { name: name.clone() })
    }

    pub(crate) fn relation(&self, number: u32) -> Result<&Relation, ModelError> {
        self.relations.get(&number).ok_or(ModelError::NoRelation { number })
    }

    /// Name and UUID of the model that an application is in.
    pub(crate) fn home_of(&self, application: &ApplicationName) -> (&str, &str) {
        let home = self.applications.get(application).and_then(|application| application.home.as_deref());
        home.map_or((&self.name, &self.uuid), |home| (&home.name, &home.uuid))
    }

    /// The units of an application, by number.
    pub(crate) fn units_of(&self, application: &ApplicationName) -> impl DoubleEndedIterator<Item = &Unit> {
        self.units.values().filter(move |unit| unit.name.application() == application)
    }

    /// A number that no databag or setting has had.
    pub(crate) fn next_version(&mut self) -> u64 {
        self.versions_made += 1;
        self.versions_made
    }

    /// The id of the next action.
    pub(crate) fn next_action(&mut self) -> u32 {
        self.actions_made += 1;
        self.actions_made
    }

    /// Whether this unit leads its application.
    pub(crate) fn is_leader(&self, unit: &UnitName) -> bool {
        self.applications.get(unit.application()).and_then(|application| application.leader.as_ref())
            == Some(unit)
    }

    /// The version of the data of `other`, where `unit` can see it in a relation.
    ///
    /// A unit that is dying is not seen any more, although it still takes part.  Through a relation of
    /// scope `container` a unit sees only those beside it.
    ///
    /// # Source
    ///
    /// `juju/juju:state/cleanup.go`, `cleanupDyingUnit`: a dying unit is reported as departed at once;
    /// `juju/juju:state/relation.go`, `unitScope`: the key of a container's scope names the principal.
    pub(crate) fn remote_version(
        &self,
        relation: &Relation,
        unit: &UnitName,
        other: &UnitName,
    ) -> Option<u64> {
        let is_seen = |seen: &Unit| {
            let group = || self.units.get(unit).map(Unit::group);
            seen.life == Life::Alive && (!relation.is_container || Some(seen.group()) == group())
        };
        let is_remote = other != unit
            && *other.application() == relation.remote_end(unit.application()).application
            && relation.scope.contains(other)
            && self.units.get(other).is_some_and(is_seen);
        is_remote.then(|| relation.unit_bags.get(other).map_or(0, |bag| bag.version))
    }

    /// The values of all options as a unit sees them.
    pub(crate) fn config(&self, unit: &Unit) -> serde_json::Map<String, serde_json::Value> {
        let application = self.applications.get(unit.name.application());
        application.map(|application| application.config(&unit.charm)).unwrap_or_default()
    }

    /// The digest of what makes `config-changed` due when it changes: settings, trust and addresses.
    ///
    /// It is asked for before every hook, so nothing is copied for it.
    ///
    /// # Source
    ///
    /// `U/resolver.go`, `nextOp`: hashes of configuration, trust and addresses.
    pub(crate) fn config_digest(&self, unit: &Unit) -> u64 {
        let mut hasher = DefaultHasher::new();
        if let Some(application) = self.applications.get(unit.name.application()) {
            for (name, value) in application.options(&unit.charm) {
                (name, value).hash(&mut hasher);
            }
            application.is_trusted.hash(&mut hasher);
            application.service_address.hash(&mut hasher);
        }
        unit.address.hash(&mut hasher);
        for (binding, network) in &unit.networks {
            (binding, network).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Has a unit take part in the relations of its application, once it is installed.
    ///
    /// # Source
    ///
    /// `U/relation/statetracker.go`, `SynchronizeScopes`, called by the resolver of `-created` hooks
    /// for units that are installed, alive and between operations.
    pub(crate) fn synchronize_scopes(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get(name) else { return };
        if !unit.is_installed || unit.failed.is_some() || unit.queued.is_some() {
            return;
        }
        self.leave_unseen(name);
        self.end_subordinates(name);
        let Some(unit) = self.units.get(name) else { return };
        if unit.life != Life::Alive {
            return;
        }
        let new: Vec<u32> = self
            .relations
            .values()
            .filter(|relation| !unit.relations.contains_key(&relation.number))
            .filter(|relation| !relation.is_ending() && relation.end(name.application()).is_some())
            .filter(|relation| self.may_enter(unit, relation))
            .map(|relation| relation.number)
            .collect();
        for number in new {
            let bag = Bag { databag: self.automatic_keys(name, number), version: self.next_version() };
            for (key, value) in bag.databag.iter() {
                self.journal.record(Event::DatabagChanged {
                    relation: number,
                    party: Party::Unit(name.clone()),
                    key: key.to_owned(),
                    old: None,
                    new: Some(value.to_owned()),
                });
            }
            let relation = self.relations.get_mut(&number).expect("the number is of a relation");
            relation.unit_bags.insert(name.clone(), bag);
            relation.scope.insert(name.clone());
            let unit = self.units.get_mut(name).expect("the unit was found above");
            unit.relations.insert(number, Membership::default());
            self.add_subordinate(name, number);
        }
        self.end_left_alone(name);
    }

    /// Has a unit leave relations that end before the charm was told of them: without any hook.
    fn leave_unseen(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get(name) else { return };
        let is_ending = |number: &u32| {
            let relation = self.relations.get(number);
            unit.life != Life::Alive || relation.is_none_or(Relation::is_ending)
        };
        // Of an implicit endpoint no hook is ever run, so nothing was created.
        let unseen = unit.relations.iter().filter(|(number, seen)| !seen.is_created && is_ending(number));
        let unseen: Vec<u32> = unseen.map(|(number, _)| *number).collect();
        for number in unseen {
            self.leave_scope(name, number);
        }
    }

    /// Has a unit leave a relation; a dying relation without units is gone.
    pub(crate) fn leave_scope(&mut self, name: &UnitName, number: u32) {
        if let Some(unit) = self.units.get_mut(name) {
            unit.relations.remove(&number);
        }
        if let Some(relation) = self.relations.get_mut(&number) {
            relation.scope.remove(name);
        }
        self.drop_relation_if_left(number);
    }

    fn drop_relation_if_left(&mut self, number: u32) {
        let is_left = self
            .relations
            .get(&number)
            .is_some_and(|relation| relation.life == Life::Dying && relation.scope.is_empty());
        if is_left {
            self.relations.remove(&number);
            self.journal.record(Event::Unrelated { relation: number });
        }
    }

    /// Writes into a databag.  Tells whether anything is other than before.
    pub(crate) fn write_databag(
        &mut self,
        number: u32,
        party: &Party,
        changes: &BTreeMap<String, String>,
    ) -> bool {
        let version = self.versions_made + 1;
        let Some(relation) = self.relations.get_mut(&number) else { return false };
        let bag = match party {
            Party::Unit(unit) => relation.unit_bags.entry(unit.clone()).or_default(),
            Party::Application(application) => {
                relation.application_bags.entry(application.clone()).or_default()
            }
        };
        let mut is_changed = false;
        for (key, value) in changes {
            let old = bag.databag.text(key).map(str::to_owned);
            if bag.databag.set(key, value) {
                is_changed = true;
                let new = Some(value.clone()).filter(|value| !value.is_empty());
                let (party, key) = (party.clone(), key.clone());
                self.journal.record(Event::DatabagChanged { relation: number, party, key, old, new });
            }
        }
        if is_changed {
            bag.version = version;
            self.versions_made = version;
        }
        is_changed
    }

    /// Shows a workload status.
    pub(crate) fn set_status(&mut self, name: &UnitName, entry: StatusEntry) {
        let Some(unit) = self.units.get_mut(name) else { return };
        if unit.workload != entry {
            unit.workload = entry.clone();
            let party = Party::Unit(name.clone());
            let StatusEntry { status, message } = entry;
            self.journal.record(Event::StatusChanged { party, status, message });
        }
    }
}

/// A version 4 UUID.
pub(crate) fn new_uuid(ids: &mut Random) -> String {
    let hex = ids.hex(30);
    // 13th digit 4, 17th one of 8 to b.
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}
