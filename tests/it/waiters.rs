//! Waiters of charms in models: planned numbers, turns, what is said before there is a relation.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use charms_reactive::charm::{FromConfig, ValueError, typed_value};
use charms_reactive::prelude::*;
use charms_reactive::waiter::{Turn, WaiterError, WaiterKey, Waiters};
use charms_reactive::{ApplicationName, EndpointKey, Role, UnitName};
use charms_reactive_testkit::{Event, InProcess, Party, Sim, Verdict, for_seeds, in_process};

const METADATA: &str = "name: web\npeers:\n  cluster: {interface: waiters}\n";
const CONFIG: &str = "options:\n  revision: {type: string, default: one}\n";

const CLUSTER: EndpointKey<Waiters> = EndpointKey::new("cluster", Role::Peer, "waiters");
const ALL: WaiterKey = WaiterKey::new("all");
const STARTED: Flag = Flag::new("web.started");

/// Waits for all units that are planned, each of which checks in before there is a relation.
fn gathering() -> App {
    App::new(Charm::default().endpoint(CLUSTER))
        .handler(check_in, on(HookEvent::Install))
        .handler(gather, when(IS_LEADER))
        .handler(report, when(ALL.waiting()))
}

fn check_in(hook: &mut Hook) -> Result<(), HandlerError> {
    let cluster = hook.endpoint(CLUSTER);
    assert!(matches!(cluster.check_in("a b", "x"), Err(WaiterError::Path { .. })));
    assert!(matches!(cluster.check_in("/", "x"), Err(WaiterError::Path { .. })));
    assert!(matches!(cluster.check_in("/ready", &"x".repeat(4096)), Err(WaiterError::Text { .. })));
    Ok(cluster.check_in("/ready", &hook.context().unit.to_string())?)
}

fn gather(hook: &mut Hook) -> Result<(), HandlerError> {
    let cluster = hook.endpoint(CLUSTER);
    let none = cluster.waiter(ALL).declare();
    assert!(matches!(none, Err(WaiterError::NoSuccess { name: "all" })));
    let never = cluster.waiter(ALL).success("/ready", 1).timeout(Duration::ZERO).declare();
    assert!(matches!(never, Err(WaiterError::Timeout { .. })));
    Ok(cluster.waiter(ALL).success_of_all("/ready").declare()?)
}

fn report(hook: &mut Hook) -> Result<(), HandlerError> {
    let cluster = hook.endpoint(CLUSTER);
    if let Some(progress) = cluster.progress(ALL)? {
        let said = cluster.texts("/ready")?;
        assert!(said.iter().all(|(unit, text)| unit.to_string() == *text), "{said:?}");
        hook.status(Waiting(progress.to_string()));
    }
    Ok(())
}

fn charm(app: fn() -> App) -> InProcess {
    in_process(app).metadata(METADATA).config(CONFIG)
}

#[track_caller]
fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

fn has_flag(sim: &Sim, unit: &str, flag: &Flag) -> bool {
    let state = sim.unit_state(unit).expect("a unit");
    let flags: Vec<String> = serde_json::from_str(&state["flags"]).expect("a list of flags");
    flags.iter().any(|name| name == flag.as_str())
}

fn records(sim: &Sim) -> serde_json::Value {
    let databag = sim.application_databag(0, "web").expect("a databag");
    databag
        .text("runtimeconfig-waiters")
        .map_or(serde_json::Value::Null, |text| serde_json::from_str(text).expect("JSON"))
}

#[test]
fn the_number_of_units_that_are_planned_is_taken_once() {
    for_seeds(0..20, |seed| {
        let mut sim = Sim::from_seed(seed);
        sim.deploy("web", charm(gathering), 4).expect("deployed");
        while records(&sim).is_null() {
            sim.step().expect("the model works").expect("the leader declares it");
        }
        assert_eq!(records(&sim)["all"]["success"]["number"], 4);
        sim.add_unit("web").expect("added");
        settle(&mut sim);
        assert_eq!(records(&sim)["all"]["success"]["number"], 4, "later units do not change it");
        for unit in sim.units("web") {
            assert!(has_flag(&sim, &unit.to_string(), &ALL.success()), "{unit}");
        }
    });
}

#[test]
fn progress_is_for_people() {
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", charm(gathering), 2).expect("deployed");
    // One unit cannot do anything before the other is lost.
    sim.stop_agent("web/1").expect("stopped");
    settle(&mut sim);
    assert_eq!(sim.unit("web/0").expect("a unit").workload.message, "1/2, 10m00s left");
    sim.start_agent("web/1").expect("started");
    settle(&mut sim);
    assert!(has_flag(&sim, "web/0", &ALL.done()));
}

#[test]
fn nonsense_from_a_unit_counts_for_nothing_and_fails_no_hook() {
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", charm(gathering), 3).expect("deployed");
    sim.stop_agent("web/2").expect("stopped");
    settle(&mut sim);
    let party = Party::Unit(UnitName::parse("web/1").expect("a name"));
    sim.operator().write_databag(0, &party, "runtimeconfig", "[}").expect("written");
    sim.start_agent("web/2").expect("started");
    settle(&mut sim);
    assert!(has_flag(&sim, "web/0", &ALL.waiting()), "two of three");
    sim.operator()
        .write_databag(0, &party, "runtimeconfig", r#"{"/ready": "web/1", "a b": 7}"#)
        .expect("written");
    settle(&mut sim);
    assert!(has_flag(&sim, "web/2", &ALL.success()));
}

#[test]
fn waiters_that_cannot_be_read_decide_nothing_and_fail_no_hook() {
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", charm(gathering), 3).expect("deployed");
    sim.stop_agent("web/2").expect("stopped");
    settle(&mut sim);
    let party = Party::Application(ApplicationName::parse("web").expect("a name"));
    sim.operator().write_databag(0, &party, "runtimeconfig-waiters", "[}").expect("written");
    sim.start_agent("web/2").expect("started");
    settle(&mut sim);
    let databag = sim.application_databag(0, "web").expect("a databag");
    assert_eq!(databag.text("runtimeconfig-waiters"), Some("[}"), "left for a person to look at");
    assert!(sim.transcript().contains("cannot read the waiters of `cluster:0`"));
    assert!(has_flag(&sim, "web/0", &ALL.waiting()));
}

/// Starts one unit after another; with another revision, all again.
fn rolling() -> App {
    App::new(Charm::default().endpoint(CLUSTER))
        .handler(begin_anew, on(HookEvent::ConfigChanged))
        .handler(roll, none([STARTED]))
}

/// The option of that name.
struct Revision(String);

impl FromConfig for Revision {
    fn from_config(config: &serde_json::Map<String, serde_json::Value>) -> Result<Self, ValueError> {
        Ok(Self(typed_value(config, "revision", "a text")?))
    }
}

fn begin_anew(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.clear(STARTED);
    Ok(())
}

fn roll(hook: &mut Hook) -> Result<(), HandlerError> {
    let Revision(revision) = hook.config()?;
    let cluster = hook.endpoint(CLUSTER);
    match cluster.turn("/started", &revision)? {
        Turn::After(unit) => hook.status(Waiting(format!("to start after {unit}"))),
        Turn::Ours => {
            cluster.check_in("/started", &revision)?;
            hook.set(STARTED);
            hook.status(Active(format!("started {revision}")));
        }
    }
    Ok(())
}

/// Which units checked in, in which order.
fn started(sim: &mut Sim) -> Rc<RefCell<Vec<String>>> {
    let order: Rc<RefCell<Vec<String>>> = Rc::default();
    let seen = Rc::clone(&order);
    sim.observe(Box::new(move |event| {
        if let Event::DatabagChanged { party: Party::Unit(unit), key, .. } = event
            && key == "runtimeconfig"
        {
            seen.borrow_mut().push(unit.to_string());
        }
    }));
    order
}

#[test]
fn units_start_one_after_another_whoever_comes_first() {
    for_seeds(0..30, |seed| {
        let mut sim = Sim::from_seed(seed);
        sim.deploy("web", charm(rolling), 4).expect("deployed");
        let order = started(&mut sim);
        sim.kill_at(usize::try_from(seed).expect("small") * 3);
        settle(&mut sim);
        assert_eq!(*order.borrow(), ["web/0", "web/1", "web/2", "web/3"], "{}", sim.transcript());
        order.borrow_mut().clear();
        sim.configure("web", &[("revision", "two")]).expect("configured");
        settle(&mut sim);
        assert_eq!(*order.borrow(), ["web/0", "web/1", "web/2", "web/3"], "again: {}", sim.transcript());
    });
}

#[test]
fn nobody_waits_for_a_unit_that_goes() {
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", charm(rolling), 3).expect("deployed");
    sim.stop_agent("web/1").expect("stopped");
    settle(&mut sim);
    assert_eq!(sim.unit("web/2").expect("a unit").workload.message, "to start after web/1");
    sim.lose_unit("web/1").expect("lost");
    // It never joined, so nobody is told that it left.
    sim.advance(Duration::from_mins(10)).expect("the model works");
    assert_eq!(sim.unit("web/2").expect("a unit").workload.message, "started one");
}

#[test]
fn what_juju_refuses_is_an_error_and_not_a_turn() {
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", charm(rolling), 1).expect("deployed");
    let guard = sim.rule(|command| match command.name {
        "goal-state" => Verdict::refuse("connection is shut down"),
        _ => Verdict::Run,
    });
    let order = started(&mut sim);
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed.len(), 1);
    assert!(order.borrow().is_empty(), "nobody starts on a guess");
    drop(guard);
    settle(&mut sim);
    assert_eq!(*order.borrow(), ["web/0"]);
}
