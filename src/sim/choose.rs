//! Which hook comes next: of all that are due, the seed chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use charms_reactive_core::{HookEvent, RelationEvent, UnitName};

use crate::dispatch::{HookRun, Outcome, Retry};
use crate::model::Hook;
use crate::schedule;
use crate::sim::Sim;

/// What is due for each unit, as far as it is known.
///
/// Most hooks concern nobody but their own unit.  In a model of hundreds of units, asking all of them
/// again after each hook would take most of the time.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// The units for which something is due; none where all have to be asked.
    hooks: Option<BTreeMap<UnitName, Vec<Hook>>>,
}

impl Due {
    /// Has all units asked again.
    pub(crate) fn forget(&mut self) {
        self.hooks = None;
    }
}

impl Sim {
    /// Whether no hook is due but failed ones.
    pub fn is_at_rest(&mut self) -> bool {
        self.due.forget();
        self.ask();
        self.due.hooks.as_ref().is_none_or(BTreeMap::is_empty)
    }

    /// The hook that comes next, once [`Sim::ask`] was called.
    pub(crate) fn choose(&mut self, retry: Retry) -> Option<(UnitName, Hook)> {
        if self.is_state_known() {
            return None;
        }
        if let Some(name) = self.interrupted.take()
            && let Some(unit) = self.model.units.get(&name)
            && let [hook] = schedule::due(&self.model, unit).as_slice()
        {
            // The agent that comes back does first what it was at; nothing is drawn, so that what follows
            // is what would have followed.
            return Some((name, hook.clone()));
        }
        let due = self.due.hooks.as_ref()?;
        if due.is_empty() {
            return if retry == Retry::WhenIdle { self.choose_failed() } else { None };
        }
        let (unit, hooks) = due.iter().nth(self.model.random.index(due.len()))?;
        let hook = &hooks[self.model.random.index(hooks.len())];
        Some((unit.clone(), hook.clone()))
    }

    /// The failed hook whose time comes first, when nothing else is due; time passes until then.
    fn choose_failed(&mut self) -> Option<(UnitName, Hook)> {
        let failed = self.model.units.values().filter_map(|unit| {
            let failed = unit.failed.as_ref()?;
            let is_due = failed.attempts <= self.settings.retries_max && self.clock.is_running(&unit.name);
            is_due.then(|| (self.clock.retry_at(&unit.name), unit.name.clone(), failed.hook.clone()))
        });
        let failed: Vec<(Duration, UnitName, Hook)> = failed.collect();
        let first = failed.iter().map(|(at, ..)| *at).min()?;
        let mut failed: Vec<_> = failed.into_iter().filter(|(at, ..)| *at == first).collect();
        self.clock.reach(first);
        let (_, unit, hook) = failed.swap_remove(self.model.random.index(failed.len()));
        Some((unit, hook))
    }

    /// Has all units asked what is due, where that is not known.
    pub(crate) fn ask(&mut self) {
        if self.due.hooks.is_some() {
            return;
        }
        for application in self.model.applications.keys().cloned().collect::<Vec<_>>() {
            // A lease that nobody holds is claimed by the next who asks.
            self.model.elect(&application);
        }
        for name in
            self.model.units.keys().filter(|name| self.clock.is_running(name)).cloned().collect::<Vec<_>>()
        {
            self.model.synchronize_scopes(&name);
        }
        // What has been told up to now is taken into account by what follows.
        self.model.journal.take_concerns();
        let running = self.model.units.values().filter(|unit| self.clock.is_running(&unit.name));
        let due = running.map(|unit| (unit.name.clone(), schedule::due(&self.model, unit)));
        self.due.hooks = Some(due.filter(|(_, hooks)| !hooks.is_empty()).collect());
    }

    /// Finds out what is due after a hook.
    pub(crate) fn look_again(&mut self, hook: &Hook, run: &HookRun) {
        let is_for_itself = matches!(run.outcome, Outcome::Committed | Outcome::Skipped)
            && self.rules.is_empty()
            && stays_with_its_unit(&hook.event);
        self.model.synchronize_scopes(&run.unit);
        let databags = self.model.journal.take_concerns();
        let (true, Some(databags), Some(due)) = (is_for_itself, databags, &mut self.due.hooks) else {
            self.due.forget();
            return;
        };
        let mut concerned: BTreeSet<UnitName> = BTreeSet::from([run.unit.clone()]);
        for (relation, party) in databags {
            concerned.extend(self.model.readers(relation, &party));
        }
        for name in concerned.into_iter().filter(|name| self.clock.is_running(name)) {
            let hooks = self.model.units.get(&name).map(|unit| schedule::due(&self.model, unit));
            match hooks.filter(|hooks| !hooks.is_empty()) {
                Some(hooks) => drop(due.insert(name, hooks)),
                None => drop(due.remove(&name)),
            }
        }
        debug_assert!(self.is_due_right(), "a unit was not asked again after {run:?}");
    }

    /// Whether what is known to be due is what all units would say, in models that are small enough to ask.
    fn is_due_right(&self) -> bool {
        const UNITS_MAX: usize = 12;
        let Some(known) = self.due.hooks.as_ref().filter(|_| self.model.units.len() <= UNITS_MAX) else {
            return true;
        };
        let running = self.model.units.values().filter(|unit| self.clock.is_running(&unit.name));
        let due = running.map(|unit| (&unit.name, schedule::due(&self.model, unit)));
        due.filter(|(_, hooks)| !hooks.is_empty()).eq(known.iter().map(|(name, hooks)| (name, hooks.clone())))
    }
}

/// Whether such a hook, once done, changes the agent's books of its own unit only.
///
/// Named are those that do, so that a kind of hook that is new here costs time and not truth.
fn stays_with_its_unit(event: &HookEvent) -> bool {
    matches!(
        event,
        HookEvent::Install
            | HookEvent::ConfigChanged
            | HookEvent::Start
            | HookEvent::UpdateStatus
            | HookEvent::UpgradeCharm
            | HookEvent::LeaderElected
            | HookEvent::LeaderSettingsChanged
            | HookEvent::Relation {
                event: RelationEvent::Created | RelationEvent::Joined | RelationEvent::Changed,
                ..
            }
    )
}
