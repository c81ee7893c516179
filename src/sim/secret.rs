//! Secrets: revisions of content, who may read them, who tracks which, and what their owners are told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use charms_reactive_core::{ApplicationName, SecretEvent, UnitName};
use charms_reactive_hookcmd::commands::Party;

use crate::base64;
use crate::calendar;
use crate::error::{ModelError, SimError};
use crate::model::{HookSecret, Model, Unit};
use crate::operator::acted;
use crate::sim::Sim;

/// How long it takes until an owner is told again what it did nothing about.
///
/// # Source
///
/// `juju/juju:core/secrets/rotate.go`, `RotateRetryDelay` and `ExpireRetryDelay`.
const RETRY: Duration = Duration::from_mins(5);

/// A secret of a unit or an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    /// The unit or application that made it; none for a secret of the operator.
    pub(crate) owner: Option<Party>,
    pub(crate) label: Option<String>,
    pub(crate) description: String,
    pub(crate) rotation: String,
    /// When it is to be rotated next.
    pub(crate) rotates: Option<Duration>,
    /// When a revision is not good any more, or when its owner is told so again.
    pub(crate) expires: BTreeMap<u32, Duration>,
    /// Keys and contents in base64, by revision; the last one is the newest.
    pub(crate) revisions: BTreeMap<u32, BTreeMap<String, String>>,
    /// Who may read it, and through which relation.
    pub(crate) grants: BTreeSet<Grant>,
    /// Whether the time for a new revision has come, and the owner was not told.
    pub(crate) is_rotation_due: bool,
    /// Revisions whose time is over, of which the owner was not told.
    pub(crate) expired: BTreeSet<u32>,
}

/// A right to read a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    /// The relation that carries the right; none for a secret of the operator.
    pub(crate) relation: Option<u32>,
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
            Some(Party::Unit(owner)) => owner == unit,
            Some(Party::Application(owner)) => owner == unit.application(),
            None => false,
        }
    }

    /// A secret with one revision.
    pub(crate) fn new(owner: Option<Party>, content: BTreeMap<String, String>) -> Self {
        Self {
            owner,
            label: None,
            description: String::new(),
            rotation: "never".to_owned(),
            rotates: None,
            expires: BTreeMap::new(),
            revisions: BTreeMap::from([(1, content)]),
            grants: BTreeSet::new(),
            is_rotation_due: false,
            expired: BTreeSet::new(),
        }
    }

    /// The next moment at which its owner is told something.
    pub(crate) fn next_moment(&self) -> Option<Duration> {
        let rotates = self.rotates.filter(|_| !self.is_rotation_due);
        let expires = self.expires.iter().filter(|(revision, _)| !self.expired.contains(revision));
        rotates.into_iter().chain(expires.map(|(_, at)| *at)).min()
    }

    /// It is `now`: what is over by now is told.
    pub(crate) fn reach(&mut self, now: Duration) {
        self.is_rotation_due |= self.rotates.is_some_and(|at| at <= now);
        for (revision, at) in &mut self.expires {
            if *at <= now && self.expired.insert(*revision) {
                // Told again until the owner has removed the revision.
                *at = now + RETRY;
            }
        }
    }

    /// When a secret is rotated that was rotated at `last`; never without a policy.
    ///
    /// # Source
    ///
    /// `juju/juju:core/secrets/rotate.go`, `NextRotateTime`.
    pub(crate) fn rotates_after(&self, last: Duration) -> Option<Duration> {
        const DAY: Duration = Duration::from_hours(24);
        match self.rotation.as_str() {
            "hourly" => Some(last + Duration::from_hours(1)),
            "daily" => Some(last + DAY),
            "weekly" => Some(last + DAY * 7),
            "monthly" => Some(calendar::months_later(last, 1)),
            "quarterly" => Some(calendar::months_later(last, 3)),
            "yearly" => Some(calendar::months_later(last, 12)),
            _ => None,
        }
    }

    /// Its owner was told to rotate it when `revision` was the newest.
    ///
    /// # Source
    ///
    /// `juju/juju:apiserver/facades/agent/secretsmanager`, `SecretsRotated`: without a new revision it is told
    /// again soon, and so it is when the secret would expire before its next turn.
    fn rotated(&mut self, revision: u32, now: Duration) {
        self.is_rotation_due = false;
        let last = self.rotates.unwrap_or(now);
        let (next, soon) = (self.rotates_after(last), last + RETRY);
        let expires = self.expires.get(&self.newest()).copied();
        let is_too_late = expires.is_some_and(|at| next.is_some_and(|next| at < next) && soon < at);
        self.rotates = next.map(|next| if is_too_late || self.newest() == revision { soon } else { next });
    }

    /// Whether `unit` may read the content.
    pub(crate) fn is_granted_to(&self, unit: &UnitName, is_there: impl Fn(u32) -> bool) -> bool {
        self.grants.iter().any(|grant| {
            let is_meant =
                grant.unit.as_ref().map_or(grant.application == *unit.application(), |one| one == unit);
            is_meant && grant.relation.is_none_or(&is_there)
        })
    }
}

/// The next hook about a secret: of the owner's ones expiry, then rotation; changes of those the unit
/// reads; then revisions of the owner's that nobody reads any more.
///
/// # Source
///
/// `U/secrets/resolver.go`, `NextOp`.
pub(crate) fn due(model: &Model, unit: &Unit) -> Option<(SecretEvent, HookSecret)> {
    if model.secrets.is_empty() {
        return None;
    }
    let owned = || model.secrets.iter().filter(|(_, secret)| is_keeper(model, secret, &unit.name));
    let about = |id: &str, secret: &Secret, revision| HookSecret {
        id: id.to_owned(),
        revision,
        label: secret.label.clone().unwrap_or_default(),
    };
    let expired = owned().find_map(|(id, secret)| Some(about(id, secret, *secret.expired.first()?)));
    if let Some(secret) = expired {
        return Some((SecretEvent::Expired, secret));
    }
    let rotated = owned().find(|(_, secret)| secret.is_rotation_due);
    if let Some((id, secret)) = rotated {
        return Some((SecretEvent::Rotate, about(id, secret, secret.newest())));
    }
    if let Some(secret) = changed(model, unit) {
        return Some((SecretEvent::Changed, secret));
    }
    let obsolete = owned().find_map(|(id, secret)| {
        let is_news = |revision: &&u32| !unit.obsolete_shown.contains(&(id.clone(), **revision));
        let newest = secret.newest();
        let left = secret
            .revisions
            .keys()
            .filter(|revision| **revision != newest)
            .find(|revision| is_news(revision) && !is_tracked(model, id, **revision));
        left.map(|revision| about(id, secret, *revision))
    });
    obsolete.map(|secret| (SecretEvent::Remove, secret))
}

/// Whether a unit is the one that is told about a secret's life: its owner, or its owner's leader.
///
/// # Source
///
/// `U/remotestate/watcher.go`: an application's secrets are watched while the unit leads.
pub(crate) fn is_keeper(model: &Model, secret: &Secret, unit: &UnitName) -> bool {
    match &secret.owner {
        Some(Party::Unit(owner)) => owner == unit,
        Some(Party::Application(owner)) => owner == unit.application() && model.is_leader(unit),
        None => false,
    }
}

/// Whether anybody reads this revision.
///
/// # Source
///
/// `juju/juju:state/secrets.go`, `markObsoleteRevisionOps`.
fn is_tracked(model: &Model, id: &str, revision: u32) -> bool {
    model.units.values().any(|unit| unit.tracked.get(id).is_some_and(|seen| seen.revision == revision))
}

/// A secret that `unit` tracks in an older revision than the newest, and was not told about.
fn changed(model: &Model, unit: &Unit) -> Option<HookSecret> {
    unit.tracked.iter().find_map(|(id, tracked)| {
        let secret = model.secrets.get(id)?;
        let newest = secret.newest();
        let is_consumer = !secret.is_owned_by(&unit.name);
        let is_news = newest > tracked.revision && unit.secrets_shown.get(id) != Some(&newest);
        let label = tracked.label.clone().unwrap_or_default();
        (is_consumer && is_news).then(|| HookSecret { id: id.clone(), revision: newest, label })
    })
}

impl Model {
    /// Books a hook about a secret as done.
    ///
    /// # Source
    ///
    /// `U/secrets/{resolver,secretstatetracker}.go`: the agent forgets an expiry or rotation that it
    /// told, and keeps what it told about changes and revisions nobody reads.
    pub(crate) fn secret_told(&mut self, unit: &UnitName, event: SecretEvent, about: &HookSecret) {
        match event {
            SecretEvent::Changed => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.secrets_shown.insert(about.id.clone(), about.revision);
                }
            }
            SecretEvent::Remove => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.obsolete_shown.insert((about.id.clone(), about.revision));
                }
            }
            SecretEvent::Rotate => {
                if let Some(secret) = self.secrets.get_mut(&about.id) {
                    secret.rotated(about.revision, self.now);
                }
            }
            SecretEvent::Expired => {
                if let Some(secret) = self.secrets.get_mut(&about.id) {
                    secret.expired.remove(&about.revision);
                }
            }
        }
    }

    /// The time has come for a new revision of a secret.
    pub(crate) fn rotate_secret(&mut self, id: &str) -> Result<(), ModelError> {
        let secret = self.secret_mut(id)?;
        if secret.rotation == "never" {
            return Err(ModelError::SecretMoment { id: id.to_owned(), lacks: "no rotation" });
        }
        secret.is_rotation_due = true;
        Ok(())
    }

    /// The time of a secret's newest revision is over.
    pub(crate) fn expire_secret(&mut self, id: &str) -> Result<(), ModelError> {
        let secret = self.secret_mut(id)?;
        let newest = secret.newest();
        if !secret.expires.contains_key(&newest) {
            return Err(ModelError::SecretMoment { id: id.to_owned(), lacks: "no expiry time" });
        }
        secret.expired.insert(newest);
        Ok(())
    }

    /// The secret of this id, with or without `secret:`.
    fn secret_mut(&mut self, id: &str) -> Result<&mut Secret, ModelError> {
        let id = id.strip_prefix("secret:").unwrap_or(id);
        self.secrets.get_mut(id).ok_or_else(|| ModelError::NoSecret { id: id.to_owned() })
    }

    /// A secret of the operator.
    fn user_secret_mut(&mut self, id: &str) -> Result<&mut Secret, ModelError> {
        let secret = self.secret_mut(id)?;
        if secret.owner.is_some() {
            return Err(ModelError::SecretMoment { id: id.to_owned(), lacks: "an owner in the model" });
        }
        Ok(secret)
    }

    /// An id that no secret has.
    pub(crate) fn next_secret_id(&mut self) -> String {
        const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
        (0..20).map(|_| char::from(LETTERS[self.ids.index(32)])).collect()
    }
}

/// Content as it is stored.
fn encoded(content: &[(&str, &str)]) -> BTreeMap<String, String> {
    content.iter().map(|(key, text)| ((*key).to_owned(), base64::encode(text.as_bytes()))).collect()
}

impl Sim {
    /// Has the time come for a new revision: the owner, or its leader, gets `secret-rotate`.
    ///
    /// # Errors
    ///
    /// [`ModelError::SecretMoment`] for a secret that was made without rotation.
    pub fn rotate_secret(&mut self, id: &str) -> Result<(), SimError> {
        self.model.act(format!("have {id} rotate"), |model| Ok(model.rotate_secret(id)?))
    }

    /// Has the time of the newest revision be over: the owner, or its leader, gets `secret-expired`.
    ///
    /// # Errors
    ///
    /// [`ModelError::SecretMoment`] for a secret that was made without an expiry time.
    pub fn expire_secret(&mut self, id: &str) -> Result<(), SimError> {
        self.model.act(format!("have {id} expire"), |model| Ok(model.expire_secret(id)?))
    }

    /// Makes a secret of the operator, as `juju add-secret` does; gives its id, for options of type
    /// `secret`.
    ///
    /// # Source
    ///
    /// `juju/juju:apiserver/facades/client/secrets`, `CreateSecrets`.
    pub fn add_secret(&mut self, content: &[(&str, &str)]) -> Result<String, SimError> {
        if !self.model.juju.has_user_secrets() {
            let version = self.model.juju;
            return Err(ModelError::NotInJuju { what: "secrets of operators", version }.into());
        }
        let id = self.model.next_secret_id();
        self.model.secrets.insert(id.clone(), Secret::new(None, encoded(content)));
        self.model.journal.record(acted(format!("add secret:{id}")));
        Ok(format!("secret:{id}"))
    }

    /// Makes a new revision of a secret of the operator, as `juju update-secret` does.
    pub fn update_secret(&mut self, id: &str, content: &[(&str, &str)]) -> Result<(), SimError> {
        let secret = self.model.user_secret_mut(id)?;
        let newest = secret.newest();
        let content = encoded(content);
        if secret.revisions.get(&newest) != Some(&content) {
            secret.revisions.insert(newest + 1, content);
        }
        self.model.journal.record(acted(format!("update {id}")));
        Ok(())
    }

    /// Has an application read a secret of the operator, as `juju grant-secret` does.
    pub fn grant_secret(&mut self, id: &str, application: &str) -> Result<(), SimError> {
        let application = self.model.application(&ApplicationName::parse(application)?)?.name.clone();
        let secret = self.model.user_secret_mut(id)?;
        let what = format!("grant {id} to {application}");
        secret.grants.insert(Grant { relation: None, application, unit: None });
        self.model.journal.record(acted(what));
        Ok(())
    }

    /// Takes a secret of the operator away again, as `juju remove-secret` does.
    pub fn remove_secret(&mut self, id: &str) -> Result<(), SimError> {
        self.model.user_secret_mut(id)?;
        self.model.secrets.remove(id.strip_prefix("secret:").unwrap_or(id));
        self.model.journal.record(acted(format!("remove {id}")));
        Ok(())
    }
}
