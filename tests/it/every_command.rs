//! The charm `prometheus-scrape-jobs`, with a fault at every hook command of a scenario, in process and as
//! its program: the promise of a dispatch that is a transaction.

use std::path::Path;

use charms_reactive_testkit::{CharmSource, InProcess, Mode, Sim, Verdict, every_command, in_process};

use super::layout;

const NODE: &str = "- job_name: node\n  static_configs:\n    - targets: ['10.0.0.5:9100']\n";
const BOTH: &str = "- job_name: node\n  scheme: https\n- job_name: disk\n";

/// A Prometheus that says nothing.
fn silent() -> InProcess {
    InProcess::from_yaml("name: silent\nrequires:\n  manual-jobs: {interface: prometheus-manual}\n", |_, _| 0)
}

/// The charm, deployed beside somebody to serve.
fn new(mode: Mode, packed: &Path) -> Sim {
    let mut sim =
        Sim::builder().seed(7).program(env!("CARGO_BIN_EXE_sim-hook-command")).build().expect("a model");
    sim.deploy("jobs", charm(mode, packed), 1).expect("deployed");
    sim.deploy("prometheus", silent(), 1).expect("deployed");
    sim
}

fn charm(mode: Mode, packed: &Path) -> CharmSource {
    in_process(prometheus_scrape_jobs::app).source(mode, layout::SCRAPE_JOBS.folder, packed)
}

fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

/// A whole life, from one settled state to the next: installed and related, configured, with one more to serve,
/// with one less, taken apart.
const LIFE: [fn(&mut Sim); 5] = [
    |sim| {
        sim.relate("jobs:prometheus", "prometheus:manual-jobs").expect("related");
        settle(sim);
    },
    |sim| {
        sim.configure("jobs", &[("jobs", NODE)]).expect("configured");
        settle(sim);
    },
    |sim| {
        sim.add_unit("prometheus").expect("added");
        sim.configure("jobs", &[("jobs", BOTH)]).expect("configured");
        settle(sim);
    },
    |sim| {
        sim.remove_unit("prometheus/0").expect("removed");
        settle(sim);
    },
    |sim| {
        let relation = sim.relation_between("jobs:prometheus", "prometheus:manual-jobs");
        sim.remove_relation(relation.expect("related")).expect("removed");
        settle(sim);
    },
];

fn life(sim: &mut Sim) {
    for part in LIFE {
        part(sim);
    }
}

/// Goes through a scenario, and gives the number of its commands.
fn through(fault: &Verdict, new: impl Fn() -> Sim, scenario: impl Fn(&mut Sim)) -> usize {
    let covered = every_command(fault, new, scenario);
    covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript)).commands
}

fn check_in_process(fault: &Verdict) {
    let commands = through(fault, || new(Mode::InProcess, Path::new("")), life);
    assert!(commands > 80, "{commands}");
}

/// The whole life as a program.
///
/// What comes before a part is done in process, by the same charm: of programs, it would take minutes.
fn check_as_a_program(fault: &Verdict, parts: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    layout::SCRAPE_JOBS.lay_out(folder.path());
    let until = |part: usize| {
        if part == 0 {
            return new(Mode::Program, folder.path());
        }
        let mut sim = new(Mode::InProcess, Path::new(""));
        for part in &LIFE[..part] {
            part(&mut sim);
        }
        sim.upgrade("jobs", charm(Mode::Program, folder.path())).expect("the same charm");
        settle(&mut sim);
        sim
    };
    let commands: usize = (0..parts).map(|part| through(fault, || until(part), LIFE[part])).sum();
    assert!(commands > 20 * parts.min(4), "{commands}");
}

#[test]
fn killed_at_any_command_in_process() {
    check_in_process(&Verdict::Kill);
}

#[test]
fn refused_at_any_command_in_process() {
    check_in_process(&Verdict::refuse("connection is shut down"));
}

#[test]
fn leadership_lost_at_any_command_in_process() {
    check_in_process(&Verdict::lose_leadership());
}

#[test]
fn killed_at_any_command_as_a_program() {
    check_as_a_program(&Verdict::Kill, LIFE.len());
}

#[test]
fn refused_at_any_command_as_a_program() {
    check_as_a_program(&Verdict::refuse("connection is shut down"), LIFE.len());
}

#[test]
fn leadership_lost_at_any_command_of_the_start_as_a_program() {
    check_as_a_program(&Verdict::lose_leadership(), 2);
}

#[test]
fn one_seed_is_one_run_to_the_byte() {
    let run = || {
        let mut sim = new(Mode::InProcess, Path::new(""));
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
