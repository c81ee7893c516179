//! Bodies of requests: JSON as Google's clients write it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charms_reactive_core::waiter::NUMBER_MAX;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::relaxed;

/// A message of a request: an object with the fields that are known, and no others.
///
/// `snake_case` is taken for `camelCase`, and null for a field that is not there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    name: String,
    fields: Map<String, Value>,
}

impl Message {
    /// Parses a body; none at all is a message without fields.
    pub(super) fn parse(name: &str, body: &[u8], known: &[&str]) -> Result<Self, ApiError> {
        if body.trim_ascii().is_empty() {
            return Ok(Self { name: name.to_owned(), fields: Map::new() });
        }
        let value = match serde_json::from_slice(body) {
            Ok(value) => value,
            // What is no JSON may still be what people write for it.
            Err(error) => {
                let relaxed = std::str::from_utf8(body).ok().and_then(relaxed::parse);
                relaxed.ok_or_else(|| ApiError::body(&format!("{error}.")))?
            }
        };
        Self::of(name, value, known)
    }

    fn of(name: &str, value: Value, known: &[&str]) -> Result<Self, ApiError> {
        let Value::Object(object) = value else {
            return Err(ApiError::mistyped(name, "TYPE_MESSAGE", &value));
        };
        let mut fields = Map::new();
        for (key, value) in object {
            let field = camel(&key);
            if !known.contains(&field.as_str()) {
                let key: String = key.chars().take(80).collect();
                return Err(ApiError::body(&format!("Unknown name \"{key}\": Cannot find field.")));
            }
            if !value.is_null() {
                fields.insert(field, value);
            }
        }
        Ok(Self { name: name.to_owned(), fields })
    }

    fn place(&self, field: &str) -> String {
        format!("{}.{field}", self.name)
    }

    /// A text; None where it is not there.
    pub(super) fn text(&self, field: &str) -> Result<Option<&str>, ApiError> {
        match self.fields.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ApiError::mistyped(&self.place(field), "TYPE_STRING", other)),
        }
    }

    /// Bytes, in either alphabet of base64, padded or not.
    pub(super) fn bytes(&self, field: &str) -> Result<Option<Vec<u8>>, ApiError> {
        let wrong = |value: &Value| ApiError::mistyped(&self.place(field), "TYPE_BYTES", value);
        match self.fields.get(field) {
            None => Ok(None),
            Some(value @ Value::String(text)) => decoded(text).map(Some).ok_or_else(|| wrong(value)),
            Some(other) => Err(wrong(other)),
        }
    }

    /// A message in a field; None where it is not there.
    pub(super) fn message(&self, field: &str, known: &[&str]) -> Result<Option<Self>, ApiError> {
        let value = self.fields.get(field).cloned();
        value.map(|value| Self::of(&self.place(field), value, known)).transpose()
    }

    /// A number from 0: as one, as a float without fraction, or as a text.
    pub(super) fn number(&self, field: &str) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.fields.get(field) else { return Ok(None) };
        let wrong = || ApiError::mistyped(&self.place(field), "TYPE_INT32", value);
        let number = match value {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(wrong)?;
        let range = -i64::from(NUMBER_MAX) - 1..=i64::from(NUMBER_MAX);
        if !range.contains(&number) {
            return Err(wrong());
        }
        let negative = || ApiError::invalid(&self.place(field), "must not be negative");
        u32::try_from(number).map(Some).map_err(|_| negative())
    }

    /// Whatever is in a field.
    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }
}

/// A float that is a whole number, as that.
fn whole(float: f64) -> Option<i64> {
    // Beyond this, floats leave out numbers; none of our fields goes that far.
    let is_whole = float.fract() == 0.0 && float.abs() < 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and small enough")]
    is_whole.then_some(float as i64)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let padding = (4 - text.len() % 4) % 4;
    STANDARD.decode(text + &"=".repeat(padding)).ok()
}

/// Bytes in base64, as answers have them.
pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `newer_than` -> `newerThan`.
fn camel(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    let mut parts = key.split('_');
    name.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Message, ApiError> {
        Message::parse("variable", body.as_bytes(), &["name", "value", "number", "newerThan"])
    }

    #[test]
    fn both_cases_and_null_are_read() {
        let message = parse(r#"{"newer_than": "x", "name": null}"#).expect("a message");
        assert_eq!(message.text("newerThan"), Ok(Some("x")));
        assert_eq!(message.text("name"), Ok(None));
        assert_eq!(parse(""), parse("{}"));
    }

    #[test]
    fn what_nobody_knows_is_refused_by_name() {
        let error = parse(r#"{"nmae": "x"}"#).expect_err("misspelt");
        let message = "Invalid JSON payload received. Unknown name \"nmae\": Cannot find field.";
        assert_eq!(error.message, message);
        assert!(parse("[]").is_err());
        assert!(parse("{name: x}").is_err());
        assert_eq!(parse("{name: 'x'}"), parse(r#"{"name": "x"}"#));
    }

    #[test]
    fn numbers_come_in_three_forms() {
        let number =
            |text: &str| parse(&format!(r#"{{"number": {text}}}"#)).expect("a message").number("number");
        for (text, expected) in [("3", 3), ("3.0", 3), ("\"3\"", 3), ("0", 0), ("2147483647", 2_147_483_647)]
        {
            assert_eq!(number(text), Ok(Some(expected)), "`{text}`");
        }
        for text in ["-1", "\"-1\"", "3.5", "2147483648", "1e30", "true", "\"x\"", "[]", "\"\"", "\"3.0\""] {
            assert!(number(text).is_err(), "`{text}`");
        }
        assert_eq!(number("null"), Ok(None));
    }

    #[test]
    fn bytes_come_in_both_alphabets_padded_or_not() {
        let bytes =
            |text: &str| parse(&format!(r#"{{"value": "{text}"}}"#)).expect("a message").bytes("value");
        for text in ["+/8=", "-_8=", "-_8", "+/8"] {
            assert_eq!(bytes(text), Ok(Some(vec![0xfb, 0xff])), "`{text}`");
        }
        assert_eq!(bytes(""), Ok(Some(vec![])));
        for text in ["a", "a b=", "****", "ab=c"] {
            assert!(bytes(text).is_err(), "`{text}`");
        }
        assert_eq!(encoded(&[0xfb, 0xff]), "+/8=");
    }
}
