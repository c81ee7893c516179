//! The waiters of an application, in its databag.

use std::collections::BTreeMap;
use std::time::Duration;

use charms_reactive_core::json;
use charms_reactive_core::waiter::{
    Cardinality, Moment, Outcome, VariablePath, Waiter, WaiterName, parse_span, span_text,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The key of the application's databag.
///
/// # Shape
///
/// JSON with sorted keys; `outcome` and `end_time` come when the waiter ends, and never change:
///
/// ```json
/// {"bootstrap": {"create_time": "2024-05-01T10:00:00Z", "failure": {"number": 2, "path": "/failed"},
///                "success": {"number": 3, "path": "/ready"}, "timeout": "360s",
///                "uid": "0f3c9b0e8d7a",
///                "end_time": "2024-05-01T10:00:09Z", "outcome": "success"}}
/// ```
pub const APPLICATION_KEY: &str = "runtimeconfig-waiters";

/// How long the text of all waiters of an application may become.
pub const RECORDS_BYTES_MAX: usize = 60_000;

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Condition {
    #[serde(serialize_with = "shown", deserialize_with = "path")]
    path: VariablePath,
    number: u32,
}

fn shown<S: Serializer>(path: &VariablePath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VariablePath, D::Error> {
    let text = String::deserialize(deserializer)?;
    VariablePath::parse(&text).map_err(serde::de::Error::custom)
}

fn span_shown<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&span_text(*span))
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_span(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl From<&Cardinality> for Condition {
    fn from(condition: &Cardinality) -> Self {
        Self { path: condition.path.clone(), number: condition.number }
    }
}

impl From<&Condition> for Cardinality {
    fn from(condition: &Condition) -> Self {
        Self::new(condition.path.clone(), condition.number)
    }
}

/// One waiter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Tells it from others of the same name, before and after it.
    uid: String,
    create_time: Moment,
    #[serde(serialize_with = "span_shown", deserialize_with = "span")]
    timeout: Duration,
    success: Condition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<Moment>,
}

impl Record {
    pub(super) fn new(waiter: &Waiter, uid: String) -> Self {
        Self {
            uid,
            create_time: waiter.created,
            timeout: waiter.timeout,
            success: (&waiter.success).into(),
            failure: waiter.failure.as_ref().map(Condition::from),
            outcome: None,
            end_time: None,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.outcome.is_none()
    }

    pub(super) fn waiter(&self) -> Waiter {
        Waiter {
            success: (&self.success).into(),
            failure: self.failure.as_ref().map(Cardinality::from),
            timeout: self.timeout,
            created: self.create_time,
        }
    }
}

/// All waiters of an application, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Records(pub(super) BTreeMap<String, Record>);

impl Records {
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let records: Self = serde_json::from_str(text)?;
        match records.0.keys().find_map(|name| WaiterName::parse(name).err()) {
            Some(error) => Err(serde::de::Error::custom(error)),
            None => Ok(records),
        }
    }

    /// As it is in the databag; empty without waiters, which removes the key.
    pub(super) fn to_text(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        json::to_text(&serde_json::to_value(self).expect("records are JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        // As recorded by version 0.1.0: a change of the form must still read this.
        let text = concat!(
            r#"{"bootstrap": {"create_time": "2024-05-01T10:00:00Z", "end_time": "2024-05-01T10:00:09.500Z", "#,
            r#""failure": {"number": 2, "path": "/failed"}, "outcome": "success", "#,
            r#""success": {"number": 3, "path": "/ready"}, "timeout": "360s", "#,
            r#""uid": "0f3c9b0e8d7a"}}"#
        );
        let records = Records::parse(text).expect("records");
        assert_eq!(records.to_text(), text);
        let waiter = records.0["bootstrap"].waiter();
        assert_eq!(waiter.deadline().to_string(), "2024-05-01T10:06:00Z");
    }

    #[test]
    fn records_that_make_no_sense_are_refused() {
        let good = r#""uid":"0","create_time":"2024-05-01T10:00:00Z","timeout":"1s","success":{"path":"/a","number":1}"#;
        assert!(Records::parse(&format!(r#"{{"w":{{{good}}}}}"#)).is_ok());
        for (old, new) in [("1s", "0s"), ("/a", "a b"), ("10:00:00Z", "x"), (":1}", ":-1}"), ("uid", "id")] {
            let bad = format!(r#"{{"w":{{{}}}}}"#, good.replace(old, new));
            assert!(Records::parse(&bad).is_err(), "{bad}");
        }
        assert!(Records::parse(&format!(r#"{{"a.b/c":{{{good}}}}}"#)).is_err());
        assert!(Records::parse("[]").is_err());
    }
}
