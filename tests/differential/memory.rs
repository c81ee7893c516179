//! What each twin in one unit has seen so far: from it follows what has changed for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compare::{Dispatch, ENDPOINTS, entry};
use crate::difference::Difference;

type Texts = BTreeMap<String, String>;

/// What is known of both twins in one unit, after their last dispatch that was kept.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) python_flags: BTreeSet<String>,
    pub(crate) rust_flags: BTreeSet<String>,
    /// Keys of databags that differ between the sides, by relation, whose databag, and name.
    pub(crate) apart: BTreeMap<(u32, usize, String), Difference>,
    /// Python: the last text by relation, unit and key; for ever.
    hashes: BTreeMap<(String, String, String), String>,
    /// Rust: the last databag by relation and unit.
    facts: BTreeMap<(String, String), Texts>,
    /// Rust: the last databag of the other application, by relation.
    remote: BTreeMap<String, Texts>,
    was_dispatched: bool,
}

/// A unit as a twin observed it.
struct Observed {
    relation: String,
    unit: String,
    raw: Texts,
}

fn observed(observation: &Value, endpoint: &str) -> Vec<Observed> {
    let units = observation["endpoints"][endpoint]["units"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let observed = units.map(|unit| Observed {
        relation: text(&unit["relation"]),
        unit: text(&unit["unit"]),
        raw: serde_json::from_value(unit["raw"].clone()).expect("texts"),
    });
    observed.collect()
}

/// Whether two texts are the same to Python, which compares what they say.
fn is_same_to_python(one: &str, other: &str) -> bool {
    let decoded = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    one == other || decoded(one) == decoded(other)
}

fn changed_keys(old: &Texts, new: &Texts) -> BTreeSet<String> {
    let keys = old.keys().chain(new.keys());
    keys.filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

/// The id of the relation that a hook is about, if it is of this endpoint.
fn own_relation(dispatch: &Dispatch<'_>, endpoint: &str) -> Option<String> {
    let number = dispatch.due.relation.filter(|_| dispatch.is_own(endpoint, ""))?;
    Some(format!("{endpoint}:{number}"))
}

impl Memory {
    /// Whether Python looks at the units of an endpoint.
    fn is_python_looking(&self, dispatch: &Dispatch<'_>, endpoint: &str) -> bool {
        dispatch.is_own(endpoint, "") || !self.python_flags.contains(&format!("endpoint.{endpoint}.joined"))
    }

    /// The keys that Python will say have changed.
    pub(crate) fn changed_in_python(
        &self,
        dispatch: &Dispatch<'_>,
        endpoint: &str,
        observation: &Value,
    ) -> BTreeSet<String> {
        if !self.is_python_looking(dispatch, endpoint) {
            return BTreeSet::new();
        }
        let mut changed = BTreeSet::new();
        for Observed { relation, unit, raw } in observed(observation, endpoint) {
            for (key, text) in raw {
                let old = self.hashes.get(&(relation.clone(), unit.clone(), key.clone()));
                if !old.is_some_and(|old| is_same_to_python(old, &text)) {
                    changed.insert(key);
                }
            }
        }
        changed
    }

    /// The units that Rust looks at.
    fn seen_by_rust(&self, dispatch: &Dispatch<'_>, endpoint: &str, observation: &Value) -> Vec<Observed> {
        let hook = dispatch.due.hook.as_str();
        let mut units = observed(observation, endpoint);
        let is_first = !self.was_dispatched && hook != "install";
        let is_sweep = is_first || hook == "start" || hook == "upgrade-charm";
        let is_event = dispatch.is_own(endpoint, "joined") || dispatch.is_own(endpoint, "changed");
        let (own, about) = (own_relation(dispatch, endpoint), dispatch.due.remote_unit.as_ref());
        units.retain(|observed| {
            let is_known = self.facts.contains_key(&(observed.relation.clone(), observed.unit.clone()));
            let is_about = Some(&observed.relation) == own.as_ref()
                && about.is_some_and(|unit| unit.to_string() == observed.unit);
            (is_sweep && (!is_known || hook == "upgrade-charm")) || (is_event && is_about)
        });
        units
    }

    /// The databag of the other application, in a hook that is about it.
    fn remote_seen_by_rust(
        dispatch: &Dispatch<'_>,
        endpoint: &str,
        observation: &Value,
    ) -> Option<(String, Texts)> {
        let is_about = dispatch.is_own(endpoint, "changed") && dispatch.due.remote_unit.is_none();
        let relation = own_relation(dispatch, endpoint).filter(|_| is_about)?;
        let relations = observation["endpoints"][endpoint]["relations"].as_array().into_iter().flatten();
        let own = relations.into_iter().find(|other| other["id"] == *relation)?;
        Some((relation, serde_json::from_value(own["received_app"].clone()).expect("texts")))
    }

    /// The keys that Rust will say have changed.
    pub(crate) fn changed_in_rust(
        &self,
        dispatch: &Dispatch<'_>,
        endpoint: &str,
        observation: &Value,
    ) -> BTreeSet<String> {
        let none = Texts::new();
        let mut changed = BTreeSet::new();
        for Observed { relation, unit, raw } in self.seen_by_rust(dispatch, endpoint, observation) {
            changed.extend(changed_keys(self.facts.get(&(relation, unit)).unwrap_or(&none), &raw));
        }
        if let Some((relation, databag)) = Self::remote_seen_by_rust(dispatch, endpoint, observation) {
            changed.extend(changed_keys(self.remote.get(&relation).unwrap_or(&none), &databag));
        }
        changed
    }

    /// Why a key has changed for Rust and not for Python.
    pub(crate) fn why_changed_in_rust(
        &self,
        dispatch: &Dispatch<'_>,
        endpoint: &str,
        key: &str,
        observation: &Value,
    ) -> Option<Difference> {
        if Self::remote_seen_by_rust(dispatch, endpoint, observation).is_some() {
            return Some(Difference::ChangedApplication);
        }
        for Observed { relation, unit, raw } in self.seen_by_rust(dispatch, endpoint, observation) {
            let facts = self.facts.get(&(relation.clone(), unit.clone()));
            let Some(text) = raw.get(key) else {
                if facts.is_some_and(|facts| facts.contains_key(key)) {
                    return Some(Difference::RemovedKeys);
                }
                continue;
            };
            let hash = self.hashes.get(&(relation, unit, key.to_owned()));
            match (facts, hash) {
                (Some(facts), Some(hash)) if hash != text && facts.get(key) != Some(text) => {
                    return Some(Difference::ChangedByText);
                }
                (Some(facts), Some(hash)) if hash == text && !facts.contains_key(key) => {
                    // It was gone, which Python did not see either.
                    return Some(Difference::RemovedKeys);
                }
                _ => {}
            }
        }
        None
    }

    /// Takes in what the twins have seen, if it was kept.
    pub(crate) fn learn(&mut self, dispatch: &Dispatch<'_>) {
        if !dispatch.is_committed() {
            return;
        }
        let observation = |log| entry(log, "observe").cloned().unwrap_or_default();
        let (of_python, of_rust) = (observation(&dispatch.python.log), observation(&dispatch.rust.log));
        for endpoint in ENDPOINTS {
            if self.is_python_looking(dispatch, endpoint) {
                for Observed { relation, unit, raw } in observed(&of_python, endpoint) {
                    let hashes =
                        raw.into_iter().map(|(key, text)| ((relation.clone(), unit.clone(), key), text));
                    self.hashes.extend(hashes);
                }
            }
            for Observed { relation, unit, raw } in self.seen_by_rust(dispatch, endpoint, &of_rust) {
                self.facts.insert((relation, unit), raw);
            }
            self.remote.extend(Self::remote_seen_by_rust(dispatch, endpoint, &of_rust));
            let Some(relation) = own_relation(dispatch, endpoint) else { continue };
            if let Some(unit) =
                dispatch.due.remote_unit.as_ref().filter(|_| dispatch.is_own(endpoint, "departed"))
            {
                self.facts.remove(&(relation.clone(), unit.to_string()));
            }
            if dispatch.is_own(endpoint, "broken") {
                self.facts.retain(|(of, _), _| *of != relation);
                self.remote.remove(&relation);
            }
        }
        self.python_flags.clone_from(&dispatch.python.flags);
        self.rust_flags.clone_from(&dispatch.rust.flags);
        self.was_dispatched = true;
    }
}
