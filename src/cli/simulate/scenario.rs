//! A scenario file: a bundle of Juju, and what happens to it.

mod entry;
mod mistake;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::de::{Deserializer, Error as _, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::error::SimulateError;
use super::expect::Expectation;
pub(super) use entry::{Entry, What};

/// A scenario: what is deployed, and what happens to it.
///
/// # Invariants
///
/// Keys of bundles that change nothing in a simulated model are read and forgotten.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// The version of Juju.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) juju: Option<String>,
    /// Whether units are pods.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) kubernetes: bool,
    /// `kubernetes`, in bundles for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<String>,
    /// What decides where Juju leaves the order open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    pub(super) applications: IndexMap<String, Application>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) relations: Vec<(String, String)>,
    /// Other charms, by the names under which steps deploy them and upgrade to them.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(super) charms: IndexMap<String, String>,
    /// What no charm should do, watched for in the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) check: Option<Vec<Check>>,
    /// What happens, in this order.
    #[serde(default, skip_serializing)]
    pub(super) steps: Vec<Entry>,
    /// What may happen then.
    #[serde(default, skip_serializing)]
    pub(super) random: Option<RandomPart>,

    #[serde(default, skip_serializing, rename = "name")]
    _name: IgnoredAny,
    #[serde(default, skip_serializing, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, skip_serializing, rename = "documentation")]
    _documentation: IgnoredAny,
    #[serde(default, skip_serializing, rename = "tags")]
    _tags: IgnoredAny,
    #[serde(default, skip_serializing, rename = "type")]
    _kind: IgnoredAny,
    #[serde(default, skip_serializing, rename = "series")]
    _series: IgnoredAny,
    #[serde(default, skip_serializing, rename = "default-base")]
    _default_base: IgnoredAny,
    #[serde(default, skip_serializing, rename = "machines")]
    _machines: IgnoredAny,
    #[serde(default, skip_serializing, rename = "variables")]
    _variables: IgnoredAny,
}

/// An application of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    /// A charm directory, a `.charm` archive, or `cargo:NAME`.
    pub(super) charm: String,
    /// How many units it has; one without this, none for a subordinate.
    #[serde(default, alias = "scale", skip_serializing_if = "Option::is_none")]
    pub(super) num_units: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) options: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) trust: bool,
    /// Files, or the registry paths of images.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) resources: BTreeMap<String, String>,
    /// How many instances of each storage a unit has, as Juju writes it: `3`, `ebs,10G,3`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) storage: BTreeMap<String, String>,

    #[serde(default, skip_serializing, rename = "annotations")]
    _annotations: IgnoredAny,
    #[serde(default, skip_serializing, rename = "base")]
    _base: IgnoredAny,
    #[serde(default, skip_serializing, rename = "bindings")]
    _bindings: IgnoredAny,
    #[serde(default, skip_serializing, rename = "channel")]
    _channel: IgnoredAny,
    #[serde(default, skip_serializing, rename = "constraints")]
    _constraints: IgnoredAny,
    #[serde(default, skip_serializing, rename = "devices")]
    _devices: IgnoredAny,
    #[serde(default, skip_serializing, rename = "expose")]
    _expose: IgnoredAny,
    #[serde(default, skip_serializing, rename = "revision")]
    _revision: IgnoredAny,
    #[serde(default, skip_serializing, rename = "series")]
    _series: IgnoredAny,
    #[serde(default, skip_serializing, rename = "to")]
    _to: IgnoredAny,
}

/// What no charm should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    /// Acting as the leader without being it.
    Leaders,
    /// Writing into databags what is there already.
    Writes,
    /// Statuses that do not fit.
    Statuses,
}

/// What may happen, drawn from seeds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RandomPart {
    /// How many steps are drawn for each seed.
    #[serde(default = "steps_drawn")]
    pub(super) steps: usize,
    #[serde(default = "seeds", deserialize_with = "read_seeds")]
    pub(super) seeds: Range<u64>,
    /// Up to which number units come and go; one more than are deployed without this.
    #[serde(default)]
    pub(super) units: BTreeMap<String, u32>,
    /// The values that options get.
    #[serde(default)]
    pub(super) options: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The charms that applications get, by their names in `charms`.
    #[serde(default)]
    pub(super) refresh: BTreeMap<String, Vec<String>>,
    /// The actions that are run.
    #[serde(default)]
    pub(super) run: BTreeMap<String, Vec<String>>,
    /// The storage that units get more of and give up.
    #[serde(default)]
    pub(super) storage: BTreeMap<String, Vec<String>>,
    /// The labels of secrets that rotate, expire and are revoked.
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    /// Whether charms are killed, refused and disturbed at any hook command.
    #[serde(default)]
    pub(super) faults: bool,
    /// Whether failed hooks are given up.
    #[serde(default)]
    pub(super) give_up: bool,
    /// What must hold in the end, whatever happened.
    #[serde(default)]
    pub(super) expect: Expectation,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_false(is: &bool) -> bool {
    !is
}

fn steps_drawn() -> usize {
    30
}

fn seeds() -> Range<u64> {
    0..20
}

fn read_seeds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Range<u64>, D::Error> {
    parse_seeds(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Reads `A..B`, of which `B` is not one, or one seed.
pub(super) fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("`{text}` are no seeds, expected some as `0..100`, or one");
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let seeds = match text.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => number(text)?..number(text)?.saturating_add(1),
    };
    if seeds.is_empty() { Err(wrong()) } else { Ok(seeds) }
}

impl Scenario {
    /// Reads a scenario from a file.
    pub(super) fn read(path: &Path) -> Result<Self, SimulateError> {
        let text = fs::read_to_string(path)
            .map_err(|source| SimulateError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a scenario from a text; `place` is what errors call it.
    pub(super) fn parse(text: &str, place: &str) -> Result<Self, SimulateError> {
        let mut scenario: Self =
            serde_yaml::from_str(text).map_err(|error| mistake::explained(&error, place))?;
        scenario.kubernetes |= scenario.bundle.take().as_deref() == Some("kubernetes");
        entry::number(&mut scenario.steps, text);
        scenario.check_names(text, place)?;
        Ok(scenario)
    }

    /// What can be seen to be wrong without running anything.
    fn check_names(&self, text: &str, place: &str) -> Result<(), SimulateError> {
        let wrong = |key: &str, problem: String, known: Vec<&str>| {
            let line = mistake::line_of(text, key);
            let hint = match super::error::nearest(key, known.iter().copied()) {
                Some(meant) => Some(format!("did you mean `{meant}`?")),
                None if known.is_empty() => None,
                None => Some(format!("known: {}", known.join(", "))),
            };
            let place = line.map_or_else(|| place.to_owned(), |line| format!("{place}:{line}"));
            Err(SimulateError::Scenario { place, problem, hint })
        };
        if let Some(version) = &self.juju
            && let Err(error) = version.parse::<charms_reactive_sim::JujuVersion>()
        {
            return wrong("juju", error.to_string(), Vec::new());
        }
        let applications: Vec<&str> = self.applications.keys().map(String::as_str).collect();
        for end in self.relations.iter().flat_map(|(one, other)| [one, other]) {
            let name = end.split(':').next().unwrap_or_default();
            if !applications.contains(&name) {
                return wrong(name, format!("relation with `{end}`: no application `{name}`"), applications);
            }
        }
        for (name, application) in &self.applications {
            if let Some((storage, text)) =
                application.storage.iter().find(|(_, text)| storage_count(text).is_none())
            {
                let problem =
                    format!("storage `{storage}` of `{name}`: `{text}` names no number of instances");
                return wrong(storage, problem, Vec::new());
            }
        }
        let Some(random) = &self.random else { return Ok(()) };
        let named = random.units.keys().chain(random.options.keys()).chain(random.refresh.keys());
        for name in named.chain(random.run.keys()).chain(random.storage.keys()) {
            if !applications.contains(&name.as_str()) {
                return wrong(name, format!("random: no application `{name}`"), applications);
            }
        }
        for charm in random.refresh.values().flatten() {
            if !self.charms.contains_key(charm) {
                let known = self.charms.keys().map(String::as_str).collect();
                return wrong(charm, format!("random.refresh: no charm `{charm}` under `charms`"), known);
            }
        }
        Ok(())
    }

    /// The scenario as a file has it, with these steps in place of its own and of chance.
    pub(super) fn to_yaml(&self, seed: u64, steps: &[Entry]) -> String {
        let scenario = Self { seed: Some(seed), ..self.clone() };
        let mut text = serde_yaml::to_string(&scenario).expect("plain texts and maps are YAML");
        text.push_str("steps:\n");
        text.extend(steps.iter().map(Entry::yaml));
        text
    }

    /// The same with all paths seen from elsewhere.
    pub(super) fn with_paths_in(&self, folder: &Path) -> Self {
        let mut scenario = self.clone();
        let charms = scenario.applications.values_mut().map(|application| &mut application.charm);
        for charm in charms.chain(scenario.charms.values_mut()) {
            if !charm.starts_with("cargo:") {
                *charm = folder.join(&*charm).display().to_string();
            }
        }
        for path in
            scenario.applications.values_mut().flat_map(|application| application.resources.values_mut())
        {
            if is_path(path) {
                *path = folder.join(&*path).display().to_string();
            }
        }
        scenario
    }
}

/// Whether the value of a resource is a file rather than the path of an image.
pub(super) fn is_path(text: &str) -> bool {
    ["./", "../", "/"].iter().any(|begin| text.starts_with(begin))
}

/// The number of instances in what Juju takes for storage: pool, size and count in any order.
pub(super) fn storage_count(text: &str) -> Option<u32> {
    text.split(',').find_map(|part| part.trim().parse().ok())
}

/// The folder that paths in a scenario are relative to.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests;
