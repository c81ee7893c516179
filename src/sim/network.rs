//! What happens to addresses, machines, and relations with other models.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use charms_reactive_core::UnitName;

use crate::error::{ModelError, SimError};
use crate::model::{Network, Payload};
use crate::operator::acted;
use crate::sim::Sim;

impl Sim {
    /// Gives the machine or pod of a unit another address: `config-changed` for all units on it.
    pub fn set_address(&mut self, unit: &str, address: Ipv4Addr) -> Result<(), SimError> {
        let machine = self.model.unit(&UnitName::parse(unit)?)?.machine;
        for unit in self.model.units.values_mut().filter(|unit| unit.machine == machine) {
            unit.address = address;
        }
        self.model.journal.record(acted(format!("give {unit} the address {address}")));
        Ok(())
    }

    /// Gives a binding of a unit addresses of its own: `config-changed` for the unit.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoBinding`] when the charm has no endpoint and no extra binding of this name.
    pub fn set_network(&mut self, unit: &str, binding: &str, network: Network) -> Result<(), SimError> {
        self.model.act(format!("give {binding} of {unit} another network"), |model| {
            let unit = model.unit_mut(&UnitName::parse(unit)?)?;
            if !unit.charm.has_binding(binding) {
                let name = binding.to_owned();
                return Err(ModelError::NoBinding { name, unit: unit.name.clone() }.into());
            }
            unit.networks.insert(binding.to_owned(), network);
            Ok(())
        })
    }

    /// Has the machine of a unit restart: each unit on it that has started gets `start` again.
    pub fn reboot(&mut self, unit: &str) -> Result<(), SimError> {
        self.operator().reboot(unit)
    }

    /// Has a relation with an offer of another model pause: its units depart and break it, as if it
    /// ended.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoOffer`] for a relation within one model.
    pub fn suspend_relation(&mut self, relation: u32) -> Result<(), SimError> {
        self.model.act(format!("suspend relation {relation}"), |model| Ok(model.suspend(relation, true)?))
    }

    /// Has a relation go on that was suspended: it begins again, with `-created`.
    pub fn resume_relation(&mut self, relation: u32) -> Result<(), SimError> {
        self.model.act(format!("resume relation {relation}"), |model| Ok(model.suspend(relation, false)?))
    }

    /// The payloads that a unit has registered, by class and id (to Juju 3).
    pub fn payloads(&self, unit: &str) -> Result<BTreeMap<(String, String), Payload>, SimError> {
        Ok(self.model.unit(&UnitName::parse(unit)?)?.payloads.clone())
    }
}
