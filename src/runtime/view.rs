//! Databags as a charm reads and writes them: as JSON, typed, or as the raw texts.

use std::rc::Rc;

use charms_reactive_core::{Databag, RelationId, json};
use charms_reactive_hookcmd::CommandError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::dispatch::Dispatch;

/// Why a value of a databag is not what was expected: the other side's mistake.
#[derive(Debug, thiserror::Error)]
#[error("cannot read key `{key}` of {whose}")]
pub struct DatabagError {
    key: String,
    whose: String,
    source: serde_json::Error,
}

/// What the other side published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    databag: Rc<Databag>,
    /// Whose databag it is, for messages.
    whose: String,
}

impl Received {
    pub(crate) fn new(databag: Rc<Databag>, whose: String) -> Self {
        Self { databag, whose }
    }

    /// The value under `key`, decoded: a text that is not JSON is a string.
    ///
    /// Decoding is blind, as in charms.reactive: `1.10` is a number here.  Where that matters, take
    /// [`Received::text`] or [`Received::parse`].
    pub fn get(&self, key: &str) -> Option<Value> {
        self.databag.text(key).map(decoded)
    }

    /// The text under `key`, as it is on the wire.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.databag.text(key)
    }

    /// The value under `key` as a `T`; None where there is no such key.
    pub fn parse<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, DatabagError> {
        let parsed = self.databag.text(key).map(serde_json::from_str).transpose();
        parsed.map_err(|source| DatabagError { key: key.to_owned(), whose: self.whose.clone(), source })
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> {
        self.databag.iter().map(|(key, text)| (key, decoded(text)))
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.databag.keys()
    }

    /// The texts themselves.
    pub fn raw(&self) -> &Databag {
        &self.databag
    }
}

fn decoded(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// One of our own databags: what is written here is published when the dispatch ends well.
///
/// Only what differs from what Juju has is written; a removed key is removed there too.
#[derive(Clone)]
pub struct Published {
    dispatch: Rc<Dispatch>,
    relation: RelationId,
    is_application: bool,
}

impl Published {
    pub(crate) fn new(dispatch: Rc<Dispatch>, relation: RelationId, is_application: bool) -> Self {
        Self { dispatch, relation, is_application }
    }

    /// Publishes `value` under `key`, as JSON in the form that Python writes.
    ///
    /// # Errors
    ///
    /// [`CommandError`] when our databag cannot be read, for example the application's on a unit that
    /// does not lead.
    pub fn set(&self, key: &str, value: impl Serialize) -> Result<(), CommandError> {
        let value = serde_json::to_value(value)
            .map_err(|source| CommandError::Answer { command: format!("to_publish[{key}]"), source })?;
        self.set_text(key, &json::to_text(&value))
    }

    /// Publishes `text` under `key`, as it is; an empty one removes the key.
    pub fn set_text(&self, key: &str, text: &str) -> Result<(), CommandError> {
        self.dispatch.model.set_own(&self.relation, self.is_application, key, text)
    }

    /// Publishes `value` under `key` where nothing is yet.
    pub fn set_default(&self, key: &str, value: impl Serialize) -> Result<(), CommandError> {
        if self.read()?.text(key).is_none() { self.set(key, value) } else { Ok(()) }
    }

    /// Publishes each value under its key.
    pub fn update<K: AsRef<str>, V: Serialize>(
        &self,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), CommandError> {
        values.into_iter().try_for_each(|(key, value)| self.set(key.as_ref(), value))
    }

    /// Removes `key`.
    pub fn remove(&self, key: &str) -> Result<(), CommandError> {
        self.set_text(key, "")
    }

    /// What is published, own changes of this dispatch included.
    pub fn read(&self) -> Result<Received, CommandError> {
        let databag = self.dispatch.model.own(&self.relation, self.is_application)?;
        Ok(Received::new(Rc::new(databag), format!("our own databag on relation `{}`", self.relation)))
    }
}
