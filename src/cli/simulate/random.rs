//! What may happen to a model, drawn from seeds, until something is wrong; and then as little as does it.

use std::collections::BTreeSet;

use charms_reactive_sim::{Possible, SimError, Step, shrink};
use serde_json::Value;

use super::error::SimulateError;
use super::play::{Played, Stage};
use super::scenario::{Entry, RandomPart, Scenario};
use crate::report::Live;

/// Steps after which something is wrong.
pub(super) struct Failure {
    pub(super) seed: u64,
    /// The steps, as few as were found.
    pub(super) steps: Vec<Step>,
    /// How many there were at first.
    pub(super) steps_drawn: usize,
    /// What is wrong.
    pub(super) reason: String,
}

/// What may happen, of what a scenario says.
pub(super) fn possible(scenario: &Scenario, random: &RandomPart) -> Possible {
    let mut possible = Possible::new();
    for (name, application) in &scenario.applications {
        let units = random.units.get(name).copied();
        possible = possible.application(name, units.unwrap_or(application.num_units.unwrap_or(1) + 1));
    }
    for (one, other) in &scenario.relations {
        possible = possible.relation(one, other);
    }
    for (application, options) in &random.options {
        for (option, values) in options {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            possible = possible.option(application, option, &values);
        }
    }
    let pairs = |map: &std::collections::BTreeMap<String, Vec<String>>| -> Vec<(String, String)> {
        map.iter().flat_map(|(name, list)| list.iter().map(|item| (name.clone(), item.clone()))).collect()
    };
    for (application, charm) in pairs(&random.refresh) {
        possible = possible.upgrade(&application, &charm);
    }
    for (application, action) in pairs(&random.run) {
        possible = possible.action(&application, &action, Value::Null);
    }
    for (application, storage) in pairs(&random.storage) {
        possible = possible.storage(&application, &storage);
    }
    for secret in &random.secrets {
        possible = possible.secret(secret);
    }
    possible = if scenario.kubernetes { possible.kubernetes() } else { possible };
    possible = if random.faults { possible.faults() } else { possible };
    if random.give_up { possible.gives_up() } else { possible }
}

impl Stage<'_> {
    /// Runs the scenario's own steps, then these, and tells what is wrong then.
    ///
    /// What the model refuses is left out, and noted in `refused`.
    fn attempt(
        &self,
        random: &RandomPart,
        seed: u64,
        steps: &[Step],
        refused: &mut BTreeSet<usize>,
    ) -> Result<Played, SimulateError> {
        let mut played = self.begin(seed)?;
        played.enter(&self.scenario.steps, false);
        for (index, step) in steps.iter().chain(&Step::healing(steps)).enumerate() {
            if !played.problems.is_empty() {
                return Ok(played);
            }
            match step.run(&mut played.sim) {
                Ok(_) => {}
                Err(SimError::Model(_)) => drop(refused.insert(index)),
                // What cannot go on is a problem, which the step has once more when it is entered.
                Err(_) => played.enter(&[Entry::step(step.clone())], false),
            }
        }
        if played.problems.is_empty() && played.sim.settle().is_ok() {
            played.hold(&random.expect);
        }
        if played.problems.is_empty() {
            played.end();
        }
        Ok(played)
    }

    /// Draws steps for a seed and runs them; when something is wrong, looks for the fewest.
    pub(super) fn draw(
        &self,
        random: &RandomPart,
        possible: &Possible,
        seed: u64,
    ) -> Result<Option<Failure>, SimulateError> {
        let steps = possible.draw(seed, random.steps);
        let played = self.attempt(random, seed, &steps, &mut BTreeSet::new())?;
        if played.problems.is_empty() {
            return Ok(None);
        }
        let (steps_drawn, mut runs) = (steps.len(), 0);
        let live = Live::new();
        let mut steps = shrink(steps, |steps| {
            runs += 1;
            live.show("Shrinking", &format!("{} steps, run {runs}", steps.len()));
            let attempt = self.attempt(random, seed, steps, &mut BTreeSet::new());
            attempt.is_ok_and(|played| !played.problems.is_empty())
        });
        let mut refused = BTreeSet::new();
        let mut played = self.attempt(random, seed, &steps, &mut refused)?;
        if !refused.is_empty() {
            // A scenario takes no step that the model refuses.
            let mut index = 0;
            steps.retain(|_| {
                index += 1;
                !refused.contains(&(index - 1))
            });
            played = self.attempt(random, seed, &steps, &mut BTreeSet::new())?;
        }
        Live::clear();
        let reason = played.problems.first().map(super::play::Problem::text).unwrap_or_default();
        Ok(Some(Failure { seed, steps, steps_drawn, reason: played.shown(&reason) }))
    }
}

impl Failure {
    /// The failure as a scenario that has it again.
    pub(super) fn scenario(&self, stage: &Stage<'_>, scenario: &Scenario, random: &RandomPart) -> String {
        let mut entries: Vec<Entry> = scenario.steps.clone();
        entries.extend(self.steps.iter().cloned().chain(Step::healing(&self.steps)).map(Entry::step));
        if !random.expect.is_empty() {
            entries.extend([Entry::step(Step::Settle), Entry::expect(random.expect.clone())]);
        }
        let mut checked = scenario.clone();
        checked.check = Some(stage.checks.clone());
        checked.juju = stage.juju.map(|version| version.to_string()).or(checked.juju);
        checked.to_yaml(self.seed, &entries)
    }
}
