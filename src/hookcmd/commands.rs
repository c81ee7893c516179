//! Hook commands with types: one method per command line that a charm needs.
//!
//! One trait is the list of them all; what they take and give is in the rooms of its folder, one noun each.

mod cloud;
mod goal;
mod legacy;
mod network;
mod secret;
mod status;
mod storage;
mod text;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use charms_reactive_core::{ApplicationName, Databag, EndpointName, RelationId, UnitName, WorkloadStatus};
use serde_json::{Map, Value};

use crate::program::HookCommand;
use crate::{Answer, CommandError, HookCommands, Request};
use text::{clipped, json_bytes, one_line, parse_names, printable, with_text};

pub use cloud::{CloudCredential, CloudSpec};
pub use goal::{Goal, GoalState, RelationGoal};
pub use legacy::{PayloadStatus, PodSpec};
pub use network::{BindAddress, InterfaceAddress, Network, OpenedPort, UnitAddress};
pub use secret::{
    Rotation, SecretAccess, SecretInfo, SecretName, SecretOptions, SecretOwner, SecretReader, SecretRevision,
};
pub use status::{ApplicationStatus, LogLevel, ShownStatus};
pub use storage::{Storage, StorageKind};

/// Whose databag is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A unit's.
    Unit(UnitName),
    /// An application's.
    Application(ApplicationName),
}

/// Every hook command of Juju, on top of any backend.
///
/// # Errors
///
/// All methods give [`CommandError::Missing`] for a command that this Juju does not have,
/// [`CommandError::Start`] when the backend cannot run it otherwise, [`CommandError::Refused`] when it ran
/// and did not end with code 0, and those that answer something, [`CommandError::Answer`] when it is not
/// what Juju documents.
///
/// # Source
///
/// `internal/worker/uniter/runner/jujuc` of Juju, one file a command.
pub trait Commands: HookCommands {
    /// The relations of `endpoint`, in Juju's order.
    fn relation_ids(&mut self, endpoint: &EndpointName) -> Result<Vec<RelationId>, CommandError> {
        let request = Request::new("relation-ids", ["--format=json", endpoint.as_str()]);
        parse_names(&self.text_list(&request)?, &request, |text| {
            // Old agents wrote the bare number.
            if text.contains(':') {
                RelationId::parse(text)
            } else {
                RelationId::parse(&format!("{endpoint}:{text}"))
            }
        })
    }

    /// The remote units of a relation, as this hook is shown them.
    fn relation_list(&mut self, relation: &RelationId) -> Result<Vec<UnitName>, CommandError> {
        let request = Request::new("relation-list", ["--format=json", "-r"]).arg(relation.to_string());
        parse_names(&self.text_list(&request)?, &request, UnitName::parse)
    }

    /// The name of the remote application of a relation; `None` where Juju does not tell.
    fn relation_application(
        &mut self,
        relation: &RelationId,
    ) -> Result<Option<ApplicationName>, CommandError> {
        let request =
            Request::new("relation-list", ["--format=json", "--app", "-r"]).arg(relation.to_string());
        match self.json::<Option<ApplicationName>>(&request) {
            Err(CommandError::Refused { .. }) => Ok(None),
            answer => answer,
        }
    }

    /// All that is in a databag of a relation.
    fn relation_get(&mut self, relation: &RelationId, party: &Party) -> Result<Databag, CommandError> {
        let request = Request::new("relation-get", ["--format=json", "-r"]).arg(relation.to_string());
        let request = match party {
            Party::Unit(unit) => request.arg("-").arg(unit.to_string()),
            Party::Application(application) => request.arg("--app").arg("-").arg(application.to_string()),
        };
        Ok(self.json::<Option<Databag>>(&request)?.unwrap_or_default())
    }

    /// Writes `changes` into our unit's databag, or our application's; an empty value removes its key.
    ///
    /// The data goes through standard input, as JSON (which is YAML), so that neither its size nor
    /// the list of processes is a concern.
    fn relation_set(
        &mut self,
        relation: &RelationId,
        is_application: bool,
        changes: &BTreeMap<String, String>,
    ) -> Result<(), CommandError> {
        let mut request = Request::new("relation-set", ["-r"]).arg(relation.to_string());
        if is_application {
            request = request.arg("--app");
        }
        self.run(&request.arg("--file").arg("-").stdin(json_bytes(changes)))
    }

    /// The options that have a value, set or default.
    fn config_get(&mut self) -> Result<Map<String, Value>, CommandError> {
        let request = Request::new("config-get", ["--all", "--format=json"]);
        // Without options Juju answers `{}`.  No answer at all must not be taken for no options.
        let answer = self.checked(&request)?;
        let options: Option<_> = serde_json::from_slice(&answer.stdout)
            .map_err(|source| CommandError::Answer { command: request.to_string(), source })?;
        Ok(options.unwrap_or_default())
    }

    /// Whether this unit leads; true is a promise for thirty seconds.
    fn is_leader(&mut self) -> Result<bool, CommandError> {
        self.json(&Request::new("is-leader", ["--format=json"]))
    }

    /// The settings of the leader.  Juju 4 has none.
    fn leader_get(&mut self) -> Result<BTreeMap<String, String>, CommandError> {
        let request = Request::new("leader-get", ["--format=json", "-"]);
        Ok(self.json::<Option<BTreeMap<String, String>>>(&request)?.unwrap_or_default())
    }

    /// Changes settings of the leader, at once; an empty value removes its key.  Only the leader may.
    fn leader_set(&mut self, changes: &BTreeMap<String, String>) -> Result<(), CommandError> {
        let request = Request::new("leader-set", []);
        let pairs = changes.iter().map(|(key, value)| format!("{key}={value}"));
        self.run(&pairs.fold(request, Request::arg))
    }

    /// The model that the other side of a relation is in, by its UUID.  Juju has this from 3.6.2 on.
    fn relation_model_get(&mut self, relation: &RelationId) -> Result<String, CommandError> {
        #[derive(serde::Deserialize)]
        struct Model {
            uuid: String,
        }
        let request = Request::new("relation-model-get", ["--format=json", "-r"]).arg(relation.to_string());
        Ok(self.json::<Model>(&request)?.uuid)
    }

    /// The units and relations that are there or coming, and how they are.
    fn goal_state(&mut self) -> Result<GoalState, CommandError> {
        let answer: goal::Answered = self.json(&Request::new("goal-state", ["--format=json"]))?;
        Ok(answer.sorted())
    }

    /// The cloud and a credential for it.  Only applications with trust are told.
    fn credential_get(&mut self) -> Result<CloudSpec, CommandError> {
        self.json(&Request::new("credential-get", ["--format=json"]))
    }

    /// How this unit is reached over an endpoint or an extra binding, and over one relation of it.
    fn network_get(&mut self, binding: &str, relation: Option<&RelationId>) -> Result<Network, CommandError> {
        let request = Request::new("network-get", ["--format=json", binding]);
        self.json(&match relation {
            Some(relation) => request.arg("-r").arg(relation.to_string()),
            None => request,
        })
    }

    /// An address of this unit.  Deprecated by Juju in favour of `network-get`.
    fn unit_get(&mut self, address: UnitAddress) -> Result<String, CommandError> {
        self.json(&Request::new("unit-get", ["--format=json", address.as_str()]))
    }

    /// The ids of the storage that is attached to this unit, for example `data/0`; of one name, or of all.
    fn storage_list(&mut self, name: Option<&str>) -> Result<Vec<String>, CommandError> {
        let request = Request::new("storage-list", ["--format=json"]);
        self.text_list(&name.into_iter().fold(request, Request::arg))
    }

    /// What a storage instance is, and where.
    fn storage_get(&mut self, id: &str) -> Result<Storage, CommandError> {
        let request = Request::new("storage-get", ["--format=json", "-s", id]);
        let storage::Attributes { kind, location } = self.json(&request)?;
        Ok(Storage { id: id.to_owned(), kind, location })
    }

    /// Asks for more instances of a storage, at the end of the hook.
    fn storage_add(&mut self, name: &str, count: u32) -> Result<(), CommandError> {
        self.run(&Request::new("storage-add", []).arg(format!("{name}={count}")))
    }

    /// The file that an operator gave for a resource; brought from the controller when it is new.
    fn resource_get(&mut self, name: &str) -> Result<PathBuf, CommandError> {
        // It has no formats, and no end of a line.
        Ok(PathBuf::from(self.text(&Request::new("resource-get", [name]))?))
    }

    /// Makes a secret, at the end of the hook, each key with the content of a file; gives its URI.
    ///
    /// Files, because arguments can be seen by everybody on the machine.
    fn secret_add(
        &mut self,
        options: &SecretOptions,
        files: &BTreeMap<String, PathBuf>,
    ) -> Result<String, CommandError> {
        self.text(&options.say_in(Request::new("secret-add", []), files))
    }

    /// Changes a secret of ours, at the end of the hook; other content is a new revision.
    fn secret_set(
        &mut self,
        id: &str,
        options: &SecretOptions,
        files: &BTreeMap<String, PathBuf>,
    ) -> Result<(), CommandError> {
        self.run(&options.say_in(Request::new("secret-set", [id]), files))
    }

    /// What is in a secret.
    fn secret_get(
        &mut self,
        secret: &SecretName,
        revision: SecretRevision,
    ) -> Result<BTreeMap<String, String>, CommandError> {
        let request = secret.name_in(Request::new("secret-get", []));
        self.json(&revision.ask_in(request).arg("--format=json"))
    }

    /// What is known of a secret of ours.
    fn secret_info_get(&mut self, secret: &SecretName) -> Result<SecretInfo, CommandError> {
        let request = secret.name_in(Request::new("secret-info-get", [])).arg("--format=json");
        let infos: BTreeMap<String, SecretInfo> = self.json(&request)?;
        let first = infos.into_iter().next();
        let (id, info) = first.ok_or_else(|| wrong_answer(&request, "a map of one secret is empty"))?;
        Ok(SecretInfo { id, ..info })
    }

    /// The ids of the secrets of this unit and of its application, without `secret:` before them.
    fn secret_ids(&mut self) -> Result<Vec<String>, CommandError> {
        self.text_list(&Request::new("secret-ids", ["--format=json"]))
    }

    /// Lets the other side of a relation read a secret, at the end of the hook: all of it, or one unit.
    fn secret_grant(
        &mut self,
        id: &str,
        relation: &RelationId,
        unit: Option<&UnitName>,
    ) -> Result<(), CommandError> {
        let request = Request::new("secret-grant", [id, "-r"]).arg(relation.to_string());
        self.run(&match unit {
            Some(unit) => request.arg("--unit").arg(unit.to_string()),
            None => request,
        })
    }

    /// Takes a right to read a secret back, at the end of the hook.
    fn secret_revoke(&mut self, id: &str, reader: &SecretReader) -> Result<(), CommandError> {
        let (flag, name) = match reader {
            SecretReader::Relation(relation) => ("-r", relation.to_string()),
            SecretReader::Application(application) => ("--app", application.to_string()),
            SecretReader::Unit(unit) => ("--unit", unit.to_string()),
        };
        self.run(&Request::new("secret-revoke", [id, flag]).arg(name))
    }

    /// Removes a secret of ours, at the end of the hook: one revision, or all of it.
    fn secret_remove(&mut self, id: &str, revision: Option<u32>) -> Result<(), CommandError> {
        let request = Request::new("secret-remove", [id]);
        self.run(&match revision {
            Some(revision) => request.arg("--revision").arg(revision.to_string()),
            None => request,
        })
    }

    /// Everything in the unit's state.
    fn state_get(&mut self) -> Result<BTreeMap<String, String>, CommandError> {
        let request = Request::new("state-get", ["--format=json"]);
        Ok(self.json::<Option<BTreeMap<String, String>>>(&request)?.unwrap_or_default())
    }

    /// One text of the unit's state.
    fn state_get_key(&mut self, key: &str) -> Result<Option<String>, CommandError> {
        self.json(&Request::new("state-get", ["--format=json", key]))
    }

    /// Writes `changes` into the unit's state, at the end of the hook.
    fn state_set(&mut self, changes: &BTreeMap<String, String>) -> Result<(), CommandError> {
        self.run(&Request::new("state-set", ["--file", "-"]).stdin(json_bytes(changes)))
    }

    /// Removes a key of the unit's state, at the end of the hook.
    fn state_delete(&mut self, key: &str) -> Result<(), CommandError> {
        self.run(&Request::new("state-delete", [key]))
    }

    /// The status that is shown of this unit.
    fn status_get(&mut self) -> Result<ShownStatus, CommandError> {
        self.json(&Request::new("status-get", ["--format=json", "--include-data"]))
    }

    /// The statuses that are shown of the application and of its units; only the leader may ask.
    fn application_status_get(&mut self) -> Result<ApplicationStatus, CommandError> {
        let flags = ["--format=json", "--include-data", "--application"];
        Ok(self.json::<status::OfApplication>(&Request::new("status-get", flags))?.status)
    }

    /// Shows a workload status, at once.
    fn status_set(&mut self, status: WorkloadStatus, message: &str) -> Result<(), CommandError> {
        self.run(&with_text(Request::new("status-set", []), &[status.as_str(), clipped(&one_line(message))]))
    }

    /// Shows a status of the whole application, at once; only the leader may.
    fn application_status_set(&mut self, status: WorkloadStatus, message: &str) -> Result<(), CommandError> {
        self.run(&with_text(
            Request::new("status-set", ["--application"]),
            &[status.as_str(), clipped(&one_line(message))],
        ))
    }

    /// Tells the version of the workload.
    fn application_version_set(&mut self, version: &str) -> Result<(), CommandError> {
        self.run(&with_text(Request::new("application-version-set", []), &[clipped(version)]))
    }

    /// Writes to Juju's log, at once; a long message in several records.
    fn juju_log(&mut self, level: LogLevel, message: &str) -> Result<(), CommandError> {
        let mut rest = message;
        while !rest.is_empty() {
            let part = clipped(rest);
            self.run(&with_text(Request::new("juju-log", ["-l", level.as_str()]), &[part]))?;
            rest = &rest[part.len()..];
        }
        Ok(())
    }

    /// Has the machine restarted when this hook has ended well.
    fn juju_reboot(&mut self) -> Result<(), CommandError> {
        self.run(&Request::new("juju-reboot", []))
    }

    /// Has the machine restarted now: this process is killed, and the hook is run again afterwards.
    fn juju_reboot_now(&mut self) -> Result<(), CommandError> {
        self.run(&Request::new("juju-reboot", ["--now"]))
    }

    /// Opens a port, at the end of the hook: `9090/tcp`, `8000-8100/udp`, `icmp`; for some endpoints, or,
    /// when none is given, for all.
    fn open_port(&mut self, port: &str, endpoints: &[EndpointName]) -> Result<(), CommandError> {
        self.run(&for_endpoints(Request::new("open-port", [port]), endpoints))
    }

    /// Closes a port, at the end of the hook; for some endpoints, or, when none is given, for all.
    fn close_port(&mut self, port: &str, endpoints: &[EndpointName]) -> Result<(), CommandError> {
        self.run(&for_endpoints(Request::new("close-port", [port]), endpoints))
    }

    /// The open ports of the unit, and the endpoints they are open for.
    fn opened_ports(&mut self) -> Result<Vec<OpenedPort>, CommandError> {
        let request = Request::new("opened-ports", ["--format=json", "--endpoints"]);
        parse_names(&self.text_list(&request)?, &request, OpenedPort::parse)
    }

    /// The parameters of the running action.
    fn action_get(&mut self) -> Result<Map<String, Value>, CommandError> {
        let request = Request::new("action-get", ["--format=json"]);
        Ok(self.json::<Option<Map<String, Value>>>(&request)?.unwrap_or_default())
    }

    /// Adds to the result of the running action; dots in a key make maps.
    fn action_set(&mut self, results: &BTreeMap<String, String>) -> Result<(), CommandError> {
        let request = results.iter().fold(Request::new("action-set", []), |request, (key, value)| {
            request.arg(format!("{key}={}", clipped(&printable(value))))
        });
        self.run(&request)
    }

    /// Marks the running action as failed.
    fn action_fail(&mut self, message: &str) -> Result<(), CommandError> {
        self.run(&with_text(Request::new("action-fail", []), &[clipped(message)]))
    }

    /// Shows progress of the running action, at once.
    fn action_log(&mut self, message: &str) -> Result<(), CommandError> {
        self.run(&with_text(Request::new("action-log", []), &[clipped(message)]))
    }

    /// Registers a payload, at once.  Juju 4 has none.
    fn payload_register(
        &mut self,
        kind: &str,
        class: &str,
        id: &str,
        labels: &[&str],
    ) -> Result<(), CommandError> {
        let request = Request::new("payload-register", [kind, class, id]);
        self.run(&labels.iter().copied().fold(request, Request::arg))
    }

    /// Forgets a payload, at once.  Juju 4 has none.
    fn payload_unregister(&mut self, class: &str, id: &str) -> Result<(), CommandError> {
        self.run(&Request::new("payload-unregister", [class, id]))
    }

    /// Says how a payload is, at once.  Juju 4 has none.
    fn payload_status_set(
        &mut self,
        class: &str,
        id: &str,
        status: PayloadStatus,
    ) -> Result<(), CommandError> {
        self.run(&Request::new("payload-status-set", [class, id, status.as_str()]))
    }

    /// Gives metrics, in `collect-metrics` only.  Juju 4 has none.
    fn add_metric(
        &mut self,
        metrics: &BTreeMap<String, String>,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), CommandError> {
        let pairs =
            |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        let mut request = Request::new("add-metric", []);
        if !labels.is_empty() {
            request = request.arg("-l").arg(pairs(labels).join(","));
        }
        self.run(&pairs(metrics).into_iter().fold(request, Request::arg))
    }

    /// The specification of a Kubernetes application whose charm runs in a pod of its own, YAML.  Juju 4 has
    /// no such charms.
    fn pod_spec_get(&mut self, kind: PodSpec) -> Result<Option<String>, CommandError> {
        let name = match kind {
            PodSpec::Juju => "k8s-spec-get",
            PodSpec::Old => "pod-spec-get",
            PodSpec::Raw => "k8s-raw-get",
        };
        match self.text(&Request::new(name, [])) {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Sets such a specification, YAML, at the end of the hook; only the leader may.
    fn pod_spec_set(&mut self, kind: PodSpec, yaml: &str) -> Result<(), CommandError> {
        let name = match kind {
            PodSpec::Juju => "k8s-spec-set",
            PodSpec::Old => "pod-spec-set",
            PodSpec::Raw => "k8s-raw-set",
        };
        self.run(&Request::new(name, ["--file", "-"]).stdin(yaml))
    }

    /// Runs a command that answers nothing.
    fn run(&mut self, request: &Request) -> Result<(), CommandError> {
        self.checked(request).map(drop)
    }

    /// Runs a command and takes its answer if it ended well.
    fn checked(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let answer = self.call(request).map_err(|error| missing_or(error, request.name))?;
        if answer.code == 0 {
            return Ok(answer);
        }
        let stderr = String::from_utf8_lossy(&answer.stderr).trim_end().to_owned();
        Err(CommandError::Refused { command: request.to_string(), code: answer.code, stderr })
    }

    /// Runs a command and reads its answer as JSON; no output at all is null.
    fn json<T: serde::de::DeserializeOwned>(&mut self, request: &Request) -> Result<T, CommandError> {
        let answer = self.checked(request)?;
        let text = answer.stdout.trim_ascii();
        serde_json::from_slice(if text.is_empty() { b"null" } else { text })
            .map_err(|source| CommandError::Answer { command: request.to_string(), source })
    }

    /// Runs a command that answers a text, in no format.
    fn text(&mut self, request: &Request) -> Result<String, CommandError> {
        let answer = self.checked(request)?;
        let text = String::from_utf8(answer.stdout).map_err(|error| wrong_answer(request, error))?;
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// Runs a command that answers a list of texts; null is an empty one.
    fn text_list(&mut self, request: &Request) -> Result<Vec<String>, CommandError> {
        Ok(self.json::<Option<Vec<String>>>(request)?.unwrap_or_default())
    }
}

impl<T: HookCommands + ?Sized> Commands for T {}

/// A command that could not be started because this Juju does not have it is told as that.
fn missing_or(error: CommandError, name: &str) -> CommandError {
    match (error, HookCommand::find(name).and_then(HookCommand::releases)) {
        (CommandError::Start { command, source }, Some(releases))
            if source.kind() == io::ErrorKind::NotFound =>
        {
            CommandError::Missing { command, releases }
        }
        (error, _) => error,
    }
}

fn wrong_answer(request: &Request, error: impl std::fmt::Display) -> CommandError {
    CommandError::Answer { command: request.to_string(), source: serde::de::Error::custom(error) }
}

/// The same command line for these endpoints; for all, when there are none.
fn for_endpoints(request: Request, endpoints: &[EndpointName]) -> Request {
    if endpoints.is_empty() {
        return request;
    }
    let names: Vec<&str> = endpoints.iter().map(EndpointName::as_str).collect();
    request.arg("--endpoints").arg(names.join(","))
}

#[cfg(test)]
mod tests;
