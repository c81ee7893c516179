//! Orders that come to the same state are run on once, and nothing is missed by it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use charms_reactive_sim::hookcmd::{Commands as _, EndpointName, HookCommands, RelationId, WorkloadStatus};
use charms_reactive_sim::{Environment, Explored, InProcess, Sim, Step, explore, explore_steps};

use crate::charm::{Charms, builder};

const RUNS_MAX: usize = 200_000;

/// Every end that all orders of `steps` come to, run one by one and merged; and how many runs each took.
#[track_caller]
fn both(new: &dyn Fn() -> Sim, steps: &[Step]) -> (Explored, Explored, usize) {
    let (every, merged) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeSet::new()));
    let end = |sim: &mut Sim, ends: &RefCell<BTreeSet<String>>| {
        ends.borrow_mut().insert(format!("{}{}{:?}", sim.snapshot(), sim.status(), sim.now()));
        Ok(())
    };
    let whole = explore(RUNS_MAX, new, |sim| {
        for step in steps.iter().chain([&Step::Settle]) {
            step.apply(sim).map_err(|error| error.to_string())?;
        }
        end(sim, &every)
    })
    .unwrap();
    let fewer = explore_steps(RUNS_MAX, new, steps, |sim| end(sim, &merged)).unwrap();
    assert!(whole.is_complete && fewer.is_complete, "{whole:?}, {fewer:?}");
    let (every, merged) = (every.into_inner(), merged.into_inner());
    assert_eq!(every, merged, "another set of ends");
    (whole, fewer, every.len())
}

/// What each test expects: runs of every order, runs with merging, different ends.
#[track_caller]
fn check(new: &dyn Fn() -> Sim, steps: &[Step], expected: (usize, usize, usize)) {
    let (whole, fewer, ends) = both(new, steps);
    assert_eq!((whole.runs, fewer.runs, ends), expected);
}

fn quiet() -> InProcess {
    InProcess::from_yaml("name: web", |_, _| 0)
}

fn deployed(charm: &InProcess, units: u32) -> Sim {
    let mut sim = Sim::from_seed(0);
    sim.deploy("web", charm, units).unwrap();
    sim
}

fn steps(text: &str) -> Vec<Step> {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn units_without_relations_are_merged_wherever_they_stand() {
    let charm = quiet();
    check(&|| deployed(&charm, 1), &[], (1, 1, 1));
    check(&|| deployed(&charm, 2), &[], (70, 17, 1));
    // Three have 34,650 orders.
    check(&|| deployed(&charm, 3), &steps("[remove-unit: web/1, hook, hook]"), (70, 17, 1));
    let merged = explore_steps(RUNS_MAX, || deployed(&charm, 3), &[], |_| Ok(())).unwrap();
    assert_eq!((merged.runs, merged.is_complete), (177, true));
}

type Commands = Box<dyn HookCommands>;

/// The first of the peers that comes to say so wins, for ever.
fn first_wins(commands: &mut Commands, hook: &str) -> Option<()> {
    if hook != "ring-relation-joined" && hook != "ring-relation-changed" {
        return Some(());
    }
    let ring = RelationId::new(EndpointName::parse("ring").ok()?, 0);
    let members = commands.relation_list(&ring).ok()?;
    let is_taken = members.iter().any(|member| {
        let party = charms_reactive_sim::Party::Unit(member.clone());
        commands.relation_get(&ring, &party).is_ok_and(|databag| databag.text("won").is_some())
    });
    if !is_taken {
        commands.relation_set(&ring, false, &BTreeMap::from([("won".to_owned(), "yes".to_owned())])).ok()?;
        commands.status_set(WorkloadStatus::Active, "won").ok()?;
    }
    Some(())
}

fn peers() -> InProcess {
    let run = |mut commands: Commands, environment: &Environment| {
        i32::from(first_wins(&mut commands, environment.var("JUJU_HOOK_NAME").unwrap_or_default()).is_none())
    };
    InProcess::from_yaml("name: web\npeers: {ring: ring}", run)
        .config("options: {port: {type: int, default: 80}}")
}

#[test]
fn every_end_of_a_race_is_found() {
    let charm = peers();
    check(&|| deployed(&charm, 2), &[], (3_416, 47, 2));
}

#[test]
fn changes_in_the_middle_of_everything_are_merged_too() {
    let charm = peers();
    let new = || {
        let mut sim = deployed(&charm, 2);
        sim.settle().unwrap();
        sim
    };
    for (text, expected) in [
        ("[config: {web: {port: 81}}, hook, reboot: web/0, set-leader: web/1]", (10, 9, 1)),
        ("[update-status: web/0, update-status: web/1, advance: 10min]", (2, 2, 1)),
        ("[remove-unit: web/0, hook, remove-unit: web/9, reboot: web/1]", (15, 12, 1)),
        ("[stop-agent: web/0, config: {web: {port: 81}}, hook, advance: 40s, start-agent: web/0]", (1, 1, 1)),
    ] {
        let (whole, fewer, ends) = both(&new, &steps(text));
        assert_eq!((whole.runs, fewer.runs, ends), expected, "{text}");
    }
}

/// A hook that fails once, and what that leaves in a file.
fn fails_once() -> InProcess {
    InProcess::from_yaml("name: web", |_, environment| {
        let folder = std::path::PathBuf::from(environment.var("JUJU_CHARM_DIR").unwrap());
        if environment.var("JUJU_HOOK_NAME") != Some("start") || folder.join("tried").exists() {
            return 0;
        }
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::File::create(folder.join("tried")).unwrap();
        1
    })
}

#[test]
fn failed_hooks_and_files_are_part_of_the_state() {
    let charm = fails_once();
    check(&|| deployed(&charm, 2), &[], (140, 18, 1));
    let time = [Step::Advance(Duration::from_secs(20))];
    check(&|| deployed(&charm, 2), &time, (70, 17, 1));
}

#[test]
fn no_orders_are_merged_while_a_fault_waits() {
    let charm = quiet();
    // Nobody asks for a hook command, so the rule stays.
    check(&|| deployed(&charm, 2), &[Step::KillAt(0)], (70, 70, 1));
    // This one goes with the first hook.
    check(&|| deployed(&charm, 2), &[Step::LoseCommit], (70, 17, 1));
}

#[test]
fn programs_are_merged_as_functions_are() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web", "case $hook in start) echo $JUJU_UNIT_NAME > started ;; esac");
    let new = || {
        let mut sim = builder().seed(0).build().unwrap();
        sim.deploy("web", &web, 2).unwrap();
        sim
    };
    let merged = explore_steps(RUNS_MAX, new, &[], |sim| {
        let is_there = |unit| sim.charm_dir(unit).unwrap().join("started").exists();
        if is_there("web/0") && is_there("web/1") { Ok(()) } else { Err("not started".to_owned()) }
    });
    assert_eq!(merged, Ok(Explored { runs: 17, merged: 16, is_complete: true }));
}

#[test]
fn what_is_wrong_is_found_with_its_order() {
    let charm = peers();
    let winner = |name: &'static str| {
        move |sim: &mut Sim| match sim.unit(name).unwrap().workload.message.as_str() {
            "won" => Err(format!("{name} won")),
            _ => Ok(()),
        }
    };
    for name in ["web/0", "web/1"] {
        let wrong = explore_steps(RUNS_MAX, || deployed(&charm, 2), &[], winner(name)).unwrap_err();
        assert_eq!(wrong.reason, format!("{name} won"));
        assert!(wrong.transcript.contains(&format!("{name} is active: won")));
    }
    let few = explore_steps(3, || deployed(&charm, 2), &[], |_| Ok(())).unwrap();
    assert_eq!((few.runs, few.is_complete), (3, false));
}
