//! A charm in Rust with handlers that are programs, most of them in bash.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use charms_reactive_sim::{Event, Sim};

use crate::charm::{Charm, builder, committed, settle};

/// A model with the charm, and more files in `reactive/`; nothing has run yet.
fn deployed(files: &[(&str, &[u8])]) -> Sim {
    let charm = Charm::lay_out("program-handlers");
    symlink(env!("CARGO_BIN_EXE_program-handlers"), charm.folder().join("dispatch")).expect("a link");
    for (name, content) in files {
        let path = charm.folder().join("reactive").join(name);
        write(&path, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let mut sim = builder().build().expect("a model");
    sim.deploy("web", charm.folder(), 1).expect("a charm");
    sim
}

#[expect(clippy::disallowed_methods, reason = "files of the test, no hook's")]
fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("written");
}

fn flags(sim: &Sim) -> Vec<String> {
    let state = sim.unit_state("web/0").expect("a unit");
    state.get("flags").map_or_else(Vec::new, |text| serde_json::from_str(text).expect("JSON"))
}

/// The lines that the handlers wrote to a file of the charm directory, and none the next time.
fn taken(sim: &Sim, name: &str) -> String {
    let path = sim.charm_dir("web/0").expect("a unit").join(name);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(&path);
    text.trim_end().replace('\n', " > ")
}

fn log(sim: &Sim) -> String {
    let lines = sim.events().iter().filter_map(|event| match event {
        Event::Log { message, .. } => Some(message.as_str()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn update_status(sim: &mut Sim) {
    sim.update_status("web/0").expect("a unit");
    settle(sim);
}

#[test]
fn decorators_of_bash_mean_what_they_mean_in_python() {
    let mut sim = deployed(&[]);
    settle(&mut sim);
    let notes = taken(&sim, "notes");
    // The functions of one round run in the order of the file.
    assert_eq!(notes, "install: web.installed web.stale > first > configure");
    assert_eq!(flags(&sim), ["web.installed"], "`toggle_flag F False` clears");
    assert_eq!(sim.unit("web/0").expect("a unit").workload.message, "installed by a program");
    assert_eq!(sim.unit_state("web/0").expect("a unit")["done"], r#"["reactive/web.sh:first"]"#);
    let left = sim.charm_dir("web/0").expect("a unit").join(".charms-reactive-programs");
    assert!(!left.exists(), "nothing is left of the exchange");

    update_status(&mut sim);
    assert_eq!(taken(&sim, "notes"), "", "nothing changed");
    let watched = sim.charm_dir("web/0").expect("a unit").join("watched");
    write(&watched, b"1");
    update_status(&mut sim);
    assert_eq!(taken(&sim, "notes"), "reload");
    update_status(&mut sim);
    assert_eq!(taken(&sim, "notes"), "");
}

#[test]
fn patterns_of_bash_name_hooks_by_role_and_interface() {
    let mut sim = deployed(&[]);
    let server = charm_of_bash();
    sim.deploy("mysql", server.path(), 1).expect("a charm");
    sim.relate("web:db", "mysql:server").expect("two endpoints");
    settle(&mut sim);
    let notes = taken(&sim, "notes");
    assert!(notes.contains("db-relation-joined > seen > db-relation-changed > seen"), "{notes}");
    assert!(!notes.contains("created"), "{notes}");
}

fn charm_of_bash() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("metadata.yaml"), b"name: mysql\nprovides: {server: {interface: mysql}}\n");
    let dispatch = folder.path().join("dispatch");
    write(&dispatch, b"#!/bin/sh\n");
    fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755)).expect("a mode");
    folder
}

#[test]
fn a_program_that_fails_leaves_nothing_behind() {
    // D3: in Python the test of the next handler commits what the failing one had set.
    let mut sim = deployed(&[("zz", b"#!/bin/sh\n[ \"$1\" = --test ] && exit 1\n")]);
    settle(&mut sim);
    let folder = sim.charm_dir("web/0").expect("a unit");
    write(&folder.join("break"), b"");
    let again = b"#!/bin/sh\n\
        case $1 in\n\
        --test) [ $JUJU_HOOK_NAME = update-status ] && ! charms.reactive is_flag_set web.stale ;;\n\
        *) charms.reactive set_flag web.stale ;;\n\
        esac\n";
    let path = folder.join("reactive/again");
    write(&path, again);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    let before = flags(&sim);
    sim.update_status("web/0").expect("a unit");
    let settled = sim.settle().expect("a model that comes to rest");
    assert_eq!(settled.failed.len(), 1, "{}", sim.transcript());
    assert_eq!(flags(&sim), before, "neither web.stale nor web.half");
    assert!(log(&sim).contains("`reactive/web.sh --invoke` ended with code 3"), "{}", log(&sim));
}

#[test]
fn what_a_test_printed_is_what_the_program_is_invoked_with() {
    let mut sim = deployed(&[]);
    settle(&mut sim);
    assert_eq!(taken(&sim, "plain"), "", "its test says no");
    update_status(&mut sim);
    // Among the handlers of the hook, and in the first round; in Python with an empty text (D2), and in a
    // hundred rounds (D36).
    assert_eq!(taken(&sim, "plain"), "what I printed > |what I printed > |");
}

#[test]
fn a_program_that_always_says_yes_runs_twice_not_a_hundred_times() {
    let counting = b"#!/bin/sh\n[ \"$1\" = --test ] || echo x >>\"$CHARM_DIR/count\"\n";
    let mut sim = deployed(&[("always", counting)]);
    settle(&mut sim);
    taken(&sim, "count");
    update_status(&mut sim);
    assert_eq!(taken(&sim, "count"), "x > x", "among the handlers of the hook, and in the first round");
}

#[test]
fn a_decorator_without_a_function_fails_the_hook_and_is_named() {
    // D40: in Python such a file is silently dead.
    let odd =
        b"#!/bin/bash\nsource charms.reactive.sh\n\n@when never\nreactive_handler_main=1\n@hook install\n";
    let mut sim = deployed(&[("odd.sh", odd)]);
    let settled = sim.settle().expect("a model that comes to rest");
    assert_eq!(settled.failed.len(), 1, "{}", sim.transcript());
    assert!(log(&sim).contains("`reactive/odd.sh --test` ended with code 70"), "{}", log(&sim));
}

#[test]
fn the_lines_of_the_decorators_are_not_traced() {
    let script =
        b"#!/bin/bash\nexec 2>>\"$CHARM_DIR/trace\"\nset -x\nsource charms.reactive.sh\n@hook install\n\
        mine() { : my line; }\nreactive_handler_main \"$@\"\n";
    let mut sim = deployed(&[("traced.sh", script)]);
    settle(&mut sim);
    let trace = taken(&sim, "trace");
    assert!(trace.contains("my line"), "{trace}");
    assert!(!trace.contains("awk"), "{trace}");
}

#[test]
fn what_cannot_be_started_is_named() {
    let mut sim = deployed(&[("broken", b"\xff\xfe no program")]);
    let settled = sim.settle().expect("a model that comes to rest");
    assert_eq!(settled.failed.len(), 1, "{}", sim.transcript());
    let told = "cannot start `reactive/broken`, expected a program of this machine";
    assert!(log(&sim).contains(told), "{}", log(&sim));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "starts the helper as somebody on the unit would")]
fn the_helper_refuses_outside_of_a_dispatch() {
    let folder = tempfile::tempdir().expect("a folder");
    let helper = folder.path().join("charms.reactive");
    symlink(env!("CARGO_BIN_EXE_program-handlers"), &helper).expect("a link");
    let output = std::process::Command::new(helper).args(["set_flag", "a"]).output().expect("a program");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("not started by a charm's dispatch"), "{told}");
}

#[test]
fn the_commands_of_a_program_answer_by_code_and_by_line() {
    let script = r#"#!/bin/bash
[ "$1" = --test ] && { [ "$JUJU_HOOK_NAME" = install ] && ! charms.reactive is_flag_set asked; exit; }
cd "$CHARM_DIR"
try() { charms.reactive "$@" >>out 2>>err; echo " ($?)" >>out; }
try set_flag b
try set_state a --value 1
try all_flags_set a b
try any_states c d
try is_state c
try get_flags
try -j get_unset_flags d a c d
try --format json get_states
try register_trigger --when c --clear_flag a
try set_flag c
try is_flag_set a
try register_trigger --when c
try only_once some/id
try mark_invoked some/id
try only_once some/id
try when b
try any_hook '{install,start}'
try remove_state b
try toggle_flag asked yes
try relation_call method
try nonsense
try
"#;
    let mut sim = deployed(&[("ask.sh", script.as_bytes())]);
    fs::remove_file(sim.charm_dir("web/0").expect("a unit").join("reactive/web.sh")).expect("there");
    settle(&mut sim);
    let out = taken(&sim, "out");
    let expected = [
        " (0)",
        " (0)",
        " (0)",
        " (1)",
        " (1)",
        "a",
        "b (0)",
        r#"["c","d"]"#,
        " (0)",
        r#"["a","b"]"#,
        " (0)",
        " (0)",
        " (0)",
        " (1)",
        " (2)",
        " (0)",
        " (0)",
        " (1)",
        " (1)",
        " (0)",
        " (0)",
        " (0)",
        " (2)",
        " (2)",
        " (2)",
    ];
    assert_eq!(out, expected.join(" > "), "{out}");
    let err = taken(&sim, "err");
    for told in [
        "needs --set_flag, --clear_flag, or both",
        "`relation_call` is not there",
        "`nonsense` is no command",
        "no command",
    ] {
        assert!(err.contains(told), "`{told}` in {err}");
    }
    assert_eq!(flags(&sim), ["asked", "c"]);
    assert_eq!(committed(&sim, "web/0", 0)[0], "install");
}
