//! Small models, exhaustively: every order that Juju leaves open.

use std::fmt;

use crate::random::Random;
use crate::sim::Sim;

/// What [`explore`] went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explored {
    /// How many orders were run.
    pub runs: usize,
    /// Whether these were all.
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
        let Some(next) = after(taken) else { return Ok(Explored { runs, is_complete: true }) };
        script = next;
    }
    Ok(Explored { runs: runs_max, is_complete: false })
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
