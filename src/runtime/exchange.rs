//! Typed requests and responses over databags.
//!
//! # Shape
//!
//! Everything is in unit databags.  A requester publishes `request_<id>`, the responder answers with
//! `response_<id>` on the same relation.  Both are JSON objects with sorted keys; a request carries its
//! id in `request_id`, a response carries in `answers` the digest of the request that it answers, so
//! that a request that changed is a new one.  Charms in Python write no `answers`: their response
//! counts for whatever the request says now.
//!
//! ```json
//! {"job_name": "node", "request_id": "3f2a"}
//! {"answers": ["0a1b2c3d4e5f"], "reason": null, "success": true}
//! ```
//!
//! Requests belong to their relation: the same id on two relations is two requests.  The same id from
//! two units of one relation is one request, asked twice; what the first unit says counts.
//!
//! An entry that is not of this form is skipped, and told in the log when it comes; what the other side
//! writes never makes a hook fail.
//!
//! # Source
//!
//! `charms.reactive.patterns.request_response`; the defects D4 to D15 of its description are the reason
//! for the differences.

mod entry;
mod overview;
mod requester;
mod responder;
mod secret;

use charms_reactive_core::{Databag, RelationId, UnitName};
use charms_reactive_hookcmd::CommandError;
use charms_reactive_hookcmd::commands::Party;

pub use entry::{
    Entry, Malformed, RequestId, note_request, note_response, request_problem, response_problem,
};
pub use overview::{AnswerShown, HIDDEN, Overview, RequestShown, hidden};
pub use requester::{Answer, Requester};
pub use responder::Responder;

use entry::{is_exchange_key, note_own};
pub(crate) use secret::{commit as commit_secrets, forget_relation as forget_secrets};

use crate::dispatch::Dispatch;
use crate::endpoint::Endpoint;
use crate::record::{Fact, Facts, RelationRecord, facts_of};
use crate::relation::Relation;

/// What one side may ask or answer: an object of JSON.
pub trait Message: serde::Serialize + serde::de::DeserializeOwned {}

impl<T: serde::Serialize + serde::de::DeserializeOwned> Message for T {}

/// An answer to a request.
pub trait Response: Message {
    /// What to remember of it, so that a later dispatch need not read it again: short, never a secret.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// Why a request or a response could not be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// Juju gave no answer.
    #[error("cannot reach Juju")]
    Command(#[from] CommandError),
    /// The type is not an object of JSON: a mistake of the interface's author.
    #[error("cannot write `{key}` as a JSON object")]
    Encode {
        /// The key of the databag.
        key: String,
    },
    /// The text is no id of a request.
    #[error(
        "request id `{text}` is not valid, expected 1 to 200 characters without `=` and control characters"
    )]
    Id {
        /// What was found.
        text: String,
    },
}

/// Our own databag on a relation, and what is remembered of it brought up to date.
pub(crate) fn own_databag(dispatch: &Dispatch, relation: &RelationId) -> Result<Databag, CommandError> {
    let databag = dispatch.model.own(relation, false)?;
    let mut facts = facts_of(&databag, note_own);
    facts.retain(|key, _| is_exchange_key(key));
    let mut records = dispatch.records.borrow_mut();
    let record = records.entry(relation.clone()).or_default();
    record.own = facts;
    record.is_own_forgotten = false;
    drop(records);
    Ok(databag)
}

/// What is remembered of the relations of an endpoint that are there; where what we published was
/// forgotten, it is read again.
fn records(endpoint: &Endpoint) -> Result<Vec<(RelationId, RelationRecord)>, CommandError> {
    let (dispatch, name) = (&endpoint.dispatch, endpoint.endpoint_name());
    for (relation, record) in dispatch.records_of(name) {
        if record.is_own_forgotten && !record.broken {
            own_databag(dispatch, &relation)?;
        }
    }
    Ok(dispatch.records_of(name).filter(|(_, record)| !record.broken).collect())
}

/// What is published under `key`.  Costs the same however many keys there are, but for the first of a
/// dispatch.
fn published(relation: &Relation, key: &str) -> Result<Option<String>, CommandError> {
    let (dispatch, id) = (&relation.dispatch, relation.relation_id());
    if !dispatch.model.has_own(id) {
        own_databag(dispatch, id)?;
    }
    dispatch.model.own_text(id, key)
}

/// Publishes `text` under `key`; an empty one removes the key.  Costs the same however many keys there
/// are, but for the first of a dispatch.
fn publish(relation: &Relation, key: &str, text: &str) -> Result<(), CommandError> {
    let (dispatch, id) = (&relation.dispatch, relation.relation_id());
    if !dispatch.model.has_own(id) {
        own_databag(dispatch, id)?;
    }
    dispatch.model.set_own(id, false, key, text)?;
    let mut records = dispatch.records.borrow_mut();
    let own = &mut records.entry(id.clone()).or_default().own;
    if text.is_empty() {
        own.remove(key);
    } else {
        own.insert(key.to_owned(), Fact::new(text, note_own(key, text)));
    }
    drop(records);
    dispatch.flags_are_stale(id.endpoint());
    Ok(())
}

/// The facts of each remote unit of a relation, in order of the units.
///
/// Costs nothing where they are remembered; a unit whose facts were forgotten is read.
fn remembered(
    dispatch: &Dispatch,
    relation: &RelationId,
    note: impl Fn(&str, &str) -> Option<String>,
) -> Result<Vec<(UnitName, Facts)>, CommandError> {
    let members = match dispatch.records.borrow().get(relation) {
        Some(record) if !record.broken => record.members.clone(),
        _ => return Ok(Vec::new()),
    };
    let mut all = Vec::with_capacity(members.len());
    for (unit, facts) in members {
        let facts = match facts {
            Some(facts) => facts,
            None => facts_of(&*dispatch.model.databag(relation, &Party::Unit(unit.clone()))?, &note),
        };
        all.push((unit, facts));
    }
    Ok(all)
}
