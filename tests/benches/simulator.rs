//! How many dispatches a second the simulator does in process, and how long models take to settle. What it adds to the
//! cost of real programs is in the bench `hooks`.
//!
//! ```console
//! $ cargo bench -p charms-reactive-tests --bench simulator
//! $ cargo bench -p charms-reactive-tests --bench simulator -- whole   # twenty minutes: a thousand peers, programs by the hundred
//! ```
//!
//! The charm of the second table does nothing but to show a status; as a program it is packed, as charms are.

#![expect(clippy::print_stdout, reason = "a bench tells what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock and starts programs")]

use std::cell::RefCell;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use charms_reactive::prelude::*;
use charms_reactive_testkit::{CharmSource, InProcess, Sim, in_process};

#[path = "hooks/packed.rs"]
#[expect(dead_code, reason = "the other bench needs more of it")]
mod packed;

use packed::Ours;

const PEERS: &str = "name: member\npeers:\n  ring: {interface: ring}\n";
const NODE: &str = "- job_name: node\n  static_configs:\n    - targets: ['10.0.0.5:9100']\n";

fn main() -> ExitCode {
    // Cargo runs benches as tests too, with fewer rounds.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let is_whole = std::env::args().any(|argument| argument == "whole");
    let scale = if is_test { 1 } else { 10 };
    scrape_jobs(scale);
    idle(scale);
    let ours = &Ours::build(is_test);
    println!();
    println!(
        "{:34} {:>6} {:>8} {:>8} {:>8} {:>9} {:>6}",
        "settles", "units", "hooks", "seconds", "of CPU", "hooks/CPU", "MiB"
    );
    let peers = if is_test { &[3, 10][..] } else { &[100, 200, 400] };
    let related = if is_test { &[10][..] } else { &[100, 300, 1000] };
    let started = if is_test { &[3][..] } else { &[10, 30] };
    ring(How::InProcess, 3, peers[0]);
    for units in &peers[1..] {
        ring(How::InProcess, 1, *units);
    }
    for units in related {
        star(How::InProcess, *units);
    }
    for how in [How::Programs(ours), How::Socket(ours)] {
        for units in started {
            ring(how, 3, *units);
        }
        star(how, started[0] * 10);
    }
    if is_whole {
        for how in [How::Socket(ours), How::Programs(ours)] {
            star(how, 1000);
            ring(how, 3, 100);
        }
        ring(How::InProcess, 1, 1000);
    }
    ExitCode::SUCCESS
}

/// How charms are run.
#[derive(Clone, Copy)]
enum How<'a> {
    /// As functions of this program.
    InProcess,
    /// As programs that start one for each hook command.
    Programs(&'a Ours),
    /// As programs that speak to the agent's socket.
    Socket(&'a Ours),
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
    sim.deploy("jobs", in_process(prometheus_scrape_jobs::app).folder(packed::tests().join("..")), 2)
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

/// Applications of units that are all each other's peers.
fn ring(how: How<'_>, applications: u32, units: u32) {
    settle(&format!("{applications} x peers"), how, applications * units, |sim, charm| {
        for name in ["a", "b", "c"].iter().take(applications as usize) {
            sim.deploy(name, charm(PEERS), units).expect("deployed");
        }
    });
}

/// One unit that all units of another application are related to.
fn star(how: How<'_>, units: u32) {
    settle("units related to one", how, units + 1, |sim, charm| {
        sim.deploy("web", charm("name: web\nrequires: {db: {interface: sql}}\n"), units).expect("deployed");
        sim.deploy("mysql", charm("name: mysql\nprovides: {server: {interface: sql}}\n"), 1)
            .expect("deployed");
        sim.relate("web", "mysql").expect("related");
    });
}

/// Deploys a model, has it settle, and tells what that took.
fn settle(what: &str, how: How<'_>, units: u32, deploy: impl Fn(&mut Sim, &dyn Fn(&str) -> CharmSource)) {
    forget_memory_max();
    let folders = RefCell::new(Vec::new());
    let charm = |metadata: &str| -> CharmSource {
        let (How::Programs(ours) | How::Socket(ours)) = how else {
            return in_process(app).metadata(metadata).into();
        };
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("metadata.yaml"), metadata).expect("a file");
        fs::copy(&ours.charm, folder.path().join("dispatch")).expect("copied");
        if matches!(how, How::Socket(_)) {
            fs::write(folder.path().join("on-socket"), "").expect("a file");
        }
        let source = folder.path().into();
        folders.borrow_mut().push(folder);
        source
    };
    let builder = Sim::builder().seed(1).events_max(10_000).hooks_max(10_000_000);
    let builder = match how {
        How::InProcess => builder,
        How::Programs(ours) | How::Socket(ours) => builder.program(&ours.hook_command),
    };
    let mut sim = builder.build().expect("a model");
    let (start, before) = (Instant::now(), cpu_seconds());
    deploy(&mut sim, &charm);
    let settled = sim.settle().expect("settled");
    assert_eq!(settled.failed, []);
    let (hooks, seconds) = (settled.hooks, start.elapsed().as_secs_f64());
    let cpu = cpu_seconds() - before;
    let per_second = f64::from(u32::try_from(hooks).expect("few")) / cpu;
    let how = match how {
        How::InProcess => "in process",
        How::Programs(_) => "programs",
        How::Socket(_) => "on the socket",
    };
    let memory = memory_max_mib();
    let what = format!("{how}: {what}");
    println!("{what:34} {units:6} {hooks:8} {seconds:8.2} {cpu:8.2} {per_second:9.0} {memory:6}");
}

/// How long processors worked for this program and those that it has started and that have ended: on a machine that
/// others use, this says more than the time that passed.
fn cpu_seconds() -> f64 {
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u32 = words.skip(11).take(4).filter_map(|word| word.parse::<u32>().ok()).sum();
    f64::from(ticks) / TICKS_A_SECOND
}

/// Has the system count from here what memory is used at most.
fn forget_memory_max() {
    // Where that cannot be, what came before counts, too.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn memory_max_mib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<usize>().ok()).unwrap_or_default() / 1024
}
