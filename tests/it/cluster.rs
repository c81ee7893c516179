//! The example charm `cluster`: three units, one cluster, bootstrapped exactly once.

#[path = "../charms/cluster/app.rs"]
pub(crate) mod app;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use charms_reactive_testkit::{
    Event, InProcess, Mode, Party, Possible, Sim, Trial, Verdict, every_command, explore, in_process,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charms/cluster");
const NAME: &str = "db";
/// The peer relation is the first of the model.
const RELATION: u32 = 0;

/// How many seeds are run; `CHARMS_REACTIVE_RUNS` asks for more.
#[expect(clippy::disallowed_methods, reason = "the number of runs is said in the environment")]
pub(super) fn runs() -> Option<usize> {
    let wanted = std::env::var("CHARMS_REACTIVE_RUNS").ok()?;
    Some(wanted.parse().expect("`CHARMS_REACTIVE_RUNS` is a number"))
}

fn charm() -> InProcess {
    in_process(app::app).folder(FOLDER)
}

fn new(seed: u64, units: u32) -> Sim {
    let mut sim = Sim::from_seed(seed);
    sim.deploy(NAME, charm(), units).expect("deployed");
    sim
}

/// Every cluster that the application's databag ever named, from now on.
fn watched(sim: &mut Sim) -> Rc<RefCell<Vec<String>>> {
    let clusters: Rc<RefCell<Vec<String>>> = Rc::default();
    let seen = Rc::clone(&clusters);
    sim.observe(Box::new(move |event| {
        if let Event::DatabagChanged { party: Party::Application(_), key, new, .. } = event
            && key == "cluster"
        {
            seen.borrow_mut().push(new.clone().unwrap_or_else(|| "forgotten".to_owned()));
        }
    }));
    clusters
}

#[track_caller]
fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

fn message(sim: &Sim, unit: &str) -> String {
    let status = sim.unit(unit).expect("a unit").workload;
    format!("{}: {}", status.status, status.message)
}

fn flags(sim: &Sim, unit: &str) -> Vec<String> {
    let state = sim.unit_state(unit).expect("a unit");
    let flags: Vec<String> = serde_json::from_str(&state["flags"]).expect("a list of flags");
    flags.into_iter().filter(|flag| flag.starts_with("waiter.")).collect()
}

/// What is wrong with a model at rest in which three units or more live.
fn check(sim: &Sim, clusters: &[String]) -> Result<(), String> {
    let [cluster] = clusters else {
        return Err(format!("bootstrapped {} times: {clusters:?}", clusters.len()));
    };
    for unit in sim.units(NAME) {
        let unit = unit.to_string();
        let (message, flags) = (message(sim, &unit), flags(sim, &unit));
        if message != format!("active: member of the cluster that {cluster} began") {
            return Err(format!("{unit} is {message}"));
        }
        if flags != ["waiter.bootstrap.done", "waiter.bootstrap.success"] {
            return Err(format!("{unit} has {flags:?}"));
        }
    }
    Ok(())
}

/// Brings the application to three units at least, and lets time pass: whatever happened before, there must
/// be one cluster now.
fn recover(sim: &mut Sim, clusters: &RefCell<Vec<String>>) {
    while sim.units(NAME).len() < 3 {
        sim.add_unit(NAME).expect("added");
        sim.settle().expect("the model works");
    }
    if check(sim, &clusters.borrow()).is_ok() {
        return;
    }
    // A waiter may just have begun that no unit can meet, and update-status comes every six minutes at worst.
    sim.advance(Duration::from_mins(40)).expect("the model works");
    while sim.units(NAME).len() < 3 {
        sim.add_unit(NAME).expect("added");
        sim.advance(Duration::from_mins(40)).expect("the model works");
    }
}

#[test]
fn three_units_become_one_cluster() {
    let mut sim = new(7, 2);
    let clusters = watched(&mut sim);
    settle(&mut sim);
    for unit in ["db/0", "db/1"] {
        assert_eq!(message(&sim, unit), "waiting: for three units that are ready");
        assert_eq!(flags(&sim, unit), ["waiter.bootstrap.waiting"]);
    }
    sim.add_unit(NAME).expect("added");
    settle(&mut sim);
    check(&sim, &clusters.borrow()).expect("one cluster");
    sim.add_unit(NAME).expect("added");
    sim.remove_unit("db/0").expect("removed");
    settle(&mut sim);
    check(&sim, &clusters.borrow()).expect("the same cluster");
}

#[test]
fn two_units_that_fail_end_it_before_three_are_ready() {
    let mut sim = new(7, 0);
    let clusters = watched(&mut sim);
    sim.configure(NAME, &[("healthy", "false")]).expect("configured");
    for _ in 0..2 {
        sim.add_unit(NAME).expect("added");
    }
    // A waiter that failed is forgotten and declared anew, which fails at once again: a step at a time.
    let mut messages = Vec::new();
    for _ in 0..60 {
        sim.step().expect("the model works");
        messages.extend(sim.units(NAME).iter().map(|unit| message(&sim, &unit.to_string())));
    }
    assert!(
        messages.contains(&"blocked: no cluster: two units cannot be prepared".to_owned()),
        "{messages:?}"
    );
    sim.configure(NAME, &[("healthy", "true")]).expect("configured");
    sim.add_unit(NAME).expect("added");
    recover(&mut sim, &clusters);
    check(&sim, &clusters.borrow()).expect("one cluster, after all");
}

#[test]
fn a_deadline_is_noticed_at_update_status() {
    let mut sim = new(7, 2);
    settle(&mut sim);
    sim.advance(Duration::from_mins(9)).expect("the model works");
    assert_eq!(flags(&sim, "db/0"), ["waiter.bootstrap.waiting"], "not before its time");
    sim.advance(Duration::from_mins(8)).expect("the model works");
    let transcript = sim.transcript();
    assert!(transcript.contains("waiter `bootstrap` ended: timeout"), "{transcript}");
    assert_eq!(message(&sim, "db/1"), "waiting: for three units that are ready", "it has begun anew");
}

#[test]
fn a_new_leader_goes_on_with_the_same_deadline() {
    let mut sim = new(7, 2);
    settle(&mut sim);
    let record = |sim: &Sim| {
        let databag = sim.application_databag(RELATION, NAME).expect("a databag");
        databag.text("runtimeconfig-waiters").expect("declared").to_owned()
    };
    let before = record(&sim);
    sim.advance(Duration::from_mins(5)).expect("the model works");
    sim.set_leader("db/1").expect("another leader");
    sim.remove_unit("db/0").expect("removed");
    settle(&mut sim);
    assert_eq!(record(&sim), before);
    for _ in 0..2 {
        sim.add_unit(NAME).expect("added");
    }
    settle(&mut sim);
    let after = record(&sim);
    let rest: String = before.chars().skip_while(|letter| *letter != 'f').collect();
    assert!(after.contains(r#""outcome": "success""#) && after.contains(&rest[..40]), "{after}");
}

#[test]
fn a_unit_that_left_counts_no_more() {
    let mut sim = new(7, 2);
    settle(&mut sim);
    sim.remove_unit("db/1").expect("removed");
    settle(&mut sim);
    sim.add_unit(NAME).expect("added");
    settle(&mut sim);
    assert_eq!(message(&sim, "db/0"), "waiting: for three units that are ready");
}

#[test]
fn every_unit_may_be_killed_at_every_command() {
    let life = |sim: &mut Sim| {
        settle(sim);
        sim.set_leader("db/2").expect("another leader");
        settle(sim);
    };
    let covered = every_command(&Verdict::Kill, || new(7, 3), life);
    let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
    assert!(covered.commands > 60, "{covered:?}");
}

/// With a fault at each hook command in turn, there is one cluster in the end.
fn survives(fault: &Verdict) {
    let run = |index: Option<usize>| {
        let mut sim = new(7, 3);
        let clusters = watched(&mut sim);
        let fault = fault.clone();
        let guard =
            sim.rule(move |command| if Some(command.total) == index { fault.clone() } else { Verdict::Run });
        sim.settle().expect("the model works");
        drop(guard);
        recover(&mut sim, &clusters);
        let checked = check(&sim, &clusters.borrow());
        checked.unwrap_or_else(|reason| panic!("fault at {index:?}: {reason}\n{}", sim.transcript()));
        sim.commands_asked()
    };
    let commands = run(None);
    assert!(commands > 60, "{commands}");
    for index in 0..commands {
        run(Some(index));
    }
}

#[test]
fn leadership_may_be_lost_at_every_command() {
    survives(&Verdict::lose_leadership());
}

#[test]
fn every_command_may_be_refused() {
    survives(&Verdict::refuse("connection is shut down"));
}

#[test]
fn no_seed_bootstraps_twice_or_never() {
    // Leaders that change, units that come, go, are lost, restarted and killed: at random, then recovery.
    let possible = Possible::new().application(NAME, 6).option(NAME, "healthy", &["true", "false"]).kills();
    let clusters: Rc<RefCell<Vec<String>>> = Rc::default();
    let new = |seed| {
        let mut sim = new(seed, u32::try_from(seed % 4).expect("small"));
        clusters.borrow_mut().clear();
        let (seen, all) = (watched(&mut sim), Rc::clone(&clusters));
        sim.observe(Box::new(move |_| all.borrow_mut().clone_from(&seen.borrow())));
        sim
    };
    let check = |sim: &mut Sim| {
        sim.configure(NAME, &[("healthy", "true")]).map_err(|error| error.to_string())?;
        recover(sim, &clusters);
        check(sim, &clusters.borrow())
    };
    let trial = Trial::new(new, check);
    if let Some(failure) =
        trial.find(0..u64::try_from(runs().unwrap_or(40)).expect("a number"), &possible, 30)
    {
        panic!("{failure}\n{}", failure.transcript);
    }
}

#[test]
fn every_order_in_which_the_third_unit_is_seen_bootstraps_once() {
    // Two units have come to rest, and the third has checked in, which nobody has seen yet.
    let new = || {
        let mut sim = new(7, 2);
        settle(&mut sim);
        sim.add_unit(NAME).expect("added");
        let has_checked_in = |sim: &Sim| {
            let databag = sim.unit_databag(RELATION, "db/2");
            databag.is_ok_and(|databag| databag.text("runtimeconfig").is_some())
        };
        while !has_checked_in(&sim) {
            sim.step().expect("the model works").expect("the third unit has hooks to run");
        }
        sim
    };
    let scenario = |sim: &mut Sim| {
        let clusters = watched(sim);
        settle(sim);
        check(sim, &clusters.borrow())
    };
    let explored = explore(100_000, new, scenario).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(explored.is_complete && explored.runs > 100, "{explored:?}");
}

#[test]
fn as_a_program_it_does_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    charms_reactive_testkit::lay_out(env!("CARGO_BIN_EXE_cluster-charm"), FOLDER, folder.path())
        .expect("laid out");
    let run = |mode: Mode| {
        let mut sim =
            Sim::builder().seed(7).program(env!("CARGO_BIN_EXE_sim-hook-command")).build().expect("a model");
        sim.deploy(NAME, in_process(app::app).source(mode, FOLDER, folder.path()), 3).expect("deployed");
        settle(&mut sim);
        let mut seen = Vec::new();
        for unit in sim.units(NAME) {
            let message = message(&sim, &unit.to_string());
            // The program goes by the clock of this machine.
            let (word, _) = message.split_once(" 20").expect("a member, since a moment");
            seen.push((word.to_owned(), flags(&sim, &unit.to_string())));
        }
        seen
    };
    assert_eq!(run(Mode::InProcess), run(Mode::Program));
}
