//! Settings of the leader.

use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::{LEADER_SETTINGS_CHANGED, LeaderKey};

use crate::juju::Juju;

const PASSWORD: LeaderKey = LeaderKey::new("password");

fn nothing(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

/// A charm that looks at the settings; in `start` it sets the password to what is kept under `wanted`.
fn app() -> App {
    App::new(Charm::default()).handler(nothing, any([PASSWORD.set(), LEADER_SETTINGS_CHANGED])).handler(
        |hook: &mut Hook| {
            let wanted = hook.kept("wanted").unwrap_or_default();
            hook.set_leader_setting(PASSWORD.name(), &wanted)?;
            let flags = hook.flags().join(" ");
            hook.keep("flags", Some(&flags));
            assert_eq!(hook.leader_setting("password")?.unwrap_or_default(), wanted);
            Ok(())
        },
        on(HookEvent::Start),
    )
}

/// A Juju in which the leader wants this password.
fn wanting(password: &str) -> Juju {
    let mut juju = Juju::default();
    juju.kept.state.insert("charm/wanted".to_owned(), password.to_owned());
    juju.kept.state.insert("flags".to_owned(), "[]".to_owned());
    juju
}

#[test]
fn a_setting_has_flags_while_it_is_there_and_when_it_changes() {
    let mut juju = Juju::default();
    juju.kept.leader.insert("password".to_owned(), "secret".to_owned());
    juju.run(&app(), "leader-settings-changed").expect("good");
    let changed = ["leadership.changed", "leadership.changed.password", "leadership.set.password"];
    assert_eq!(juju.flags(), changed);
    assert!(!juju.kept.state["leader"].contains("secret"), "{}", juju.kept.state["leader"]);
    juju.run(&app(), "update-status").expect("good");
    assert_eq!(juju.flags(), ["leadership.set.password"], "cleared at the start of the next dispatch");
    assert_eq!(juju.commands[0], "state-get --format=json");
    assert!(!juju.commands.iter().any(|line| line.starts_with("leader-get")), "{:?}", juju.commands);
    juju.kept.leader.insert("password".to_owned(), "other".to_owned());
    juju.run(&app(), "config-changed").expect("good");
    assert_eq!(juju.flags(), changed);
    juju.kept.leader.remove("password");
    juju.run(&app(), "leader-settings-changed").expect("good");
    assert_eq!(juju.flags(), changed[..2]);
    juju.run(&app(), "config-changed").expect("good");
    assert_eq!(juju.flags(), [""; 0]);
    assert!(!juju.kept.state.contains_key("leader"), "nothing is left of it");
}

#[test]
fn settings_are_asked_for_only_when_somebody_looks() {
    let mut juju = Juju::default();
    juju.run(&App::new(Charm::default()).handler(nothing, when(IS_LEADER)), "config-changed").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("leader-get")), "{:?}", juju.commands);
    juju.run(&app(), "config-changed").expect("good");
    assert_eq!(juju.commands.iter().filter(|line| line.starts_with("leader-get")).count(), 1);
}

#[test]
fn the_leader_sees_what_it_sets_at_once() {
    let mut juju = wanting("secret");
    juju.kept.is_leader = true;
    juju.run(&app(), "start").expect("good");
    assert_eq!(juju.kept.leader["password"], "secret");
    let seen = &juju.kept.state["charm/flags"];
    assert!(
        seen.contains("leadership.changed.password") && seen.contains("leadership.set.password"),
        "{seen}"
    );
    juju.run(&app(), "config-changed").expect("good");
    assert_eq!(juju.flags(), ["leadership.set.password"], "its own change is no news later");
    juju.run(&app(), "start").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("leader-set")), "{:?}", juju.commands);
    juju.kept.state.insert("charm/wanted".to_owned(), String::new());
    juju.run(&app(), "start").expect("good");
    assert!(juju.kept.leader.is_empty(), "an empty text removes it");
}

#[test]
fn who_does_not_lead_cannot_set() {
    let mut juju = wanting("secret");
    juju.run(&app(), "start").expect_err("not the leader");
    let told = "cannot set `password` for all units: this unit is not the leader";
    assert!(juju.log.join("\n").contains(told), "{:?}", juju.log);
    assert!(juju.kept.leader.is_empty());
}

#[test]
fn juju_4_has_no_settings_and_is_not_asked_for_any() {
    let mut juju = wanting("secret");
    juju.version = Some("4.0.1");
    juju.kept.is_leader = true;
    juju.run(&app(), "config-changed").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("leader-get")), "{:?}", juju.commands);
    juju.run(&app(), "start").expect_err("there are none");
    let told = "Juju 4.0.1 has no leader settings, expected Juju 3 or older";
    assert!(juju.log.join("\n").contains(told), "{:?}", juju.log);
}
