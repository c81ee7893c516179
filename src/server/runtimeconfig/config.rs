//! Configs: what one of them holds, and the methods on them.

use std::collections::{BTreeMap, HashMap};

use charms_reactive_core::waiter::{Moment, VariablePath, WaiterName};
use charms_reactive_waiters::{Engine, Event};
use serde_json::{Map, Value, json};

use super::body::encoded;
use super::call::ConfigName;
use super::error::{ApiError, Code};
use super::page::Page;
use super::service::{Service, WatchId};
use super::store::{Change, Kept};
use super::undo::Inverse;
use super::variable::Variable;
use super::waiter::KeptWaiter;

/// The etag of a policy that nobody has set.
const ETAG_NONE: &str = "ACAB";

/// A config with its variables and waiters.
#[derive(Debug)]
pub(super) struct Config {
    /// Tells it from others of the same name, before and after it: the moment of its making.
    pub(super) uid: i64,
    pub(super) description: String,
    pub(super) policy: Value,
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) waiters: BTreeMap<WaiterName, KeptWaiter>,
    pub(super) engine: Engine,
    watches: HashMap<String, Vec<WatchId>>,
}

impl Config {
    pub(super) fn new(uid: i64, description: String) -> Self {
        Self {
            uid,
            description,
            policy: json!({ "etag": ETAG_NONE }),
            variables: BTreeMap::new(),
            waiters: BTreeMap::new(),
            engine: Engine::new(),
            watches: HashMap::new(),
        }
    }

    /// A config as it was kept.
    pub(super) fn load(kept: Kept) -> Self {
        let mut config = Self { policy: kept.policy, ..Self::new(kept.uid, kept.description) };
        for (path, variable) in kept.variables {
            config.engine.apply(Event::Write(path.clone()), variable.updated);
            config.variables.insert(path.as_str().to_owned(), variable);
        }
        for (name, waiter) in kept.waiters {
            if waiter.ended.is_none() {
                // None of its conditions is met: it would have ended with the change that met it.  Its time
                // may be over, which the first tick finds.
                let event = Event::Wait { name: name.clone(), waiter: waiter.waiter() };
                config.engine.apply(event, waiter.created);
            }
            config.waiters.insert(name, waiter);
        }
        config
    }

    /// The last moment at which something changed.
    pub(super) fn last(&self) -> Moment {
        let made = Moment::from_nanoseconds(self.uid.into()).unwrap_or(Moment::MIN);
        let updated = self.variables.values().map(|variable| variable.updated);
        let waited = self.waiters.values().map(|waiter| waiter.ended.map_or(waiter.created, |(_, at)| at));
        updated.chain(waited).fold(made, Moment::max)
    }

    /// Has something happen; gives the waiters that ended, each as it is now and as it was.
    pub(super) fn happen(&mut self, event: Event, now: Moment) -> Vec<(WaiterName, KeptWaiter, KeptWaiter)> {
        let mut all = Vec::new();
        for ended in self.engine.apply(event, now) {
            if let Some(waiter) = self.waiters.get_mut(&ended.name) {
                let before = waiter.clone();
                waiter.ended = Some((ended.outcome, ended.at));
                all.push((ended.name, waiter.clone(), before));
            }
        }
        all
    }

    pub(super) fn to_json(&self, name: &ConfigName) -> Value {
        let mut body = Map::from_iter([("name".to_owned(), name.full().into())]);
        if !self.description.is_empty() {
            body.insert("description".to_owned(), self.description.clone().into());
        }
        body.into()
    }

    /// Replaces the policy, if nobody did since it was read.
    pub(super) fn set_policy(&mut self, policy: Value) -> Result<Value, ApiError> {
        let known = self.policy["etag"].as_str().unwrap_or(ETAG_NONE).to_owned();
        if policy["etag"].as_str().is_some_and(|etag| !etag.is_empty() && etag != known) {
            let message = "There were concurrent policy changes. Please retry the whole read-modify-write.";
            return Err(ApiError { message: message.to_owned(), ..Code::Aborted.into() });
        }
        self.policy = policy;
        let sum = charms_reactive_core::digest::digest(&format!("{known} {}", self.policy));
        self.policy["etag"] = encoded(sum.as_bytes()).into();
        Ok(self.policy.clone())
    }

    pub(super) fn watch(&mut self, path: &str, id: WatchId) {
        self.watches.entry(path.to_owned()).or_default().push(id);
    }

    pub(super) fn unwatch(&mut self, path: &str, id: WatchId) {
        if let Some(watches) = self.watches.get_mut(path) {
            watches.retain(|known| *known != id);
            if watches.is_empty() {
                self.watches.remove(path);
            }
        }
    }

    /// The watches of a variable, which is about to be told of.
    pub(super) fn take_watches(&mut self, path: &str) -> Vec<WatchId> {
        self.watches.remove(path).unwrap_or_default()
    }

    pub(super) fn watched_paths(&self) -> Vec<String> {
        self.watches.keys().cloned().collect()
    }

    pub(super) fn variable(&self, name: &ConfigName, path: &VariablePath) -> Result<Value, ApiError> {
        let variable = self.variables.get(path.as_str()).ok_or(Code::NotFound)?;
        Ok(variable.to_json(name, path.as_str(), true))
    }

    pub(super) fn waiter(&self, name: &WaiterName) -> Result<&KeptWaiter, ApiError> {
        self.waiters.get(name).ok_or_else(|| Code::NotFound.into())
    }
}

impl Service {
    pub(super) fn config_create(
        &mut self,
        name: &ConfigName,
        description: String,
        request_id: Option<String>,
        now: Moment,
    ) -> Result<Value, ApiError> {
        let list = format!("projects/{}/configs", name.project);
        if let Some(made) = self.repeated(&list, request_id.as_deref())
            && let Some((name, config)) = self.configs.iter().find(|(name, _)| name.full() == made.name)
            && i128::from(config.uid) == made.at.nanoseconds()
        {
            return Ok(config.to_json(name));
        }
        if self.configs.contains_key(name) {
            return Err(Code::AlreadyExists.into());
        }
        // Unique, as moments of changes are; good until the year 2262.
        let uid = i64::try_from(now.nanoseconds()).unwrap_or(i64::MAX);
        let config = Config::new(uid, description);
        let body = config.to_json(name);
        self.insert_config(name, config);
        self.happen(name, Event::Tick, now);
        self.put_config(name, Inverse::Config { name: name.clone(), was: None });
        self.made(list, request_id, name.full(), now);
        Ok(body)
    }

    pub(super) fn config_list(&self, project: &str, page: &Page) -> Result<Value, ApiError> {
        let of_project = self.configs.iter().filter(|(name, _)| name.project == project);
        page.answer(&format!("configs {project}"), "configs", |last| {
            let behind =
                move |name: &ConfigName| last.as_deref().is_none_or(|last| name.config.as_str() > last);
            of_project
                .filter(move |(name, _)| behind(name))
                .map(|(name, config)| (name.config.to_string(), config.to_json(name)))
        })
    }

    pub(super) fn config_delete(&mut self, name: &ConfigName) -> Result<Value, ApiError> {
        self.config(name)?;
        self.tell_all_deleted(name);
        if let Some(config) = self.remove_config(name) {
            let change = Change::DropConfig { uid: config.uid };
            self.record(change, Inverse::Config { name: name.clone(), was: Some(Box::new(config)) });
        }
        Ok(json!({}))
    }

    /// Answers all watches of a config that is about to go.
    pub(super) fn tell_all_deleted(&mut self, name: &ConfigName) {
        let watched = self.configs.get(name).map(Config::watched_paths).unwrap_or_default();
        for path in watched {
            self.tell_deleted(name, &path);
        }
    }

    /// Answers the watches of a variable that is about to go.
    pub(super) fn tell_deleted(&mut self, name: &ConfigName, path: &str) {
        let Some(config) = self.configs.get_mut(name) else { return };
        let watches = config.take_watches(path);
        if watches.is_empty() {
            return;
        }
        if let Some(variable) = config.variables.get(path) {
            let mut value = variable.to_json(name, path, true);
            value["state"] = "DELETED".into();
            self.notify(name, path, watches, &value);
        }
    }

    pub(super) fn config_update(
        &mut self,
        name: &ConfigName,
        description: String,
    ) -> Result<Value, ApiError> {
        let inverse = self.head_of(name)?;
        self.config_mut(name)?.description = description;
        self.put_config(name, inverse);
        Ok(self.config(name)?.to_json(name))
    }

    pub(super) fn policy_set(&mut self, name: &ConfigName, policy: Value) -> Result<Value, ApiError> {
        let inverse = self.head_of(name)?;
        let set = self.config_mut(name)?.set_policy(policy)?;
        self.put_config(name, inverse);
        Ok(set)
    }

    /// What takes a change of a config back that leaves alone what it holds.
    fn head_of(&self, name: &ConfigName) -> Result<Inverse, ApiError> {
        let Config { description, policy, .. } = self.config(name)?;
        Ok(Inverse::Head { name: name.clone(), description: description.clone(), policy: policy.clone() })
    }

    /// Writes a config down, without what it holds.
    fn put_config(&mut self, name: &ConfigName, inverse: Inverse) {
        if let Some(config) = self.configs.get(name) {
            let change = Change::PutConfig {
                uid: config.uid,
                name: name.clone(),
                description: config.description.clone(),
                policy: config.policy.clone(),
            };
            self.record(change, inverse);
        }
    }
}
