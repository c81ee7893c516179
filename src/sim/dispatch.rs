//! Runs hooks: chooses one, has the charm run, keeps or drops what it staged.

use std::path::PathBuf;
use std::sync::mpsc::channel;

use charms_reactive_core::{HookEvent, UnitName};
use charms_reactive_hookcmd::wire::{Call, Reply};

use crate::commands::{self, Reaction};
use crate::commit;
use crate::environment::{Places, environment};
use crate::error::{ModelError, RunError, SimError};
use crate::event::{Event, Exit, Stream};
use crate::model::{Failed, Hook, Life, Model, StatusEntry};
use crate::process::{Ended, Host, Lookup, ProcessError, Program, lookup};
use crate::run::{Purpose, Run};
use crate::schedule;
use crate::server::{Gate, Server};
use crate::sim::Sim;

/// What came of a run of [`Sim::settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// How many processes were run, repetitions of failed hooks included.
    pub hooks: usize,
    /// The units that are left in error, with the failed hook.
    pub failed: Vec<(UnitName, String)>,
}

/// One hook that was run, or found missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRun {
    /// The unit.
    pub unit: UnitName,
    /// The name of the hook.
    pub hook: String,
    /// What it was about, for hooks of relations: `db:1 mysql/0`.
    pub about: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// How many hook commands were answered.
    pub commands: usize,
}

/// What came of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It ended well, and its changes are visible.
    Committed,
    /// The charm has no file for it; it counts as done.
    Skipped,
    /// It failed: nothing it staged is visible, and the unit is in error.
    Failed {
        /// How it ended.
        error: String,
    },
    /// Its process was killed from outside, or asked for a reboot at once: it will be run again.
    Requeued,
}

/// A process that ended, and what it staged.
pub(crate) struct Finished {
    pub(crate) run: Run,
    /// How it ended; or why it could not be started.
    pub(crate) ended: Result<Ended, String>,
    pub(crate) server: Option<Server>,
}

impl Sim {
    /// Runs hooks until none is due.
    ///
    /// A hook that fails is run again when nothing else is due, a limited number of times for each
    /// call; its unit is left in error then.
    ///
    /// # Errors
    ///
    /// [`RunError::Unsettled`] when hooks keep causing hooks.  A failed hook is no error of this call.
    pub fn settle(&mut self) -> Result<Settled, SimError> {
        let mut hooks = 0;
        let mut last: Vec<String> = Vec::new();
        for unit in self.model.units.values_mut() {
            if let Some(failed) = &mut unit.failed {
                failed.attempts = 0;
            }
        }
        while let Some(run) = self.step()? {
            hooks += usize::from(run.outcome != Outcome::Skipped);
            last.push(format!("{} {}", run.unit, run.hook));
            if last.len() > 10 {
                last.remove(0);
            }
            if hooks >= self.settings.hooks_max {
                return Err(RunError::Unsettled { hooks, last: last.join(", ") }.into());
            }
        }
        let failed = self.model.units.values().filter_map(|unit| {
            unit.failed.as_ref().map(|failed| (unit.name.clone(), failed.hook.event.to_string()))
        });
        Ok(Settled { hooks, failed: failed.collect() })
    }

    /// Runs one hook, if one is due: the next of a unit, both chosen by the seed where Juju leaves it open.
    ///
    /// A failed hook is run again only when nothing else is due, and not more often than the limit.
    pub fn step(&mut self) -> Result<Option<HookRun>, SimError> {
        let names: Vec<UnitName> = self.model.units.keys().cloned().collect();
        for name in &names {
            self.model.synchronize_scopes(name);
        }
        if let Some(run) = self.run_queued_action()? {
            return Ok(Some(run));
        }
        let due = self.model.units.values().map(|unit| (unit.name.clone(), schedule::due(&self.model, unit)));
        let due: Vec<(UnitName, Vec<Hook>)> = due.filter(|(_, hooks)| !hooks.is_empty()).collect();
        let failed = self.model.units.values().filter_map(|unit| {
            let failed = unit.failed.as_ref()?;
            let is_due = failed.attempts <= self.settings.retries_max;
            is_due.then(|| (unit.name.clone(), vec![failed.hook.clone()]))
        });
        let mut due = if due.is_empty() { failed.collect() } else { due };
        if due.is_empty() {
            return Ok(None);
        }
        let (unit, mut hooks) = due.swap_remove(self.model.random.index(due.len()));
        let hook = hooks.swap_remove(self.model.random.index(hooks.len()));
        self.run_hook(&unit, &hook).map(Some)
    }

    /// What an operator does about a unit in error: the failed hook is run again at once, or is given up
    /// as if it had succeeded.
    ///
    /// # Source
    ///
    /// `U/operation`: `resolved --no-retry` commits the hook; nothing it staged is kept.
    pub fn resolve(&mut self, unit: &str, retry: bool) -> Result<Option<HookRun>, SimError> {
        let unit = UnitName::parse(unit)?;
        let Some(failed) = self.model.unit(&unit)?.failed.clone() else {
            return Err(ModelError::NotInError { name: unit }.into());
        };
        if retry {
            return self.run_hook(&unit, &failed.hook).map(Some);
        }
        self.done(&unit, &failed.hook);
        Ok(None)
    }

    fn done(&mut self, unit: &UnitName, hook: &Hook) {
        commit::done(&mut self.model, unit, hook);
        if !self.model.units.contains_key(unit) {
            self.agents.remove(unit);
        }
    }

    fn run_hook(&mut self, unit: &UnitName, hook: &Hook) -> Result<HookRun, SimError> {
        self.prepare(unit, hook)?;
        let run = Run::new(&mut self.model, unit, Purpose::Hook(hook.clone()));
        let (name, about) = (run.name(), run.about());
        let result = |outcome, commands| HookRun {
            unit: unit.clone(),
            hook: name.clone(),
            about: about.clone(),
            outcome,
            commands,
        };
        // Asked again right before the hook: leadership may have gone while it waited for its retry.
        let is_void = self.model.is_void(unit, hook);
        let found = match lookup(&self.agents.charm(unit), "hooks", &name) {
            Lookup::Missing => None,
            _ if is_void => None,
            found => Some(found),
        };
        let Some(found) = found else {
            let (unit_name, hook_name) = (unit.clone(), name.clone());
            self.model.journal.record(Event::HookSkipped {
                unit: unit_name,
                hook: hook_name,
                about: about.clone(),
            });
            self.done(unit, hook);
            return Ok(result(Outcome::Skipped, 0));
        };
        let path = match found {
            Lookup::File(path) => Ok(path),
            Lookup::Wrong(error) => Err(error),
            Lookup::Missing => unreachable!("taken out above"),
        };
        let finished = self.execute(run, path, &[], None)?;
        let commands = finished.run.commands;
        let outcome = self.end_hook(finished, unit, hook)?;
        Ok(result(outcome, commands))
    }

    /// What the agent does before a hook.
    ///
    /// # Source
    ///
    /// `U/op_callbacks.go`, `PrepareHook`: statuses; `U/operation/deploy.go`: files of an upgrade.
    fn prepare(&mut self, unit: &UnitName, hook: &Hook) -> Result<(), SimError> {
        self.lay_out(unit, hook)?;
        let status = match &hook.event {
            HookEvent::Install => Some("installing charm software"),
            HookEvent::Stop => Some("stopping charm software"),
            HookEvent::Remove => Some("cleaning up prior to charm deletion"),
            _ => None,
        };
        if let Some(message) = status {
            self.model.set_status(unit, StatusEntry::new("maintenance", message));
        }
        if hook.event == HookEvent::UpgradeCharm {
            let new = self.model.application(unit.application())?.charm.clone();
            let old = self.model.unit(unit)?.charm.clone();
            self.agents.deploy(unit, &new.folder, Some(&old.folder))?;
            self.model.unit_mut(unit)?.charm = new;
        }
        Ok(())
    }

    /// Sees to it that files are there: the charm's in a new place of the unit, and its storage.
    fn lay_out(&mut self, unit: &UnitName, hook: &Hook) -> Result<(), SimError> {
        let known = self.model.unit_mut(unit)?;
        if !std::mem::replace(&mut known.has_files, true) {
            let charm = known.charm.clone();
            self.agents.remove(unit);
            self.agents.deploy(unit, &charm.folder, None)?;
        }
        let storage = hook.storage.as_ref().and_then(|id| self.model.storage.get(id));
        if let Some(storage) = storage {
            crate::agent::make_storage(&storage.location, storage.kind)?;
        }
        Ok(())
    }

    /// Keeps or drops what a hook staged, and closes its socket.
    fn end_hook(&mut self, finished: Finished, unit: &UnitName, hook: &Hook) -> Result<Outcome, SimError> {
        const SIGKILL: i32 = 9;
        const SIGTERM: i32 = 15;
        let Finished { run, ended, server } = finished;
        let exit = ended.as_ref().ok().map(|ended| ended.exit);
        let outcome = match (&ended, exit) {
            (Err(error), _) => Outcome::Failed { error: error.clone() },
            (Ok(_), Some(Exit::Code(0))) => match commit::flush(&mut self.model, &run) {
                Ok(()) => Outcome::Committed,
                Err(error) => Outcome::Failed { error },
            },
            (Ok(_), Some(Exit::Rebooted | Exit::Signal(SIGKILL | SIGTERM))) => Outcome::Requeued,
            (Ok(ended), _) => Outcome::Failed { error: ended.exit.to_string() },
        };
        commit::keep_cache(&mut self.model, &run);
        // The plain form waits for a good end.
        let is_rebooted =
            run.is_reboot_asked && (outcome == Outcome::Committed || exit == Some(Exit::Rebooted));
        match &outcome {
            Outcome::Committed => self.done(unit, hook),
            Outcome::Failed { error } => {
                if let Some(unit) = self.model.units.get_mut(unit) {
                    let attempts = unit.failed.as_ref().map_or(0, |failed| failed.attempts) + 1;
                    unit.failed = Some(Failed { hook: hook.clone(), attempts, error: error.clone() });
                }
                self.replace_failed_charm(unit)?;
            }
            Outcome::Requeued | Outcome::Skipped => {}
        }
        if is_rebooted {
            self.model.restart_machine(unit);
        }
        let error = match &outcome {
            Outcome::Failed { error } => Some(error.clone()),
            _ => None,
        };
        self.model.journal.record(Event::HookEnded {
            unit: unit.clone(),
            hook: run.name(),
            exit,
            committed: outcome == Outcome::Committed,
            error,
        });
        self.close(server, &run)?;
        Ok(outcome)
    }

    /// Waits for the clients of a run's socket.
    pub(crate) fn close(&self, server: Option<Server>, run: &Run) -> Result<(), RunError> {
        let Some(server) = server else { return Ok(()) };
        let waited = self.settings.connection_limit;
        server.close(waited).map_err(|open| RunError::ConnectionLeft {
            unit: run.unit.clone(),
            hook: run.name(),
            open,
            waited,
        })
    }

    /// Runs a file for `run`, with a socket of its own, and answers its hook commands.
    pub(crate) fn execute(
        &mut self,
        run: Run,
        path: Result<PathBuf, String>,
        args: &'static [&'static str],
        stdin: Option<Vec<u8>>,
    ) -> Result<Finished, RunError> {
        let (unit, hook, about) = (run.unit.clone(), run.name(), run.about());
        self.model.journal.record(Event::HookStarted { unit: unit.clone(), hook: hook.clone(), about });
        let path = match path {
            Ok(path) => path,
            Err(error) => return Ok(Finished { run, ended: Err(error), server: None }),
        };
        let charm = self.agents.charm(&unit);
        let socket = self.agents.socket(&unit)?;
        let tools = self.agents.tools();
        let places =
            Places { charm: &charm, socket: &socket, tools: &tools, path_tail: &self.settings.path_tail };
        let program = Program {
            path,
            args,
            stdin,
            environment: environment(&self.model, &run, places),
            folder: charm,
            limit: self.settings.hook_limit,
        };
        let (sender, messages) = channel();
        let gate = Gate {
            context_id: run.context_id.clone(),
            names: commands::names(self.model.juju).collect(),
            says_hook_command: self.model.juju.says_hook_command(),
        };
        let server = Server::open(&socket, gate, sender.clone())?;
        let mut context = Context { model: &mut self.model, run };
        let ended = match program.run(&sender, &messages, &mut context) {
            Ok(ended) => Ok(ended),
            Err(ProcessError::Start(error)) => Err(error),
            Err(ProcessError::Wait(source)) => return Err(RunError::Wait { unit, hook, source }),
        };
        Ok(Finished { run: context.run, ended, server: Some(server) })
    }

    /// The unit, when it can run something that is no hook.
    pub(crate) fn runnable(&self, unit: &str) -> Result<UnitName, SimError> {
        let name = UnitName::parse(unit)?;
        let unit = self.model.unit(&name)?;
        if !unit.is_installed || unit.life == Life::Dead {
            return Err(ModelError::NotInstalled { name }.into());
        }
        Ok(name)
    }
}

/// The model and the run, while the process of the run asks for things.
struct Context<'a> {
    model: &'a mut Model,
    run: Run,
}

impl Host for Context<'_> {
    fn call(&mut self, call: &Call) -> Reaction {
        self.model.journal.hold();
        let reaction = commands::react(self.model, &mut self.run, call);
        let told = match &reaction {
            Reaction::Reply(Reply::Done(answer)) => {
                self.run.commands += 1;
                Some(Event::CommandRun {
                    unit: self.run.unit.clone(),
                    name: call.command.clone(),
                    args: call.args.clone(),
                    code: answer.code,
                    stdout: answer.stdout.clone(),
                    stderr: answer.stderr.clone(),
                })
            }
            // The caller makes the same call again, with its standard input.
            Reaction::Reply(Reply::Refused(_)) | Reaction::Kill => None,
        };
        self.model.journal.release(told);
        reaction
    }

    fn refused(&mut self, name: String, text: String) {
        let unit = self.run.unit.clone();
        self.model.journal.record(Event::CallRefused { unit, name, text });
    }

    fn line(&mut self, stream: Stream, line: String) {
        let unit = self.run.unit.clone();
        self.model.journal.record(Event::Output { unit, stream, line });
    }
}
