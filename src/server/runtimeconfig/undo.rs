//! What others have decided is taken over, and what was not kept is taken back: without judging again.

use charms_reactive_core::waiter::{Moment, VariablePath, WaiterName};
use charms_reactive_waiters::Event;
use serde_json::Value;

use super::call::ConfigName;
use super::config::Config;
use super::service::{RequestKey, Service};
use super::store::{Change, Request, Snapshot};
use super::variable::Variable;
use super::waiter::KeptWaiter;

/// What takes one change back.
#[derive(Debug)]
pub(super) enum Inverse {
    /// A config was made, or went with all that it held.
    Config { name: ConfigName, was: Option<Box<Config>> },
    /// A config is other, what it holds is not.
    Head { name: ConfigName, description: String, policy: Value },
    /// Variables are other, new, or gone.
    Variables { name: ConfigName, were: Vec<(VariablePath, Option<Variable>)> },
    /// A waiter is new, has ended, or is gone.
    Waiter { config: ConfigName, name: WaiterName, was: Option<Box<KeptWaiter>> },
    /// A request id is new, or forgotten.
    Request { key: RequestKey, was: Option<Request> },
}

/// Waiters that changed: they wait again when all else is as it should be.
type Changed = Vec<(ConfigName, WaiterName)>;

impl Service {
    /// Takes back what is in [`Service::changes`]; nobody who watched is told of it.
    ///
    /// Watches that began since then are to be ended by who began them.
    pub fn take_back(&mut self) {
        let mut waiters = Changed::new();
        while let Some(inverse) = self.inverses.pop() {
            self.invert(inverse, &mut waiters);
        }
        self.changes.clear();
        self.wait_again(waiters);
        self.notices.clear();
        for (id, name, path) in std::mem::take(&mut self.told) {
            if let Some(config) = self.configs.get_mut(&name) {
                config.watch(&path, id);
                self.watches.insert(id, (name, path));
            }
        }
    }

    /// Takes over what another server has decided, and answers the watches it concerns.
    ///
    /// Nothing of one's own may be waiting in [`Service::changes`].
    pub fn adopt(&mut self, changes: Vec<Change>) {
        let mut waiters = Changed::new();
        for change in changes {
            self.take_over(change, &mut waiters);
        }
        self.wait_again(waiters);
        self.told.clear();
    }

    /// Begins anew with what was kept; watches go on, or are answered where they missed something.
    pub fn renew(&mut self, snapshot: Snapshot) {
        let old = std::mem::replace(self, Self::load(snapshot));
        self.last = self.last.max(old.last);
        self.last_watch = old.last_watch;
        for (id, (name, path)) in old.watches {
            let Some(was) = old.configs.get(&name) else { continue };
            let Some(seen) = was.variables.get(&path) else { continue };
            let config = self.configs.get_mut(&name).filter(|config| config.uid == was.uid);
            let mut value = seen.to_json(&name, &path, true);
            match config.map(|config| (config.variables.get(&path).cloned(), config)) {
                Some((Some(found), config)) if found.updated == seen.updated => {
                    config.watch(&path, id);
                    self.watches.insert(id, (name, path));
                    continue;
                }
                Some((Some(found), _)) => {
                    value = found.to_json(&name, &path, true);
                    value["state"] = "UPDATED".into();
                }
                Some((None, _)) | None => value["state"] = "DELETED".into(),
            }
            self.notices.push((id, value));
        }
    }

    fn invert(&mut self, inverse: Inverse, waiters: &mut Changed) {
        match inverse {
            Inverse::Config { name, was } => {
                self.remove_config(&name);
                if let Some(config) = was {
                    self.insert_config(&name, *config);
                }
            }
            Inverse::Head { name, description, policy } => {
                if let Some(config) = self.configs.get_mut(&name) {
                    (config.description, config.policy) = (description, policy);
                }
            }
            Inverse::Variables { name, were } => {
                for (path, was) in were {
                    self.set_variable(&name, &path, was);
                }
            }
            Inverse::Waiter { config, name, was } => self.set_waiter(config, name, was, waiters),
            Inverse::Request { key, was } => match was {
                Some(request) => {
                    // It was the oldest.
                    self.ages.push_front((request.at, key.clone()));
                    self.requests.insert(key, request);
                }
                None => {
                    self.requests.remove(&key);
                }
            },
        }
    }

    fn take_over(&mut self, change: Change, waiters: &mut Changed) {
        match change {
            Change::PutConfig { uid, name, description, policy } => {
                self.pass(Moment::from_nanoseconds(uid.into()));
                if self.configs.get(&name).is_none_or(|config| config.uid != uid) {
                    self.insert_config(&name, Config::new(uid, String::new()));
                }
                if let Some(config) = self.configs.get_mut(&name) {
                    (config.description, config.policy) = (description, policy);
                }
            }
            Change::DropConfig { uid } => {
                if let Some(name) = self.names.get(&uid).cloned() {
                    self.tell_all_deleted(&name);
                    self.remove_config(&name);
                }
            }
            Change::PutVariable { config, path, variable } => {
                let Some(name) = self.names.get(&config).cloned() else { return };
                self.pass(Some(variable.updated));
                let mut body = variable.to_json(&name, path.as_str(), true);
                body["state"] = "UPDATED".into();
                self.set_variable(&name, &path, Some(variable));
                let watches = self.configs.get_mut(&name).map(|config| config.take_watches(path.as_str()));
                self.notify(&name, path.as_str(), watches.unwrap_or_default(), &body);
            }
            Change::DropVariable { config, path } => {
                let Some(name) = self.names.get(&config).cloned() else { return };
                self.remove_below(&name, &path);
                if let Some(config) = self.configs.get_mut(&name) {
                    config.engine.adopt(Event::RemoveBelow(path));
                }
            }
            Change::PutWaiter { config, name, waiter } => {
                let Some(config) = self.names.get(&config).cloned() else { return };
                self.pass(Some(waiter.ended.map_or(waiter.created, |(_, at)| at)));
                self.set_waiter(config, name, Some(waiter), waiters);
            }
            Change::DropWaiter { config, name } => {
                let Some(config) = self.names.get(&config).cloned() else { return };
                self.set_waiter(config, name, None, waiters);
            }
            Change::PutRequest(request) => {
                self.pass(Some(request.at));
                self.remember(request);
            }
            Change::DropRequest { list, id } => {
                self.requests.remove(&(list, id));
            }
        }
    }

    /// Whatever comes next, comes later.
    fn pass(&mut self, at: Option<Moment>) {
        self.last = at.map_or(self.last, |at| self.last.max(at));
    }

    fn set_variable(&mut self, name: &ConfigName, path: &VariablePath, variable: Option<Variable>) {
        let Some(config) = self.configs.get_mut(name) else { return };
        if let Some(variable) = variable {
            config.variables.insert(path.as_str().to_owned(), variable);
            config.engine.adopt(Event::Write(path.clone()));
        } else {
            config.variables.remove(path.as_str());
            config.engine.adopt(Event::Remove(path.clone()));
        }
    }

    /// Has a waiter be as it is said to be; it does not wait before all else is so, too.
    fn set_waiter(
        &mut self,
        config_name: ConfigName,
        name: WaiterName,
        waiter: Option<Box<KeptWaiter>>,
        waiters: &mut Changed,
    ) {
        let Some(config) = self.configs.get_mut(&config_name) else { return };
        let before = config.engine.next_timeout();
        config.engine.adopt(Event::Forget(name.clone()));
        if let Some(waiter) = waiter {
            config.waiters.insert(name.clone(), *waiter);
        } else {
            config.waiters.remove(&name);
        }
        self.move_timeout(before, &config_name);
        waiters.push((config_name, name));
    }

    fn wait_again(&mut self, waiters: Changed) {
        for (config_name, name) in waiters {
            let Some(config) = self.configs.get_mut(&config_name) else { continue };
            let Some(waiter) = config.waiters.get(&name).filter(|waiter| waiter.ended.is_none()) else {
                continue;
            };
            let before = config.engine.next_timeout();
            config.engine.adopt(Event::Wait { name, waiter: waiter.waiter() });
            self.move_timeout(before, &config_name);
        }
    }
}
