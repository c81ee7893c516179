//! Juju secrets: read at once, made and changed when the dispatch ends well.
//!
//! A secret that a handler makes has an id at once, a text that stands for it until Juju gives one at the
//! commit.  It may be published, kept, given as a result of an action or as a setting of the leader: there
//! the id of Juju takes its place.  In files and statuses it does not.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::rc::Rc;

use charms_reactive_core::{RelationId, UnitName};
use charms_reactive_hookcmd::commands::{
    Rotation, SecretInfo, SecretName, SecretOptions, SecretOwner, SecretReader, SecretRevision,
};
use charms_reactive_hookcmd::{CommandError, Commands as _};

use crate::Hook;
use crate::dispatch::{Dispatch, DispatchError};
use crate::file::FileEffect;
use crate::model::SecretRefusal;
use crate::obstacle::{AskError, Obstacle};
use crate::plan::{Blocked, Plan, Waiting};

/// What stands for the id of a secret that is planned.
const NEW: &str = "secret:new-";

/// The folder through which Juju gets a secret, in the charm directory.
const FOLDER: &str = ".charms-reactive-secrets";

/// What is in a secret: texts by key.
pub type SecretContent = Rc<BTreeMap<String, String>>;

/// A secret that is to be made, or what is to be changed of one.
///
/// Keys are lower-case letters, digits and dashes, three characters at least.  `Debug` shows no text.
#[derive(Clone, Default)]
#[must_use]
pub struct SecretChange {
    pub(crate) content: BTreeMap<String, String>,
    pub(crate) options: SecretOptions,
}

impl fmt::Debug for SecretChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.content.keys().collect();
        f.debug_struct("SecretChange").field("content", &keys).field("options", &self.options).finish()
    }
}

impl SecretChange {
    /// This content, all of it; without any, an old secret keeps its own.
    pub fn new<K: Into<String>, T: Into<String>>(content: impl IntoIterator<Item = (K, T)>) -> Self {
        let content = content.into_iter().map(|(key, text)| (key.into(), text.into())).collect();
        Self { content, options: SecretOptions::default() }
    }

    /// What this unit, or its application, calls it.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = Some(label.into());
        self
    }

    /// What it is for.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.options.description = Some(text.into());
        self
    }

    /// When its newest revision expires: after `24h`, say, or at `2030-01-01T00:00:00Z`.
    pub fn expire(mut self, when: impl Into<String>) -> Self {
        self.options.expire = Some(when.into());
        self
    }

    /// How often this unit is told to make a new revision.
    pub fn rotate(mut self, rotation: Rotation) -> Self {
        self.options.rotate = Some(rotation);
        self
    }

    /// Who owns a new secret; its application, when this is not said, which only the leader may.
    pub fn owner(mut self, owner: SecretOwner) -> Self {
        self.options.owner = Some(owner);
        self
    }
}

/// One thing that is to be done with a secret, by its id.
#[derive(Clone, Debug)]
pub(crate) enum SecretDeed {
    Add(String, SecretChange),
    Set(String, SecretChange),
    Grant(String, RelationId, Option<UnitName>),
    Revoke(String, SecretReader),
    Remove(String, Option<u32>),
}

/// A secret to be read.
pub struct Secret {
    dispatch: Rc<Dispatch>,
    name: SecretName,
}

impl Secret {
    /// The revision that this unit tracks: the newest at its first reading.  An owner reads the newest.
    ///
    /// # Errors
    ///
    /// [`AskError::Obstacle`] where it is not granted, or not there: for a secret that an option names,
    /// the unit is blocked with the command to run, for another one it waits.  The handler is tried again.
    pub fn get(&self) -> Result<SecretContent, AskError> {
        self.read(SecretRevision::Tracked)
    }

    /// The newest revision, without tracking it.
    ///
    /// # Errors
    ///
    /// As for [`Secret::get`].
    pub fn peek(&self) -> Result<SecretContent, AskError> {
        self.read(SecretRevision::Peek)
    }

    /// The newest revision, which is tracked from now on: for the hook `secret-changed`.
    ///
    /// # Errors
    ///
    /// As for [`Secret::get`].
    pub fn refresh(&self) -> Result<SecretContent, AskError> {
        self.read(SecretRevision::Refresh)
    }

    /// As [`Secret::get`]; None where it is not granted, or not there.
    pub fn find(&self) -> Result<Option<SecretContent>, CommandError> {
        Ok(self.dispatch.model.secret(&self.name, SecretRevision::Tracked)?.ok())
    }

    /// What is known of a secret of ours; None where it is not there, or not ours.
    pub fn info(&self) -> Result<Option<SecretInfo>, CommandError> {
        match self.dispatch.model.commands().secret_info_get(&self.name) {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The same, which this unit calls by a label of its own from the next reading on.
    #[must_use]
    pub fn labelled(self, label: impl Into<String>) -> Self {
        let label = label.into();
        let name = match self.name {
            SecretName::Id(id) | SecretName::Labelled { id, .. } => SecretName::Labelled { id, label },
            SecretName::Label(_) => SecretName::Label(label),
        };
        Self { name, ..self }
    }

    fn read(&self, revision: SecretRevision) -> Result<SecretContent, AskError> {
        match self.dispatch.model.secret(&self.name, revision)? {
            Ok(content) => Ok(content),
            Err(refusal) => Err(self.obstacle(refusal)?.into()),
        }
    }

    /// What has to be done before the secret can be read.
    ///
    /// # Source
    ///
    /// Whether a secret that is not granted is denied or not there depends on whose it is and on the
    /// release: Juju's pull request 17467.
    fn obstacle(&self, refusal: SecretRefusal) -> Result<Obstacle, CommandError> {
        let application = self.dispatch.context.unit.application();
        let (SecretName::Id(id) | SecretName::Labelled { id, .. } | SecretName::Label(id)) = &self.name;
        let config = self.dispatch.model.config()?;
        let option =
            config.iter().find(|(_, value)| value.as_str().is_some_and(|text| bare(text) == bare(id)));
        let id = bare(id);
        Ok(match (option, refusal) {
            (Some((option, _)), SecretRefusal::Denied) => Obstacle::new(Blocked(format!(
                "grant the secret of option `{option}`: juju grant-secret {id} {application}"
            ))),
            (Some((option, _)), SecretRefusal::NotThere) => Obstacle::new(Blocked(format!(
                "no secret for option `{option}`, or none that is granted: juju grant-secret {id} {application}"
            ))),
            (None, SecretRefusal::Denied) => {
                Obstacle::new(Waiting(format!("secret `{id}` is not granted to {application}")))
            }
            (None, SecretRefusal::NotThere) => Obstacle::new(Waiting(format!("secret `{id}` is not there"))),
        })
    }
}

/// The id alone, of `secret:ID` or `secret://MODEL/ID`.
fn bare(id: &str) -> &str {
    let id = id.strip_prefix("secret:").unwrap_or(id);
    id.rsplit('/').next().unwrap_or(id)
}

impl Hook {
    /// A secret by its id: `secret:ID`, as relations and options give it, or what [`Hook::add_secret`] gave.
    pub fn secret(&self, id: &str) -> Secret {
        Secret { dispatch: self.dispatch.clone(), name: SecretName::Id(id.to_owned()) }
    }

    /// A secret by its label: one of ours, or one that this unit gave a label when it read it.
    pub fn secret_by_label(&self, label: &str) -> Secret {
        Secret { dispatch: self.dispatch.clone(), name: SecretName::Label(label.to_owned()) }
    }

    /// The secret that an option names; None where the operator named none.
    pub fn config_secret(&self, option: &str) -> Result<Option<Secret>, CommandError> {
        let config = self.dispatch.model.config()?;
        let id = config.get(option).and_then(|value| value.as_str()).filter(|id| !id.is_empty());
        Ok(id.map(|id| self.secret(id)))
    }

    /// Makes a secret when the dispatch ends well; gives what stands for its id until then.
    pub fn add_secret(&mut self, secret: SecretChange) -> String {
        let mut id = NEW.to_owned();
        for byte in self.dispatch.random_bytes() {
            write!(id, "{byte:02x}").expect("texts can be written");
        }
        self.dispatch.model.plan_secret(&SecretName::Id(id.clone()), Some(&secret.content));
        if let Some(label) = &secret.options.label {
            self.dispatch.model.plan_secret(&SecretName::Label(label.clone()), Some(&secret.content));
        }
        self.plan_secret(SecretDeed::Add(id.clone(), secret));
        id
    }

    /// Changes a secret of ours when the dispatch ends well: other content is a new revision, and whoever
    /// reads it gets the hook `secret-changed`.
    pub fn set_secret(&mut self, id: &str, change: SecretChange) {
        if !change.content.is_empty() {
            self.dispatch.model.plan_secret(&SecretName::Id(id.to_owned()), Some(&change.content));
        }
        self.plan_secret(SecretDeed::Set(id.to_owned(), change));
    }

    /// Lets the other side of a relation read a secret of ours when the dispatch ends well.
    pub fn grant_secret(&mut self, id: &str, relation: &RelationId) {
        self.plan_secret(SecretDeed::Grant(id.to_owned(), relation.clone(), None));
    }

    /// Lets one unit on the other side of a relation read a secret of ours when the dispatch ends well.
    pub fn grant_secret_to(&mut self, id: &str, relation: &RelationId, unit: &UnitName) {
        self.plan_secret(SecretDeed::Grant(id.to_owned(), relation.clone(), Some(unit.clone())));
    }

    /// Takes a right to read a secret of ours back when the dispatch ends well.
    pub fn revoke_secret(&mut self, id: &str, reader: SecretReader) {
        self.plan_secret(SecretDeed::Revoke(id.to_owned(), reader));
    }

    /// Removes a secret of ours when the dispatch ends well.
    pub fn remove_secret(&mut self, id: &str) {
        self.dispatch.model.plan_secret(&SecretName::Id(id.to_owned()), None);
        self.plan_secret(SecretDeed::Remove(id.to_owned(), None));
    }

    /// Removes one revision of a secret of ours: for the hook `secret-remove`, which names it in
    /// [`Context::secret_revision`](crate::Context::secret_revision).
    pub fn remove_secret_revision(&mut self, id: &str, revision: u32) {
        self.plan_secret(SecretDeed::Remove(id.to_owned(), Some(revision)));
    }

    fn plan_secret(&mut self, deed: SecretDeed) {
        self.dispatch.plan.borrow_mut().secret_deeds.push(deed);
    }
}

/// Does what is planned with secrets, and puts the ids of new ones where texts stand for them.
pub(crate) fn commit(dispatch: &Dispatch, plan: &mut Plan) -> Result<(), DispatchError> {
    if plan.secret_deeds.is_empty() {
        return Ok(());
    }
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for deed in std::mem::take(&mut plan.secret_deeds) {
        let known = |id: String| made.get(&id).cloned().unwrap_or(id);
        match deed {
            SecretDeed::Add(id, secret) => {
                let added = through_files(dispatch, &secret.content, |files| {
                    dispatch.model.commands().secret_add(&secret.options, files)
                });
                made.insert(id, added?);
            }
            SecretDeed::Set(id, change) => {
                through_files(dispatch, &change.content, |files| {
                    dispatch.model.commands().secret_set(&known(id), &change.options, files)
                })?;
            }
            SecretDeed::Grant(id, relation, unit) => {
                let mut commands = dispatch.model.commands();
                or_gone(commands.secret_grant(&known(id), &relation, unit.as_ref()))?;
            }
            SecretDeed::Revoke(id, reader) => {
                or_gone(dispatch.model.commands().secret_revoke(&known(id), &reader))?;
            }
            SecretDeed::Remove(id, revision) => {
                or_gone(dispatch.model.commands().secret_remove(&known(id), revision))?;
            }
        }
    }
    let rewritten = |text: &str| {
        text.contains(NEW)
            .then(|| made.iter().fold(text.to_owned(), |text, (planned, id)| text.replace(planned, id)))
    };
    let rewrite = |text: &mut String| {
        if let Some(other) = rewritten(text) {
            *text = other;
        }
    };
    dispatch.model.rewrite_own(rewritten);
    dispatch.kept.borrow_mut().values_mut().for_each(rewrite);
    plan.results.values_mut().for_each(rewrite);
    plan.leader_settings.values_mut().for_each(rewrite);
    Ok(())
}

/// What is gone already, relation or secret, needs no more.
fn or_gone(answer: Result<(), CommandError>) -> Result<(), CommandError> {
    match answer {
        Err(error) if error.is_not_found() => {
            log::warn!("leaving a secret as it is: {error}");
            Ok(())
        }
        answer => answer,
    }
}

/// Has Juju read the content of a secret from files of our own, for arguments can be seen by everybody.
///
/// They have numbers for names, because a key is no path, and they go in any case.
pub(crate) fn through_files<T>(
    dispatch: &Dispatch,
    content: &BTreeMap<String, String>,
    run: impl FnOnce(&BTreeMap<String, PathBuf>) -> Result<T, CommandError>,
) -> Result<T, DispatchError> {
    let folder = std::path::absolute(dispatch.context.charm_dir.join(FOLDER)).unwrap_or_default();
    let named = |(number, key): (usize, &String)| (key.clone(), folder.join(number.to_string()));
    let files: BTreeMap<String, PathBuf> = content.keys().enumerate().map(named).collect();
    let written = files.iter().try_for_each(|(key, path)| {
        FileEffect::Write { content: content[key].clone().into_bytes(), mode: 0o600 }.apply(path).map(drop)
    });
    let done = written.map(|()| run(&files));
    let removed = files.values().try_for_each(|path| FileEffect::Remove.apply(path).map(drop));
    let done = done?;
    removed?;
    Ok(done?)
}
