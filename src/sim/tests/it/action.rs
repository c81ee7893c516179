//! Actions, and scripts in a hook context.

use charms_reactive_sim::{ModelError, Sim, SimError};
use serde_json::{Value, json};

use crate::charm::{Charms, builder, script};

const ACTIONS: &str = "
backup:
  params:
    outfile: {type: string}
    level: {type: integer, default: 3, minimum: 1}
    deep: {type: object, properties: {a: {type: string, default: x}}}
  required: [outfile]
  additionalProperties: false
other: {}
";

fn deployed(charms: &mut Charms, body: &str) -> Sim {
    let charm = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("actions.yaml", ACTIONS),
        ("actions/backup", &script(body)),
        ("hooks/update-status", &script("false")),
    ]);
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    sim
}

#[test]
fn an_action_reads_parameters_and_gives_results() {
    let body = "action-get --format=json\naction-get level\naction-get deep.a\naction-get none\naction-log half way\naction-set a.b=1 a.c=2 d=x\naction-set d=y\necho err >&2\nstate-set seen=1";
    let mut sim = deployed(&mut Charms::new(), body);
    let result = sim.run_action("web/0", "backup", json!({"outfile": "f"})).unwrap();
    assert_eq!(result.stdout, "{\"deep\":{\"a\":\"x\"},\"level\":3,\"outfile\":\"f\"}\n3\nx\n");
    assert_eq!(result.stderr, "err\n");
    assert_eq!((result.status.as_str(), result.message.as_str(), result.code), ("completed", "", Some(0)));
    assert_eq!(Value::Object(result.results), json!({"a": {"b": "1", "c": "2"}, "d": "y"}));
    assert_eq!(result.log, ["half way"]);
    assert_eq!(sim.unit_state("web/0").unwrap().len(), 1);
}

#[test]
fn an_action_that_says_it_failed_is_flushed() {
    let mut sim = deployed(&mut Charms::new(), "state-set seen=1\naction-fail 'no disk'");
    let result = sim.run_action("web/0", "backup", json!({"outfile": "f"})).unwrap();
    assert_eq!((result.status.as_str(), result.message.as_str()), ("failed", "no disk"));
    assert_eq!(sim.unit_state("web/0").unwrap().len(), 1);
}

#[test]
fn an_action_with_another_exit_code_is_not_flushed_and_the_unit_is_not_in_error() {
    let mut sim = deployed(&mut Charms::new(), "state-set seen=1\naction-set a=1\nexit 7");
    let result = sim.run_action("web/0", "backup", json!({"outfile": "f"})).unwrap();
    assert_eq!((result.status.as_str(), result.message.as_str()), ("failed", "exit status 7"));
    assert_eq!(Value::Object(result.results), json!({"a": "1"}));
    assert!(sim.unit_state("web/0").unwrap().is_empty());
    assert_eq!(sim.unit("web/0").unwrap().failed_hook, None);
}

#[test]
fn actions_run_while_a_hook_is_in_error() {
    let mut sim = deployed(&mut Charms::new(), "action-set ok=1");
    sim.update_status("web/0").unwrap();
    assert_eq!(sim.settle().unwrap().failed.len(), 1);
    let result = sim.run_action("web/0", "backup", json!({"outfile": "f"})).unwrap();
    assert_eq!(result.status, "completed");
}

#[test]
fn what_juju_refuses_is_not_run() {
    let mut sim = deployed(&mut Charms::new(), "true");
    let mut check = |name: &str, parameters: Value, expected: &str| {
        let from = sim.events().len();
        let error = sim.run_action("web/0", name, parameters).unwrap_err();
        assert!(matches!(
            error,
            SimError::Model(ModelError::Parameters { .. } | ModelError::NoAction { .. })
        ));
        assert_eq!(error.to_string(), expected);
        assert_eq!(sim.events().len(), from);
    };
    check("none", Value::Null, "action `none` not defined on unit `web/0`");
    check(
        "backup",
        Value::Null,
        "validation failed: (root) : \"outfile\" property is missing and required, given {\"deep\":{\"a\":\"x\"},\"level\":3}",
    );
    check(
        "backup",
        json!({"outfile": 5}),
        "validation failed: (root).outfile : must be of type string, given 5",
    );
    check(
        "other",
        json!({"x": 1}),
        "validation failed: (root) : additional property \"x\" is not allowed, given {\"x\":1}",
    );
}

#[test]
fn an_action_without_a_file_fails() {
    let mut sim = deployed(&mut Charms::new(), "true");
    let result = sim.run_action("web/0", "other", Value::Null).unwrap();
    assert_eq!(result.message, "action not implemented on unit \"web/0\"");
    assert_eq!(result.code, None);
}

#[test]
fn output_that_is_no_text_is_taken_as_it_is() {
    let mut sim = deployed(&mut Charms::new(), "printf 'a\\xffb\\n'");
    let result = sim.run_action("web/0", "backup", json!({"outfile": "f"})).unwrap();
    assert_eq!(result.stdout, "a\u{fffd}b\n");
}

#[test]
fn a_script_is_flushed_whatever_its_exit_code() {
    let mut sim = deployed(&mut Charms::new(), "true");
    let result = sim.exec("web/0", "state-set a=1\necho out\necho err >&2\nexit 3").unwrap();
    assert_eq!((result.code, result.stdout.as_str(), result.stderr.as_str()), (3, "out\n", "err\n"));
    assert_eq!(result.flush_error, None);
    assert_eq!(sim.unit_state("web/0").unwrap().len(), 1);
}

#[test]
fn a_script_about_a_relation_infers_the_only_remote_unit() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = builder().build().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    let relation = sim.relate("web", "mysql").unwrap();
    let refused =
        |sim: &mut Sim, remote| sim.exec_in("web/0", relation, remote, "true").unwrap_err().to_string();
    assert_eq!(refused(&mut sim, None), "unit `web/0` is not installed");
    sim.settle().unwrap();
    let print = "echo $JUJU_RELATION_ID $JUJU_REMOTE_UNIT $JUJU_REMOTE_APP; relation-get private-address";
    let result = sim.exec_in("web/0", relation, None, print).unwrap();
    assert_eq!(result.stdout, "db:0 mysql/0 mysql\n10.1.0.2\n");
    sim.add_unit("mysql").unwrap();
    sim.settle().unwrap();
    assert_eq!(refused(&mut sim, None), "ambiguous remote unit; possibilities are [mysql/0 mysql/1]");
    assert_eq!(
        refused(&mut sim, Some("mysql/7")),
        "unknown remote unit mysql/7; possibilities are [mysql/0 mysql/1]"
    );
    let result = sim.exec_in("web/0", relation, Some("mysql/1"), print).unwrap();
    assert_eq!(result.stdout, "db:0 mysql/1 mysql\n10.1.0.3\n");
}

#[test]
fn an_action_that_was_asked_for_comes_at_the_next_gap_or_is_taken_back() {
    let mut charms = Charms::new();
    let charm = charms.files(&[
        ("metadata.yaml", "name: web\nrequires: {db: sql}"),
        ("actions.yaml", "backup: {}"),
        ("dispatch", &crate::charm::script("[ $hook != start ] || [ -e good ]")),
    ]);
    let mut sim = crate::charm::builder().retries_max(0).build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    let first = sim.enqueue_action("web/0", "backup", serde_json::Value::Null).unwrap();
    let second = sim.enqueue_action("web/0", "backup", serde_json::Value::Null).unwrap();
    sim.cancel_action(second).unwrap();
    assert_eq!(sim.action(first).unwrap().status, "pending");
    sim.settle().unwrap();
    assert_eq!(
        crate::charm::hooks(&sim, 0),
        "web/0 install\nweb/0 leader-elected\nweb/0 backup\nweb/0 config-changed\nweb/0 start\n"
    );
    assert_eq!(sim.action(first).unwrap().status, "completed");
    let cancelled = sim.action(second).unwrap();
    assert_eq!((cancelled.status.as_str(), cancelled.code), ("cancelled", None));
    // `start` has failed, which does not hold an action back.
    let third = sim.enqueue_action("web/0", "backup", serde_json::Value::Null).unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.action(third).unwrap().status, "completed");
    sim.cancel_action(third).unwrap();
    assert_eq!(sim.action(third).unwrap().status, "completed", "it is over");
    assert_eq!(sim.action(99).unwrap_err().to_string(), "action 99 not found");
    assert!(sim.enqueue_action("web/0", "none", serde_json::Value::Null).is_err());
}
