//! A machine that moves to another series of Ubuntu under its units (to Juju 3).

use charms_reactive_core::UnitName;

use crate::error::{ModelError, SimError};
use crate::model::{SeriesStep, Substrate};
use crate::operator::acted;
use crate::sim::Sim;

/// The base of a series, as `JUJU_TARGET_BASE` has it; the series itself where it is not known.
pub(crate) fn base(series: &str) -> String {
    let version = match series {
        "xenial" => "16.04",
        "bionic" => "18.04",
        "focal" => "20.04",
        "jammy" => "22.04",
        "noble" => "24.04",
        other => return other.to_owned(),
    };
    format!("ubuntu@{version}")
}

impl Sim {
    /// Has the machine of a unit get ready for another series: each unit on it gets
    /// `pre-series-upgrade`, and nothing after that until [`Sim::complete_series_upgrade`].
    ///
    /// # Errors
    ///
    /// [`ModelError::NotInJuju`] from Juju 4 on, [`ModelError::OnlyMachines`] on Kubernetes,
    /// [`ModelError::Series`] when it does so already.
    ///
    /// # Source
    ///
    /// `juju upgrade-machine MACHINE prepare SERIES`; `juju/juju:internal/worker/upgradeseries`.
    pub fn prepare_series_upgrade(&mut self, unit: &str, series: &str) -> Result<(), SimError> {
        let what = format!("prepare the machine of {unit} for {series}");
        self.move_series(unit, what, "at rest", |step| match step {
            SeriesStep::None => Some(SeriesStep::Prepare(series.to_owned())),
            _ => None,
        })
    }

    /// Says that the machine of a unit runs the other series now: each unit on it gets
    /// `post-series-upgrade`.
    ///
    /// # Errors
    ///
    /// As above; [`ModelError::Series`] while a unit on it has not run `pre-series-upgrade`.
    pub fn complete_series_upgrade(&mut self, unit: &str) -> Result<(), SimError> {
        let what = format!("say that the machine of {unit} has its new series");
        self.move_series(unit, what, "prepared for another series", |step| match step {
            SeriesStep::Prepared(_) => Some(SeriesStep::Complete),
            _ => None,
        })
    }

    /// Moves all units of a machine one step on, or none.
    fn move_series(
        &mut self,
        unit: &str,
        what: String,
        expected: &'static str,
        next: impl Fn(&SeriesStep) -> Option<SeriesStep>,
    ) -> Result<(), SimError> {
        let version = self.model.juju;
        if !version.has_series_upgrade() {
            return Err(ModelError::NotInJuju { what: "upgrades of a machine's series", version }.into());
        }
        if self.model.substrate == Substrate::Kubernetes {
            return Err(ModelError::OnlyMachines { what: "an upgrade of a machine's series" }.into());
        }
        let machine = self.model.unit(&UnitName::parse(unit)?)?.machine;
        let mut units: Vec<_> =
            self.model.units.values_mut().filter(|unit| unit.machine == machine).collect();
        let steps: Vec<Option<SeriesStep>> = units.iter().map(|unit| next(&unit.series)).collect();
        for (unit, step) in units.iter().zip(&steps) {
            if step.is_none() {
                return Err(ModelError::Series { name: unit.name.clone(), expected }.into());
            }
        }
        for (unit, step) in units.iter_mut().zip(steps) {
            unit.series = step.unwrap_or_default();
        }
        self.model.journal.record(acted(what));
        Ok(())
    }
}
