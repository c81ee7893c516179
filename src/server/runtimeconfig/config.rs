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
    fn new(uid: i64, description: String) -> Self {
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

    /// Has something happen; gives the waiters that ended.
    pub(super) fn happen(&mut self, event: Event, now: Moment) -> Vec<Change> {
        let mut changes = Vec::new();
        for ended in self.engine.apply(event, now) {
            if let Some(waiter) = self.waiters.get_mut(&ended.name) {
                waiter.ended = Some((ended.outcome, ended.at));
                changes.push(Change::PutWaiter {
                    config: self.uid,
                    name: ended.name,
                    waiter: Box::new(waiter.clone()),
                });
            }
        }
        changes
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
        self.configs.insert(name.clone(), config);
        self.happen(name, Event::Tick, now);
        self.put_config(name);
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
        let watched = self.config(name)?.watched_paths();
        for path in watched {
            self.tell_deleted(name, &path);
        }
        if let Some(config) = self.configs.remove(name) {
            if let Some(at) = config.engine.next_timeout() {
                self.drop_timeout(at, name);
            }
            self.changes.push(Change::DropConfig { uid: config.uid });
        }
        Ok(json!({}))
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
            self.notify(watches, &value);
        }
    }

    /// Writes a config down, without what it holds.
    pub(super) fn put_config(&mut self, name: &ConfigName) {
        if let Some(config) = self.configs.get(name) {
            self.changes.push(Change::PutConfig {
                uid: config.uid,
                name: name.clone(),
                description: config.description.clone(),
                policy: config.policy.clone(),
            });
        }
    }
}
