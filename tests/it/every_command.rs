//! The charm `prometheus-scrape-jobs`, with a fault at every hook command of a scenario, in process and as
//! its program: the promise of a dispatch that is a transaction.

use charms_reactive_testkit::{InProcess, Mode, Sim, Verdict, every_command, in_process};

use super::layout;

const NODE: &str = "- job_name: node\n  static_configs:\n    - targets: ['10.0.0.5:9100']\n";
const BOTH: &str = "- job_name: node\n  scheme: https\n- job_name: disk\n";

/// A Prometheus that says nothing.
fn silent() -> InProcess {
    InProcess::from_yaml("name: silent\nrequires:\n  manual-jobs: {interface: prometheus-manual}\n", |_, _| 0)
}

fn new(mode: Mode, packed: &std::path::Path) -> Sim {
    let mut sim =
        Sim::builder().seed(7).program(env!("CARGO_BIN_EXE_sim-hook-command")).build().expect("a model");
    let charm = in_process(prometheus_scrape_jobs::app).source(mode, layout::SCRAPE_JOBS.folder, packed);
    sim.deploy("jobs", charm, 1).expect("deployed");
    sim.deploy("prometheus", silent(), 1).expect("deployed");
    sim
}

/// A whole life: installed, related, configured twice, taken apart.
fn life(sim: &mut Sim) {
    let settle = |sim: &mut Sim| {
        let settled = sim.settle().expect("the model works");
        assert_eq!(settled.failed, [], "{}", sim.transcript());
    };
    let relation = sim.relate("jobs:prometheus", "prometheus:manual-jobs").expect("related");
    settle(sim);
    sim.configure("jobs", &[("jobs", NODE)]).expect("configured");
    settle(sim);
    sim.add_unit("prometheus").expect("added");
    sim.configure("jobs", &[("jobs", BOTH)]).expect("configured");
    settle(sim);
    sim.remove_unit("prometheus/0").expect("removed");
    settle(sim);
    sim.remove_relation(relation).expect("removed");
    settle(sim);
}

/// A part of it, for programs: every fault is another run, of tens of processes.
fn start_of_life(sim: &mut Sim) {
    sim.relate("jobs:prometheus", "prometheus:manual-jobs").expect("related");
    sim.configure("jobs", &[("jobs", NODE)]).expect("configured");
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

fn check(mode: Mode, fault: &Verdict) {
    let folder = tempfile::tempdir().expect("a folder");
    layout::SCRAPE_JOBS.lay_out(folder.path());
    let through = |scenario: fn(&mut Sim), commands_min| {
        let covered = every_command(fault, || new(mode, folder.path()), scenario);
        let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
        assert!(covered.commands > commands_min, "{covered:?}");
    };
    through(start_of_life, 30);
    if mode == Mode::InProcess {
        through(life, 80);
    }
}

#[test]
fn killed_at_any_command_in_process() {
    check(Mode::InProcess, &Verdict::Kill);
}

#[test]
fn refused_at_any_command_in_process() {
    check(Mode::InProcess, &Verdict::refuse("connection is shut down"));
}

#[test]
fn leadership_lost_at_any_command_in_process() {
    check(Mode::InProcess, &Verdict::lose_leadership());
}

#[test]
fn killed_at_any_command_as_a_program() {
    check(Mode::Program, &Verdict::Kill);
}

#[test]
fn refused_at_any_command_as_a_program() {
    check(Mode::Program, &Verdict::refuse("connection is shut down"));
}

#[test]
fn one_seed_is_one_run_to_the_byte() {
    let run = || {
        let mut sim = new(Mode::InProcess, std::path::Path::new(""));
        life(&mut sim);
        (sim.transcript(), sim.snapshot())
    };
    assert_eq!(run(), run());
}

#[test]
fn as_a_function_and_as_a_program_the_charm_leaves_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    layout::SCRAPE_JOBS.lay_out(folder.path());
    let run = |mode| {
        let mut sim = new(mode, folder.path());
        life(&mut sim);
        sim.snapshot().to_string()
    };
    assert_eq!(run(Mode::InProcess), run(Mode::Program));
}
