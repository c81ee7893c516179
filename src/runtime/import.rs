//! Taking over what the unit's charm kept while it was written in another framework.
//!
//! A crate of its own knows that framework ([`Import`]); here is what becomes of what it finds
//! ([`Imported`]).  That happens once: in the `upgrade-charm` hook, while the unit has no state of ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charms_reactive_core::digest::digest;
use charms_reactive_core::{Databag, FlagSet, RelationId, UnitName, json};
use charms_reactive_hookcmd::CommandError;
use charms_reactive_hookcmd::commands::Party;
use serde_json::Value;

use crate::charm::App;
use crate::dispatch::{Dispatch, DispatchError};
use crate::handler::HandlerError;
use crate::interface::Manage;
use crate::record::{Fact, Facts, RelationRecord, facts_of};
use crate::state::State;
use crate::store::VALUE_BYTES_MAX;

/// Before a hash of the other framework, where one of our digests may stand.
const FOREIGN: &str = "imported:";

/// What knows the other framework.
pub trait Import {
    /// What the charm kept; None where it kept nothing.  Nothing of it may be changed.
    fn read(&self, charm_dir: &Path) -> Result<Option<Imported>, HandlerError>;

    /// Whether `hash` was made of the value of a databag with this text.
    fn is_of_text(&self, hash: &str, text: &str) -> bool;

    /// Whether `hash` was made of this data.
    fn is_of_data(&self, hash: &str, data: &Value) -> bool;

    /// Whether `hash` was made of a file with this content.
    fn is_of_file(&self, hash: &str, content: &[u8]) -> bool;
}

/// What a charm kept.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The set flags.
    pub flags: Vec<String>,
    /// Units that left, with their last data, in order of their leaving.
    pub departed: Vec<(RelationId, UnitName, Databag)>,
    /// Of each related unit, the hashes of its values, by key.
    pub seen: BTreeMap<(RelationId, UnitName), BTreeMap<String, String>>,
    /// The hashes of data, by name.
    pub data: BTreeMap<String, String>,
    /// The hashes of files; None for one that was not there.
    pub files: BTreeMap<PathBuf, Option<String>>,
    /// What was done, of what is done once: the names of handlers, or the charm's own.
    pub done: Vec<String>,
    /// The settings of the leader.
    pub leader: BTreeMap<String, String>,
    /// The options as they were last; None where they were not kept.
    pub config: Option<BTreeMap<String, Value>>,
    /// What the charm kept by itself, as JSON.
    pub kept: BTreeMap<String, String>,
}

/// Fills the state of the unit with what another framework kept.
pub(crate) fn take_over(app: &App, dispatch: &Dispatch, state: &mut State) -> Result<(), DispatchError> {
    let Some(import) = &app.import else { return Ok(()) };
    let wrong = |source| DispatchError::Handler { name: "import".to_owned(), source };
    let Some(mut imported) = import.read(&dispatch.context.charm_dir).map_err(wrong)? else {
        return Ok(());
    };
    log::info!("taking over {} flags of the charm as it was before", imported.flags.len());
    *dispatch.flags.borrow_mut() = FlagSet::from_saved(std::mem::take(&mut imported.flags));
    take_departed(dispatch, std::mem::take(&mut imported.departed));
    take_files(app, dispatch, &imported.files);
    {
        let mut memory = dispatch.memory.borrow_mut();
        memory.data = imported.data.iter().map(|(name, hash)| (name.clone(), foreign(hash))).collect();
        memory.done = imported.done.drain(..).collect();
        memory.leader = imported.leader.iter().map(|(key, text)| (key.clone(), digest(text))).collect();
    }
    state.config = imported.config.as_ref().map(|config| {
        let given = config.iter().filter(|(_, value)| !value.is_null());
        given.map(|(name, value)| (name.clone(), digest(&json::to_text(value)))).collect()
    });
    for (key, text) in std::mem::take(&mut imported.kept) {
        if text.len() > VALUE_BYTES_MAX {
            log::warn!("`{key}` has over {VALUE_BYTES_MAX} bytes and is not taken over");
        } else {
            dispatch.kept.borrow_mut().insert(key, text);
        }
    }
    *dispatch.imported.borrow_mut() = Some(imported);
    Ok(())
}

fn foreign(hash: &str) -> String {
    format!("{FOREIGN}{hash}")
}

/// The units that left, less what their interfaces call secret.
fn take_departed(dispatch: &Dispatch, departed: Vec<(RelationId, UnitName, Databag)>) {
    for (relation, unit, mut data) in departed {
        let managers = dispatch.managers.borrow();
        let Some((_, manager)) = managers.iter().find(|(endpoint, _)| endpoint == relation.endpoint()) else {
            continue;
        };
        manager.forget_secrets(&mut data);
        let mut records = dispatch.records.borrow_mut();
        // The sweep finds out whether the relation is still there.
        let gone = || RelationRecord { broken: true, ..RelationRecord::default() };
        records.entry(relation).or_insert_with(gone).depart(unit, data);
    }
}

/// Gives each handler the hashes of the files that it looks at.
fn take_files(app: &App, dispatch: &Dispatch, files: &BTreeMap<PathBuf, Option<String>>) {
    let charm_dir = &dispatch.context.charm_dir;
    let known: BTreeMap<PathBuf, &Option<String>> =
        files.iter().map(|(path, hash)| (charm_dir.join(path), hash)).collect();
    for handler in &app.handlers {
        for path in handler.condition.files().iter().flatten() {
            if let Some(hash) = known.get(&charm_dir.join(path)) {
                let mut memory = dispatch.memory.borrow_mut();
                let of_handler = memory.files.entry(handler.key.clone()).or_default();
                of_handler.insert(path.clone(), hash.as_deref().map(foreign));
            }
        }
    }
}

impl Dispatch {
    /// Whether a digest that was kept, of ours or of the other framework, was made of this.
    pub(crate) fn is_digest_of(
        &self,
        known: &str,
        digest: &str,
        is_foreign: impl Fn(&dyn Import, &str) -> bool,
    ) -> bool {
        match (known.strip_prefix(FOREIGN), &self.import) {
            (None, _) => known == digest,
            (Some(hash), Some(import)) => is_foreign(&**import, hash),
            // The charm does not import any more: it has changed, once.
            (Some(_), None) => false,
        }
    }

    /// What the other framework knew of a unit's databag, in the form of the facts that it has now.
    pub(crate) fn imported_facts(
        &self,
        relation: &RelationId,
        unit: &UnitName,
        databag: &Databag,
        now: &Facts,
    ) -> Option<Facts> {
        let imported = self.imported.borrow();
        let hashes = imported.as_ref()?.seen.get(&(relation.clone(), unit.clone()))?;
        let import = self.import.as_ref()?;
        // A key that is gone has been gone for as long as anybody knows: its hash was never forgotten.
        let known = databag.iter().filter_map(|(key, text)| {
            let is_same = import.is_of_text(hashes.get(key)?, text);
            let fact = if is_same { now.get(key)?.clone() } else { Fact::Plain(String::new()) };
            Some((key.to_owned(), fact))
        });
        Some(known.collect())
    }

    /// Takes the databag of the remote application for known: the other framework never looked at it.
    pub(crate) fn see_application_silently(
        &self,
        relation: &RelationId,
        manager: &dyn Manage,
    ) -> Result<(), CommandError> {
        let application = self.records.borrow().get(relation).and_then(|record| record.application.clone());
        if let Some(application) = application.filter(|_| self.imported.borrow().is_some()) {
            let databag = self.model.databag(relation, &Party::Application(application))?;
            let facts = facts_of(&databag, |key, text| manager.note(key, text));
            self.records.borrow_mut().entry(relation.clone()).or_default().remote = facts;
        }
        Ok(())
    }
}
