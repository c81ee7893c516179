//! An operation as LXD's clients see it.

use std::collections::BTreeMap;

use charms_reactive_core::operation::{OperationId, Requestor};
use charms_reactive_core::waiter::Moment;
use serde_json::Value;

use crate::operation::{Metadata, Operation};

/// Whether children are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children {
    /// Their number alone.
    Counted,
    /// All of each.
    Whole,
}

/// An operation as LXD's clients see it; JSON by `serde`.
#[derive(Debug, serde::Serialize)]
pub struct Rendered<'a> {
    id: OperationId,
    class: &'static str,
    description: &'a str,
    created_at: Moment,
    updated_at: Moment,
    status: &'static str,
    status_code: u16,
    resources: BTreeMap<&'a str, &'a [String]>,
    metadata: BTreeMap<&'a str, &'a Value>,
    may_cancel: bool,
    err: &'a str,
    err_code: u16,
    child_count: usize,
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    requestor: Option<&'a Requestor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<Rendered<'a>>,
}

impl<'a> Rendered<'a> {
    /// An operation on a server of this name, with these children in it.
    pub(crate) fn new(operation: &'a Operation, location: &'a str, children: Vec<Self>) -> Self {
        let record = &operation.record;
        let fault = record.life.fault.as_ref();
        Self {
            id: record.id,
            class: record.life.class.as_str(),
            description: &record.description,
            created_at: record.created,
            updated_at: record.life.updated,
            status: record.life.status.as_str(),
            status_code: record.life.status.code(),
            resources: record.resources.iter().map(|(kind, urls)| (kind.as_str(), urls.as_slice())).collect(),
            metadata: shown(&record.metadata),
            may_cancel: record.may_cancel && !operation.is_finished() && !operation.will_run(),
            err: fault.map_or("", |fault| &fault.text),
            err_code: fault.map_or(0, |fault| fault.code),
            child_count: operation.children.len(),
            location,
            requestor: record.requestor.as_ref(),
            children,
        }
    }

    /// The same without what says how far it has come, in its children, too.
    #[must_use]
    pub fn without_progress(mut self) -> Self {
        self.metadata.retain(|key, _| !key.ends_with("progress"));
        self.children = self.children.into_iter().map(Self::without_progress).collect();
        self
    }

    /// What can be seen of it, by key.
    pub fn metadata(&self) -> &BTreeMap<&'a str, &'a Value> {
        &self.metadata
    }
}

fn shown(metadata: &Metadata) -> BTreeMap<&str, &Value> {
    metadata.iter().map(|(key, value)| (key.as_str(), value)).collect()
}
