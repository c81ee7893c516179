//! Fields of requests that are secret: they travel as Juju secrets when both sides can.
//!
//! # Shape
//!
//! A responder that can read secrets says so in its unit databag: `takes_secrets`.  To a relation on which
//! every unit says so, a requester publishes its secret fields as null, and beside them `secret_id`, the
//! URI of a Juju secret of its own that is granted to this relation alone.  Its keys are the names of the
//! fields, with dashes:
//!
//! ```json
//! {"client_key": null, "job_name": "node", "request_id": "3f2a", "secret_id": "secret:9m4e2mr0ui3e8a215n4g"}
//! ```
//!
//! To all others, charms in Python among them, the fields are plain.  When a relation changes from one to
//! the other, because a unit came or went, requests are published anew in the form that fits.
//!
//! # Guarantees
//!
//! A secret has one content for ever.  A request with another key has another secret, so it is a new
//! request to the other side, and the old secret is removed in the same transaction.  No secret field is
//! in the unit state.

use std::collections::BTreeMap;

use charms_reactive_core::RelationId;
use charms_reactive_core::digest::digest;
use charms_reactive_core::json;
use charms_reactive_hookcmd::commands::{SecretName, SecretOptions, SecretOwner, SecretRevision};
use charms_reactive_hookcmd::{CommandError, Commands as _};
use serde_json::{Map, Value};

use super::entry::{REQUEST, from_object, note_own, parse_object, request_object};
use super::{ExchangeError, Message, RequestId, own_databag, publish};
use crate::context::Context;
use crate::dispatch::{Dispatch, DispatchError};
use crate::memory::KnownSecret;
use crate::plan::Plan;
use crate::record::Fact;
use crate::relation::Relation;
use crate::secret::through_files;

/// The key with which a unit says that it reads secrets.
pub(crate) const TAKES_SECRETS: &str = "takes_secrets";

/// The field of a request that names its secret.
const SECRET_ID: &str = "secret_id";

/// What stands for the URI of a secret that is planned.
const PLANNED: &str = "secret:planned/";

/// The first release with secrets.
const FIRST_JUJU: u32 = 3;

/// Whether this Juju has secrets.
pub(crate) fn has_secrets(context: &Context) -> bool {
    let major = context.juju_version.as_deref().and_then(|version| version.split('.').next());
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= FIRST_JUJU)
}

/// Whether every unit on the other side reads secrets, by what is remembered.
fn are_taken(dispatch: &Dispatch, relation: &RelationId) -> bool {
    let records = dispatch.records.borrow();
    let Some(record) = records.get(relation).filter(|_| has_secrets(&dispatch.context)) else {
        return false;
    };
    let takes = |facts: &crate::record::Facts| facts.contains_key(TAKES_SECRETS);
    !record.members.is_empty() && record.members.values().all(|facts| facts.as_ref().is_some_and(takes))
}

/// Says to the other side that this unit reads secrets, once.
pub(super) fn offer(dispatch: &std::rc::Rc<Dispatch>, relation: &RelationId) -> Result<(), CommandError> {
    let is_said =
        dispatch.records.borrow().get(relation).is_some_and(|record| record.own.contains_key(TAKES_SECRETS));
    if is_said || !has_secrets(&dispatch.context) {
        return Ok(());
    }
    publish(&Relation::new(dispatch.clone(), relation.clone()), TAKES_SECRETS, "true")
}

/// The text of a request on a relation; its secret fields go another way where both sides can.
pub(super) fn request_text<T: Message>(
    dispatch: &Dispatch,
    relation: &RelationId,
    id: &RequestId,
    request: &T,
    fields: &[&str],
) -> Result<String, ExchangeError> {
    let mut object = request_object(id, request)?;
    let name = name_of(relation, id);
    let content = if are_taken(dispatch, relation) { taken(&mut object, fields) } else { BTreeMap::new() };
    if content.is_empty() {
        drop_secret(dispatch, &name);
        return Ok(json::to_text(&object.into()));
    }
    let known = dispatch.memory.borrow().secrets.get(&name).cloned();
    let uri = if let Some(known) = known.filter(|known| known.digest == digest_of(&content)) {
        dispatch.plan.borrow_mut().secrets.remove(&name);
        known.uri
    } else {
        let uri = format!("{PLANNED}{name}");
        dispatch.plan.borrow_mut().secrets.insert(name, Some(content));
        uri
    };
    object.insert(SECRET_ID.to_owned(), uri.into());
    Ok(json::to_text(&object.into()))
}

/// The URI of the secret that carries fields of a request of this unit.
pub(super) fn uri_of(dispatch: &Dispatch, relation: &RelationId, id: &RequestId) -> Option<String> {
    dispatch.memory.borrow().secrets.get(&name_of(relation, id)).map(|known| known.uri.clone())
}

/// Plans to remove the secret of a request, if it has one.
pub(super) fn forget(dispatch: &Dispatch, relation: &RelationId, id: &RequestId) {
    drop_secret(dispatch, &name_of(relation, id));
}

/// Plans to remove all secrets of a relation that is gone.
pub(crate) fn forget_relation(dispatch: &Dispatch, relation: &RelationId) {
    let prefix = format!("{relation}/");
    let names: Vec<String> = dispatch.memory.borrow().secrets.keys().cloned().collect();
    for name in names.iter().filter(|name| name.starts_with(&prefix)) {
        drop_secret(dispatch, name);
    }
}

fn drop_secret(dispatch: &Dispatch, name: &str) {
    let is_known = dispatch.memory.borrow().secrets.contains_key(name);
    let mut plan = dispatch.plan.borrow_mut();
    if is_known {
        plan.secrets.insert(name.to_owned(), None);
    } else {
        plan.secrets.remove(name);
    }
}

fn name_of(relation: &RelationId, id: &RequestId) -> String {
    format!("{relation}/{id}")
}

/// Takes the fields that have a text out of a request, under the names that Juju takes.
fn taken(object: &mut Map<String, Value>, fields: &[&str]) -> BTreeMap<String, String> {
    let mut content = BTreeMap::new();
    for field in fields {
        if let Some(value @ Value::String(_)) = object.get_mut(*field)
            && let Value::String(text) = value.take()
        {
            content.insert(field.replace('_', "-"), text);
        }
    }
    content
}

fn digest_of(content: &BTreeMap<String, String>) -> String {
    digest(&serde_json::to_string(content).expect("texts are JSON"))
}

/// A request with its secret fields, and why they cannot be read.
pub(super) fn resolved<T: Message>(
    dispatch: &Dispatch,
    text: &str,
    value: T,
    fields: &[&str],
) -> Result<(T, Option<String>), CommandError> {
    let Some(mut object) = parse_object(text).ok().filter(|_| !fields.is_empty()) else {
        return Ok((value, None));
    };
    let Some(uri) = object.get(SECRET_ID).and_then(Value::as_str).map(str::to_owned) else {
        return Ok((value, None));
    };
    let content = match dispatch.model.secret(&SecretName::Id(uri), SecretRevision::Tracked)? {
        Ok(content) => content,
        Err(reason) => return Ok((value, Some(reason.to_string()))),
    };
    for field in fields {
        if let Some(text) = content.get(&field.replace('_', "-")) {
            object.insert((*field).to_owned(), text.clone().into());
        }
    }
    Ok(match from_object(object) {
        Ok(whole) => (whole, None),
        Err(reason) => (value, Some(reason)),
    })
}

/// Publishes the requests of a relation anew where the other side's way with secrets has changed.
pub(super) fn adapt<T: Message>(
    dispatch: &std::rc::Rc<Dispatch>,
    relation: &RelationId,
    fields: &[&str],
) -> Result<(), ExchangeError> {
    let is_taken = are_taken(dispatch, relation);
    let was_taken = dispatch.records.borrow().get(relation).is_some_and(|record| record.are_secrets_taken);
    if is_taken == was_taken || fields.is_empty() {
        return Ok(());
    }
    if let Some(record) = dispatch.records.borrow_mut().get_mut(relation) {
        record.are_secrets_taken = is_taken;
    }
    let databag = own_databag(dispatch, relation)?;
    for (key, text) in databag.iter() {
        let Some(id) = key.strip_prefix(REQUEST).and_then(|id| RequestId::parse(id).ok()) else { continue };
        let Ok(value) = super::entry::parse_request::<T>(&id, text) else { continue };
        let (value, problem) = resolved(dispatch, text, value, fields)?;
        if let Some(reason) = problem {
            dispatch
                .warn_once(format!("leaving request `{id}` as it is, its secret cannot be read: {reason}"));
            continue;
        }
        let text = request_text(dispatch, relation, &id, &value, fields)?;
        publish(&Relation::new(dispatch.clone(), relation.clone()), key, &text)?;
    }
    Ok(())
}

/// Makes and removes the secrets of the plan, and puts their URIs into the requests.
pub(crate) fn commit(dispatch: &Dispatch, plan: &Plan) -> Result<(), DispatchError> {
    for (name, content) in &plan.secrets {
        let old = dispatch.memory.borrow_mut().secrets.remove(name);
        if let Some(old) = old {
            remove(dispatch, &old.uri)?;
        }
        let (Some(content), Some((relation, id))) = (content, name.split_once('/')) else { continue };
        let (Ok(relation), Ok(id)) = (RelationId::parse(relation), RequestId::parse(id)) else { continue };
        let uri = add(dispatch, content)?;
        dispatch.model.commands().secret_grant(&uri, &relation, None)?;
        let known = KnownSecret { uri: uri.clone(), digest: digest_of(content) };
        dispatch.memory.borrow_mut().secrets.insert(name.clone(), known);
        let key = id.request_key();
        let own = dispatch.model.own(&relation, false)?;
        let text = own.text(&key).unwrap_or_default().replace(&format!("{PLANNED}{name}"), &uri);
        dispatch.model.set_own(&relation, false, &key, &text)?;
        let mut records = dispatch.records.borrow_mut();
        let fact = Fact::new(&text, note_own(&key, &text));
        records.entry(relation).or_default().own.insert(key, fact);
    }
    Ok(())
}

/// Makes a secret of this unit.
fn add(dispatch: &Dispatch, content: &BTreeMap<String, String>) -> Result<String, DispatchError> {
    let options = SecretOptions { owner: Some(SecretOwner::Unit), ..SecretOptions::default() };
    through_files(dispatch, content, |files| dispatch.model.commands().secret_add(&options, files))
}

/// Removes a secret; one that is not there any more is fine.
fn remove(dispatch: &Dispatch, uri: &str) -> Result<(), CommandError> {
    match dispatch.model.commands().secret_remove(uri, None) {
        Err(CommandError::Refused { stderr, .. }) if stderr.contains("not found") => Ok(()),
        result => result,
    }
}
