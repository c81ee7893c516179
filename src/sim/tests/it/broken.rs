//! Charms that are broken: each is told in words, the run goes on or ends cleanly, and nothing is left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charms_reactive_sim::{Event, HookRun, Outcome, RunError, Sim, SimError, Stream};

use crate::charm::{Charms, DOES, builder, on, script, sim};

/// A charm that is sound beside the broken one.
const SOUND: &str = "if [ $hook = start ]; then status-set active up; fi";

/// The programs that stand in a folder, as the system shows them.
fn running_in(folder: &Path) -> Vec<String> {
    let stands_there = |pid: &Path| fs::read_link(pid.join("cwd")).is_ok_and(|at| at.starts_with(folder));
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let there = processes.filter(|pid| stands_there(pid));
    there.map(|pid| fs::read_to_string(pid.join("cmdline")).unwrap_or_default().replace('\0', " ")).collect()
}

/// The folder of the whole simulation.
fn root(sim: &Sim) -> PathBuf {
    sim.charm_dir("web/0").unwrap().ancestors().nth(3).unwrap().to_owned()
}

/// Has the charm of `web` run in a model with a sound one beside it, and gives how `web` failed.
///
/// In the end the sound one is up, and nothing runs or lies around.
fn failure(charm: &Path, mut sim: Sim) -> String {
    let mut charms = Charms::new();
    let sound = charms.dispatch("name: sound", SOUND);
    sim.deploy("web", charm, 1).unwrap();
    sim.deploy("sound", sound, 1).unwrap();
    let settled = sim.settle().unwrap();
    assert_eq!(sim.unit("sound/0").unwrap().workload.message, "up", "{}", sim.transcript());
    assert_eq!(settled.failed.len(), 1, "{}", sim.transcript());
    let failed = sim.unit("web/0").unwrap().failed_hook.unwrap();
    let root = root(&sim);
    drop(sim);
    assert_eq!(running_in(&root), [""; 0]);
    assert!(!root.exists(), "files are left");
    failed.error
}

fn quick() -> Sim {
    builder().retries_max(0).hook_time_limit(Duration::from_millis(200)).build().unwrap()
}

/// A model with a unit whose charm does what the test says in `update-status`, and has done it.
fn updated(mut sim: Sim, body: &str) -> (Sim, Result<Option<HookRun>, SimError>) {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\npeers: {ring: ring}", DOES);
    sim.deploy("web", charm, 1).unwrap();
    assert_eq!(sim.settle().unwrap().failed, []);
    on(&sim, "web/0", "update-status", body);
    sim.update_status("web/0").unwrap();
    let run = sim.step();
    (sim, run)
}

fn outcome(run: Result<Option<HookRun>, SimError>) -> Outcome {
    run.unwrap().expect("a hook was due").outcome
}

#[test]
fn a_charm_with_nothing_to_run_is_warned_of() {
    let mut charms = Charms::new();
    let charm = charms.files(&[("metadata.yaml", "name: web")]);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    assert_eq!(sim.settle().unwrap().hooks, 0);
    let told =
        "   * warning: the charm of web has neither `dispatch` nor `hooks`, so that every hook is skipped\n";
    assert!(sim.transcript().starts_with(told), "{}", sim.transcript());
}

#[test]
fn what_cannot_be_started_is_told_in_words() {
    let mut charms = Charms::new();
    for (name, text, expected) in [
        ("dispatch", "true", "`dispatch` is not executable, set its exec bit: permission denied"),
        ("dispatch/file", "true", "`dispatch` is a directory, expected a program"),
        (
            "dispatch",
            "#!/no/such/shell -e\n",
            "cannot start `dispatch`: its interpreter `/no/such/shell` is not there",
        ),
        (
            "dispatch",
            "#!/etc/passwd\n",
            "cannot start `dispatch`: its interpreter `/etc/passwd` cannot be run",
        ),
        (
            "hooks/install",
            "#!/bin/sh\r\ntrue\r\n",
            "cannot start `hooks/install`: its first line ends with a carriage return, which makes the interpreter \"/bin/sh\\r\"",
        ),
    ] {
        let charm = charms.files(&[("metadata.yaml", "name: web"), (name, text)]);
        assert_eq!(failure(&charm, quick()), expected);
    }
    let charm = charms.files(&[("metadata.yaml", "name: web"), ("dispatch", "#!/bin/sh\n")]);
    // Of no kind that the system knows.
    let path = charm.join("dispatch");
    fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    let expected = "cannot start `dispatch`: it is neither a program of this machine nor a script with `#!` in its first line";
    assert_eq!(failure(&charm, quick()), expected);
}

#[test]
fn a_charm_that_hangs_is_killed_with_its_children() {
    let mut charms = Charms::new();
    let expected = "killed after the time limit of 200ms";
    for body in [
        "sleep 1000",
        "sleep 1000 | sleep 1000",
        // Without Juju's variables, in a session of its own, and with its streams closed.
        "env -i sleep 1000 & setsid sleep 1000 > /dev/null 2>&1 & exec > /dev/null 2>&1; sleep 1000",
        // One that never stops talking is held to its time, too.
        "while true; do echo talk; done",
        "while true; do is-leader > /dev/null; done",
    ] {
        assert_eq!(failure(&charms.dispatch("name: web", body), quick()), expected, "{body}");
    }
}

#[test]
fn a_flood_of_output_is_cut_off_and_the_run_goes_on() {
    const FLOOD: u64 = 100_000_000;
    let before = memory_max_kib();
    for (line, what) in [("y", "short lines"), (&"x".repeat(5000), "long lines")] {
        let body = format!(
            "set +o pipefail\nyes {line} | head -c {FLOOD} >&2\nyes {line} | head -c {FLOOD}\nstate-set a=1"
        );
        let (sim, run) = updated(sim(), &body);
        assert_eq!(outcome(run), Outcome::Committed, "{what}");
        assert_eq!(sim.unit_state("web/0").unwrap().len(), 1);
        for stream in [Stream::Stdout, Stream::Stderr] {
            let dropped = sim.events().iter().find_map(|event| match event {
                Event::OutputDropped { stream: of, bytes, .. } if *of == stream => Some(*bytes),
                _ => None,
            });
            assert!(dropped.is_some_and(|bytes| (90_000_000..FLOOD).contains(&bytes)), "{what}: {dropped:?}");
        }
        assert!(sim.transcript().contains("more bytes to standard output, which are not kept\n"));
    }
    let grown = memory_max_kib() - before;
    assert!(grown < 250 * 1024, "it took {grown} KiB");
}

/// The most memory that this program has had.
fn memory_max_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_daemon_that_keeps_the_socket_is_named_and_the_model_goes_on() {
    let sim = builder().connection_time_limit(Duration::from_millis(100)).build().unwrap();
    // It waits for its standard input while it holds the connection.
    let body = "mkfifo pipe\nsetsid state-set --file - > /dev/null 2>&1 < <(exec sleep 1000) &\n\
         until grep -q 'agent.socket' /proc/net/unix; do :; done; sleep 0.2";
    let (mut sim, run) = updated(sim, body);
    let error = run.unwrap_err();
    let SimError::Run(RunError::ConnectionLeft { open: 1, holders, .. }) = &error else { panic!("{error}") };
    assert!(holders.iter().any(|text| text.contains("state-set --file -")), "{holders:?}");
    let text = error.to_string();
    let told = "hook `update-status` of `web/0` left 1 connection(s) to the agent open for 100ms after its end, where Juju's agent would wait for ever: still running is process ";
    assert!(text.starts_with(told), "{text}");
    on(&sim, "web/0", "update-status", "state-set again=1");
    sim.update_status("web/0").unwrap();
    assert_eq!(sim.settle().unwrap().failed, []);
    assert_eq!(sim.unit_state("web/0").unwrap().len(), 1);
    let root = root(&sim);
    assert!(!running_in(&root).is_empty());
    drop(sim);
    assert_eq!(running_in(&root), [""; 0]);
    assert!(!root.exists());
}

#[test]
fn a_daemon_lives_until_its_unit_is_gone_or_its_machine_restarts() {
    let (mut sim, run) = updated(sim(), "sleep 1000 > /dev/null 2>&1 &");
    assert_eq!(outcome(run), Outcome::Committed);
    on(&sim, "web/0", "update-status", "true");
    let folder = sim.charm_dir("web/0").unwrap();
    let daemons = || running_in(&folder).len();
    sim.configure("web", &[]).unwrap();
    sim.settle().unwrap();
    assert_eq!(daemons(), 1);
    sim.operator().reboot("web/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(daemons(), 0);
    sim.exec("web/0", "sleep 1000 > /dev/null 2>&1 &").unwrap();
    assert_eq!(daemons(), 1);
    sim.remove_unit("web/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(daemons(), 0);
}

#[test]
fn a_daemon_that_keeps_the_output_costs_a_moment() {
    let (sim, run) = updated(sim(), "sleep 1000 &\necho started");
    assert_eq!(outcome(run), Outcome::Committed);
    assert!(sim.transcript().contains("   | started\n"));
    let root = root(&sim);
    drop(sim);
    assert_eq!(running_in(&root), [""; 0]);
}

#[test]
fn what_is_too_large_for_juju_is_refused_in_its_words() {
    let state = "max allowed size (2097152) for charm state exceeded: 3145863";
    let key = "printf -v key '%257s' x; state-set \"${key// /k}=1\"";
    let value = "printf \"k: '%65537s'\\n\" x | state-set --file -";
    for (body, error, told) in [
        (
            "printf -v v '%65536s' x\nfor i in {1..48}; do echo \"k$i: '$v'\"; done | state-set --file -",
            state,
            "",
        ),
        (key, "exit code 1", "ERROR max allowed key length (256) exceeded"),
        (value, "exit code 1", "ERROR max allowed value length (65536) exceeded"),
    ] {
        let (mut sim, run) = updated(without_retries(), body);
        let expected = Outcome::Failed { error: error.to_owned() };
        assert_eq!(outcome(run), expected, "{body}\n{}", sim.transcript());
        assert!(sim.transcript().contains(told), "{}", sim.transcript());
        assert!(sim.unit_state("web/0").unwrap().is_empty());
        on(&sim, "web/0", "update-status", "state-set small=1");
        sim.resolve("web/0", true).unwrap();
        assert_eq!(sim.unit_state("web/0").unwrap().len(), 1);
    }
}

#[test]
fn a_databag_takes_a_mebibyte_and_not_more_than_a_document() {
    let body = "printf 'big: %s\\n' \"$(head -c 1048576 /dev/zero | tr '\\0' x)\" | relation-set -r 0 --file -\n\
         [ \"$(relation-get -r 0 big web/0 | wc -c)\" = 1048577 ]";
    let (sim, run) = updated(sim(), body);
    assert_eq!(outcome(run), Outcome::Committed, "{}", sim.transcript());
    assert_eq!(sim.unit_databag(0, "web/0").unwrap().text("big").map(str::len), Some(1 << 20));
    let body = "for i in {1..17}; do printf \"k$i: %s\\n\" \"$(head -c 1048576 /dev/zero | tr '\\0' x)\"; done > big\n\
         relation-set -r 0 --file big";
    let (_, run) = updated(without_retries(), body);
    let Outcome::Failed { error } = outcome(run) else { panic!("it was taken") };
    assert!(error.contains("larger than a document may be"), "{error}");
}

fn without_retries() -> Sim {
    builder().retries_max(0).build().unwrap()
}

#[test]
fn output_that_is_no_text_is_shown_as_far_as_it_is() {
    let (sim, run) = updated(sim(), "printf 'a\\xffb\\0c\\n'; printf '\\xc3' >&2");
    assert_eq!(outcome(run), Outcome::Committed);
    let transcript = sim.transcript();
    assert!(transcript.contains("   | a\u{fffd}b\0c\n   E \u{fffd}\n"), "{transcript}");
}

#[test]
fn a_hook_may_end_while_a_command_of_its_runs() {
    for body in [
        "for i in {1..20}; do is-leader > /dev/null 2>&1 & done",
        "for i in {1..20}; do state-set k$i=1 > /dev/null 2>&1 & done; kill -KILL $$",
        "(while state-set k=1; do :; done) > /dev/null 2>&1 &\nfalse",
    ] {
        let (mut sim, run) = updated(without_retries(), body);
        let is_failed = matches!(run.unwrap().unwrap().outcome, Outcome::Failed { .. });
        on(&sim, "web/0", "update-status", "state-set end=1");
        if is_failed {
            sim.resolve("web/0", true).unwrap();
        } else {
            sim.update_status("web/0").unwrap();
            assert_eq!(sim.settle().unwrap().failed, []);
        }
        assert!(sim.unit_state("web/0").unwrap().contains_key("end"), "{body}");
        let root = root(&sim);
        drop(sim);
        assert_eq!(running_in(&root), [""; 0]);
    }
}

#[test]
fn a_thousand_hook_commands_are_a_thousand_answers() {
    let (sim, run) = updated(sim(), "for i in {1..1000}; do state-set k$i=$i; done");
    let run = run.unwrap().unwrap();
    assert_eq!((run.outcome, run.commands), (Outcome::Committed, 1000));
    assert_eq!(sim.unit_state("web/0").unwrap().len(), 1000);
}

#[test]
fn a_simulation_writes_into_its_own_folder_only() {
    let here = || -> Vec<_> {
        let entries = fs::read_dir(".").unwrap().flatten();
        entries.map(|entry| entry.file_name()).collect()
    };
    let before = here();
    let metadata = "name: web\nstorage: {data: {type: filesystem}, disk: {type: block}}\n\
         resources: {blob: {type: file, filename: blob.bin}}";
    let mut charms = Charms::new();
    let files = [("metadata.yaml", metadata), ("dispatch", &script("resource-get blob; state-get -o state"))];
    let charm = charms.files(&files);
    let deployment = charms_reactive_sim::Deployment::units(2).resource("blob", b"blob");
    let folder = tempfile::tempdir().unwrap();
    // As a path that is relative to where the test runs.
    let up: PathBuf = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect();
    let relative = up.join(folder.path().strip_prefix("/").unwrap());
    for sim in [builder(), builder().folder(&relative)] {
        let mut sim = sim.build().unwrap();
        sim.deploy_with("web", &charm, &deployment).unwrap();
        assert_eq!(sim.settle().unwrap().failed, [], "{}", sim.transcript());
        assert!(sim.charm_dir("web/0").unwrap().is_absolute());
        let is_absolute = |storage: charms_reactive_sim::StorageView| storage.location.starts_with('/');
        assert!(sim.storage().into_iter().all(is_absolute));
    }
    assert_eq!(here(), before);
    assert!(folder.path().join("agents/unit-web-1/resources/blob/blob.bin").is_file());
    assert!(folder.path().join("storage/disk-1").is_file());
}
