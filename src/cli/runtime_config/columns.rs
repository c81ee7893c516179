//! Configs, variables and waiters as they are shown.

use base64::Engine as _;
use serde_json::{Map, Value};

use crate::show::Column;

pub(super) const CONFIG_COLUMNS: &[Column] = &[("NAME", name), ("DESCRIPTION", description)];
pub(super) const VARIABLE_COLUMNS: &[Column] = &[("NAME", name), ("UPDATE_TIME", update_time)];
pub(super) const VALUE_COLUMNS: &[Column] = &[("NAME", name), ("UPDATE_TIME", update_time), ("VALUE", value)];
pub(super) const WAITER_COLUMNS: &[Column] =
    &[("NAME", name), ("CREATE_TIME", create_time), ("WAITER_STATUS", waiter_status), ("MESSAGE", message)];

fn text(item: &Value, key: &str) -> String {
    item[key].as_str().unwrap_or_default().to_owned()
}

fn name(item: &Value) -> String {
    text(item, "name")
}

fn description(item: &Value) -> String {
    text(item, "description")
}

fn value(item: &Value) -> String {
    text(item, "value")
}

fn update_time(item: &Value) -> String {
    seconds(&text(item, "updateTime"))
}

fn create_time(item: &Value) -> String {
    seconds(&text(item, "createTime"))
}

/// A moment without fraction and zone.
fn seconds(moment: &str) -> String {
    moment.split(['.', 'Z']).next().unwrap_or_default().to_owned()
}

/// How gcloud calls what a waiter is doing.
fn waiter_status(waiter: &Value) -> String {
    let status = match (waiter["done"] == true, waiter["error"]["code"].as_u64()) {
        (false, _) => "WAITING",
        (true, None) => "SUCCESS",
        (true, Some(4)) => "TIMEOUT",
        (true, Some(_)) => "FAILURE",
    };
    status.to_owned()
}

fn message(waiter: &Value) -> String {
    text(&waiter["error"], "message")
}

/// A config, variable or waiter with its name as people say it; `atomicName` is the full one.
///
/// With `has_content`, `value` of a variable is the text that it holds, whichever way it was written; what
/// is no text stays in base64.
pub(super) fn shaped(item: Value, has_content: bool) -> Value {
    let Value::Object(mut item) = item else { return item };
    let full = item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let short = ["/variables/", "/waiters/"].iter().find_map(|list| Some(full.split_once(list)?.1));
    let short = short.or_else(|| full.rsplit('/').next()).unwrap_or_default().to_owned();
    item.insert("name".to_owned(), short.into());
    item.insert("atomicName".to_owned(), full.into());
    if has_content && let Some(text) = content(&item).and_then(|bytes| String::from_utf8(bytes).ok()) {
        item.insert("value".to_owned(), text.into());
    }
    Value::Object(item)
}

/// The bytes that a variable holds.
pub(super) fn content(variable: &Map<String, Value>) -> Option<Vec<u8>> {
    match (variable.get("text"), variable.get("value")) {
        (Some(Value::String(text)), _) => Some(text.clone().into_bytes()),
        (_, Some(Value::String(value))) => base64::engine::general_purpose::STANDARD.decode(value).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_shortened_and_contents_decoded() {
        let variable = json!({"name": "projects/p/configs/c/variables/a/b", "value": "aGkK"});
        let expected =
            json!({"name": "a/b", "atomicName": "projects/p/configs/c/variables/a/b", "value": "hi\n"});
        assert_eq!(shaped(variable.clone(), true), expected);
        assert_eq!(shaped(variable, false)["value"], "aGkK");
        let binary = json!({"name": "projects/p/configs/c/variables/a", "value": "/w=="});
        assert_eq!(shaped(binary, true)["value"], "/w==");
        assert_eq!(shaped(json!({"name": "projects/p/configs/c"}), false)["name"], "c");
    }

    #[test]
    fn waiters_have_four_states() {
        for (waiter, expected) in [
            (json!({}), "WAITING"),
            (json!({"done": true}), "SUCCESS"),
            (json!({"done": true, "error": {"code": 4}}), "TIMEOUT"),
            (json!({"done": true, "error": {"code": 9}}), "FAILURE"),
        ] {
            assert_eq!(waiter_status(&waiter), expected);
        }
    }
}
