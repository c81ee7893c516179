//! Charm `search-index` as a program, with a real `charmd`: what survives a kill of whom.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use charms_reactive_client::Client;
use charms_reactive_testkit::{Sim, lay_out};
use serde_json::{Value, json};

use super::{charmd, kill};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charms/search-index");
const UNIT: &str = "index/0";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What every wake-up runs.
const WAKE_UP: &str = "JUJU_DISPATCH_PATH=hooks/wake-up JUJU_HOOK_NAME=wake-up ./dispatch";

/// A `charmd` of the unit; killed when it is dropped.
struct Charmd(Child);

impl Drop for Charmd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A unit with the charm, documents, and a place for the index.
struct World {
    sim: Sim,
    folder: tempfile::TempDir,
}

impl World {
    /// Documents are indexed with so many milliseconds of rest after each.
    fn new(documents: usize, pause: u32) -> Self {
        Self::packed(documents, pause, false)
    }

    /// The same, with the daemon in the charm: then the unit has one without the test.
    fn packed(documents: usize, pause: u32, has_daemon: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |name: &str| folder.path().join(name);
        lay_out(env!("CARGO_BIN_EXE_search-index-charm"), FOLDER, place("charm")).expect("laid out");
        fs::create_dir(place("documents")).expect("made");
        for number in 0..documents {
            write(&place("documents").join(format!("{number:03}.txt")), &format!("common only{number}"));
        }
        let builder = Sim::builder().seed(7).program(env!("CARGO_BIN_EXE_sim-hook-command"));
        let builder = builder.path_tail("/usr/bin:/bin").update_status_interval(Duration::ZERO);
        let mut sim = builder.build().expect("a model");
        if has_daemon {
            fs::copy(charmd(), place("charm/charmd")).expect("copied");
        }
        sim.deploy("index", place("charm").as_path(), 1).expect("deployed");
        let text = |name: &str| place(name).to_string_lossy().into_owned();
        let options =
            [("folder", &*text("documents")), ("index", &*text("index")), ("pause", &*pause.to_string())];
        sim.configure("index", &options).expect("configured");
        Self { sim, folder }
    }

    fn charm_dir(&self) -> PathBuf {
        self.sim.charm_dir(UNIT).expect("a unit")
    }

    fn daemon_folder(&self) -> PathBuf {
        self.charm_dir().parent().expect("a folder").join("charmd")
    }

    fn client(&self) -> Client {
        Client::unix(self.daemon_folder().join("socket"))
    }

    /// Starts the daemon, and returns when it answers.
    fn start(&self) -> Charmd {
        let folder = self.daemon_folder();
        fs::create_dir_all(&folder).expect("made");
        let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log");
        let mut command = Command::new(charmd());
        command.arg("serve").arg("--charm").arg(self.charm_dir());
        command.arg("--data").arg(folder.join("data")).arg("--socket").arg(folder.join("socket"));
        let charmd = Charmd(command.stdin(Stdio::null()).stderr(log).spawn().expect("started"));
        wait_for("the daemon", || self.client().request("GET", "/1.0", None).is_ok());
        charmd
    }

    fn get(&self, path: &str) -> Value {
        self.client().request("GET", path, None).expect("an answer").body["metadata"].take()
    }

    /// The operations that run, or whose end is not acknowledged.
    fn outbox(&self) -> Vec<Value> {
        self.get("/1.0/outbox").as_array().expect("a list").clone()
    }

    /// How many documents are indexed, as the one operation has kept.
    fn kept(&self) -> u64 {
        self.outbox()[0]["metadata"]["kept"]["documents"].as_u64().unwrap_or(0)
    }

    fn has_ended(&self) -> bool {
        self.outbox().iter().all(|operation| operation["status_code"].as_u64() >= Some(200))
    }

    fn wake_ups(&self) -> usize {
        self.get("/1.0/wake-ups").as_array().expect("a list").len()
    }

    fn settle(&mut self) {
        let settled = self.sim.settle().expect("the model works");
        assert_eq!(settled.failed, [], "{}", self.sim.transcript());
    }

    fn wake(&mut self) {
        let woken = self.sim.exec(UNIT, WAKE_UP).expect("it runs");
        assert_eq!(woken.code, 0, "{}", woken.stderr);
    }

    fn status(&self) -> String {
        let status = self.sim.unit(UNIT).expect("a unit").workload;
        format!("{}: {}", status.status, status.message)
    }

    fn flags(&self) -> Vec<String> {
        let state = self.sim.unit_state(UNIT).expect("a unit");
        let flags: Vec<String> = serde_json::from_str(&state["flags"]).expect("a list of flags");
        flags.into_iter().filter(|flag| flag.starts_with("operation.")).collect()
    }

    /// The index, as it is on the disk.
    fn index(&self) -> Value {
        let text = fs::read(self.folder.path().join("index/index.json")).expect("an index");
        serde_json::from_slice(&text).expect("JSON")
    }
}

fn write(path: &Path, text: &str) {
    File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
}

#[track_caller]
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_index_is_built_between_hooks() {
    let mut world = World::new(60, 50);
    let _charmd = world.start();
    world.settle();
    assert_eq!(world.flags(), ["operation.reindex.running"]);
    assert!(world.status().starts_with("maintenance: Indexing"), "{}", world.status());
    wait_for("documents", || world.kept() > 2);
    world.sim.update_status(UNIT).expect("asked");
    world.settle();
    assert!(world.status().starts_with("maintenance: Indexing: "), "{}", world.status());
    wait_for("the end", || world.has_ended());
    assert_eq!(world.wake_ups(), 1, "the unit is to be woken");
    world.wake();
    assert_eq!(world.status(), "active: 60 documents, 61 words");
    assert_eq!(world.flags(), [""; 0], "the charm has forgotten it");
    assert_eq!(world.index()["common"].as_array().expect("documents").len(), 60);
    // That dispatch was kept: the next one says so.
    assert_eq!((world.outbox().len(), world.wake_ups()), (1, 1));
    world.wake();
    assert_eq!((world.outbox().len(), world.wake_ups()), (0, 0));
    let state = world.sim.unit_state(UNIT).expect("a unit");
    assert_eq!(state["operation/reindex"], json!({"generation": 1}).to_string());
}

/// The processes that work for operations of this daemon.
fn children(world: &World) -> Vec<u32> {
    let folder = world.daemon_folder().join("data").canonicalize().expect("a folder");
    let mark = format!("CHARMD_DIRECTORY={}", folder.display());
    let pids = fs::read_dir("/proc").expect("processes").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        variables.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    pids.filter(is_child).collect()
}

#[test]
fn a_killed_daemon_goes_on_where_it_was() {
    let mut world = World::new(30, 20);
    let charmd = world.start();
    world.settle();
    wait_for("documents", || world.kept() > 4);
    assert_eq!(children(&world).len(), 1, "one child works");
    drop(charmd);
    // The state says that it runs, and hooks do not fail meanwhile.
    world.sim.update_status(UNIT).expect("asked");
    world.settle();
    assert_eq!(world.flags(), ["operation.reindex.running"]);
    let mut kept = 0;
    for _ in 0..2 {
        let charmd = world.start();
        assert!(world.kept() > kept, "what was kept is there");
        kept = world.kept();
        wait_for("documents", || world.kept() > kept + 3);
        assert_eq!(children(&world).len(), 1, "nobody else does the same work");
        drop(charmd);
    }
    let _charmd = world.start();
    wait_for("the end", || world.has_ended());
    world.wake();
    assert_eq!(world.status(), "active: 30 documents, 31 words");
    assert_eq!(world.index()["only29"], json!(["029.txt"]));
}

#[test]
fn an_end_that_nobody_saw_is_announced_by_the_next_daemon() {
    let mut world = World::new(60, 50);
    let charmd = world.start();
    world.settle();
    wait_for("the end", || world.has_ended());
    drop(charmd);
    let _charmd = world.start();
    assert_eq!((world.outbox().len(), world.wake_ups()), (1, 1));
    world.wake();
    world.wake();
    assert_eq!((world.outbox().len(), world.wake_ups()), (0, 0));
    assert_eq!(world.status(), "active: 60 documents, 61 words");
}

#[test]
fn a_killed_child_is_a_failure_that_says_so() {
    let mut world = World::new(100, 20);
    let _charmd = world.start();
    world.settle();
    wait_for("documents", || world.kept() > 2);
    kill(children(&world)[0].into());
    wait_for("the end", || world.has_ended());
    world.wake();
    assert_eq!(world.flags(), ["operation.reindex.failure"]);
    assert_eq!(world.status(), "blocked: no index: was ended by signal 9; the action `reindex` tries again");
    world.sim.run_action(UNIT, "reindex", Value::Null).expect("run");
    assert_eq!(world.flags(), ["operation.reindex.running"]);
    assert_eq!(world.outbox().len(), 2, "the first is not acknowledged yet");
    world.wake();
    assert_eq!(world.outbox().len(), 1);
}

#[test]
fn an_action_lists_and_another_cancels() {
    let mut world = World::new(100, 20);
    let _charmd = world.start();
    world.settle();
    wait_for("documents", || world.kept() > 2);
    let listed = world.sim.run_action(UNIT, "operations", Value::Null).expect("run");
    let text = listed.results["reindex"].to_string();
    assert!(text.contains("running: Indexing: "), "{text}");
    let tool = world.sim.exec(UNIT, "./dispatch operations").expect("run");
    assert!(tool.stdout.starts_with("reindex: running: Indexing: "), "{}{}", tool.stdout, tool.stderr);
    let cancelled = world.sim.run_action(UNIT, "cancel", json!({"reason": "too slow"})).expect("run");
    assert_eq!(cancelled.status, "completed", "{}", cancelled.message);
    wait_for("the end", || world.has_ended());
    assert_eq!(children(&world), [0; 0]);
    world.wake();
    assert_eq!(world.flags(), ["operation.reindex.cancelled"]);
    assert_eq!(
        world.status(),
        "blocked: no index: cancelled by root: too slow; the action `reindex` tries again"
    );
    let again = world.sim.run_action(UNIT, "cancel", Value::Null).expect("run");
    assert_eq!((&*again.status, &*again.message), ("failed", "operation `reindex` does not run"));
}

#[test]
fn another_folder_takes_the_place_of_the_first() {
    let mut world = World::new(100, 20);
    let _charmd = world.start();
    world.settle();
    wait_for("documents", || world.kept() > 2);
    let other = world.folder.path().join("other");
    fs::create_dir(&other).expect("made");
    write(&other.join("a.txt"), "alone");
    world.sim.configure("index", &[("folder", &*other.to_string_lossy())]).expect("configured");
    world.settle();
    wait_for("the end", || world.has_ended());
    world.wake();
    assert_eq!(world.status(), "active: 1 documents, 1 words");
    world.wake();
    assert_eq!(world.outbox(), [Value::Null; 0], "the end of the first is nobody's");
}

#[test]
fn the_work_goes_on_while_the_charm_is_upgraded() {
    let mut world = World::new(60, 50);
    let _charmd = world.start();
    world.settle();
    wait_for("documents", || world.kept() > 2);
    let charm = world.folder.path().join("charm");
    world.sim.upgrade("index", charm.as_path()).expect("upgraded");
    world.settle();
    assert_eq!(world.flags(), ["operation.reindex.running"]);
    wait_for("the end", || world.has_ended());
    world.wake();
    assert_eq!(world.status(), "active: 60 documents, 61 words");
}

#[test]
fn a_daemon_that_lost_its_data_is_told_again() {
    let mut world = World::new(60, 20);
    let charmd = world.start();
    world.settle();
    wait_for("documents", || world.kept() > 2);
    drop(charmd);
    // Another machine: nothing of the daemon is there, and nobody works for it.
    wait_for("children to hear it", || children(&world).is_empty());
    fs::remove_dir_all(world.daemon_folder()).expect("removed");
    let _charmd = world.start();
    assert_eq!(world.outbox(), [Value::Null; 0]);
    world.sim.update_status(UNIT).expect("asked");
    world.settle();
    wait_for("the end", || world.outbox().len() == 1 && world.has_ended());
    world.wake();
    assert_eq!(world.status(), "active: 60 documents, 61 words");
}

#[test]
fn the_unit_wakes_by_itself() {
    let mut world = World::packed(20, 50, true);
    let is_done =
        |sim: &Sim| sim.unit(UNIT).is_ok_and(|unit| unit.workload.message == "20 documents, 21 words");
    assert!(world.sim.wait_for(PATIENCE, is_done).expect("the model works"), "{}", world.sim.transcript());
    let transcript = world.sim.transcript();
    assert!(!transcript.contains("update-status"), "{transcript}");
    let daemon = world.daemon_folder();
    world.sim.remove_unit(UNIT).expect("removed");
    world.settle();
    assert!(!daemon.exists(), "and its daemon with it");
}

#[test]
fn progress_is_in_the_status_while_the_work_goes_on() {
    let mut world = World::packed(400, 50, true);
    let mut shown = String::from("Indexing");
    for _ in 0..2 {
        let before = shown.clone();
        let message = |sim: &Sim| sim.unit(UNIT).expect("a unit").workload.message;
        let is_new = |sim: &Sim| message(sim).starts_with("Indexing: ") && message(sim) != before;
        assert!(world.sim.wait_for(PATIENCE, is_new).expect("the model works"), "{}", world.sim.transcript());
        shown = message(&world.sim);
    }
    let transcript = world.sim.transcript();
    assert!(!transcript.contains("update-status"), "{transcript}");
    world.sim.remove_unit(UNIT).expect("removed");
    world.settle();
}
