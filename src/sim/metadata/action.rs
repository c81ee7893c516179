//! The actions of a charm, from `actions.yaml`.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{CharmError, read_yaml};

/// The schema of each action's parameters: `params` are its properties, other keys are taken over.
pub(super) fn read_actions(path: &Path) -> Result<IndexMap<String, Map<String, Value>>, CharmError> {
    const FOR_JUJU: &[&str] = &["description", "params", "parallel", "execution-group"];
    let Some(file) = read_yaml::<Option<IndexMap<String, Option<Map<String, Value>>>>>(path)? else {
        return Ok(IndexMap::new());
    };
    let actions = file.unwrap_or_default().into_iter().map(|(name, action)| {
        if !is_action_name(&name) || name == "juju" || name.starts_with("juju-") {
            return Err(CharmError::ActionName { name });
        }
        let mut action = action.unwrap_or_default();
        refuse_references(&Value::Object(action.clone()))?;
        let properties = action.remove("params").filter(|params| !params.is_null());
        let mut schema: Map<String, Value> =
            action.into_iter().filter(|(key, _)| !FOR_JUJU.contains(&key.as_str())).collect();
        schema.insert("properties".to_owned(), properties.unwrap_or_else(|| Value::Object(Map::new())));
        Ok((name, schema))
    });
    actions.collect()
}

fn refuse_references(schema: &Value) -> Result<(), CharmError> {
    match schema {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            if key == "$schema" || key == "$ref" {
                return Err(CharmError::ActionSchema { key: key.clone() });
            }
            refuse_references(value)
        }),
        Value::Array(list) => list.iter().try_for_each(refuse_references),
        _ => Ok(()),
    }
}

/// Small letters and digits, dashes between them: names of actions and keys of their results.
pub(crate) fn is_action_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|byte| is_inner(*byte))
        && bytes.last().is_some_and(|byte| is_inner(*byte))
        && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
}
