//! Subordinates: units that live beside a unit of another application.

use charms_reactive_core::UnitName;

use super::unit::Place;
use super::{Life, Model, Relation, Unit};
use crate::event::Event;

impl Model {
    /// Whether a unit can take part in a relation of its application.
    ///
    /// A subordinate enters a relation of scope `container` only with its principal's application, or
    /// with another subordinate.  A principal waits until its old subordinate is gone.
    ///
    /// # Source
    ///
    /// `juju/juju:state/relationunit.go`, `Valid` and `EnterScope`.
    pub(crate) fn may_enter(&self, unit: &Unit, relation: &Relation) -> bool {
        if !relation.is_container {
            return true;
        }
        let remote = &relation.remote_end(unit.name.application()).application;
        if let Some(principal) = &unit.principal {
            return principal.application() == remote || self.is_subordinate(remote);
        }
        let is_old = |other: &Unit| other.principal.as_ref() == Some(&unit.name) && other.life != Life::Alive;
        !self.units_of(remote).any(is_old)
    }

    /// Whether the units of an application live beside others.
    pub(crate) fn is_subordinate(&self, application: &charms_reactive_core::ApplicationName) -> bool {
        self.applications.get(application).is_some_and(|application| application.charm.is_subordinate)
    }

    /// Puts a subordinate beside a unit that has just entered a relation with it.
    ///
    /// # Source
    ///
    /// `juju/juju:state/relationunit.go`, `subordinateOps`: one for each principal and application.
    pub(super) fn add_subordinate(&mut self, principal: &UnitName, relation: u32) {
        let (Some(unit), Some(relation)) = (self.units.get(principal), self.relations.get(&relation)) else {
            return;
        };
        let remote = relation.remote_end(principal.application()).application.clone();
        let is_there = self.units_of(&remote).any(|other| other.principal.as_ref() == Some(principal));
        if !relation.is_container || unit.principal.is_some() || is_there || !self.is_subordinate(&remote) {
            return;
        }
        let place =
            Place { machine: unit.machine, address: unit.address, principal: Some(principal.clone()) };
        // The application was found above, and is alive as long as its relations are.
        drop(self.place_unit(&remote, place));
    }

    /// Has the subordinates of a unit go that goes itself.
    ///
    /// # Source
    ///
    /// `U/relation/resolver.go`, `maybeDestroySubordinates`.
    pub(super) fn end_subordinates(&mut self, principal: &UnitName) {
        if self.units.get(principal).is_none_or(|unit| unit.life == Life::Alive) {
            return;
        }
        for name in self.subordinates(principal) {
            self.end_unit(&name);
        }
    }

    /// Has a subordinate go that shares no relation with its principal any more.
    ///
    /// # Source
    ///
    /// `U/relation/statetracker.go`, `SynchronizeScopes`.
    pub(super) fn end_left_alone(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get(name) else { return };
        let Some(principal) = &unit.principal else { return };
        let holds = |number: &u32| {
            self.relations.get(number).is_some_and(|relation| {
                let remote = &relation.remote_end(name.application()).application;
                relation.is_container && !relation.is_ending() && remote == principal.application()
            })
        };
        if unit.life == Life::Alive && !unit.relations.keys().any(holds) {
            self.end_unit(&name.clone());
        }
    }

    /// The units beside a principal.
    pub(crate) fn subordinates(&self, principal: &UnitName) -> Vec<UnitName> {
        let units = self.units.values().filter(|unit| unit.principal.as_ref() == Some(principal));
        units.map(|unit| unit.name.clone()).collect()
    }

    /// Has a unit's machine or pod restart, with all units on it: `start` comes again for those that
    /// have started.
    pub(crate) fn restart_machine(&mut self, name: &UnitName) {
        let Some(machine) = self.units.get(name).map(|unit| unit.machine) else { return };
        for unit in self.units.values_mut().filter(|unit| unit.machine == machine) {
            unit.is_rebooted = unit.is_started;
        }
    }

    /// Books `remove` as done: the unit is gone, unless subordinates still live beside it.
    ///
    /// # Source
    ///
    /// `U/uniter.go`, `terminate`: an agent waits while its unit has subordinates.
    pub(crate) fn removed(&mut self, name: &UnitName) {
        if self.subordinates(name).is_empty() {
            self.drop_unit(name);
            return;
        }
        if let Some(unit) = self.units.get_mut(name) {
            unit.is_removed = true;
            let unit = name.clone();
            self.journal.record(Event::UnitWaits { unit });
        }
    }
}
