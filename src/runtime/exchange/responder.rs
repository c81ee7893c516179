//! The side that answers.

use std::collections::BTreeMap;

use super::entry::{
    REQUEST, RESPONSE, ResponseNote, is_request_note, note_request, parse_response, requests_in,
    response_text,
};
use super::{
    Entry, ExchangeError, Malformed, Message, RequestId, Response, publish, published, records, remembered,
    secret,
};
use crate::endpoint::Endpoint;
use crate::record::{Fact, RelationRecord};
use crate::relation::Relation;

/// The side that answers.
///
/// Flags, set by [`Responder::manage_responder_flags`] and again after a handler that answered:
///
/// | Flag | Set | Cleared |
/// |---|---|---|
/// | `endpoint.NAME.has_requests` | there is a request | there is none |
/// | `endpoint.NAME.new_requests` | a request has no response, or changed since | all have one |
/// | `endpoint.NAME.removed_requests` | a request that was answered is gone | by the charm |
///
/// The response to a request that is gone is removed by itself.
pub trait Responder {
    /// What is asked.
    type Request: Message;
    /// What is answered.
    type Response: Response;

    /// The fields of a request that travel as a Juju secret when both sides can.
    const SECRET_FIELDS: &'static [&'static str] = &[];

    /// The endpoint it answers on.
    fn endpoint(&self) -> &Endpoint;

    /// The requests of all relations, in order of relations, then of ids.
    ///
    /// Reads the databag of every remote unit.  What is no request is skipped and logged.
    fn requests(&self) -> Result<Vec<Entry<Self::Request>>, ExchangeError> {
        let (requests, malformed) = self.read_requests()?;
        for entry in malformed {
            self.endpoint().dispatch.warn_once(entry.to_string());
        }
        Ok(requests)
    }

    /// What looks like a request and is none.  Reads the databag of every remote unit.
    fn malformed(&self) -> Result<Vec<Malformed>, ExchangeError> {
        Ok(self.read_requests()?.1)
    }

    /// The requests that have no response, or changed since; in the order of [`Responder::requests`].
    fn new_requests(&self) -> Result<Vec<Entry<Self::Request>>, ExchangeError> {
        let mut requests = self.requests()?;
        let records = self.endpoint().dispatch.records.borrow();
        requests.retain(|request| {
            let record = records.get(request.relation.relation_id());
            !record.is_some_and(|record| is_answered(record, request.id.as_str(), &request.digest))
        });
        Ok(requests)
    }

    /// The request with this id; of several relations, that of the first.
    fn get(&self, id: &RequestId) -> Result<Option<Entry<Self::Request>>, ExchangeError> {
        Ok(self.requests()?.into_iter().find(|request| request.id == *id))
    }

    /// The requests of all relations that `matches`.
    fn find_all(
        &self,
        matches: impl Fn(&Self::Request) -> bool,
    ) -> Result<Vec<Entry<Self::Request>>, ExchangeError> {
        Ok(self.requests()?.into_iter().filter(|request| matches(&request.value)).collect())
    }

    /// Answers a request; an earlier answer is replaced.
    fn respond(
        &self,
        request: &Entry<Self::Request>,
        response: &Self::Response,
    ) -> Result<(), ExchangeError> {
        let text = response_text(&request.id, response, std::slice::from_ref(&request.digest))?;
        Ok(publish(&request.relation, &request.id.response_key(), &text)?)
    }

    /// What we answered to a request.
    fn response(&self, request: &Entry<Self::Request>) -> Result<Option<Self::Response>, ExchangeError> {
        let text = published(&request.relation, &request.id.response_key())?;
        Ok(text.and_then(|text| parse_response(&text).ok()).map(|(response, _)| response))
    }

    /// Sets and clears the flags of this side, and removes responses to requests that are gone; to be
    /// called from `manage_flags`.
    fn manage_responder_flags(&self) -> Result<(), ExchangeError> {
        let endpoint = self.endpoint();
        for (relation, record) in records(endpoint)? {
            if !Self::SECRET_FIELDS.is_empty() {
                secret::offer(&endpoint.dispatch, &relation)?;
            }
            let asked = asked(endpoint, &relation, note_request::<Self::Request>)?;
            for key in record.own.keys() {
                let Some(id) = key.strip_prefix(RESPONSE) else { continue };
                if !asked.contains_key(id) {
                    let relation = Relation::new(endpoint.dispatch.clone(), relation.clone());
                    publish(&relation, key, "")?;
                    endpoint.toggle_flag("removed_requests", true);
                }
            }
        }
        self.toggle_flags()
    }

    /// All requests, and what is none.
    #[doc(hidden)]
    #[expect(clippy::type_complexity, reason = "both halves of what was read, for the two methods above")]
    fn read_requests(&self) -> Result<(Vec<Entry<Self::Request>>, Vec<Malformed>), ExchangeError> {
        let mut all = Vec::new();
        let mut skipped = Vec::new();
        for relation in &self.endpoint().relations()? {
            let mut of_relation = BTreeMap::new();
            for unit in &relation.joined_units()? {
                let (requests, malformed) = requests_in(&*unit.received_raw()?, unit.unit_name());
                skipped.extend(malformed);
                for (id, value, digest) in requests {
                    // The first unit's counts.
                    if of_relation.contains_key(&id) {
                        continue;
                    }
                    let databag = unit.received_raw()?;
                    let text = databag.text(&id.request_key()).unwrap_or_default();
                    let (value, secret_problem) =
                        secret::resolved(&relation.dispatch, text, value, Self::SECRET_FIELDS)?;
                    let entry = Entry {
                        id: id.clone(),
                        relation: relation.clone(),
                        unit: unit.unit_name().clone(),
                        value,
                        digest,
                        secret_problem,
                    };
                    of_relation.insert(id, entry);
                }
            }
            all.extend(of_relation.into_values());
        }
        Ok((all, skipped))
    }

    /// Sets and clears the flags that say how things stand, from what is remembered.
    #[doc(hidden)]
    fn toggle_flags(&self) -> Result<(), ExchangeError> {
        let endpoint = self.endpoint();
        let (mut has_requests, mut has_new) = (false, false);
        for (relation, record) in records(endpoint)? {
            for (id, digest) in asked(endpoint, &relation, note_request::<Self::Request>)? {
                has_requests = true;
                has_new |= !is_answered(&record, &id, &digest);
            }
        }
        endpoint.toggle_flag("has_requests", has_requests);
        endpoint.toggle_flag("new_requests", has_new);
        Ok(())
    }
}

/// The ids of the requests of a relation, with the digest of what the first unit says.
fn asked(
    endpoint: &Endpoint,
    relation: &charms_reactive_core::RelationId,
    note: impl Fn(&str, &str) -> Option<String>,
) -> Result<BTreeMap<String, String>, ExchangeError> {
    let mut asked = BTreeMap::new();
    for (_, facts) in remembered(&endpoint.dispatch, relation, note)? {
        for (key, fact) in facts {
            if let Some(id) = key.strip_prefix(REQUEST)
                && is_request_note(fact.note())
            {
                asked.entry(id.to_owned()).or_insert_with(|| fact.digest().to_owned());
            }
        }
    }
    Ok(asked)
}

/// Whether our response answers the request with this digest.
fn is_answered(record: &RelationRecord, id: &str, digest: &str) -> bool {
    let fact: Option<&Fact> = record.own.get(&format!("{RESPONSE}{id}"));
    fact.is_some_and(|fact| {
        // A response of an earlier revision in Python does not tell, and counts.
        fact.note().and_then(ResponseNote::parse).is_none_or(|note| note.is_for(digest))
    })
}
