//! Reads what a charm directory says about the charm: metadata, options, actions.
//!
//! Only what changes how a model behaves is read; texts for humans are skipped.

mod action;
mod option;
mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use charms_reactive_core::{EndpointName, EndpointSpec, Metadata, NameError, OptionSpec, Role};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::charm::Function;
pub(crate) use action::is_action_name;
use action::read_actions;
pub(crate) use option::kind_name;
use option::read_options;
pub(crate) use part::{ResourceKind, ResourceSpec, StorageKind, StorageSpec};

/// The endpoint that every application provides without saying so.
///
/// # Source
///
/// `juju/juju:state/application.go`, `Endpoints`: name and interface are the same.
pub(crate) const JUJU_INFO: &str = "juju-info";

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
    /// A subordinate that could never be placed.
    #[error("subordinate charm \"{charm}\" lacks \"requires\" relation with container scope")]
    NoPrincipal {
        /// The charm.
        charm: String,
    },
    /// A part of the charm is described in a way that Juju does not take.
    #[error("metadata: {part}: {reason}")]
    Part {
        /// For example `storage.data.type`.
        part: String,
        /// What is wrong with it.
        reason: String,
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
    /// Whether its units live beside those of other applications.
    pub(crate) is_subordinate: bool,
    /// The endpoints of scope `container`.
    pub(crate) container_scoped: BTreeSet<EndpointName>,
    pub(crate) storage: BTreeMap<String, StorageSpec>,
    pub(crate) resources: BTreeMap<String, ResourceSpec>,
    /// The names of the workload containers (Kubernetes).
    pub(crate) containers: Vec<String>,
    /// The classes of payloads that units may register.
    pub(crate) payloads: BTreeSet<String>,
    /// The metrics that units may report.
    pub(crate) metrics: BTreeSet<String>,
    /// What it asks of Juju, as written.
    pub(crate) assumes: Vec<Value>,
    /// Whether `manifest.yaml` names bases.
    pub(crate) has_bases: bool,
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
    storage: Option<IndexMap<String, part::StorageFile>>,
    resources: Option<IndexMap<String, part::ResourceFile>>,
    containers: Option<IndexMap<String, Option<Value>>>,
    payloads: Option<IndexMap<String, Option<Value>>>,
    #[serde(default)]
    assumes: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EndpointFile {
    Interface(String),
    Full { interface: String, scope: Option<String>, limit: Option<usize> },
}

#[derive(Deserialize)]
struct ManifestFile {
    bases: Option<Vec<Value>>,
}

fn has_bases(path: &Path) -> Result<bool, CharmError> {
    let manifest: Option<ManifestFile> = read_yaml(path)?;
    Ok(manifest.and_then(|manifest| manifest.bases).is_some_and(|bases| !bases.is_empty()))
}

#[derive(Deserialize)]
struct MetricsFile {
    metrics: Option<IndexMap<String, Option<Value>>>,
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
        let mut metadata = Metadata { name: file.name.clone(), ..Metadata::default() };
        let mut limits = BTreeMap::new();
        let mut container_scoped = BTreeSet::new();
        let groups =
            [(Role::Provides, file.provides), (Role::Requires, file.requires), (Role::Peer, file.peers)];
        for (role, endpoints) in groups {
            for (name, endpoint) in endpoints.unwrap_or_default() {
                let name = EndpointName::parse(&name)
                    .map_err(|source| CharmError::Endpoint { charm: file.name.clone(), source })?;
                if metadata.endpoint(&name).is_some() {
                    return Err(CharmError::Duplicate { charm: file.name, endpoint: name });
                }
                let (interface, scope, limit) = match endpoint {
                    EndpointFile::Interface(interface) => (interface, None, None),
                    EndpointFile::Full { interface, scope, limit } => (interface, scope, limit),
                };
                match scope.as_deref() {
                    None | Some("global") => {}
                    Some("container") => drop(container_scoped.insert(name.clone())),
                    Some(other) => {
                        let reason = format!("unexpected value \"{other}\"");
                        return Err(CharmError::Part { part: format!("{name}.scope"), reason });
                    }
                }
                limits.extend(limit.map(|limit| (name.clone(), limit)));
                metadata.endpoints.push(EndpointSpec { name, role, interface });
            }
        }
        let may_place = |endpoint: &EndpointSpec| {
            endpoint.role == Role::Requires && container_scoped.contains(&endpoint.name)
        };
        if file.subordinate && !metadata.endpoints.iter().any(may_place) {
            return Err(CharmError::NoPrincipal { charm: file.name });
        }
        metadata.options = read_options(&folder.join("config.yaml"))?;
        let actions = read_actions(&folder.join("actions.yaml"))?;
        metadata.actions = actions.keys().cloned().collect();
        Ok(Self {
            metadata,
            limits,
            actions: actions.into_iter().collect(),
            bindings: file.extra_bindings.unwrap_or_default().into_keys().collect(),
            is_subordinate: file.subordinate,
            container_scoped,
            storage: part::storage(file.storage)?,
            resources: part::resources(file.resources)?,
            containers: file.containers.unwrap_or_default().into_keys().collect(),
            payloads: file.payloads.unwrap_or_default().into_keys().collect(),
            metrics: read_metrics(&folder.join("metrics.yaml"))?,
            assumes: file.assumes,
            has_bases: has_bases(&folder.join("manifest.yaml"))?,
            folder: folder.to_owned(),
            function: None,
            is_copied: true,
        })
    }

    /// Whether the charm has this binding: an endpoint, an extra binding, or the implicit endpoint.
    pub(crate) fn has_binding(&self, name: &str) -> bool {
        name == JUJU_INFO
            || self.bindings.contains(name)
            || self.metadata.endpoints.iter().any(|endpoint| endpoint.name.as_str() == name)
    }

    /// The option of this name.
    pub(crate) fn option(&self, name: &str) -> Option<&OptionSpec> {
        self.metadata.options.iter().find(|option| option.name == name)
    }
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

/// The names of the metrics in `metrics.yaml`.
fn read_metrics(path: &Path) -> Result<BTreeSet<String>, CharmError> {
    let file = read_yaml::<MetricsFile>(path)?.and_then(|file| file.metrics);
    Ok(file.unwrap_or_default().into_keys().collect())
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
                &[("metadata.yaml", "name: a\nsubordinate: true\nrequires: {db: x}")],
                "subordinate charm \"a\" lacks \"requires\" relation with container scope",
            ),
            (
                &[("metadata.yaml", "name: a\nrequires: {db: {interface: x, scope: local}}")],
                "metadata: db.scope: unexpected value \"local\"",
            ),
            (
                &[("metadata.yaml", "name: a\nstorage: {data: {type: tape}}")],
                "metadata: storage.data.type: unexpected value \"tape\"",
            ),
            (
                &[("metadata.yaml", "name: a\nstorage: {data: {type: block, location: /srv}}")],
                "metadata: storage.data.location: may not be specified for \"type: block\"",
            ),
            (
                &[("metadata.yaml", "name: a\nstorage: {data: {type: filesystem, shared: true}}")],
                "metadata: storage.data.shared: shared storage support not implemented",
            ),
            (
                &[("metadata.yaml", "name: a\nstorage: {data: {type: block, multiple: {range: 1-x}}}")],
                "metadata: storage.data.multiple.range: value \"1-x\" does not match 'm', 'm-n', or 'm+'",
            ),
            (
                &[("metadata.yaml", "name: a\nresources: {blob: {type: file}}")],
                "metadata: resources.blob.filename: resource missing filename",
            ),
            (
                &[("metadata.yaml", "name: a\nresources: {blob: {type: file, filename: a/b}}")],
                "metadata: resources.blob.filename: filename cannot contain \"/\" (got \"a/b\")",
            ),
        ];
        for (files, expected) in cases {
            assert_eq!(read(files).expect_err(expected).to_string(), *expected);
        }
    }
}
