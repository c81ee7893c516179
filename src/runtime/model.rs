//! Relations, units and databags: read when asked for, remembered for the dispatch.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use charms_reactive_core::{Databag, EndpointName, RelationId, UnitName};
use charms_reactive_hookcmd::commands::{
    CloudSpec, GoalState, Network, Party, SecretName, SecretRevision, Storage,
};
use charms_reactive_hookcmd::{CommandError, Commands as _, HookCommands};
use serde_json::{Map, Value};

/// One of our own databags: what Juju has, and what it shall have.
#[derive(Clone, Debug, Default)]
struct OwnDatabag {
    read: Databag,
    wanted: Databag,
    /// Juju does not know the relation any more: there is nowhere to write to.
    is_gone: bool,
}

/// Answers of Juju, remembered.
#[derive(Clone, Default)]
struct Answers {
    relations: BTreeMap<EndpointName, Rc<[RelationId]>>,
    members: BTreeMap<RelationId, Rc<[UnitName]>>,
    databags: BTreeMap<(RelationId, Party), Rc<Databag>>,
    own: BTreeMap<(RelationId, bool), OwnDatabag>,
    config: Option<Rc<Map<String, Value>>>,
    is_leader: Option<bool>,
    /// The leader's settings, as they shall be.
    leader_settings: Option<BTreeMap<String, String>>,
    action: Option<Rc<Map<String, Value>>>,
    /// By name and revision: one reading may be of another revision.
    secrets: BTreeMap<(SecretName, SecretRevision), KnownSecret>,
    networks: BTreeMap<(String, Option<RelationId>), Rc<Network>>,
    storage: BTreeMap<String, Rc<[Storage]>>,
    resources: BTreeMap<String, PathBuf>,
    goal: Option<Rc<GoalState>>,
    credential: Option<Rc<CloudSpec>>,
    state: Option<BTreeMap<String, String>>,
    models: BTreeMap<RelationId, String>,
}

/// What is in a secret, as Juju says or as this dispatch plans it.
#[derive(Clone)]
struct KnownSecret {
    answer: SecretAnswer,
    is_planned: bool,
}

/// What is in a secret, or why it cannot be read.
pub(crate) type SecretAnswer = Result<Rc<BTreeMap<String, String>>, SecretRefusal>;

/// Why a secret cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretRefusal {
    /// It is not granted.
    Denied,
    /// It is not there.
    NotThere,
}

impl std::fmt::Display for SecretRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Denied => "permission denied",
            Self::NotThere => "not found",
        })
    }
}

/// The model as this dispatch sees it: a snapshot that fills itself.
///
/// # Guarantees
///
/// Two reads of the same thing in one dispatch cost one hook command and give the same answer; own
/// writes are seen at once.  Nothing reaches Juju before the commit.
pub(crate) struct Model {
    unit: UnitName,
    commands: Rc<RefCell<Box<dyn HookCommands>>>,
    answers: RefCell<Answers>,
}

impl Model {
    pub(crate) fn new(unit: UnitName, commands: Box<dyn HookCommands>) -> Self {
        Self { unit, commands: Rc::new(RefCell::new(commands)), answers: RefCell::default() }
    }

    /// The same model for another attempt: what was read is known, what was to be written is not.
    pub(crate) fn again(&self) -> Self {
        let answers = self.answers.borrow();
        let mut answers = Answers { leader_settings: None, ..answers.clone() };
        for own in answers.own.values_mut() {
            own.wanted = own.read.clone();
        }
        answers.secrets.retain(|_, secret| !secret.is_planned);
        Self { unit: self.unit.clone(), commands: self.commands.clone(), answers: RefCell::new(answers) }
    }

    /// The state of the unit as the dispatch before left it, loaded once.
    pub(crate) fn state<E>(
        &self,
        load: impl FnOnce() -> Result<BTreeMap<String, String>, E>,
    ) -> Result<BTreeMap<String, String>, E> {
        if let Some(known) = &self.answers.borrow().state {
            return Ok(known.clone());
        }
        let state = load()?;
        self.answers.borrow_mut().state = Some(state.clone());
        Ok(state)
    }

    /// The way to Juju.
    pub(crate) fn commands(&self) -> RefMut<'_, Box<dyn HookCommands>> {
        self.commands.borrow_mut()
    }

    /// The relations of `endpoint`, in order of their ids.
    pub(crate) fn relations(&self, endpoint: &EndpointName) -> Result<Rc<[RelationId]>, CommandError> {
        if let Some(known) = self.answers.borrow().relations.get(endpoint) {
            return Ok(known.clone());
        }
        let mut ids = self.commands().relation_ids(endpoint)?;
        ids.sort();
        let ids: Rc<[RelationId]> = ids.into();
        self.answers.borrow_mut().relations.insert(endpoint.clone(), ids.clone());
        Ok(ids)
    }

    /// The remote units of a relation, in order of their names; none where the relation is gone.
    pub(crate) fn members(&self, relation: &RelationId) -> Result<Rc<[UnitName]>, CommandError> {
        if let Some(known) = self.answers.borrow().members.get(relation) {
            return Ok(known.clone());
        }
        let mut units = match self.commands().relation_list(relation) {
            Err(error) if error.is_relation_not_found() => Vec::new(),
            answer => answer?,
        };
        units.sort();
        let units: Rc<[UnitName]> = units.into();
        self.answers.borrow_mut().members.insert(relation.clone(), units.clone());
        Ok(units)
    }

    /// A databag of the other side.
    ///
    /// That of a unit that never came, or of a relation that is gone, is empty; it is logged.  Every other
    /// failure is one: taken for an empty databag, it would be believed for good.
    pub(crate) fn databag(&self, relation: &RelationId, party: &Party) -> Result<Rc<Databag>, CommandError> {
        let key = (relation.clone(), party.clone());
        if let Some(known) = self.answers.borrow().databags.get(&key) {
            return Ok(known.clone());
        }
        let databag = match self.commands().relation_get(relation, party) {
            Err(error) if error.is_nothing_there() => {
                log::warn!("reading no data from `{relation}`: {error}");
                Databag::new()
            }
            answer => answer?,
        };
        let databag = Rc::new(databag);
        self.answers.borrow_mut().databags.insert(key, databag.clone());
        Ok(databag)
    }

    /// Our unit's databag, or our application's, as it shall be.
    pub(crate) fn own(&self, relation: &RelationId, is_application: bool) -> Result<Databag, CommandError> {
        self.with_own(relation, is_application, |own| own.wanted.clone())
    }

    /// One text of our unit's databag, as it shall be.
    pub(crate) fn own_text(&self, relation: &RelationId, key: &str) -> Result<Option<String>, CommandError> {
        self.with_own(relation, false, |own| own.wanted.text(key).map(str::to_owned))
    }

    /// Whether our unit's databag was read in this dispatch.
    pub(crate) fn has_own(&self, relation: &RelationId) -> bool {
        self.answers.borrow().own.contains_key(&(relation.clone(), false))
    }

    /// Whether our application's databag was read in this dispatch.
    pub(crate) fn has_own_application(&self, relation: &RelationId) -> bool {
        self.answers.borrow().own.contains_key(&(relation.clone(), true))
    }

    /// Puts `text` under `key` of one of our own databags; an empty text removes the key.
    pub(crate) fn set_own(
        &self,
        relation: &RelationId,
        is_application: bool,
        key: &str,
        text: &str,
    ) -> Result<(), CommandError> {
        self.with_own(relation, is_application, |own| {
            own.wanted.set(key, text);
        })
    }

    fn with_own<T>(
        &self,
        relation: &RelationId,
        is_application: bool,
        then: impl FnOnce(&mut OwnDatabag) -> T,
    ) -> Result<T, CommandError> {
        let key = (relation.clone(), is_application);
        if !self.answers.borrow().own.contains_key(&key) {
            let party = if is_application {
                Party::Application(self.unit.application().clone())
            } else {
                Party::Unit(self.unit.clone())
            };
            let own = match self.commands().relation_get(relation, &party) {
                Err(error) if error.is_relation_not_found() => {
                    log::warn!("relation `{relation}` is gone, publishing nothing on it");
                    OwnDatabag { is_gone: true, ..OwnDatabag::default() }
                }
                answer => {
                    let read = answer?;
                    OwnDatabag { wanted: read.clone(), read, is_gone: false }
                }
            };
            self.answers.borrow_mut().own.insert(key.clone(), own);
        }
        Ok(then(self.answers.borrow_mut().own.get_mut(&key).expect("read above")))
    }

    /// What has to be written: relation, whether it is the application's databag, and the changes.
    pub(crate) fn unwritten(&self) -> Vec<(RelationId, bool, BTreeMap<String, String>)> {
        let answers = self.answers.borrow();
        let there = answers.own.iter().filter(|(_, own)| !own.is_gone);
        let all = there.map(|((relation, is_application), own)| {
            (relation.clone(), *is_application, own.read.changes_to(&own.wanted))
        });
        all.filter(|(_, _, changes)| !changes.is_empty()).collect()
    }

    /// The options that have a value.
    pub(crate) fn config(&self) -> Result<Rc<Map<String, Value>>, CommandError> {
        if let Some(known) = &self.answers.borrow().config {
            return Ok(known.clone());
        }
        let config = Rc::new(self.commands().config_get()?);
        self.answers.borrow_mut().config = Some(config.clone());
        Ok(config)
    }

    /// Whether this unit leads.
    pub(crate) fn is_leader(&self) -> Result<bool, CommandError> {
        if let Some(known) = self.answers.borrow().is_leader {
            return Ok(known);
        }
        let is_leader = self.commands().is_leader()?;
        self.answers.borrow_mut().is_leader = Some(is_leader);
        Ok(is_leader)
    }

    /// The settings of the leader, own changes of this dispatch included.
    pub(crate) fn leader_settings(&self) -> Result<BTreeMap<String, String>, CommandError> {
        if let Some(known) = &self.answers.borrow().leader_settings {
            return Ok(known.clone());
        }
        let settings = self.commands().leader_get()?;
        self.answers.borrow_mut().leader_settings = Some(settings.clone());
        Ok(settings)
    }

    /// Changes a setting of the leader; an empty text removes it.  Tells whether that is a change.
    pub(crate) fn set_leader_setting(&self, key: &str, text: &str) -> Result<bool, CommandError> {
        let mut settings = self.leader_settings()?;
        let old = if text.is_empty() {
            settings.remove(key)
        } else {
            settings.insert(key.to_owned(), text.to_owned())
        };
        self.answers.borrow_mut().leader_settings = Some(settings);
        Ok(old.as_deref().unwrap_or_default() != text)
    }

    /// What is in a secret, or why Juju does not show it to us: it is gone, or not granted.
    ///
    /// Every other failure is one: taken for such an answer, it would be believed for good.
    pub(crate) fn secret(
        &self,
        secret: &SecretName,
        revision: SecretRevision,
    ) -> Result<SecretAnswer, CommandError> {
        if let SecretName::Id(id) | SecretName::Labelled { id, .. } = secret
            && !id.starts_with(|first: char| first.is_ascii_alphanumeric())
        {
            // The other side of a relation chose it: it could be taken for a flag.
            return Ok(Err(SecretRefusal::NotThere));
        }
        let key = (secret.clone(), revision);
        if let Some(known) = self.answers.borrow().secrets.get(&key) {
            return Ok(known.answer.clone());
        }
        let answer = match self.commands().secret_get(secret, revision) {
            Err(error) if error.is_permission_denied() => Err(SecretRefusal::Denied),
            Err(error) if error.is_not_found() || error.is_no_secret_id() => Err(SecretRefusal::NotThere),
            answer => Ok(Rc::new(answer?)),
        };
        let mut answers = self.answers.borrow_mut();
        if revision == SecretRevision::Refresh {
            // What is tracked is another one now.
            answers.secrets.remove(&(secret.clone(), SecretRevision::Tracked));
        }
        answers.secrets.insert(key, KnownSecret { answer: answer.clone(), is_planned: false });
        Ok(answer)
    }

    /// Takes what is planned for a secret for its content; None for one that is to be removed.
    pub(crate) fn plan_secret(&self, secret: &SecretName, content: Option<&BTreeMap<String, String>>) {
        let answer = content.map(|content| Rc::new(content.clone())).ok_or(SecretRefusal::NotThere);
        for revision in [SecretRevision::Tracked, SecretRevision::Peek, SecretRevision::Refresh] {
            let known = KnownSecret { answer: answer.clone(), is_planned: true };
            self.answers.borrow_mut().secrets.insert((secret.clone(), revision), known);
        }
    }

    /// Puts other texts into what is to be published, key by key.
    pub(crate) fn rewrite_own(&self, rewritten: impl Fn(&str) -> Option<String>) {
        for own in self.answers.borrow_mut().own.values_mut() {
            let changes: Vec<(String, String)> = own
                .wanted
                .iter()
                .filter_map(|(key, text)| Some((key.to_owned(), rewritten(text)?)))
                .collect();
            for (key, text) in changes {
                own.wanted.set(&key, &text);
            }
        }
    }

    /// How the unit is reached over a binding, and over one relation of it.
    pub(crate) fn network(
        &self,
        binding: &str,
        relation: Option<&RelationId>,
    ) -> Result<Rc<Network>, CommandError> {
        let key = (binding.to_owned(), relation.cloned());
        if let Some(known) = self.answers.borrow().networks.get(&key) {
            return Ok(known.clone());
        }
        let network = Rc::new(self.commands().network_get(binding, relation)?);
        self.answers.borrow_mut().networks.insert(key, network.clone());
        Ok(network)
    }

    /// The storage of one name, in order of the ids.
    pub(crate) fn storage(&self, name: &str) -> Result<Rc<[Storage]>, CommandError> {
        if let Some(known) = self.answers.borrow().storage.get(name) {
            return Ok(known.clone());
        }
        let mut ids = self.commands().storage_list(Some(name))?;
        ids.sort_by_key(|id| id.split_once('/').and_then(|(_, number)| number.parse::<u32>().ok()));
        let all: Result<Vec<Storage>, _> = ids.iter().map(|id| self.commands().storage_get(id)).collect();
        let all: Rc<[Storage]> = all?.into();
        self.answers.borrow_mut().storage.insert(name.to_owned(), all.clone());
        Ok(all)
    }

    /// The file of a resource.
    pub(crate) fn resource(&self, name: &str) -> Result<PathBuf, CommandError> {
        if let Some(known) = self.answers.borrow().resources.get(name) {
            return Ok(known.clone());
        }
        let path = self.commands().resource_get(name)?;
        self.answers.borrow_mut().resources.insert(name.to_owned(), path.clone());
        Ok(path)
    }

    /// What the model is to become.
    pub(crate) fn goal_state(&self) -> Result<Rc<GoalState>, CommandError> {
        if let Some(known) = &self.answers.borrow().goal {
            return Ok(known.clone());
        }
        let goal = Rc::new(self.commands().goal_state()?);
        self.answers.borrow_mut().goal = Some(goal.clone());
        Ok(goal)
    }

    /// The cloud and a credential for it.
    pub(crate) fn credential(&self) -> Result<Rc<CloudSpec>, CommandError> {
        if let Some(known) = &self.answers.borrow().credential {
            return Ok(known.clone());
        }
        let cloud = Rc::new(self.commands().credential_get()?);
        self.answers.borrow_mut().credential = Some(cloud.clone());
        Ok(cloud)
    }

    /// The model that the other side of a relation is in.
    pub(crate) fn model_of(&self, relation: &RelationId) -> Result<String, CommandError> {
        if let Some(known) = self.answers.borrow().models.get(relation) {
            return Ok(known.clone());
        }
        let uuid = self.commands().relation_model_get(relation)?;
        self.answers.borrow_mut().models.insert(relation.clone(), uuid.clone());
        Ok(uuid)
    }

    /// The parameters of the running action.
    pub(crate) fn action(&self) -> Result<Rc<Map<String, Value>>, CommandError> {
        if let Some(known) = &self.answers.borrow().action {
            return Ok(known.clone());
        }
        let parameters = Rc::new(self.commands().action_get()?);
        self.answers.borrow_mut().action = Some(parameters.clone());
        Ok(parameters)
    }
}
