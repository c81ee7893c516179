//! Runs hooks: chooses one, has the charm run, keeps or drops what it staged.

use charms_reactive_core::{HookEvent, UnitName};

use crate::commit;
use crate::error::{ModelError, RunError, SimError};
use crate::event::{Event, Exit};
use crate::execute::{Finished, Input};
use crate::model::{Failed, Hook, Model, StatusEntry};
use crate::operator::acted;
use crate::rule::Fate;
use crate::run::{Purpose, Run};
use crate::sim::Sim;
use crate::snapshot;

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

/// When failed hooks are run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// When nothing else is due: time passes then.
    WhenIdle,
    /// Not now.
    Never,
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
        for unit in self.model.units.values_mut() {
            if let Some(failed) = &mut unit.failed {
                failed.attempts = 0;
            }
        }
        self.settle_with(Retry::WhenIdle)
    }

    /// Runs hooks until none is due but failed ones.
    pub(crate) fn settle_now(&mut self) -> Result<Settled, SimError> {
        self.settle_with(Retry::Never)
    }

    fn settle_with(&mut self, retry: Retry) -> Result<Settled, SimError> {
        let mut hooks = 0;
        let mut last: Vec<String> = Vec::new();
        self.due.forget();
        while let Some(run) = self.step_on(retry)? {
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
    /// A failed hook is run again only when nothing else is due, and not more often than the limit; the
    /// clock is moved to the time of its retry then.
    pub fn step(&mut self) -> Result<Option<HookRun>, SimError> {
        self.due.forget();
        self.step_on(Retry::WhenIdle)
    }

    /// Runs one hook, after nothing but hooks since the last time.
    fn step_on(&mut self, retry: Retry) -> Result<Option<HookRun>, SimError> {
        for _ in 0..self.settings.hooks_max {
            self.ask();
            if let Some(run) = self.run_queued_action()? {
                self.due.forget();
                return Ok(Some(run));
            }
            if let Some(run) = self.run_outside()? {
                self.due.forget();
                return Ok(Some(run));
            }
            let Some((unit, hook)) = self.choose(retry) else { return Ok(None) };
            let fate = self.rules.judge_hook(&unit, &hook.event.to_string());
            if self.befall(&unit, &fate)? {
                // The world is another one: what is due may be, too.
                self.due.forget();
                continue;
            }
            let run = self.run_hook(&unit, &hook, fate)?;
            self.look_again(&hook, &run);
            return Ok(Some(run));
        }
        let hooks = self.settings.hooks_max;
        Err(RunError::Unsettled { hooks, last: "a rule that changes the model before every hook".to_owned() }
            .into())
    }

    /// Does what a rule wants done before a hook, and tells whether it wanted anything.
    pub(crate) fn befall(&mut self, unit: &UnitName, fate: &Fate) -> Result<bool, SimError> {
        match fate {
            Fate::Run | Fate::FailCommit(_) | Fate::LoseCommit => return Ok(false),
            Fate::Reboot => self.operator().reboot(&unit.to_string())?,
            Fate::Upgrade(source) => self.upgrade(unit.application().as_str(), source.clone())?,
            Fate::LoseUnit => self.lose_unit(&unit.to_string())?,
            Fate::Change(change) => change.apply(&mut self.operator(), unit),
        }
        Ok(true)
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
            return self.run_hook(&unit, &failed.hook, Fate::Run).map(Some);
        }
        self.model.journal.record(acted(format!("give up {} of {unit}", failed.hook.event)));
        self.done(&unit, &failed.hook);
        Ok(None)
    }

    /// The same for all units in error, as `juju resolved --all` does; gives the hooks that were run.
    pub fn resolve_all(&mut self, retry: bool) -> Result<Vec<HookRun>, SimError> {
        let failed = self.model.units.values().filter(|unit| unit.failed.is_some());
        let failed: Vec<String> = failed.map(|unit| unit.name.to_string()).collect();
        let runs = failed.iter().map(|unit| self.resolve(unit, retry));
        runs.filter_map(Result::transpose).collect()
    }

    fn done(&mut self, unit: &UnitName, hook: &Hook) {
        self.clock.succeed(unit);
        self.model.now = self.clock.now();
        commit::done(&mut self.model, unit, hook);
        if !self.model.units.contains_key(unit) {
            self.remove_agent(unit);
        }
    }

    pub(crate) fn run_hook(&mut self, unit: &UnitName, hook: &Hook, fate: Fate) -> Result<HookRun, SimError> {
        self.tell_time();
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
        let found = self.target(unit, "hooks", &name).filter(|_| !is_void);
        let Some(target) = found else {
            let (unit_name, hook_name) = (unit.clone(), name.clone());
            self.model.journal.record(Event::HookSkipped {
                unit: unit_name,
                hook: hook_name,
                about: about.clone(),
            });
            self.done(unit, hook);
            return Ok(result(Outcome::Skipped, 0));
        };
        self.rules.count_hook();
        let before = self.traces.is_some().then(|| snapshot::held_back(&self.model));
        let finished = self.execute(run, target, Input::default())?;
        let commands = finished.run.commands;
        if !finished.run.stages_only_for_itself() {
            self.due.forget();
        }
        let outcome = self.end_hook(finished, unit, hook, fate)?;
        if let (Some(before), Some(traces), false) = (before, &mut self.traces, outcome == Outcome::Committed)
        {
            traces.push_str(&before.difference(&snapshot::held_back(&self.model)));
        }
        Ok(result(outcome, commands))
    }

    /// What the agent does before a hook.
    ///
    /// # Source
    ///
    /// `U/op_callbacks.go`, `PrepareHook`: statuses; `U/operation/deploy.go`: files of an upgrade.
    fn prepare(&mut self, unit: &UnitName, hook: &Hook) -> Result<(), SimError> {
        self.lay_out(unit, hook)?;
        if hook.event == HookEvent::Start && self.model.unit(unit)?.is_rebooted {
            self.agents.end_programs(unit);
        }
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
            self.agents.deploy(unit, &new, Some(&old))?;
            self.model.unit_mut(unit)?.charm = new;
        }
        Ok(())
    }

    /// Sees to it that files are there: the charm's in a new place of the unit, and its storage.
    fn lay_out(&mut self, unit: &UnitName, hook: &Hook) -> Result<(), SimError> {
        let known = self.model.unit_mut(unit)?;
        if !std::mem::replace(&mut known.has_files, true) {
            let charm = known.charm.clone();
            self.remove_agent(unit);
            self.agents.deploy(unit, &charm, None)?;
        }
        let storage = hook.storage.as_ref().and_then(|id| self.model.storage.get(id));
        if let Some(storage) = storage {
            crate::agent::make_storage(&storage.location, storage.kind)?;
        }
        Ok(())
    }

    /// Keeps or drops what a hook staged, and closes its socket.
    fn end_hook(
        &mut self,
        finished: Finished,
        unit: &UnitName,
        hook: &Hook,
        fate: Fate,
    ) -> Result<Outcome, SimError> {
        const SIGKILL: i32 = 9;
        const SIGTERM: i32 = 15;
        let Finished { mut run, ended, server } = finished;
        let exit = ended.as_ref().ok().map(|ended| ended.exit);
        let outcome = match (&ended, exit) {
            (Err(error), _) => Outcome::Failed { error: error.clone() },
            (Ok(_), Some(Exit::Code(0))) if matches!(fate, Fate::LoseCommit) => Outcome::Requeued,
            (Ok(_), Some(Exit::Code(0))) => match flushed(&mut self.model, &run, fate) {
                Ok(()) => Outcome::Committed,
                Err(error) => Outcome::Failed { error },
            },
            (Ok(_), Some(Exit::Rebooted | Exit::Signal(SIGKILL | SIGTERM))) => Outcome::Requeued,
            (Ok(_), Some(exit @ Exit::TimedOut)) => {
                Outcome::Failed { error: format!("{exit} of {:?}", self.settings.hook_limit) }
            }
            (Ok(ended), _) => Outcome::Failed { error: ended.exit.to_string() },
        };
        commit::keep_cache(&mut self.model, &mut run);
        // The plain form waits for a good end.
        let is_rebooted =
            run.is_reboot_asked && (outcome == Outcome::Committed || exit == Some(Exit::Rebooted));
        match &outcome {
            Outcome::Committed => self.done(unit, hook),
            Outcome::Failed { error } => {
                self.clock.fail(unit);
                if let Some(unit) = self.model.units.get_mut(unit) {
                    let attempts = unit.failed.as_ref().map_or(0, |failed| failed.attempts) + 1;
                    unit.failed = Some(Failed { hook: hook.clone(), attempts, error: error.clone() });
                }
                self.replace_failed_charm(unit)?;
            }
            Outcome::Requeued => {
                // The agent comes back and goes on where it was.
                if let Some(unit) = self.model.units.get_mut(unit) {
                    unit.failed = None;
                    unit.queued = Some(hook.clone());
                }
                self.interrupted = Some(unit.clone());
            }
            Outcome::Skipped => {}
        }
        if is_rebooted {
            // Other units may be on the machine.
            self.due.forget();
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
}

/// Makes what a run staged visible, unless that is to fail.
fn flushed(model: &mut Model, run: &Run, fate: Fate) -> Result<(), String> {
    match fate {
        Fate::FailCommit(reason) => Err(reason),
        _ => commit::flush(model, run),
    }
}
