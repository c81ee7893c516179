//! One side's data of a relation, and the difference of two such databags.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

/// The data of one side of a relation: of a unit, or of an application.
///
/// # Invariants
///
/// No value is empty: for Juju, setting a key to the empty text removes it.
///
/// # Source
///
/// `J/relation-set.go` of Juju: an empty value deletes the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Databag(BTreeMap<String, String>);

impl Databag {
    /// A databag without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Puts `value` under `key`; an empty value removes the key.  Tells whether that changed anything.
    pub fn set(&mut self, key: &str, value: &str) -> bool {
        if value.is_empty() {
            return self.0.remove(key).is_some();
        }
        match self.0.entry(key.to_owned()) {
            Entry::Occupied(entry) if entry.get() == value => false,
            Entry::Occupied(mut entry) => {
                entry.insert(value.to_owned());
                true
            }
            Entry::Vacant(entry) => {
                entry.insert(value.to_owned());
                true
            }
        }
    }

    /// Keys and texts, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has to be written to turn `self` into `wanted`: the value of each key that is new or
    /// other, and the empty text for each key that went.
    pub fn changes_to(&self, wanted: &Databag) -> BTreeMap<String, String> {
        let gone =
            self.0.keys().filter(|key| !wanted.0.contains_key(*key)).map(|key| (key.clone(), String::new()));
        let written = wanted.0.iter().filter(|(key, value)| self.0.get(*key) != Some(*value));
        gone.chain(written.map(|(key, value)| (key.clone(), value.clone()))).collect()
    }
}

impl From<BTreeMap<String, String>> for Databag {
    fn from(mut map: BTreeMap<String, String>) -> Self {
        map.retain(|_, value| !value.is_empty());
        Self(map)
    }
}

impl From<Databag> for BTreeMap<String, String> {
    fn from(databag: Databag) -> Self {
        databag.0
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Databag {
    fn from(pairs: [(&str, &str); N]) -> Self {
        BTreeMap::from(pairs.map(|(key, value)| (key.to_owned(), value.to_owned()))).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_the_same_text_again_is_no_change() {
        let mut databag = Databag::from([("a", "1")]);
        assert!(!databag.set("a", "1"));
        assert!(databag.set("a", "2"));
        assert!(databag.set("a", ""));
        assert!(!databag.set("a", ""));
        assert!(databag.is_empty());
    }

    #[test]
    fn the_difference_writes_only_what_differs() {
        let old = Databag::from([("gone", "1"), ("kept", "2"), ("other", "3")]);
        let new = Databag::from([("kept", "2"), ("new", "5"), ("other", "4")]);
        let changes: Vec<_> = old.changes_to(&new).into_iter().collect();
        let expected = [("gone", ""), ("new", "5"), ("other", "4")];
        assert_eq!(changes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(new.changes_to(&new).is_empty());
    }
}
