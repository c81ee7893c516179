//! Handlers that cannot go on until somebody outside acts.

use charms_reactive_core::{Metadata, OptionKind, OptionSpec, Role};
use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::{Endpoint, EndpointKey, LeaderKey};
use serde_json::json;

use crate::juju::Juju;

const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");
const OTHER: Flag = Flag::new("web.other");
const PASSWORD: LeaderKey = LeaderKey::new("password");

/// What the test does in place of an operator: the option `cleared`.
fn is_cleared(hook: &Hook) -> Result<bool, HandlerError> {
    struct Cleared(bool);
    impl charms_reactive_runtime::charm::FromConfig for Cleared {
        fn from_config(
            config: &serde_json::Map<String, serde_json::Value>,
        ) -> Result<Self, charms_reactive_runtime::charm::ValueError> {
            Ok(Self(config.get("cleared").is_some()))
        }
    }
    let Cleared(is_cleared) = hook.config()?;
    Ok(is_cleared)
}

/// Leaves a trace of every kind, and cannot go on.
fn stalls(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(OTHER);
    hook.mark_done("it");
    hook.keep("it", Some("kept"));
    hook.write_file("it", "written", 0o600);
    hook.open_port("80/tcp");
    hook.status(Active("got through"));
    hook.application_status(Active("too"));
    hook.workload_version("1.2");
    hook.data_changed("it", &1)?;
    for relation in &hook.endpoint(DB).relations()? {
        relation.to_publish().set("it", 1)?;
    }
    if is_cleared(hook)? {
        return Ok(());
    }
    Err(Wrapped(Obstacle::new(Blocked("clear it: juju config web cleared=yes"))).into())
}

/// An obstacle that is the cause of another error counts too.
#[derive(Debug)]
struct Wrapped(Obstacle);

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot begin")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn waits(hook: &mut Hook) -> Result<(), HandlerError> {
    if hook.is_set(&OTHER) {
        return Ok(());
    }
    Err(Obstacle::new(Waiting("the other handler")).into())
}

fn charm() -> Charm {
    let option =
        |name: &str| OptionSpec { name: name.to_owned(), kind: OptionKind::String, default: json!(null) };
    Charm::new(Metadata { options: vec![option("cleared"), option("port")], ..Metadata::default() })
        .endpoint(DB)
}

fn app() -> App {
    App::new(charm()).handler(waits, once()).handler(stalls, on(HookEvent::Start).and_not(Flag::new("never")))
}

fn lines<'a>(juju: &'a Juju, begin: &str) -> Vec<&'a str> {
    juju.log.iter().map(String::as_str).filter(|line| line.starts_with(begin)).collect()
}

#[test]
fn a_stalled_handler_leaves_no_trace_and_asks_nothing_twice() {
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&app(), "install").expect("no handler that fails");
    juju.run(&app(), "start").expect("no handler that fails");
    assert_eq!(lines(&juju, "status-set"), ["status-set blocked clear it: juju config web cleared=yes"]);
    assert_eq!(juju.flags(), ["endpoint.db.joined"]);
    assert_eq!(juju.databag("db:1", "web/0"), json!({}));
    let folder = juju.charm_dir.as_ref().expect("made").path().to_owned();
    assert!(!folder.join("it").exists());
    let keys: Vec<&str> = juju.kept.state.keys().map(String::as_str).collect();
    assert_eq!(keys, ["flags", "relation/db:1", "stalled/0"]);
    // Two attempts without a handler each: of all that was read, nothing is read again.
    let names: Vec<&str> = juju.commands.iter().filter_map(|line| line.split(' ').next()).collect();
    let reads = ["state-get", "relation-ids", "relation-get", "relation-list", "relation-get", "config-get"];
    for read in reads {
        let count = names.iter().filter(|name| **name == read).count();
        let expected = if read == "relation-get" { 2 } else { 1 };
        assert_eq!(count, expected, "{read}: {names:?}");
    }
    assert!(!names.contains(&"open-port") && !names.contains(&"relation-set"));

    // The same again costs what it costs, but for the log.
    juju.run(&app(), "update-status").expect("no handler that fails");
    assert_eq!(juju.log, [""; 0], "it is shown, and told, already");

    juju.kept.config.insert("cleared".to_owned(), json!("yes"));
    juju.run(&app(), "config-changed").expect("no handler that fails");
    assert_eq!(
        lines(&juju, "status-set"),
        ["status-set waiting the other handler", "status-set --application active too"]
    );
    assert_eq!(juju.flags(), ["endpoint.db.joined", "web.other"]);
    assert_eq!(juju.databag("db:1", "web/0"), json!({"it": "1"}));
    assert!(folder.join("it").exists());
    juju.run(&app(), "update-status").expect("no handler that fails");
    assert_eq!(lines(&juju, "status-set"), ["status-set active got through"]);
    assert!(!juju.kept.state.contains_key("stalled/0"));
}

#[test]
fn what_a_stalled_handler_waits_for_is_not_lost() {
    fn take(hook: &mut Hook) -> Result<(), HandlerError> {
        stalls(hook)?;
        hook.keep("taken", Some("yes"));
        Ok(())
    }
    fn count(hook: &mut Hook) -> Result<(), HandlerError> {
        let count = hook.kept("count").unwrap_or_default();
        hook.keep("count", Some(&format!("{count}x")));
        Ok(())
    }
    let app = || {
        App::new(charm())
            .handler(take, all([Flag::new("config.changed.port"), PASSWORD.changed()]))
            .handler(count, when(PASSWORD.changed()))
    };
    let mut juju = Juju::default();
    juju.kept.leader.insert("password".to_owned(), "x".to_owned());
    juju.run(&app(), "config-changed").expect("no handler that fails");
    // No hook of theirs comes again.
    juju.run(&app(), "update-status").expect("no handler that fails");
    assert!(!juju.kept.state.contains_key("charm/taken"));
    juju.kept.config.insert("cleared".to_owned(), json!("yes"));
    juju.run(&app(), "update-status").expect("no handler that fails");
    assert_eq!(juju.kept.state["charm/taken"], "yes");
    assert_eq!(juju.kept.state["charm/count"], "xxx", "others see it as long");
    juju.run(&app(), "start").expect("no handler that fails");
    assert_eq!(juju.kept.state["charm/count"], "xxx");
    assert!(!juju.flags().iter().any(|flag| flag.contains("changed")), "{:?}", juju.flags());
}

#[test]
fn a_late_handler_knows_the_hook_that_it_is_for() {
    fn greet(hook: &mut Hook) -> Result<(), HandlerError> {
        let unit = hook.context().remote_unit.as_ref().map(ToString::to_string);
        assert_eq!(unit.as_deref(), Some("mysql/3"));
        assert_eq!(hook.event(), &DB.hook(RelationEvent::Joined));
        let relation = hook.context().relation.as_ref().map(ToString::to_string);
        assert_eq!(relation.as_deref(), Some("db:1"));
        stalls(hook)
    }
    let app = || App::new(charm()).handler(greet, on(DB.hook(RelationEvent::Joined)));
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/3"]);
    juju.run(&app(), "install").expect("no handler that fails");
    juju.run(&app(), "db-relation-joined mysql/3").expect("no handler that fails");
    juju.run(&app(), "update-status").expect("no handler that fails");
    juju.run(&app(), "leader-elected").expect("no handler that fails");
    assert!(juju.kept.state["stalled/0"].contains("mysql/3"));
    juju.kept.config.insert("cleared".to_owned(), json!("yes"));
    juju.run(&app(), "update-status").expect("no handler that fails");
    assert_eq!(juju.databag("db:1", "web/0"), json!({"it": "1"}));
    assert!(!juju.kept.state.contains_key("stalled/0"));
}

#[test]
fn a_handler_runs_late_for_every_hook_that_came() {
    fn greet(hook: &mut Hook) -> Result<(), HandlerError> {
        let unit = hook.context().remote_unit.as_ref().map(ToString::to_string).unwrap_or_default();
        let greeted = hook.kept("greeted").unwrap_or_default();
        hook.keep("greeted", Some(&format!("{greeted} {unit}")));
        stalls(hook)
    }
    let app = || App::new(charm()).handler(greet, on(DB.hook(RelationEvent::Joined)));
    let mut juju = Juju::default();
    juju.relate("db:1", &["mysql/1", "mysql/2", "mysql/3"]);
    juju.run(&app(), "install").expect("no handler that fails");
    for unit in ["mysql/1", "mysql/2", "mysql/1"] {
        juju.run(&app(), &format!("db-relation-joined {unit}")).expect("no handler that fails");
        juju.run(&app(), "update-status").expect("no handler that fails");
    }
    juju.kept.config.insert("cleared".to_owned(), json!("yes"));
    juju.run(&app(), "db-relation-joined mysql/3").expect("no handler that fails");
    assert_eq!(
        juju.kept.state["charm/greeted"], " mysql/2 mysql/1 mysql/3",
        "each once, the last time it came"
    );
    assert!(!juju.kept.state.contains_key("stalled/0"));
}

#[test]
fn what_is_stalled_is_told() {
    let mut juju = Juju { is_traced: true, ..Juju::default() };
    juju.run(&app(), "start").expect("no handler that fails");
    let trace = juju.trace();
    let not_run = trace["phases"][0]["not_run"].to_string();
    assert!(not_run.contains("it met an obstacle: clear it: juju config web cleared=yes"), "{trace}");
    let told = juju.tool(&app(), "explain stalls", &[]).stdout;
    assert_eq!(
        told,
        "stalls: in start, not never\n  would run in the next hook, whichever it is\n  \
         met an obstacle in the last one: clear it: juju config web cleared=yes\n"
    );
    // A tool runs no handler: it has still to be tried.
    juju.tool(&app(), "set-flag unrelated", &[]);
    assert!(juju.kept.state["stalled/0"].contains("clear it"));
}
