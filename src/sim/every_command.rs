//! A fault at every hook command of a scenario, one after another.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::rule::Verdict;
use crate::sim::Sim;

/// What [`every_command`] went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// How many hook commands the scenario has: each had its fault.
    pub commands: usize,
}

/// A fault after which the world was not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The command that had the fault, counted from 0.
    pub index: usize,
    /// The command, with its unit and hook.
    pub command: String,
    /// What is wrong, and the lines that differ.
    pub reason: String,
    /// The transcript of the run with the fault.
    pub transcript: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a fault at command {} ({}): {}", self.index, self.command, self.reason)
    }
}

impl std::error::Error for Broken {}

/// Runs a scenario again and again, each time with a fault at another hook command.
///
/// `new` makes a simulation, with its applications; `scenario` does what an operator does, and settles.
/// `fault` is [`Verdict::Kill`], a refusal, or another one.
///
/// # What is checked
///
/// - After the hook with the fault, where it did not end well: no trace in databags, unit state, ports and
///   secrets.
/// - After the scenario: all is as in a run without fault, files and statuses too ([`Sim::snapshot`]).
///
/// # Errors
///
/// [`Broken`] for the first fault that left something else.
pub fn every_command(
    fault: &Verdict,
    new: impl Fn() -> Sim,
    scenario: impl Fn(&mut Sim),
) -> Result<Covered, Box<Broken>> {
    let mut sim = new();
    let begin = sim.commands_asked();
    scenario(&mut sim);
    let (end, expected) = (sim.commands_asked(), sim.snapshot());
    for index in begin..end {
        let mut sim = new();
        sim.watch_rollbacks();
        let place: Rc<RefCell<String>> = Rc::default();
        let (seen, fault) = (Rc::clone(&place), fault.clone());
        let guard = sim.rule(move |command| {
            if command.total != index {
                return Verdict::Run;
            }
            *seen.borrow_mut() =
                format!("{} {}: {} {}", command.unit, command.hook, command.name, command.args.join(" "));
            fault.clone()
        });
        scenario(&mut sim);
        drop(guard);
        let found = sim.snapshot();
        let reason = match (sim.traces(), found == expected) {
            ("", true) => continue,
            ("", false) => {
                format!("in the end, other than without the fault:\n{}", expected.difference(&found))
            }
            (traces, _) => format!("the hook did not end well and left a trace:\n{traces}"),
        };
        let command = place.borrow().clone();
        let transcript = sim.transcript();
        return Err(Box::new(Broken { index: index - begin, command, reason, transcript }));
    }
    Ok(Covered { commands: end - begin })
}
