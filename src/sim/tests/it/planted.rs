//! Charms with planted bugs: each is found within seconds, and shrunk to a handful of steps.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

use charms_reactive_sim::hookcmd::{
    Commands as _, EndpointName, HookCommands, RelationId, Request, WorkloadStatus,
};
use charms_reactive_sim::{
    Environment, Explored, InProcess, Party, Possible, Sim, Trial, explore, for_seeds,
};
use expect_test::expect;

const METADATA: &str = "name: web\npeers: {ring: ring}";
const CONFIG: &str = "options: {port: {type: int, default: 80}}";

type Commands = Box<dyn HookCommands>;

fn charm(run: impl Fn(&mut Commands, &str) -> Option<()> + 'static) -> InProcess {
    let run = move |mut commands: Commands, environment: &Environment| {
        i32::from(run(&mut commands, environment.var("JUJU_HOOK_NAME").unwrap_or_default()).is_none())
    };
    InProcess::from_yaml(METADATA, run).config(CONFIG)
}

/// Two units believe that they lead: what a unit was once told, it never forgets.
fn two_leaders() -> InProcess {
    charm(|commands, hook| {
        let state = commands.state_get().ok()?;
        match hook {
            "leader-elected" => {
                commands.state_set(&BTreeMap::from([("leads".to_owned(), "yes".to_owned())])).ok()
            }
            "config-changed" if state.contains_key("leads") => {
                let primary = BTreeMap::from([("primary".to_owned(), "yes".to_owned())]);
                commands.relation_set(&ring(), false, &primary).ok()
            }
            _ => Some(()),
        }
    })
}

fn ring() -> RelationId {
    RelationId::new(EndpointName::parse("ring").unwrap(), 0)
}

/// At most one unit says that it is the primary.
fn one_primary(sim: &mut Sim) -> Result<(), String> {
    let primary = |unit: &charms_reactive_sim::hookcmd::UnitName| {
        let databag = sim.databag(0, &Party::Unit(unit.clone())).unwrap();
        (databag.text("primary") == Some("yes")).then(|| unit.to_string())
    };
    let primaries: Vec<String> = sim.units("web").iter().filter_map(primary).collect();
    if primaries.len() < 2 { Ok(()) } else { Err(format!("several primaries: {}", primaries.join(", "))) }
}

/// An update is lost: the leader keeps the members in its own state, which the next leader does not have.
fn lost_update() -> InProcess {
    charm(|commands, hook| {
        if hook.starts_with("ring-relation-") && hook.ends_with("changed") || hook == "leader-elected" {
            let mut state = commands.state_get().ok()?;
            let known = state.remove("members").unwrap_or_default();
            let mut members: BTreeSet<String> = known.split_whitespace().map(str::to_owned).collect();
            members.extend(commands.relation_list(&ring()).ok()?.iter().map(ToString::to_string));
            return write_members(commands, members, true);
        }
        Some(())
    })
}

/// The same without the bug: the members are taken from the model.
fn no_lost_update() -> InProcess {
    charm(|commands, hook| {
        if hook == "install" || !commands.is_leader().ok()? {
            return Some(());
        }
        let application = Party::Application(charms_reactive_core::ApplicationName::parse("web").ok()?);
        let known = commands.relation_get(&ring(), &application).ok()?;
        let known = known.text("members").unwrap_or_default().to_owned();
        let mut members: BTreeSet<String> = known.split_whitespace().map(str::to_owned).collect();
        members.extend(commands.relation_list(&ring()).ok()?.iter().map(ToString::to_string));
        write_members(commands, members, false)
    })
}

fn write_members(commands: &mut Commands, members: BTreeSet<String>, is_kept: bool) -> Option<()> {
    let text = members.into_iter().collect::<Vec<_>>().join(" ");
    let changes = BTreeMap::from([("members".to_owned(), text)]);
    if is_kept {
        commands.state_set(&changes).ok()?;
    }
    if commands.is_leader().ok()? {
        commands.relation_set(&ring(), true, &changes).ok()?;
    }
    Some(())
}

/// No member is ever forgotten.
fn no_member_lost(sim: &mut Sim) -> Result<(), String> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for event in sim.events() {
        let charms_reactive_sim::Event::DatabagChanged { key, old, new, .. } = event else { continue };
        if key == "members" {
            let words = |text: &Option<String>| -> BTreeSet<String> {
                text.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
            };
            known.extend(words(old));
            let lost: Vec<String> = known.difference(&words(new)).cloned().collect();
            if !lost.is_empty() {
                return Err(format!("lost from the members: {}", lost.join(", ")));
            }
        }
    }
    Ok(())
}

/// Not idempotent: it adds a line to a file before it is known whether the hook ends well.
fn not_idempotent() -> InProcess {
    InProcess::from_yaml(METADATA, |mut commands, environment| {
        if environment.var("JUJU_HOOK_NAME") != Some("install") {
            return 0;
        }
        let folder = PathBuf::from(environment.var("JUJU_CHARM_DIR").unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        let file = std::fs::OpenOptions::new().append(true).create(true).open(folder.join("log"));
        writeln!(file.unwrap(), "installed").unwrap();
        i32::from(commands.status_set(WorkloadStatus::Active, "installed").is_err())
    })
    .config(CONFIG)
}

fn one_line(sim: &mut Sim) -> Result<(), String> {
    for unit in sim.units("web") {
        let log = sim.charm_dir(&unit.to_string()).unwrap().join("log");
        let lines = std::fs::read_to_string(log).unwrap_or_default().lines().count();
        if lines > 1 {
            return Err(format!("{unit} was installed {lines} times"));
        }
    }
    Ok(())
}

fn possible() -> Possible {
    Possible::new().application("web", 4).option("web", "port", &["80", "81"]).kills()
}

fn trial(charm: &InProcess, check: fn(&mut Sim) -> Result<(), String>) -> Trial<'_> {
    let new = move |seed| {
        let mut sim = Sim::from_seed(seed);
        sim.deploy("web", charm, 3).unwrap();
        sim
    };
    Trial::new(new, check)
}

#[test]
fn two_units_that_believe_they_lead_are_found() {
    let charm = two_leaders();
    let failure = trial(&charm, one_primary).find(0..200, &possible(), 30).expect("found");
    expect![[r#"
        several primaries: web/0, web/1
        with seed 2, after 4 steps (of 30):
          1. stop-agent: web/0
          2. advance: 1min
          3. set-leader: web/0
          4. config: {web: {port: "81"}}
        again: CHARMS_REACTIVE_SEED=2 cargo test -p charms-reactive-sim planted::two_units_that_believe_they_lead_are_found"#]].assert_eq(&failure.to_string());
}

#[test]
fn a_lost_update_is_found() {
    let charm = lost_update();
    let failure = trial(&charm, no_member_lost).find(0..200, &possible(), 30).expect("found");
    expect![[r#"
        lost from the members: web/2
        with seed 0, after 2 steps (of 30):
          1. settle
          2. set-leader: web/2
        again: CHARMS_REACTIVE_SEED=0 cargo test -p charms-reactive-sim planted::a_lost_update_is_found"#]]
    .assert_eq(&failure.to_string());
}

#[test]
fn what_is_no_lost_update_is_not_found() {
    let charm = no_lost_update();
    let failure = trial(&charm, no_member_lost).find(0..100, &possible(), 30);
    assert_eq!(failure.map(|failure| format!("{failure}\n{}", failure.transcript)), None);
}

#[test]
fn a_charm_that_is_not_idempotent_is_found() {
    let charm = not_idempotent();
    let failure = trial(&charm, one_line).find(0..200, &possible(), 30).expect("found");
    expect![[r#"
        web/1 was installed 2 times
        with seed 2, after 1 step (of 30):
          1. kill-at: 0
        again: CHARMS_REACTIVE_SEED=2 cargo test -p charms-reactive-sim planted::a_charm_that_is_not_idempotent_is_found"#]].assert_eq(&failure.to_string());
}

#[test]
fn every_order_of_a_small_model_is_run() {
    let new = || {
        let mut sim = Sim::from_seed(0);
        sim.deploy("web", InProcess::from_yaml("name: web", |_, _| 0), 2).unwrap();
        sim
    };
    let settle = |sim: &mut Sim| sim.settle().map(drop).map_err(|error| error.to_string());
    // Four hooks of one unit and four of the other, in any order: 8! / (4! 4!).
    assert_eq!(explore(1000, new, settle), Ok(Explored { runs: 70, merged: 0, is_complete: true }));
    assert_eq!(explore(50, new, settle), Ok(Explored { runs: 50, merged: 0, is_complete: false }));

    let wrong = explore(1000, new, |sim| {
        settle(sim)?;
        let text = sim.transcript();
        let at = |line: &str| text.find(line).ok_or("not run");
        if at("== web/1 start")? < at("== web/0 install")? {
            Err("web/1 is first".to_owned())
        } else {
            Ok(())
        }
    });
    let wrong = wrong.unwrap_err();
    assert_eq!((wrong.reason.as_str(), wrong.runs), ("web/1 is first", 70));
}

#[test]
fn observers_find_what_no_charm_should_do() {
    let charm = charm(|commands, hook| match hook {
        "config-changed" => {
            let same = BTreeMap::from([("a".to_owned(), String::new())]);
            commands.relation_set(&ring(), false, &same).ok()?;
            let _ = commands.call(&Request::new("leader-set", ["a=1"]));
            commands.status_set(WorkloadStatus::Active, &"long ".repeat(50)).ok()
        }
        _ => Some(()),
    });
    let mut sim = Sim::from_seed(1);
    let findings = sim.check_all();
    sim.deploy("web", charm, 2).unwrap();
    sim.settle().unwrap();
    expect![[r#"
        web/1 runs `leader-set a=1`, but web/0 leads
        the status of web/1 has 249 characters, 200 at most fit
        web/1 config-changed runs `relation-set -r ring:0 --file -`, which changes nothing
        the status of web/0 has 249 characters, 200 at most fit
        web/0 config-changed runs `relation-set -r ring:0 --file -`, which changes nothing
    "#]]
    .assert_eq(&findings.to_string());
    assert!(findings.none().is_err());
}

#[test]
fn a_seed_that_fails_is_one_of_those_asked_for() {
    let failed = std::panic::catch_unwind(|| {
        for_seeds(3..6, |seed| {
            if seed == 5 {
                std::panic::resume_unwind(Box::new(seed));
            }
        });
    });
    assert_eq!(failed.unwrap_err().downcast_ref::<u64>(), Some(&5));
}
