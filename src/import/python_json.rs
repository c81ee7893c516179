//! JSON as Python reads it, and writes it again: what its hashes are made of.
//!
//! Python takes more for JSON than others do: `NaN`, whole numbers of any size, halves of surrogate
//! pairs.  Nothing of that fits into [`serde_json::Value`], so texts are read here, straight into the
//! form in which they are written.
//!
//! # Source
//!
//! `JSONUnitDataView` of charms.reactive decodes each value, and takes it as it is where that fails;
//! `data_changed` hashes `json.dumps(value, sort_keys=True)`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use charms_reactive_core::json;
use serde_json::Value;

/// How deep Python's reader goes: its recursion limit, less what a charm stands on.
const DEPTH_MAX: usize = 900;

/// How many digits of a whole number Python reads.
const DIGITS_MAX: usize = 4300;

/// The value of a databag's text, as Python writes it with sorted keys.
pub(crate) fn canonical(text: &str) -> String {
    decoded(text).unwrap_or_else(|| json::to_text(&Value::String(text.to_owned())))
}

/// The text read as JSON, and written again; None for what is none, and for an empty text.
fn decoded(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.skip_space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes `word` from the beginning of the rest.
    fn takes(&mut self, word: &str) -> bool {
        self.rest.strip_prefix(word).map(|rest| self.rest = rest).is_some()
    }

    /// One value, written again.
    fn value(&mut self) -> Option<String> {
        self.skip_space();
        for word in ["null", "true", "false", "NaN", "Infinity", "-Infinity"] {
            if self.takes(word) {
                return Some(word.to_owned());
            }
        }
        match self.rest.chars().next()? {
            '"' => Some(written(&self.string()?)),
            '[' => self.deeper(Self::list),
            '{' => self.deeper(Self::map),
            _ => self.number(),
        }
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Option<String>) -> Option<String> {
        self.depth += 1;
        let value = (self.depth <= DEPTH_MAX).then(|| read(self)).flatten();
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Option<String> {
        self.takes("[");
        let mut elements = Vec::new();
        self.skip_space();
        if self.takes("]") {
            return Some("[]".to_owned());
        }
        loop {
            elements.push(self.value()?);
            self.skip_space();
            if self.takes("]") {
                return Some(format!("[{}]", elements.join(", ")));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn map(&mut self) -> Option<String> {
        self.takes("{");
        // Of two equal keys the last counts.
        let mut entries: BTreeMap<Vec<u32>, String> = BTreeMap::new();
        self.skip_space();
        if !self.takes("}") {
            loop {
                self.skip_space();
                let key = self.string()?;
                self.skip_space();
                self.takes(":").then_some(())?;
                entries.insert(key, self.value()?);
                self.skip_space();
                if self.takes("}") {
                    break;
                }
                self.takes(",").then_some(())?;
            }
        }
        let entries: Vec<String> =
            entries.into_iter().map(|(key, value)| format!("{}: {value}", written(&key))).collect();
        Some(format!("{{{}}}", entries.join(", ")))
    }

    /// A string as code points, halves of surrogate pairs among them.
    fn string(&mut self) -> Option<Vec<u32>> {
        self.takes("\"").then_some(())?;
        let mut points: Vec<u32> = Vec::new();
        loop {
            let character = self.rest.chars().next()?;
            self.rest = &self.rest[character.len_utf8()..];
            match character {
                '"' => return Some(points),
                '\\' => {
                    let point = self.escaped()?;
                    join_pair(&mut points, point);
                }
                '\0'..='\x1f' => return None,
                other => points.push(other.into()),
            }
        }
    }

    fn escaped(&mut self) -> Option<u32> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(match character {
            '"' | '\\' | '/' => character.into(),
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let digits =
                    self.rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
                self.rest = &self.rest[4..];
                u32::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<String> {
        let end = self.rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        // Its form is that of JSON; its size need not be.
        let is_number = serde_json::from_str::<serde_json::Number>(text).is_ok() || is_large(text);
        if !is_number {
            return None;
        }
        self.rest = rest;
        if text.contains(['.', 'e', 'E']) {
            let number: f64 = text.parse().ok()?;
            return Some(if number.is_infinite() {
                if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
            } else {
                json::to_text(&Value::from(number))
            });
        }
        let digits = text.trim_start_matches('-');
        (digits.len() <= DIGITS_MAX).then(|| if text == "-0" { "0".to_owned() } else { text.to_owned() })
    }
}

/// Whether a text is a number of JSON that is too large for others.
fn is_large(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    is_digits(whole) && (whole == "0" || !whole.starts_with('0')) && is_digits(part) && is_digits(exponent)
}

/// Adds a code point that was escaped; two halves of a pair are one.
fn join_pair(points: &mut Vec<u32>, point: u32) {
    match points.last_mut() {
        Some(high) if (0xd800..0xdc00).contains(high) && (0xdc00..0xe000).contains(&point) => {
            *high = 0x1_0000 + ((*high - 0xd800) << 10) + (point - 0xdc00);
        }
        _ => points.push(point),
    }
}

/// A string as Python writes it: ASCII alone.
fn written(points: &[u32]) -> String {
    let mut text = String::from("\"");
    for point in points {
        match char::from_u32(*point) {
            Some(character) => {
                let quoted = json::to_text(&Value::String(character.to_string()));
                text.push_str(&quoted[1..quoted.len() - 1]);
            }
            None => {
                let _ = write!(text, "\\u{point:04x}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::md5;

    #[test]
    fn hashes_are_those_that_python_left() {
        // As charms.reactive 1.5.3 left them in a state file.
        for (raw, form, hash) in [
            ("1", "1", "c4ca4238a0b923820dcc509a6f75849b"),
            ("1.10", "1.1", "777d45bbbcdf50d49c42c70ad7acf5fe"),
            ("1e5", "100000.0", "b72a0cf61ebf620d460da6e42fcec084"),
            ("1e16", "1e+16", "17ad58a7ab5201decb18b0996a327592"),
            ("0.0000001", "1e-07", "463d2cea642f243feede99a193027ce8"),
            ("-0", "0", "cfcd208495d565ef66e7dff9f98764da"),
            ("-0.0", "-0.0", "e80c77464a0cfaf2c46a5574f6bc76b9"),
            ("1e400", "Infinity", "eb2ac5b04180d8d6011a016aeb8f75b3"),
            ("NaN", "NaN", "7ecfb3bf076a6a9635f975fe96ac97fd"),
            ("true", "true", "b326b5062b2f0e69046810717534cb09"),
            ("null", "null", "37a6259cc0c1dae299a7866489dff0bd"),
            ("", "\"\"", "9d4568c009d203ab10e33ea9953a0264"),
            ("hello", "\"hello\"", "5deaee1c1332199e5b5bc7c5e4f7f0c2"),
            ("\"q\"", "\"q\"", "536adf906b7d38aea1c3a5709e44e565"),
            ("007", "\"007\"", "5cd9a872f49ff521422c522e5cd4d8ab"),
            ("  7 ", "7", "8f14e45fceea167a5a36dedd4bea2543"),
            ("1.10.2", "\"1.10.2\"", "76f6f37228eac2e50fd093d0d182be70"),
            ("[1, 2]", "[1, 2]", "04cd0e0151f352e7fd414d694a604136"),
            ("{\"b\":1,\"a\":2}", "{\"a\": 2, \"b\": 1}", "5e4d14d82c320bafb2f1286fe486d1f8"),
            ("é", "\"\\u00e9\"", "d1aad59345f1f37ecc833dabc76ec5ef"),
            ("\"\\u00e9\"", "\"\\u00e9\"", "d1aad59345f1f37ecc833dabc76ec5ef"),
        ] {
            assert_eq!(canonical(raw), form, "`{raw}`");
            assert_eq!(md5::hex(form.as_bytes()), hash, "`{raw}`");
        }
    }

    #[test]
    fn what_is_no_json_for_python_is_a_text() {
        for raw in [
            "+1",
            ".5",
            "5.",
            "1_000",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{1: 2}",
            "\"a\nb\"",
            "\u{feff}1",
            "01",
            "-",
            "nul",
            "\"\\x\"",
            "1 2",
        ] {
            assert_eq!(canonical(raw), json::to_text(&Value::String(raw.to_owned())), "`{raw}`");
        }
        let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
        assert!(canonical(&deep).starts_with("\"[["));
    }

    #[test]
    fn what_only_python_reads_is_written_as_python_does() {
        for (raw, form) in [
            ("[ ]", "[]"),
            ("{ }", "{}"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("-Infinity", "-Infinity"),
            ("-1e400", "-Infinity"),
            ("[NaN, Infinity]", "[NaN, Infinity]"),
            ("{\"a\": 1, \"a\": 2}", "{\"a\": 2}"),
            ("\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""),
            ("\"\\ud83d\"", "\"\\ud83d\""),
            ("\"\\n\\u0007/\\/\u{7f}\"", "\"\\n\\u0007//\\u007f\""),
            ("{\"\\uffff\": 1, \"\u{10000}\": 2}", "{\"\\uffff\": 1, \"\\ud800\\udc00\": 2}"),
        ] {
            assert_eq!(canonical(raw), form, "`{raw}`");
        }
    }
}
