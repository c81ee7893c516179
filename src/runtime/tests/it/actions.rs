//! Actions: their parameters, their results, and what they change.

use charms_reactive_core::Metadata;
use charms_reactive_runtime::charm::{ActionKey, FromParameters, ValueError, typed_value};
use charms_reactive_runtime::prelude::*;
use serde_json::{Map, Value, json};

use crate::juju::Juju;

const DONE: Flag = Flag::new("backup.done");
const BACKUP: ActionKey<Backup> = ActionKey::new("backup");

struct Backup {
    target: String,
}

impl FromParameters for Backup {
    fn from_parameters(parameters: &Map<String, Value>) -> Result<Self, ValueError> {
        Ok(Self { target: typed_value(parameters, "target", "a text")? })
    }
}

fn backup(hook: &mut Hook, parameters: Backup) -> Result<(), HandlerError> {
    hook.set(DONE);
    hook.write_file("backup", "x", 0o600);
    if parameters.target == "full" {
        return Err("disk `full` has no room".into());
    }
    hook.action_result("target", parameters.target);
    Ok(())
}

fn report(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("backed up"));
    Ok(())
}

fn never(_: &mut Hook) -> Result<(), HandlerError> {
    Err("an action does not run every handler".into())
}

fn app() -> App {
    App::new(Charm::new(Metadata::default()))
        .action(BACKUP, backup)
        .handler(report, when(DONE))
        .handler(never, none([Flag::new("unrelated")]))
}

fn run(target: Value) -> Juju {
    let mut juju = Juju::default();
    juju.kept.parameters.insert("target".to_owned(), target);
    juju.run(&app(), "actions/backup").expect("actions never fail the unit");
    juju
}

#[test]
fn an_action_wakes_the_handlers_of_the_flags_it_changed() {
    let juju = run(json!("disk"));
    assert_eq!(juju.flags(), ["backup.done"]);
    assert!(juju.log.contains(&"action-set target=disk".to_owned()), "{:?}", juju.log);
    assert!(juju.log.contains(&"status-set active backed up".to_owned()), "{:?}", juju.log);
}

#[test]
fn an_action_that_fails_says_why_and_leaves_no_trace() {
    let juju = run(json!("full"));
    assert!(juju.kept.state.is_empty());
    assert!(juju.log.contains(&"action-fail disk `full` has no room".to_owned()), "{:?}", juju.log);
    let folder = juju.charm_dir.as_ref().expect("made").path();
    assert_eq!(std::fs::read_dir(folder).expect("readable").count(), 0);
}

#[test]
fn a_parameter_of_another_type_is_told_by_name() {
    let juju = run(json!(7));
    let told = "action-fail `target` is `7`, expected a text".to_owned();
    assert!(juju.log.contains(&told), "{:?}", juju.log);
}

#[test]
fn an_action_that_the_charm_does_not_have_fails() {
    let mut juju = Juju::default();
    juju.run(&app(), "actions/restore").expect("actions never fail the unit");
    assert!(juju.log.contains(&"action-fail action `restore` has no handler".to_owned()), "{:?}", juju.log);
}
