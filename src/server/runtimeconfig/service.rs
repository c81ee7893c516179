//! Answers calls: all of the service's state, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use charms_reactive_core::waiter::Moment;
use serde_json::{Value, json};

use super::call::{Call, ConfigName, Resource};
use super::config::Config;
use super::error::{ApiError, Code};
use super::store::{Change, Request, Snapshot};
use super::undo::Inverse;

/// How long a request id is remembered.
pub const REQUEST_ID_KEPT: Duration = Duration::from_hours(24);

/// Names a watch.
pub type WatchId = u64;

/// What a call comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The body of the answer.
    Done(Value),
    /// Nothing yet: [`Service::take_notices`] will have it.
    Watching(WatchId),
}

/// All configs, with their variables and waiters.
///
/// # Invariants
///
/// Every change is in [`Service::take_changes`], once: applied to what was loaded, they give the state.
#[derive(Debug)]
pub struct Service {
    pub(super) configs: BTreeMap<ConfigName, Config>,
    /// What a config is called.
    pub(super) names: HashMap<i64, ConfigName>,
    pub(super) requests: HashMap<RequestKey, Request>,
    /// Request ids by age.
    pub(super) ages: VecDeque<(Moment, RequestKey)>,
    /// When the next waiter of a config is over.
    timeouts: BTreeSet<(Moment, ConfigName)>,
    pub(super) watches: HashMap<WatchId, (ConfigName, String)>,
    pub(super) last_watch: WatchId,
    /// The moment of the last change.
    pub(super) last: Moment,
    pub(super) changes: Vec<Change>,
    /// What takes the changes back, in the order in which they were made.
    pub(super) inverses: Vec<Inverse>,
    pub(super) notices: Vec<(WatchId, Value)>,
    /// Where the watches of `notices` were.
    pub(super) told: Vec<(WatchId, ConfigName, String)>,
}

/// Parent with collection, and the id.
pub(super) type RequestKey = (String, String);

impl Service {
    /// The service as it was kept.
    pub fn load(snapshot: Snapshot) -> Self {
        let mut service = Self {
            configs: BTreeMap::new(),
            names: HashMap::new(),
            requests: HashMap::new(),
            ages: VecDeque::new(),
            timeouts: BTreeSet::new(),
            watches: HashMap::new(),
            last_watch: 0,
            last: Moment::MIN,
            changes: Vec::new(),
            inverses: Vec::new(),
            notices: Vec::new(),
            told: Vec::new(),
        };
        for request in snapshot.requests {
            service.last = service.last.max(request.at);
            service.remember(request);
        }
        for (name, kept) in snapshot.configs {
            let config = Config::load(kept);
            service.last = service.last.max(config.last());
            service.insert_config(&name, config);
        }
        service
    }

    /// Answers a call.
    ///
    /// # Errors
    ///
    /// [`ApiError`]; nothing has changed then, but what time did.
    pub fn call(&mut self, call: Call, now: Moment) -> Result<Answer, ApiError> {
        self.tick(now);
        let now = now.max(self.last.next());
        let answer = match call {
            Call::ConfigCreate { config, description, request_id } => {
                self.config_create(&config, description, request_id, now)?
            }
            Call::ConfigGet { config } => self.config(&config)?.to_json(&config),
            Call::ConfigList { project, page } => self.config_list(&project, &page)?,
            Call::ConfigUpdate { config, description } => self.config_update(&config, description)?,
            Call::ConfigDelete { config } => self.config_delete(&config)?,
            Call::PolicyGet { config } => self.config(&config)?.policy.clone(),
            Call::PolicySet { config, policy } => self.policy_set(&config, policy)?,
            Call::TestPermissions { config, resource, permissions } => {
                self.test_permissions(&config, &resource, &permissions)
            }
            Call::VariableCreate { config, path, content, request_id } => {
                self.variable_create(&config, path, content, request_id, now)?
            }
            Call::VariableGet { config, path } => self.config(&config)?.variable(&config, &path)?,
            Call::VariableList { config, filter, has_values, page } => {
                self.config(&config)?.variable_list(&config, &filter, has_values, &page)?
            }
            Call::VariableUpdate { config, path, content } => {
                self.variable_update(&config, &path, content, now)?
            }
            Call::VariableDelete { config, path, is_recursive } => {
                self.variable_delete(&config, &path, is_recursive, now)?
            }
            Call::VariableWatch { config, path, newer_than } => {
                return self.variable_watch(&config, &path, newer_than);
            }
            Call::WaiterCreate { config, name, declared, request_id } => {
                self.waiter_create(&config, &name, declared, request_id, now)?
            }
            Call::WaiterGet { config, name } => self.config(&config)?.waiter(&name)?.to_json(&config, &name),
            Call::WaiterList { config, page } => self.config(&config)?.waiter_list(&config, &page)?,
            Call::WaiterDelete { config, name } => self.waiter_delete(&config, &name, now)?,
            Call::OperationGet { config, name } => {
                self.config(&config)?.waiter(&name)?.operation(&config, &name)
            }
            Call::NothingList => json!({}),
        };
        Ok(Answer::Done(answer))
    }

    /// Has happen what is due by time.
    pub fn tick(&mut self, now: Moment) {
        while let Some((_, name)) = self.timeouts.first().filter(|(at, _)| *at <= now).cloned() {
            self.happen(&name, charms_reactive_waiters::Event::Tick, now);
        }
        while self.ages.front().is_some_and(|(at, _)| now.since(*at) >= REQUEST_ID_KEPT) {
            let Some((_, key)) = self.ages.pop_front() else { return };
            self.forget_request(&key, now);
        }
    }

    /// When [`Service::tick`] has something to do; None while nobody waits.
    pub fn next_timeout(&self) -> Option<Moment> {
        self.timeouts.first().map(|(at, _)| *at)
    }

    /// Ends a watch whose time is over, or whose client has gone; gives the variable as it is.
    ///
    /// None where it has been answered already.
    pub fn end_watch(&mut self, id: WatchId) -> Option<Value> {
        let (name, path) = self.watches.remove(&id)?;
        let config = self.configs.get_mut(&name)?;
        config.unwatch(&path, id);
        let path = charms_reactive_core::waiter::VariablePath::parse_variable(&path).ok()?;
        config.variable(&name, &path).ok()
    }

    /// The changes that were not taken yet.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes since the last time that this was asked; they cannot be taken back any more.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.inverses.clear();
        self.told.clear();
        std::mem::take(&mut self.changes)
    }

    /// The watches that were answered since the last time that this was asked.
    pub fn take_notices(&mut self) -> Vec<(WatchId, Value)> {
        std::mem::take(&mut self.notices)
    }

    pub(super) fn config(&self, name: &ConfigName) -> Result<&Config, ApiError> {
        self.configs.get(name).ok_or_else(|| Code::NotFound.into())
    }

    pub(super) fn config_mut(&mut self, name: &ConfigName) -> Result<&mut Config, ApiError> {
        self.configs.get_mut(name).ok_or_else(|| Code::NotFound.into())
    }

    /// Has something happen to a config's variables and waiters, and writes down who ended.
    pub(super) fn happen(&mut self, name: &ConfigName, event: charms_reactive_waiters::Event, now: Moment) {
        self.last = self.last.max(now);
        let Some(config) = self.configs.get_mut(name) else { return };
        let before = config.engine.next_timeout();
        let uid = config.uid;
        for (waiter_name, waiter, before) in config.happen(event, now) {
            self.record(
                Change::PutWaiter { config: uid, name: waiter_name.clone(), waiter: Box::new(waiter) },
                Inverse::Waiter { config: name.clone(), name: waiter_name, was: Some(Box::new(before)) },
            );
        }
        self.move_timeout(before, name);
    }

    /// Notes a change, and what takes it back.
    pub(super) fn record(&mut self, change: Change, inverse: Inverse) {
        self.changes.push(change);
        self.inverses.push(inverse);
    }

    /// Notes when the next waiter of a config is over, which was `before`.
    pub(super) fn move_timeout(&mut self, before: Option<Moment>, name: &ConfigName) {
        if let Some(at) = before {
            self.timeouts.remove(&(at, name.clone()));
        }
        let next = self.configs.get(name).and_then(|config| config.engine.next_timeout());
        self.timeouts.extend(next.map(|at| (at, name.clone())));
    }

    pub(super) fn insert_config(&mut self, name: &ConfigName, config: Config) {
        self.names.insert(config.uid, name.clone());
        self.configs.insert(name.clone(), config);
        self.move_timeout(None, name);
    }

    pub(super) fn remove_config(&mut self, name: &ConfigName) -> Option<Config> {
        let config = self.configs.remove(name)?;
        self.names.remove(&config.uid);
        self.move_timeout(config.engine.next_timeout(), name);
        Some(config)
    }

    pub(super) fn new_watch(&mut self, name: ConfigName, path: &str) -> WatchId {
        self.last_watch += 1;
        self.watches.insert(self.last_watch, (name, path.to_owned()));
        self.last_watch
    }

    pub(super) fn notify(&mut self, name: &ConfigName, path: &str, watches: Vec<WatchId>, value: &Value) {
        for id in watches {
            self.watches.remove(&id);
            self.told.push((id, name.clone(), path.to_owned()));
            self.notices.push((id, value.clone()));
        }
    }

    /// What a request with this id has made, if that is still there.
    pub(super) fn repeated(&self, list: &str, request_id: Option<&str>) -> Option<&Request> {
        self.requests.get(&(list.to_owned(), request_id?.to_owned()))
    }

    /// Remembers what a request with this id has made.
    pub(super) fn made(&mut self, list: String, request_id: Option<String>, name: String, at: Moment) {
        let Some(id) = request_id else { return };
        let request = Request { list, id, name, at };
        let key = (request.list.clone(), request.id.clone());
        let was = self.remember(request.clone());
        self.record(Change::PutRequest(request), Inverse::Request { key, was });
    }

    pub(super) fn remember(&mut self, request: Request) -> Option<Request> {
        let key = (request.list.clone(), request.id.clone());
        self.ages.push_back((request.at, key.clone()));
        self.requests.insert(key, request)
    }

    /// Forgets a request id, unless it was used again since.
    fn forget_request(&mut self, key: &RequestKey, now: Moment) {
        let is_meant = |request: &Request| now.since(request.at) >= REQUEST_ID_KEPT;
        if self.requests.get(key).is_some_and(is_meant) {
            let was = self.requests.remove(key);
            let change = Change::DropRequest { list: key.0.clone(), id: key.1.clone() };
            self.record(change, Inverse::Request { key: key.clone(), was });
        }
    }

    fn test_permissions(&self, name: &ConfigName, resource: &Resource, permissions: &[String]) -> Value {
        let is_there = self.configs.get(name).is_some_and(|config| match resource {
            Resource::Config => true,
            Resource::Variable(path) => config.variables.contains_key(path.as_str()),
            Resource::Waiter(waiter) => config.waiters.contains_key(waiter),
        });
        // Whoever reaches the socket may do everything.
        if is_there && !permissions.is_empty() { json!({ "permissions": permissions }) } else { json!({}) }
    }
}
