//! The charm's program as a tool on the unit.

use charms_reactive_core::{Metadata, OptionKind, OptionSpec, Role};
use charms_reactive_runtime::endpoint::{Endpoint, EndpointKey};
use charms_reactive_runtime::prelude::*;
use charms_reactive_runtime::{Output, Store};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::juju::Juju;

const INSTALLED: Flag = Flag::new("web.installed");
const RUNNING: Flag = Flag::new("web.running");
const STALE: Flag = Flag::new("web.stale");
const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");

fn never(_: &mut Hook) -> Result<(), HandlerError> {
    panic!("a tool runs no handler");
}

fn install(hook: &mut Hook) -> Result<(), HandlerError> {
    never(hook)
}

fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
    never(hook)
}

fn connect(hook: &mut Hook) -> Result<(), HandlerError> {
    never(hook)
}

fn stop(hook: &mut Hook) -> Result<(), HandlerError> {
    never(hook)
}

fn charm() -> App {
    let port = OptionSpec { name: "port".to_owned(), kind: OptionKind::Int, default: Value::Null };
    App::new(Charm::new(Metadata { options: vec![port], ..Metadata::default() }).endpoint(DB))
}

fn app() -> App {
    charm()
        .trigger(set(INSTALLED).sets(STALE))
        .trigger(set(Flag::new("web.new")).sets(STALE))
        .trigger(cleared(DB.joined()).sets(STALE))
        .trigger(cleared(INSTALLED).clears(RUNNING))
        .handler(install, on(HookEvent::Install).or_on(HookEvent::UpgradeCharm))
        .handler(configure, when(INSTALLED).and(any([CONFIG_CHANGED, STALE])))
        .handler(connect, when(DB.joined()).and_not(RUNNING))
        .handler(stop, on(HookEvent::Stop).and(not_all([INSTALLED, RUNNING])))
}

fn juju(flags: &[&str]) -> Juju {
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), json!(flags).to_string());
    juju
}

#[track_caller]
fn good(output: Output) -> String {
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    output.stdout
}

#[track_caller]
fn check(juju: &mut Juju, line: &str, expected: &Expect) {
    let output = juju.tool(&app(), line, &[]);
    expected.assert_eq(&format!("{}{}", output.stdout, output.stderr));
    assert_eq!(output.code, 0);
}

#[test]
fn flags_are_told_sorted_one_a_line_or_as_json() {
    let mut juju = juju(&["web.running", "has space", "web.installed"]);
    check(
        &mut juju,
        "flags",
        &expect![[r"
            has space
            web.installed
            web.running
        "]],
    );
    let flags = good(juju.tool(&app(), "flags --json", &[]));
    assert_eq!(flags, "[\"has space\",\"web.installed\",\"web.running\"]\n");
    assert_eq!(juju.commands, ["state-get --format=json"]);
}

#[test]
fn a_flag_is_set_with_what_triggers_make_of_it() {
    let mut juju = juju(&[]);
    check(
        &mut juju,
        "set-flag web.installed",
        &expect![[r"
            +web.installed
            +web.stale
        "]],
    );
    assert_eq!(juju.flags(), ["web.installed", "web.stale"]);
    assert_eq!(juju.commands.len(), 2, "one `state-get`, one `state-set`: {:?}", juju.commands);
    check(&mut juju, "set-flag web.installed", &expect![["`web.installed` is set already\n"]]);
    assert_eq!(juju.commands, ["state-get --format=json"], "nothing is written that did not change");
    let json = good(juju.tool(&app(), "--json clear-flag web.stale", &[]));
    assert_eq!(json, "{\"flag\":\"web.stale\",\"changes\":[\"-web.stale\"]}\n");
    good(juju.tool(&app(), "set-flag web.running", &[]));
    check(
        &mut juju,
        "clear-flag web.installed",
        &expect![[r"
            -web.installed
            -web.running
        "]],
    );
    assert_eq!(juju.flags(), [""; 0]);
}

#[test]
fn what_else_the_unit_state_holds_stays() {
    let mut juju = juju(&[]);
    juju.relate("db:1", &["mysql/0"]);
    juju.write("db:1", "mysql/0", "host", "10.0.0.7");
    juju.run(&charm(), "start").expect("a good dispatch");
    let before = juju.kept.state.clone();
    assert!(before.len() > 1, "a record of the relation: {before:?}");
    good(juju.tool(&app(), "set-flag web.running", &[]));
    good(juju.tool(&app(), "clear-flag web.running", &[]));
    assert_eq!(juju.kept.state, before);
}

#[test]
fn a_flag_of_the_framework_may_be_changed_with_a_warning() {
    let mut juju = juju(&[]);
    let output = juju.tool(&app(), "set-flag endpoint.db.joined", &[]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "+endpoint.db.joined\n"));
    let note = "note: the framework sets and clears `endpoint.db.joined` by itself, and may change it back in the next hook\n";
    assert_eq!(output.stderr, note);
}

#[track_caller]
fn check_refused(output: &Output, expected: &Expect) {
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    expected.assert_eq(&output.stderr);
}

#[test]
fn a_flag_that_ends_with_its_dispatch_cannot_be_set() {
    let mut juju = juju(&[]);
    check_refused(
        &juju.tool(&app(), "set-flag config.changed.port", &[]),
        &expect![[r"
            flag `config.changed.port` ends with its dispatch, so it cannot be changed for the next one
        "]],
    );
    assert_eq!(juju.flags(), [""; 0]);
}

#[test]
fn triggers_that_never_rest_change_nothing() {
    let app = charm().trigger(set(STALE).clears(STALE)).trigger(cleared(STALE).sets(STALE));
    let mut juju = juju(&["web.running"]);
    let output = juju.tool(&app, "set-flag web.stale", &[]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("triggers set each other off 100 times over"), "{}", output.stderr);
    assert_eq!(juju.flags(), ["web.running"]);
}

#[test]
fn handlers_are_explained_in_words() {
    let mut juju = juju(&[]);
    check(
        &mut juju,
        "explain",
        &expect![[r"
            install: in install or upgrade-charm
              waiting for hook `install` or `upgrade-charm`
            configure: web.installed, any of (config.changed, web.stale)
              waiting for `web.installed`: nobody has set `web.installed`
              waiting for one of these:
                `config.changed`: no option has changed: set only in the dispatch that sees a change, after `juju config web ...`
                `web.stale`: nobody has set `web.stale`; a trigger sets it when `web.installed` or `web.new` becomes set, or when `endpoint.db.joined` is cleared
            connect: endpoint.db.joined, not web.running
              waiting for `endpoint.db.joined`: no unit of any application has joined `db`: it has no relation, `juju integrate web:db APPLICATION` makes one
            stop: in stop, not all of (web.installed, web.running)
              waiting for hook `stop`
        "]],
    );
    good(juju.tool(&app(), "set-flag web.installed", &[]));
    good(juju.tool(&app(), "set-flag web.running", &[]));
    juju.relate("db:1", &["mysql/0"]);
    juju.run(&charm(), "db-relation-joined mysql/0").expect("a good dispatch");
    check(
        &mut juju,
        "explain",
        &expect![[r"
            install: in install or upgrade-charm
              waiting for hook `install` or `upgrade-charm`
            configure: web.installed, any of (config.changed, web.stale)
              would run in the next hook
            connect: endpoint.db.joined, not web.running
              held back by `web.running`: `web.running` is set, and nobody has cleared it; a trigger clears it when `web.installed` is cleared
            stop: in stop, not all of (web.installed, web.running)
              waiting for hook `stop`
              held back while all of these are set:
                `web.installed`: `web.installed` is set, and nobody has cleared it
                `web.running`: `web.running` is set, and nobody has cleared it; a trigger clears it when `web.installed` is cleared
        "]],
    );
}

#[test]
fn one_handler_is_explained_by_name() {
    let mut juju = juju(&["endpoint.db.joined"]);
    check(
        &mut juju,
        "explain connect",
        &expect![[r"
            connect: endpoint.db.joined, not web.running
              would run in the next hook
        "]],
    );
    check_refused(
        &juju.tool(&app(), "explain conect", &[]),
        &expect![[r"
            the charm has no handler `conect`, only: install, configure, connect, stop
        "]],
    );
    let json: Value =
        serde_json::from_str(&good(juju.tool(&app(), "explain configure --json", &[]))).expect("JSON");
    assert_eq!(json[0]["handler"], "configure");
    assert_eq!(json[0]["would_run"], false);
    assert_eq!(json[0]["waits_for"][0]["wants"], "all");
    let flag = json!([{ "flag": "web.installed", "because": "nobody has set `web.installed`" }]);
    assert_eq!(json[0]["waits_for"][0]["flags"], flag);
    assert_eq!(json[0]["waits_for"][1]["wants"], "any");
}

#[test]
fn in_a_hook_that_is_debugged_its_handlers_are_told_apart() {
    let mut juju = juju(&[]);
    let variables = [("JUJU_DISPATCH_PATH", "hooks/install"), ("JUJU_HOOK_NAME", "install")];
    let told = good(juju.tool(&app(), "explain install", &variables));
    assert_eq!(told, "install: in install or upgrade-charm\n  would run in this hook\n");
}

/// What is said of a flag that is not set, and of one that is.
#[track_caller]
fn words(juju: &mut Juju, flag: &str) -> [String; 2] {
    let flag = Flag::from(flag.to_owned());
    let app = charm().handler(install, when(flag.clone())).handler(stop, none([flag.clone()]));
    let mut told = |flags: &[&str], handler: &str| {
        juju.kept.state.insert("flags".to_owned(), json!(flags).to_string());
        let told = good(juju.tool(&app, &format!("explain {handler} --json"), &[]));
        let told: Value = serde_json::from_str(&told).expect("JSON");
        told[0]["waits_for"][0]["flags"][0]["because"].as_str().expect("a text").to_owned()
    };
    [told(&[], "install"), told(&[flag.as_str()], "stop")]
}

#[test]
fn each_automatic_flag_has_words_for_what_has_to_happen() {
    let mut juju = Juju::default();
    let mut told = Vec::new();
    for flag in [
        "endpoint.db.joined",
        "endpoint.db.changed",
        "endpoint.db.changed.host",
        "endpoint.db.departed",
        "endpoint.db.has_requests",
        "endpoint.db.new_requests",
        "endpoint.db.removed_requests",
        "endpoint.db.has_responses",
        "endpoint.db.all_responses",
        "endpoint.db.ready",
        "endpoint.cache.joined",
        "config.set.port",
        "config.default.port",
        "config.changed.port",
        "config.set.host",
        "leadership.is_leader",
        "upgrade.series.in-progress",
        "web.installed",
    ] {
        let [not_set, set] = words(&mut juju, flag);
        told.extend([flag.to_owned(), format!("  - {not_set}"), format!("  + {set}")]);
    }
    expect![[r"
        endpoint.db.joined
          - no unit of any application has joined `db`: it has no relation, `juju integrate web:db APPLICATION` makes one
          + it was set by hand: no unit has joined `db`
        endpoint.db.changed
          - no remote databag on `db` has changed since the charm cleared it
          + a remote databag on `db` has changed, and the charm has not cleared it
        endpoint.db.changed.host
          - key `host` of no remote databag on `db` has changed since the charm cleared it
          + key `host` of a remote databag on `db` has changed, and the charm has not cleared it
        endpoint.db.departed
          - no unit has left `db`, or the charm has cleared its list of departed units
          + it was set by hand: no unit has left `db`
        endpoint.db.has_requests
          - nobody asks for anything on `db`
          + there are requests on `db`
        endpoint.db.new_requests
          - there is no request on `db` that is not answered
          + a request on `db` has no answer, or changed since
        endpoint.db.removed_requests
          - no answered request on `db` was taken back
          + an answered request on `db` was taken back, and the charm has not cleared it
        endpoint.db.has_responses
          - no request of ours on `db` is answered
          + a request of ours on `db` is answered
        endpoint.db.all_responses
          - there is no request of ours on `db`, or not each is answered
          + each request of ours on `db` is answered
        endpoint.db.ready
          - neither interface `mysql` of endpoint `db` nor the charm has set it
          + interface `mysql` of endpoint `db`, or the charm, has set it
        endpoint.cache.joined
          - the charm has no endpoint `cache`
          + it is set, and the charm has no endpoint `cache` any more: the next `upgrade-charm` clears it
        config.set.port
          - option `port` is empty, zero or false: `juju config web port=...` gives it a value
          + option `port` has a value
        config.default.port
          - option `port` has another value than its default: `juju config web --reset port` takes it away
          + option `port` has its default
        config.changed.port
          - option `port` has not changed: set only in the dispatch that sees a change, after `juju config web port=...`
          + option `port` has changed
        config.set.host
          - the charm has no option `host`
          + it is set, and the charm has no option `host` any more: the next hook clears it
        leadership.is_leader
          - this unit is not known to lead `web`: Juju runs `leader-elected` on the unit that does
          + this unit leads; the first dispatch after another one does clears it
        upgrade.series.in-progress
          - no series upgrade is going on: hook `pre-series-upgrade` sets it
          + a series upgrade is going on: hook `post-series-upgrade` clears it
        web.installed
          - nobody has set `web.installed`
          + `web.installed` is set, and nobody has cleared it
    "]].assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn units_that_joined_and_left_are_named() {
    let mut juju = Juju::default();
    juju.relate("db:1", &[]);
    juju.run(&charm(), "db-relation-created").expect("a good dispatch");
    let [not_set, _] = words(&mut juju, "endpoint.db.joined");
    let related =
        "no unit of any application has joined `db`: related are `mysql` on `db:1`, without a unit yet";
    assert_eq!(not_set, related);
    juju.relate("db:1", &["mysql/0", "mysql/1", "mysql/2", "mysql/3", "mysql/4", "mysql/5", "mysql/6"]);
    juju.run(&charm(), "db-relation-joined mysql/0").expect("a good dispatch");
    let [not_set, set] = words(&mut juju, "endpoint.db.joined");
    let units = "`mysql/0`, `mysql/1`, `mysql/2`, `mysql/3`, `mysql/4` and 2 more joined `db`";
    assert_eq!(set, format!("{units}; it is cleared when the last one leaves"));
    assert_eq!(not_set, format!("it was cleared by hand, though {units}: the next hook sets it"));
    juju.relate("db:1", &["mysql/1"]);
    juju.run(&charm(), "db-relation-departed mysql/0").expect("a good dispatch");
    let [_, set] = words(&mut juju, "endpoint.db.departed");
    assert_eq!(set, "`mysql/0` left `db`, and the charm has not cleared its list of departed units");
}

#[test]
fn how_to_relate_is_told_as_the_version_of_juju_has_it() {
    let told = |version: &str| good(juju(&[]).tool(&app(), "explain connect", &[("JUJU_VERSION", version)]));
    assert!(told("3.6.1").contains("`juju integrate web:db APPLICATION`"), "{}", told("3.6.1"));
    assert!(told("2.9.50").contains("`juju add-relation web:db APPLICATION`"), "{}", told("2.9.50"));
}

#[test]
fn relations_are_told_with_their_units() {
    let mut juju = juju(&[]);
    check(&mut juju, "relations", &expect![["db (requires mysql)\n  no relation\n"]]);
    juju.relate("db:1", &["mysql/0", "mysql/1"]);
    juju.run(&charm(), "db-relation-joined mysql/0").expect("a good dispatch");
    juju.relate("db:1", &["mysql/1"]);
    juju.run(&charm(), "db-relation-departed mysql/0").expect("a good dispatch");
    juju.relate("db:10", &[]);
    check(
        &mut juju,
        "relations",
        &expect![[r"
        db (requires mysql)
          db:1 with mysql: mysql/1; left: mysql/0
          db:10 with mysql: no units
          flags: endpoint.db.departed, endpoint.db.joined
    "]],
    );
    let json: Value = serde_json::from_str(&good(juju.tool(&app(), "relations --json", &[]))).expect("JSON");
    let first =
        json!({ "relation": "db:1", "application": "mysql", "units": ["mysql/1"], "departed": ["mysql/0"] });
    assert_eq!(json[0]["relations"][0], first);
    // A relation that is gone is told as long as the charm is not done with those who left.
    juju.kept.relations.clear();
    juju.run(&charm(), "db-relation-broken").expect("a good dispatch");
    check(
        &mut juju,
        "relations",
        &expect![[r"
        db (requires mysql)
          db:1 with mysql: no units; left: mysql/0
          flags: endpoint.db.departed
    "]],
    );
}

#[test]
fn a_charm_without_requests_says_so() {
    let output = juju(&[]).tool(&app(), "requests", &[]);
    assert_eq!((output.code, output.stdout.as_str()), (0, ""));
    assert_eq!(output.stderr, "note: no endpoint of this charm has an interface with requests and answers\n");
    let output = juju(&[]).tool(&app(), "requests --json", &[]);
    assert_eq!(output.stdout, "[]\n");
}

#[test]
fn outside_of_a_hook_context_it_is_told_how_to_get_one() {
    check_refused(
        &juju(&[]).tool(&app(), "flags --json", &[("JUJU_UNIT_NAME", "")]),
        &expect![[r"
            there is no hook context
              because: `JUJU_UNIT_NAME` is not set, expected to be run by Juju (or in a simulated model) as a hook
            hint: run it as `juju exec --unit UNIT -- ./dispatch flags --json`, or in `juju debug-hooks UNIT`
        "]],
    );
}

#[test]
fn a_restricted_hook_has_nothing_to_look_at() {
    let variables = [("JUJU_DISPATCH_PATH", "hooks/collect-metrics")];
    check_refused(
        &juju(&[]).tool(&app(), "set-flag a", &variables),
        &expect![[r"
            `collect-metrics` is a restricted hook: Juju gives it neither state nor model
        "]],
    );
}

#[test]
fn juju_that_says_no_is_told_in_its_own_words() {
    let mut juju = juju(&["web.running"]);
    juju.failing = Some("state-set");
    check_refused(
        &juju.tool(&app(), "clear-flag web.running", &[]),
        &expect![[r"
            cannot change the flag
              because: cannot reach the unit state
              because: cannot run `state-set --file -`: exit code 1, ERROR connection is shut down
        "]],
    );
    assert_eq!(juju.flags(), ["web.running"]);
}

#[test]
fn a_state_in_a_file_is_changed_too() {
    let app = || app().store(Store::File);
    let mut juju = Juju::default();
    good(juju.tool(&app(), "set-flag web.running", &[]));
    assert_eq!(juju.kept.state.len(), 0, "nothing is in the unit state");
    assert_eq!(good(juju.tool(&app(), "flags", &[])), "web.running\n");
}

#[test]
fn a_state_that_cannot_be_read_is_a_warning() {
    let mut juju = Juju::default();
    juju.kept.state.insert("flags".to_owned(), "nonsense".to_owned());
    let output = juju.tool(&app(), "flags", &[]);
    assert_eq!(output.code, 0);
    assert!(
        output.stderr.starts_with("warning: cannot read state key `flags`, starting anew"),
        "{}",
        output.stderr
    );
    assert!(juju.log.is_empty(), "a person reads it, not Juju's log");
}
