//! What one unit has checked in, in its databag.

use std::collections::BTreeMap;

use charms_reactive_core::waiter::VariablePath;
use charms_reactive_core::{Databag, UnitName, json};

/// The key of a unit's databag.
///
/// # Shape
///
/// JSON with sorted keys: `{"/ready": "10.0.0.7"}`.
pub const UNIT_KEY: &str = "runtimeconfig";

/// How long a text may be that is checked in.
pub const CHECK_IN_BYTES_MAX: usize = 4095;

/// How many check-ins of one unit are counted; what another unit wrote is bounded by it.
const CHECK_INS_MAX: usize = 1000;

/// What one unit has checked in: texts by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CheckIns(BTreeMap<VariablePath, String>);

impl CheckIns {
    /// What is in a databag; what cannot be read is left out.
    pub(super) fn of(databag: &Databag) -> Self {
        let text = databag.text(UNIT_KEY).unwrap_or("{}");
        let said: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
        let read = |(path, text): (String, serde_json::Value)| match text {
            serde_json::Value::String(text) => Some((VariablePath::parse_variable(&path).ok()?, text)),
            _ => None,
        };
        Self(said.into_iter().filter_map(read).take(CHECK_INS_MAX).collect())
    }

    /// What is wrong with the text of a databag.
    pub(super) fn problem(text: &str) -> Option<String> {
        match serde_json::from_str::<BTreeMap<String, String>>(text) {
            Err(error) => Some(error.to_string()),
            Ok(said) => {
                said.keys().find_map(|path| Some(VariablePath::parse_variable(path).err()?.to_string()))
            }
        }
    }

    /// The text under a path.
    pub(super) fn text(&self, path: &VariablePath) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &VariablePath> {
        self.0.keys()
    }

    pub(super) fn set(&mut self, path: VariablePath, text: Option<&str>) {
        match text {
            Some(text) => self.0.insert(path, text.to_owned()),
            None => self.0.remove(&path),
        };
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The variables that `unit` stands for: one below each path, with the unit as last segment.
    pub(super) fn variables(&self, unit: &UnitName) -> impl Iterator<Item = VariablePath> {
        let segment = unit.to_string().replace('/', "-");
        self.0.keys().filter_map(move |path| path.child(&segment).ok())
    }

    /// As it is in the databag; empty without check-ins, which removes the key.
    pub(super) fn to_text(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let map = self.0.iter().map(|(path, text)| (path.to_string(), text.clone().into()));
        json::to_text(&serde_json::Value::Object(map.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> CheckIns {
        CheckIns::of(&Databag::from([(UNIT_KEY, text)]))
    }

    #[test]
    fn a_unit_is_one_variable_below_each_path() {
        let said = of(r#"{"/ready": "10.0.0.7", "a//b/": ""}"#);
        let unit = UnitName::parse("my-db/12").expect("a name");
        let variables: Vec<String> = said.variables(&unit).map(|path| path.to_string()).collect();
        assert_eq!(variables, ["/a/b/my-db-12", "/ready/my-db-12"]);
        assert_eq!(said.to_text(), r#"{"/a/b": "", "/ready": "10.0.0.7"}"#);
    }

    #[test]
    fn nonsense_counts_for_nothing_and_is_told() {
        for text in ["", "{", "[]", "7", "null", r#"{"/": "x"}"#, r#"{"a b": "x"}"#, r#"{"a": 7}"#] {
            assert_eq!(of(text), CheckIns::default(), "`{text}`");
            assert!(CheckIns::problem(text).is_some(), "`{text}`");
        }
        assert_eq!(of(r#"{"a b": "x", "c": 7, "d": "y"}"#).to_text(), r#"{"/d": "y"}"#);
        assert_eq!(CheckIns::problem(r#"{"d": "y"}"#), None);
        let many: BTreeMap<String, &str> = (0..2000).map(|number| (format!("p{number}"), "x")).collect();
        assert_eq!(of(&serde_json::json!(many).to_string()).0.len(), CHECK_INS_MAX);
    }
}
