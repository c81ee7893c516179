//! All backends run the same commands and get the same answers: the simulator's own, in process, is what
//! the others are held against.
//!
//! `tests/go` holds programs written with Go's own `net/rpc` against the same list.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use charms_reactive_testkit::Sim;

use super::living::{Record, Way, lay_out, live, script};

/// What the simulator's own backend brings back.
fn expected() -> &'static Record {
    static EXPECTED: OnceLock<Record> = OnceLock::new();
    EXPECTED.get_or_init(|| live(&Way::InProcess))
}

/// Our own hook commands: one program of many names.
fn hook_commands() -> Option<&'static Path> {
    Some(Path::new(env!("CARGO_BIN_EXE_sim-hook-command")))
}

#[track_caller]
fn check(script: &str, hook_commands: Option<&Path>) {
    live(&Way::Program { script, hook_commands }).assert_same(expected());
}

#[test]
fn the_list_reaches_all_that_a_backend_has_to_bring_back() {
    let answers = &expected().answers;
    for (what, least) in [
        ("  exit 0", 200),
        ("  exit 1", 60),
        ("  exit 2", 40),
        ("  cannot start hook command `no-such-command`", 6),
        ("  out 600", 6), // and more bytes
    ] {
        let found = answers.matches(what).count();
        assert!(found >= least, "{what}: {found}, expected {least} at least\n{answers}");
    }
}

#[test]
fn programs() {
    check(&script("programs"), hook_commands());
}

#[test]
fn the_socket_needs_no_programs() {
    check(&script("socket"), None);
}

#[test]
fn auto_needs_no_programs_while_the_socket_works() {
    check(&script("auto"), None);
}

#[test]
fn auto_starts_programs_where_no_socket_is_offered() {
    // The programs, which are started with the same variables, still have to find it.
    let hidden = "unset JUJU_AGENT_SOCKET_NETWORK\nexport CHARMS_REACTIVE_BACKEND=auto\n";
    let found =
        live(&Way::Program { script: &format!("{hidden}exec \"$SUITE\"\n"), hook_commands: hook_commands() });
    assert_ne!(found.answers, expected().answers);
    assert!(found.answers.contains("ERROR JUJU_AGENT_SOCKET_NETWORK not set"), "{}", found.answers);
}

#[test]
fn a_daemon_of_the_charm_does_not_inherit_the_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let seen = tempfile::tempdir().expect("a folder");
    // It lists what it has open, and outlives the time that the agent waits for connections.
    let daemon = format!("ls -l /proc/self/fd > {}/$$; exec sleep 3", seen.path().display());
    let script = format!("export SUITE_DAEMON='{daemon}'\n{}", script("socket"));
    lay_out(&folder, &Way::Program { script: &script, hook_commands: None });
    let limit = Duration::from_millis(300);
    let sim = Sim::builder().seed(1).path_tail("/usr/bin:/bin").connection_time_limit(limit);
    let mut sim = sim.build().expect("a model");
    sim.deploy("web", folder.path(), 1).expect("deployed");
    assert_eq!(sim.settle().expect("no connection is left open").failed, []);
    let lists = fs::read_dir(seen.path()).expect("a folder");
    let lists: Vec<String> =
        lists.map(|list| fs::read_to_string(list.expect("a list").path()).expect("a text")).collect();
    assert!(lists.iter().filter(|list| list.contains("/dev/null")).count() > 2, "{lists:?}");
    assert!(lists.iter().all(|list| !list.contains("socket:")), "{lists:?}");
}
