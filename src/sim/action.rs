//! Runs that are no hooks: actions, and scripts in a hook context.

use charms_reactive_core::UnitName;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::commit;
use crate::dispatch::{HookRun, Outcome};
use crate::error::{ModelError, SimError};
use crate::event::{Event, Exit};
use crate::execute::{Finished, Input, Target};
use crate::model::{Model, Unit};
use crate::operator::acted;
use crate::process::Ended;
use crate::run::{Current, Purpose, Run};
use crate::schedule;
use crate::schema;
use crate::sim::Sim;

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionResult {
    /// Its number.
    pub id: u32,
    /// `completed`, `failed` or `aborted`; `pending` or `cancelled` for one that was not run.
    pub status: String,
    /// Why it failed; empty otherwise.
    pub message: String,
    /// What it set with `action-set`.
    pub results: Map<String, Value>,
    /// Its exit code; -1 when it was killed, none when it was not run.
    pub code: Option<i32>,
    /// What it wrote to standard output; bytes that are not text are replaced.
    pub stdout: String,
    /// What it wrote to standard error; bytes that are not text are replaced.
    pub stderr: String,
    /// What it told about its progress.
    pub log: Vec<String>,
}

/// An action that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct ActionTask {
    unit: UnitName,
    name: String,
    parameters: Map<String, Value>,
    result: ActionResult,
}

impl ActionTask {
    /// Whose action it is, and what became of it.
    pub(crate) fn line(&self) -> String {
        let ActionResult { status, message, results, .. } = &self.result;
        let (unit, name, results) = (&self.unit, &self.name, Value::Object(results.clone()));
        format!("{name} of {unit}: {status} {message} {results}")
    }
}

/// What is known of an action that was not run.
fn pending(id: u32, status: &str) -> ActionResult {
    ActionResult {
        id,
        status: status.to_owned(),
        message: String::new(),
        results: Map::new(),
        code: None,
        stdout: String::new(),
        stderr: String::new(),
        log: Vec::new(),
    }
}

/// What came of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExecResult {
    /// Its exit code; -1 when it was killed.
    pub code: i32,
    /// What it wrote to standard output; bytes that are not text are replaced.
    pub stdout: String,
    /// What it wrote to standard error; bytes that are not text are replaced.
    pub stderr: String,
    /// Why its changes could not be made visible, if so.
    pub flush_error: Option<String>,
}

impl Sim {
    /// Runs an action of a unit now, between hooks, in error or not.
    ///
    /// `parameters` is a JSON object, or null for none; defaults are filled in.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoAction`] and [`ModelError::Parameters`] for what Juju refuses before anything
    /// runs.  An action that fails is no error of this call.
    ///
    /// # Source
    ///
    /// `U/operation/runaction.go`, and `finalizeAction` in `U/runner/context/context.go`.
    pub fn run_action(
        &mut self,
        unit: &str,
        name: &str,
        parameters: Value,
    ) -> Result<ActionResult, SimError> {
        let unit = self.runnable(unit)?;
        let parameters = checked(&self.model, self.model.unit(&unit)?, name, parameters)?;
        let id = self.model.next_action();
        let (result, _) = self.run_checked(&unit, id, name, parameters)?;
        Ok(result)
    }

    /// Asks for an action of a unit as `juju run` does: it is run by [`Sim::step`] and [`Sim::settle`]
    /// at the next gap between hooks, in error or not.  Gives its number.
    ///
    /// # Errors
    ///
    /// As for [`Sim::run_action`]; a unit that is not installed yet is no error here.
    ///
    /// # Source
    ///
    /// `U/actions/resolver.go`.
    pub fn enqueue_action(&mut self, unit: &str, name: &str, parameters: Value) -> Result<u32, SimError> {
        let unit = self.model.unit(&UnitName::parse(unit)?)?;
        let parameters = checked(&self.model, unit, name, parameters)?;
        let unit = unit.name.clone();
        let id = self.model.next_action();
        self.model.journal.record(acted(format!("run action {name} on {unit}, task {id}")));
        let action = ActionTask { unit, name: name.to_owned(), parameters, result: pending(id, "pending") };
        self.model.actions.insert(id, action);
        Ok(id)
    }

    /// Takes an action back that was asked for and is not run yet: it never will be.
    ///
    /// One that is over stays as it is.
    ///
    /// # Source
    ///
    /// `juju cancel-task`; `juju/juju:state/action.go`, `Cancel`.
    pub fn cancel_action(&mut self, id: u32) -> Result<(), SimError> {
        let action = self.model.actions.get_mut(&id).ok_or(ModelError::NoActionRun { id })?;
        if action.result.status == "pending" {
            self.model.journal.record(acted(format!("cancel task {id}")));
            action.result = pending(id, "cancelled");
        }
        Ok(())
    }

    /// What came of an action that was asked for; its status is `pending` as long as it is not run.
    pub fn action(&self, id: u32) -> Result<&ActionResult, SimError> {
        let action = self.model.actions.get(&id).ok_or(ModelError::NoActionRun { id })?;
        Ok(&action.result)
    }

    /// Runs the first action that was asked for and whose unit is at a gap.
    pub(crate) fn run_queued_action(&mut self) -> Result<Option<HookRun>, SimError> {
        let is_due = |(_, action): &(&u32, &ActionTask)| {
            let unit = self.model.units.get(&action.unit);
            action.result.status == "pending"
                && unit.is_some_and(|unit| {
                    unit.is_installed
                        && !unit.is_removed
                        && Model::is_action_first(&schedule::due(&self.model, unit))
                })
        };
        let Some((id, action)) = self.model.actions.iter().find(is_due) else { return Ok(None) };
        let (id, action) = (*id, action.clone());
        let (result, commands) = self.run_checked(&action.unit, id, &action.name, action.parameters)?;
        let outcome = match result.status.as_str() {
            "completed" => Outcome::Committed,
            _ => Outcome::Failed { error: result.message.clone() },
        };
        if let Some(known) = self.model.actions.get_mut(&id) {
            known.result = result;
        }
        Ok(Some(HookRun { unit: action.unit, hook: action.name, about: None, outcome, commands }))
    }

    fn run_checked(
        &mut self,
        unit: &UnitName,
        id: u32,
        name: &str,
        parameters: Map<String, Value>,
    ) -> Result<(ActionResult, usize), SimError> {
        let unit = unit.clone();
        let purpose = Purpose::Action { id, name: name.to_owned(), parameters };
        let missing = || Err(format!("action not implemented on unit \"{unit}\""));
        let target = self.target(&unit, "actions", name).unwrap_or_else(missing);
        let run = Run::new(&mut self.model, &unit, purpose);
        let Finished { mut run, ended, server } = self.execute(run, target, Input::default())?;
        let (status, message) = match &ended {
            Err(error) => ("failed", error.clone()),
            Ok(Ended { exit: Exit::Code(0), .. }) => match commit::flush(&mut self.model, &run) {
                Err(error) => ("failed", format!("committing requested changes failed: {error}")),
                Ok(()) => match &run.action.failure {
                    Some(failure) => ("failed", failure.clone()),
                    None => ("completed", String::new()),
                },
            },
            Ok(Ended { exit: Exit::Code(code), .. }) => ("failed", format!("exit status {code}")),
            Ok(Ended { exit: Exit::Signal(9) | Exit::TimedOut, .. }) => ("aborted", String::new()),
            Ok(Ended { exit, .. }) => ("failed", exit.to_string()),
        };
        let is_flushed =
            matches!(&ended, Ok(Ended { exit: Exit::Code(0), .. })) && !message.starts_with("committing");
        self.finish(&mut run, ended.as_ref().ok(), is_flushed);
        self.close(server, &run)?;
        let (code, stdout, stderr) = streams(ended.ok());
        let commands = run.commands;
        let result = ActionResult {
            id,
            status: status.to_owned(),
            message,
            results: run.action.results,
            code,
            stdout,
            stderr,
            log: run.action.log,
        };
        Ok((result, commands))
    }

    /// Runs a bash script in a hook context of a unit, as `juju-exec UNIT SCRIPT` does.
    ///
    /// What it staged becomes visible whatever its exit code: Juju asks only whether it could be run.
    ///
    /// # Source
    ///
    /// `U/operation/runcommands.go`, `juju/utils:exec/exec.go`.
    pub fn exec(&mut self, unit: &str, script: &str) -> Result<ExecResult, SimError> {
        let unit = self.runnable(unit)?;
        let run = Run::new(&mut self.model, &unit, Purpose::Exec);
        Ok(self.exec_run(run, script)?.0)
    }

    /// Runs a hook of the charm's own, as its daemon does: `juju-exec UNIT 'JUJU_DISPATCH_PATH=hooks/NAME ./dispatch'`.
    ///
    /// What it staged becomes visible also when it is killed: Juju asks only whether the script could be run.
    pub fn exec_hook(&mut self, unit: &str, name: &str) -> Result<ExecResult, SimError> {
        let unit = self.runnable(unit)?;
        let mut run = Run::new(&mut self.model, &unit, Purpose::Exec);
        (run.hook, run.own_hook) = (name.to_owned(), Some(name.to_owned()));
        let target =
            self.target(&unit, "hooks", name).unwrap_or_else(|| Err("there is no dispatch".to_owned()));
        let Finished { mut run, ended, server } = self.execute(run, target, Input::default())?;
        let flush_error = match &ended {
            Ok(_) => commit::flush(&mut self.model, &run).err(),
            Err(error) => Some(error.clone()),
        };
        self.finish(&mut run, ended.as_ref().ok(), flush_error.is_none());
        self.close(server, &run)?;
        self.due.forget();
        let (code, stdout, stderr) = streams(ended.ok());
        Ok(ExecResult { code: code.unwrap_or(-1), stdout, stderr, flush_error })
    }

    /// Runs a bash script as `juju-exec -r RELATION [--remote-unit UNIT]` does.
    ///
    /// Without a remote unit, the only one of the relation is taken.
    ///
    /// # Errors
    ///
    /// [`ModelError::RemoteUnit`] when there is not exactly one, or not this one.
    ///
    /// # Source
    ///
    /// `U/runcommands`, `inferRemoteUnit`.
    pub fn exec_in(
        &mut self,
        unit: &str,
        relation: u32,
        remote_unit: Option<&str>,
        script: &str,
    ) -> Result<ExecResult, SimError> {
        let unit = self.runnable(unit)?;
        let mut run = Run::new(&mut self.model, &unit, Purpose::Exec);
        let Some(view) = run.views.get(&relation) else {
            return Err(ModelError::NoRelation { number: relation }.into());
        };
        let members: Vec<String> = view.members.iter().map(ToString::to_string).collect();
        let refused = |reason: String| Err(ModelError::RemoteUnit { reason }.into());
        let remote_unit = match (remote_unit, view.members.as_slice()) {
            (None, [one]) => one.clone(),
            (None, []) => return refused(format!("cannot infer remote unit in empty relation {relation}")),
            (None, _) => {
                return refused(format!("ambiguous remote unit; possibilities are [{}]", members.join(" ")));
            }
            (Some(name), known) => {
                let name = UnitName::parse(name)?;
                if !known.contains(&name) {
                    return refused(format!(
                        "unknown remote unit {name}; possibilities are [{}]",
                        members.join(" ")
                    ));
                }
                name
            }
        };
        let remote_application = remote_unit.application().clone();
        run.current = Some(Current {
            number: relation,
            remote_unit: Some(remote_unit),
            remote_application,
            departing: None,
        });
        Ok(self.exec_run(run, script)?.0)
    }

    /// Gives what came of it, and how many hook commands it asked for.
    pub(crate) fn exec_run(&mut self, run: Run, script: &str) -> Result<(ExecResult, usize), SimError> {
        let input = Input { args: &["-s"], stdin: Some(script.as_bytes().to_vec()) };
        let bash = Ok(Target::File("/bin/bash".into()));
        let Finished { mut run, ended, server } = self.execute(run, bash, input)?;
        let flush_error = match &ended {
            Ok(Ended { exit: Exit::Code(_), .. }) => commit::flush(&mut self.model, &run).err(),
            Ok(Ended { exit, .. }) => Some(exit.to_string()),
            Err(error) => Some(error.clone()),
        };
        self.finish(&mut run, ended.as_ref().ok(), flush_error.is_none());
        self.close(server, &run)?;
        let (code, stdout, stderr) = streams(ended.ok());
        Ok((ExecResult { code: code.unwrap_or(-1), stdout, stderr, flush_error }, run.commands))
    }

    fn finish(&mut self, run: &mut Run, ended: Option<&Ended>, committed: bool) {
        commit::keep_cache(&mut self.model, run);
        self.model.journal.record(Event::HookEnded {
            unit: run.unit.clone(),
            hook: run.name(),
            exit: ended.map(|ended| ended.exit),
            committed,
            error: None,
        });
    }
}

/// The parameters with defaults, when they are what the action takes.
fn checked(model: &Model, unit: &Unit, name: &str, given: Value) -> Result<Map<String, Value>, ModelError> {
    let Some(schema) = unit.charm.actions.get(name) else {
        return Err(ModelError::NoAction { name: name.to_owned(), unit: unit.name.clone() });
    };
    let mut parameters = match given {
        Value::Null => Map::new(),
        Value::Object(parameters) => parameters,
        other => {
            let reason = format!("(root) : must be of type object, given {other}");
            return Err(ModelError::Parameters { reason });
        }
    };
    schema::insert_defaults(schema, &mut parameters);
    let given = Value::Object(parameters.clone());
    let faults = schema::faults(schema, &given, model.juju.opens_action_parameters());
    if faults.is_empty() { Ok(parameters) } else { Err(ModelError::Parameters { reason: faults.join("; ") }) }
}

fn streams(ended: Option<Ended>) -> (Option<i32>, String, String) {
    let Some(ended) = ended else { return (None, String::new(), String::new()) };
    let code = match ended.exit {
        Exit::Code(code) => code,
        _ => -1,
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (Some(code), text(ended.stdout), text(ended.stderr))
}
