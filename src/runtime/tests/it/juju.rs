//! A small Juju of values: answers hook commands, keeps writes when the dispatch ended well.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use charms_reactive_core::{Databag, HookEvent, UnitName};
use charms_reactive_hookcmd::{Answer, CommandError, HookCommands, Request};
use charms_reactive_runtime::{App, Context, DispatchError, Output, dispatch, tool};
use serde_json::{Value, json};

/// One relation as our unit sees it.
#[derive(Clone, Default)]
pub(crate) struct Relation {
    /// The remote units of `relation-list`.
    pub(crate) members: BTreeSet<String>,
    /// Databags of units and applications, also of units that left.
    pub(crate) databags: BTreeMap<String, Databag>,
}

/// What Juju keeps.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) state: BTreeMap<String, String>,
    pub(crate) relations: BTreeMap<String, Relation>,
    pub(crate) config: BTreeMap<String, Value>,
    pub(crate) is_leader: bool,
    pub(crate) leader: BTreeMap<String, String>,
    pub(crate) parameters: BTreeMap<String, Value>,
}

/// A Juju for one unit, `web/0`.
#[derive(Default)]
pub(crate) struct Juju {
    pub(crate) kept: Kept,
    /// The command lines of the last dispatch.
    pub(crate) commands: Vec<String>,
    /// What `juju-log`, `status-set` and `action-*` were told in the last dispatch.
    pub(crate) log: Vec<String>,
    /// A relation that is gone once its ids have been listed.
    pub(crate) vanishing: Option<String>,
    /// Every hook command whose line begins with this fails.
    pub(crate) failing: Option<&'static str>,
    /// `JUJU_VERSION`.
    pub(crate) version: Option<&'static str>,
    /// Whether dispatches tell what happened, in `trace.json` of the charm directory.
    pub(crate) is_traced: bool,
    /// The folder that files go to.
    pub(crate) charm_dir: Option<tempfile::TempDir>,
}

struct Backend(Rc<RefCell<Running>>);

#[derive(Default)]
struct Running {
    vanishing: Option<String>,
    failing: Option<&'static str>,
    kept: Kept,
    commands: Vec<String>,
    log: Vec<String>,
}

impl Juju {
    /// Adds a relation with these remote units.
    pub(crate) fn relate(&mut self, id: &str, units: &[&str]) {
        let relation = self.kept.relations.entry(id.to_owned()).or_default();
        relation.members = units.iter().map(ToString::to_string).collect();
    }

    /// Sets a key of a databag; an empty text removes it.
    pub(crate) fn write(&mut self, id: &str, party: &str, key: &str, text: &str) {
        let relation = self.kept.relations.get_mut(id).expect("a relation of this test");
        relation.databags.entry(party.to_owned()).or_default().set(key, text);
    }

    /// A databag as JSON.
    pub(crate) fn databag(&self, id: &str, party: &str) -> Value {
        let databag = self.kept.relations.get(id).and_then(|relation| relation.databags.get(party));
        json!(databag.cloned().unwrap_or_default())
    }

    /// The flags in the unit state.
    pub(crate) fn flags(&self) -> Vec<String> {
        self.kept.state.get("flags").map_or_else(Vec::new, |text| serde_json::from_str(text).expect("JSON"))
    }

    /// What the last dispatch told of itself.
    pub(crate) fn trace(&self) -> Value {
        let folder = self.charm_dir.as_ref().expect("a dispatch was run").path();
        let text = std::fs::read(folder.join("trace.json")).expect("a traced dispatch");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// Runs a hook without a relation, or one of `db:1` for `unit` with `event` as `db-relation-joined mysql/0`.
    pub(crate) fn run(&mut self, app: &App, hook: &str) -> Result<(), DispatchError> {
        self.run_on(app, hook, "db:1")
    }

    /// Runs a hook of this relation: `db-relation-joined mysql/0`; without a unit, of its application.
    pub(crate) fn run_on(&mut self, app: &App, hook: &str, relation: &str) -> Result<(), DispatchError> {
        let (path, unit) = hook.split_once(' ').unwrap_or((hook, ""));
        let path = if path.contains('/') { path.to_owned() } else { format!("hooks/{path}") };
        let is_relation = matches!(HookEvent::from_dispatch_path(&path), HookEvent::Relation { .. });
        let application = unit.split('/').next().filter(|name| !name.is_empty()).unwrap_or("mysql");
        let charm_dir = self.charm_dir.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        let charm_dir = charm_dir.path().to_string_lossy().into_owned();
        let context = Context::read(
            |name| match name {
                "JUJU_UNIT_NAME" => Some("web/0".to_owned()),
                "JUJU_DISPATCH_PATH" => Some(path.clone()),
                "JUJU_CONTEXT_ID" => Some("web/0-test".to_owned()),
                "JUJU_CHARM_DIR" => Some(charm_dir.clone()),
                "JUJU_VERSION" => self.version.map(str::to_owned),
                "CHARMS_REACTIVE_TRACE" if self.is_traced => Some(format!("{charm_dir}/trace.json")),
                "JUJU_MODEL_UUID" => Some("cdac5656".to_owned()),
                "JUJU_RELATION_ID" if is_relation => Some(relation.to_owned()),
                "JUJU_REMOTE_APP" if is_relation => Some(application.to_owned()),
                "JUJU_REMOTE_UNIT" if is_relation => Some(unit.to_owned()),
                _ => None,
            },
            11,
        )
        .expect("a hook's environment");
        let running = Rc::new(RefCell::new(Running {
            vanishing: self.vanishing.take(),
            failing: self.failing.take(),
            kept: self.kept.clone(),
            ..Running::default()
        }));
        let result = dispatch(app, Backend(running.clone()), context);
        let running = running.take();
        self.commands = running.commands;
        self.log = running.log;
        if result.is_ok() {
            self.kept = running.kept;
        }
        result
    }
}

impl Juju {
    /// Runs the charm's program as a tool, as `juju exec` would; with these variables besides.
    ///
    /// What it stages is kept however it ends.
    pub(crate) fn tool(&mut self, app: &App, line: &str, variables: &[(&str, &str)]) -> Output {
        let charm_dir = self.charm_dir.get_or_insert_with(|| tempfile::tempdir().expect("a folder"));
        let charm_dir = charm_dir.path().to_string_lossy().into_owned();
        let context = Context::read(
            |name| match (name, variables.iter().find(|(known, _)| *known == name)) {
                (_, Some((_, text))) => Some((*text).to_owned()),
                ("JUJU_UNIT_NAME", _) => Some("web/0".to_owned()),
                ("JUJU_CONTEXT_ID", _) => Some("web/0-run-commands-test".to_owned()),
                ("JUJU_CHARM_DIR", _) => Some(charm_dir.clone()),
                _ => None,
            },
            11,
        );
        let failing = self.failing.take();
        let running =
            Rc::new(RefCell::new(Running { failing, kept: self.kept.clone(), ..Running::default() }));
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let output = tool(app, &arguments, Backend(running.clone()), context);
        let running = running.take();
        (self.commands, self.log, self.kept) = (running.commands, running.log, running.kept);
        output
    }
}

impl HookCommands for Backend {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let mut running = self.0.borrow_mut();
        let args: Vec<&str> = request.args.iter().map(String::as_str).collect();
        let line = request.to_string();
        running.commands.push(line.clone());
        if running.failing.is_some_and(|failing| line.starts_with(failing)) {
            let stderr = b"ERROR connection is shut down\n".to_vec();
            return Ok(Answer { code: 1, stdout: Vec::new(), stderr });
        }
        let stdin: BTreeMap<String, String> = request
            .stdin
            .as_ref()
            .map_or_else(BTreeMap::new, |bytes| serde_json::from_slice(bytes).expect("JSON"));
        let kept = &mut running.kept;
        let answer = match (request.name, args.as_slice()) {
            ("state-get", _) => json!(kept.state),
            ("state-set", _) => {
                kept.state.extend(stdin);
                Value::Null
            }
            ("state-delete", [key]) => {
                kept.state.remove(*key);
                Value::Null
            }
            ("config-get", _) => json!(kept.config),
            ("leader-get", _) => json!(kept.leader),
            ("leader-set", pairs) => {
                for (key, text) in pairs.iter().filter_map(|pair| pair.split_once('=')) {
                    if text.is_empty() {
                        kept.leader.remove(key);
                    } else {
                        kept.leader.insert(key.to_owned(), text.to_owned());
                    }
                }
                Value::Null
            }
            ("is-leader", _) => json!(kept.is_leader),
            ("action-get", _) => json!(kept.parameters),
            ("opened-ports", _) => json!([]),
            ("relation-ids", [_, endpoint]) => {
                let prefix = format!("{endpoint}:");
                let ids: Vec<String> =
                    kept.relations.keys().filter(|id| id.starts_with(&prefix)).cloned().collect();
                if let Some(id) = running.vanishing.take() {
                    running.kept.relations.remove(&id);
                }
                json!(ids)
            }
            ("relation-list", [_, "-r", id]) => match kept.relations.get(*id) {
                Some(relation) => json!(relation.members),
                None => return Ok(refused("ERROR invalid value for option -r: relation not found")),
            },
            ("relation-list", [_, "--app", "-r", _]) => json!("mysql"),
            ("relation-get", [_, "-r", _, "--app", _, "web"]) if !kept.is_leader => {
                return Ok(Answer {
                    code: 1,
                    stdout: Vec::new(),
                    stderr: b"ERROR permission denied".to_vec(),
                });
            }
            ("relation-get", [_, "-r", id, .., party]) => match kept.relations.get(*id) {
                Some(relation) => json!(relation.databags.get(*party).cloned().unwrap_or_default()),
                None => return Ok(refused("ERROR invalid value for option -r: relation not found")),
            },
            ("relation-set", ["-r", id, rest @ ..]) => {
                let party = if rest.contains(&"--app") { "web" } else { "web/0" };
                let relation = kept.relations.get_mut(*id).expect("a relation of this test");
                let databag = relation.databags.entry(party.to_owned()).or_default();
                for (key, text) in stdin {
                    databag.set(&key, &text);
                }
                Value::Null
            }
            (
                "juju-log"
                | "application-version-set"
                | "status-set"
                | "action-set"
                | "action-fail"
                | "open-port",
                _,
            ) => {
                running.log.push(format!("{} {}", request.name, args.join(" ")));
                Value::Null
            }
            _ => panic!("this test's Juju has no `{line}`"),
        };
        let stdout = if answer.is_null() { Vec::new() } else { answer.to_string().into_bytes() };
        Ok(Answer { code: 0, stdout, stderr: Vec::new() })
    }
}

fn refused(text: &str) -> Answer {
    Answer { code: 2, stdout: Vec::new(), stderr: text.as_bytes().to_vec() }
}

/// A unit's name.
pub(crate) fn unit(text: &str) -> UnitName {
    UnitName::parse(text).expect("a valid name")
}
