//! Requests and their answers as a person may see them: without secrets.

use charms_reactive_core::UnitName;
use serde::Serialize;
use serde_json::Value;

use super::entry::{ResponseNote, parse_response};
use super::{Entry, ExchangeError, Malformed, Message, Requester, Responder, own_databag, secret};

/// What stands for a text that may be, or hold, a secret.
pub const HIDDEN: &str = "(hidden)";

/// What to show of a field that may be a secret: only whether it is there.
///
/// ```
/// use charms_reactive_runtime::exchange::hidden;
///
/// assert_eq!(hidden(true), "(hidden)");
/// assert_eq!(hidden(false), serde_json::Value::Null);
/// ```
pub fn hidden(is_there: bool) -> Value {
    if is_there { HIDDEN.into() } else { Value::Null }
}

/// The requests of an endpoint and their answers, as a person may see them.
///
/// An interface makes one in [`crate::Manage::overview`], by [`Overview::of_requester`] or
/// [`Overview::of_responder`].
#[derive(Debug, Default, Serialize)]
pub struct Overview {
    /// The requests, in order of relations, then of ids.
    pub requests: Vec<RequestShown>,
    /// What looks like a request or a response and is none.
    pub malformed: Vec<Malformed>,
}

/// One request.
#[derive(Debug, Serialize)]
pub struct RequestShown {
    /// The relation it is on.
    pub relation: String,
    /// Its id.
    pub id: String,
    /// The unit that asks.
    pub unit: UnitName,
    /// What it says, less secrets.
    pub request: Value,
    /// The Juju secret of this unit that carries what is absent of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_id: Option<String>,
    /// Its answers, in order of units; empty as long as nobody answered.
    pub answers: Vec<AnswerShown>,
}

/// One answer.
#[derive(Debug, Serialize)]
pub struct AnswerShown {
    /// The unit that answered.
    pub unit: UnitName,
    /// Whether it answers what the request says now.
    pub is_current: bool,
    /// What it says, less secrets.
    pub response: Value,
}

impl Overview {
    /// What this side asked, and what it was answered.  Reads the databag of every remote unit.
    ///
    /// `request` and `response` say what of each may be shown.
    pub fn of_requester<R: Requester + ?Sized>(
        side: &R,
        request: impl Fn(&R::Request) -> Value,
        response: impl Fn(&R::Response) -> Value,
    ) -> Result<Self, ExchangeError> {
        let mut overview = Self::default();
        for asked in side.requests()? {
            let mut shown = RequestShown::new(&asked, &request);
            let relation = asked.relation.relation_id();
            shown.secret_id = secret::uri_of(&side.endpoint().dispatch, relation, &asked.id);
            for unit in &asked.relation.joined_units()? {
                let databag = unit.received_raw()?;
                let Some(text) = databag.text(&asked.id.response_key()) else { continue };
                match AnswerShown::parse(unit.unit_name(), text, &asked.digest, &response) {
                    Ok(answer) => shown.answers.push(answer),
                    Err(reason) => {
                        let (unit, key) = (unit.unit_name().clone(), asked.id.response_key());
                        overview.malformed.push(Malformed { unit, key, reason });
                    }
                }
            }
            overview.requests.push(shown);
        }
        Ok(overview)
    }

    /// What this side was asked, and what it answered.  Reads the databag of every remote unit.
    ///
    /// `request` and `response` say what of each may be shown.
    pub fn of_responder<R: Responder + ?Sized>(
        side: &R,
        request: impl Fn(&R::Request) -> Value,
        response: impl Fn(&R::Response) -> Value,
    ) -> Result<Self, ExchangeError> {
        let dispatch = &side.endpoint().dispatch;
        let mut overview = Self { requests: Vec::new(), malformed: side.malformed()? };
        for asked in side.requests()? {
            let mut shown = RequestShown::new(&asked, &request);
            let databag = own_databag(dispatch, asked.relation.relation_id())?;
            if let Some(text) = databag.text(&asked.id.response_key())
                && let Ok(answer) = AnswerShown::parse(&dispatch.context.unit, text, &asked.digest, &response)
            {
                shown.answers.push(answer);
            }
            overview.requests.push(shown);
        }
        Ok(overview)
    }
}

impl RequestShown {
    fn new<T>(asked: &Entry<T>, show: impl Fn(&T) -> Value) -> Self {
        Self {
            relation: asked.relation.relation_id().to_string(),
            id: asked.id.to_string(),
            unit: asked.unit.clone(),
            request: show(&asked.value),
            secret_id: None,
            answers: Vec::new(),
        }
    }
}

impl AnswerShown {
    fn parse<T: Message>(
        unit: &UnitName,
        text: &str,
        digest: &str,
        show: impl Fn(&T) -> Value,
    ) -> Result<Self, String> {
        let (value, answers) = parse_response::<T>(text)?;
        let is_current = ResponseNote { answers, summary: None }.is_for(digest);
        Ok(Self { unit: unit.clone(), is_current, response: show(&value) })
    }
}
