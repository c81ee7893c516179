//! The runs that are looked at: charms made by hand, so that their pages say what they should.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use charms_reactive_sim::hookcmd::{HookCommands, Request};
use charms_reactive_sim::{Builder, Environment, InProcess, JujuVersion, Sim, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a page must show as it is, and never take for its own.
pub(crate) const HOSTILE: &str =
    "</script><script>window.broken=1</script><img src=x onerror=window.broken=1><!-- \u{202e}";
/// What no page may have in it.
pub(crate) const SECRETS: [&str; 2] = ["hunter2", "MIIEvQIBADANBg"];

const WEB: &str = "
name: web
requires: { db: { interface: sql } }
peers: { ring: { interface: ring } }
";
const WEB_CONFIG: &str = "options: { port: { type: int, default: 80 } }";
const WEB_ACTIONS: &str = "backup: { params: { to: { type: string, default: disk } } }";
const MYSQL: &str = "
name: mysql
provides: { server: { interface: sql } }
";

/// The page of a run, in a file.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Page {
    pub(crate) fn of(sim: &Sim) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run.html");
        sim.write_page(&path).expect("a page");
        Self { path, _folder: folder }
    }
}

/// The settings of both runs.
fn builder(seed: u64) -> Builder {
    Sim::builder().seed(seed).record(true)
}

/// A small run in which everything happens once.
pub(crate) fn small() -> Sim {
    let mut sim = builder(7).juju_version(JujuVersion::V3_6).build().expect("a model");
    sim.deploy("web", web(), 2).expect("deployed");
    sim.deploy("mysql", mysql(), 1).expect("deployed");
    sim.settle().expect("settled");
    sim.relate("web:db", "mysql:server").expect("related");
    sim.settle().expect("settled");
    sim.run_action("web/0", "backup", json!({ "to": "tape" })).expect("an action");
    sim.advance(Duration::from_mins(7)).expect("time");
    // Port 0 makes the charm fail, until an operator mends it.
    sim.configure("web", &[("port", "0")]).expect("configured");
    sim.settle().expect("settled");
    sim.configure("web", &[("port", "8080")]).expect("configured");
    sim.advance(Duration::from_mins(6)).expect("time");
    let guard = sim.rule(|command| match (command.name, command.hook) {
        ("status-set", "config-changed") => Verdict::Kill,
        _ => Verdict::Run,
    });
    sim.configure("web", &[("port", "8081")]).expect("configured");
    sim.step().expect("a step");
    drop(guard);
    sim.settle().expect("settled");
    sim.set_leader("web/1").expect("a leader");
    sim.settle().expect("settled");
    sim.add_unit("web").expect("a unit");
    sim.settle().expect("settled");
    sim.remove_unit("web/0").expect("removed");
    sim.settle().expect("settled");
    sim
}

/// A run of more than a thousand hooks.
pub(crate) fn large() -> Sim {
    let mut sim = builder(11).build().expect("a model");
    sim.deploy("web", web(), 24).expect("deployed");
    sim.deploy("mysql", mysql(), 3).expect("deployed");
    sim.deploy("worker", web(), 5).expect("deployed");
    sim.settle().expect("settled");
    sim.relate("web:db", "mysql:server").expect("related");
    sim.settle().expect("settled");
    sim.configure("worker", &[("port", "0")]).expect("configured");
    sim.settle().expect("settled");
    sim.configure("worker", &[("port", "81")]).expect("configured");
    sim.advance(Duration::from_mins(30)).expect("time");
    sim.remove_unit("web/3").expect("removed");
    sim.kill_at(20);
    sim.settle().expect("settled");
    sim
}

fn web() -> InProcess {
    InProcess::from_yaml(WEB, dispatch_web).config(WEB_CONFIG).actions(WEB_ACTIONS)
}

fn mysql() -> InProcess {
    InProcess::from_yaml(MYSQL, |mut commands, environment| {
        let hook = hook_of(environment);
        let mut ask = |name, args: &[&str]| ask(&mut *commands, name, args);
        if hook == "install" {
            ask("status-set", &["maintenance", "installing"]);
        }
        if hook == "start" {
            ask("open-port", &["3306/tcp"]);
            ask("status-set", &["active", "ready"]);
        }
        if hook.ends_with("-relation-joined") {
            let unit = environment.var("JUJU_UNIT_NAME").unwrap_or_default();
            let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----";
            ask("secret-add", &["--label", "db", "password=hunter2"]);
            ask(
                "relation-set",
                &[&format!("host={unit}.example"), &format!("note={HOSTILE}"), &format!("key={key}")],
            );
        }
        if hook.ends_with("-relation-departed") {
            ask("juju-log", &["--log-level", "WARNING", HOSTILE]);
        }
        0
    })
}

/// The charm `web`: handlers with flags, and a trace of them, as a framework would write it.
fn dispatch_web(mut commands: Box<dyn HookCommands>, environment: &Environment) -> i32 {
    let hook = hook_of(environment);
    let mut ask = |name, args: &[&str]| ask(&mut *commands, name, args);
    if let Some(action) = environment.var("JUJU_ACTION_NAME") {
        ask("action-get", &["--format=json"]);
        ask("action-log", &[&format!("running {action}")]);
        ask("action-set", &["size=12"]);
        return 0;
    }
    let saved: BTreeMap<String, String> =
        serde_json::from_str(&ask("state-get", &["--format=json"])).unwrap_or_default();
    let saved = saved.get("flags").map_or("[]", String::as_str);
    let mut dispatch = Dispatch::new(&hook, serde_json::from_str(saved).unwrap_or_default());
    let config: Value = serde_json::from_str(&ask("config-get", &["--format=json"])).unwrap_or_default();
    if hook == "db-relation-changed" {
        ask("relation-get", &["--format=json", "-", environment.var("JUJU_REMOTE_UNIT").unwrap_or_default()]);
    }
    dispatch.change(hook == "db-relation-changed", "+db.available");
    dispatch.change(hook == "db-relation-broken", "-db.available");
    dispatch.change(hook == "config-changed", "+config.changed");
    dispatch.automatic = std::mem::take(&mut dispatch.changed);
    if dispatch.run(
        "install",
        "on install",
        hook == "install",
        "for `install`, this is another hook",
        &["+web.installed"],
    ) {
        ask("application-version-set", &["2.4.1"]);
        ask("status-set", &["maintenance", "installing"]);
    }
    let is_set = dispatch.flags.contains("config.changed");
    if dispatch.run(
        "configure",
        "web.installed, config.changed",
        is_set,
        "`config.changed` is not set",
        &["+web.configured", "-config.changed"],
    ) {
        let port = config["port"].to_string();
        if port == "0" {
            ask("juju-log", &["--log-level", "ERROR", "port 0 cannot be listened on"]);
            dispatch.write(environment, Some("handler `configure`: port 0 cannot be listened on"));
            return 1;
        }
        ask("open-port", &[&format!("{port}/tcp")]);
        let unit = environment.var("JUJU_UNIT_NAME").unwrap_or_default();
        ask("relation-set", &["-r", "ring:0", &format!("port={port}"), &format!("host={unit}.example")]);
    }
    let is_ready = dispatch.flags.contains("db.available");
    let is_started = dispatch.flags.contains("web.started");
    let because = if is_ready { "`web.started` is set; it must not be" } else { "`db.available` is not set" };
    if dispatch.run(
        "start_web",
        "web.configured, db.available, not web.started",
        is_ready && !is_started,
        because,
        &["+web.started"],
    ) {
        ask("juju-log", &[&format!("starting, {HOSTILE}")]);
    }
    dispatch.run(
        "stop_web",
        "web.started, not db.available",
        is_started && !is_ready,
        "`db.available` is set; it must not be",
        &["-web.started"],
    );
    dispatch.run(
        "report",
        "web.installed",
        false,
        "its flags are as it wants them, but none of them changed in this round",
        &[],
    );
    if dispatch.flags.contains("web.started") {
        ask("status-set", &["active", "ready"]);
    } else if hook != "install" {
        ask("status-set", &["waiting", "for a database"]);
    }
    let flags = serde_json::to_string(&dispatch.flags).expect("plain");
    ask("state-set", &[&format!("flags={flags}"), &format!("last-hook={hook}")]);
    dispatch.write(environment, None);
    0
}

/// One dispatch of the charm `web`.
struct Dispatch {
    hook: String,
    before: BTreeSet<String>,
    flags: BTreeSet<String>,
    automatic: Vec<String>,
    changed: Vec<String>,
    ran: Vec<Value>,
    not_run: Vec<Value>,
}

impl Dispatch {
    fn new(hook: &str, flags: BTreeSet<String>) -> Self {
        let [automatic, changed] = [Vec::new(), Vec::new()];
        let [ran, not_run] = [Vec::new(), Vec::new()];
        Self { hook: hook.to_owned(), before: flags.clone(), flags, automatic, changed, ran, not_run }
    }

    /// Sets a flag (`+name`) or clears one (`-name`), on a condition.
    fn change(&mut self, is_due: bool, change: &str) {
        let (sign, flag) = change.split_at(1);
        if is_due && if sign == "+" { self.flags.insert(flag.to_owned()) } else { self.flags.remove(flag) } {
            self.changed.push(change.to_owned());
        }
    }

    /// A handler; tells whether it is to run.
    fn run(&mut self, handler: &str, condition: &str, is_due: bool, because: &str, changes: &[&str]) -> bool {
        if is_due {
            self.changed.clear();
            for change in changes {
                self.change(true, change);
            }
            self.ran.push(json!({ "handler": handler, "condition": condition, "changed": self.changed }));
        } else {
            self.not_run.push(json!({ "handler": handler, "condition": condition, "because": because }));
        }
        is_due
    }

    fn write(&self, environment: &Environment, error: Option<&str>) {
        let Some(path) = environment.var("CHARMS_REACTIVE_TRACE") else { return };
        let phase = json!({
            "phase": "round", "number": 1, "flags": self.before, "changed": self.automatic,
            "ran": self.ran, "not_run": self.not_run,
        });
        let trace = json!({
            "format": 1, "dispatch": self.hook, "before": self.before, "automatic": self.automatic,
            "phases": [phase], "after": self.flags, "error": error,
        });
        write(Path::new(path), &trace.to_string());
    }
}

#[expect(clippy::disallowed_methods, reason = "files of charms, and the trace that a framework would write")]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a folder that is there");
}

fn hook_of(environment: &Environment) -> String {
    let path = environment.var("JUJU_DISPATCH_PATH").unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Has a hook command run; its answer, also of one that failed.
fn ask(commands: &mut dyn HookCommands, name: &'static str, args: &[&str]) -> String {
    let request = args.iter().fold(Request::new(name, []), |request, arg| request.arg(*arg));
    let answer = commands.call(&request).expect("the model answers");
    String::from_utf8_lossy(&answer.stdout).into_owned()
}
