//! Flags that the framework sets: config, leadership, series upgrade.

use charms_reactive_core::{Metadata, OptionKind, OptionSpec};
use charms_reactive_runtime::SERIES_UPGRADE;
use charms_reactive_runtime::charm::OptionKey;
use charms_reactive_runtime::prelude::*;
use serde_json::json;

use crate::juju::Juju;

const NAME: OptionKey = OptionKey::new("name");
const SEEN: Flag = Flag::new("seen");

fn nothing(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

/// A charm with options `port` (8080 by default) and `name` (none), that looks at all their flags.
fn app() -> App {
    let option = |name: &str, kind, default| OptionSpec { name: name.to_owned(), kind, default };
    let options =
        vec![option("port", OptionKind::Int, json!(8080)), option("name", OptionKind::String, json!(null))];
    App::new(Charm::new(Metadata { options, ..Metadata::default() })).handler(keep, when(CONFIG_CHANGED))
}

/// Keeps the flags of the dispatch for the test: those of config end with it.
fn keep(hook: &mut Hook) -> Result<(), HandlerError> {
    let flags = hook.flags().join(" ");
    hook.keep("flags", Some(&flags));
    Ok(())
}

fn seen(juju: &mut Juju) -> String {
    juju.kept.state.remove("charm/flags").unwrap_or_default()
}

#[test]
fn in_the_first_dispatch_every_option_has_changed() {
    let mut juju = Juju::default();
    juju.kept.config.insert("port".to_owned(), json!(8080));
    juju.run(&app(), "install").expect("a good dispatch");
    assert_eq!(
        seen(&mut juju),
        "config.changed config.changed.name config.changed.port config.default.name config.default.port config.set.port"
    );
    assert_eq!(juju.flags(), ["config.default.name", "config.default.port", "config.set.port"]);
}

#[test]
fn only_options_of_the_charm_have_flags() {
    let mut juju = Juju::default();
    juju.kept.config.insert("trust".to_owned(), json!(true));
    juju.run(&app(), "install").expect("a good dispatch");
    assert!(!seen(&mut juju).contains("trust"));
    assert!(!juju.flags().join(" ").contains("trust"));
}

#[test]
fn a_charm_without_options_is_a_charm() {
    // D47: layer-basic fails every hook of one whose config.yaml is empty.
    let mut juju = Juju::default();
    let app = App::new(Charm::default()).handler(nothing, when(CONFIG_CHANGED));
    juju.run(&app, "install").expect("a good dispatch");
    assert_eq!(juju.flags(), [""; 0]);
}

#[test]
fn an_option_changes_when_its_value_does() {
    let mut juju = Juju::default();
    juju.kept.config.insert("port".to_owned(), json!(8080));
    juju.run(&app(), "install").expect("a good dispatch");
    seen(&mut juju);
    juju.run(&app(), "config-changed").expect("a good dispatch");
    assert_eq!(seen(&mut juju), "", "nothing changed");
    juju.kept.config.insert("name".to_owned(), json!("x"));
    juju.kept.config.insert("port".to_owned(), json!(0));
    juju.run(&app(), "config-changed").expect("a good dispatch");
    assert_eq!(seen(&mut juju), "config.changed config.changed.name config.changed.port config.set.name");
}

#[test]
fn a_change_is_told_again_after_a_failed_hook() {
    fn fail_once(hook: &mut Hook) -> Result<(), HandlerError> {
        if hook.context().charm_dir.join("broken").exists() {
            return Err("broken".into());
        }
        keep(hook)
    }
    let failing = || app().handler(fail_once, when(NAME.changed()));
    let mut juju = Juju::default();
    juju.run(&failing(), "install").expect("a good dispatch");
    seen(&mut juju);
    juju.kept.config.insert("name".to_owned(), json!("x"));
    let broken = juju.charm_dir.as_ref().expect("made").path().join("broken");
    std::fs::File::create(&broken).expect("made");
    juju.run(&failing(), "config-changed").expect_err("it is broken");
    std::fs::remove_file(&broken).expect("there");
    juju.run(&failing(), "config-changed").expect("a good dispatch");
    assert!(seen(&mut juju).contains("config.changed.name"));
}

#[test]
fn config_is_asked_for_only_when_somebody_looks() {
    let mut juju = Juju::default();
    juju.run(&App::new(Charm::default()).handler(nothing, when(SEEN)), "config-changed").expect("good");
    assert!(!juju.commands.iter().any(|line| line.starts_with("config-get")), "{:?}", juju.commands);
    juju.run(&app(), "config-changed").expect("good");
    assert_eq!(juju.commands.iter().filter(|line| line.starts_with("config-get")).count(), 1);
    juju.run(&app(), "update-status").expect("good");
    assert_eq!(juju.commands, ["state-get --format=json"]);
}

#[test]
fn an_option_that_an_upgrade_added_has_changed_if_it_has_a_value() {
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), "[]".to_owned());
    juju.kept.state.insert("config".to_owned(), "{}".to_owned());
    juju.kept.config.insert("port".to_owned(), json!(8080));
    juju.run(&app(), "upgrade-charm").expect("a good dispatch");
    let seen = seen(&mut juju);
    assert!(seen.contains("config.changed.port") && !seen.contains("config.changed.name"), "{seen}");
}

#[test]
fn a_default_is_equal_to_the_same_number_in_another_form() {
    let ratio = OptionSpec { name: "ratio".to_owned(), kind: OptionKind::Float, default: json!(1.0) };
    let charm = Charm::new(Metadata { options: vec![ratio], ..Metadata::default() });
    let mut juju = Juju::default();
    // Juju writes a float of 1.0 as 1.
    juju.kept.config.insert("ratio".to_owned(), json!(1));
    juju.run(&App::new(charm).handler(nothing, when(CONFIG_CHANGED)), "install").expect("good");
    assert_eq!(juju.flags(), ["config.default.ratio", "config.set.ratio"]);
}

#[test]
fn flags_of_options_that_an_upgrade_removed_are_cleared() {
    let mut juju = Juju::default();
    let flags = r#"["config.default.old","config.set.old","mine"]"#;
    juju.kept.state.insert("flags".to_owned(), flags.to_owned());
    juju.run(&app(), "upgrade-charm").expect("good");
    assert_eq!(juju.flags(), ["config.default.name", "mine"]);
}

#[test]
fn leadership_is_gained_with_a_hook_and_lost_without_one() {
    let app = App::new(Charm::default()).handler(nothing, when(IS_LEADER));
    let mut juju = Juju::default();
    juju.kept.is_leader = true;
    juju.run(&app, "install").expect("good");
    assert_eq!(juju.flags(), [""; 0], "Juju says it with a hook");
    assert!(!juju.commands.contains(&"is-leader --format=json".to_owned()));
    juju.run(&app, "leader-elected").expect("good");
    assert_eq!(juju.flags(), ["leadership.is_leader"]);
    juju.kept.is_leader = false;
    juju.run(&app, "update-status").expect("good");
    assert_eq!(juju.flags(), [""; 0]);
    juju.run(&app, "update-status").expect("good");
    assert_eq!(juju.commands, ["state-get --format=json"], "who does not lead need not ask");
}

#[test]
fn a_series_upgrade_has_a_flag_between_its_hooks() {
    let app = App::new(Charm::default());
    let mut juju = Juju::default();
    juju.run(&app, "pre-series-upgrade").expect("good");
    assert_eq!(juju.flags(), [SERIES_UPGRADE.as_str()]);
    juju.run(&app, "post-series-upgrade").expect("good");
    assert_eq!(juju.flags(), [""; 0]);
}

#[test]
fn flags_of_endpoints_that_an_upgrade_removed_are_cleared() {
    let mut juju = Juju::default();
    let flags = r#"["endpoint.old.joined","mine"]"#;
    juju.kept.state.insert("flags".to_owned(), flags.to_owned());
    juju.kept.state.insert("relation/old:1".to_owned(), "{}".to_owned());
    juju.run(&App::new(Charm::default()), "upgrade-charm").expect("good");
    assert_eq!(juju.flags(), ["mine"]);
    assert!(!juju.kept.state.contains_key("relation/old:1"));
}

#[test]
fn state_that_is_not_known_is_left_alone() {
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), "not JSON".to_owned());
    juju.kept.state.insert("of-a-later-revision".to_owned(), "x".to_owned());
    juju.run(&App::new(Charm::default()), "config-changed").expect("good");
    assert_eq!(juju.kept.state["of-a-later-revision"], "x");
    assert_eq!(juju.kept.state["flags"], "[]");
    assert!(juju.log.join("\n").contains("cannot read state key `flags`"), "{:?}", juju.log);
}
