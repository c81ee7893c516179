//! What can be done to a model at any moment, also while a charm runs.

use std::collections::BTreeMap;

use charms_reactive_core::{ApplicationName, UnitName};
use charms_reactive_hookcmd::commands::Party;

use crate::error::{ModelError, SimError};
use crate::event::{Event, party_name};
use crate::model::{Life, Model};

/// A hand on the model: what operators, other charms and bad luck can do to it at any moment.
///
/// [`crate::Sim::operator`] gives one, and so does a fault in the middle of a hook.
#[derive(Debug)]
pub struct Operator<'a> {
    model: &'a mut Model,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(model: &'a mut Model) -> Self {
        Self { model }
    }

    /// Has another unit lead its application.
    pub fn set_leader(&mut self, unit: &str) -> Result<(), SimError> {
        self.model.act(format!("let {unit} lead"), |model| Ok(model.set_leader(&UnitName::parse(unit)?)?))
    }

    /// Takes leadership from a unit that has it.
    ///
    /// The living unit after it leads; where there is none, nobody does, and the unit may claim it again
    /// before its next hook.
    pub fn lose_leadership(&mut self, unit: &UnitName) {
        if !self.model.is_leader(unit) {
            return;
        }
        self.model.journal.hold();
        let others: Vec<UnitName> = self
            .model
            .units_of(unit.application())
            .filter(|other| other.life == Life::Alive && other.name != *unit)
            .map(|other| other.name.clone())
            .collect();
        match others.iter().find(|other| *other > unit).or(others.first()) {
            Some(other) => self.model.set_leader(other).expect("a living unit may lead"),
            None => self.model.depose(unit),
        }
        self.model.journal.release(Some(acted(format!("take leadership from {unit}"))));
    }

    /// Sets options from texts, which are read by the options' types; all or none.
    pub fn configure(&mut self, application: &str, options: &[(&str, &str)]) -> Result<(), SimError> {
        let name = ApplicationName::parse(application)?;
        self.model.act(configuring(application, options), |model| {
            Ok(model.application_mut(&name)?.configure(options)?)
        })
    }

    /// Has a unit go, through its last hooks.
    pub fn remove_unit(&mut self, unit: &str) -> Result<(), SimError> {
        self.model.act(format!("remove {unit}"), |model| Ok(model.remove_unit(&UnitName::parse(unit)?)?))
    }

    /// Has a relation go, through the last hooks of its units.
    pub fn remove_relation(&mut self, relation: u32) -> Result<(), SimError> {
        self.model.act(format!("remove relation {relation}"), |model| Ok(model.remove_relation(relation)?))
    }

    /// Relates two endpoints, as [`crate::Sim::relate`] does.
    pub fn relate(&mut self, one: &str, other: &str) -> Result<u32, SimError> {
        self.model.act(format!("relate {one} with {other}"), |model| model.relate(one, other))
    }

    /// Writes a key of a databag as its owner would, at once; an empty text removes it.
    pub fn write_databag(
        &mut self,
        relation: u32,
        party: &Party,
        key: &str,
        text: &str,
    ) -> Result<(), SimError> {
        let what = format!("write {key} into the databag of {} in relation {relation}", party_name(party));
        self.model.act(what, |model| {
            model.relation(relation)?;
            model.write_databag(relation, party, &BTreeMap::from([(key.to_owned(), text.to_owned())]));
            Ok(())
        })
    }

    /// Has the machine of a unit restart: once the unit has started, `start` comes again.
    pub fn reboot(&mut self, unit: &str) -> Result<(), SimError> {
        self.model.act(format!("reboot {unit}"), |model| {
            let unit = model.unit(&UnitName::parse(unit)?)?.name.clone();
            model.restart_machine(&unit);
            Ok(())
        })
    }

    /// Has a unit go on with the charm that it has: its agent learns of upgrades only once it is let go.
    ///
    /// Juju leaves open when the agents of an application learn of an upgrade, and in which order.
    pub fn hold_upgrade(&mut self, unit: &str) -> Result<(), SimError> {
        self.model.act(format!("hold the upgrade of {unit} back"), |model| {
            model.unit_mut(&UnitName::parse(unit)?)?.is_upgrade_held = true;
            Ok(())
        })
    }

    /// Has a unit take over an upgrade that it was held back from.
    pub fn release_upgrade(&mut self, unit: &str) -> Result<(), SimError> {
        self.model.act(format!("let the upgrade of {unit} go on"), |model| {
            let unit = UnitName::parse(unit)?;
            model.unit_mut(&unit)?.is_upgrade_held = false;
            model.roll_pods(unit.application());
            Ok(())
        })
    }

    /// Has the cloud say in which zone a unit's machine is, `JUJU_AVAILABILITY_ZONE`.
    pub fn set_zone(&mut self, unit: &str, zone: &str) -> Result<(), SimError> {
        self.model.act(format!("move {unit} to zone {zone}"), |model| {
            zone.clone_into(&mut model.unit_mut(&UnitName::parse(unit)?)?.zone);
            Ok(())
        })
    }

    /// Gives the model a proxy, as `juju model-config` does: `http-proxy`, `https-proxy`, `ftp-proxy`, `no-proxy`,
    /// each also with `juju-` before it.
    ///
    /// # Errors
    ///
    /// [`ModelError::NotModelled`] for every other setting.
    pub fn set_proxy(&mut self, setting: &str, value: &str) -> Result<(), SimError> {
        let kind = setting.strip_prefix("juju-").unwrap_or(setting);
        if !["http-proxy", "https-proxy", "ftp-proxy", "no-proxy"].contains(&kind) {
            return Err(ModelError::NotModelled { what: "other settings of a model than proxies" }.into());
        }
        self.model.journal.record(acted(format!("set {setting} to {value}")));
        self.model.proxies.insert(setting.to_owned(), value.to_owned());
        Ok(())
    }

    /// Gives a unit another address, which `config-changed` and its databags will tell.
    pub fn change_address(&mut self, unit: &UnitName) {
        let address = self.model.next_address();
        if let Some(known) = self.model.units.get_mut(unit) {
            known.address = address;
            self.model.journal.record(acted(format!("give {unit} another address")));
        }
    }

    /// Takes back every right to read a secret, but its owner's.
    pub fn revoke_secret(&mut self, id: &str) {
        let id = id.strip_prefix("secret:").unwrap_or(id);
        if let Some(secret) = self.model.secrets.get_mut(id) {
            secret.grants.clear();
            self.model.journal.record(acted(format!("revoke secret:{id}")));
        }
    }

    /// The ids of all secrets.
    pub fn secrets(&self) -> Vec<String> {
        self.model.secrets.keys().map(|id| format!("secret:{id}")).collect()
    }

    /// Loses a unit with its machine: no hook of it runs any more, others see it depart.
    pub fn lose_unit(&mut self, unit: &str) -> Result<(), SimError> {
        let name = UnitName::parse(unit)?;
        if !self.model.units.contains_key(&name) {
            return Err(ModelError::NoUnit { name }.into());
        }
        self.model.act(format!("lose {unit}"), |model| {
            model.drop_unit(&name);
            Ok(())
        })
    }
}

impl Model {
    /// Does something to the model, and tells what before what follows from it; nothing when it is refused.
    pub(crate) fn act<T>(
        &mut self,
        what: String,
        act: impl FnOnce(&mut Self) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        self.journal.hold();
        let result = act(self);
        self.journal.release(result.is_ok().then(|| acted(what)));
        result
    }
}

pub(crate) fn acted(what: String) -> Event {
    Event::OperatorActed { what }
}

/// Options that are set, in words.
pub(crate) fn configuring(application: &str, options: &[(&str, &str)]) -> String {
    let options: Vec<String> = options.iter().map(|(option, text)| format!("{option}={text}")).collect();
    format!("configure {application} {}", options.join(" "))
}
