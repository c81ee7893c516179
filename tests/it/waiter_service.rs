//! Waiters in a service: the charm `cluster` says what it always says, and all units show the same flags.

#[path = "../charms/patient/app.rs"]
mod patient;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use charms_reactive::Context;
use charms_reactive::daemon::{Answer, Daemon, DaemonError};
use charms_reactive::prelude::*;
use charms_reactive_core::waiter::Moment;
use charms_reactive_server::runtimeconfig::{self, Call, Incoming, Service, Snapshot};
use charms_reactive_testkit::{Sim, in_process};
use serde_json::{Value, json};

use crate::cluster::app as cluster;

const CHARMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charms");

/// The service that the daemons of all units are one with, by the model's clock.
struct World {
    service: Service,
    /// Of which units the daemons do not answer: those whose names begin so.
    down: Option<&'static str>,
    /// Of each unit, which waiters it is to be woken for.
    wake_ups: BTreeMap<String, BTreeMap<String, Value>>,
    requests: usize,
    /// When the model began: in its first dispatch.
    began: Option<Moment>,
}

thread_local! {
    static WORLD: Rc<RefCell<World>> = Rc::new(RefCell::new(World {
        service: Service::load(Snapshot::default()),
        down: None,
        wake_ups: BTreeMap::new(),
        requests: 0,
        began: None,
    }));
}

fn world<T>(look: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with(|world| look(&mut world.borrow_mut()))
}

/// The daemon of one unit, in one dispatch.
struct Virtual {
    unit: String,
    now: Moment,
}

impl Daemon for Virtual {
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, DaemonError> {
        world(|world| {
            if world.down.is_some_and(|down| self.unit.starts_with(down)) {
                return Err(DaemonError("it is down".into()));
            }
            world.requests += 1;
            world.began.get_or_insert(self.now);
            let wake_ups = world.wake_ups.entry(self.unit.clone()).or_default();
            if let Some(name) = path.strip_prefix("/1.0/wake-ups/") {
                match (method, body) {
                    ("PUT", Some(body)) => drop(wake_ups.insert(name.to_owned(), body.clone())),
                    _ => drop(wake_ups.remove(name)),
                }
                return Ok(Answer { status: 200, body: json!({}) });
            }
            if path == "/1.0/wake-ups" {
                let shown = |(name, when): (&String, &Value)| {
                    let mut one = when.clone();
                    one["name"] = name.as_str().into();
                    one
                };
                let all: Vec<Value> = wake_ups.iter().map(shown).collect();
                return Ok(Answer { status: 200, body: json!({ "metadata": all }) });
            }
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let body = body.map(Value::to_string).unwrap_or_default();
            let (_, call) = Call::parse(Incoming { method, path, query, body: body.as_bytes() });
            world.service.tick(self.now);
            let answer = call.and_then(|call| world.service.call(call, self.now));
            Ok(match answer {
                Ok(runtimeconfig::Answer::Done(body)) => Answer { status: 200, body },
                Ok(runtimeconfig::Answer::Watching(_)) => unreachable!("nobody watches"),
                Err(error) => Answer { status: error.code.status(), body: error.to_json(false) },
            })
        })
    }
}

fn with_daemon(app: App) -> App {
    app.daemon_with(|context: &Context| {
        Box::new(Virtual { unit: context.unit.to_string(), now: context.now }) as Box<dyn Daemon>
    })
}

fn cluster_in_service() -> App {
    with_daemon(cluster::app()).waiters_in_service()
}

fn patient_in_relation() -> App {
    with_daemon(patient::app())
}

fn patient_in_service() -> App {
    patient_in_relation().waiters_in_service()
}

/// A model with a charm of this folder, of which there is no unit yet; nothing happens by the clock.
fn model(app: fn() -> App, folder: &str) -> Sim {
    let mut sim = Sim::builder().seed(7).update_status_interval(Duration::ZERO).build().expect("a model");
    sim.deploy("db", in_process(app).folder(format!("{CHARMS}/{folder}")), 0).expect("deployed");
    sim
}

/// The flags of waiters, unit by unit.
fn flags(sim: &Sim) -> BTreeMap<String, Vec<String>> {
    let of = |unit: &str| {
        let state = sim.unit_state(unit).expect("a unit");
        let flags: Vec<String> = serde_json::from_str(&state["flags"]).expect("a list of flags");
        flags.into_iter().filter(|flag| flag.starts_with("waiter.")).collect()
    };
    sim.units("db").iter().map(|unit| (unit.to_string(), of(&unit.to_string()))).collect()
}

fn messages(sim: &Sim) -> Vec<String> {
    sim.units("db").iter().map(|unit| sim.unit(&unit.to_string()).expect("a unit").workload.message).collect()
}

#[track_caller]
fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

/// What the service has, by the model's clock.
fn look(sim: &Sim, path: &str) -> Answer {
    let began = world(|world| world.began).expect("it has been asked");
    let daemon = Virtual { unit: String::new(), now: began.after(sim.now()) };
    daemon.request("GET", &format!("/v1beta1/{path}"), None).expect("an answer")
}

/// Wakes the units whose waiters have ended, until there is none; here as `update-status`.
#[track_caller]
fn wake(sim: &mut Sim) {
    for _ in 0..10 {
        let has_ended = |waiter: &str| {
            let answer = look(sim, waiter);
            answer.status == 404 || answer.body["done"] == true
        };
        let wanted = world(|world| world.wake_ups.clone());
        let due = wanted.iter().filter(|(_, wake_ups)| {
            wake_ups.values().filter_map(|when| when["waiter"].as_str()).any(has_ended)
        });
        let due: Vec<String> = due.map(|(unit, _)| unit.clone()).collect();
        if due.is_empty() {
            return;
        }
        for unit in due {
            sim.update_status(&unit).expect("a unit");
        }
        settle(sim);
    }
    panic!("units are woken for ever\n{}", sim.transcript());
}

/// What is seen after a deed: the flags of each unit, and what it says.
type Seen = (BTreeMap<String, Vec<String>>, Vec<String>);

/// Does the same with waiters in the relation and in the service; gives what is seen after each.
fn both(apps: [fn() -> App; 2], folder: &str, deeds: &[fn(&mut Sim)]) -> [Vec<Seen>; 2] {
    apps.map(|app| {
        let mut sim = model(app, folder);
        let see = |deed: &fn(&mut Sim)| {
            deed(&mut sim);
            settle(&mut sim);
            wake(&mut sim);
            // Whom nobody wakes, it is told by its next hook.
            for unit in sim.units("db") {
                sim.update_status(&unit.to_string()).expect("a unit");
            }
            settle(&mut sim);
            (flags(&sim), messages(&sim))
        };
        deeds.iter().map(see).collect()
    })
}

fn add(sim: &mut Sim) {
    sim.add_unit("db").expect("added");
}

#[test]
fn the_same_declarations_give_the_same_flags_in_a_service() {
    let apps: [fn() -> App; 2] = [cluster::app, cluster_in_service];
    let remove = |sim: &mut Sim| sim.remove_unit("db/0").expect("removed");
    let [mut relation, mut service] = both(apps, "cluster", &[add, add, add, add, remove]);
    // The moment at which the cluster was begun is part of what is said.
    for said in relation.iter_mut().chain(&mut service).flat_map(|(_, said)| said) {
        *said = said.split(" 20").next().unwrap_or_default().to_owned();
    }
    assert_eq!(relation, service);
    let waiting = ["waiter.bootstrap.waiting"];
    assert!(service[1].0.values().all(|flags| *flags == waiting), "{service:?}");
    let done = ["waiter.bootstrap.done", "waiter.bootstrap.success"];
    assert!(service[2].0.values().all(|flags| *flags == done), "{service:?}");
    assert_eq!(world(|world| world.wake_ups.values().map(BTreeMap::len).sum::<usize>()), 0);
}

#[test]
fn time_is_over_in_a_service_as_in_a_relation() {
    let apps: [fn() -> App; 2] = [patient_in_relation, patient_in_service];
    let configure = |sim: &mut Sim| {
        sim.configure("db", &[("seconds", "600")]).expect("configured");
        sim.add_unit("db").expect("added");
    };
    let wait = |sim: &mut Sim| drop(sim.advance(Duration::from_mins(11)).expect("time passes"));
    let [relation, service] = both(apps, "patient", &[configure, add, wait, add]);
    assert_eq!(relation, service);
    let over = ["waiter.gather.done", "waiter.gather.timeout"];
    assert!(service[3].0.values().all(|flags| *flags == over), "{service:?}");
}

#[test]
fn what_a_service_that_was_down_was_not_told_it_is_told_later() {
    let mut sim = model(cluster_in_service, "cluster");
    world(|world| world.down = Some("db/"));
    (0..3).for_each(|_| add(&mut sim));
    settle(&mut sim);
    assert!(flags(&sim).values().all(|flags| *flags == ["waiter.bootstrap.waiting"]), "{:?}", flags(&sim));
    world(|world| world.down = None);
    for _ in 0..2 {
        for unit in ["db/0", "db/1", "db/2"] {
            sim.update_status(unit).expect("a unit");
        }
        settle(&mut sim);
        wake(&mut sim);
    }
    let done = ["waiter.bootstrap.done", "waiter.bootstrap.success"];
    assert!(flags(&sim).values().all(|flags| *flags == done), "{:?}\n{}", flags(&sim), sim.transcript());
    // Nothing is told twice: a hook in which nothing is new says nothing of it.
    let before = world(|world| world.requests);
    sim.update_status("db/1").expect("a unit");
    settle(&mut sim);
    assert_eq!(world(|world| world.requests), before);
}

#[test]
fn a_check_in_reaches_the_service_and_no_databag() {
    let mut sim = model(cluster_in_service, "cluster");
    (0..2).for_each(|_| add(&mut sim));
    settle(&mut sim);
    for unit in ["db/0", "db/1"] {
        let databag = sim.unit_databag(0, unit).expect("a databag");
        assert_eq!(databag.text("runtimeconfig"), None);
    }
    let waiter = world(|world| world.wake_ups["db/0"]["waiter-bootstrap"]["waiter"].clone());
    let (config, _) = waiter.as_str().expect("a name").split_once("/waiters/").expect("a waiter");
    assert!(config.ends_with("/configs/db.cluster"), "{config}");
    let listed = |sim: &Sim| {
        let listed = look(sim, &format!("{config}/variables?returnValues=true")).body;
        let text = |variable: &Value, key: &str| variable[key].as_str().expect("text").to_owned();
        let listed = listed["variables"].as_array().expect("a list").iter();
        let listed = listed.map(|variable| (text(variable, "name"), text(variable, "text")));
        listed.map(|(name, text)| name.replace(config, "") + "=" + &text).collect::<Vec<_>>()
    };
    assert_eq!(listed(&sim), ["/variables/ready/db-0=db/0", "/variables/ready/db-1=db/1"]);
    // What a unit said goes with it, whether it says so itself or not.
    sim.remove_unit("db/0").expect("removed");
    settle(&mut sim);
    assert_eq!(listed(&sim), ["/variables/ready/db-1=db/1"]);
    add(&mut sim);
    settle(&mut sim);
    assert_eq!(listed(&sim), ["/variables/ready/db-1=db/1", "/variables/ready/db-2=db/2"]);
    world(|world| world.down = Some("db/2"));
    sim.remove_unit("db/2").expect("removed");
    settle(&mut sim);
    assert_eq!(listed(&sim), ["/variables/ready/db-1=db/1"]);
}
