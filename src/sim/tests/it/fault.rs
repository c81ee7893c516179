//! Faults at hook commands and at the boundaries of hooks, for functions and for processes.

use std::cell::RefCell;
use std::rc::Rc;

use charms_reactive_sim::hookcmd::{Commands as _, HookCommands, Request, WorkloadStatus};
use charms_reactive_sim::{
    Change, CharmSource, Environment, Fate, InProcess, Outcome, Sim, Verdict, every_command,
};
use expect_test::expect;

use crate::charm::{Charms, builder, hooks};

/// A charm with peers that publishes and keeps what hook it ran, says so, and writes it into a file.
fn publishing() -> InProcess {
    InProcess::from_yaml("name: web\npeers: {ring: ring}", |mut commands, environment| {
        i32::from(publish(&mut commands, environment).is_none())
    })
}

fn publish(commands: &mut Box<dyn HookCommands>, environment: &Environment) -> Option<()> {
    let hook = environment.var("JUJU_HOOK_NAME")?;
    let folder = std::path::PathBuf::from(environment.var("JUJU_CHARM_DIR")?);
    std::fs::create_dir_all(&folder).ok()?;
    std::fs::File::create(folder.join(hook)).ok()?;
    if hook != "install" {
        let mut ask = |name, args: &[&str]| {
            let request = args.iter().fold(Request::new(name, []), |request, arg| request.arg(*arg));
            commands.call(&request).ok().filter(|answer| answer.code == 0).map(drop)
        };
        ask("relation-set", &["-r", "ring:0", &format!("last={hook}")])?;
        ask("state-set", &[&format!("last={hook}")])?;
        ask("open-port", &["80"])?;
    }
    commands.status_set(WorkloadStatus::Active, hook).ok()
}

/// The same in bash.
fn publishing_in_bash(charms: &mut Charms) -> CharmSource {
    let body = r#"
        touch "$hook"
        if [ "$hook" != install ]; then
            relation-set -r ring:0 "last=$hook"
            state-set "last=$hook"
            open-port 80
        fi
        status-set active "$hook"
    "#;
    charms.dispatch("name: web\npeers: {ring: ring}", body).into()
}

fn life(sim: &mut Sim) {
    sim.settle().unwrap();
    sim.add_unit("web").unwrap();
    sim.settle().unwrap();
}

fn world(charm: &CharmSource) -> Sim {
    let mut sim = builder().build().unwrap();
    sim.deploy("web", charm.clone(), 1).unwrap();
    sim
}

#[test]
fn one_seed_is_one_run_to_the_byte() {
    let run = |seed| {
        let mut sim = Sim::from_seed(seed);
        sim.deploy("web", publishing(), 3).unwrap();
        sim.settle().unwrap();
        sim.transcript()
    };
    assert_eq!(run(5), run(5));
    assert!((6..20).any(|seed| run(seed) != run(5)), "the seed decides nothing");
}

#[test]
fn the_same_charm_as_a_function_or_as_a_program_leaves_the_same() {
    let mut charms = Charms::new();
    let program = publishing_in_bash(&mut charms);
    let run = |charm: &CharmSource| {
        let mut sim = world(charm);
        life(&mut sim);
        (hooks(&sim, 0), sim.snapshot().to_string())
    };
    assert_eq!(run(&publishing().into()), run(&program));
}

#[test]
fn a_kill_at_any_command_leaves_no_trace() {
    let mut charms = Charms::new();
    for fault in [Verdict::Kill, Verdict::refuse("connection is shut down")] {
        let charm = publishing().into();
        let covered = every_command(&fault, || world(&charm), life).unwrap();
        assert!(covered.commands > 50, "{covered:?}");
        let charm = publishing_in_bash(&mut charms);
        let covered = every_command(&fault, || world(&charm), |sim| drop(sim.settle().unwrap())).unwrap();
        assert!(covered.commands > 12, "{covered:?}");
    }
}

#[test]
fn what_a_kill_leaves_in_a_charm_that_does_not_bear_it_is_found() {
    // It counts the runs of a hook in the settings of the leader, which Juju does not hold back.
    let charm = InProcess::from_yaml("name: web", |mut commands, environment| {
        if environment.var("JUJU_HOOK_NAME") != Some("start") {
            return 0;
        }
        let mut runs = Vec::new();
        for request in [Request::new("leader-get", ["runs"]), Request::new("status-set", ["active"])] {
            let answer = commands.call(&request).unwrap();
            runs.extend(String::from_utf8(answer.stdout).unwrap().trim().parse::<u32>());
            if request.name == "leader-get" {
                let text = format!("runs={}", runs.first().map_or(1, |runs| runs + 1));
                commands.call(&Request::new("leader-set", [&text])).unwrap();
            }
        }
        0
    });
    let new = || {
        let mut sim = Sim::from_seed(1);
        sim.deploy("web", charm.clone(), 1).unwrap();
        sim
    };
    let broken = every_command(&Verdict::Kill, new, |sim| drop(sim.settle().unwrap())).unwrap_err();
    expect![[r#"
        a fault at command 2 (web/0 start: status-set active): in the end, other than without the fault:
        - leader web runs = "1"
        + leader web runs = "2"
    "#]]
    .assert_eq(&broken.to_string());
}

#[test]
fn a_rule_ends_with_its_guard() {
    let mut sim = Sim::from_seed(1);
    sim.deploy("web", publishing(), 1).unwrap();
    let guard = sim.rule(|_| Verdict::refuse("no"));
    assert_eq!(sim.settle().unwrap().failed.len(), 1);
    drop(guard);
    assert_eq!(sim.settle().unwrap().failed, []);
}

#[test]
fn leadership_lost_between_two_commands_is_seen_by_the_second() {
    let answers: Rc<RefCell<Vec<bool>>> = Rc::default();
    let told = Rc::clone(&answers);
    let charm = InProcess::from_yaml("name: web", move |mut commands, environment| {
        if environment.var("JUJU_HOOK_NAME") == Some("update-status") {
            told.borrow_mut().push(commands.is_leader().unwrap());
            told.borrow_mut().push(commands.is_leader().unwrap());
        }
        0
    });
    let mut sim = Sim::from_seed(1);
    sim.deploy("web", charm, 2).unwrap();
    sim.settle().unwrap();
    sim.rule(|command| if command.index == 1 { Verdict::lose_leadership() } else { Verdict::Run }).keep();
    sim.update_status("web/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(*answers.borrow(), [true, false]);
    assert!(sim.unit("web/1").unwrap().leader);
}

#[test]
fn leadership_lost_to_nobody_is_claimed_again() {
    let mut sim = Sim::from_seed(1);
    sim.deploy("web", publishing(), 1).unwrap();
    sim.settle().unwrap();
    let unit = sim.unit("web/0").unwrap().name;
    sim.operator().lose_leadership(&unit);
    assert!(!sim.unit("web/0").unwrap().leader);
    let from = sim.events().len();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 leader-elected\n");
}

#[test]
fn what_happens_at_the_boundary_of_a_hook() {
    let run = |fate: Fate| {
        let mut sim = Sim::from_seed(1);
        sim.deploy("web", publishing(), 2).unwrap();
        sim.settle().unwrap();
        let from = sim.events().len();
        let mut left = Some(fate);
        let guard = sim.hook_rule(move |boundary| match boundary.hook {
            "update-status" => left.take().unwrap_or(Fate::Run),
            _ => Fate::Run,
        });
        sim.update_status("web/1").unwrap();
        sim.settle().unwrap();
        drop(guard);
        // The other unit is told what this one publishes, each time.
        hooks(&sim, from)
            .lines()
            .filter(|line| line.starts_with("web/1") && !line.contains("ring-relation"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(run(Fate::Run), "web/1 update-status");
    assert_eq!(run(Fate::FailCommit("no".to_owned())), "web/1 update-status, web/1 update-status");
    assert_eq!(run(Fate::LoseCommit), "web/1 update-status, web/1 update-status");
    assert_eq!(run(Fate::Reboot), "web/1 start, web/1 update-status");
    assert_eq!(
        run(Fate::Upgrade(publishing().into())),
        "web/1 upgrade-charm, web/1 config-changed, web/1 update-status"
    );
    assert_eq!(run(Fate::LoseUnit), "");
    assert_eq!(run(Fate::Change(Change::ChangeAddress)), "web/1 config-changed, web/1 update-status");
}

#[test]
fn a_function_that_panics_is_a_failed_hook() {
    let charm = InProcess::from_yaml("name: web", |_, _| std::panic::resume_unwind(Box::new("no")));
    let mut sim = Sim::from_seed(1);
    sim.deploy("web", charm, 1).unwrap();
    let run = sim.step().unwrap().unwrap();
    assert_eq!(run.outcome, Outcome::Failed { error: "exit code 101".to_owned() });
}

#[test]
fn a_function_that_keeps_its_backend_finds_nobody_there() {
    let kept: Rc<RefCell<Option<Box<dyn HookCommands>>>> = Rc::default();
    let keep = Rc::clone(&kept);
    let charm = InProcess::from_yaml("name: web", move |commands, _| {
        *keep.borrow_mut() = Some(commands);
        0
    });
    let mut sim = Sim::from_seed(1);
    sim.deploy("web", charm, 1).unwrap();
    sim.step().unwrap();
    let error = kept.borrow_mut().as_mut().unwrap().is_leader().unwrap_err();
    assert_eq!(error.to_string(), "cannot start hook command `is-leader`");
}

#[test]
fn files_do_not_leak_between_units() {
    let mut sim = Sim::from_seed(1);
    sim.deploy("web", publishing(), 2).unwrap();
    sim.settle().unwrap();
    let [first, second] = ["web/0", "web/1"].map(|unit| sim.charm_dir(unit).unwrap());
    assert_ne!(first, second);
    assert!(first.join("leader-elected").exists());
    assert!(!second.join("leader-elected").exists());
}
