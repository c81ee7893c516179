//! One run of a charm: as a process with a socket of its own, or as a function of this program.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use charms_reactive_core::UnitName;

use crate::charm::{self, Environment, Function};
use crate::commands;
use crate::environment::{Places, environment};
use crate::error::{ModelError, RunError, SimError};
use crate::event::Event;
use crate::host::Host;
use crate::model::Life;
use crate::process::{Ended, Lookup, ProcessError, Program, lookup};
use crate::run::{Purpose, Run};
use crate::server::{Gate, MESSAGES_MAX, Server};
use crate::sim::Sim;
use crate::stray;

/// A run that ended, and what it staged.
pub(crate) struct Finished {
    pub(crate) run: Run,
    /// How it ended; or why it could not be started.
    pub(crate) ended: Result<Ended, String>,
    pub(crate) server: Option<Server>,
}

/// What is run.
#[derive(Clone)]
pub(crate) enum Target {
    /// A file.
    File(PathBuf),
    /// A charm in process.
    Function(Function),
}

/// What a process gets besides its environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) args: &'static [&'static str],
    pub(crate) stdin: Option<Vec<u8>>,
}

impl Sim {
    /// What Juju would run for a hook (`folder` is `hooks`) or an action (`actions`); none where the charm
    /// has nothing for it.
    pub(crate) fn target(&self, unit: &UnitName, folder: &str, name: &str) -> Option<Result<Target, String>> {
        let function = self.model.units.get(unit).and_then(|unit| unit.charm.function.clone());
        if let Some(function) = function {
            return Some(Ok(Target::Function(function)));
        }
        match lookup(&self.agents.charm(unit), folder, name) {
            Lookup::File(path) => Some(Ok(Target::File(path))),
            Lookup::Wrong(error) => Some(Err(error)),
            Lookup::Missing => None,
        }
    }

    /// Runs `target` for `run`, and answers its hook commands.
    pub(crate) fn execute(
        &mut self,
        run: Run,
        target: Result<Target, String>,
        input: Input,
    ) -> Result<Finished, RunError> {
        let (unit, hook, about) = (run.unit.clone(), run.name(), run.about());
        self.model.now = self.clock.now();
        self.tell_time();
        if let Purpose::Action { id, parameters, .. } = &run.purpose {
            let (unit, action, parameters) = (unit.clone(), hook.clone(), parameters.clone());
            self.model.journal.record(Event::ActionStarted { unit, id: *id, action, parameters });
        }
        self.model.journal.record(Event::HookStarted { unit, hook, about });
        let finished = match target {
            Ok(Target::File(path)) => self.execute_file(run, path, input)?,
            Ok(Target::Function(function)) => self.execute_function(run, &function),
            Err(error) => Finished { run, ended: Err(error), server: None },
        };
        self.take_trace(&finished.run);
        Ok(finished)
    }

    fn execute_function(&mut self, run: Run, function: &Function) -> Finished {
        let charm = self.agents.charm(&run.unit);
        let (socket, tools) = (charm.with_file_name("agent.socket"), self.agents.tools());
        let trace = self.place_for_trace(&run);
        let places = Places {
            charm: &charm,
            socket: &socket,
            tools: &tools,
            path_tail: &self.settings.path_tail,
            trace: trace.as_deref(),
        };
        let variables = environment(&self.model, &run, places);
        let environment = Environment::new(variables, &mut self.model.ids, self.clock.now);
        let host = Host::new(std::mem::take(&mut self.model), run, self.rules.clone());
        let (host, ended) = charm::call(function, host, &environment);
        let run = self.take_back(host);
        Finished { run, ended: Ok(ended), server: None }
    }

    /// Has the model again, and goes on with the panic of a rule or an observer.
    fn take_back(&mut self, host: Host) -> Run {
        let (model, run, panic) = host.into_parts();
        self.model = model;
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        run
    }

    fn execute_file(&mut self, run: Run, path: PathBuf, input: Input) -> Result<Finished, RunError> {
        let (unit, hook) = (run.unit.clone(), run.name());
        let charm = self.agents.charm(&unit);
        // A charm in process has a folder only once it wrote a file; a script wants to stand in it.
        self.agents.make(&unit)?;
        self.outside.open(&unit, &self.agents.unit(&unit))?;
        let socket = self.agents.socket(&unit)?;
        let tools = self.agents.tools();
        let trace = self.place_for_trace(&run);
        let places = Places {
            charm: &charm,
            socket: &socket,
            tools: &tools,
            path_tail: &self.settings.path_tail,
            trace: trace.as_deref(),
        };
        let program = Program {
            path,
            args: input.args,
            stdin: input.stdin,
            environment: environment(&self.model, &run, places),
            folder: charm,
            limit: self.settings.hook_limit,
        };
        self.agents.note_program();
        let (sender, messages) = sync_channel(MESSAGES_MAX);
        let gate = Gate {
            context_id: run.context_id.clone(),
            names: commands::names(self.model.juju).collect(),
            says_hook_command: self.model.juju.says_hook_command(),
        };
        let server = Server::open(&socket, gate, sender.clone())?;
        let mut host = Host::new(std::mem::take(&mut self.model), run, self.rules.clone());
        let ended = program.run(&sender, &messages, &mut host);
        let run = self.take_back(host);
        let ended = match ended {
            Ok(ended) => Ok(ended),
            Err(ProcessError::Start(error)) => Err(error),
            Err(ProcessError::Wait(source)) => return Err(RunError::Wait { unit, hook, source }),
        };
        Ok(Finished { run, ended, server: Some(server) })
    }

    /// Waits for the clients of a run's socket.
    pub(crate) fn close(&self, server: Option<Server>, run: &Run) -> Result<(), RunError> {
        let Some(server) = server else { return Ok(()) };
        let waited = self.settings.connection_limit;
        let charm = self.agents.charm(&run.unit);
        let origin = stray::Origin { charm: &charm, context_id: &run.context_id };
        server.close(waited).map_err(|open| RunError::ConnectionLeft {
            unit: run.unit.clone(),
            hook: run.name(),
            open,
            waited,
            holders: stray::of_run(origin).iter().map(ToString::to_string).collect(),
        })
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
