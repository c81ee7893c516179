//! YAML from outside: counted before it is built.
//!
//! A few kilobytes of YAML with aliases can stand for gigabytes.  So a first pass only counts what the
//! text stands for and stops early; what it passes is built in a second one.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// How long the text may be.
pub const BYTES_MAX: usize = 512 * 1024;

/// How many values it may stand for, aliases followed.
pub const VALUES_MAX: usize = 100_000;

/// Why a text is not YAML that we take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum YamlError {
    /// It is longer than [`BYTES_MAX`].
    #[error("{bytes} bytes are too many, expected at most {BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is no YAML, stands for too much, or has a key twice.
    #[error("not valid YAML: {0}")]
    Syntax(String),
}

/// Reads one document of YAML as the value that JSON would have; a text without content is null.
///
/// Merge keys (`<<`) are applied, as Prometheus does.
///
/// # Errors
///
/// [`YamlError`]: beyond the limits, not valid, a key twice in a map, a key that is no text, a tag.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    // What some editors put before the first character.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > BYTES_MAX {
        return Err(YamlError::TooLong { bytes: text.len() });
    }
    let is_content = |line: &str| !line.is_empty() && !line.starts_with('#') && line != "---";
    if !text.lines().any(|line| is_content(line.trim())) {
        return Ok(Value::Null);
    }
    let wrong = |error: serde_yaml::Error| YamlError::Syntax(one_line(&error.to_string()));
    let values = Cell::new(0);
    Count(&values).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(wrong)?;
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).map_err(wrong)?;
    value.apply_merge().map_err(wrong)?;
    serde_yaml::from_value(value).map_err(wrong)
}

/// Messages end up in a status, which is one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Counts the values that a text stands for, and keeps none of them.
#[derive(Clone, Copy)]
struct Count<'a>(&'a Cell<usize>);

impl Count<'_> {
    fn one<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.set(self.0.get() + 1);
        if self.0.get() > VALUES_MAX {
            return Err(E::custom(format_args!("more than {VALUES_MAX} values, aliases followed")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has, too")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.one()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.one()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.one()
    }

    fn visit_f64<E: serde::de::Error>(self, float: f64) -> Result<(), E> {
        if float.is_finite() { self.one() } else { Err(E::custom("a number that is not finite")) }
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.one()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.one()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.one()?;
        while elements.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.one()?;
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!("key `{key}` is there twice")));
            }
            keys.insert(key);
            entries.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merge_keys_are_applied() {
        let text = "- &base {job_name: a, scheme: https}\n- {<<: *base, job_name: b}\n";
        let expected = json!([{"job_name": "a", "scheme": "https"}, {"job_name": "b", "scheme": "https"}]);
        assert_eq!(parse(text).expect("YAML"), expected);
    }

    #[test]
    fn what_aliases_stand_for_is_counted() {
        let list = vec!["x"; 1000].join(", ");
        let text = format!("a: &a [{list}]\nb: [{}]\n", vec!["*a"; 1000].join(", "));
        assert!(text.len() < 10_000);
        let error = parse(&text).expect_err("a million values").to_string();
        assert!(error.starts_with("not valid YAML: "), "{error}");
        assert!(error.contains("more than 100000 values, aliases followed"), "{error}");
        let laughs: String = (0..9).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            text + &format!("a{}: &a{} [{}]\n", n + 1, n + 1, vec![format!("*a{n}"); 9].join(", "))
        });
        assert!(parse(&laughs).is_err());
    }

    #[test]
    fn wrong_yaml_is_told_in_one_line() {
        for (text, part) in [
            ("- a: [", "line"),
            ("a: 1\na: 2", "key `a` is there twice"),
            ("a: !secret x", "not valid YAML"),
            ("a: .nan", "not finite"),
            ("{1: x}", "not valid YAML"),
            ("a\n---\nb", "not valid YAML"),
            ("\u{0}", "not valid YAML"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(part) && !error.contains('\n'), "`{text}`: {error}");
        }
        let error = parse(&" ".repeat(BYTES_MAX + 1)).expect_err("too long").to_string();
        assert_eq!(error, format!("{} bytes are too many, expected at most {BYTES_MAX}", BYTES_MAX + 1));
    }
}
