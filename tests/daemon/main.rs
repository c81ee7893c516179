//! Charms in a model with their daemon `charmd`, a program on each unit: `patient`, from its first hook to its last, and
//! in modules of their own `search-index`, and daemons that are one on an etcd.
//!
//! Needs `etcd`; `tests/run` installs it.  Run alone: `cargo test -p charms-reactive-tests --test daemon`.

#![expect(clippy::disallowed_methods, reason = "the test plays whoever packs the charm, and kills programs")]

mod etcd;
mod search_index;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use charms_reactive_client::Client;
use charms_reactive_testkit::{Builder, Event, Sim, Verdict, lay_out};

const CHARM: &str = env!("CARGO_BIN_EXE_patient-charm");
const YAML: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charms/patient");
/// More than any of it takes.
const LIMIT: Duration = Duration::from_mins(1);

/// The daemon, built as `cargo pack --profile dev` does it.
fn charmd() -> &'static Path {
    static CHARMD: OnceLock<PathBuf> = OnceLock::new();
    CHARMD.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline", "--message-format=json", "--package", "charms-reactive-server"]);
        cargo.args(["--bin", "charmd"]).current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
        let output = cargo.output().expect("cargo runs");
        assert!(output.status.success(), "charmd is built");
        let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>();
        let mut built = messages.filter_map(|message| Some(message.ok()?["executable"].as_str()?.into()));
        built.next().expect("cargo says where it is")
    })
}

/// The charm as `cargo pack` lays it out; `is_new` is another build of the daemon.
fn packed(folder: &Path, dispatch: &str, is_new: bool) -> PathBuf {
    let charm = folder.join(if is_new { "new" } else { "old" });
    lay_out(dispatch, YAML, &charm).expect("laid out");
    let mut program = fs::read(charmd()).expect("built");
    if is_new {
        program.extend_from_slice(b"another build");
    }
    let path = charm.join("charmd");
    fs::write(&path, program).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    charm
}

fn builder() -> Builder {
    let program = env!("CARGO_BIN_EXE_sim-hook-command");
    let builder = Sim::builder().seed(7).program(program).update_status_interval(Duration::ZERO);
    builder.path_tail("/usr/bin:/bin")
}

fn model() -> Sim {
    builder().build().expect("a model")
}

fn folder_of(sim: &Sim, unit: &str) -> PathBuf {
    sim.charm_dir(unit).expect("a unit").with_file_name("charmd")
}

/// The process of a unit's daemon, if it answers.
fn process_of(sim: &Sim, unit: &str) -> Option<u64> {
    let client = Client::unix(folder_of(sim, unit).join("socket"));
    let answer = client.request("GET", "/1.0", None).ok()?;
    answer.body["metadata"]["environment"]["server_pid"].as_u64()
}

fn wake_ups_of(sim: &Sim, unit: &str) -> Vec<String> {
    let client = Client::unix(folder_of(sim, unit).join("socket"));
    let answer = client.request("GET", "/1.0/wake-ups", None).expect("an answer");
    let listed = answer.body["metadata"].as_array().expect("a list").iter();
    listed.map(|one| one["name"].as_str().expect("text").to_owned()).collect()
}

fn message(sim: &Sim, unit: &str) -> String {
    sim.unit(unit).expect("a unit").workload.message
}

#[track_caller]
fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

fn kill(process: u64) {
    let killed = Command::new("kill").args(["-9", &process.to_string()]).status().expect("`kill` starts");
    assert!(killed.success());
}

/// Whether a process is there, and has not ended.
fn runs(process: u64) -> bool {
    !fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default().is_empty()
}

#[test]
fn a_deadline_wakes_the_unit_and_no_update_status_is_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sim = model();
    sim.deploy("web", packed(folder.path(), CHARM, false), 2).expect("deployed");
    sim.configure("web", &[("seconds", "4")]).expect("configured");
    settle(&mut sim);
    let [one, two] = ["web/0", "web/1"].map(|unit| process_of(&sim, unit).expect("a daemon"));
    assert_ne!(one, two);
    assert_eq!(["web/0", "web/1"].map(|unit| message(&sim, unit)), ["for five units"; 2]);
    assert_eq!(["web/0", "web/1"].map(|unit| wake_ups_of(&sim, unit)), [["waiter-gather"]; 2]);

    let over = "fewer than five units came in time";
    let is_over = |sim: &Sim| ["web/0", "web/1"].iter().all(|unit| message(sim, unit) == over);
    assert!(sim.wait_for(LIMIT, is_over).expect("the model works"), "{}", sim.transcript());
    // Those that are over are gone, once both were told.
    let is_cleared = |sim: &Sim| ["web/0", "web/1"].iter().all(|unit| wake_ups_of(sim, unit).is_empty());
    assert!(sim.wait_for(LIMIT, is_cleared).expect("the model works"), "{}", sim.transcript());
    let is_update =
        |event: &&Event| matches!(event, Event::HookStarted { hook, .. } if hook == "update-status");
    assert_eq!(sim.events().iter().filter(is_update).count(), 0);
}

#[test]
fn a_wake_up_that_is_killed_is_asked_for_again() {
    const KILLS: usize = 3;
    let folder = tempfile::tempdir().expect("a folder");
    let mut sim = model();
    sim.deploy("web", packed(folder.path(), CHARM, false), 1).expect("deployed");
    settle(&mut sim);
    let kills = Rc::new(Cell::new(0));
    let count = Rc::clone(&kills);
    // Each time a hook command later.
    let _killed = sim.rule(move |command| {
        if command.hook == "juju-exec" && command.index == count.get() && count.get() < KILLS {
            count.set(count.get() + 1);
            return Verdict::Kill;
        }
        Verdict::Run
    });
    let is_over = |sim: &Sim| message(sim, "web/0") == "fewer than five units came in time";
    assert!(sim.wait_for(LIMIT, is_over).expect("the model works"), "{}", sim.transcript());
    assert_eq!(kills.get(), KILLS, "{}", sim.transcript());
    assert!(wake_ups_of(&sim, "web/0").is_empty());
}

#[test]
fn a_daemon_comes_back_is_replaced_with_its_charm_and_goes_with_its_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sim = model();
    sim.deploy("web", packed(folder.path(), CHARM, false), 2).expect("deployed");
    sim.configure("web", &[("seconds", "1000")]).expect("configured");
    settle(&mut sim);
    let first = process_of(&sim, "web/0").expect("a daemon");
    let other = process_of(&sim, "web/1").expect("a daemon");

    // Killed without warning: the next hook that needs it has it back, with the wake-up it had.
    kill(first);
    assert_eq!(process_of(&sim, "web/0"), None);
    sim.update_status("web/0").expect("a unit");
    settle(&mut sim);
    let second = process_of(&sim, "web/0").expect("a daemon");
    assert_eq!(wake_ups_of(&sim, "web/0"), ["waiter-gather"]);
    // All that it knew is lost: it is told again.
    kill(second);
    fs::remove_dir_all(folder_of(&sim, "web/0")).expect("removed");
    sim.update_status("web/0").expect("a unit");
    settle(&mut sim);
    let third = process_of(&sim, "web/0").expect("a daemon");
    assert_eq!(wake_ups_of(&sim, "web/0"), ["waiter-gather"]);
    assert_eq!(process_of(&sim, "web/1"), Some(other));

    sim.upgrade("web", packed(folder.path(), CHARM, true)).expect("upgraded");
    settle(&mut sim);
    let fourth = process_of(&sim, "web/0").expect("a daemon");
    assert_ne!(fourth, third);
    assert!(!runs(third) && !runs(other));
    assert_eq!(wake_ups_of(&sim, "web/0"), ["waiter-gather"]);

    let (gone, removed) = (process_of(&sim, "web/1").expect("a daemon"), folder_of(&sim, "web/1"));
    sim.remove_unit("web/1").expect("removed");
    settle(&mut sim);
    assert!(!runs(gone) && !removed.exists());
    assert_eq!(process_of(&sim, "web/0"), Some(fourth));
    drop(sim);
    assert!(!runs(fourth));
}

#[test]
fn a_machine_that_starts_again_and_a_pod_that_is_replaced_have_it_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let charm = packed(folder.path(), CHARM, false);
    let restart: [fn(&mut Sim); 2] = [
        |sim| sim.operator().reboot("web/0").expect("a machine"),
        |sim| sim.replace_pod("web/0").expect("a pod"),
    ];
    for (builder, restart) in [builder(), builder().kubernetes()].into_iter().zip(restart) {
        let mut sim = builder.build().expect("a model");
        sim.deploy("web", charm.clone(), 1).expect("deployed");
        sim.configure("web", &[("seconds", "1000")]).expect("configured");
        settle(&mut sim);
        let before = process_of(&sim, "web/0").expect("a daemon");
        restart(&mut sim);
        settle(&mut sim);
        let after = process_of(&sim, "web/0").expect("a daemon");
        assert!(after != before && !runs(before), "{}", sim.transcript());
        assert_eq!(wake_ups_of(&sim, "web/0"), ["waiter-gather"]);
    }
}

#[test]
fn a_charm_without_its_daemon_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let charm = packed(folder.path(), CHARM, false);
    let mut sim = model();
    // One that cannot start, and none at all.
    fs::write(charm.join("charmd"), "#!/bin/sh\necho broken >&2\nexit 7\n").expect("written");
    sim.deploy("web", charm.clone(), 1).expect("deployed");
    fs::remove_file(charm.join("charmd")).expect("removed");
    sim.deploy("db", charm, 1).expect("deployed");
    settle(&mut sim);
    let told = sim.transcript();
    assert!(told.contains("there is no daemon now"), "{told}");
    assert!(told.contains("`charmd service install` ended with 7"), "{told}");
    assert!(told.contains("the charm is packed without `charmd`"), "{told}");
    std::thread::sleep(Duration::from_millis(2100));
    for unit in ["web/0", "db/0"] {
        assert_eq!(message(&sim, unit), "for five units");
        sim.update_status(unit).expect("a unit");
    }
    settle(&mut sim);
    for unit in ["web/0", "db/0"] {
        assert_eq!(message(&sim, unit), "fewer than five units came in time");
    }
}
