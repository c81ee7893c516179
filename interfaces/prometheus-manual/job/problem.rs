//! Why a job must not reach a Prometheus, in one line for an operator.

use std::fmt;

use serde_json::Value;

use super::place::Place;

/// How much of a value a message shows.
const FOUND_CHARS_MAX: usize = 32;

/// Why a job must not reach a Prometheus.
///
/// `path` says where: `scrape_interval`, `static_configs[0].targets[1]`.  The sentence fits in a
/// workload status, and never shows what stands below a key that may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobProblem {
    /// A value that Prometheus would refuse, or that cannot mean what its author hoped.
    #[error("`{path}` is {found}, expected {expected}")]
    Value {
        /// Where it stands.
        path: String,
        /// What was found, clipped, with secrets hidden.
        found: Found,
        /// What would have been right.
        expected: &'static str,
    },
    /// A key of a map whose keys are free within limits: a label, a parameter, a header.
    #[error("`{path}` is not a good key, expected {expected}")]
    Key {
        /// Where it stands, the key included.
        path: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// A field that must be there and is not.
    #[error("`{path}` is missing, expected {expected}")]
    Missing {
        /// Where it should stand.
        path: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A field that no Prometheus knows.
    #[error("`{path}` is not a field that Prometheus knows{hint}")]
    Unknown {
        /// Where it stands.
        path: String,
        /// What its author may have meant.
        hint: Hint,
    },
    /// Two fields of which Prometheus takes one.
    #[error("`{path}` and `{other}` exclude each other, expected at most one of them")]
    Conflict {
        /// The first field.
        path: String,
        /// The name of the second one, in the same map.
        other: &'static str,
    },
    /// More than a job may have.
    #[error("{what} is {found}, expected at most {most}")]
    TooMuch {
        /// What is too large.
        what: Measure,
        /// How much there is.
        found: usize,
        /// How much is allowed.
        most: usize,
    },
}

impl JobProblem {
    /// `value` at `place` is not what was `expected`.
    pub(super) fn value(place: &Place<'_>, value: &Value, expected: &'static str) -> Self {
        Self::Value { path: place.to_string(), found: Found::new(place, value), expected }
    }

    /// The last key of `place` is not what was `expected`.
    pub(super) fn key(place: &Place<'_>, expected: &'static str) -> Self {
        Self::Key { path: place.to_string(), expected }
    }

    /// There is nothing at `place`.
    pub(super) fn missing(place: &Place<'_>, expected: &'static str) -> Self {
        Self::Missing { path: place.to_string(), expected }
    }

    /// `place` and its neighbour `other` exclude each other.
    pub(super) fn conflict(place: &Place<'_>, other: &'static str) -> Self {
        Self::Conflict { path: place.to_string(), other }
    }
}

/// What a problem says about the value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// The beginning of a text, number, boolean or null, as JSON.
    Json(String),
    /// A list with nothing in it.
    EmptyList,
    /// A list; what is in it may be secret, so only its kind is told.
    List,
    /// A map, likewise.
    Map,
    /// Something that may be secret.
    Hidden,
}

impl Found {
    fn new(place: &Place<'_>, value: &Value) -> Self {
        match value {
            Value::Array(items) if items.is_empty() => Self::EmptyList,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Map,
            Value::Null | Value::Bool(_) => Self::Json(value.to_string()),
            _ if place.may_be_secret() => Self::Hidden,
            // `https://user:password@host`, pasted into the wrong field.
            Value::String(text) if text.contains('@') => Self::Hidden,
            Value::String(text) => Self::Json(clipped_json(text)),
            Value::Number(number) => Self::Json(number.to_string()),
        }
    }
}

/// `text` in quotes and with escapes, cut where it is long and where a URL's query begins: a query
/// may carry a token.
fn clipped_json(text: &str) -> String {
    let shown = match text.split_once('?') {
        Some((before, _)) => &text[..=before.len()],
        None => text,
    };
    let clipped = shown.char_indices().nth(FOUND_CHARS_MAX).map_or(shown, |(end, _)| &shown[..end]);
    let dots = if clipped.len() < text.len() { "..." } else { "" };
    // `Debug` of a text also escapes what JSON leaves alone and a terminal does not.
    format!("{:?}", format_args!("{clipped}{dots}").to_string())
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(text) => write!(f, "`{text}`"),
            Self::EmptyList => f.write_str("an empty list"),
            Self::List => f.write_str("a list"),
            Self::Map => f.write_str("a map"),
            Self::Hidden => f.write_str("`(hidden)`"),
        }
    }
}

/// What the author of an unknown field may have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Nothing comes to mind.
    None,
    /// A field with a similar name.
    Similar(&'static str),
    /// A field that stands elsewhere.
    Belongs(&'static str),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Similar(name) => write!(f, ", did you mean `{name}`?"),
            Self::Belongs(home) => write!(f, " here, it belongs in {home}"),
        }
    }
}

/// What of a job has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Measure {
    /// The length of the job as JSON.
    Bytes,
    /// How deep lists and maps are nested.
    Depth,
    /// The number of static targets.
    Targets,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "the length of the job in bytes",
            Self::Depth => "the depth of the job",
            Self::Targets => "the number of static targets",
        })
    }
}
