//! The parameters of actions: defaults filled in, and held against a JSON schema.
//!
//! Of draft 4, what charms use: `type`, `enum`, `properties`, `required`, `additionalProperties`,
//! `items`, and bounds of numbers, texts and lists.  Other keys are not looked at.

use serde_json::{Map, Value};

/// Puts in the defaults of parameters that are not given, nested ones too.
///
/// # Source
///
/// `internal/charm/actions.go`, and `juju/gojsonschema`, `InsertDefaults`.
pub(crate) fn insert_defaults(schema: &Map<String, Value>, parameters: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        if let (Some(default), false) = (property.get("default"), parameters.contains_key(name)) {
            parameters.insert(name.clone(), default.clone());
        }
        if property.get("properties").is_none() {
            continue;
        }
        let mut inner = match parameters.get(name) {
            None => Map::new(),
            Some(Value::Object(given)) => given.clone(),
            Some(_) => continue,
        };
        insert_defaults(property, &mut inner);
        if !inner.is_empty() || parameters.contains_key(name) {
            parameters.insert(name.clone(), Value::Object(inner));
        }
    }
}

/// All that is wrong with `value`, in Juju's words; empty when it fits.
///
/// `is_open` says what holds for parameters that a schema does not name, when it is silent itself.
pub(crate) fn faults(schema: &Map<String, Value>, value: &Value, is_open: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let closed = Value::Bool(is_open);
    let mut schema = schema.clone();
    schema.entry("additionalProperties").or_insert(closed);
    check("(root)", &schema, value, &mut faults);
    faults
}

fn check(path: &str, schema: &Map<String, Value>, value: &Value, faults: &mut Vec<String>) {
    if let Some(wanted) = schema.get("type")
        && !is_of_type(wanted, value)
    {
        let wanted = match wanted {
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            one => one.as_str().unwrap_or_default().to_owned(),
        };
        faults.push(format!("{path} : must be of type {wanted}, given {value}"));
        return;
    }
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        faults.push(format!(
            "{path} : must match one of the enum values [{}], given {value}",
            allowed.join(", ")
        ));
    }
    match value {
        Value::Object(map) => object(path, schema, map, faults),
        Value::Array(list) => {
            bounds(path, schema, ("minItems", "maxItems"), size(list.len()), value, faults);
            if let Some(Value::Object(item)) = schema.get("items") {
                for (at, value) in list.iter().enumerate() {
                    check(&format!("{path}.{at}"), item, value, faults);
                }
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            bounds(path, schema, ("minimum", "maximum"), number, value, faults);
        }
        Value::String(text) => {
            let length = size(text.chars().count());
            bounds(path, schema, ("minLength", "maxLength"), length, value, faults);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// A size, to be held against a bound; a schema's bounds are far below where this loses anything.
fn size(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn object(path: &str, schema: &Map<String, Value>, map: &Map<String, Value>, faults: &mut Vec<String>) {
    let given = || Value::Object(map.clone());
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if let Some(name) = name.as_str().filter(|name| !map.contains_key(*name)) {
            faults.push(format!("{path} : {name:?} property is missing and required, given {}", given()));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in map {
        let inner = format!("{path}.{name}");
        match (properties.and_then(|properties| properties.get(name)), schema.get("additionalProperties")) {
            (Some(Value::Object(property)), _) => check(&inner, property, value, faults),
            (None, Some(Value::Bool(false))) => {
                faults
                    .push(format!("{path} : additional property {name:?} is not allowed, given {}", given()));
            }
            (None, Some(Value::Object(other))) => check(&inner, other, value, faults),
            _ => {}
        }
    }
}

fn bounds(
    path: &str,
    schema: &Map<String, Value>,
    (least, most): (&str, &str),
    size: f64,
    value: &Value,
    faults: &mut Vec<String>,
) {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(bound) = bound(least).filter(|bound| size < *bound) {
        faults.push(format!("{path} : {least} is {bound}, given {value}"));
    }
    if let Some(bound) = bound(most).filter(|bound| size > *bound) {
        faults.push(format!("{path} : {most} is {bound}, given {value}"));
    }
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(several) => several.iter().any(|one| is_of_type(one, value)),
        one => match one.as_str() {
            Some("string") => value.is_string(),
            Some("integer") => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("null") => value.is_null(),
            // A type that JSON does not have holds nothing back.
            _ => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no map"),
        }
    }

    #[test]
    fn parameters_are_held_against_the_schema() {
        let schema = map(json!({
            "properties": {
                "outfile": {"type": "string", "minLength": 2},
                "count": {"type": "integer", "minimum": 1, "maximum": 9},
                "mode": {"enum": ["fast", "slow"]},
                "nested": {"type": "object", "required": ["a"], "properties": {"a": {"type": "boolean"}}},
                "list": {"type": "array", "items": {"type": "number"}},
            },
            "required": ["outfile"],
        }));
        let check = |parameters: Value, expected: &[&str]| {
            assert_eq!(faults(&schema, &parameters, false), expected, "{parameters}");
        };
        check(json!({"outfile": "ab", "count": 3, "mode": "fast", "list": [1, 2.5]}), &[]);
        check(json!({}), &["(root) : \"outfile\" property is missing and required, given {}"]);
        check(json!({"outfile": 5}), &["(root).outfile : must be of type string, given 5"]);
        check(json!({"outfile": "a"}), &["(root).outfile : minLength is 2, given \"a\""]);
        check(json!({"outfile": "ab", "count": 10}), &["(root).count : maximum is 9, given 10"]);
        check(json!({"outfile": "ab", "count": 1.5}), &["(root).count : must be of type integer, given 1.5"]);
        check(
            json!({"outfile": "ab", "mode": "x"}),
            &["(root).mode : must match one of the enum values [\"fast\", \"slow\"], given \"x\""],
        );
        check(
            json!({"outfile": "ab", "x": 1}),
            &["(root) : additional property \"x\" is not allowed, given {\"outfile\":\"ab\",\"x\":1}"],
        );
        check(
            json!({"outfile": "ab", "nested": {}}),
            &["(root).nested : \"a\" property is missing and required, given {}"],
        );
        check(
            json!({"outfile": "ab", "list": ["a"]}),
            &["(root).list.0 : must be of type number, given \"a\""],
        );
        assert_eq!(faults(&schema, &json!({"outfile": "ab", "x": 1}), true), [""; 0]);
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth() {
        let schema = map(json!({"properties": {
            "a": {"default": 1},
            "b": {"default": 2},
            "c": {"type": "object", "properties": {"d": {"default": "x"}}},
            "e": {"type": "object", "properties": {"f": {}}},
        }}));
        let mut parameters = map(json!({"b": 3}));
        insert_defaults(&schema, &mut parameters);
        assert_eq!(Value::Object(parameters), json!({"a": 1, "b": 3, "c": {"d": "x"}}));
    }
}
