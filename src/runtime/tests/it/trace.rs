//! What a dispatch tells of itself: to a file, and in Juju's log.

use charms_reactive_core::metadata::{OptionKind, OptionSpec};
use charms_reactive_core::{Metadata, Role};
use charms_reactive_runtime::charm::{ActionKey, FromParameters, ValueError};
use charms_reactive_runtime::endpoint::{Endpoint, EndpointKey};
use charms_reactive_runtime::prelude::*;
use serde_json::{Map, Value, json};

use crate::juju::Juju;

const A: Flag = Flag::new("a");
const B: Flag = Flag::new("b");
const C: Flag = Flag::new("c");
const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");

fn nothing(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

fn set_a(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(A);
    Ok(())
}

fn a_to_b(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.clear(A);
    hook.set(B);
    Ok(())
}

fn fail(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(C);
    Err("no disk".into())
}

fn app() -> App {
    App::new(Charm::new(Metadata::default()).endpoint(DB))
}

/// A Juju whose dispatches are traced, with these flags set.
fn traced(flags: &[&str]) -> Juju {
    let mut juju = Juju { is_traced: true, ..Juju::default() };
    juju.kept.state.insert("flags".to_owned(), json!(flags).to_string());
    juju
}

#[test]
fn a_trace_tells_what_ran_and_why_the_others_did_not() {
    let mut juju = traced(&["a"]);
    let app = app()
        .handler(set_a, on(HookEvent::Install).or_on(HookEvent::Start))
        .handler(a_to_b, when(A))
        .handler(nothing, when(A).and(none([C])))
        .handler(fail, when(B).and(C));
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&app, "db-relation-joined mysql/0").expect("a good dispatch");
    let not_installed = json!({
        "handler": "set_a",
        "condition": "in install or start",
        "because": "for `install` or `start`, this is `db-relation-joined`",
    });
    let first = json!({
        "phase": "round",
        "number": 1,
        "flags": ["a", "endpoint.db.joined"],
        "changed": ["endpoint.db.joined"],
        "ran": [{ "handler": "a_to_b", "condition": "a", "changed": ["-a", "+b"] }],
        "not_run": [
            {
                "handler": "nothing",
                "condition": "a, not c",
                "because": "it held when the round began, but `a` was cleared by `a_to_b` before its turn",
            },
            { "handler": "fail", "condition": "b, c", "because": "`b`, `c` are not set" },
        ],
    });
    let second = json!({
        "phase": "round",
        "number": 2,
        "flags": ["b", "endpoint.db.joined"],
        "changed": ["a", "b"],
        "ran": [],
        "not_run": [
            { "handler": "a_to_b", "condition": "a", "because": "`a` is not set" },
            { "handler": "nothing", "condition": "a, not c", "because": "`a` is not set" },
            { "handler": "fail", "condition": "b, c", "because": "`c` is not set" },
        ],
    });
    let expected = json!({
        "format": 1,
        "dispatch": "db-relation-joined",
        "before": ["a"],
        "automatic": ["+endpoint.db.joined"],
        "phases": [
            { "phase": "hook", "number": 1, "flags": ["a", "endpoint.db.joined"], "changed": [],
              "ran": [], "not_run": [not_installed] },
            first,
            second,
        ],
        "conditions_tested": 7,
        "after": ["b", "endpoint.db.joined"],
        "error": null,
    });
    assert_eq!(juju.trace(), expected);
}

/// What the handlers that did not run in the last phase are said to wait for.
#[track_caller]
fn check_last_phase(juju: &Juju, expected: &[(&str, &str)]) {
    let trace = juju.trace();
    let phase = trace["phases"].as_array().and_then(|phases| phases.last()).expect("a phase");
    let told = phase["not_run"].as_array().expect("a list").iter();
    let told: Vec<(&str, &str)> = told
        .map(|entry| (entry["handler"].as_str().expect("text"), entry["because"].as_str().expect("text")))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn a_handler_whose_flags_did_not_change_is_said_to_be_content() {
    let mut juju = traced(&["c"]);
    let app = app().handler(nothing, when(C)).handler(set_a, none([A]));
    juju.run(&app, "config-changed").expect("a good dispatch");
    check_last_phase(
        &juju,
        &[
            ("nothing", "its flags are as it wants them, but none of them changed in this round"),
            ("set_a", "`a` is set; it must not be"),
        ],
    );
}

#[test]
fn a_flag_that_another_handler_set_before_is_named_with_that_handler() {
    fn set_b_clear_c(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(B);
        hook.clear(C);
        Ok(())
    }
    let mut juju = traced(&["a"]);
    let app =
        app().handler(set_b_clear_c, on(HookEvent::Start)).handler(nothing, on(HookEvent::Start).and_not(B));
    juju.run(&app, "start").expect("a good dispatch");
    let told = &juju.trace()["phases"][0]["not_run"][0]["because"];
    assert_eq!(told, "it held when the hook began, but `b` was set by `set_b_clear_c` before its turn");
}

#[test]
fn a_dispatch_that_fails_is_traced_and_keeps_nothing() {
    let mut juju = traced(&["a"]);
    let app = app().handler(fail, when(A)).handler(nothing, when(A));
    juju.run(&app, "config-changed").expect_err("a handler failed");
    let trace = juju.trace();
    assert_eq!(trace["error"], "handler `fail` failed: no disk");
    assert_eq!(trace["phases"][1]["ran"][0]["changed"], json!(["+c"]));
    assert_eq!(trace["after"], json!(["a"]), "Juju keeps nothing of it");
    check_last_phase(&juju, &[("nothing", "the dispatch ended before its turn: handler `fail` failed")]);
}

#[test]
fn a_handler_that_panics_is_traced() {
    fn broken(_: &mut Hook) -> Result<(), HandlerError> {
        panic!("index out of bounds");
    }
    let mut juju = traced(&[]);
    juju.run(&app().handler(broken, none([A])), "config-changed").expect_err("a panic");
    assert_eq!(juju.trace()["error"], "`broken` panicked: index out of bounds");
    assert_eq!(juju.trace()["phases"][1]["ran"][0]["handler"], "broken");
}

#[test]
fn juju_that_takes_no_state_is_traced_as_a_failure() {
    let mut juju = traced(&[]);
    juju.failing = Some("state-set");
    juju.run(&app().handler(set_a, none([A])), "config-changed").expect_err("Juju refuses");
    let error = juju.trace()["error"].as_str().expect("a text").to_owned();
    assert!(error.starts_with("cannot keep the state of the unit: cannot reach the unit state: "), "{error}");
    juju.failing = Some("state-get");
    juju.run(&app(), "config-changed").expect_err("Juju refuses");
    assert_eq!(juju.trace()["phases"], json!([]), "it did not come so far");
}

#[test]
fn flags_that_end_with_their_dispatch_are_not_among_those_after() {
    let option = OptionSpec { name: "port".to_owned(), kind: OptionKind::Int, default: Value::Null };
    let metadata = Metadata { options: vec![option], ..Metadata::default() };
    let app = App::new(Charm::new(metadata)).handler(nothing, when(CONFIG_CHANGED));
    let mut juju = traced(&[]);
    juju.run(&app, "config-changed").expect("a good dispatch");
    let trace = juju.trace();
    assert_eq!(
        trace["automatic"],
        json!(["+config.changed.port", "+config.default.port", "+config.changed"])
    );
    assert_eq!(trace["after"], json!(["config.default.port"]));
}

struct NoParameters;

impl FromParameters for NoParameters {
    fn from_parameters(_: &Map<String, Value>) -> Result<Self, ValueError> {
        Ok(Self)
    }
}

#[test]
fn the_function_of_an_action_is_traced_before_the_rounds() {
    fn rename(hook: &mut Hook, _: NoParameters) -> Result<(), HandlerError> {
        a_to_b(hook)
    }
    fn refuse(hook: &mut Hook, _: NoParameters) -> Result<(), HandlerError> {
        fail(hook)
    }
    let app = app()
        .action(ActionKey::new("rename"), rename)
        .action(ActionKey::new("refuse"), refuse)
        .handler(nothing, when(B));
    let mut juju = traced(&["a"]);
    juju.run(&app, "actions/rename").expect("a good dispatch");
    let trace = juju.trace();
    assert_eq!(trace["dispatch"], "actions/rename");
    let action = json!([{ "handler": "rename", "condition": "action", "changed": ["-a", "+b"] }]);
    assert_eq!(trace["phases"][0]["ran"], action);
    assert_eq!(trace["phases"][1]["ran"][0]["handler"], "nothing");
    assert_eq!(trace["after"], json!(["b"]));
    juju.run(&app, "actions/refuse").expect("actions never fail the unit");
    assert_eq!(juju.trace()["error"], "no disk");
    assert_eq!(juju.trace()["after"], json!(["b"]));
}

#[test]
fn a_restricted_hook_is_traced_without_flags() {
    let mut juju = traced(&["a"]);
    let app = app().handler(set_a, none([A])).handler(nothing, on(HookEvent::CollectMetrics));
    juju.run(&app, "collect-metrics").expect("a good dispatch");
    let trace = juju.trace();
    assert_eq!(trace["before"], json!([]));
    assert_eq!(trace["phases"].as_array().map(Vec::len), Some(1));
    assert_eq!(trace["phases"][0]["ran"][0]["handler"], "nothing");
}

#[test]
fn what_a_dispatch_does_is_the_same_with_and_without_a_trace() {
    let run = |is_traced: bool| {
        let mut juju = Juju { is_traced, ..traced(&["a"]) };
        juju.relate("db:1", &["mysql/0"]);
        juju.write("db:1", "mysql/0", "host", "10.0.0.7");
        let app = app().handler(a_to_b, when(A)).handler(nothing, when(B)).handler(set_a, when(DB.changed()));
        juju.run(&app, "db-relation-changed mysql/0").expect("a good dispatch");
        (juju.commands, juju.kept.state)
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_trace_that_cannot_be_written_fails_no_hook() {
    let mut juju = traced(&[]);
    juju.run(&app(), "start").expect("a good dispatch");
    let path = juju.charm_dir.as_ref().expect("made").path().join("trace.json");
    std::fs::remove_file(&path).expect("there");
    std::fs::create_dir(&path).expect("made");
    juju.run(&app(), "config-changed").expect("a good dispatch all the same");
}

/// The lines of the debug log of the last dispatch.
fn debug_lines(juju: &Juju) -> Vec<&str> {
    juju.log.iter().filter(|line| line.contains("DEBUG")).flat_map(|line| line.lines()).collect()
}

#[test]
fn the_log_tells_each_handler_with_its_changes_in_one_line() {
    fn talk(hook: &mut Hook) -> Result<(), HandlerError> {
        log::info!("talking");
        a_to_b(hook)
    }
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), r#"["a"]"#.to_owned());
    juju.relate("db:1", &["mysql/0"]);
    let app = app().handler(talk, when(A)).handler(fail, when(A)).handler(nothing, when(B));
    juju.run(&app, "db-relation-joined mysql/0").expect("a good dispatch");
    let told = [
        "automatic flags of `db-relation-joined`: +endpoint.db.joined",
        "running handler `talk`: a => -a +b",
        "juju-log -l DEBUG handler `fail` is held back: it held when the round began, but `a` was cleared by `talk` before its turn",
        "running handler `nothing`: b",
    ];
    let lines = debug_lines(&juju);
    assert_eq!(lines.len(), told.len(), "{lines:#?}");
    for (line, told) in lines.iter().zip(told) {
        assert!(line.ends_with(told), "{lines:#?}");
    }
    let logs = juju.commands.iter().filter(|line| line.starts_with("juju-log")).count();
    assert_eq!(logs, 3, "what handlers changed is told in no command of its own");
}

#[test]
fn flags_that_wake_nobody_cost_no_hook_command() {
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&app().handler(nothing, when(A)), "db-relation-joined mysql/0").expect("a good dispatch");
    assert_eq!(juju.flags(), ["endpoint.db.joined"]);
    assert!(juju.log.is_empty(), "{:?}", juju.log);
}

#[test]
fn a_log_names_a_bounded_number_of_flags() {
    fn set_many(hook: &mut Hook) -> Result<(), HandlerError> {
        for number in 0..1000 {
            hook.set(Flag::from(format!("flag.{number:03}")));
        }
        Ok(())
    }
    let mut juju = traced(&[]);
    juju.run(&app().handler(set_many, on(HookEvent::Start)), "start").expect("a good dispatch");
    let lines = debug_lines(&juju).join("\n");
    assert!(lines.ends_with("+flag.038 +flag.039 and 960 more"), "{lines}");
    assert_eq!(juju.trace()["phases"][0]["ran"][0]["changed"].as_array().map(Vec::len), Some(1000));
}

/// How many conditions a dispatch tests in which each of `count` handlers, named by its number, sets
/// another flag and clears its own.
fn tests_of(count: usize) -> u64 {
    let own = |number: usize| Flag::from(format!("own.{number:03}"));
    let mut app = app();
    for number in 0..count {
        let run = move |hook: &mut Hook| {
            hook.clear(own(number));
            hook.set(Flag::from(format!("done.{number:03}")));
            Ok(())
        };
        app = app.handler(run, when(own(number)));
    }
    let given: Vec<String> = (0..count).map(|number| own(number).to_string()).collect();
    let mut juju = traced(&given.iter().map(String::as_str).collect::<Vec<_>>());
    juju.run(&app, "start").expect("a good dispatch");
    assert_eq!(juju.flags().len(), count, "each has run");
    juju.trace()["conditions_tested"].as_u64().expect("a number")
}

#[test]
fn only_conditions_that_look_at_a_changed_flag_are_tested_again() {
    // Once each before the first round, and once each in the second: every flag has changed.  None in
    // the middle of the first, where each handler clears a flag that no other looks at.
    assert_eq!(tests_of(1), 2);
    assert_eq!(tests_of(200), 400);
    // A chain: each handler wakes the next, which costs one test a round, and not two hundred.
    let mut app = app();
    for number in 0..50 {
        let run = move |hook: &mut Hook| {
            hook.set(Flag::from(format!("flag.{:03}", number + 1)));
            Ok(())
        };
        app = app.handler(run, when(Flag::from(format!("flag.{number:03}"))));
    }
    for _ in 0..200 {
        app = app.handler(nothing, when(A));
    }
    let mut juju = traced(&["flag.000"]);
    juju.run(&app, "start").expect("a good dispatch");
    assert_eq!(juju.flags().len(), 51);
    assert_eq!(juju.trace()["conditions_tested"], 250 + 49);
}
