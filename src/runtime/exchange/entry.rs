//! Requests and responses as they are on the wire.

use std::fmt;

use charms_reactive_core::digest::digest;
use charms_reactive_core::{Databag, UnitName, json};
use charms_reactive_hookcmd::CommandError;
use charms_reactive_hookcmd::commands::Party;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::secret::TAKES_SECRETS;
use super::{ExchangeError, Message, Response};
use crate::dispatch::Dispatch;
use crate::relation::Relation;

pub(crate) const REQUEST: &str = "request_";
pub(crate) const RESPONSE: &str = "response_";

/// The field of a request that repeats its id.
const REQUEST_ID: &str = "request_id";

/// The field of a response that tells which request it answers.
const ANSWERS: &str = "answers";

/// What is noted of an entry that cannot be read.
const MALFORMED: &str = "malformed";

/// How long a request id may be.
const ID_CHARS_MAX: usize = 200;

/// The id of a request: a UUID, or whatever text the other side chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(String);

impl RequestId {
    /// Parses an id: any text that can be part of a databag's key.
    pub fn parse(text: &str) -> Result<Self, ExchangeError> {
        let is_valid = !text.is_empty()
            && text.chars().count() <= ID_CHARS_MAX
            && !text.chars().any(|character| character == '=' || character.is_control());
        if is_valid { Ok(Self(text.to_owned())) } else { Err(ExchangeError::Id { text: text.to_owned() }) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that every unit gives to the same thing: a UUID made of `parts`.
    ///
    /// Has the form of a random UUID, which is what the other side may expect.
    pub fn of(parts: &[&str]) -> Self {
        // FNV-1a, 128 bits; a zero byte between the parts keeps `ab` + `c` and `a` + `bc` apart.
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        let hash = bytes.fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        });
        Self(uuid::Builder::from_random_bytes(hash.to_be_bytes()).into_uuid().to_string())
    }

    /// A new random id, a UUID of version 4.
    pub(crate) fn random(dispatch: &Dispatch) -> Self {
        Self(uuid::Builder::from_random_bytes(dispatch.random_bytes()).into_uuid().to_string())
    }

    pub(crate) fn request_key(&self) -> String {
        format!("{REQUEST}{}", self.0)
    }

    pub(crate) fn response_key(&self) -> String {
        format!("{RESPONSE}{}", self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request or a response, and where it stands.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The id of the request.
    pub id: RequestId,
    /// The relation it is on.
    pub relation: Relation,
    /// The unit that published it.
    pub unit: UnitName,
    /// What it says.
    pub value: T,
    /// The digest of its text.
    pub(crate) digest: String,
    /// Why its secret fields cannot be read.
    pub(crate) secret_problem: Option<String>,
}

impl<T> Entry<T> {
    /// Why fields of it that are secret could not be read; they are missing then.
    pub fn secret_problem(&self) -> Option<&str> {
        self.secret_problem.as_deref()
    }

    /// Whether this unit published it.
    pub fn is_created(&self) -> bool {
        self.unit == self.relation.dispatch.context.unit
    }

    /// Whether another unit published it.
    pub fn is_received(&self) -> bool {
        !self.is_created()
    }

    /// Under which address the unit that published it can be reached, as Juju put it beside it.
    pub fn ingress_address(&self) -> Result<Option<String>, CommandError> {
        self.beside("ingress-address")
    }

    /// From which networks that unit connects, separated by commas, as Juju put it beside it.
    pub fn egress_subnets(&self) -> Result<Option<String>, CommandError> {
        self.beside("egress-subnets")
    }

    /// What the databag that holds it says under `key`.
    fn beside(&self, key: &str) -> Result<Option<String>, CommandError> {
        let (model, id) = (&self.relation.dispatch.model, self.relation.relation_id());
        let text = if self.is_created() {
            model.own(id, false)?.text(key).map(str::to_owned)
        } else {
            model.databag(id, &Party::Unit(self.unit.clone()))?.text(key).map(str::to_owned)
        };
        Ok(text)
    }
}

impl<T: Message> Entry<T> {
    /// Its fields by name, sorted; those without a value are null.
    pub fn to_map(&self) -> Result<Map<String, Value>, ExchangeError> {
        object_of(self.id.as_str(), &self.value)
    }
}

impl<T> std::ops::Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// An entry of a databag that looks like a request or a response, and is none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Malformed {
    /// The unit that published it.
    pub unit: UnitName,
    /// The key of the databag.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipping key `{}` of `{}`: {}", self.key, self.unit, self.reason)
    }
}

/// Whether a key belongs to a request or a response.
pub(crate) fn is_exchange_key(key: &str) -> bool {
    key.starts_with(REQUEST) || key.starts_with(RESPONSE) || key == TAKES_SECRETS
}

/// A request as it is on the wire.
pub(crate) fn request_object<T: Message>(
    id: &RequestId,
    request: &T,
) -> Result<Map<String, Value>, ExchangeError> {
    let mut object = object_of(&id.request_key(), request)?;
    object.insert(REQUEST_ID.to_owned(), id.as_str().into());
    Ok(object)
}

/// The text of a response to requests with these digests.
pub(crate) fn response_text<T: Message>(
    id: &RequestId,
    response: &T,
    answers: &[String],
) -> Result<String, ExchangeError> {
    let mut object = object_of(&id.response_key(), response)?;
    object.insert(ANSWERS.to_owned(), answers.into());
    Ok(json::to_text(&object.into()))
}

fn object_of<T: Message>(key: &str, message: &T) -> Result<Map<String, Value>, ExchangeError> {
    match serde_json::to_value(message) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(ExchangeError::Encode { key: key.to_owned() }),
    }
}

/// Reads a request; the error says what is wrong with it.
pub(crate) fn parse_request<T: Message>(id: &RequestId, text: &str) -> Result<T, String> {
    let object = parse_object(text)?;
    match object.get(REQUEST_ID) {
        Some(Value::String(inside)) if inside == id.as_str() => {}
        Some(other) => return Err(format!("`{REQUEST_ID}` is {other}, expected \"{id}\" as in the key")),
        None => return Err(format!("missing field `{REQUEST_ID}`")),
    }
    from_object(object)
}

/// Reads a response: what it says, and the digests of the requests that it answers if it tells.
pub(crate) fn parse_response<T: Message>(text: &str) -> Result<(T, Option<Vec<String>>), String> {
    let object = parse_object(text)?;
    let answers = object.get(ANSWERS).and_then(|answers| Vec::<String>::deserialize(answers).ok());
    Ok((from_object(object)?, answers))
}

pub(crate) fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Null) => Err("found null, expected a JSON object".to_owned()),
        Ok(Value::Array(_)) => Err("found a list, expected a JSON object".to_owned()),
        Ok(_) => Err("found a plain value, expected a JSON object".to_owned()),
        Err(error) => Err(format!("expected a JSON object: {error}")),
    }
}

pub(crate) fn from_object<T: Message>(object: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(object.into()).map_err(|error| error.to_string())
}

/// The requests of a databag, each with its text's digest, and what is no request.
pub(crate) fn requests_in<T: Message>(
    databag: &Databag,
    unit: &UnitName,
) -> (Vec<(RequestId, T, String)>, Vec<Malformed>) {
    let mut requests = Vec::new();
    let mut malformed = Vec::new();
    for (key, text) in databag.iter() {
        let Some(id) = key.strip_prefix(REQUEST) else { continue };
        let parsed = RequestId::parse(id)
            .map_err(|error| error.to_string())
            .and_then(|id| Ok((parse_request(&id, text)?, id)));
        match parsed {
            Ok((request, id)) => requests.push((id, request, digest(text))),
            Err(reason) => malformed.push(Malformed { unit: unit.clone(), key: key.to_owned(), reason }),
        }
    }
    (requests, malformed)
}

/// Why what a key says is no request, though its name says that it is one.
pub fn request_problem<T: Message>(key: &str, text: &str) -> Option<String> {
    let id = RequestId::parse(key.strip_prefix(REQUEST)?).map_err(|error| error.to_string());
    id.and_then(|id| parse_request::<T>(&id, text)).err()
}

/// Why what a key says is no response, though its name says that it is one.
pub fn response_problem<T: Message>(key: &str, text: &str) -> Option<String> {
    key.strip_prefix(RESPONSE)?;
    parse_response::<T>(text).err()
}

/// What a responder remembers of a key: whether it is a request that can be read.
pub fn note_request<T: Message>(key: &str, text: &str) -> Option<String> {
    request_problem::<T>(key, text).map(|_| MALFORMED.to_owned())
}

/// Whether a responder noted that a request can be read.
pub(crate) fn is_request_note(note: Option<&str>) -> bool {
    note.is_none()
}

/// What a requester remembers of a response.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ResponseNote {
    /// The digests of the requests that it answers; None when it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
}

impl ResponseNote {
    pub(crate) fn parse(note: &str) -> Option<Self> {
        serde_json::from_str(note).ok()
    }

    /// Whether it answers the request with this digest.
    pub(crate) fn is_for(&self, digest: &str) -> bool {
        self.answers.as_ref().is_none_or(|answers| answers.iter().any(|answered| answered == digest))
    }
}

/// What a requester remembers of a key: of a response, which request it answers, and its summary.
pub fn note_response<T: Response>(key: &str, text: &str) -> Option<String> {
    key.strip_prefix(RESPONSE)?;
    let Ok((response, answers)) = parse_response::<T>(text) else {
        return Some(MALFORMED.to_owned());
    };
    let note = ResponseNote { answers, summary: response.summary() };
    Some(serde_json::to_string(&note).expect("texts are JSON"))
}

/// What is remembered of our own response: the digests that it answers, or that it does not tell.
pub(crate) fn note_own(key: &str, text: &str) -> Option<String> {
    key.strip_prefix(RESPONSE)?;
    let answers = parse_response::<Map<String, Value>>(text).ok()?.1;
    let note = ResponseNote { answers, summary: None };
    Some(serde_json::to_string(&note).expect("texts are JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Job {
        job_name: String,
        #[serde(default)]
        ca_cert: Option<String>,
    }

    fn databag(text: &str) -> Databag {
        Databag::from([("request_x", text), ("ingress-address", "10.0.0.1")])
    }

    fn unit() -> UnitName {
        UnitName::parse("web/0").expect("a valid name")
    }

    #[test]
    fn a_request_is_written_as_python_writes_it() {
        let id = RequestId::parse("x").expect("a valid id");
        let job = Job { job_name: "a".to_owned(), ca_cert: None };
        let text = json::to_text(&request_object(&id, &job).expect("an object").into());
        assert_eq!(text, r#"{"ca_cert": null, "job_name": "a", "request_id": "x"}"#);
        assert_eq!(parse_request::<Job>(&id, &text), Ok(job));
    }

    #[test]
    fn what_is_no_request_is_told_and_skipped() {
        for (text, reason) in [
            ("null", "found null, expected a JSON object"),
            ("[]", "found a list, expected a JSON object"),
            ("7", "found a plain value, expected a JSON object"),
            ("\"text\"", "found a plain value, expected a JSON object"),
            ("text", "expected a JSON object: expected ident at line 1 column 2"),
            ("{}", "missing field `request_id`"),
            (r#"{"request_id": "y"}"#, r#"`request_id` is "y", expected "x" as in the key"#),
            (r#"{"request_id": 7}"#, r#"`request_id` is 7, expected "x" as in the key"#),
            (r#"{"request_id": "x"}"#, "missing field `job_name`"),
            (r#"{"request_id": "x", "job_name": 7}"#, "invalid type: integer `7`, expected a string"),
        ] {
            let (requests, malformed) = requests_in::<Job>(&databag(text), &unit());
            assert!(requests.is_empty(), "`{text}`");
            assert_eq!(malformed.len(), 1, "`{text}`");
            assert_eq!(malformed[0].reason, reason, "`{text}`");
            assert_eq!(note_request::<Job>("request_x", text).as_deref(), Some(MALFORMED));
        }
        assert_eq!(
            requests_in::<Job>(&databag("null"), &unit()).1[0].to_string(),
            "skipping key `request_x` of `web/0`: found null, expected a JSON object"
        );
    }

    #[test]
    fn unknown_fields_and_any_spacing_are_fine() {
        let text = r#"{"port":9100,  "request_id":"x","job_name":"a"}"#;
        let (requests, malformed) = requests_in::<Job>(&databag(text), &unit());
        assert_eq!((requests.len(), malformed.len()), (1, 0));
    }

    #[test]
    fn ids_that_cannot_be_in_a_key_are_refused() {
        for text in ["", "a=b", "a\nb", &"x".repeat(201)] {
            assert!(RequestId::parse(text).is_err(), "`{text}`");
        }
        assert!(RequestId::parse("model_app_1/é").is_ok());
    }

    #[test]
    fn the_id_of_a_thing_is_the_same_on_every_unit() {
        let id = RequestId::of(&["model", "app", "node"]);
        assert_eq!(id, RequestId::of(&["model", "app", "node"]));
        assert_ne!(id, RequestId::of(&["model", "appn", "ode"]));
        assert_eq!(id.as_str().split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }

    #[test]
    fn a_response_that_does_not_tell_counts_for_any_request() {
        let note = |answers: Option<&[&str]>| ResponseNote {
            answers: answers.map(|texts| texts.iter().map(ToString::to_string).collect()),
            summary: None,
        };
        assert!(note(None).is_for("d1"));
        assert!(note(Some(&["d0", "d1"])).is_for("d1"));
        assert!(!note(Some(&[])).is_for("d1"));
    }
}
