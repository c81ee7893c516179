//! Waiters as clients see them, and the methods on them.

use charms_reactive_core::waiter::{Moment, Outcome, Waiter, WaiterName, span_text};
use charms_reactive_waiters::Event;
use serde_json::{Value, json};

use super::call::{Condition, ConfigName, Declared};
use super::config::Config;
use super::error::{ApiError, Code};
use super::page::Page;
use super::service::Service;
use super::store::Change;
use super::undo::Inverse;

/// How many waiters are looked at for overlapping paths.
const LOOKED_AT_MAX: usize = 100;

/// A waiter, with how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptWaiter {
    pub(super) declared: Declared,
    pub(super) created: Moment,
    pub(super) ended: Option<(Outcome, Moment)>,
}

impl KeptWaiter {
    /// What the engine counts for.
    pub(super) fn waiter(&self) -> Waiter {
        Waiter {
            success: self.declared.success.cardinality.clone(),
            failure: self.declared.failure.as_ref().map(|failure| failure.cardinality.clone()),
            timeout: self.declared.timeout,
            created: self.created,
        }
    }

    fn error(&self) -> Option<Value> {
        let (code, message) = match self.ended?.0 {
            Outcome::Success => return None,
            Outcome::Failure => (Code::FailedPrecondition, "Failure condition satisfied."),
            Outcome::Timeout => (Code::DeadlineExceeded, "Timeout expired."),
        };
        Some(json!({"code": code.number(), "message": message}))
    }

    /// What does not hold is left out.
    pub(super) fn to_json(&self, config: &ConfigName, name: &WaiterName) -> Value {
        let condition = |condition: &Condition| {
            let Condition { path, cardinality } = condition;
            json!({"cardinality": {"path": path, "number": cardinality.number}})
        };
        let mut body = json!({
            "name": format!("{}/waiters/{name}", config.full()),
            "timeout": span_text(self.declared.timeout),
            "success": condition(&self.declared.success),
            "createTime": self.created.to_string(),
        });
        if let Some(failure) = &self.declared.failure {
            body["failure"] = condition(failure);
        }
        if self.ended.is_some() {
            body["done"] = true.into();
        }
        if let Some(error) = self.error() {
            body["error"] = error;
        }
        body
    }

    /// The operation that a client may wait for: a view of the waiter.
    pub(super) fn operation(&self, config: &ConfigName, name: &WaiterName) -> Value {
        let mut body = json!({ "name": format!("{}/operations/waiters/{name}", config.full()) });
        if self.ended.is_some() {
            body["done"] = true.into();
            if let Some(error) = self.error() {
                body["error"] = error;
            } else {
                let mut waiter = self.to_json(config, name);
                waiter["@type"] = "type.googleapis.com/google.cloud.runtimeconfig.v1beta1.Waiter".into();
                body["response"] = waiter;
            }
        }
        body
    }
}

impl Config {
    pub(super) fn waiter_list(&self, name: &ConfigName, page: &Page) -> Result<Value, ApiError> {
        page.answer(&format!("waiters {}", self.uid), "waiters", |last| {
            let behind = move |name: &WaiterName| last.as_deref().is_none_or(|last| name.as_str() > last);
            let waiters = self.waiters.iter().filter(move |(name, _)| behind(name));
            waiters.map(|(waiter, kept)| (waiter.to_string(), kept.to_json(name, waiter)))
        })
    }

    /// Waiters whose paths are the same or one above the other, which Google advises against.
    fn overlapping(&self, declared: &Declared) -> Option<&WaiterName> {
        let paths = |declared: &Declared| {
            let failure = declared.failure.as_ref().map(|failure| failure.cardinality.path.clone());
            [Some(declared.success.cardinality.path.clone()), failure]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        let new = paths(declared);
        let is_near = |other: &KeptWaiter| {
            paths(&other.declared)
                .iter()
                .any(|path| new.iter().any(|own| own.covers(path) || path.covers(own)))
        };
        self.waiters.iter().find(|(_, other)| other.ended.is_none() && is_near(other)).map(|(name, _)| name)
    }
}

impl Service {
    pub(super) fn waiter_create(
        &mut self,
        config_name: &ConfigName,
        name: &WaiterName,
        declared: Declared,
        request_id: Option<String>,
        now: Moment,
    ) -> Result<Value, ApiError> {
        let config = self.config(config_name)?;
        let list = format!("{} waiters", config.uid);
        if let Some(made) = self.repeated(&list, request_id.as_deref())
            && let Some((name, waiter)) = config.waiters.get_key_value(made.name.as_str())
            && waiter.created == made.at
        {
            return Ok(waiter.operation(config_name, name));
        }
        if config.waiters.contains_key(name) {
            return Err(Code::AlreadyExists.into());
        }
        if now.checked_after(declared.timeout).is_none() {
            return Err(ApiError::invalid("waiter.timeout", "ends after the year 9999"));
        }
        // Looked for where there are few: the advice is for people, and costs one look at each waiter.
        if config.waiters.len() <= LOOKED_AT_MAX
            && let Some(other) = config.overlapping(&declared)
        {
            log::warn!("waiters `{name}` and `{other}` of `{}` have overlapping paths", config_name.full());
        }
        let waiter = KeptWaiter { declared, created: now, ended: None };
        let event = Event::Wait { name: name.clone(), waiter: waiter.waiter() };
        let config = self.config_mut(config_name)?;
        let uid = config.uid;
        config.waiters.insert(name.clone(), waiter.clone());
        self.record(
            Change::PutWaiter { config: uid, name: name.clone(), waiter: Box::new(waiter) },
            Inverse::Waiter { config: config_name.clone(), name: name.clone(), was: None },
        );
        self.made(list, request_id, name.to_string(), now);
        self.happen(config_name, event, now);
        Ok(self.config(config_name)?.waiter(name)?.operation(config_name, name))
    }

    pub(super) fn waiter_delete(
        &mut self,
        config_name: &ConfigName,
        name: &WaiterName,
        now: Moment,
    ) -> Result<Value, ApiError> {
        self.config(config_name)?.waiter(name)?;
        self.happen(config_name, Event::Forget(name.clone()), now);
        let config = self.config_mut(config_name)?;
        let was = config.waiters.remove(name).map(Box::new);
        let uid = config.uid;
        self.record(
            Change::DropWaiter { config: uid, name: name.clone() },
            Inverse::Waiter { config: config_name.clone(), name: name.clone(), was },
        );
        Ok(json!({}))
    }
}
