//! One item of `steps`: what happens, or what is expected then.

use std::fmt;

use charms_reactive_sim::Step;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer as _, MapAccess, Visitor,
};

use crate::simulate::expect::Expectation;

/// One item of `steps`.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Entry {
    pub(in crate::simulate) what: What,
    /// The line it begins in, counted from 1.
    pub(in crate::simulate) line: Option<usize>,
}

#[derive(Clone, Debug)]
pub(in crate::simulate) enum What {
    Step(Step),
    Expect(Box<Expectation>),
}

impl Entry {
    pub(in crate::simulate) fn step(step: Step) -> Self {
        Self { what: What::Step(step), line: None }
    }

    pub(in crate::simulate) fn expect(expectation: Expectation) -> Self {
        Self { what: What::Expect(Box::new(expectation)), line: None }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Step(step) => write!(f, "{step}"),
            What::Expect(expectation) => write!(f, "expect: {}", expectation.subject()),
        }
    }
}

impl Entry {
    /// The entry as a scenario has it, with the end of its last line.
    pub(super) fn yaml(&self) -> String {
        let expectation = match &self.what {
            What::Step(step) => return format!("- {step}\n"),
            What::Expect(expectation) => expectation,
        };
        let text = serde_yaml::to_string(expectation).expect("plain texts and maps are YAML");
        let lines = text.lines().map(|line| format!("    {line}\n"));
        std::iter::once("- expect:\n".to_owned()).chain(lines).collect()
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a step, for example `settle` or `add-unit: web`")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Entry, E> {
        let step: StrDeserializer<'_, E> = name.into_deserializer();
        Step::deserialize(step).map(Entry::step)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        if name != "expect" {
            let map = Begun { name: Some(name), map };
            return Step::deserialize(MapAccessDeserializer::new(map)).map(Entry::step);
        }
        let expectation = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok(Entry::expect(expectation)),
            Some(_) => Err(A::Error::invalid_length(2, &self)),
        }
    }
}

/// A map of which the first key was read already.
struct Begun<A> {
    name: Option<String>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Begun<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.name.take() {
            Some(name) => seed.deserialize(name.into_deserializer()).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Notes in which line each entry begins, where each begins a line.
pub(super) fn number(entries: &mut [Entry], text: &str) {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    if lines.find(|(_, line)| line.trim_end() == "steps:").is_none() {
        return;
    }
    let mut indent = None;
    let mut found = Vec::new();
    for (number, line) in lines {
        let own = line.len() - line.trim_start().len();
        if line.trim_start().starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if line[own..].starts_with("- ") {
            if *indent.get_or_insert(own) == own {
                found.push(number);
            }
        } else if own == 0 {
            break;
        }
    }
    // Where the file is laid out in a way we do not see through, no line is better than a wrong one.
    if found.len() == entries.len() {
        for (entry, line) in entries.iter_mut().zip(found) {
            entry.line = Some(line);
        }
    }
}
