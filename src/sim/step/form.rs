//! How steps are written: in the words of `juju`, as YAML or JSON reads them.

use std::fmt::Write as _;

use serde_json::Value;

/// Two things as a map with one entry: `{web: 3}`.
pub(super) mod named {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
    use serde::ser::{Serialize, SerializeMap as _, Serializer};

    pub(in crate::step) fn serialize<S: Serializer>(
        name: &str,
        value: &impl Serialize,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, value)?;
        map.end()
    }

    pub(in crate::step) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<(String, T), D::Error> {
        deserializer.deserialize_map(One(PhantomData))
    }

    struct One<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for One<T> {
        type Value = (String, T);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map with one entry, `{NAME: ...}`")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let entry = map.next_entry()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
            match map.next_key::<String>()? {
                None => Ok(entry),
                Some(_) => Err(A::Error::invalid_length(2, &self)),
            }
        }
    }
}

/// A span of time as a text: `10min`.
pub(super) mod span {
    use std::time::Duration;

    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(in crate::step) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::span_text(*span))
    }

    pub(in crate::step) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::read_span(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is no time, expected one as `10min`, `1h30min`, `90s`, `500ms`"
            ))
        })
    }
}

/// The units of time, from the largest, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

fn span_text(span: std::time::Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, size) in UNITS {
        if left >= size {
            let _ = write!(text, "{}{unit}", left / size);
            left %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn read_span(text: &str) -> Option<std::time::Duration> {
    let mut total: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let end = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = if &rest[..end] == "m" { "min" } else { &rest[..end] };
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*size)?)?;
        rest = rest[end..].trim_start();
    }
    Some(std::time::Duration::from_millis(total))
}

/// A value as YAML on one line.
pub(super) fn flow(value: &Value) -> String {
    let mut text = String::new();
    push(&mut text, value);
    text
}

fn push(text: &mut String, value: &Value) {
    match value {
        Value::String(word) if is_plain(word) => text.push_str(word),
        Value::String(word) => push_quoted(text, word),
        Value::Array(list) => {
            text.push('[');
            for (position, value) in list.iter().enumerate() {
                text.push_str(if position == 0 { "" } else { ", " });
                push(text, value);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (position, (key, value)) in map.iter().enumerate() {
                text.push_str(if position == 0 { "" } else { ", " });
                push(text, &Value::from(key.as_str()));
                text.push_str(": ");
                push(text, value);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

/// Whether a text means itself without quotes, as a key and as a value.
fn is_plain(text: &str) -> bool {
    let is_line = !text.is_empty() && text.len() < 100 && !text.contains(['\n', '\r', '\t']);
    let read = || serde_yaml::from_str::<Value>(&format!("{{{text}: {text}, x: [{text}]}}"));
    is_line && read().is_ok_and(|found| found == serde_json::json!({text: text, "x": [text]}))
}

fn push_quoted(text: &mut String, word: &str) {
    text.push('"');
    for letter in word.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            letter if letter.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            }
            letter => text.push(letter),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_span_is_read_as_it_is_written() {
        for (text, seconds) in
            [("10min", 600), ("1h30min", 5_400), ("90 s", 90), ("5m", 300), ("1d 1s", 86_401)]
        {
            assert_eq!(read_span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "min", "1.5h", "-1s", "1 week", "99999999999999999999s", "999999999999999d"] {
            assert_eq!(read_span(text), None, "{text}");
        }
        for millis in [0, 1, 1_500, 60_000, 90_061_001] {
            let span = Duration::from_millis(millis);
            assert_eq!(read_span(&span_text(span)), Some(span), "{}", span_text(span));
        }
    }

    #[test]
    fn a_value_on_one_line_is_read_back() {
        for (value, expected) in [
            (json!("web/0"), "web/0"),
            (json!(["web:db", "db"]), "[web:db, db]"),
            (json!({"web": {"port": "80"}}), "{web: {port: \"80\"}}"),
            (json!({"a b": [1, true, null]}), "{a b: [1, true, null]}"),
            (json!(""), "\"\""),
            (json!("yes: no"), "\"yes: no\""),
            (json!("- a\n- b \"c\" \\\u{1}"), "\"- a\\n- b \\\"c\\\" \\\\\\u0001\""),
            (json!("a, b"), "\"a, b\""),
            (json!("~"), "\"~\""),
            (json!("*"), "\"*\""),
            (json!("größer #1"), "\"größer #1\""),
        ] {
            assert_eq!(flow(&value), expected);
            assert_eq!(serde_yaml::from_str::<Value>(&flow(&value)).unwrap(), value, "{expected}");
        }
    }
}
