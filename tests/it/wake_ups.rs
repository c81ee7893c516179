//! What a charm tells its daemon of its waiters, and when.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use charms_reactive::daemon::{Answer, Daemon, DaemonError, Deed};
use charms_reactive::prelude::*;
use charms_reactive::waiter::{WaiterKey, Waiters};
use charms_reactive::{Context, EndpointKey, Role};
use charms_reactive_testkit::{InProcess, Sim, Verdict, every_command, in_process};
use serde_json::{Value, json};

const METADATA: &str = "name: web\npeers:\n  cluster: {interface: waiters}\n";
const CLUSTER: EndpointKey<Waiters> = EndpointKey::new("cluster", Role::Peer, "waiters");
const LATE: WaiterKey = WaiterKey::new("late");

/// A daemon that keeps wake-ups in memory, and what it was asked.
#[derive(Default)]
struct Known {
    wake_ups: BTreeMap<String, String>,
    asked: Vec<String>,
    is_silent: bool,
}

#[derive(Clone, Default)]
struct StandIn(Rc<RefCell<Known>>);

thread_local! {
    /// The daemon of each unit.
    static DAEMONS: RefCell<BTreeMap<String, StandIn>> = RefCell::default();
}

impl StandIn {
    fn of(unit: &str) -> Self {
        DAEMONS.with_borrow_mut(|daemons| daemons.entry(unit.to_owned()).or_default().clone())
    }

    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().asked)
    }
}

impl Daemon for StandIn {
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, DaemonError> {
        let known = &mut *self.0.borrow_mut();
        if known.is_silent {
            return Err(DaemonError("it sleeps".into()));
        }
        known.asked.push(format!("{method} {path}"));
        let name = path.strip_prefix("/1.0/wake-ups").expect("nothing else is asked").trim_start_matches('/');
        let answer = match method {
            "GET" => {
                let listed = known.wake_ups.iter().map(|(name, at)| json!({"name": name, "at": at}));
                json!({"metadata": listed.collect::<Vec<_>>()})
            }
            "PUT" => {
                let at = body.expect("a body")["at"].as_str().expect("a moment");
                known.wake_ups.insert(name.to_owned(), at.to_owned());
                json!({})
            }
            "DELETE" => {
                known.wake_ups.remove(name);
                json!({})
            }
            other => panic!("{other}"),
        };
        Ok(Answer { status: 200, body: answer })
    }

    fn service(&self, deed: Deed) -> Result<(), DaemonError> {
        let known = &mut *self.0.borrow_mut();
        known.asked.push(format!("{deed:?}"));
        if known.is_silent { Err(DaemonError("there is none".into())) } else { Ok(()) }
    }
}

fn app() -> App {
    let open = |context: &Context| Box::new(StandIn::of(&context.unit.to_string())) as Box<dyn Daemon>;
    App::new(Charm::default().endpoint(CLUSTER))
        .daemon_with(open)
        .handler(check_in, on(HookEvent::Start))
        .handler(declare, when(IS_LEADER).and_not(LATE.done()))
}

fn check_in(hook: &mut Hook) -> Result<(), HandlerError> {
    Ok(hook.endpoint(CLUSTER).check_in("/ready", "here")?)
}

fn declare(hook: &mut Hook) -> Result<(), HandlerError> {
    let cluster = hook.endpoint(CLUSTER);
    Ok(cluster.waiter(LATE).success("/ready", 2).timeout(Duration::from_mins(1)).declare()?)
}

fn charm() -> InProcess {
    in_process(app).metadata(METADATA)
}

#[track_caller]
fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

fn update(sim: &mut Sim, unit: &str) {
    sim.update_status(unit).expect("a unit");
    settle(sim);
}

#[test]
fn a_wake_up_is_set_once_for_a_waiter_and_cleared_when_it_is_over() {
    let mut sim = Sim::from_seed(3);
    sim.deploy("web", charm(), 1).expect("deployed");
    settle(&mut sim);
    let daemon = StandIn::of("web/0");
    let asked = daemon.take_asked();
    assert_eq!(
        asked.iter().filter(|asked| *asked == "Install").count(),
        2,
        "at install and at start: {asked:?}"
    );
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("PUT")).count(), 1, "{asked:?}");
    assert_eq!(daemon.0.borrow().wake_ups.keys().collect::<Vec<_>>(), ["waiter-late"]);
    let databag = sim.application_databag(0, "web").expect("a databag");
    let records: Value =
        serde_json::from_str(databag.text("runtimeconfig-waiters").expect("a waiter")).expect("JSON");
    let created = records["late"]["create_time"].as_str().expect("a moment");
    let at = daemon.0.borrow().wake_ups["waiter-late"].clone();
    let minute = |text: &str| text[14..16].parse::<u32>().expect("a minute");
    assert_eq!((minute(created) + 1) % 60, minute(&at), "{created} {at}");

    // Nothing is written that did not change.
    update(&mut sim, "web/0");
    assert_eq!(daemon.take_asked(), ["GET /1.0/wake-ups"]);
    // One that has lost its data is told again.
    daemon.0.borrow_mut().wake_ups.clear();
    update(&mut sim, "web/0");
    assert_eq!(daemon.take_asked(), ["GET /1.0/wake-ups", "PUT /1.0/wake-ups/waiter-late"]);

    // Another unit comes, and both know that it is over.
    sim.add_unit("web").expect("added");
    settle(&mut sim);
    assert!(daemon.take_asked().contains(&"DELETE /1.0/wake-ups/waiter-late".to_owned()));
    for unit in ["web/0", "web/1"] {
        let daemon = StandIn::of(unit);
        assert!(daemon.0.borrow().wake_ups.is_empty());
        daemon.take_asked();
        // Then nobody is asked at all.
        update(&mut sim, unit);
        assert_eq!(daemon.take_asked(), Vec::<String>::new());
    }
    sim.upgrade("web", charm()).expect("upgraded");
    sim.remove_unit("web/1").expect("removed");
    settle(&mut sim);
    assert_eq!(StandIn::of("web/1").take_asked().last().map(String::as_str), Some("Remove"));
    assert_eq!(daemon.take_asked(), ["Install"]);
}

#[test]
fn wake_ups_are_right_after_a_kill_at_any_command() {
    let names = |unit: &str| StandIn::of(unit).0.borrow().wake_ups.keys().cloned().collect::<Vec<_>>();
    let new = || {
        DAEMONS.take();
        let mut sim = Sim::from_seed(3);
        sim.deploy("web", charm(), 1).expect("deployed");
        sim
    };
    let life = |sim: &mut Sim| {
        settle(sim);
        assert_eq!(names("web/0"), ["waiter-late"], "{}", sim.transcript());
        sim.add_unit("web").expect("added");
        settle(sim);
        for unit in ["web/0", "web/1"] {
            assert!(names(unit).is_empty(), "{unit}\n{}", sim.transcript());
        }
    };
    let covered = every_command(&Verdict::Kill, new, life);
    let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
    assert!(covered.commands > 20, "{covered:?}");
}

#[test]
fn a_daemon_that_is_not_there_makes_no_hook_fail() {
    let mut sim = Sim::from_seed(3);
    let daemon = StandIn::of("web/0");
    daemon.0.borrow_mut().is_silent = true;
    sim.deploy("web", charm(), 1).expect("deployed");
    settle(&mut sim);
    assert!(sim.transcript().contains("there is no daemon now"), "{}", sim.transcript());
    daemon.take_asked();
    update(&mut sim, "web/0");
    assert_eq!(daemon.take_asked(), ["Install"], "it is needed");
    // It is back: the wake-up that was meant all the time is set.
    daemon.0.borrow_mut().is_silent = false;
    update(&mut sim, "web/0");
    assert_eq!(daemon.take_asked(), ["GET /1.0/wake-ups", "PUT /1.0/wake-ups/waiter-late"]);
    daemon.0.borrow_mut().is_silent = true;
    sim.advance(Duration::from_mins(10)).expect("the model works");
    let flags = sim.unit_state("web/0").expect("a unit")["flags"].clone();
    assert!(flags.contains("waiter.late.timeout"), "{flags}");
    sim.remove_unit("web/0").expect("removed");
    settle(&mut sim);
}
