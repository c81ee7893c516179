//! How many dispatches a second the simulator does: in process, and with real programs against the bare
//! cost of their processes.
//!
//! ```console
//! $ cargo bench -p charms-reactive-tests --bench simulator
//! ```

#![expect(clippy::print_stdout, reason = "a bench tells what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock and starts programs")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use charms_reactive::prelude::*;
use charms_reactive_testkit::{Event, InProcess, Sim, in_process};

#[path = "../support/layout.rs"]
mod layout;

const PEERS: &str = "name: member\npeers:\n  ring: {interface: ring}\n";
const NODE: &str = "- job_name: node\n  static_configs:\n    - targets: ['10.0.0.5:9100']\n";

fn main() {
    // Cargo runs benches as tests too, with fewer rounds.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let scale = if is_test { 1 } else { 10 };
    scrape_jobs(scale);
    idle(scale);
    peers(if is_test { 10 } else { 100 });
    programs(5 * scale);
}

/// `count` things in `took`, as a line of a table.
fn tell(what: &str, count: usize, took: Duration) -> f64 {
    let per_second = f64::from(u32::try_from(count).expect("few")) / took.as_secs_f64();
    println!("{what:58} {count:7} in {:6.2} s = {per_second:8.0} / s", took.as_secs_f64());
    per_second
}

/// The charm of this repository: two units, related to three, configured again and again.
fn scrape_jobs(rounds: usize) {
    let mut sim = Sim::builder().seed(1).events_max(10_000).build().expect("a model");
    let silent = InProcess::from_yaml(
        "name: silent\nrequires:\n  manual-jobs: {interface: prometheus-manual}\n",
        |_, _| 0,
    );
    sim.deploy("jobs", in_process(prometheus_scrape_jobs::app).folder(layout::SCRAPE_JOBS.folder), 2)
        .expect("deployed");
    sim.deploy("prometheus", silent, 3).expect("deployed");
    sim.relate("jobs:prometheus", "prometheus:manual-jobs").expect("related");
    let start = Instant::now();
    let mut hooks = 0;
    for round in 0..rounds * 100 {
        let jobs = format!("{NODE}- job_name: disk{}\n", round % 7);
        sim.configure("jobs", &[("jobs", &jobs)]).expect("configured");
        let settled = sim.settle().expect("settled");
        assert_eq!(settled.failed, []);
        hooks += settled.hooks;
    }
    tell("in process: prometheus-scrape-jobs, jobs that change", hooks, start.elapsed());
}

fn app() -> App {
    App::new(Charm::default()).handler(ready, on(charms_reactive::HookEvent::Start))
}

fn ready(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("ready"));
    Ok(())
}

/// Dispatches with nothing to do.
fn idle(rounds: usize) {
    let mut sim = Sim::builder().seed(1).events_max(10_000).build().expect("a model");
    sim.deploy("web", in_process(app).metadata("name: web"), 3).expect("deployed");
    sim.settle().expect("settled");
    let start = Instant::now();
    let mut hooks = 0;
    for _ in 0..rounds * 1000 {
        for unit in ["web/0", "web/1", "web/2"] {
            sim.update_status(unit).expect("a unit");
        }
        hooks += sim.settle().expect("settled").hooks;
    }
    tell("in process: update-status with nothing to do", hooks, start.elapsed());
}

/// Three applications with peers.
fn peers(units: u32) {
    let mut sim = Sim::builder().seed(1).events_max(10_000).hooks_max(10_000_000).build().expect("a model");
    let start = Instant::now();
    for name in ["a", "b", "c"] {
        sim.deploy(name, in_process(app).metadata(PEERS), units).expect("deployed");
    }
    let settled = sim.settle().expect("settled");
    assert_eq!(settled.failed, []);
    tell(
        &format!("in process: 3 applications of {units} units with peers settle"),
        settled.hooks,
        start.elapsed(),
    );
    println!("memory at most: {} MiB", memory_max_mib());
}

fn memory_max_mib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<usize>().ok()).unwrap_or_default() / 1024
}

/// The charm as a program, and the same processes without a model.
fn programs(rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    layout::SCRAPE_JOBS.lay_out(folder.path());
    let program = Path::new(env!("CARGO_BIN_EXE_sim-hook-command"));
    let mut sim = Sim::builder().seed(1).program(program).build().expect("a model");
    sim.deploy("jobs", folder.path(), 1).expect("deployed");
    sim.settle().expect("settled");
    let from = sim.events().len();
    let start = Instant::now();
    let mut hooks = 0;
    for round in 0..rounds {
        let jobs = format!("{NODE}- job_name: disk{}\n", round % 7);
        sim.configure("jobs", &[("jobs", &jobs)]).expect("configured");
        hooks += sim.settle().expect("settled").hooks;
    }
    let simulated = tell("programs: prometheus-scrape-jobs, jobs that change", hooks, start.elapsed());
    let commands =
        sim.events()[from..].iter().filter(|event| matches!(event, Event::CommandRun { .. })).count();

    // The same number of the same programs: the charm, which finds no Juju and ends, and hook commands,
    // which find no socket and end.
    let start = Instant::now();
    for _ in 0..hooks {
        bare(&folder.path().join("dispatch"), "dispatch");
    }
    let links = tempfile::tempdir().expect("a folder");
    let command = links.path().join("state-get");
    std::os::unix::fs::symlink(program, &command).expect("a link");
    for _ in 0..commands {
        bare(&command, "state-get");
    }
    let alone = tell(
        &format!("programs: as many processes alone ({commands} hook commands)"),
        hooks,
        start.elapsed(),
    );
    println!("programs: {:.2} times the bare cost", alone / simulated);
}

/// Starts a program as the simulator does, with its streams read, and waits for it.
fn bare(program: &Path, name: &str) {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().unwrap_or_else(|error| panic!("cannot start `{name}`: {error}"));
    assert!(!output.status.success(), "`{name}` cannot work without Juju");
}
