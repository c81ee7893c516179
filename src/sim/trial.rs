//! Looks for steps after which something is wrong, and makes them as few as possible.

use std::fmt;
use std::ops::Range;

use crate::seed;
use crate::sim::Sim;
use crate::step::{Possible, Step};

/// How many runs it may take to make a list of steps shorter.
pub const SHRINK_RUNS_MAX: usize = 500;

/// Tells what is wrong with a model.
type Check<'a> = Box<dyn Fn(&mut Sim) -> Result<(), String> + 'a>;

/// A model to be made, and what must hold of it.
pub struct Trial<'a> {
    new: Box<dyn Fn(u64) -> Sim + 'a>,
    check: Check<'a>,
}

/// Steps after which something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the simulation.
    pub seed: u64,
    /// The steps, as few as were found.
    pub steps: Vec<Step>,
    /// What is wrong.
    pub reason: String,
    /// What was said in the run.
    pub transcript: String,
    /// How many steps there were at first.
    pub steps_drawn: usize,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reason)?;
        let plural = if self.steps.len() == 1 { "" } else { "s" };
        writeln!(
            f,
            "with seed {}, after {} step{plural} (of {}):",
            self.seed,
            self.steps.len(),
            self.steps_drawn
        )?;
        for (position, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:3}. {step}", position + 1)?;
        }
        write!(f, "again: {}", seed::command(self.seed))
    }
}

impl std::error::Error for Failure {}

impl fmt::Debug for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").finish_non_exhaustive()
    }
}

impl<'a> Trial<'a> {
    /// `new` makes a model from a seed; `check` tells what is wrong with it, once it has come to rest.
    pub fn new(new: impl Fn(u64) -> Sim + 'a, check: impl Fn(&mut Sim) -> Result<(), String> + 'a) -> Self {
        Self { new: Box::new(new), check: Box::new(check) }
    }

    /// Runs steps, has the model come to rest, with all its agents, and checks it.
    ///
    /// # Errors
    ///
    /// What is wrong, and what was said.
    pub fn run(&self, seed: u64, steps: &[Step]) -> Result<(), (String, String)> {
        let (result, sim) = self.attempt(seed, steps);
        result.map_err(|reason| (reason, sim.transcript()))
    }

    fn attempt(&self, seed: u64, steps: &[Step]) -> (Result<(), String>, Sim) {
        let mut sim = (self.new)(seed);
        let result = steps
            .iter()
            .chain(&Step::healing(steps))
            .try_for_each(|step| step.apply(&mut sim))
            .and_then(|()| sim.settle().map(drop))
            .map_err(|error| error.to_string())
            .and_then(|()| (self.check)(&mut sim));
        (result, sim)
    }

    /// Draws `count` steps for each seed until something is wrong, and makes the steps fewer.
    ///
    /// The variable `CHARMS_REACTIVE_SEED` chooses one seed.
    pub fn find(&self, seeds: Range<u64>, possible: &Possible, count: usize) -> Option<Failure> {
        let seeds = seed::chosen().map_or(seeds, |seed| seed..seed.saturating_add(1));
        seeds.into_iter().find_map(|seed| {
            let steps = possible.draw(seed, count);
            self.attempt(seed, &steps).0.is_err().then(|| self.shrink(seed, steps))
        })
    }

    /// Leaves out steps, and makes steps simpler, for as long as something stays wrong.
    ///
    /// # Panics
    ///
    /// When nothing is wrong after `steps`.
    pub fn shrink(&self, seed: u64, steps: Vec<Step>) -> Failure {
        let steps_drawn = steps.len();
        let best = shrink(steps, |steps| self.attempt(seed, steps).0.is_err());
        let (reason, transcript) = self.run(seed, &best).expect_err("it was wrong with these steps before");
        Failure { seed, steps: best, reason, transcript, steps_drawn }
    }
}

/// Leaves out steps, and makes steps simpler, for as long as `fails` says that something stays wrong;
/// [`SHRINK_RUNS_MAX`] times at most.
pub fn shrink(steps: Vec<Step>, mut fails: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut runs_left = SHRINK_RUNS_MAX;
    let mut best = steps;
    let mut fails = |steps: &[Step]| {
        let is_left = runs_left > 0;
        runs_left = runs_left.saturating_sub(1);
        is_left && fails(steps)
    };
    loop {
        let before = best.clone();
        best = fewer(best, &mut fails);
        best = simpler(best, &mut fails);
        if best == before {
            return best;
        }
    }
}

/// Leaves out halves, then quarters, ... down to single steps.
///
/// # Source
///
/// Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input": here without complements.
fn fewer(mut steps: Vec<Step>, fails: &mut impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut size = steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < steps.len() {
            let end = (at + size).min(steps.len());
            let rest: Vec<Step> = steps[..at].iter().chain(&steps[end..]).cloned().collect();
            if fails(&rest) {
                steps = rest;
            } else {
                at = end;
            }
        }
        if size == 1 {
            return steps;
        }
        size /= 2;
    }
}

fn simpler(mut steps: Vec<Step>, fails: &mut impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    for at in 0..steps.len() {
        for less in steps[at].simpler() {
            let mut other = steps.clone();
            other[at] = less;
            if fails(&other) {
                steps = other;
                break;
            }
        }
    }
    steps
}
