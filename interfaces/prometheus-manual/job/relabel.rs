//! Rules that rewrite labels: `relabel_configs` and `metric_relabel_configs`.
//!
//! Regular expressions are not looked into: only Go can tell whether they compile.  The side that
//! has a Prometheus has promtool to ask.
//!
//! # Source
//!
//! `Config` in `model/relabel/relabel.go` of Prometheus 2.42 and 3.14.  Where they differ, the stricter
//! one counts.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::place::Place;
use super::problem::JobProblem;
use super::value::{
    Fields, accept, as_count, as_map, as_text, check_fields, count, filled, given, items, text,
};

const FIELDS: Fields = &[
    ("source_labels", |place, value| items(place, value, "a list of label names", label_name)),
    ("separator", text),
    ("regex", text),
    ("modulus", count),
    ("target_label", text),
    ("replacement", text),
    ("action", text),
];

/// Checks a list of rules.
pub(super) fn rules(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    items(place, value, "a list of rules", |place, value| {
        let rule = as_map(place, value, "a rule, for example with `target_label`")?;
        // Elsewhere a null is a field not given.  In a rule Prometheus reads it as the empty text, which
        // here means something else than the default.
        if let Some(name) =
            FIELDS.iter().map(|(name, _)| *name).find(|name| rule.get(*name) == Some(&Value::Null))
        {
            return Err(JobProblem::value(&place.key(name), &Value::Null, "a value, or no such key"));
        }
        check_fields(place, rule, &[FIELDS])?;
        check_rule(place, rule)
    })
}

/// Whether a rule may turn addresses that Prometheus could not use into others that it can.
pub(super) fn may_rewrite_addresses(job: &Map<String, Value>) -> bool {
    let rules = given(job, "relabel_configs").and_then(Value::as_array);
    rules.into_iter().flatten().filter_map(Value::as_object).any(|rule| match &*action(rule) {
        "labelmap" => {
            filled(rule, "replacement").is_some_and(|name| name == "__address__" || name.contains('$'))
        }
        // These write nothing, or write what no address is.
        "keep" | "drop" | "keepequal" | "dropequal" | "labeldrop" | "labelkeep" | "hashmod" => false,
        _ => filled(rule, "target_label").is_some_and(|name| name == "__address__" || name.contains('$')),
    })
}

/// A name that a label may have in every Prometheus: letters, digits and underscores.
pub(super) fn is_label_name(text: &str) -> bool {
    is_word(text) && !text.starts_with(|c: char| c.is_ascii_digit())
}

fn label_name(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let is_right = as_text(value).is_some_and(|text| is_label_name(&text));
    accept(is_right, place, value, "a label name: letters, digits and `_`")
}

/// The action of a rule in small letters, as Prometheus compares it.
fn action(rule: &Map<String, Value>) -> Cow<'_, str> {
    let text = given(rule, "action").and_then(as_text).unwrap_or(Cow::Borrowed("replace"));
    Cow::Owned(text.to_lowercase())
}

fn check_rule(place: &Place<'_>, rule: &Map<String, Value>) -> Result<(), JobProblem> {
    let action = action(rule);
    match &*action {
        "replace" => {
            let target = required(place, rule, "target_label", "the label to write")?;
            let expected = "a label name, or a template of one";
            accept(is_label_template(&target), &place.key("target_label"), &rule["target_label"], expected)
        }
        "lowercase" | "uppercase" => {
            check_target(place, rule)?;
            only_default(place, rule, "replacement", "$1")
        }
        "keepequal" | "dropequal" => {
            check_target(place, rule)?;
            // Not even the default: Prometheus compares compiled expressions by their address.
            if let Some(value) = given(rule, "regex") {
                return Err(JobProblem::value(
                    &place.key("regex"),
                    value,
                    "no such field beside this action",
                ));
            }
            only_default(place, rule, "separator", ";")?;
            only_default(place, rule, "replacement", "$1")?;
            no_modulus(place, rule)
        }
        "hashmod" => {
            check_target(place, rule)?;
            let expected = "a whole number above zero";
            match given(rule, "modulus") {
                None => Err(JobProblem::missing(&place.key("modulus"), expected)),
                Some(value) => accept(as_count(value) != Some(0), &place.key("modulus"), value, expected),
            }
        }
        "labelmap" => match given(rule, "replacement") {
            None => Ok(()),
            Some(value) => {
                let is_right = as_text(value).is_some_and(|text| is_label_template(&text));
                accept(is_right, &place.key("replacement"), value, "a label name, or a template of one")
            }
        },
        "labeldrop" | "labelkeep" => {
            // Without one it means all labels, the address among them.
            required(place, rule, "regex", "the labels that are meant")?;
            for name in ["source_labels", "target_label"] {
                if let Some(value) = given(rule, name) {
                    return Err(JobProblem::value(
                        &place.key(name),
                        value,
                        "only `regex` beside this action",
                    ));
                }
            }
            only_default(place, rule, "separator", ";")?;
            only_default(place, rule, "replacement", "$1")?;
            no_modulus(place, rule)
        }
        "keep" | "drop" => Ok(()),
        _ => {
            let value = rule.get("action").expect("without one it is `replace`");
            Err(JobProblem::value(&place.key("action"), value, "an action, for example `replace` or `keep`"))
        }
    }
}

fn required<'a>(
    place: &Place<'_>,
    rule: &'a Map<String, Value>,
    name: &'static str,
    expected: &'static str,
) -> Result<Cow<'a, str>, JobProblem> {
    filled(rule, name).ok_or_else(|| JobProblem::missing(&place.key(name), expected))
}

fn check_target(place: &Place<'_>, rule: &Map<String, Value>) -> Result<(), JobProblem> {
    required(place, rule, "target_label", "the label to write or to compare with")?;
    label_name(&place.key("target_label"), &rule["target_label"])
}

/// Refuses a field that this action does not take; saying the default is not saying anything.
fn only_default(
    place: &Place<'_>,
    rule: &Map<String, Value>,
    name: &'static str,
    default: &str,
) -> Result<(), JobProblem> {
    match given(rule, name) {
        Some(value) if as_text(value).is_none_or(|text| text != default) => {
            Err(JobProblem::value(&place.key(name), value, "no such field beside this action"))
        }
        _ => Ok(()),
    }
}

fn no_modulus(place: &Place<'_>, rule: &Map<String, Value>) -> Result<(), JobProblem> {
    match given(rule, "modulus") {
        Some(value) if as_count(value) != Some(0) => {
            Err(JobProblem::value(&place.key("modulus"), value, "no such field beside this action"))
        }
        _ => Ok(()),
    }
}

/// A label name in which `$1`, `$name` or `${name}` may stand for letters.
fn is_label_template(text: &str) -> bool {
    let mut parts = text.split('$');
    let start = parts.next().unwrap_or_default();
    let mut has_variable = false;
    let has_whole_variables = parts.all(|part| {
        has_variable = true;
        match part.strip_prefix('{') {
            Some(braced) => braced.split_once('}').is_some_and(|(name, rest)| {
                !name.is_empty() && is_word(name) && (rest.is_empty() || is_word(rest))
            }),
            None => is_word(part),
        }
    });
    let is_start = if start.is_empty() { has_variable } else { is_label_name(start) };
    is_start && has_whole_variables
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_template_is_a_name_with_variables() {
        for text in ["a", "_", "a1", "$1", "${1}", "a_$1_b", "a${x}b", "$a$b", "a1$1", "${1}2", "__address__"]
        {
            assert!(is_label_template(text), "`{text}`");
        }
        for text in ["", "1", "1$1", "$", "a$", "${}", "${1", "$-", "a-b", "a b", "é", "$$1", "${a-b}", "a}"]
        {
            assert!(!is_label_template(text), "`{text}`");
        }
    }
}
