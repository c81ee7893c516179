//! What the unit state holds of operations.

use std::collections::BTreeMap;

use charms_reactive_core::digest::digest;
use charms_reactive_core::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Builder;

use crate::context::Context;

/// How long an input may be, as JSON: it is in the unit state while the operation runs.
pub const INPUT_BYTES_MAX: usize = 16 * 1024;
/// How much of an error text is kept.
const ERROR_BYTES_MAX: usize = 4 * 1024;

/// Before the name of an operation: the key of its record in the unit state.
const PREFIX: &str = "operation/";

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did what it is for.
    Success,
    /// It did not.
    Failure,
    /// It stopped because it was told to.
    Cancelled,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Cancelled];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The end of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) error: String,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) result: Value,
    /// Whether the charm does not want to know of it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_forgotten: bool,
    /// Whether the daemon knows that this end was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_acknowledged: bool,
}

impl End {
    pub(super) fn new(outcome: Outcome, error: &str, result: Value) -> Self {
        let error = error[..error.floor_char_boundary(ERROR_BYTES_MAX)].to_owned();
        Self { outcome, error, result, is_forgotten: false, is_acknowledged: false }
    }
}

/// How far an operation is, as the unit knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    /// It is to run; the daemon has not said that it does.
    Asked,
    /// The daemon has it.
    Running,
    /// The daemon will never have it; the text says why.
    Refused(String),
    /// It is over.
    Ended(End),
}

/// One operation, as it was started last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Current {
    pub(super) id: String,
    pub(super) stage: Stage,
    /// What it is given; of one that ended, nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) input: Value,
    /// Why it is to stop, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cancel: Option<String>,
}

impl Current {
    /// Its end, where the charm wants to know of it.
    pub(super) fn end(&self) -> Option<&End> {
        match &self.stage {
            Stage::Ended(end) if !end.is_forgotten => Some(end),
            _ => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// It is over.
    pub(super) fn finish(&mut self, end: End) {
        (self.stage, self.input, self.cancel) = (Stage::Ended(end), Value::Null, None);
    }
}

/// What is remembered of an operation of the charm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// How often it was started: a part of each id, so it stays.
    pub(super) generation: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<Current>,
}

impl Record {
    /// Starts it once more.
    pub(super) fn start(&mut self, context: &Context, name: &str, input: Value) {
        self.generation = self.generation.wrapping_add(1);
        let id = id_of(context, name, self.generation, &input);
        self.current = Some(Current { id, stage: Stage::Asked, input, cancel: None });
    }

    /// Whether it runs, or is about to.
    pub(super) fn is_running(&self) -> bool {
        self.current.as_ref().is_some_and(|current| !current.is_over())
    }

    /// Whether the daemon has something to say about it, or to hear.
    pub(super) fn is_open(&self) -> bool {
        self.current.as_ref().is_some_and(|current| match &current.stage {
            Stage::Asked | Stage::Running | Stage::Refused(_) => true,
            Stage::Ended(end) => !end.is_acknowledged,
        })
    }

    /// Leaves out what nobody wants to know any more.
    fn tidied(&self) -> Self {
        let is_spent = |current: &Current| match &current.stage {
            Stage::Ended(end) => end.is_forgotten && end.is_acknowledged,
            _ => false,
        };
        Self {
            generation: self.generation,
            current: self.current.clone().filter(|current| !is_spent(current)),
        }
    }
}

/// The operations of a unit by name.
pub(crate) type Records = BTreeMap<String, Record>;

/// Takes the records from the unit state.
pub(super) fn load(saved: &BTreeMap<String, String>) -> Records {
    let ours = saved.iter().filter_map(|(key, text)| Some((key.strip_prefix(PREFIX)?, text)));
    let records = ours.map(|(name, text)| {
        let record = serde_json::from_str(text).unwrap_or_else(|error| {
            log::warn!("cannot read state key `{PREFIX}{name}`, starting anew: {error}");
            Record::default()
        });
        (name.to_owned(), record)
    });
    records.collect()
}

/// Puts the records into the unit state.
pub(super) fn save(records: &Records, next: &mut BTreeMap<String, String>) {
    for (name, record) in records {
        let text = serde_json::to_string(&record.tidied()).expect("texts and JSON are JSON");
        next.insert(format!("{PREFIX}{name}"), text);
    }
}

/// The id of an operation: the same for a dispatch that is tried again, another one for anything else.
///
/// # Shape
///
/// A UUID of version 8: a digest of model, unit and name; 26 bits of the generation; a digest of the input.
fn id_of(context: &Context, name: &str, generation: u32, input: &Value) -> String {
    let model = context.model_uuid.as_deref().unwrap_or_default();
    let number = |text: &str| u128::from_str_radix(&digest(text), 16).expect("twelve hexadecimal digits");
    let (upper, lower) = (u128::from(generation >> 14 & 0xfff), u128::from(generation & 0x3fff));
    // Between them is the place of the version, and of the variant.
    let bits = number(&format!("{model} {} {name}", context.unit)) << 80
        | upper << 64
        | lower << 48
        | number(&json::to_text(input));
    Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid().as_hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn context(unit: &str) -> Context {
        let variable = |name: &str| (name == "JUJU_UNIT_NAME").then(|| unit.to_owned());
        Context::read(variable, 7).expect("a context")
    }

    #[test]
    fn an_id_is_that_of_what_is_to_be_done() {
        let id = |unit: &str, name: &str, generation, input| id_of(&context(unit), name, generation, &input);
        assert_eq!(id("web/0", "index", 1, json!({"a": 1})), id("web/0", "index", 1, json!({"a": 1})));
        let mut all = BTreeSet::new();
        for unit in ["web/0", "web/1"] {
            for name in ["index", "backup"] {
                for input in [json!(null), json!(1), json!({"a": 1})] {
                    all.extend((1..2000).map(|generation| id(unit, name, generation, input.clone())));
                }
            }
        }
        assert_eq!(all.len(), 2 * 2 * 3 * 1999);
        assert!(all.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'8'), "version 8");
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let mut record = Record::default();
        record.start(&context("web/0"), "index", json!({"a": [1]}));
        let mut records = Records::from([("index".to_owned(), record.clone())]);
        let mut saved = BTreeMap::new();
        save(&records, &mut saved);
        assert_eq!(load(&saved), records);
        let current = records.get_mut("index").and_then(|record| record.current.as_mut()).expect("started");
        current.finish(End::new(Outcome::Failure, "no room", Value::Null));
        save(&records, &mut saved);
        assert_eq!(load(&saved), records);
        let Some(Current { stage: Stage::Ended(end), .. }) =
            &mut records.get_mut("index").expect("there").current
        else {
            panic!("it ended")
        };
        (end.is_forgotten, end.is_acknowledged) = (true, true);
        save(&records, &mut saved);
        assert_eq!(saved["operation/index"], r#"{"generation":1}"#, "the number of starts stays");
        assert_eq!(
            load(&BTreeMap::from([("operation/index".to_owned(), "{".to_owned())]))["index"],
            Record::default()
        );
    }
}
