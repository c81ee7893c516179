//! Where the state is kept.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::{Store, VALUE_BYTES_MAX};

use crate::juju::Juju;

const DONE: Flag = Flag::new("done");

fn app(store: Store) -> App {
    fn done(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(DONE);
        hook.keep("note", Some("kept"));
        Ok(())
    }
    App::new(Charm::default()).store(store).handler(done, on(HookEvent::Install))
}

fn file(juju: &Juju) -> PathBuf {
    juju.charm_dir.as_ref().expect("made").path().join(".charms-reactive.json")
}

#[test]
fn the_file_store_keeps_flags_in_the_charm_directory() {
    let mut juju = Juju::default();
    juju.run(&app(Store::File), "install").expect("good");
    assert!(juju.kept.state.is_empty(), "nothing in the unit state");
    let text = std::fs::read_to_string(file(&juju)).expect("written");
    assert!(text.contains("web/0-test") && text.contains(r#"[\"done\"]"#), "{text}");
    assert_eq!(std::fs::metadata(file(&juju)).expect("there").permissions().mode() & 0o777, 0o600);
    let look = App::new(Charm::default()).store(Store::File).handler(
        |hook: &mut Hook| {
            assert_eq!(hook.kept("note").as_deref(), Some("kept"));
            Ok(())
        },
        when(DONE),
    );
    juju.run(&look, "config-changed").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("state-")), "{:?}", juju.commands);
}

#[test]
fn a_store_is_never_switched_silently() {
    let mut juju = Juju::default();
    juju.run(&app(Store::File), "install").expect("good");
    let error = juju.run(&app(Store::UnitState), "start").expect_err("there is a file");
    let told = std::error::Error::source(&error).expect("a cause").to_string();
    assert_eq!(
        told,
        "the charm keeps its state in the unit state, but there is one in the file `.charms-reactive.json`: \
         remove it, or choose that store"
    );
    let mut juju = Juju::default();
    juju.run(&app(Store::UnitState), "install").expect("good");
    juju.run(&app(Store::File), "start").expect_err("there is a unit state");
}

#[test]
fn a_broken_file_is_named_and_nothing_runs() {
    let mut juju = Juju::default();
    juju.run(&app(Store::File), "install").expect("good");
    std::fs::File::create(file(&juju)).expect("cut to nothing");
    juju.run(&app(Store::File), "start").expect_err("it cannot be read");
    assert!(juju.log.join("\n").contains(".charms-reactive.json` as JSON"), "{:?}", juju.log);
}

#[test]
fn a_value_that_juju_would_refuse_is_told_before() {
    let app = App::new(Charm::default()).handler(
        |hook: &mut Hook| {
            hook.keep("big", Some(&"x".repeat(VALUE_BYTES_MAX + 1)));
            Ok(())
        },
        on(HookEvent::Install),
    );
    let mut juju = Juju::default();
    juju.run(&app, "install").expect_err("too long");
    let told = "the value of state key `charm/big` has 65537 bytes, expected at most 65536";
    assert!(juju.log.join("\n").contains(told), "{:?}", juju.log);
    assert!(juju.kept.state.is_empty());
}

#[test]
fn what_is_kept_is_there_until_it_is_forgotten() {
    let look = |expected: Option<&'static str>, text: Option<&'static str>| {
        App::new(Charm::default()).handler(
            move |hook: &mut Hook| {
                assert_eq!(hook.kept("note").as_deref(), expected);
                hook.keep("note", text);
                assert_eq!(hook.kept("note").as_deref(), text);
                Ok(())
            },
            none([DONE]),
        )
    };
    let mut juju = Juju::default();
    juju.run(&look(None, Some("null")), "install").expect("a missing key is none");
    juju.run(&look(Some("null"), None), "install").expect("a text is what it is");
    juju.run(&look(None, None), "install").expect("forgotten");
    assert_eq!(juju.kept.state.keys().collect::<Vec<_>>(), ["flags"]);
}

#[test]
fn only_what_changed_is_saved() {
    let mut juju = Juju::default();
    juju.run(&app(Store::UnitState), "install").expect("good");
    juju.run(&app(Store::UnitState), "install").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("state-set")), "{:?}", juju.commands);
}
