//! Handlers, round by round; triggers; what happens when a handler fails.

use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::{DispatchError, trigger};

use crate::juju::Juju;

/// Runs a hook of a charm and tells which handlers ran, in order, by what they logged.
#[track_caller]
fn check(app: &App, given: &[&str], expected: &str) {
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), serde_json::to_string(given).expect("texts are JSON"));
    juju.run(app, "config-changed").expect("a good dispatch");
    assert_eq!(ran(&juju), expected);
}

/// The handlers that the debug log names, in order.
pub(crate) fn ran(juju: &Juju) -> String {
    let text = juju.log.join("\n");
    let names = text.split("running handler `").skip(1).filter_map(|rest| rest.split('`').next());
    names.collect::<Vec<_>>().join(" > ")
}

const A: Flag = Flag::new("a");
const B: Flag = Flag::new("b");
const C: Flag = Flag::new("c");

fn nothing(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

fn set_a(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(A);
    Ok(())
}

fn set_b(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(B);
    Ok(())
}

fn clear_a(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.clear(A);
    Ok(())
}

fn app() -> App {
    App::new(Charm::default())
}

#[test]
fn a_flag_set_now_is_seen_in_the_next_round() {
    let app = app().handler(nothing, when(A)).handler(set_a, none([A])).handler(set_b, when(A).and_not(B));
    check(&app, &[], "set_a > nothing > set_b");
}

#[test]
fn a_flag_set_now_holds_nobody_back_in_this_round() {
    let app = app().handler(set_a, none([A])).handler(nothing, none([A]));
    check(&app, &[], "set_a > nothing");
}

#[test]
fn a_flag_cleared_now_holds_back_the_rest_of_the_round() {
    let app = app().handler(clear_a, when(A)).handler(nothing, when(A));
    check(&app, &["a"], "clear_a");
}

#[test]
fn clearing_what_is_not_set_tests_the_rest_again() {
    fn set_b_clear_c(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(B);
        hook.clear(C);
        Ok(())
    }
    let app = app().handler(set_b_clear_c, when(A)).handler(nothing, when(A).and_not(B));
    check(&app, &["a"], "set_b_clear_c");
}

#[test]
fn a_handler_runs_again_only_when_a_flag_of_its_own_changed() {
    let app = app().handler(nothing, when(C)).handler(set_a, when(C).and_not(A)).handler(set_b, when(A));
    check(&app, &["c"], "nothing > set_a > set_b");
}

#[test]
fn a_flag_set_and_cleared_in_one_round_wakes_those_who_look_at_it() {
    fn flip_a(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(A);
        hook.clear(A);
        hook.set(B);
        Ok(())
    }
    let app = app().handler(nothing, none([A]).and(B)).handler(flip_a, when(C).and_not(B));
    check(&app, &["c"], "flip_a > nothing");
}

#[test]
fn what_ran_before_the_flag_was_cleared_stays_run() {
    // M29: the handler before the clearing one has run; those after it are tested again.
    let app = app().handler(nothing, when(A)).handler(clear_a, when(A)).handler(set_b, when(A));
    check(&app, &["a"], "nothing > clear_a");
}

#[test]
fn each_clearing_tests_the_rest_anew() {
    // M30: the marker is reset after each test, so a handler that clears nothing tests nothing again.
    fn set_b_again(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(B);
        Ok(())
    }
    let app =
        app().handler(clear_a, when(C)).handler(set_b_again, when(C)).handler(nothing, when(C).and_not(B));
    check(&app, &["a", "c"], "clear_a > set_b_again > nothing");
}

#[test]
fn what_changed_before_the_dispatch_wakes_nobody_later() {
    // M22: `endpoint.db.joined` is set before the first round, so it is no change of a round.
    use charms_reactive_core::Role;
    use charms_reactive_runtime::{Endpoint, EndpointKey};
    const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");
    let app =
        App::new(Charm::default().endpoint(DB)).handler(set_a, none([A])).handler(nothing, when(DB.joined()));
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&app, "db-relation-joined mysql/0").expect("a good dispatch");
    assert_eq!(ran(&juju), "set_a > nothing", "once, in the first round");
}

#[test]
fn handlers_run_again_in_each_hook_while_they_match() {
    let app = app().handler(nothing, when(A)).handler(set_b, when(A));
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), r#"["a"]"#.to_owned());
    for _ in 0..3 {
        juju.run(&app, "config-changed").expect("a good dispatch");
        assert_eq!(juju.flags(), ["a", "b"]);
    }
    juju.run(&app.handler(clear_a, when(A)), "config-changed").expect("a good dispatch");
    assert_eq!(ran(&juju), "nothing > set_b > clear_a");
}

#[test]
fn without_triggers_nothing_follows_from_a_flag() {
    check(&app().handler(set_a, on(HookEvent::ConfigChanged)), &[], "set_a");
    let mut juju = Juju::default();
    juju.run(&app().handler(set_a, on(HookEvent::ConfigChanged)), "config-changed").expect("good");
    assert_eq!(juju.flags(), ["a"]);
}

#[test]
#[should_panic(expected = "the trigger on flag `a` has no effect")]
fn a_trigger_without_an_effect_is_refused_when_the_charm_is_made() {
    let _ = app().trigger(set(A));
}

#[test]
fn flags_are_toggled_by_a_condition() {
    fn toggle(hook: &mut Hook) -> Result<(), HandlerError> {
        let is_set = hook.is_set(&A);
        hook.toggle(A, !is_set);
        hook.toggle(B, true);
        hook.toggle(B, true);
        hook.clear(C);
        Ok(())
    }
    let app = app().handler(toggle, on(HookEvent::ConfigChanged)).trigger(cleared(C).sets(Flag::new("was")));
    let mut juju = Juju::default();
    juju.run(&app, "config-changed").expect("good");
    assert_eq!(juju.flags(), ["a", "b"], "clearing what is not set is no change");
    juju.run(&app, "config-changed").expect("good");
    assert_eq!(juju.flags(), ["b"], "what is cleared is not kept");
}

#[test]
fn the_flags_that_a_charm_looks_at_can_be_listed() {
    let app = app().handler(nothing, when(A).and_not(B)).trigger(cleared(C).sets(A));
    assert_eq!(app.flags().into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn hook_handlers_run_before_all_others_and_once() {
    let app = app()
        .handler(nothing, when(A))
        .handler(set_a, on(HookEvent::ConfigChanged))
        .handler(set_b, on(HookEvent::Install).or_on(HookEvent::Start));
    check(&app, &[], "set_a > nothing");
}

#[test]
fn what_does_not_settle_is_an_error_that_names_the_flags() {
    let app = app().handler(set_a, none([A])).handler(clear_a, when(A));
    let mut juju = Juju::default();
    let error = juju.run(&app, "config-changed").expect_err("it never settles");
    assert_eq!(error.to_string(), "handlers did not settle in 100 rounds, still changing: a");
    assert!(juju.kept.state.is_empty(), "nothing was kept");
}

#[test]
fn triggers_set_depth_first_then_clear() {
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), r#"["x"]"#.to_owned());
    let app = app()
        .trigger(trigger::set(A).sets(B).clears(Flag::new("x")))
        .trigger(trigger::set(B).sets(C))
        .trigger(trigger::cleared(Flag::new("x")).sets(Flag::new("y")))
        .handler(set_a, on(HookEvent::ConfigChanged));
    juju.run(&app, "config-changed").expect("a good dispatch");
    assert_eq!(juju.flags(), ["a", "b", "c", "y"]);
}

#[test]
fn a_trigger_fires_on_a_change_alone() {
    let app = app().trigger(set(A).sets(B)).handler(set_a, on(HookEvent::ConfigChanged));
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), r#"["a"]"#.to_owned());
    juju.run(&app, "config-changed").expect("a good dispatch");
    assert_eq!(juju.flags(), ["a"], "a was set already");
}

#[test]
fn triggers_that_never_rest_fail_the_hook() {
    let app = app()
        .trigger(set(A).clears(A))
        .trigger(cleared(A).sets(A))
        .handler(set_a, on(HookEvent::ConfigChanged));
    let error = Juju::default().run(&app, "config-changed").expect_err("it never rests");
    assert!(matches!(error, DispatchError::TriggerLoop { .. }), "{error}");
}

#[test]
fn a_handler_that_fails_leaves_no_trace() {
    fn fail(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(B);
        hook.write_file("file", "x", 0o644);
        hook.status(Active("fine"));
        Err("no disk".into())
    }
    let app = app().handler(set_a, none([A])).handler(fail, when(A));
    let mut juju = Juju::default();
    let error = juju.run(&app, "config-changed").expect_err("a handler failed");
    assert_eq!(error.to_string(), "handler `fail` failed");
    assert!(juju.kept.state.is_empty());
    let folder = juju.charm_dir.as_ref().expect("made").path();
    assert_eq!(std::fs::read_dir(folder).expect("readable").count(), 0, "no file was written");
    let log = juju.log.join("\n");
    assert!(!log.contains("status-set"), "{log}");
    let told = "cannot finish hook `config-changed`\n  because: handler `fail` failed\n  because: no disk";
    assert!(log.contains(told), "{log}");
}

#[test]
fn a_panic_is_a_failed_hook_with_its_message() {
    fn broken(_: &mut Hook) -> Result<(), HandlerError> {
        panic!("index out of bounds");
    }
    let error = Juju::default().run(&app().handler(broken, none([A])), "install").expect_err("a panic");
    assert_eq!(error.to_string(), "`broken` panicked: index out of bounds");
}

#[test]
fn flags_are_shown_to_a_person_as_a_sorted_json_array() {
    fn set_some(hook: &mut Hook) -> Result<(), HandlerError> {
        for name in ["z", "é.x", "has space", "B"] {
            hook.set(Flag::from(name.to_owned()));
        }
        Ok(())
    }
    let mut juju = Juju::default();
    juju.run(&app().handler(set_some, on(HookEvent::Install)), "install").expect("a good dispatch");
    assert_eq!(juju.kept.state["flags"], r#"["B","has space","z","é.x"]"#);
}

#[test]
fn an_idle_dispatch_runs_one_hook_command() {
    let mut juju = Juju::default();
    let app = app().handler(set_a, none([A]));
    juju.run(&app, "install").expect("a good dispatch");
    juju.run(&app, "update-status").expect("a good dispatch");
    assert_eq!(juju.commands, ["state-get --format=json"]);
}

#[test]
fn restricted_hooks_run_their_own_handlers_and_no_hook_command() {
    let mut juju = Juju::default();
    let app = app().handler(set_a, none([A])).handler(nothing, on(HookEvent::CollectMetrics));
    juju.run(&app, "collect-metrics").expect("a good dispatch");
    assert_eq!(juju.commands.len(), 1, "only the log: {:?}", juju.commands);
    assert_eq!(ran(&juju), "nothing");
}

#[test]
fn a_hook_that_nobody_knows_yet_is_a_dispatch_like_others() {
    let mut juju = Juju::default();
    let event = HookEvent::from_hook_name("unheard-of");
    let app = app().handler(set_a, on(event));
    juju.run(&app, "unheard-of").expect("a good dispatch");
    assert_eq!(juju.flags(), ["a"]);
}

#[test]
fn the_same_status_is_not_set_twice() {
    fn say(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.status(Active("ready"));
        hook.status(Waiting("for a database"));
        Ok(())
    }
    let mut juju = Juju::default();
    let app = app().handler(say, on(HookEvent::ConfigChanged));
    juju.run(&app, "config-changed").expect("a good dispatch");
    assert!(juju.log.iter().any(|line| line == "status-set waiting for a database"), "{:?}", juju.log);
    juju.run(&app, "config-changed").expect("a good dispatch");
    assert!(!juju.log.iter().any(|line| line.starts_with("status-set")), "{:?}", juju.log);
}

#[test]
fn the_leader_shows_the_status_of_the_application() {
    // D49: layer-status raises.
    fn say(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.status(Active("unit"));
        hook.application_status(Waiting("application"));
        Ok(())
    }
    let mut juju = Juju::default();
    juju.run(&app().handler(say, on(HookEvent::Install)), "install").expect("a good dispatch");
    let shown: Vec<&String> = juju.log.iter().filter(|line| line.starts_with("status-set")).collect();
    assert_eq!(shown, ["status-set active unit", "status-set --application waiting application"]);
}

#[test]
fn a_status_shown_at_once_does_not_stick() {
    fn busy(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.status_now(Maintenance("at work"))?;
        hook.status(Active("ready"));
        if hook.context().charm_dir.join("broken").exists() {
            return Err("broken".into());
        }
        Ok(())
    }
    let shown = |juju: &Juju| -> Vec<String> {
        juju.log.iter().filter_map(|line| line.strip_prefix("status-set ")).map(str::to_owned).collect()
    };
    let mut juju = Juju::default();
    let app = app().handler(busy, on(HookEvent::ConfigChanged));
    for _ in 0..2 {
        juju.run(&app, "config-changed").expect("a good dispatch");
        assert_eq!(shown(&juju), ["maintenance at work", "active ready"]);
    }
    let broken = juju.charm_dir.as_ref().expect("made").path().join("broken");
    std::fs::File::create(&broken).expect("made");
    juju.run(&app, "config-changed").expect_err("it is broken");
    assert_eq!(shown(&juju), ["maintenance at work"]);
    std::fs::remove_file(&broken).expect("there");
    juju.run(&app, "config-changed").expect("a good dispatch");
    assert_eq!(shown(&juju), ["active ready"], "maintenance is shown already");
}

#[test]
fn a_status_that_is_not_shown_any_more_is_shown_again() {
    fn ready(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.status(Active("ready"));
        Ok(())
    }
    let mut juju = Juju::default();
    let app = app().handler(ready, on(HookEvent::ConfigChanged));
    juju.run(&app, "config-changed").expect("a good dispatch");
    // As a dispatch leaves it that is killed while it shows another status.
    let folder = juju.charm_dir.as_ref().expect("made").path();
    std::fs::remove_file(folder.join(".charms-reactive-shown.json")).expect("there");
    juju.run(&app, "update-status").expect("a good dispatch");
    assert_eq!(juju.commands, ["state-get --format=json", "status-set active ready"]);
    juju.run(&app, "update-status").expect("a good dispatch");
    assert_eq!(juju.commands, ["state-get --format=json"]);
    // What Juju itself has just shown stays; after it, the charm's own is shown again.
    juju.run(&app, "stop").expect("a good dispatch");
    assert_eq!(juju.commands, ["state-get --format=json"]);
    juju.run(&app, "update-status").expect("a good dispatch");
    assert!(juju.log.contains(&"status-set active ready".to_owned()), "{:?}", juju.log);
}

#[test]
fn what_no_terminal_should_see_is_not_shown() {
    fn odd(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.status(Blocked("a\0b\u{1b}[31m\nnext line "));
        Ok(())
    }
    let mut juju = Juju::default();
    juju.run(&app().handler(odd, on(HookEvent::Install)), "install").expect("a good dispatch");
    let shown = "status-set blocked a\u{fffd}b\u{fffd}[31m next line".to_owned();
    assert!(juju.log.contains(&shown), "{:?}", juju.log);
}

#[test]
fn many_lines_of_one_level_are_one_record() {
    fn talk(_: &mut Hook) -> Result<(), HandlerError> {
        log::info!("one");
        log::info!("two");
        log::warn!("three");
        Ok(())
    }
    let mut juju = Juju::default();
    juju.run(&app().handler(talk, on(HookEvent::Install)), "install").expect("a good dispatch");
    let levels: Vec<&str> = juju.log.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(levels, ["DEBUG", "INFO", "WARNING"]);
    assert!(juju.log[1].ends_with("one\ntwo"), "{:?}", juju.log);
}

#[test]
fn a_dispatch_that_changed_nothing_says_nothing() {
    let mut juju = Juju::default();
    let app = app().handler(nothing, none([A]));
    juju.run(&app, "install").expect("a good dispatch");
    assert_eq!(ran(&juju), "nothing", "the first one saved its flags");
    juju.run(&app, "update-status").expect("a good dispatch");
    assert_eq!(juju.commands, ["state-get --format=json"]);
}

#[test]
fn work_after_files_sees_them_and_fails_the_hook_when_it_fails() {
    fn write_then_fail(hook: &mut Hook) -> Result<(), HandlerError> {
        let path = hook.context().charm_dir.join("config");
        hook.write_file("config", "x", 0o644);
        hook.after_files("reload", move || {
            assert_eq!(std::fs::read(&path)?, b"x");
            Err("cannot reload".into())
        });
        hook.set(A);
        Ok(())
    }
    let mut juju = Juju::default();
    let app = app().handler(write_then_fail, on(HookEvent::ConfigChanged));
    let error = juju.run(&app, "config-changed").expect_err("the reload failed");
    assert_eq!(error.to_string(), "handler `reload` failed");
    assert!(juju.kept.state.is_empty());
}
