//! The side that asks.

use std::collections::BTreeSet;

use charms_reactive_core::digest::digest;
use charms_reactive_core::{RelationId, UnitName};

use super::entry::{REQUEST, RESPONSE, ResponseNote, note_response, parse_response, requests_in};
use super::{
    Entry, ExchangeError, Malformed, Message, RequestId, Response, own_databag, publish, records, remembered,
    secret,
};
use crate::endpoint::Endpoint;
use crate::relation::Relation;

/// What is remembered of a response: enough for a status, without reading a databag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The id of the request.
    pub id: RequestId,
    /// The relation it is on.
    pub relation: RelationId,
    /// The unit that answered.
    pub unit: UnitName,
    /// Whether it is a response at all; what is none says nothing.
    pub is_readable: bool,
    /// Whether it answers what the request says now.
    pub is_current: bool,
    /// What [`Response::summary`] made of it.
    pub summary: Option<String>,
}

/// The side that asks.
///
/// Flags, set by [`Requester::manage_requester_flags`] and again after a handler that published
/// something:
///
/// | Flag | Set while |
/// |---|---|
/// | `endpoint.NAME.has_responses` | a request of ours has a response |
/// | `endpoint.NAME.all_responses` | there is a request, and each has a response |
///
/// A request counts as answered as soon as one remote unit answered what it says now.
pub trait Requester {
    /// What is asked.
    type Request: Message;
    /// What is answered.
    type Response: Response;

    /// The fields of a request that travel as a Juju secret when both sides can.  In what a unit reads of
    /// its own requests they are then missing.
    const SECRET_FIELDS: &'static [&'static str] = &[];

    /// The endpoint it asks on.
    fn endpoint(&self) -> &Endpoint;

    /// A new random UUID.
    fn new_id(&self) -> RequestId {
        RequestId::random(&self.endpoint().dispatch)
    }

    /// Publishes a new request, under a new random UUID.
    fn create(
        &self,
        relation: &Relation,
        request: Self::Request,
    ) -> Result<Entry<Self::Request>, ExchangeError> {
        self.create_with_id(relation, self.new_id(), request)
    }

    /// Publishes a request under this id; one that has the id already is replaced.
    fn create_with_id(
        &self,
        relation: &Relation,
        id: RequestId,
        request: Self::Request,
    ) -> Result<Entry<Self::Request>, ExchangeError> {
        let dispatch = &self.endpoint().dispatch;
        let text =
            secret::request_text(dispatch, relation.relation_id(), &id, &request, Self::SECRET_FIELDS)?;
        publish(relation, &id.request_key(), &text)?;
        Ok(Entry {
            id,
            relation: relation.clone(),
            unit: dispatch.context.unit.clone(),
            value: request,
            digest: digest(&text),
            secret_problem: None,
        })
    }

    /// Replaces the first request of this relation that `matches`, or publishes a new one.
    ///
    /// Nothing is written when the request says the same already.
    fn create_or_update(
        &self,
        relation: &Relation,
        request: Self::Request,
        matches: impl Fn(&Self::Request) -> bool,
    ) -> Result<Entry<Self::Request>, ExchangeError> {
        match self.find(relation, matches)? {
            Some(found) => self.create_with_id(relation, found.id, request),
            None => self.create(relation, request),
        }
    }

    /// Takes a request back.
    fn withdraw(&self, request: &Entry<Self::Request>) -> Result<(), ExchangeError> {
        secret::forget(&self.endpoint().dispatch, request.relation.relation_id(), &request.id);
        Ok(publish(&request.relation, &request.id.request_key(), "")?)
    }

    /// Our requests of all relations, in order of relations, then of ids.
    fn requests(&self) -> Result<Vec<Entry<Self::Request>>, ExchangeError> {
        let mut all = Vec::new();
        for relation in &self.endpoint().relations()? {
            all.extend(self.requests_on(relation)?);
        }
        Ok(all)
    }

    /// Our requests of one relation, in order of ids.
    fn requests_on(&self, relation: &Relation) -> Result<Vec<Entry<Self::Request>>, ExchangeError> {
        let dispatch = &self.endpoint().dispatch;
        let databag = own_databag(dispatch, relation.relation_id())?;
        let unit = &dispatch.context.unit;
        let (requests, malformed) = requests_in(&databag, unit);
        for entry in malformed {
            dispatch.warn_once(entry.to_string());
        }
        let entries = requests.into_iter().map(|(id, value, digest)| Entry {
            id,
            relation: relation.clone(),
            unit: unit.clone(),
            value,
            digest,
            secret_problem: None,
        });
        Ok(entries.collect())
    }

    /// The request with this id; of several relations, that of the first.
    fn get(&self, id: &RequestId) -> Result<Option<Entry<Self::Request>>, ExchangeError> {
        Ok(self.requests()?.into_iter().find(|request| request.id == *id))
    }

    /// The first request of a relation that `matches`.
    fn find(
        &self,
        relation: &Relation,
        matches: impl Fn(&Self::Request) -> bool,
    ) -> Result<Option<Entry<Self::Request>>, ExchangeError> {
        Ok(self.requests_on(relation)?.into_iter().find(|entry| matches(&entry.value)))
    }

    /// The requests of all relations that `matches`.
    fn find_all(
        &self,
        matches: impl Fn(&Self::Request) -> bool,
    ) -> Result<Vec<Entry<Self::Request>>, ExchangeError> {
        Ok(self.requests()?.into_iter().filter(|entry| matches(&entry.value)).collect())
    }

    /// The responses to a request, one for each remote unit that answered what it says now.
    ///
    /// Reads the databag of every remote unit of its relation.
    fn responses_to(
        &self,
        request: &Entry<Self::Request>,
    ) -> Result<Vec<Entry<Self::Response>>, ExchangeError> {
        let mut all = Vec::new();
        for unit in &request.relation.joined_units()? {
            let databag = unit.received_raw()?;
            let Some(text) = databag.text(&request.id.response_key()) else { continue };
            match parse_response::<Self::Response>(text) {
                Ok((value, answers)) => {
                    if (ResponseNote { answers, summary: None }).is_for(&request.digest) {
                        all.push(Entry {
                            id: request.id.clone(),
                            relation: request.relation.clone(),
                            unit: unit.unit_name().clone(),
                            value,
                            digest: digest(text),
                            secret_problem: None,
                        });
                    }
                }
                Err(reason) => {
                    let (unit, key) = (unit.unit_name().clone(), request.id.response_key());
                    let malformed = Malformed { unit, key, reason };
                    self.endpoint().dispatch.warn_once(malformed.to_string());
                }
            }
        }
        Ok(all)
    }

    /// The responses to all our requests.  Reads the databag of every remote unit.
    fn responses(&self) -> Result<Vec<Entry<Self::Response>>, ExchangeError> {
        let mut all = Vec::new();
        for request in self.requests()? {
            all.extend(self.responses_to(&request)?);
        }
        Ok(all)
    }

    /// The first response to the request of a relation that `matches`.
    fn response_by(
        &self,
        relation: &Relation,
        matches: impl Fn(&Self::Request) -> bool,
    ) -> Result<Option<Entry<Self::Response>>, ExchangeError> {
        match self.find(relation, matches)? {
            Some(request) => Ok(self.responses_to(&request)?.into_iter().next()),
            None => Ok(None),
        }
    }

    /// What is remembered of all responses to our requests: no databag is read for it.
    fn answers(&self) -> Result<Vec<Answer>, ExchangeError> {
        let dispatch = &self.endpoint().dispatch;
        let mut all = Vec::new();
        for (relation, record) in records(self.endpoint())? {
            for (unit, facts) in remembered(dispatch, &relation, note_response::<Self::Response>)? {
                for (key, request) in &record.own {
                    let Some(id) = key.strip_prefix(REQUEST).and_then(|id| RequestId::parse(id).ok()) else {
                        continue;
                    };
                    let Some(response) = facts.get(&format!("{RESPONSE}{id}")) else { continue };
                    let note = response.note().and_then(ResponseNote::parse);
                    all.push(Answer {
                        id,
                        relation: relation.clone(),
                        unit: unit.clone(),
                        is_readable: note.is_some(),
                        is_current: note.as_ref().is_none_or(|note| note.is_for(request.digest())),
                        summary: note.and_then(|note| note.summary),
                    });
                }
            }
        }
        Ok(all)
    }

    /// Whether a request of ours is published, by what is remembered.
    fn has_own_requests(&self) -> bool {
        let endpoint = self.endpoint();
        let is_request = |key: &String| key.starts_with(REQUEST);
        endpoint.dispatch.has_record(endpoint.endpoint_name(), |record| record.own.keys().any(is_request))
    }

    /// Sets and clears the flags of this side; to be called from `manage_flags`.
    fn manage_requester_flags(&self) -> Result<(), ExchangeError> {
        let endpoint = self.endpoint();
        let mut unanswered: BTreeSet<(RelationId, String)> = BTreeSet::new();
        for (relation, _) in records(endpoint)? {
            secret::adapt::<Self::Request>(&endpoint.dispatch, &relation, Self::SECRET_FIELDS)?;
        }
        for (relation, record) in records(endpoint)? {
            let ids = record.own.keys().filter_map(|key| key.strip_prefix(REQUEST));
            unanswered.extend(ids.map(|id| (relation.clone(), id.to_owned())));
        }
        let requests = unanswered.len();
        for answer in self.answers()?.into_iter().filter(|answer| answer.is_current && answer.is_readable) {
            unanswered.remove(&(answer.relation, answer.id.as_str().to_owned()));
        }
        endpoint.toggle_flag("has_responses", unanswered.len() < requests);
        endpoint.toggle_flag("all_responses", requests > 0 && unanswered.is_empty());
        Ok(())
    }
}
