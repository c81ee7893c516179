//! Secrets: revisions of content, who may read them, and who tracks which.

use std::collections::{BTreeMap, BTreeSet};

use charms_reactive_core::{ApplicationName, UnitName};
use charms_reactive_hookcmd::commands::Party;

use crate::model::{HookSecret, Life, Model, Unit};

/// A secret of a unit or an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) owner: Party,
    pub(crate) label: Option<String>,
    pub(crate) description: String,
    pub(crate) rotation: String,
    pub(crate) expiry: Option<String>,
    /// Keys and contents in base64, by revision; the last one is the newest.
    pub(crate) revisions: BTreeMap<u32, BTreeMap<String, String>>,
    /// Who may read it, and through which relation.
    pub(crate) grants: BTreeSet<Grant>,
}

/// A right to read a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    pub(crate) relation: u32,
    pub(crate) application: ApplicationName,
    /// One unit of the application; all of them without.
    pub(crate) unit: Option<UnitName>,
}

impl Secret {
    /// The number of the newest revision.
    pub(crate) fn newest(&self) -> u32 {
        self.revisions.keys().next_back().copied().unwrap_or_default()
    }

    /// Whether `unit` is the owner, or one of the owner's units.
    pub(crate) fn is_owned_by(&self, unit: &UnitName) -> bool {
        match &self.owner {
            Party::Unit(owner) => owner == unit,
            Party::Application(owner) => owner == unit.application(),
        }
    }

    /// Whether `unit` may read the content.
    pub(crate) fn is_granted_to(&self, unit: &UnitName, is_there: impl Fn(u32) -> bool) -> bool {
        self.grants.iter().any(|grant| {
            let is_meant =
                grant.unit.as_ref().map_or(grant.application == *unit.application(), |one| one == unit);
            is_meant && is_there(grant.relation)
        })
    }
}

/// A secret that `unit` tracks in an older revision than the newest, and was not told about.
pub(crate) fn changed(model: &Model, unit: &Unit) -> Option<HookSecret> {
    if unit.life != Life::Alive {
        return None;
    }
    unit.tracked.iter().find_map(|(id, tracked)| {
        let secret = model.secrets.get(id)?;
        let newest = secret.newest();
        let is_consumer = !secret.is_owned_by(&unit.name);
        let is_news = newest > tracked.revision && unit.secrets_shown.get(id) != Some(&newest);
        let label = tracked.label.clone().unwrap_or_default();
        (is_consumer && is_news).then(|| HookSecret { id: id.clone(), revision: newest, label })
    })
}
