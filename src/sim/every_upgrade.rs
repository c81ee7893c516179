//! An upgrade that reaches the units of an application one by one: in every order, and taken back after each.

use std::fmt;

use charms_reactive_core::UnitName;

use crate::charm::CharmSource;
use crate::error::SimError;
use crate::event::Event;
use crate::sim::Sim;
use crate::snapshot::Snapshot;

/// What [`every_upgrade`] went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradesCovered {
    /// How many ways there are for all units to get the new charm.
    pub upgrades: usize,
    /// How many ways there are to take it back from the units that have it.
    pub rollbacks: usize,
    /// How often two versions were in the model at once, or one alone, and were looked at.
    pub looks: usize,
}

/// One unit that took over a charm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The unit.
    pub unit: UnitName,
    /// Whether it is the new charm; the old one otherwise.
    pub is_new: bool,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let charm = if self.is_new { "new" } else { "old" };
        write!(f, "{} takes the {charm} charm", self.unit)
    }
}

/// An order of units in which two versions of a charm do not get along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenUpgrade {
    /// Who took which charm over, in this order, until something was wrong.
    pub order: Vec<Moved>,
    /// What is wrong.
    pub reason: String,
    /// The transcript of the run, from the upgrade on.
    pub transcript: String,
}

impl fmt::Display for BrokenUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.order.is_empty() {
            return write!(f, "before any unit takes over the upgrade: {}", self.reason);
        }
        let order: Vec<String> = self.order.iter().map(ToString::to_string).collect();
        write!(f, "after {}: {}", order.join(", then "), self.reason)
    }
}

impl std::error::Error for BrokenUpgrade {}

/// Upgrades an application again and again, its units one by one: in every order, and back to the old charm,
/// again in every order, after each number of units.
///
/// `new` makes a settled simulation with the charm `from`.  `live` has something happen between two units (an
/// option changes, an action runs), and says what is wrong with the model then.
///
/// Three units are 6 upgrades and 51 rollbacks, four are 24 and 748.
///
/// # What is checked
///
/// - Whenever a unit has taken over its charm: the model comes to rest, no unit is in error, and `live` finds
///   nothing.
/// - In the end of each upgrade: all is as after the others ([`Sim::snapshot`]).
///
/// # Errors
///
/// [`BrokenUpgrade`] for the first order in which something else was found.
pub fn every_upgrade(
    application: &str,
    from: impl Into<CharmSource>,
    to: impl Into<CharmSource>,
    new: impl Fn() -> Sim,
    live: impl Fn(&mut Sim) -> Result<(), String>,
) -> Result<UpgradesCovered, Box<BrokenUpgrade>> {
    let ways = Ways { application, from: from.into(), to: to.into(), new: &new, live: &live };
    let units = new().units(application);
    let mut covered = UpgradesCovered { upgrades: 0, rollbacks: 0, looks: 0 };
    let mut expected: Option<Snapshot> = None;
    for order in orders(&units, units.len()) {
        let mut run = ways.begin();
        ways.upgrade(&mut run, &units, &order)?;
        covered.looks += run.looks;
        covered.upgrades += 1;
        let found = run.sim.snapshot();
        if let Some(expected) = expected.as_ref().filter(|expected| **expected != found) {
            let difference = expected.difference(&found);
            return Err(run.broken(format!("in the end, other than in another order:\n{difference}")).into());
        }
        expected = Some(found);
    }
    for count in 1..=units.len() {
        for order in orders(&units, count) {
            for back in orders(&order, count) {
                let mut run = ways.begin();
                ways.upgrade(&mut run, &units, &order)?;
                ways.roll_back(&mut run, &units, &back)?;
                covered.looks += run.looks;
                covered.rollbacks += 1;
            }
        }
    }
    Ok(covered)
}

/// What all runs have in common.
struct Ways<'a> {
    application: &'a str,
    from: CharmSource,
    to: CharmSource,
    new: &'a dyn Fn() -> Sim,
    live: &'a dyn Fn(&mut Sim) -> Result<(), String>,
}

/// One run.
struct WayOn {
    sim: Sim,
    order: Vec<Moved>,
    looks: usize,
    /// How many events there were before the upgrade.
    begin: usize,
}

impl WayOn {
    fn broken(&self, reason: String) -> BrokenUpgrade {
        let events: &[Event] = self.sim.events();
        let transcript = crate::transcript::transcript(events.get(self.begin..).unwrap_or(events));
        BrokenUpgrade { order: self.order.clone(), reason, transcript }
    }

    fn done(&self, result: Result<(), SimError>) -> Result<(), Box<BrokenUpgrade>> {
        Ok(result.map_err(|error| self.broken(error.to_string()))?)
    }

    /// Lets the model come to rest, without anybody in error.
    fn settle(&mut self) -> Result<(), Box<BrokenUpgrade>> {
        let settled = self.sim.settle().map_err(|error| self.broken(error.to_string()))?;
        let Some((unit, hook)) = settled.failed.first() else { return Ok(()) };
        let error = self.sim.unit(&unit.to_string()).ok().and_then(|unit| unit.failed_hook);
        let why = error.map(|failed| failed.error).unwrap_or_default();
        Err(self.broken(format!("hook `{hook}` of `{unit}` failed: {why}")).into())
    }
}

impl Ways<'_> {
    fn begin(&self) -> WayOn {
        let sim = (self.new)();
        WayOn { begin: sim.events().len(), sim, order: Vec::new(), looks: 0 }
    }

    /// The application has the new charm, and these units take it over.
    fn upgrade(
        &self,
        run: &mut WayOn,
        units: &[UnitName],
        order: &[UnitName],
    ) -> Result<(), Box<BrokenUpgrade>> {
        self.change(run, units, &self.to)?;
        self.look(run)?;
        order.iter().try_for_each(|unit| self.take_over(run, unit, true))
    }

    /// The application has the old charm again, and these units go back to it; the others never left it.
    fn roll_back(
        &self,
        run: &mut WayOn,
        units: &[UnitName],
        back: &[UnitName],
    ) -> Result<(), Box<BrokenUpgrade>> {
        self.change(run, units, &self.from)?;
        back.iter().try_for_each(|unit| self.take_over(run, unit, false))?;
        let others = units.iter().filter(|unit| !back.contains(unit));
        others.into_iter().try_for_each(|unit| self.take_over(run, unit, false))
    }

    fn change(
        &self,
        run: &mut WayOn,
        units: &[UnitName],
        charm: &CharmSource,
    ) -> Result<(), Box<BrokenUpgrade>> {
        let held = units.iter().try_for_each(|unit| run.sim.operator().hold_upgrade(&unit.to_string()));
        let result = held.and_then(|()| run.sim.upgrade(self.application, charm.clone()));
        run.done(result)
    }

    fn take_over(&self, run: &mut WayOn, unit: &UnitName, is_new: bool) -> Result<(), Box<BrokenUpgrade>> {
        run.order.push(Moved { unit: unit.clone(), is_new });
        let result = run.sim.operator().release_upgrade(&unit.to_string());
        run.done(result)?;
        self.look(run)
    }

    /// Lets the model come to rest, has something happen, and looks at what came of it.
    fn look(&self, run: &mut WayOn) -> Result<(), Box<BrokenUpgrade>> {
        run.looks += 1;
        run.settle()?;
        (self.live)(&mut run.sim).map_err(|reason| run.broken(reason))?;
        run.settle()
    }
}

/// All ways to choose `count` of some units, one after another.
fn orders(units: &[UnitName], count: usize) -> Vec<Vec<UnitName>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(units, count - 1);
    let longer = shorter.iter().flat_map(|order| {
        let more = units.iter().filter(|unit| !order.contains(unit));
        more.map(|unit| order.iter().chain([unit]).cloned().collect())
    });
    longer.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_there_once() {
        let units: Vec<UnitName> =
            ["web/0", "web/1", "web/2"].into_iter().map(|name| UnitName::parse(name).unwrap()).collect();
        for (count, expected) in [(0, 1), (1, 3), (2, 6), (3, 6)] {
            let mut found: Vec<String> =
                orders(&units, count).iter().map(|order| format!("{order:?}")).collect();
            found.sort();
            found.dedup();
            assert_eq!(found.len(), expected, "{count}");
        }
    }
}
