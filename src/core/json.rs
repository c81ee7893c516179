//! JSON as charms in Python write it into databags.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The text of `value` as Python's `json.dumps(value, sort_keys=True)` gives it.
///
/// # Shape
///
/// Keys sorted, `, ` and `: ` between things, everything beyond ASCII escaped, floats the way Python
/// prints them.  Both sides of a relation compare texts, so a Rust and a Python charm that say the
/// same thing should say it in the same bytes.
///
/// ```
/// use charms_reactive_core::json::to_text;
///
/// let value = serde_json::json!({"b": [1.0, null], "a": "é"});
/// assert_eq!(to_text(&value), r#"{"a": "\u00e9", "b": [1.0, null]}"#);
/// ```
pub fn to_text(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::String(string) => write_string(text, string),
        Value::Array(elements) => {
            text.push('[');
            for (position, element) in elements.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                write_value(text, element);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            // The map is sorted already, unless some crate of the build switched that off.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| left.0.cmp(right.0));
            for (position, (key, element)) in entries.into_iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                write_string(text, key);
                text.push_str(": ");
                write_value(text, element);
            }
            text.push('}');
        }
    }
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='\u{7e}' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").expect("a String takes everything");
                }
            }
        }
    }
    text.push('"');
}

/// Python's `repr` of a number: an exponent below 1e-4 and from 1e16, with a sign and two digits.
fn number_text(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the format has a number there");
    if (-4..16).contains(&exponent) {
        let plain = float.to_string();
        if plain.contains('.') { plain } else { plain + ".0" }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_that_python_writes() {
        // Left: as read; right: what `json.dumps(json.loads(left), sort_keys=True)` gave in Python 3.11.
        for (read, expected) in [
            ("1", "1"),
            ("1.10", "1.1"),
            ("1e5", "100000.0"),
            ("1e16", "1e+16"),
            ("1e15", "1000000000000000.0"),
            ("0.0000001", "1e-07"),
            ("0.0001", "0.0001"),
            ("0.00001234", "1.234e-05"),
            ("-0.0", "-0.0"),
            ("1.2345678901234568e17", "1.2345678901234568e+17"),
            ("18446744073709551615", "18446744073709551615"),
            ("true", "true"),
            ("null", "null"),
            ("[1,2]", "[1, 2]"),
            ("[]", "[]"),
            ("{}", "{}"),
            (r#"{"b":1,"a":2}"#, r#"{"a": 2, "b": 1}"#),
            (r#""\u00e9\/\ud83d\ude00\u007f\n\b\"""#, r#""\u00e9/\ud83d\ude00\u007f\n\b\"""#),
        ] {
            let value: Value = serde_json::from_str(read).expect("JSON");
            assert_eq!(to_text(&value), expected, "`{read}`");
        }
    }
}
