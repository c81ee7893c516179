//! What an operator does to storage.

use charms_reactive_core::UnitName;

use crate::error::{ModelError, SimError};
use crate::operator::acted;
use crate::sim::Sim;

/// A storage instance, as `juju storage` shows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StorageView {
    /// Its id, for example `data/0`.
    pub id: String,
    /// `filesystem` or `block`.
    pub kind: String,
    /// Where it is: a folder, or a file in place of a device.
    pub location: String,
    /// The unit that has it.
    pub unit: Option<UnitName>,
    /// Whether the cloud has made it.
    pub is_there: bool,
}

impl Sim {
    /// All storage of the model.
    ///
    /// # Where it differs
    ///
    /// Juju mounts a filesystem where the charm's metadata says; here each instance is a folder of its
    /// own below the simulation's, so that nothing outside of it is touched.
    pub fn storage(&self) -> Vec<StorageView> {
        let view = |(id, storage): (&crate::model::StorageId, &crate::model::Storage)| StorageView {
            id: id.to_string(),
            kind: storage.kind.as_str().to_owned(),
            location: storage.location.display().to_string(),
            unit: storage.unit.clone(),
            is_there: storage.is_there,
        };
        self.model.storage.iter().map(view).collect()
    }

    /// Has the cloud take its time: storage that is asked for from now on is there only after
    /// [`Sim::provide_storage`].
    pub fn hold_storage(&mut self, is_held: bool) {
        let what = if is_held { "hold storage back" } else { "provide storage again" };
        self.model.journal.record(acted(what.to_owned()));
        self.model.is_storage_held = is_held;
    }

    /// The cloud has made a storage instance.
    pub fn provide_storage(&mut self, id: &str) -> Result<(), SimError> {
        let id = self.model.known_storage(id)?;
        self.model.journal.record(acted(format!("provide storage {id}")));
        if let Some(storage) = self.model.storage.get_mut(&id) {
            storage.is_there = true;
        }
        Ok(())
    }

    /// Gives a unit more storage, as `juju add-storage` does.
    ///
    /// # Errors
    ///
    /// [`ModelError::StorageCount`] when the charm does not take so much.
    pub fn add_storage(&mut self, unit: &str, name: &str, count: u32) -> Result<(), SimError> {
        let unit = UnitName::parse(unit)?;
        if let Some(reason) = self.model.storage_refusal(self.model.unit(&unit)?, name, count) {
            return Err(ModelError::StorageCount { name: name.to_owned(), reason }.into());
        }
        self.model.act(format!("add storage {name} to {unit}, {count} times"), |model| {
            model.add_storage(&unit, name, count);
            Ok(())
        })
    }

    /// Has a unit give up a storage instance, which stays.
    ///
    /// # Errors
    ///
    /// [`ModelError::StorageCount`] when the charm needs it.
    pub fn detach_storage(&mut self, id: &str) -> Result<(), SimError> {
        self.model.act(format!("detach storage {id}"), |model| Ok(model.detach_storage(id, false)?))
    }

    /// Has a storage instance go, after its unit has given it up.
    ///
    /// # Errors
    ///
    /// As for [`Sim::detach_storage`].
    pub fn remove_storage(&mut self, id: &str) -> Result<(), SimError> {
        self.model.act(format!("remove storage {id}"), |model| Ok(model.detach_storage(id, true)?))
    }

    /// Gives a unit a storage instance that nobody has.
    pub fn attach_storage(&mut self, unit: &str, id: &str) -> Result<(), SimError> {
        let what = format!("attach storage {id} to {unit}");
        self.model.act(what, |model| Ok(model.attach_storage(&UnitName::parse(unit)?, id)?))
    }
}
