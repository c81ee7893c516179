//! Storage: instances, who has them, and whether they are there yet.

use std::fmt;
use std::path::PathBuf;

use charms_reactive_core::{ApplicationName, HookEvent, StorageEvent, UnitName};

use super::{Hook, Life, Model, Unit};
use crate::error::ModelError;
use crate::event::Event;
use crate::metadata::StorageKind;

/// The id of a storage instance, for example `data/0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StorageId {
    pub(crate) name: String,
    pub(crate) number: u32,
}

impl StorageId {
    /// Reads `data/0`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, number) = text.split_once('/')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { name: name.to_owned(), number: is_number.then(|| number.parse().ok()).flatten()? })
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.number)
    }
}

/// A storage instance.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) kind: StorageKind,
    pub(crate) location: PathBuf,
    /// The unit that has it; none once it was detached.
    pub(crate) unit: Option<UnitName>,
    /// Whether the attachment stays.
    pub(crate) life: Life,
    /// Whether the cloud has made it.
    pub(crate) is_there: bool,
    /// Whether it goes with its attachment.
    pub(crate) is_removed: bool,
}

impl Model {
    /// The storage of a unit, by id.
    pub(crate) fn storage_of(&self, unit: &UnitName) -> impl Iterator<Item = (&StorageId, &Storage)> {
        self.storage.iter().filter(move |(_, storage)| storage.unit.as_ref() == Some(unit))
    }

    /// How many instances of one storage a unit has.
    pub(crate) fn storage_count(&self, unit: &UnitName, name: &str) -> usize {
        self.storage_of(unit).filter(|(id, _)| id.name == name).count()
    }

    /// Gives a unit new instances of a storage of its charm.
    ///
    /// # Source
    ///
    /// `juju/juju:state/storage.go`, `createStorageOps`: one count for the ids of all names.
    pub(crate) fn add_storage(&mut self, unit: &UnitName, name: &str, count: u32) {
        let charm = self.applications.get(unit.application()).map(|application| &application.charm);
        let Some(kind) = charm.and_then(|charm| charm.storage.get(name)).map(|spec| spec.kind) else {
            return;
        };
        for _ in 0..count {
            let id = StorageId { name: name.to_owned(), number: self.storage_made };
            self.storage_made += 1;
            let storage = Storage {
                kind,
                location: self.root.join("storage").join(format!("{name}-{}", id.number)),
                unit: Some(unit.clone()),
                life: Life::Alive,
                is_there: !self.is_storage_held,
                is_removed: false,
            };
            self.journal.record(Event::StorageAdded { unit: unit.clone(), storage: id.to_string() });
            self.storage.insert(id, storage);
        }
    }

    /// Gives units what a new charm of theirs needs and the old one did not.
    ///
    /// # Source
    ///
    /// `juju/juju:state/application.go`, `upgradeStorageOps`.
    pub(crate) fn add_missing_storage(&mut self, application: &ApplicationName) {
        let Some(known) = self.applications.get_mut(application) else { return };
        let wanted: Vec<(String, u32)> =
            known.charm.storage.iter().map(|(name, spec)| (name.clone(), spec.least)).collect();
        for (name, least) in &wanted {
            let count = known.storage.entry(name.clone()).or_default();
            *count = (*count).max(*least);
        }
        let units: Vec<UnitName> = self.units_of(application).map(|unit| unit.name.clone()).collect();
        for unit in units {
            for (name, least) in &wanted {
                let there = u32::try_from(self.storage_count(&unit, name)).unwrap_or(u32::MAX);
                self.add_storage(&unit, name, least.saturating_sub(there));
            }
        }
    }

    /// What keeps a unit from having more instances of a storage.
    ///
    /// # Source
    ///
    /// `juju/juju:state/storage.go`, `addStorageForUnitOps`.
    pub(crate) fn storage_refusal(&self, unit: &Unit, name: &str, count: u32) -> Option<String> {
        let Some(spec) = unit.charm.storage.get(name) else {
            return Some(format!("charm storage \"{name}\" not found"));
        };
        let there = u32::try_from(self.storage_count(&unit.name, name)).unwrap_or(u32::MAX);
        let total = there.saturating_add(count);
        let most = spec.most.filter(|most| total > *most)?;
        let plural = if count == 1 { "" } else { "s" };
        Some(format!(
            "adding {count} storage instance{plural} brings the total to {total}, exceeding the maximum of {most}"
        ))
    }

    /// The hooks for a unit's storage, any of which may come first.
    ///
    /// # Source
    ///
    /// `U/storage/resolver.go`, `nextHookOp`: the order is that of a Go map.
    pub(crate) fn storage_hooks(&self, unit: &Unit) -> Vec<Hook> {
        if self.storage.is_empty() {
            return Vec::new();
        }
        let is_dying = unit.life != Life::Alive;
        let due = self.storage_of(&unit.name).filter_map(|(id, storage)| {
            let is_shown = unit.storage_shown.contains(id);
            let is_ending = is_dying || storage.life != Life::Alive;
            let event = match (is_ending, is_shown) {
                (false, false) if storage.is_there => StorageEvent::Attached,
                (true, true) => StorageEvent::Detaching,
                _ => return None,
            };
            let event = HookEvent::Storage { storage: id.name.clone(), event };
            Some(Hook { storage: Some(id.clone()), ..Hook::plain(event) })
        });
        due.collect()
    }

    /// Whether a unit waits for storage that the cloud has not made yet.
    pub(crate) fn is_storage_awaited(&self, unit: &Unit) -> bool {
        self.storage_of(&unit.name).any(|(id, storage)| {
            storage.life == Life::Alive && !storage.is_there && !unit.storage_shown.contains(id)
        })
    }

    /// Takes away attachments that end before the charm was told of them: neither hook is run.
    ///
    /// # Source
    ///
    /// `U/storage/resolver.go`, `maybeShortCircuitRemoval`.
    pub(crate) fn drop_unseen_storage(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get(name) else { return };
        let is_dying = unit.life != Life::Alive;
        let unseen = self.storage_of(name).filter(|(id, storage)| {
            (is_dying || storage.life != Life::Alive) && !unit.storage_shown.contains(*id)
        });
        let unseen: Vec<StorageId> = unseen.map(|(id, _)| id.clone()).collect();
        for id in unseen {
            self.detached(name, &id);
        }
    }

    /// Books an attachment as gone; the instance stays, unless it was to go too.
    pub(crate) fn detached(&mut self, name: &UnitName, id: &StorageId) {
        if let Some(unit) = self.units.get_mut(name) {
            unit.storage_shown.remove(id);
        }
        let Some(storage) = self.storage.get_mut(id) else { return };
        storage.unit = None;
        storage.life = Life::Alive;
        let is_removed = storage.is_removed;
        if is_removed {
            self.storage.remove(id);
        }
        let (unit, storage) = (name.clone(), id.to_string());
        self.journal.record(Event::StorageDetached { unit, storage, is_removed });
    }

    /// The instance of this id.
    pub(crate) fn known_storage(&self, text: &str) -> Result<StorageId, ModelError> {
        let id = StorageId::parse(text).filter(|id| self.storage.contains_key(id));
        id.ok_or_else(|| ModelError::NoStorage { id: text.to_owned() })
    }

    /// Has an attachment go, and the instance with it where `is_removed` says so.
    pub(crate) fn detach_storage(&mut self, text: &str, is_removed: bool) -> Result<(), ModelError> {
        let id = self.known_storage(text)?;
        let unit = self.storage.get(&id).and_then(|storage| storage.unit.clone());
        let Some(unit) = unit else {
            if is_removed {
                self.storage.remove(&id);
                return Ok(());
            }
            return Err(ModelError::StorageNotAttached { id: text.to_owned() });
        };
        let least = self.unit(&unit)?.charm.storage.get(&id.name).map_or(0, |spec| spec.least);
        let left = self.storage_count(&unit, &id.name).saturating_sub(1);
        if left < least as usize {
            let reason = format!(
                "removing 1 storage instance brings the total to {left}, which is less than the minimum of {least}"
            );
            return Err(ModelError::StorageCount { name: id.name, reason });
        }
        if let Some(storage) = self.storage.get_mut(&id) {
            storage.life = Life::Dying;
            storage.is_removed = is_removed;
        }
        self.drop_unseen_storage(&unit);
        Ok(())
    }

    /// Gives a unit an instance that nobody has.
    pub(crate) fn attach_storage(&mut self, name: &UnitName, text: &str) -> Result<(), ModelError> {
        let id = self.known_storage(text)?;
        let unit = self.unit(name)?;
        if unit.life != Life::Alive {
            return Err(ModelError::NotAlive { what: name.to_string() });
        }
        if let Some(reason) = self.storage_refusal(unit, &id.name, 1) {
            return Err(ModelError::StorageCount { name: id.name, reason });
        }
        match self.storage.get_mut(&id) {
            Some(storage) if storage.unit.is_none() => {
                storage.unit = Some(name.clone());
                Ok(())
            }
            _ => Err(ModelError::StorageAttached { id: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_and_a_number() {
        for (text, expected) in [
            ("data/0", Some("data/0")),
            ("multi-fs/12", Some("multi-fs/12")),
            ("data", None),
            ("data/", None),
            ("data/+1", None),
            ("data/x", None),
        ] {
            let found = StorageId::parse(text).map(|id| id.to_string());
            assert_eq!(found.as_deref(), expected, "`{text}`");
        }
    }
}
