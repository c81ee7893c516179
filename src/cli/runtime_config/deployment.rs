//! Files as Deployment Manager takes them: resources of three types, in the order in which they can be made.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::RuntimeConfigError;
use super::name::{Config, Name};
use super::waiters;

/// What begins the names of the types: Deployment Manager's own, and those of its type registry.
const TYPES: [(&str, Kind); 6] = [
    ("runtimeconfig.v1beta1.config", Kind::Config),
    ("runtimeconfig.v1beta1.variable", Kind::Variable),
    ("runtimeconfig.v1beta1.waiter", Kind::Waiter),
    ("gcp-types/runtimeconfig-v1beta1:projects.configs", Kind::Config),
    ("gcp-types/runtimeconfig-v1beta1:projects.configs.variables", Kind::Variable),
    ("gcp-types/runtimeconfig-v1beta1:projects.configs.waiters", Kind::Waiter),
];

/// How long a file may be.
const FILE_BYTES_MAX: usize = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Config,
    Variable,
    Waiter,
}

/// A resource that can be made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resource {
    /// Its name in the file.
    pub(super) name: String,
    /// Those that come first, by their names in the file.
    pub(super) after: Vec<String>,
    pub(super) wanted: Wanted,
}

/// What a resource is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    Config {
        config: Config,
        description: Option<String>,
    },
    /// `text` or `value`.
    Variable {
        name: Name,
        content: Value,
    },
    /// `timeout`, `success`, `failure`.
    Waiter {
        name: Name,
        fields: Value,
    },
}

impl Wanted {
    fn full(&self) -> String {
        match self {
            Self::Config { config, .. } => config.full(),
            Self::Variable { name, .. } | Self::Waiter { name, .. } => name.full(),
        }
    }
}

/// A file, as it is written.
#[derive(Deserialize)]
struct Deployment {
    resources: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    properties: Value,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default, rename = "dependsOn")]
    depends_on: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigProperties {
    #[serde(alias = "name")]
    config: Option<String>,
    description: Option<String>,
    /// The types of the registry say where it is to be.
    #[serde(rename = "parent")]
    _parent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariableProperties {
    parent: Option<String>,
    #[serde(alias = "name")]
    variable: Option<String>,
    text: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaiterProperties {
    parent: Option<String>,
    #[serde(alias = "name")]
    waiter: Option<String>,
    timeout: String,
    success: Option<Value>,
    failure: Option<Value>,
}

/// The resources of a file, each behind those that it needs.
pub(super) fn read(path: &Path, project: &str) -> Result<Vec<Resource>, RuntimeConfigError> {
    let text = read_text(path)?;
    parse(&text, project, None).map_err(|reason| RuntimeConfigError::File { path: path.to_owned(), reason })
}

/// The one waiter of a file; a name and a config on the command line go before those of the file.
pub(super) fn one_waiter(
    path: &Path,
    id: Option<&str>,
    config: Option<&str>,
    project: &str,
) -> Result<(Name, Value), RuntimeConfigError> {
    let file = |reason: String| RuntimeConfigError::File { path: path.to_owned(), reason };
    let resources = parse(&read_text(path)?, project, config).map_err(file)?;
    let count = resources.len();
    let waiters = resources.into_iter().filter_map(|resource| match resource.wanted {
        Wanted::Waiter { name, fields } => Some((name, fields)),
        _ => None,
    });
    let mut waiters: Vec<(Name, Value)> = waiters.collect();
    let (Some((mut name, fields)), 1) = (waiters.pop(), count) else {
        let reason = "expected one `runtimeconfig.v1beta1.waiter` and nothing else; `apply` makes the rest";
        return Err(file(reason.to_owned()));
    };
    if let Some(config) = config {
        name.config = Config::parse(config, project);
    }
    if let Some(id) = id {
        name = Name::parse(id, waiters::LIST, Some(&name.config.full()), project)?;
    }
    Ok((name, fields))
}

fn read_text(path: &Path) -> Result<String, RuntimeConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| RuntimeConfigError::Read { path: path.to_owned(), source })?;
    if text.len() > FILE_BYTES_MAX {
        let reason = format!("{} bytes, expected at most {FILE_BYTES_MAX}", text.len());
        return Err(RuntimeConfigError::File { path: path.to_owned(), reason });
    }
    Ok(text)
}

fn parse(text: &str, project: &str, config: Option<&str>) -> Result<Vec<Resource>, String> {
    let document: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    // One resource may stand alone.
    let entries = if document.get("resources").is_some() {
        serde_json::from_value::<Deployment>(document).map_err(|error| error.to_string())?.resources
    } else {
        vec![serde_json::from_value(document).map_err(|error| {
            format!("{error}, expected `resources:`, or one resource with `type` and `properties`")
        })?]
    };
    let mut resources: Vec<Resource> = Vec::new();
    let mut entries: Vec<(String, Entry)> = named(entries)?;
    let mut full_names: BTreeMap<String, String> = BTreeMap::new();
    // Each time round, those whose needs are met.
    while !entries.is_empty() {
        let is_ready = |entry: &Entry| needs(entry).iter().all(|need| full_names.contains_key(need));
        let Some(at) = entries.iter().position(|(_, entry)| is_ready(entry)) else {
            return Err(stuck(&entries, &full_names));
        };
        let (name, entry) = entries.remove(at);
        let after = needs(&entry);
        let wanted = wanted(&name, entry, &full_names, project, config)
            .map_err(|reason| format!("resource `{name}`: {reason}"))?;
        full_names.insert(name.clone(), wanted.full());
        resources.push(Resource { name, after, wanted });
    }
    Ok(resources)
}

/// Entries with their names; the waiter of a file of its own may have none.
fn named(entries: Vec<Entry>) -> Result<Vec<(String, Entry)>, String> {
    let mut named: Vec<(String, Entry)> = Vec::new();
    for entry in entries {
        let name = match (&entry.name, entry.properties.get("waiter").and_then(Value::as_str)) {
            (Some(name), _) => name.clone(),
            (None, Some(waiter)) => waiter.to_owned(),
            (None, None) => return Err(format!("a resource of type `{}` has no `name`", entry.kind)),
        };
        if named.iter().any(|(known, _)| *known == name) {
            return Err(format!("two resources are called `{name}`"));
        }
        named.push((name, entry));
    }
    Ok(named)
}

/// Which resources an entry depends on: as it says, and by `$(ref.NAME.name)`.
fn needs(entry: &Entry) -> Vec<String> {
    let mut needs = entry.metadata.depends_on.clone();
    let text = entry.properties.to_string();
    let references = text.split("$(ref.").skip(1).filter_map(|rest| rest.split(['.', ')']).next());
    needs.extend(references.map(str::to_owned));
    needs.sort();
    needs.dedup();
    needs
}

/// Why nothing can be made next.
fn stuck(entries: &[(String, Entry)], made: &BTreeMap<String, String>) -> String {
    for (name, entry) in entries {
        let is_known =
            |need: &String| made.contains_key(need) || entries.iter().any(|(known, _)| known == need);
        if let Some(need) = needs(entry).into_iter().find(|need| !is_known(need)) {
            return format!("resource `{name}` needs `{need}`, which is not in the file");
        }
    }
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    format!("resources need each other in a circle: {}", names.join(", "))
}

fn wanted(
    name: &str,
    entry: Entry,
    made: &BTreeMap<String, String>,
    project: &str,
    config: Option<&str>,
) -> Result<Wanted, String> {
    let kind = TYPES.iter().find(|(kind, _)| *kind == entry.kind).map(|(_, kind)| *kind);
    let kind = kind.ok_or_else(|| {
        format!(
            "type `{}` is not known, expected `runtimeconfig.v1beta1.config`, `.variable` or `.waiter`",
            entry.kind
        )
    })?;
    let in_config = |list: &'static str, parent: Option<String>, id: Option<String>| {
        let parent = match (&parent, config) {
            (Some(parent), _) => resolved(parent, made)?,
            (None, Some(config)) => config.to_owned(),
            (None, None) => return Err("no `parent`, expected projects/PROJECT/configs/CONFIG".to_owned()),
        };
        let id = id.unwrap_or_else(|| name.to_owned());
        Ok(Name::of(&Config::parse(&parent, project), list, &id))
    };
    match kind {
        Kind::Config => {
            let ConfigProperties { config, description, .. } = typed(entry.properties)?;
            let config = Config::parse(config.as_deref().unwrap_or(name), project);
            Ok(Wanted::Config { config, description })
        }
        Kind::Variable => {
            let VariableProperties { parent, variable, text, value } = typed(entry.properties)?;
            let content = match (text, value) {
                (Some(text), None) => json!({ "text": text }),
                (None, Some(value)) => json!({ "value": value }),
                _ => return Err("expected exactly one of `text` and `value`".to_owned()),
            };
            Ok(Wanted::Variable { name: in_config("variables", parent, variable)?, content })
        }
        Kind::Waiter => {
            let WaiterProperties { parent, waiter, timeout, success, failure } = typed(entry.properties)?;
            let mut fields = json!({"timeout": timeout, "success": success, "failure": failure});
            if let Some(fields) = fields.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            Ok(Wanted::Waiter { name: in_config(waiters::LIST, parent, waiter)?, fields })
        }
    }
}

fn typed<T: DeserializeOwned>(properties: Value) -> Result<T, String> {
    let properties = if properties.is_null() { json!({}) } else { properties };
    serde_json::from_value(properties).map_err(|error| error.to_string())
}

/// A parent, in which `$(ref.NAME.name)` stands for the full name of another resource.
fn resolved(parent: &str, made: &BTreeMap<String, String>) -> Result<String, String> {
    let Some(reference) = parent.strip_prefix("$(ref.").and_then(|rest| rest.strip_suffix(')')) else {
        return Ok(parent.to_owned());
    };
    let (name, field) = reference.split_once('.').unwrap_or((reference, ""));
    match made.get(name) {
        Some(full) if field == "name" => Ok(full.clone()),
        _ => Err(format!("`{parent}` is no reference to the name of a resource")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "
imports: []
resources:
- name: ready
  type: runtimeconfig.v1beta1.waiter
  metadata: {dependsOn: [first]}
  properties:
    parent: $(ref.boot.name)
    waiter: ready-waiter
    timeout: 120s
    success: {cardinality: {path: /ready, number: 3}}
- name: first
  type: gcp-types/runtimeconfig-v1beta1:projects.configs.variables
  properties: {parent: $(ref.boot.name), variable: ready/first, text: up}
- name: boot
  type: runtimeconfig.v1beta1.config
  properties: {config: boot-config, description: Boot}
";

    #[test]
    fn resources_come_behind_what_they_need() {
        let resources = parse(WHOLE, "p", None).expect("a deployment");
        let names: Vec<&str> = resources.iter().map(|resource| resource.name.as_str()).collect();
        assert_eq!(names, ["boot", "first", "ready"]);
        let full: Vec<String> = resources.iter().map(|resource| resource.wanted.full()).collect();
        let config = "projects/p/configs/boot-config";
        let expected = [
            config.to_owned(),
            format!("{config}/variables/ready/first"),
            format!("{config}/waiters/ready-waiter"),
        ];
        assert_eq!(full, expected);
        assert_eq!(resources[2].after, ["boot", "first"]);
        let Wanted::Waiter { fields, .. } = &resources[2].wanted else { panic!("a waiter") };
        assert_eq!(
            *fields,
            json!({"timeout": "120s", "success": {"cardinality": {"path": "/ready", "number": 3}}})
        );
    }

    #[test]
    fn one_resource_may_stand_alone() {
        let text = "type: runtimeconfig.v1beta1.waiter\nproperties: {waiter: w, timeout: 5s, success: {}}";
        let resources = parse(text, "p", Some("c")).expect("a waiter");
        assert_eq!(resources[0].wanted.full(), "projects/p/configs/c/waiters/w");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let error = |text: &str| parse(text, "p", None).expect_err("wrong");
        let waiter = |properties: &str| {
            format!("{{name: w, type: runtimeconfig.v1beta1.waiter, properties: {{{properties}}}}}")
        };
        assert!(error("a: [").contains(" at line "));
        assert!(error("a: 1").contains("expected `resources:`"));
        assert!(error(&waiter("parent: x")).contains("resource `w`: missing field `timeout`"));
        assert!(error(&waiter("parent: x, timeout: 5s, x: 1")).contains("unknown field `x`"));
        assert!(error(&waiter("timeout: 5s")).contains("no `parent`"));
        assert!(
            error(&waiter("parent: $(ref.c.name), timeout: 5s"))
                .contains("needs `c`, which is not in the file")
        );
        assert!(error("{name: v, type: pubsub.v1.topic}").contains("type `pubsub.v1.topic` is not known"));
        let circle = "resources:\n- {name: a, type: x, metadata: {dependsOn: [b]}}\n\
                      - {name: b, type: x, metadata: {dependsOn: [a]}}\n";
        assert!(error(circle).contains("in a circle: a, b"));
        let twice = "resources:\n- {name: a, type: x}\n- {name: a, type: x}\n";
        assert!(error(twice).contains("two resources are called `a`"));
        let variable = "{name: v, type: runtimeconfig.v1beta1.variable, properties: {parent: c, text: 5}}";
        assert!(error(variable).contains("expected a string"));
    }
}
