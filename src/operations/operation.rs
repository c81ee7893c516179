//! One operation.

use std::collections::BTreeMap;

use charms_reactive_core::operation::{Class, Life, OperationId, Requestor, Status};
use charms_reactive_core::waiter::Moment;
use serde_json::{Map, Value};

use crate::refused::Refused;

/// What can be seen of an operation, free in form.
pub type Metadata = Map<String, Value>;

/// What an operation touches: URLs by kind.
pub type Resources = BTreeMap<String, Vec<String>>;

/// Secrets by the name of a socket.
pub type Sockets = BTreeMap<String, String>;

/// How long metadata may be, as JSON.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Everything of an operation that is kept.
#[expect(clippy::struct_excessive_bools, reason = "columns of a table")]
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its name.
    pub id: OperationId,
    /// The operation that it is a part of.
    pub parent: Option<OperationId>,
    /// Whether it consists of others, and has no work of its own.
    pub is_parent: bool,
    /// The registered kind of work.
    pub kind: String,
    /// For a person.
    pub description: String,
    /// The project; None: that of the whole server.
    pub project: Option<String>,
    /// When it was made.
    pub created: Moment,
    /// Class, status, and why it did not succeed.
    pub life: Life,
    /// What it touches.
    pub resources: Resources,
    /// What can be seen of it.
    pub metadata: Metadata,
    /// What the work was given.
    pub inputs: Value,
    /// Who asked.
    pub requestor: Option<Requestor>,
    /// At most one operation of a project runs with this text.
    pub reference: Option<String>,
    /// Whether it can be cancelled.
    pub may_cancel: bool,
    /// Whether its end is announced, until somebody acknowledges it.
    pub in_outbox: bool,
    /// Of a child: when its turn comes.
    pub stage: u32,
    /// Of a child: whether its turn comes whatever became of those before.
    pub must_run: bool,
}

impl Record {
    /// Its reference, and of which project.
    pub(crate) fn key(&self) -> Option<(Option<String>, String)> {
        Some((self.project.clone(), self.reference.clone()?))
    }
}

/// One operation, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    pub(crate) record: Record,
    pub(crate) children: Vec<OperationId>,
    /// Those that nobody has connected to; they end with the process, so they are not kept.
    pub(crate) sockets: Sockets,
}

impl Operation {
    /// Its name.
    pub fn id(&self) -> OperationId {
        self.record.id
    }

    /// Everything of it that is kept.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How far it has come.
    pub fn status(&self) -> Status {
        self.record.life.status
    }

    /// Whether it has not ended, and nobody has told it to stop.
    pub fn is_running(&self) -> bool {
        matches!(self.status(), Status::Pending | Status::Running)
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.status().is_final()
    }

    /// Whether its turn has come, and it has not ended.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.status(), Status::Running | Status::Cancelling)
    }

    /// Whether it is a part of another.
    pub fn is_child(&self) -> bool {
        self.record.parent.is_some()
    }

    /// Whether nobody can cancel it.
    pub(crate) fn is_fixed(&self) -> bool {
        !self.record.may_cancel || self.will_run()
    }

    /// Whether it waits for its turn, and cannot be kept from it.
    pub(crate) fn will_run(&self) -> bool {
        self.record.must_run && self.status() == Status::Pending
    }

    /// What it consists of.
    pub fn children(&self) -> &[OperationId] {
        &self.children
    }

    /// What can be seen of it.
    pub fn metadata(&self) -> &Metadata {
        &self.record.metadata
    }

    /// What it is about, as a URL.
    pub fn entity_url(&self) -> Option<&str> {
        self.record.metadata.get(ENTITY_URL)?.as_str()
    }

    /// One value that the work was given.
    pub fn input(&self, key: &str) -> Result<&Value, Refused> {
        self.record.inputs.get(key).ok_or_else(|| Refused::NoInput(key.to_owned()))
    }

    /// Whether this caller asked for it.
    pub fn check_requestor(&self, caller: &Requestor) -> Result<(), Refused> {
        let requestor = self.record.requestor.as_ref().ok_or(Refused::NoRequestor)?;
        if requestor.is_same(caller) { Ok(()) } else { Err(Refused::OtherRequestor) }
    }

    /// Whether this is the `secret` in its metadata, which lets one look at it without being trusted.
    pub fn is_opened_by(&self, secret: &str) -> bool {
        let expected = self.record.metadata.get("secret").and_then(Value::as_str);
        expected.is_some_and(|expected| !expected.is_empty() && is_equal(expected, secret))
    }

    /// Which socket a secret opens; opens it once.
    pub(crate) fn connect(&mut self, secret: &str) -> Result<String, Refused> {
        let life = &self.record.life;
        if life.class != Class::Websocket {
            return Err(Refused::NoWebsocket);
        }
        if let Some(fault) = &life.fault {
            return Err(Refused::Faulty(fault.clone()));
        }
        if life.status != Status::Running {
            return Err(Refused::NotConnectable);
        }
        let found = self.sockets.iter().find(|(_, expected)| is_equal(expected, secret));
        let name = found.map(|(name, _)| name.clone()).ok_or(Refused::WrongSecret)?;
        self.sockets.remove(&name);
        Ok(name)
    }

    /// Replaces the metadata; what it is about stays, unless it is said anew.
    pub(crate) fn replace(&mut self, mut metadata: Metadata, now: Moment) -> Result<(), Refused> {
        check_metadata(&metadata)?;
        self.must_go_on()?;
        if let Some(url) = self.record.metadata.get(ENTITY_URL)
            && !metadata.contains_key(ENTITY_URL)
        {
            metadata.insert(ENTITY_URL.to_owned(), url.clone());
        }
        self.set(metadata, now)
    }

    /// Adds to the metadata, key by key.
    pub(crate) fn extend(&mut self, more: Metadata, now: Moment) -> Result<(), Refused> {
        check_metadata(&more)?;
        self.must_go_on()?;
        let mut metadata = self.record.metadata.clone();
        metadata.extend(more);
        self.set(metadata, now)
    }

    fn must_go_on(&self) -> Result<(), Refused> {
        if self.is_finished() { Err(Refused::Completed) } else { Ok(()) }
    }

    fn set(&mut self, metadata: Metadata, now: Moment) -> Result<(), Refused> {
        check_size(&metadata)?;
        self.record.metadata = metadata;
        self.record.life.updated = self.record.life.updated.max(now);
        Ok(())
    }
}

/// Takes as long for each wrong one, so that nobody learns by time how much of it was right.
fn is_equal(left: &str, right: &str) -> bool {
    let is_other = left.bytes().zip(right.bytes()).fold(0, |other, (left, right)| other | (left ^ right));
    left.len() == right.len() && is_other == 0
}

pub(crate) const ENTITY_URL: &str = "entity_url";

/// Whether the fields that clients follow are URLs.
pub(crate) fn check_metadata(metadata: &Metadata) -> Result<(), Refused> {
    for key in [ENTITY_URL, "original_entity_url"] {
        match metadata.get(key) {
            None => {}
            Some(Value::String(url)) if url.starts_with('/') => {}
            Some(Value::String(url)) => {
                let text = format!("Operation metadata field \"{key}\" must be a valid request URL: {url}");
                return Err(Refused::Metadata(text));
            }
            Some(other) => {
                let kind = match other {
                    Value::Null => "null",
                    Value::Bool(_) => "a boolean",
                    Value::Number(_) => "a number",
                    Value::Array(_) => "a list",
                    _ => "a map",
                };
                let text = format!("Operation metadata field \"{key}\" must be a string (got {kind})");
                return Err(Refused::Metadata(text));
            }
        }
    }
    Ok(())
}

/// Whether the metadata is short enough to be kept, and told to everybody.
pub(crate) fn check_size(metadata: &Metadata) -> Result<(), Refused> {
    let length = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
    if length > METADATA_BYTES_MAX {
        let text = format!("Operation metadata has {length} bytes, expected at most {METADATA_BYTES_MAX}");
        return Err(Refused::Metadata(text));
    }
    Ok(())
}
