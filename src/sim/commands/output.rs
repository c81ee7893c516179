//! The formats of answers: smart, JSON and YAML, as Go writes them.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Texts bare, lists one a line, the rest as YAML.
    Smart,
    /// One line of JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Writes `value` as a hook command prints it.
///
/// # Source
///
/// `juju/cmd:output.go`, `juju/juju:cmd/juju/common/format.go`.
pub(crate) fn print(value: &Value, format: Format) -> String {
    match format {
        Format::Json => {
            let mut text = String::new();
            json(value, &mut text);
            text + "\n"
        }
        Format::Yaml => yaml_document(value),
        Format::Smart => match value {
            Value::Null => String::new(),
            Value::String(text) if text.is_empty() => String::new(),
            Value::String(text) => format!("{text}\n"),
            Value::Bool(true) => "True\n".to_owned(),
            Value::Bool(false) => "False\n".to_owned(),
            Value::Array(list) if list.iter().all(Value::is_string) => {
                list.iter().filter_map(Value::as_str).flat_map(|text| [text, "\n"]).collect()
            }
            _ => yaml_document(value),
        },
    }
}

/// JSON as Go's `encoding/json` writes it: keys sorted, and safe inside HTML.
fn json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
        Value::Number(_) => out.push_str(&number(value)),
        Value::String(text) => json_text(text, out),
        Value::Array(list) => {
            out.push('[');
            for (at, item) in list.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (key, item)) in sorted(map).into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json_text(key, out);
                out.push(':');
                json(item, out);
            }
            out.push('}');
        }
    }
}

fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => escape(letter, out),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

fn escape(letter: char, out: &mut String) {
    // Writing into a text cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(letter));
}

/// A number as Go prints a float or an integer: `1.0` is `1`.
fn number(value: &Value) -> String {
    match (value.as_i64(), value.as_u64(), value.as_f64()) {
        (Some(whole), ..) => whole.to_string(),
        (_, Some(whole), _) => whole.to_string(),
        (_, _, Some(float)) if float.abs() >= 1e21 || (float != 0.0 && float.abs() < 1e-6) => {
            // Go writes the exponent with a sign.
            let text = format!("{float:e}");
            if text.contains("e-") { text } else { text.replace('e', "e+") }
        }
        (_, _, Some(float)) => float.to_string(),
        _ => "0".to_owned(),
    }
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut pairs: Vec<_> = map.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

fn yaml_document(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(list) if list.is_empty() => "[]\n".to_owned(),
        Value::Object(map) if map.is_empty() => "{}\n".to_owned(),
        Value::Array(_) | Value::Object(_) => {
            let mut text = String::new();
            yaml_block(value, 0, &mut text);
            text
        }
        Value::String(text) if text.contains('\n') => {
            let mut out = String::new();
            yaml_literal(text, 2, &mut out);
            out
        }
        scalar => yaml_scalar(scalar) + "\n",
    }
}

/// A list or map of at least one entry, each on lines of its own.
fn yaml_block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Array(list) => {
            for item in list {
                out.push_str(&pad);
                out.push('-');
                yaml_after(item, indent + 2, true, out);
            }
        }
        Value::Object(map) => {
            for (key, item) in sorted(map) {
                out.push_str(&pad);
                out.push_str(&yaml_scalar(&Value::from(key.as_str())));
                out.push(':');
                // Lists under a key are not indented further.
                let inner = if item.is_array() { indent } else { indent + 2 };
                yaml_after(item, inner, false, out);
            }
        }
        _ => {}
    }
}

/// What comes after `-` or `key:`.
fn yaml_after(value: &Value, indent: usize, is_in_list: bool, out: &mut String) {
    match value {
        Value::Array(list) if !list.is_empty() => {
            if is_in_list {
                nested(value, indent, out);
            } else {
                out.push('\n');
                yaml_block(value, indent, out);
            }
        }
        Value::Object(map) if !map.is_empty() => {
            if is_in_list {
                nested(value, indent, out);
            } else {
                out.push('\n');
                yaml_block(value, indent, out);
            }
        }
        Value::String(text) if text.contains('\n') => {
            out.push(' ');
            yaml_literal(text, indent.max(2), out);
        }
        scalar => {
            out.push(' ');
            out.push_str(&yaml_scalar(scalar));
            out.push('\n');
        }
    }
}

/// A block on the line of its dash.
fn nested(value: &Value, indent: usize, out: &mut String) {
    let mut block = String::new();
    yaml_block(value, indent, &mut block);
    out.push(' ');
    out.push_str(&block[indent..]);
}

/// A text of several lines.
fn yaml_literal(text: &str, indent: usize, out: &mut String) {
    let trimmed = text.trim_end_matches('\n');
    let chomping = match text.len() - trimmed.len() {
        0 => "-",
        1 if !trimmed.is_empty() => "",
        _ => "+",
    };
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    out.push_str(chomping);
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn yaml_scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(is) => is.to_string(),
        Value::Number(_) => number(value),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        Value::String(text) => yaml_text(text),
    }
}

/// A text, quoted where YAML 1.1 would read it as something else.
fn yaml_text(text: &str) -> String {
    if text.is_empty() || is_other_in_yaml(text) || text.chars().any(char::is_control) {
        let mut quoted = String::new();
        json_text(text, &mut quoted);
        // YAML wants no protection of HTML.
        return quoted.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&");
    }
    let is_plain = !text.starts_with([
        ' ', '!', '&', '*', '-', '?', '[', ']', '{', '}', ',', '#', '|', '>', '@', '`', '"', '\'', '%', ':',
    ]) && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #");
    // A dash, colon or question mark may begin a plain text when no space follows.
    let is_dashed = text.starts_with(['-', '?', ':'])
        && text.chars().nth(1).is_some_and(|second| second != ' ')
        && !text.starts_with("---")
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #");
    if is_plain || is_dashed { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// Whether a plain `text` is a boolean, null, a number or a time in YAML 1.1.
///
/// # Source
///
/// `go-yaml/yaml:resolve.go`, version 2.
fn is_other_in_yaml(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "y", "yes", "on", "n", "no", "off", "true", "false", "null", "~", "<<", "=", ".nan", ".inf", "+.inf",
        "-.inf",
    ];
    let lower = text.to_ascii_lowercase();
    if WORDS.contains(&lower.as_str()) {
        return true;
    }
    let first = text.as_bytes()[0];
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return false;
    }
    let digits = lower.replace('_', "");
    let unsigned = digits.trim_start_matches(['+', '-']);
    let is_based = |prefix: &str, radix| {
        unsigned.strip_prefix(prefix).is_some_and(|rest| i128::from_str_radix(rest, radix).is_ok())
    };
    let is_base60 = unsigned.contains(':')
        && unsigned
            .split(':')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let is_date = {
        let bytes = text.as_bytes();
        bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && {
            let rest = &text[5..];
            rest.bytes().all(|byte| byte.is_ascii_digit() || b"-: .tTzZ+".contains(&byte))
        }
    };
    // `f64` takes words such as `infinity`, which YAML does not.
    let is_float = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'-' | b'+'))
        && digits.parse::<f64>().is_ok();
    is_float || is_based("0x", 16) || is_based("0b", 2) || is_based("0o", 8) || is_base60 || is_date
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_format_prints_as_go_does() {
        let check = |value: Value, smart: &str, json: &str, yaml: &str| {
            assert_eq!(print(&value, Format::Smart), smart, "{value} smart");
            assert_eq!(print(&value, Format::Json), json, "{value} json");
            assert_eq!(print(&value, Format::Yaml), yaml, "{value} yaml");
        };
        check(Value::Null, "", "null\n", "");
        check(json!(""), "", "\"\"\n", "\"\"\n");
        check(json!("a b"), "a b\n", "\"a b\"\n", "a b\n");
        check(json!("3306"), "3306\n", "\"3306\"\n", "\"3306\"\n");
        check(json!("a<b>&"), "a<b>&\n", "\"a\\u003cb\\u003e\\u0026\"\n", "a<b>&\n");
        check(json!(true), "True\n", "true\n", "true\n");
        check(json!(1.0), "1\n", "1\n", "1\n");
        check(json!(1.5), "1.5\n", "1.5\n", "1.5\n");
        check(json!(-3), "-3\n", "-3\n", "-3\n");
        check(json!([]), "", "[]\n", "[]\n");
        check(json!(["a", "yes"]), "a\nyes\n", "[\"a\",\"yes\"]\n", "- a\n- \"yes\"\n");
        check(json!({}), "{}\n", "{}\n", "{}\n");
        check(
            json!({"b": "10.0.0.1", "a": "x: y", "c": {"d": ["e"], "f": []}}),
            "a: 'x: y'\nb: 10.0.0.1\nc:\n  d:\n  - e\n  f: []\n",
            "{\"a\":\"x: y\",\"b\":\"10.0.0.1\",\"c\":{\"d\":[\"e\"],\"f\":[]}}\n",
            "a: 'x: y'\nb: 10.0.0.1\nc:\n  d:\n  - e\n  f: []\n",
        );
        check(
            json!({"pem": "one\ntwo\n"}),
            "pem: |\n  one\n  two\n",
            "{\"pem\":\"one\\ntwo\\n\"}\n",
            "pem: |\n  one\n  two\n",
        );
    }

    #[test]
    fn texts_that_yaml_would_read_otherwise_are_quoted() {
        for text in [
            "yes",
            "No",
            "~",
            "1",
            "1.5",
            "0x1f",
            "1_000",
            "12:30",
            "2024-05-01",
            ".5",
            "1e3",
            "null",
            "=",
            "+1",
        ] {
            assert_eq!(yaml_text(text), format!("\"{text}\""));
        }
        for text in ["10.1.0.1/32", "1.2.3", "http://a:1/", "a-b", "-x", "infinity", "80/tcp", "yess"] {
            assert_eq!(yaml_text(text), text);
        }
        for text in ["- x", "{a", "a: b", "a #b", "@x", "x:", " x"] {
            assert_eq!(yaml_text(text), format!("'{text}'"));
        }
    }

    #[test]
    fn quoted_yaml_is_read_back_as_it_was() {
        for text in
            ["yes", "a: b", "it's", "'", "a\tb", "one\n\ntwo", "one\n", "\n", " lead\nx", "# no", "é<&>"]
        {
            let value = json!({"key": text, "list": [text]});
            let yaml = print(&value, Format::Yaml);
            let read: Value = serde_yaml::from_str(&yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
            assert_eq!(read, value, "{yaml}");
        }
    }
}
