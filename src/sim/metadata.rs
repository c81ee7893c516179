//! Reads what a charm directory says about the charm: metadata, options, actions.
//!
//! Only what changes how a model behaves is read; texts for humans are skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use charms_reactive_core::{EndpointName, EndpointSpec, Metadata, NameError, OptionKind, OptionSpec, Role};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::charm::Function;

/// Why a directory is not a charm.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CharmError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not the YAML that it should be.
    #[error("cannot read `{}` as a charm's", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_yaml::Error,
    },
    /// An endpoint's name is not one.
    #[error("cannot use an endpoint of charm `{charm}`")]
    Endpoint {
        /// The charm.
        charm: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// Two endpoints have one name.
    #[error("charm \"{charm}\" using a duplicated relation name: \"{endpoint}\"")]
    Duplicate {
        /// The charm.
        charm: String,
        /// The name.
        endpoint: EndpointName,
    },
    /// The charm wants what the simulated model does not have.
    #[error("charm `{charm}` needs {what}, which the simulated model does not have")]
    NotModelled {
        /// The charm.
        charm: String,
        /// What it needs.
        what: String,
    },
    /// An option has no such type.
    #[error("invalid config: option \"{option}\" has unknown type \"{found}\"")]
    OptionType {
        /// The option.
        option: String,
        /// The type found.
        found: String,
    },
    /// The default of an option is not of its type.
    #[error("invalid config default: option \"{option}\" expected {expected}, got {found}")]
    Default {
        /// The option.
        option: String,
        /// Its type.
        expected: &'static str,
        /// The default, as JSON.
        found: String,
    },
    /// An action's name is not one.
    #[error("bad action name {name}")]
    ActionName {
        /// The name.
        name: String,
    },
    /// A key that Juju does not take in an action's schema.
    #[error("schema key \"{key}\" not compatible with this version of juju")]
    ActionSchema {
        /// The key.
        key: String,
    },
}

/// A charm, as the model needs to know it.
#[derive(Clone)]
pub(crate) struct Charm {
    /// Name, endpoints, options, names of actions.
    pub(crate) metadata: Metadata,
    /// How many relations an endpoint takes, where it is limited.
    pub(crate) limits: BTreeMap<EndpointName, usize>,
    /// The JSON schema of the parameters of each action.
    pub(crate) actions: BTreeMap<String, Map<String, Value>>,
    /// Names of bindings beside those of endpoints.
    pub(crate) bindings: BTreeSet<String>,
    /// The directory it was read from.
    pub(crate) folder: PathBuf,
    /// What is run in place of files, for a charm in process.
    pub(crate) function: Option<Function>,
    /// Whether each unit has a copy of the directory.
    pub(crate) is_copied: bool,
}

#[derive(Deserialize)]
struct MetadataFile {
    name: String,
    #[serde(default)]
    subordinate: bool,
    provides: Option<IndexMap<String, EndpointFile>>,
    requires: Option<IndexMap<String, EndpointFile>>,
    peers: Option<IndexMap<String, EndpointFile>>,
    #[serde(rename = "extra-bindings")]
    extra_bindings: Option<IndexMap<String, Option<Value>>>,
    storage: Option<IndexMap<String, StorageFile>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EndpointFile {
    Interface(String),
    Full { interface: String, scope: Option<String>, limit: Option<usize> },
}

#[derive(Deserialize)]
struct StorageFile {
    multiple: Option<StorageRange>,
}

#[derive(Deserialize)]
struct StorageRange {
    range: Value,
}

#[derive(Deserialize)]
struct ConfigFile {
    options: IndexMap<String, OptionFile>,
}

#[derive(Deserialize)]
struct OptionFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    default: Option<Value>,
}

impl fmt::Debug for Charm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charm").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

impl Charm {
    /// Reads `metadata.yaml`, `config.yaml` and `actions.yaml`; only the first must be there.
    ///
    /// # Source
    ///
    /// `internal/charm/{meta,config,actions}.go` of Juju.
    pub(crate) fn read(folder: &Path) -> Result<Self, CharmError> {
        let path = folder.join("metadata.yaml");
        let file: MetadataFile = read_yaml(&path)?.ok_or_else(|| CharmError::Read {
            path: path.clone(),
            source: io::Error::from(io::ErrorKind::NotFound),
        })?;
        check_modelled(&file)?;
        let mut metadata = Metadata { name: file.name.clone(), ..Metadata::default() };
        let mut limits = BTreeMap::new();
        let groups =
            [(Role::Provides, file.provides), (Role::Requires, file.requires), (Role::Peer, file.peers)];
        for (role, endpoints) in groups {
            for (name, endpoint) in endpoints.unwrap_or_default() {
                let name = EndpointName::parse(&name)
                    .map_err(|source| CharmError::Endpoint { charm: file.name.clone(), source })?;
                if metadata.endpoint(&name).is_some() {
                    return Err(CharmError::Duplicate { charm: file.name, endpoint: name });
                }
                let (interface, limit) = match endpoint {
                    EndpointFile::Interface(interface) => (interface, None),
                    EndpointFile::Full { scope: Some(scope), .. } if scope == "container" => {
                        let what = "endpoints of scope `container`".to_owned();
                        return Err(CharmError::NotModelled { charm: file.name, what });
                    }
                    EndpointFile::Full { interface, limit, .. } => (interface, limit),
                };
                limits.extend(limit.map(|limit| (name.clone(), limit)));
                metadata.endpoints.push(EndpointSpec { name, role, interface });
            }
        }
        metadata.options = read_options(&folder.join("config.yaml"))?;
        let actions = read_actions(&folder.join("actions.yaml"))?;
        metadata.actions = actions.keys().cloned().collect();
        Ok(Self {
            metadata,
            limits,
            actions: actions.into_iter().collect(),
            bindings: file.extra_bindings.unwrap_or_default().into_keys().collect(),
            folder: folder.to_owned(),
            function: None,
            is_copied: true,
        })
    }

    /// The option of this name.
    pub(crate) fn option(&self, name: &str) -> Option<&OptionSpec> {
        self.metadata.options.iter().find(|option| option.name == name)
    }
}

fn check_modelled(file: &MetadataFile) -> Result<(), CharmError> {
    let refuse = |what: String| Err(CharmError::NotModelled { charm: file.name.clone(), what });
    if file.subordinate {
        return refuse("a principal".to_owned());
    }
    for (name, storage) in file.storage.iter().flatten() {
        // A range from zero: the model deploys without instances, which Juju may do as well.
        let range = storage.multiple.as_ref().map(|multiple| multiple.range.to_string());
        if !range.is_some_and(|range| range.trim_matches('"').starts_with('0')) {
            return refuse(format!("storage `{name}`"));
        }
    }
    Ok(())
}

/// Reads a YAML file; `None` when it is not there.
fn read_yaml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, CharmError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CharmError::Read { path: path.to_owned(), source }),
    };
    serde_yaml::from_str(&text).map(Some).map_err(|source| CharmError::Yaml { path: path.to_owned(), source })
}

fn read_options(path: &Path) -> Result<Vec<OptionSpec>, CharmError> {
    let Some(file) = read_yaml::<ConfigFile>(path)? else { return Ok(Vec::new()) };
    let options = file.options.into_iter().map(|(name, option)| {
        let kind = match option.kind.as_deref() {
            None | Some("string") => OptionKind::String,
            Some("int") => OptionKind::Int,
            Some("float") => OptionKind::Float,
            Some("boolean") => OptionKind::Boolean,
            Some("secret") => OptionKind::Secret,
            Some(found) => return Err(CharmError::OptionType { option: name, found: found.to_owned() }),
        };
        let default = option.default.unwrap_or(Value::Null);
        let fits = match (&default, kind) {
            (Value::Null, _)
            | (Value::String(_), OptionKind::String | OptionKind::Secret)
            | (Value::Bool(_), OptionKind::Boolean)
            | (Value::Number(_), OptionKind::Float) => Some(default.clone()),
            (Value::Number(number), OptionKind::Int) => number.is_i64().then(|| default.clone()),
            // Juju reads YAML 1.1, where these words are booleans.
            (Value::String(word), OptionKind::Boolean) => yaml_word(word).map(Value::Bool),
            _ => None,
        };
        let default = fits.ok_or_else(|| CharmError::Default {
            option: name.clone(),
            expected: kind_name(kind),
            found: default.to_string(),
        })?;
        Ok(OptionSpec { name, kind, default })
    });
    options.collect()
}

/// The boolean that a word is in YAML 1.1, but not in the YAML that we read.
fn yaml_word(word: &str) -> Option<bool> {
    match word {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Some(false),
        _ => None,
    }
}

/// The type of an option, as Juju's messages name it.
pub(crate) fn kind_name(kind: OptionKind) -> &'static str {
    match kind {
        OptionKind::String => "string",
        OptionKind::Int => "int",
        OptionKind::Float => "float",
        OptionKind::Boolean => "boolean",
        OptionKind::Secret => "secret",
    }
}

/// The schema of each action's parameters: `params` are its properties, other keys are taken over.
fn read_actions(path: &Path) -> Result<IndexMap<String, Map<String, Value>>, CharmError> {
    const FOR_JUJU: &[&str] = &["description", "params", "parallel", "execution-group"];
    let Some(file) = read_yaml::<Option<IndexMap<String, Option<Map<String, Value>>>>>(path)? else {
        return Ok(IndexMap::new());
    };
    let actions = file.unwrap_or_default().into_iter().map(|(name, action)| {
        if !is_action_name(&name) || name == "juju" || name.starts_with("juju-") {
            return Err(CharmError::ActionName { name });
        }
        let mut action = action.unwrap_or_default();
        refuse_references(&Value::Object(action.clone()))?;
        let properties = action.remove("params").filter(|params| !params.is_null());
        let mut schema: Map<String, Value> =
            action.into_iter().filter(|(key, _)| !FOR_JUJU.contains(&key.as_str())).collect();
        schema.insert("properties".to_owned(), properties.unwrap_or_else(|| Value::Object(Map::new())));
        Ok((name, schema))
    });
    actions.collect()
}

fn refuse_references(schema: &Value) -> Result<(), CharmError> {
    match schema {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            if key == "$schema" || key == "$ref" {
                return Err(CharmError::ActionSchema { key: key.clone() });
            }
            refuse_references(value)
        }),
        Value::Array(list) => list.iter().try_for_each(refuse_references),
        _ => Ok(()),
    }
}

/// Small letters and digits, dashes between them: names of actions and keys of their results.
pub(crate) fn is_action_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|byte| is_inner(*byte))
        && bytes.last().is_some_and(|byte| is_inner(*byte))
        && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Charm, CharmError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            crate::agent::write_file(&folder.path().join(name), text.as_bytes()).unwrap();
        }
        Charm::read(folder.path())
    }

    #[test]
    fn a_charm_is_read_in_the_order_of_its_files() {
        let charm = read(&[
            (
                "metadata.yaml",
                "name: web\nrequires:\n  db: {interface: sql, limit: 1}\nprovides:\n  metrics: http\npeers:\n",
            ),
            (
                "config.yaml",
                "options:\n  debug: {type: boolean, default: yes}\n  name: {}\n  level: {type: int, default: 3}\n",
            ),
            (
                "actions.yaml",
                "backup:\n  description: x\n  params: {outfile: {type: string}}\n  required: [outfile]\nping:\n",
            ),
        ])
        .unwrap();
        let names: Vec<_> = charm.metadata.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        assert_eq!(names, ["metrics", "db"]);
        assert_eq!(charm.limits.values().collect::<Vec<_>>(), [&1]);
        let defaults: Vec<_> = charm.metadata.options.iter().map(|option| option.default.clone()).collect();
        assert_eq!(defaults, [Value::Bool(true), Value::Null, Value::from(3)]);
        let schema = Value::Object(charm.actions["backup"].clone());
        let expected =
            serde_json::json!({"properties": {"outfile": {"type": "string"}}, "required": ["outfile"]});
        assert_eq!(schema, expected);
    }

    #[test]
    fn what_juju_refuses_is_refused_in_its_words() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (
                &[("metadata.yaml", "name: a\nprovides: {db: x}\nrequires: {db: x}")],
                "charm \"a\" using a duplicated relation name: \"db\"",
            ),
            (
                &[("metadata.yaml", "name: a"), ("config.yaml", "options: {o: {type: list}}")],
                "invalid config: option \"o\" has unknown type \"list\"",
            ),
            (
                &[("metadata.yaml", "name: a"), ("config.yaml", "options: {o: {type: int, default: x}}")],
                "invalid config default: option \"o\" expected int, got \"x\"",
            ),
            (&[("metadata.yaml", "name: a"), ("actions.yaml", "juju-x: {}")], "bad action name juju-x"),
            (&[("metadata.yaml", "name: a"), ("actions.yaml", "Back: {}")], "bad action name Back"),
            (
                &[("metadata.yaml", "name: a"), ("actions.yaml", "a: {params: {p: {$ref: x}}}")],
                "schema key \"$ref\" not compatible with this version of juju",
            ),
            (
                &[("metadata.yaml", "name: a\nstorage: {data: {type: filesystem}}")],
                "charm `a` needs storage `data`, which the simulated model does not have",
            ),
        ];
        for (files, expected) in cases {
            assert_eq!(read(files).expect_err(expected).to_string(), *expected);
        }
    }
}
