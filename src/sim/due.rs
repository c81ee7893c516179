//! The hooks of which any may come next, for a caller that chooses by itself.

use charms_reactive_core::UnitName;

use crate::dispatch::HookRun;
use crate::error::SimError;
use crate::model::{Hook, Unit};
use crate::schedule;
use crate::sim::Sim;

/// A hook that may come next.
///
/// Two models in which the same has happened have equal ones, in the same order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueHook {
    /// The unit.
    pub unit: UnitName,
    /// The name of the hook.
    pub hook: String,
    /// The number of the relation, for hooks of relations.
    pub relation: Option<u32>,
    /// The remote unit, for hooks of relations that are about one.
    pub remote_unit: Option<UnitName>,
    /// Whether the hook has failed before and would be run again.
    pub is_retry: bool,
}

impl DueHook {
    fn new(unit: &Unit, hook: &Hook) -> Self {
        let about = hook.relation.as_ref();
        Self {
            unit: unit.name.clone(),
            hook: hook.event.to_string(),
            relation: about.map(|about| about.number),
            remote_unit: about.and_then(|about| about.remote_unit.clone()),
            is_retry: unit.failed.is_some(),
        }
    }
}

impl Sim {
    /// The hooks of which any may come next, by unit; for a unit in error, the hook that failed.
    pub fn due(&mut self) -> Vec<DueHook> {
        self.due_hooks().into_iter().map(|(due, _)| due).collect()
    }

    /// Runs a hook of [`Sim::due`]; nothing where it is not due any more, or a rule changed the model first.
    pub fn run_due(&mut self, wanted: &DueHook) -> Result<Option<HookRun>, SimError> {
        self.interrupted = None;
        let found = self.due_hooks().into_iter().find(|(due, _)| due == wanted);
        let Some((due, hook)) = found else { return Ok(None) };
        let fate = self.rules.judge_hook(&due.unit, &due.hook);
        let is_other = self.befall(&due.unit, &fate)?;
        self.due.forget();
        if is_other {
            return Ok(None);
        }
        let run = self.run_hook(&due.unit, &hook, fate)?;
        self.due.forget();
        Ok(Some(run))
    }

    fn due_hooks(&mut self) -> Vec<(DueHook, Hook)> {
        self.due.forget();
        self.ask();
        let running = self.model.units.values().filter(|unit| self.clock.is_running(&unit.name));
        let hooks = running.flat_map(|unit| {
            let hooks = match &unit.failed {
                Some(failed) => vec![failed.hook.clone()],
                None => schedule::due(&self.model, unit),
            };
            hooks.into_iter().map(|hook| (DueHook::new(unit, &hook), hook))
        });
        hooks.collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{InProcess, Outcome, Sim};

    fn sim(code: i32) -> Sim {
        let mut sim = Sim::from_seed(7);
        let charm = InProcess::from_yaml("name: web\npeers: {ring: ring}", move |_, _| code);
        sim.deploy("web", charm, 2).expect("deployed");
        sim
    }

    #[test]
    fn the_caller_chooses_what_comes_next() {
        let mut sim = sim(0);
        let due = sim.due();
        let of = |due: &super::DueHook| (due.unit.to_string(), due.hook.clone());
        let install = |unit: &str| (unit.to_owned(), "install".to_owned());
        assert_eq!(due.iter().map(of).collect::<Vec<_>>(), [install("web/0"), install("web/1")]);
        let run = sim.run_due(&due[1]).expect("it can be run").expect("it is due");
        assert_eq!(run.unit.to_string(), "web/1");
        assert_eq!(sim.run_due(&due[1]).expect("nothing is run"), None);
        let next = sim.due();
        assert_eq!((next[0].hook.as_str(), next[1].hook.as_str()), ("install", "ring-relation-created"));
    }

    #[test]
    fn a_hook_that_failed_is_due_again() {
        let mut sim = sim(1);
        let due = sim.due().remove(0);
        let run = sim.run_due(&due).expect("it can be run").expect("it is due");
        assert!(matches!(run.outcome, Outcome::Failed { .. }));
        let again = sim.due().remove(0);
        assert_eq!(again, super::DueHook { is_retry: true, ..due });
        assert!(sim.run_due(&again).expect("it can be run").is_some());
    }
}
