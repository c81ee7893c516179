//! Hooks beside the life of a unit, which see nothing of the model: metrics and the meter (to Juju 3).

use charms_reactive_core::{HookEvent, UnitName};

use crate::dispatch::{HookRun, Outcome};
use crate::error::{ModelError, SimError};
use crate::event::{Event, Exit};
use crate::execute::Input;
use crate::model::Hook;
use crate::operator::acted;
use crate::run::{Purpose, Run};
use crate::sim::Sim;

impl Sim {
    /// Has the timer for metrics fire for a unit: `collect-metrics`, when its charm has metrics.
    ///
    /// It runs in error, too, and what becomes of it is nothing to the unit.
    ///
    /// # Errors
    ///
    /// [`ModelError::NotInJuju`] from Juju 4 on, [`ModelError::NotInstalled`].
    ///
    /// # Source
    ///
    /// `juju/juju:internal/worker/metrics/collect/manifold.go`.
    pub fn collect_metrics(&mut self, unit: &str) -> Result<Option<HookRun>, SimError> {
        let unit = self.runnable(unit)?;
        let has_metrics = !self.model.unit(&unit)?.charm.metrics.is_empty();
        self.metered()?;
        if has_metrics { self.run_aside(&unit, HookEvent::CollectMetrics).map(Some) } else { Ok(None) }
    }

    /// Has the model's meter show another colour: `meter-status-changed` for every unit.
    ///
    /// # Errors
    ///
    /// [`ModelError::NotInJuju`] from Juju 4 on.
    ///
    /// # Source
    ///
    /// `juju/juju:internal/worker/meterstatus/runner.go`.
    pub fn set_meter_status(&mut self, colour: &str, text: &str) -> Result<Vec<HookRun>, SimError> {
        self.metered()?;
        let meter = (colour.to_owned(), text.to_owned());
        if self.model.meter == meter {
            return Ok(Vec::new());
        }
        self.model.journal.record(acted(format!("have the meter show {colour}")));
        self.model.meter = meter;
        let units = self.model.units.values().filter(|unit| unit.is_installed && !unit.is_removed);
        let units: Vec<UnitName> = units.map(|unit| unit.name.clone()).collect();
        units.iter().map(|unit| self.run_aside(unit, HookEvent::MeterStatusChanged)).collect()
    }

    fn metered(&self) -> Result<(), ModelError> {
        let version = self.model.juju;
        if version.has_metrics() {
            return Ok(());
        }
        Err(ModelError::NotInJuju { what: "metrics and meters", version })
    }

    /// Runs a hook that is none of the unit's own life: it commits nothing, and cannot fail the unit.
    fn run_aside(&mut self, unit: &UnitName, event: HookEvent) -> Result<HookRun, SimError> {
        let name = event.to_string();
        let result = |outcome, commands| HookRun {
            unit: unit.clone(),
            hook: name.clone(),
            about: None,
            outcome,
            commands,
        };
        let Some(target) = self.target(unit, "hooks", &name) else {
            let (unit, hook) = (unit.clone(), name.clone());
            self.model.journal.record(Event::HookSkipped { unit, hook, about: None });
            return Ok(result(Outcome::Skipped, 0));
        };
        let run = Run::new(&mut self.model, unit, Purpose::Hook(Hook::plain(event)));
        let finished = self.execute(run, target, Input::default())?;
        let outcome = match &finished.ended {
            Ok(ended) if ended.exit == Exit::Code(0) => Outcome::Committed,
            Ok(ended) => Outcome::Failed { error: ended.exit.to_string() },
            Err(error) => Outcome::Failed { error: error.clone() },
        };
        self.model.journal.record(Event::HookEnded {
            unit: unit.clone(),
            hook: name.clone(),
            exit: finished.ended.as_ref().ok().map(|ended| ended.exit),
            committed: outcome == Outcome::Committed,
            error: None,
        });
        let commands = finished.run.commands;
        self.close(finished.server, &finished.run)?;
        Ok(result(outcome, commands))
    }
}
