//! Values drawn from a description, and whether values are as it says.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charms_reactive_core::waiter::{Moment, parse_span};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::string::{RegexGeneratorStrategy, string_regex};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value};

/// Draws values from a description, from a seed.
pub(crate) struct Pencil {
    runner: TestRunner,
    forms: HashMap<String, RegexGeneratorStrategy<String>>,
    pub(crate) api: Value,
}

impl Pencil {
    pub(crate) fn new(seed: u8, api: Value) -> Self {
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let runner = TestRunner::new_with_rng(Config::default(), random);
        Self { runner, forms: HashMap::new(), api }
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (0..end).new_tree(&mut self.runner).expect("drawn").current()
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// A text of a form, of at most `max` bytes.
    pub(crate) fn form(&mut self, pattern: &str, max: usize) -> String {
        let form = self.forms.entry(pattern.to_owned()).or_insert_with(|| {
            let bare = pattern.trim_start_matches('^').trim_end_matches('$');
            string_regex(bare).expect("a pattern")
        });
        loop {
            let text = form.new_tree(&mut self.runner).expect("drawn").current();
            if text.len() <= max {
                return text;
            }
        }
    }

    pub(crate) fn text(&mut self, max: usize) -> String {
        let long = self.one_in(20);
        let text = self.form(if long { r"\PC{0,1000}" } else { r"\PC{0,12}" }, 10_000);
        text.chars()
            .scan(0, |bytes, letter| {
                *bytes += letter.len_utf8();
                (*bytes <= max).then_some(letter)
            })
            .collect()
    }

    /// A value that fits a schema.
    pub(crate) fn value(&mut self, schema: &Value) -> Value {
        let schema = resolved(&self.api, schema);
        let max = schema["maxLength"].as_u64().map_or(10_000, |max| usize::try_from(max).expect("small"));
        if let Some(choices) = schema["enum"].as_array() {
            return self.one_of(choices).clone();
        }
        match schema["type"].as_str().expect("a type") {
            "boolean" => self.one_in(2).into(),
            "integer" => {
                let most = schema["maximum"].as_u64().expect("a maximum");
                let least = schema["minimum"].as_u64().unwrap_or(0);
                let choices = [0, 1, 2, 3, 1000, most].map(|number| number.clamp(least, most));
                (*self.one_of(&choices)).into()
            }
            "number" => (*self.one_of(&[0.0, 0.01, 0.5, 3.0])).into(),
            "array" => {
                let count = self.below(3);
                (0..count).map(|_| self.value(&schema["items"])).collect()
            }
            "object" => self.object(&schema),
            _ if schema["format"] == "date-time" => {
                let nanoseconds = i128::try_from(self.below(usize::MAX)).expect("small");
                Moment::from_nanoseconds(nanoseconds).expect("a moment").to_string().into()
            }
            _ if schema["contentEncoding"] == "base64" => STANDARD.encode(self.text(100)).into(),
            _ => match schema["pattern"].as_str() {
                Some(pattern) if pattern.ends_with("s$") => loop {
                    // A span is longer than nothing.
                    let span = self.form(pattern, max);
                    if parse_span(&span).is_ok() {
                        return span.into();
                    }
                },
                Some(pattern) => self.form(pattern, max).into(),
                None => self.text(max).into(),
            },
        }
    }

    pub(crate) fn object(&mut self, schema: &Value) -> Value {
        let flat = Flat::of(&self.api, schema);
        let chosen = (!flat.one_of.is_empty()).then(|| self.one_of(&flat.one_of).clone());
        let mut object = Map::new();
        for (name, schema) in &flat.fields {
            let is_other = flat.one_of.contains(name) && chosen.as_ref() != Some(name);
            let is_needed = flat.required.contains(name) || chosen.as_ref() == Some(name);
            if !is_other && (is_needed || self.one_in(if schema["readOnly"] == true { 9 } else { 2 })) {
                object.insert(name.clone(), self.value(schema));
            }
        }
        object.into()
    }
}

/// An object's schema with all that it is made of.
#[derive(Default)]
pub(crate) struct Flat {
    pub(crate) fields: BTreeMap<String, Value>,
    pub(crate) required: Vec<String>,
    /// Exactly one of these.
    pub(crate) one_of: Vec<String>,
}

impl Flat {
    pub(crate) fn of(api: &Value, schema: &Value) -> Self {
        let schema = resolved(api, schema);
        let mut flat = Self::default();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = Self::of(api, part);
            flat.fields.extend(part.fields);
            flat.required.extend(part.required);
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            flat.fields.insert(name.clone(), field.clone());
        }
        flat.required.extend(texts(&schema["required"]));
        for choice in schema["oneOf"].as_array().into_iter().flatten() {
            flat.one_of.extend(texts(&choice["required"]));
        }
        flat
    }
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    value.as_array().map_or_else(
        || value.as_str().map(str::to_owned).into_iter().collect(),
        |list| list.iter().map(text_of).collect(),
    )
}

pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn resolved(api: &Value, schema: &Value) -> Value {
    let mut found = match schema["$ref"].as_str() {
        Some(path) => api.pointer(path.trim_start_matches('#')).expect("it is there").clone(),
        None => schema.clone(),
    };
    if found.get("type").is_none() {
        found["type"] = "object".into();
    }
    found
}

pub(crate) fn encoded(text: &str, has_slashes: bool) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte) || has_slashes && byte == b'/';
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Where a value does not fit its schema, and how.
pub(crate) fn misfits(api: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let schema = resolved(api, schema);
    let kinds = texts(&schema["type"]);
    if value.is_null() && kinds.iter().any(|kind| kind == "null") {
        return;
    }
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let choices: Vec<&Value> = choices.filter(|choice| choice.get("required").is_none()).collect();
    if !choices.is_empty() {
        let fits = |choice: &&Value| {
            let mut wrong = Vec::new();
            misfits(api, choice, value, place, &mut wrong);
            wrong.is_empty()
        };
        if !choices.iter().any(fits) {
            found.push(format!("{place}: is none of the choices, found {value}"));
        }
        return;
    }
    let mut wrong = |what: String| found.push(format!("{place}: {what}, found {value}"));
    if schema["enum"].as_array().is_some_and(|choices| !choices.contains(value)) {
        wrong("is none of the choices".to_owned());
    }
    match (kinds.first().expect("a type").as_str(), value) {
        ("object", Value::Object(object)) => {
            let flat = Flat::of(api, &schema);
            for name in flat.required.iter().filter(|name| !object.contains_key(*name)) {
                wrong(format!("has no `{name}`"));
            }
            let is_open = flat.fields.is_empty()
                && schema["additionalProperties"] != false
                && schema["allOf"].is_null();
            for (name, value) in object {
                match flat.fields.get(name) {
                    Some(schema) => misfits(api, schema, value, &format!("{place}.{name}"), found),
                    None if is_open => {}
                    None => found.push(format!("{place}: has `{name}`, which is not described")),
                }
            }
        }
        ("array", Value::Array(values)) => {
            for value in values {
                misfits(api, &schema["items"], value, &format!("{place}[]"), found);
            }
        }
        ("string", Value::String(text)) => {
            if schema["maxLength"]
                .as_u64()
                .is_some_and(|max| text.len() > usize::try_from(max).expect("small"))
            {
                wrong("is too long".to_owned());
            }
            if schema["format"] == "date-time" && Moment::parse(text).is_err() {
                wrong("is no moment".to_owned());
            }
            if schema["contentEncoding"] == "base64" && STANDARD.decode(text).is_err() {
                wrong("is no base64".to_owned());
            }
            if schema["pattern"].as_str().is_some_and(|form| form.ends_with("s$"))
                && parse_span(text).is_err()
            {
                wrong("is no span".to_owned());
            }
        }
        ("integer", Value::Number(number)) => {
            let bound = |key: &str| schema[key].as_i64();
            let number = number.as_i64();
            let is_fine = number.is_some_and(|number| {
                bound("minimum").is_none_or(|min| number >= min)
                    && bound("maximum").is_none_or(|max| number <= max)
            });
            if !is_fine {
                wrong("is out of bounds".to_owned());
            }
        }
        ("boolean", Value::Bool(_)) => {}
        (kind, _) => wrong(format!("is no {kind}")),
    }
}
