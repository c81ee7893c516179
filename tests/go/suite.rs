//! The list of commands that all backends answer alike, with Go in the middle.

use std::path::Path;
use std::sync::OnceLock;

use charms_reactive_testkit::Sim;

use super::go;
use super::living::{Record, Way, lay_out, live, script};

fn expected() -> &'static Record {
    static EXPECTED: OnceLock<Record> = OnceLock::new();
    EXPECTED.get_or_init(|| live(&Way::InProcess))
}

/// A charm behind a relay with these flags: our client, Go's server, Go's client, our server.
fn relayed(flags: &str, backend: &str) -> String {
    let relay = go::program("relay");
    format!("export CHARMS_REACTIVE_BACKEND={backend}\nexec {} {flags} \"$SUITE\"\n", relay.display())
}

#[test]
fn a_hook_command_in_go_asks_the_simulator() {
    let jujuc = go::program("jujuc");
    let found = live(&Way::Program { script: &script("programs"), hook_commands: Some(&jujuc) });
    found.assert_same(expected());
}

#[test]
fn our_socket_asks_go() {
    for (backend, flags) in [
        ("socket", ""),
        ("auto", "-token secret"),
        ("auto", "-no-token-field"),
        ("auto", "-address @charms-reactive-go-$$"),
        ("socket", "-address @charms-reactive-go-$$ -no-token-field"),
    ] {
        let script = relayed(flags, backend);
        live(&Way::Program { script: &script, hook_commands: None }).assert_same(expected());
    }
}

#[test]
fn our_hook_commands_ask_go() {
    let ours = Path::new(env!("CARGO_BIN_EXE_sim-hook-command"));
    for flags in ["-token secret", "-no-token-field -address @charms-reactive-go-$$"] {
        let script = relayed(flags, "programs");
        live(&Way::Program { script: &script, hook_commands: Some(ours) }).assert_same(expected());
    }
}

#[test]
fn auto_goes_on_with_programs_when_the_connection_breaks_before_a_command() {
    let jujuc = go::program("jujuc");
    let script = relayed("-break unit-get -break-before", "auto");
    // `unit-get` only reads, so it is asked for again: as a program, for which the relay breaks it too.
    let folder = tempfile::tempdir().expect("a folder");
    let way = Way::Program { script: &script, hook_commands: Some(&jujuc) };
    lay_out(&folder, &way);
    let mut sim = Sim::builder().seed(11).program(&jujuc).build().expect("a model");
    sim.deploy("web", folder.path(), 1).expect("deployed");
    assert_eq!(sim.settle().expect("a model that comes to rest").failed, []);
    let commands = sim.transcript();
    assert!(!commands.contains("> unit-get"), "it was never let through: {commands}");
    assert!(commands.contains("> state-set count=1"), "what follows was started as programs: {commands}");
}

#[test]
fn a_command_that_ran_and_was_not_answered_is_not_run_again() {
    let jujuc = go::program("jujuc");
    let script = relayed("-break state-delete", "auto");
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(&folder, &Way::Program { script: &script, hook_commands: Some(&jujuc) });
    let mut sim = Sim::builder().seed(11).program(&jujuc).build().expect("a model");
    sim.deploy("web", folder.path(), 1).expect("deployed");
    assert_eq!(sim.settle().expect("a model that comes to rest").failed, []);
    let commands = sim.transcript();
    let hooks = commands.matches("> config-get --all").count();
    assert_eq!(commands.matches("> state-delete long0").count(), hooks, "{commands}");
    let answers = std::fs::read_to_string(sim.charm_dir("web/0").expect("a unit").join("report.txt"));
    let answers = answers.expect("every hook writes into it");
    let told = "cannot tell whether `state-delete long0` was run";
    assert_eq!(answers.matches(told).count(), hooks, "{answers}");
    assert!(answers.contains("$ state-delete missing\n  err"), "the next one is a program: {answers}");
}
