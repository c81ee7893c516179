//! Small models, exhaustively: every order that Juju leaves open.
//!
//! [`explore`] runs each order from its beginning to its end.  [`explore_steps`] knows what is still to come,
//! and so can leave an order where it comes to a state that another one has been in: two units with four
//! hooks each have 70 orders, but only 25 states.

mod seen;

use std::fmt;

use crate::random::Random;
use crate::sim::Sim;
use crate::step::Step;
pub(crate) use seen::Seen;

/// What [`explore`] or [`explore_steps`] went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explored {
    /// How many orders were run.
    pub runs: usize,
    /// How many of these were left in the middle, where they came to a state that was known.
    pub merged: usize,
    /// Whether there are no other orders.
    pub is_complete: bool,
}

/// An order after which something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongOrder {
    /// What is wrong.
    pub reason: String,
    /// Which of the possible hooks was taken, each time there were several.
    pub choices: Vec<usize>,
    /// What was said in the run.
    pub transcript: String,
    /// How many orders were run, this one included.
    pub runs: usize,
}

impl fmt::Display for WrongOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reason)?;
        write!(f, "in order {} of hooks, choices {:?}:\n{}", self.runs, self.choices, self.transcript)
    }
}

impl std::error::Error for WrongOrder {}

/// Runs `scenario` in every order of pending hooks, `runs_max` orders at most.
///
/// `new` makes the model, the same each time; `scenario` runs it and tells what is wrong.
///
/// # Errors
///
/// [`WrongOrder`] for the first order after which something is wrong.
pub fn explore(
    runs_max: usize,
    new: impl Fn() -> Sim,
    scenario: impl Fn(&mut Sim) -> Result<(), String>,
) -> Result<Explored, Box<WrongOrder>> {
    let mut script = Vec::new();
    for runs in 1..=runs_max {
        let mut sim = new();
        sim.model.random = Random::scripted(script);
        let result = scenario(&mut sim);
        let taken = sim.model.random.taken().to_vec();
        if let Err(reason) = result {
            let choices = taken.iter().map(|(choice, _)| *choice).collect();
            return Err(Box::new(WrongOrder { reason, choices, transcript: sim.transcript(), runs }));
        }
        let Some(next) = after(taken) else { return Ok(Explored { runs, merged: 0, is_complete: true }) };
        script = next;
    }
    Ok(Explored { runs: runs_max, merged: 0, is_complete: false })
}

/// Runs `steps` and settles, in every order of pending hooks, `runs_max` orders at most; orders that come to
/// the same state are run on once.
///
/// `new` makes the model, the same each time; `check` tells what is wrong with it in the end.
///
/// # Guarantees
///
/// - `check` sees every end that [`explore`] would come to: a state is all of the model, of the clock and of
///   the units' folders, and what follows from it depends on nothing else.  Only names of versions are taken
///   for equal, which no charm sees.
/// - As long as a rule is in force, which may count or remember what it has seen, no orders are merged.
///
/// # What is asked of you
///
/// - `check` looks at what is, not at how it came about: events and transcripts are those of the one order
///   that came first.  For those, [`explore`] is right.
/// - Charms keep nothing but what Juju keeps for them, and files in their folder.
///
/// # Errors
///
/// [`WrongOrder`] for the first order after which something is wrong.
pub fn explore_steps(
    runs_max: usize,
    new: impl Fn() -> Sim,
    steps: &[Step],
    check: impl Fn(&mut Sim) -> Result<(), String>,
) -> Result<Explored, Box<WrongOrder>> {
    let (mut script, mut seen, mut merged) = (Vec::new(), Seen::default(), 0);
    for runs in 1..=runs_max {
        let mut sim = new();
        seen.begin(script.len());
        sim.seen = Some(seen);
        sim.model.random = Random::scripted(script);
        let mut result = run(&mut sim, steps);
        seen = sim.seen.take().expect("put there above");
        if seen.is_known() {
            merged += 1;
        } else {
            result = result.and_then(|()| check(&mut sim));
        }
        let taken = sim.model.random.taken().to_vec();
        if let Err(reason) = result {
            let choices = taken.iter().map(|(choice, _)| *choice).collect();
            return Err(Box::new(WrongOrder { reason, choices, transcript: sim.transcript(), runs }));
        }
        let Some(next) = after(taken) else { return Ok(Explored { runs, merged, is_complete: true }) };
        script = next;
    }
    Ok(Explored { runs: runs_max, merged, is_complete: false })
}

/// Runs the steps and settles, up to a state that is known.
fn run(sim: &mut Sim, steps: &[Step]) -> Result<(), String> {
    let mut refused: Vec<usize> = Vec::new();
    for (index, step) in steps.iter().chain([&Step::Settle]).enumerate() {
        let begin = sim.now();
        if let Some(seen) = &mut sim.seen {
            // What is known of the rest of the run beside the model: which steps there are, and until when
            // the one lasts that lets time pass.
            seen.enter(format!("step {index} since {begin:?}, refused before {refused:?}"));
        }
        match step.run(sim) {
            Err(crate::error::SimError::Model(_)) => refused.push(index),
            other => drop(other.map_err(|error| error.to_string())?),
        }
        if sim.seen.as_ref().is_some_and(Seen::is_known) {
            return Ok(());
        }
    }
    Ok(())
}

/// The choices that come after these: the last one that can be another is the next one.
fn after(mut taken: Vec<(usize, usize)>) -> Option<Vec<usize>> {
    while let Some((choice, count)) = taken.pop() {
        if choice + 1 < count {
            let before = taken.into_iter().map(|(choice, _)| choice);
            return Some(before.chain([choice + 1]).collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_has_its_turn() {
        assert_eq!(after(vec![(0, 2), (1, 3)]), Some(vec![0, 2]));
        assert_eq!(after(vec![(0, 2), (2, 3)]), Some(vec![1]));
        assert_eq!(after(vec![(1, 2), (2, 3)]), None);
        assert_eq!(after(vec![]), None);
    }
}
