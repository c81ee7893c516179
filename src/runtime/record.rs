//! What the unit state remembers of one relation between dispatches.

use std::collections::BTreeMap;
use std::fmt;

use charms_reactive_core::digest::digest;
use charms_reactive_core::{ApplicationName, Databag, UnitName};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// How many departed units of one relation are kept; the oldest go first.
pub const DEPARTED_UNITS_MAX: usize = 100;

/// How many bytes of last data are kept for one departed unit; beyond, only its name is.
pub const DEPARTED_BYTES_MAX: usize = 16 * 1024;

/// How long the record of one relation may become.
pub const RECORD_BYTES_MAX: usize = 8 * PART_BYTES_MAX;

/// How long all records of a unit may become together.  Juju takes 2 MiB of state in all.
pub const RECORDS_BYTES_MAX: usize = 1024 * 1024;

/// How long one value may become.  Juju takes 65,536 bytes.
pub(crate) const PART_BYTES_MAX: usize = 60_000;

/// A text in parts that Juju takes.
pub(crate) fn in_parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(rest.floor_char_boundary(PART_BYTES_MAX));
        parts.push(part.to_owned());
        rest = behind;
    }
    parts
}

/// What is remembered of one key of a databag: whether it changed can be told, its text cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Fact {
    /// The digest of the text.
    Plain(String),
    /// The digest, and what the interface noted of the text.
    Noted(String, String),
}

/// What a derived one would read, without a copy of every value on the way: a unit with many neighbours
/// reads thousands of facts in each dispatch.
impl<'de> Deserialize<'de> for Fact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FactVisitor;

        impl<'de> Visitor<'de> for FactVisitor {
            type Value = Fact;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest, or a list of a digest and a note")
            }

            fn visit_str<E>(self, digest: &str) -> Result<Fact, E> {
                Ok(Fact::Plain(digest.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Fact, A::Error> {
                let missing = |found| de::Error::invalid_length(found, &self);
                let digest = list.next_element()?.ok_or_else(|| missing(0))?;
                let note = list.next_element()?.ok_or_else(|| missing(1))?;
                Ok(Fact::Noted(digest, note))
            }
        }

        deserializer.deserialize_any(FactVisitor)
    }
}

impl Fact {
    pub(crate) fn new(text: &str, note: Option<String>) -> Self {
        match note {
            None => Self::Plain(digest(text)),
            Some(note) => Self::Noted(digest(text), note),
        }
    }

    pub(crate) fn digest(&self) -> &str {
        match self {
            Self::Plain(digest) | Self::Noted(digest, _) => digest,
        }
    }

    pub(crate) fn note(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Noted(_, note) => Some(note),
        }
    }
}

/// The facts of one databag, by key.
pub(crate) type Facts = BTreeMap<String, Fact>;

/// The facts of `databag`; `note` tells what to remember of a key's text besides its digest.
pub(crate) fn facts_of(databag: &Databag, note: impl Fn(&str, &str) -> Option<String>) -> Facts {
    databag.iter().map(|(key, text)| (key.to_owned(), Fact::new(text, note(key, text)))).collect()
}

/// The keys that are new, other, or gone.
pub(crate) fn changed_keys(old: &Facts, new: &Facts) -> Vec<String> {
    let is_other = |key: &String| old.get(key).map(Fact::digest) != new.get(key).map(Fact::digest);
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    new.keys().chain(gone).filter(|key| is_other(key)).cloned().collect()
}

/// A unit that left, and the last that was known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Departed {
    pub(crate) unit: UnitName,
    #[serde(default, skip_serializing_if = "Databag::is_empty")]
    pub(crate) data: Databag,
}

/// What the unit state remembers of one relation.
///
/// # Shape
///
/// One key of the unit state, `relation/<relation id>`, JSON; what is beyond [`PART_BYTES_MAX`] goes on in
/// `relation/<relation id>/1`, and so on:
///
/// ```json
/// {"application":"prometheus",
///  "members":{"prometheus/0":{"ingress-address":"5f0c1a2b3c4d","response_3f2a":["0a1b2c3d4e5f","ok"]}},
///  "own":{"request_3f2a":"99aa88bb77cc"},
///  "departed":[{"unit":"prometheus/1","data":{"ingress-address":"10.0.0.7"}}]}
/// ```
///
/// # Invariants
///
/// Never longer than [`RECORD_BYTES_MAX`], whatever the other side writes.  Forgotten are, in this
/// order: the facts of units (what is not known counts as changed when it is seen again), what this
/// unit published (it is read again), departed units, and last the names of members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RelationRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) application: Option<ApplicationName>,
    /// The remote units; `None` for one whose facts are not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) members: BTreeMap<UnitName, Option<Facts>>,
    /// The facts of the remote application's databag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) remote: Facts,
    /// The facts of what this unit published, as far as requests and responses need them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) own: Facts,
    /// What this unit published was forgotten: it has to be read again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_own_forgotten: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) departed: Vec<Departed>,
    /// Every unit of the other side read secrets when our requests were published.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) are_secrets_taken: bool,
    /// The relation is gone; only its departed units are still of interest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) broken: bool,
}

impl RelationRecord {
    /// Reads a record.  One that cannot be read is as good as none: everything in it can be seen again.
    pub(crate) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| {
            log::warn!("cannot read what was remembered of a relation, starting anew: {error}");
            Self::default()
        })
    }

    /// Notes that `unit` left with this last data.
    pub(crate) fn depart(&mut self, unit: UnitName, mut data: Databag) {
        if data.iter().map(|(key, text)| key.len() + text.len()).sum::<usize>() > DEPARTED_BYTES_MAX {
            log::warn!("the last data of `{unit}` has over {DEPARTED_BYTES_MAX} bytes and is not kept");
            data = Databag::new();
        }
        self.members.remove(&unit);
        self.departed.push(Departed { unit, data });
        if self.departed.len() > DEPARTED_UNITS_MAX {
            self.departed.remove(0);
        }
    }

    /// Whether nothing in it is worth keeping.
    pub(crate) fn is_spent(&self) -> bool {
        self.broken && self.departed.is_empty()
    }

    /// The record as texts to be put together again, one of `count` records, forgetting what does not fit.
    pub(crate) fn into_parts(self, count: usize) -> Vec<String> {
        let text = self.into_text(RECORD_BYTES_MAX.min(RECORDS_BYTES_MAX / count.max(1)));
        in_parts(&text)
    }

    /// The record as text, forgetting what does not fit.
    fn into_text(mut self, bytes_max: usize) -> String {
        loop {
            let text = serde_json::to_string(&self).expect("a record is JSON");
            let excess = text.len().saturating_sub(bytes_max);
            if excess == 0 {
                return text;
            }
            self.forget(excess);
        }
    }

    /// Forgets at least `bytes` bytes, or the next kind of thing whole.
    fn forget(&mut self, bytes: usize) {
        let mut left = bytes;
        for facts in self.members.values_mut().rev() {
            if let Some(known) = facts.take() {
                left = left.saturating_sub(known.keys().map(|key| key.len() + 15).sum());
            }
            if left == 0 {
                return;
            }
        }
        if !self.own.is_empty() {
            self.own.clear();
            self.is_own_forgotten = true;
        } else if !self.departed.is_empty() {
            self.departed.drain(..self.departed.len().div_ceil(2));
        } else if !self.remote.is_empty() {
            self.remote.clear();
        } else {
            let kept = self.members.len() / 2;
            self.members = std::mem::take(&mut self.members).into_iter().take(kept).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(number: u32) -> UnitName {
        UnitName::parse(&format!("web/{number}")).expect("a valid name")
    }

    #[test]
    fn a_key_that_is_new_or_other_or_gone_has_changed() {
        let facts = |pairs: &[(&str, &str)]| -> Facts {
            pairs.iter().map(|(key, text)| ((*key).to_owned(), Fact::new(text, None))).collect()
        };
        let old = facts(&[("gone", "1"), ("kept", "2"), ("other", "3")]);
        let new = facts(&[("kept", "2"), ("new", "5"), ("other", "4")]);
        assert_eq!(changed_keys(&old, &new), ["new", "other", "gone"]);
        assert!(changed_keys(&new, &new).is_empty());
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let mut record = RelationRecord::default();
        let databag = Databag::from([("a", "1"), ("b", "2")]);
        let facts = facts_of(&databag, |key, _| (key == "b").then(|| "noted".to_owned()));
        record.members.insert(unit(10), Some(facts));
        record.members.insert(unit(2), None);
        record.depart(unit(3), databag);
        let text = record.clone().into_parts(1).concat();
        assert_eq!(RelationRecord::parse(&text), record);
        // As recorded by version 0.1.0: a change of the form must still read this.
        assert_eq!(
            text,
            r#"{"members":{"web/2":null,"web/10":{"a":"ac4c8601359f","b":["af4c86010f76","noted"]}},"departed":[{"unit":"web/3","data":{"a":"1","b":"2"}}]}"#
        );
    }

    #[test]
    fn nothing_the_other_side_writes_makes_a_record_too_long() {
        let mut record = RelationRecord::default();
        let long = "k".repeat(500);
        for number in 0..5000 {
            let mut databag = Databag::new();
            for key in 0..20 {
                databag.set(&format!("{long}{key}"), "1");
            }
            record.members.insert(unit(number), Some(facts_of(&databag, |_, _| None)));
        }
        for number in 0..200 {
            record.depart(unit(number), Databag::from([("big", "x".repeat(10_000).as_str())]));
        }
        for count in [1, 100] {
            let parts = record.clone().into_parts(count);
            assert!(parts.iter().all(|part| part.len() <= PART_BYTES_MAX));
            let text = parts.concat();
            assert!(text.len() <= RECORD_BYTES_MAX.min(RECORDS_BYTES_MAX / count), "{} bytes", text.len());
            assert!(RelationRecord::parse(&text).members.len() > 100);
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_none() {
        for text in ["{", r#"{"own":{"a":1}}"#, r#"{"own":{"a":["only"]}}"#, r#"{"own":{"a":["x","y","z"]}}"#]
        {
            assert_eq!(RelationRecord::parse(text), RelationRecord::default(), "{text}");
        }
    }
}
