//! What a scenario expects, held against a model.

use std::collections::BTreeMap;
use std::fmt;

use charms_reactive_hookcmd::commands::Party;
use charms_reactive_sim::{ActionResult, Sim};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Texts by name; none for what is not to be there.
type Texts = BTreeMap<String, Option<String>>;

/// What is to be so at one moment.  In texts, `*` stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expectation {
    /// `active`, or `active: a message`; of a unit, of an application, or of all its units: `web/*`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    status: BTreeMap<String, String>,
    /// The unit that leads an application; `none` where nobody does.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    leader: BTreeMap<String, String>,
    /// How many units an application has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    units: BTreeMap<String, usize>,
    /// Whether a flag of a unit is set; for charms that keep their flags with Juju, as this framework does.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    flags: BTreeMap<String, BTreeMap<String, bool>>,
    /// Keys of databags, by relation (`web:db db:server`) and owner.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    databag: BTreeMap<String, BTreeMap<String, Texts>>,
    /// Keys of the unit state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    state: BTreeMap<String, Texts>,
    /// All open ports of a unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ports: BTreeMap<String, Vec<String>>,
    /// The version of an application's workload.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    version: BTreeMap<String, String>,
    /// What came of the last action that was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionWanted>,
}

/// What came of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ActionWanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    results: BTreeMap<String, String>,
}

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// What it is about: `status of web/0`.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}\n    - {}\n    + {}", self.what, self.expected, self.found)
    }
}

/// What was found, gathered.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn compare(&mut self, what: String, expected: &str, found: &str) {
        if !is_like(expected, found) {
            self.0.push(Difference { what, expected: expected.to_owned(), found: found.to_owned() });
        }
    }

    /// A status that is expected without a message may have any.
    fn compare_status(&mut self, name: &str, expected: &str, found: &str) {
        let word = found.split(": ").next().unwrap_or_default();
        if expected.contains(": ") || !is_like(expected, word) {
            self.compare(format!("status of {name}"), expected, found);
        }
    }

    fn compare_texts(&mut self, what: &str, expected: &Texts, found: impl Fn(&str) -> Option<String>) {
        const NOTHING: &str = "(not there)";
        for (key, text) in expected {
            let found = found(key);
            match (text, found) {
                (None, None) => {}
                (text, found) => self.compare(
                    format!("{what} {key}"),
                    text.as_deref().unwrap_or(NOTHING),
                    found.as_deref().unwrap_or(NOTHING),
                ),
            }
        }
    }
}

impl Expectation {
    /// Whether nothing is expected.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The units that are expected to be in error.
    pub(super) fn errors(&self) -> impl Iterator<Item = &str> {
        let is_error = |text: &&String| text.split(':').next() == Some("error");
        self.status.iter().filter(move |(_, text)| is_error(text)).map(|(name, _)| name.as_str())
    }

    /// What is expected, in a few words.
    pub(super) fn subject(&self) -> String {
        let parts = [
            ("status", names(&self.status)),
            ("leader", names(&self.leader)),
            ("units", names(&self.units)),
            ("flags", names(&self.flags)),
            ("databags", names(&self.databag)),
            ("state", names(&self.state)),
            ("ports", names(&self.ports)),
            ("version", names(&self.version)),
        ];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let mut words: Vec<String> = parts.map(|(part, names)| format!("{part} of {names}")).collect();
        words.extend(self.action.as_ref().map(|_| "the action".to_owned()));
        words.join("; ")
    }

    /// All that is not as expected.
    pub(super) fn differences(&self, sim: &Sim, action: Option<&ActionResult>) -> Vec<Difference> {
        let mut found = Found::default();
        let status = sim.status();
        for (name, expected) in &self.status {
            for (name, shown) in statuses(sim, name) {
                found.compare_status(&name, expected, &shown);
            }
        }
        for (application, expected) in &self.leader {
            let is_leader = |unit: &&charms_reactive_sim::UnitStatus| {
                unit.leader && unit.name.split('/').next() == Some(application)
            };
            let leader = status.units.iter().find(is_leader).map_or("none", |unit| unit.name.as_str());
            found.compare(format!("leader of {application}"), expected, leader);
        }
        for (application, expected) in &self.units {
            let count = sim.units(application).len();
            found.compare(format!("units of {application}"), &expected.to_string(), &count.to_string());
        }
        for (name, flags) in &self.flags {
            for unit in units(sim, name) {
                let set = flags_of(sim, &unit);
                for (flag, is_set) in flags {
                    let words = |is: bool| if is { "set" } else { "not set" };
                    let shown = set.contains(flag);
                    found.compare(format!("flag {flag} of {unit}"), words(*is_set), words(shown));
                }
            }
        }
        for (relation, owners) in &self.databag {
            found.databags(sim, relation, owners);
        }
        for (name, expected) in &self.state {
            for unit in units(sim, name) {
                let state = sim.unit_state(&unit).unwrap_or_default();
                found.compare_texts(&format!("state of {unit}:"), expected, |key| state.get(key).cloned());
            }
        }
        for (name, expected) in &self.ports {
            for unit in units(sim, name) {
                let ports = sim.unit(&unit).map(|unit| unit.ports.join(" ")).unwrap_or_default();
                found.compare(format!("ports of {unit}"), &expected.join(" "), &ports);
            }
        }
        for (name, expected) in &self.version {
            let known = status.applications.iter().find(|application| application.name == *name);
            let version = known.map_or("", |application| application.version.as_str());
            found.compare(format!("version of {name}"), expected, version);
        }
        if let Some(wanted) = &self.action {
            found.action(wanted, action);
        }
        found.0
    }
}

impl Found {
    fn databags(&mut self, sim: &Sim, relation: &str, owners: &BTreeMap<String, Texts>) {
        let ends: Vec<&str> = relation.split_whitespace().collect();
        let Some(number) = sim.relation_of(&ends) else {
            let what = format!("relation {relation}");
            self.0.push(Difference { what, expected: "there".to_owned(), found: "(not there)".to_owned() });
            return;
        };
        for (owner, expected) in owners {
            let names = if owner.contains('/') { units(sim, owner) } else { vec![owner.clone()] };
            for name in names {
                let databag = party(&name).and_then(|party| sim.databag(number, &party).ok());
                let text = |key: &str| Some(databag.as_ref()?.text(key)?.to_owned());
                self.compare_texts(&format!("databag of {name} in {relation}:"), expected, text);
            }
        }
    }

    fn action(&mut self, wanted: &ActionWanted, action: Option<&ActionResult>) {
        let Some(action) = action else {
            self.compare("the last action".to_owned(), "one was run", "none was run");
            return;
        };
        if let Some(status) = &wanted.status {
            self.compare("status of the action".to_owned(), status, &action.status);
        }
        if let Some(message) = &wanted.message {
            self.compare("message of the action".to_owned(), message, &action.message);
        }
        for (path, expected) in &wanted.results {
            let value = path.split('.').try_fold(None, |value: Option<&Value>, key| match value {
                None => action.results.get(key).map(Some),
                Some(value) => value.get(key).map(Some),
            });
            let text = match value.flatten() {
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => "(not there)".to_owned(),
            };
            self.compare(format!("result {path} of the action"), expected, &text);
        }
    }
}

fn names<T>(map: &BTreeMap<String, T>) -> String {
    map.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The units that a name stands for: itself, or all of an application: `web/*`.
fn units(sim: &Sim, name: &str) -> Vec<String> {
    match name.strip_suffix("/*") {
        Some(application) => sim.units(application).iter().map(ToString::to_string).collect(),
        None => vec![name.to_owned()],
    }
}

fn party(name: &str) -> Option<Party> {
    if name.contains('/') {
        name.parse().ok().map(Party::Unit)
    } else {
        name.parse().ok().map(Party::Application)
    }
}

/// The statuses that a name stands for, as `word: message`.
fn statuses(sim: &Sim, name: &str) -> Vec<(String, String)> {
    let status = sim.status();
    let shown = |word: &str, message: &str| {
        if message.is_empty() { word.to_owned() } else { format!("{word}: {message}") }
    };
    let applications = status
        .applications
        .iter()
        .map(|app| (app.name.clone(), shown(&app.status.status, &app.status.message)));
    let of_units = status
        .units
        .iter()
        .map(|unit| (unit.name.clone(), shown(&unit.workload.status, &unit.workload.message)));
    let known: BTreeMap<String, String> = applications.chain(of_units).collect();
    let shown = |name: String| {
        let text = known.get(&name).cloned().unwrap_or_else(|| "(not there)".to_owned());
        (name, text)
    };
    units(sim, name).into_iter().map(shown).collect()
}

/// The flags that a unit keeps in its state.
fn flags_of(sim: &Sim, unit: &str) -> Vec<String> {
    let state = sim.unit_state(unit).unwrap_or_default();
    state.get("flags").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Whether a text is what is expected, where `*` stands for anything.
fn is_like(expected: &str, found: &str) -> bool {
    let mut parts = expected.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = found.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (expected, found, is) in [
            ("ready", "ready", true),
            ("ready", "ready now", false),
            ("ready*", "ready now", true),
            ("*ready", "not ready", true),
            ("*a*b*", "xaxbx", true),
            ("*a*b*", "xbxax", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("2 * 3", "2 * 3", true),
        ] {
            assert_eq!(is_like(expected, found), is, "`{expected}` `{found}`");
        }
    }

    #[test]
    fn a_message_counts_where_it_is_written() {
        for (expected, found, is) in [
            ("active", "active: ready", true),
            ("active", "active", true),
            ("active", "blocked: active", false),
            ("active: ready", "active: ready", true),
            ("active: ready", "active", false),
            ("active: *", "active: ready", true),
            ("*: no database", "blocked: no database", true),
        ] {
            let mut differences = Found::default();
            differences.compare_status("web/0", expected, found);
            assert_eq!(differences.0.is_empty(), is, "`{expected}` `{found}`");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "status:\n  web: active\ndatabag:\n  web:db db:server:\n    web:\n      host: null\n";
        let read: Expectation = serde_yaml::from_str(text).unwrap();
        assert_eq!(serde_yaml::to_string(&read).unwrap(), text);
        assert_eq!(read.subject(), "status of web; databags of web:db db:server");
        assert!(!read.is_empty() && Expectation::default().is_empty());
    }
}
