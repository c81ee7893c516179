//! What `docs/cost.md` says of hook commands is counted here.
//!
//! `UPDATE_EXPECT=1 cargo test -p charms-reactive-tests --test it cost` writes the tables anew.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;

use charms_reactive::hookcmd::{Answer, CommandError, Commands as _, HookCommands, Request};
use charms_reactive::prelude::*;
use charms_reactive::{Context, Endpoint, EndpointKey, HookEvent, Role};
use charms_reactive_testkit::{Event, InProcess, Sim, in_process};

use super::layout;

const NODE: &str = "- job_name: node\n  static_configs:\n    - targets: ['10.0.0.5:9100']\n";

const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");
const WEB: &str = "name: web\nrequires:\n  db: {interface: mysql}\n";
const MYSQL: &str = "name: mysql\nprovides:\n  server: {interface: mysql}\n";

/// A charm that has nothing to do but at its start.
fn idle() -> App {
    App::new(Charm::default().endpoint(DB)).handler(start, on(HookEvent::Start))
}

fn start(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("ready"));
    Ok(())
}

/// A charm that reads the unit which a hook is about, and answers in its own databag.
fn reader() -> App {
    App::new(Charm::default().endpoint(DB)).handler(read, when(DB.changed()))
}

fn read(hook: &mut Hook) -> Result<(), HandlerError> {
    let db = hook.endpoint(DB);
    let named = hook.context().remote_unit.clone();
    for relation in db.relations()? {
        let units = relation.joined_units()?;
        if let Some(unit) = named.as_ref().and_then(|name| units.iter().find(|unit| unit.unit_name() == name))
        {
            let host = unit.received()?.text("host").unwrap_or_default().to_owned();
            relation.to_publish().set("seen", &host)?;
            hook.status(Active(format!("using {host}")));
        }
    }
    db.clear_changed();
    Ok(())
}

/// One hook: what it is, in which step of a life, and the commands that it ran.
type Row = (String, &'static str, Vec<String>);

/// The life of a charm in a model, step by step.
struct Life {
    sim: Sim,
    seen: usize,
    rows: Vec<Row>,
}

impl Life {
    fn new() -> Self {
        let sim = Sim::builder().seed(7).build().expect("a model");
        Self { sim, seen: 0, rows: Vec::new() }
    }

    /// Lets the model come to rest, and takes down the hooks of `unit` as those of this step.
    fn rest(&mut self, unit: &str, step: &'static str) {
        let settled = self.sim.settle().expect("a model that comes to rest");
        assert_eq!(settled.failed, [], "{}", self.sim.transcript());
        for event in &self.sim.events()[self.seen..] {
            match event {
                Event::HookStarted { unit: of, hook, .. } if of.to_string() == unit => {
                    let kind = hook.split_once("-relation-").map(|(_, kind)| format!("…-relation-{kind}"));
                    self.rows.push((kind.unwrap_or_else(|| hook.clone()), step, Vec::new()));
                }
                Event::CommandRun { unit: of, name, .. } if of.to_string() == unit => {
                    let row = self.rows.last_mut().expect("a command is of a hook");
                    row.2.push(name.clone());
                }
                _ => {}
            }
        }
        self.seen = self.sim.events().len();
    }

    /// Each kind of hook once for each list of commands, as a table.
    fn table(self) -> String {
        let mut rows: Vec<Row> = Vec::new();
        for row in self.rows {
            if !rows.iter().any(|(hook, _, commands)| (hook, commands) == (&row.0, &row.2)) {
                rows.push(row);
            }
        }
        let mut table = "| Hook | when | Commands | which |\n|---|---|---:|---|\n".to_owned();
        for (hook, step, commands) in rows {
            let names: Vec<String> = commands.iter().map(|name| format!("`{name}`")).collect();
            writeln!(table, "| `{hook}` | {step} | {} | {} |", commands.len(), names.join(" "))
                .expect("texts can be written");
        }
        table
    }
}

/// The other side: writes a key when it is told to, in `update-status`.
fn other(metadata: &str, endpoint: &'static str) -> InProcess {
    InProcess::from_yaml(metadata, move |mut commands, environment| {
        if environment.var("JUJU_DISPATCH_PATH") == Some("hooks/update-status") {
            let run = environment.var("JUJU_CONTEXT_ID").unwrap_or_default();
            let request = Request::new("relation-set", ["-r"]).arg(format!("{endpoint}:0"));
            return i32::from(commands.run(&request.arg(format!("host={run}"))).is_err());
        }
        0
    })
}

/// A life of `unit` of the application `name` whose charm is deployed, and of `other` related to it.
fn live(life: &mut Life, (unit, endpoint): (&str, &str), other: (&str, &str), charm: &InProcess) {
    let (application, _) = unit.split_once('/').expect("a unit");
    life.rest(unit, "deployed");
    let relation = life.sim.relate(endpoint, other.1).expect("related");
    life.rest(unit, "a unit comes");
    life.sim.update_status(unit).expect("a unit");
    life.rest(unit, "nothing to do");
    life.sim.update_status(&format!("{}/0", other.0)).expect("a unit");
    life.rest(unit, "a key is another");
    life.sim.set_leader(unit).expect("a unit");
    life.rest(unit, "elected");
    life.sim.upgrade(application, charm).expect("upgraded");
    life.rest(unit, "upgraded");
    if application == "jobs" {
        life.sim.configure("jobs", &[("jobs", NODE)]).expect("configured");
        life.rest(unit, "an option is another");
        life.sim.run_action(unit, "list-jobs", serde_json::Value::Null).expect("an action");
        life.rest(unit, "asked");
    }
    life.sim.remove_unit(&format!("{}/1", other.0)).expect("removed");
    life.rest(unit, "a unit goes");
    life.sim.remove_relation(relation).expect("removed");
    life.rest(unit, "the relation goes");
    life.sim.remove_unit(unit).expect("removed");
    life.rest(unit, "removed");
}

fn life_of(app: fn() -> App) -> String {
    let mut life = Life::new();
    let charm = in_process(app).metadata(WEB);
    life.sim.deploy("web", &charm, 1).expect("deployed");
    life.sim.deploy("mysql", other(MYSQL, "server"), 2).expect("deployed");
    live(&mut life, ("web/0", "web:db"), ("mysql", "mysql:server"), &charm);
    life.table()
}

fn life_of_scrape_jobs() -> String {
    let mut life = Life::new();
    let charm = in_process(prometheus_scrape_jobs::app).folder(layout::SCRAPE_JOBS.folder);
    let metadata = "name: silent\nrequires:\n  manual-jobs: {interface: prometheus-manual}\n";
    life.sim.deploy("jobs", &charm, 1).expect("deployed");
    life.sim.deploy("prometheus", other(metadata, "manual-jobs"), 2).expect("deployed");
    live(&mut life, ("jobs/0", "jobs:prometheus"), ("prometheus", "prometheus:manual-jobs"), &charm);
    life.table()
}

/// A Juju with one relation of many units, whose databags have ten keys each.
#[derive(Clone, Default)]
struct Crowd {
    units: usize,
    /// The value of all keys of the unit that changes.
    value: Rc<RefCell<String>>,
    state: Rc<RefCell<BTreeMap<String, String>>>,
    commands: Rc<RefCell<Vec<&'static str>>>,
}

impl HookCommands for Crowd {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        self.commands.borrow_mut().push(request.name);
        let told = request.stdin.as_deref().unwrap_or_default();
        let is_of = |unit: &str| request.args.last().is_some_and(|last| last == unit);
        let json = match request.name {
            "state-get" => serde_json::to_string(&*self.state.borrow()).expect("texts are JSON"),
            "state-set" => {
                let changes: BTreeMap<String, String> = serde_json::from_slice(told).expect("JSON");
                self.state.borrow_mut().extend(changes);
                String::new()
            }
            "relation-ids" => r#"["db:1"]"#.to_owned(),
            "relation-list" => {
                let units: Vec<String> = (0..self.units).map(|unit| format!("mysql/{unit}")).collect();
                serde_json::to_string(&units).expect("texts are JSON")
            }
            "relation-get" if is_of("web/0") => "{}".to_owned(),
            "relation-get" => {
                let value = if is_of("mysql/0") { self.value.borrow().clone() } else { "v".to_owned() };
                let databag: BTreeMap<_, _> = (0..10).map(|key| (format!("key{key}"), &value)).collect();
                serde_json::to_string(&databag).expect("texts are JSON")
            }
            _ => String::new(),
        };
        Ok(Answer { stdout: json.into_bytes(), ..Answer::default() })
    }
}

impl Crowd {
    /// Runs a hook, and gives the commands that it ran.
    fn run(&self, app: &App, hook: &str, unit: &str) -> Vec<&'static str> {
        let folder = tempfile::tempdir().expect("a folder");
        let variable = |name: &str| {
            let value = match name {
                "JUJU_UNIT_NAME" => "web/0",
                "JUJU_DISPATCH_PATH" => hook,
                "JUJU_RELATION_ID" => "db:1",
                "JUJU_REMOTE_APP" => "mysql",
                "JUJU_REMOTE_UNIT" => unit,
                "JUJU_CHARM_DIR" => folder.path().to_str()?,
                _ => return None,
            };
            Some(value.to_owned())
        };
        let context = Context::read(variable, 1).expect("a hook's environment");
        charms_reactive::dispatch(app, self.clone(), context).expect("a dispatch that ends well");
        self.commands.take()
    }
}

/// The commands of a `-changed` hook in which the named unit has other data than before.
fn changed(units: usize) -> Vec<&'static str> {
    let crowd = Crowd { units, ..Crowd::default() };
    let app = reader();
    // The first dispatch sees everybody; the third is like all that follow.
    crowd.run(&app, "hooks/start", "");
    crowd.run(&app, "hooks/db-relation-changed", "mysql/0");
    "another".clone_into(&mut crowd.value.borrow_mut());
    crowd.run(&app, "hooks/db-relation-changed", "mysql/0")
}

const CROWDS: [usize; 4] = [1, 10, 100, 1000];

fn crowds() -> String {
    let mut table = "| Units on the other side | Commands |\n|---:|---:|\n".to_owned();
    for units in CROWDS {
        writeln!(table, "| {units} | {} |", changed(units).len()).expect("texts can be written");
    }
    table
}

#[test]
fn a_changed_hook_costs_the_same_however_many_units_there_are() {
    let one = changed(1);
    assert!(one.contains(&"relation-set"), "{one:?}");
    for units in CROWDS {
        let all = changed(units);
        // A record of many units is several keys of the state, one of which may go.
        let all: Vec<_> = all.into_iter().filter(|name| *name != "state-delete").collect();
        assert_eq!(all, one, "{units} units");
    }
}

#[test]
fn a_hook_with_nothing_to_do_runs_one_command() {
    for app in [idle, reader] {
        let table = life_of(app);
        assert!(table.contains("| `update-status` | nothing to do | 1 | `state-get` |"), "{table}");
    }
    let table = life_of_scrape_jobs();
    assert!(table.contains("| `update-status` | nothing to do | 1 | `state-get` |"), "{table}");
}

/// The page with `text` between the two marks of `name`.
fn with_part(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has no `{begin}`"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page has no `{end}`"));
    format!("{before}{begin}{text}{end}{after}")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "writes the page when it is asked to")]
fn the_page_shows_what_is_counted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cost.md");
    let page = std::fs::read_to_string(&path).expect("docs/cost.md");
    let mut counted = page.clone();
    for (name, text) in [
        ("commands of an idle charm", life_of(idle)),
        ("commands of a charm that reads", life_of(reader)),
        ("commands of prometheus-scrape-jobs", life_of_scrape_jobs()),
        ("commands by units", crowds()),
    ] {
        counted = with_part(&counted, name, &text);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, counted).expect("docs/cost.md can be written");
    } else {
        assert_eq!(page, counted, "UPDATE_EXPECT=1 writes docs/cost.md anew");
    }
}
