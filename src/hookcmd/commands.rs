//! Hook commands with types: one method per command line that a charm needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use charms_reactive_core::{ApplicationName, Databag, EndpointName, RelationId, UnitName, WorkloadStatus};
use serde_json::{Map, Value};

use crate::{Answer, CommandError, HookCommands, Request};

/// How severe a message in Juju's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For the author of the framework.
    Trace,
    /// For the author of the charm.
    Debug,
    /// For the operator.
    Info,
    /// Something the operator should look at.
    Warning,
    /// The hook failed.
    Error,
}

impl LogLevel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// Whose databag is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A unit's.
    Unit(UnitName),
    /// An application's.
    Application(ApplicationName),
}

/// Arguments longer than this are cut: one argument of a program may have 128 KiB on Linux.
const ARG_BYTES_MAX: usize = 100_000;

/// Every hook command the framework uses, on top of any backend.
///
/// # Errors
///
/// All methods give [`CommandError::Start`] when the backend cannot run the command,
/// [`CommandError::Refused`] when it ran and did not end with code 0, and those that answer
/// something, [`CommandError::Answer`] when it is not the JSON that Juju documents.
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

    /// The units that our application is to have: those that are there or coming, less those that go.
    fn planned_units(&mut self) -> Result<Vec<UnitName>, CommandError> {
        #[derive(serde::Deserialize)]
        struct Goal {
            #[serde(default)]
            units: BTreeMap<UnitName, Unit>,
        }
        #[derive(serde::Deserialize)]
        struct Unit {
            #[serde(default)]
            status: String,
        }
        let goal: Goal = self.json(&Request::new("goal-state", ["--format=json"]))?;
        let stays = goal.units.into_iter().filter(|(_, unit)| unit.status != "dying");
        Ok(stays.map(|(name, _)| name).collect())
    }

    /// Makes a secret of this unit, each key with the content of a file; gives its URI.
    fn secret_add(&mut self, files: &BTreeMap<String, PathBuf>) -> Result<String, CommandError> {
        let request = Request::new("secret-add", ["--owner", "unit"]);
        let pairs = files.iter().map(|(key, path)| format!("{key}#file={}", path.display()));
        let answer = self.checked(&pairs.fold(request, Request::arg))?;
        Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    }

    /// Lets the other side of a relation read a secret.
    fn secret_grant(&mut self, uri: &str, relation: &RelationId) -> Result<(), CommandError> {
        self.run(&Request::new("secret-grant", [uri, "-r"]).arg(relation.to_string()))
    }

    /// What is in a secret.
    fn secret_get(&mut self, uri: &str) -> Result<BTreeMap<String, String>, CommandError> {
        self.json(&Request::new("secret-get", [uri, "--format=json"]))
    }

    /// Removes a secret of this unit.
    fn secret_remove(&mut self, uri: &str) -> Result<(), CommandError> {
        self.run(&Request::new("secret-remove", [uri]))
    }

    /// Everything in the unit's state.
    fn state_get(&mut self) -> Result<BTreeMap<String, String>, CommandError> {
        let request = Request::new("state-get", ["--format=json"]);
        Ok(self.json::<Option<BTreeMap<String, String>>>(&request)?.unwrap_or_default())
    }

    /// Writes `changes` into the unit's state, at the end of the hook.
    fn state_set(&mut self, changes: &BTreeMap<String, String>) -> Result<(), CommandError> {
        self.run(&Request::new("state-set", ["--file", "-"]).stdin(json_bytes(changes)))
    }

    /// Removes a key of the unit's state, at the end of the hook.
    fn state_delete(&mut self, key: &str) -> Result<(), CommandError> {
        self.run(&Request::new("state-delete", [key]))
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

    /// Opens a port, for example `9090/tcp`.
    fn open_port(&mut self, port: &str) -> Result<(), CommandError> {
        self.run(&Request::new("open-port", [port]))
    }

    /// Closes a port, for example `9090/tcp`.
    fn close_port(&mut self, port: &str) -> Result<(), CommandError> {
        self.run(&Request::new("close-port", [port]))
    }

    /// The open ports of the unit, for example `9090/tcp`.
    fn opened_ports(&mut self) -> Result<Vec<String>, CommandError> {
        self.text_list(&Request::new("opened-ports", ["--format=json"]))
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

    /// Runs a command that answers nothing.
    fn run(&mut self, request: &Request) -> Result<(), CommandError> {
        self.checked(request).map(drop)
    }

    /// Runs a command and takes its answer if it ended well.
    fn checked(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let answer = self.call(request)?;
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

    /// Runs a command that answers a list of texts; null is an empty one.
    fn text_list(&mut self, request: &Request) -> Result<Vec<String>, CommandError> {
        Ok(self.json::<Option<Vec<String>>>(request)?.unwrap_or_default())
    }
}

impl<T: HookCommands + ?Sized> Commands for T {}

/// `request` with positional texts; `--` comes before them only where one could be taken for a flag.
fn with_text(request: Request, texts: &[&str]) -> Request {
    let is_like_flag = texts.iter().any(|text| text.starts_with('-'));
    let request = if is_like_flag { request.arg("--") } else { request };
    texts.iter().fold(request, |request, text| request.arg(printable(text)))
}

/// How long a status may be: `juju status` shows one line.
const STATUS_CHARS_MAX: usize = 500;

/// A text on one line, of a length that can be read.
fn one_line(text: &str) -> String {
    let parts = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    let line = parts.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(STATUS_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// A text without control characters: no program takes a NUL as part of an argument, and no terminal
/// should be told what to do by a databag.
fn printable(text: &str) -> String {
    let is_wanted = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    text.chars().map(|character| if is_wanted(character) { character } else { '\u{fffd}' }).collect()
}

/// The first part of `text` that fits into one argument, cut between characters.
fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(ARG_BYTES_MAX)]
}

fn json_bytes(map: &BTreeMap<String, String>) -> Vec<u8> {
    serde_json::to_vec(map).expect("a map of texts is JSON")
}

/// Parses each text of a list, as the answer of `request`.
fn parse_names<T, E: std::fmt::Display>(
    texts: &[String],
    request: &Request,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, CommandError> {
    let wrong = |error: E| CommandError::Answer {
        command: request.to_string(),
        source: serde::de::Error::custom(error),
    };
    texts.iter().map(|text| parse(text).map_err(wrong)).collect()
}
