//! What is remembered by name: handlers that ran once, files, data.

use charms_reactive_runtime::prelude::*;
use serde_json::json;

use crate::juju::Juju;
use crate::settle::ran;

const A: Flag = Flag::new("a");
const B: Flag = Flag::new("b");

fn install(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

fn reload(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

fn other(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

fn app() -> App {
    App::new(Charm::default())
}

/// Runs a hook, and gives the handlers that ran.
#[track_caller]
fn run(juju: &mut Juju, app: &App, hook: &str) -> String {
    juju.run(app, hook).expect("a good dispatch");
    ran(juju)
}

/// A Juju whose charm directory is there already.
fn juju() -> Juju {
    let mut juju = Juju::default();
    juju.run(&app(), "install").expect("a good dispatch");
    juju
}

#[expect(clippy::disallowed_methods, reason = "a file of the test, no hook's")]
fn write(juju: &Juju, name: &str, text: &str) {
    let folder = juju.charm_dir.as_ref().expect("made").path();
    std::fs::write(folder.join(name), text).expect("written");
}

fn remove(juju: &Juju, name: &str) {
    std::fs::remove_file(juju.charm_dir.as_ref().expect("made").path().join(name)).expect("there");
}

#[test]
fn a_handler_that_runs_once_runs_once() {
    let app = app().handler(install, once()).handler(reload, when(A).and(once()));
    let mut juju = juju();
    assert_eq!(run(&mut juju, &app, "config-changed"), "install");
    assert_eq!(juju.kept.state["done"], r#"["install"]"#);
    juju.kept.state.insert("flags".to_owned(), r#"["a"]"#.to_owned());
    assert_eq!(run(&mut juju, &app, "config-changed"), "reload");
    assert_eq!(run(&mut juju, &app, "config-changed"), "");
}

#[test]
fn a_handler_that_failed_has_not_run() {
    fn fail_once(hook: &mut Hook) -> Result<(), HandlerError> {
        if hook.context().charm_dir.join("broken").exists() { Err("broken".into()) } else { Ok(()) }
    }
    let app = app().handler(fail_once, once());
    let mut juju = juju();
    write(&juju, "broken", "");
    juju.run(&app, "config-changed").expect_err("it is broken");
    remove(&juju, "broken");
    assert_eq!(run(&mut juju, &app, "config-changed"), "fail_once");
    assert_eq!(run(&mut juju, &app, "config-changed"), "");
}

#[test]
fn handlers_of_one_name_are_remembered_apart() {
    let app = app().handler(install, on(HookEvent::Start).and(once())).handler(install, once());
    let mut juju = juju();
    assert_eq!(run(&mut juju, &app, "config-changed"), "install");
    assert_eq!(juju.kept.state["done"], r#"["install/2"]"#);
    assert_eq!(run(&mut juju, &app, "start"), "install");
}

#[test]
fn what_needs_no_flag_runs_among_the_handlers_of_the_hook() {
    let app = app().handler(other, none([A])).handler(install, once()).handler(reload, files_changed(["f"]));
    let mut juju = juju();
    write(&juju, "f", "1");
    assert_eq!(run(&mut juju, &app, "config-changed"), "install > reload > other");
}

#[test]
fn what_was_done_can_be_marked_by_name() {
    let app = app().handler(
        |hook: &mut Hook| {
            let was = hook.is_done("migrated");
            hook.keep("was", Some(if was { "done" } else { "not done" }));
            hook.mark_done("migrated");
            assert!(hook.is_done("migrated"));
            if was {
                hook.mark_undone("migrated");
            }
            Ok(())
        },
        none([A]),
    );
    let mut juju = juju();
    for expected in ["not done", "done", "not done"] {
        juju.run(&app, "config-changed").expect("good");
        assert_eq!(juju.kept.state["charm/was"], expected);
    }
}

#[test]
fn a_file_that_is_other_wakes_its_handler() {
    let app = app().handler(reload, files_changed(["f", "g"]));
    let mut juju = juju();
    assert_eq!(run(&mut juju, &app, "config-changed"), "", "missing at first is no change");
    write(&juju, "g", "1");
    assert_eq!(run(&mut juju, &app, "config-changed"), "reload", "it appeared");
    assert_eq!(run(&mut juju, &app, "config-changed"), "");
    write(&juju, "g", "2");
    assert_eq!(run(&mut juju, &app, "config-changed"), "reload", "its content changed");
    remove(&juju, "g");
    assert_eq!(run(&mut juju, &app, "config-changed"), "reload", "it went");
    assert_eq!(run(&mut juju, &app, "config-changed"), "");
}

#[test]
fn all_files_of_a_handler_are_seen_when_it_runs() {
    let app = app().handler(reload, files_changed(["f", "g"]));
    let mut juju = juju();
    write(&juju, "f", "1");
    write(&juju, "g", "1");
    assert_eq!(run(&mut juju, &app, "config-changed"), "reload", "once for both");
    assert_eq!(run(&mut juju, &app, "config-changed"), "");
}

#[test]
fn each_handler_sees_the_change_of_a_file() {
    // D38: in Python the first one takes the change away from the second.
    let app = app().handler(reload, files_changed(["f"])).handler(other, files_changed(["f"]));
    let mut juju = juju();
    write(&juju, "f", "1");
    assert_eq!(run(&mut juju, &app, "config-changed"), "reload > other");
    assert_eq!(run(&mut juju, &app, "config-changed"), "");
}

#[test]
fn looking_at_a_file_does_not_use_its_change_up() {
    // D1: in Python the handler never runs, for the tracer has looked.
    fn set_a_twice(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(A);
        hook.set(B);
        Ok(())
    }
    let app = app()
        .handler(set_a_twice, on(HookEvent::ConfigChanged))
        .handler(reload, when(A).and(files_changed(["f"])));
    let mut juju = juju();
    write(&juju, "f", "1");
    assert_eq!(run(&mut juju, &app, "update-status"), "", "the flag is not set");
    assert_eq!(run(&mut juju, &app, "config-changed"), "set_a_twice > reload");
}

#[test]
fn a_change_is_there_again_after_a_failed_hook() {
    fn fail(_: &mut Hook) -> Result<(), HandlerError> {
        Err("no".into())
    }
    let mut juju = juju();
    write(&juju, "f", "1");
    let failing = app().handler(reload, files_changed(["f"])).handler(fail, none([A]));
    juju.run(&failing, "config-changed").expect_err("a handler fails");
    assert_eq!(run(&mut juju, &app().handler(reload, files_changed(["f"])), "config-changed"), "reload");
}

#[test]
fn a_file_that_is_planned_has_changed_in_the_same_dispatch() {
    fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
        let text = if hook.event() == &HookEvent::Start { "2" } else { "1" };
        hook.write_file("conf", text, 0o644);
        hook.set(A);
        Ok(())
    }
    let app = app().handler(configure, on(HookEvent::ConfigChanged).or_on(HookEvent::Start));
    let app =
        app.handler(reload, files_changed(["conf"])).handler(other, when(A).and(files_changed(["conf"])));
    let mut juju = juju();
    assert_eq!(run(&mut juju, &app, "config-changed"), "configure > reload > other");
    assert_eq!(run(&mut juju, &app, "config-changed"), "", "no effect, so nothing is told");
    assert_eq!(run(&mut juju, &app, "start"), "configure > reload > other", "though no flag changed");
    assert_eq!(run(&mut juju, &app, "update-status"), "");
}

#[test]
fn files_that_nobody_looks_at_any_more_are_forgotten() {
    let mut juju = juju();
    write(&juju, "f", "1");
    run(&mut juju, &app().handler(reload, files_changed(["f"])), "config-changed");
    assert!(juju.kept.state.contains_key("files"));
    run(&mut juju, &app(), "upgrade-charm");
    assert!(!juju.kept.state.contains_key("files"));
}

#[test]
fn restricted_hooks_use_up_neither_files_nor_once() {
    // D39: in Python they run there, without any state.
    let app = app().handler(install, once()).handler(reload, files_changed(["f"]));
    let mut juju = juju();
    write(&juju, "f", "1");
    assert_eq!(run(&mut juju, &app, "collect-metrics"), "");
    assert_eq!(run(&mut juju, &app, "config-changed"), "install > reload");
}

#[test]
fn data_has_changed_until_it_is_the_same_again() {
    let look = |data: serde_json::Value, expected: bool| {
        app().handler(
            move |hook: &mut Hook| {
                assert_eq!(hook.is_data_changed("hosts", &data)?, expected);
                assert_eq!(hook.data_changed("hosts", &data)?, expected);
                assert!(!hook.is_data_changed("hosts", &data)?, "remembered at once");
                assert!(hook.is_data_changed("other", &data)?, "each name is its own");
                Ok(())
            },
            none([A]),
        )
    };
    let mut juju = juju();
    juju.run(&look(json!({"a": 1, "b": 2}), true), "config-changed").expect("new");
    juju.run(&look(json!({"b": 2, "a": 1}), false), "config-changed")
        .expect("the order of keys is no matter");
    juju.run(&look(json!({"b": 2, "a": 1.0}), true), "config-changed").expect("another number");
    assert!(
        !juju.kept.state["data"].contains("1.0"),
        "a digest is kept, no data: {}",
        juju.kept.state["data"]
    );
}

#[test]
fn data_that_is_no_json_fails_the_hook_and_is_named() {
    let app = app().handler(
        |hook: &mut Hook| {
            hook.data_changed("odd", &std::collections::BTreeMap::from([((1, 2), 3)]))?;
            Ok(())
        },
        none([A]),
    );
    let mut juju = juju();
    juju.run(&app, "config-changed").expect_err("no key of a map");
    assert!(juju.log.join("\n").contains("cannot remember data `odd` as JSON"), "{:?}", juju.log);
}

#[test]
fn a_function_called_too_early_warns_and_goes_on() {
    let app = app().handler(
        |hook: &mut Hook| {
            assert!(!hook.warn_unless("restart", &[B, A, B]));
            assert_eq!(hook.unset_flags(&[B, A, B]), ["a", "b"]);
            hook.set(A);
            assert!(!hook.warn_unless("restart", &[A, B]));
            hook.set(B);
            assert!(hook.warn_unless("restart", &[A, B]));
            assert_eq!(hook.unset_flags(&[B, A]), [""; 0]);
            Ok(())
        },
        on(HookEvent::Start),
    );
    let mut juju = juju();
    juju.run(&app, "start").expect("good");
    let log = juju.log.join("\n");
    assert!(log.contains("restart called before flags: a, b\nrestart called before flag: b"), "{log}");
}
