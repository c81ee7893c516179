//! Triggers: when this flag changes, change that one, before any handler is considered.

use charms_reactive_core::Flag;

/// Which change of a flag is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Set,
    Cleared,
}

/// What to do when a flag changes.
///
/// Built by [`set`] or [`cleared`], then [`Trigger::sets`] and [`Trigger::clears`].
///
/// ```
/// use charms_reactive_runtime::prelude::*;
///
/// const READY: Flag = Flag::new("db.ready");
/// const CONFIGURED: Flag = Flag::new("web.configured");
/// const STALE: Flag = Flag::new("web.stale");
///
/// let trigger = cleared(READY).clears(CONFIGURED).sets(STALE);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    flag: Flag,
    edge: Edge,
    sets: Vec<Flag>,
    clears: Vec<Flag>,
}

/// When `flag` goes from unset to set.
pub fn set(flag: impl Into<Flag>) -> Trigger {
    Trigger { flag: flag.into(), edge: Edge::Set, sets: Vec::new(), clears: Vec::new() }
}

/// When `flag` goes from set to unset.
pub fn cleared(flag: impl Into<Flag>) -> Trigger {
    Trigger { flag: flag.into(), edge: Edge::Cleared, sets: Vec::new(), clears: Vec::new() }
}

impl Trigger {
    /// Sets `flag` then.
    #[must_use]
    pub fn sets(mut self, flag: impl Into<Flag>) -> Self {
        self.sets.push(flag.into());
        self
    }

    /// The flag that it is about.
    pub(crate) fn watched(&self) -> &Flag {
        &self.flag
    }

    /// The flag, whether it is about setting, what is set then, and what is cleared.
    pub(crate) fn parts(&self) -> (&Flag, bool, &[Flag], &[Flag]) {
        (&self.flag, self.edge == Edge::Set, &self.sets, &self.clears)
    }

    /// Whether anything follows.
    pub(crate) fn has_effect(&self) -> bool {
        !self.sets.is_empty() || !self.clears.is_empty()
    }

    /// Clears `flag` then.
    #[must_use]
    pub fn clears(mut self, flag: impl Into<Flag>) -> Self {
        self.clears.push(flag.into());
        self
    }
}

/// All triggers of a charm, in the order in which they were registered.
///
/// # Guarantees
///
/// When a flag changes, first every flag that is to be set is set, in order of registration, each with
/// all that follows from it; then every flag that is to be cleared is cleared, likewise.
///
/// # Source
///
/// charms.reactive runs set effects depth-first, then clear effects; the same effect registered twice
/// runs once.
#[derive(Clone, Debug, Default)]
pub struct Triggers(Vec<Trigger>);

impl Triggers {
    /// Registers `trigger`.
    pub fn add(&mut self, trigger: Trigger) {
        self.0.push(trigger);
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Trigger> {
        self.0.iter()
    }

    /// Every flag that some trigger watches.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Flag> {
        self.0.iter().map(|trigger| &trigger.flag)
    }

    /// From what it follows that `flag` is set, or cleared: a flag, and whether that is being set.
    pub(crate) fn causes(&self, flag: &Flag, is_set: bool) -> impl Iterator<Item = (&Flag, bool)> {
        let effects = move |trigger: &Trigger| {
            let flags = if is_set { &trigger.sets } else { &trigger.clears };
            flags.contains(flag)
        };
        let due = self.0.iter().filter(move |trigger| effects(trigger));
        due.map(|trigger| (&trigger.flag, trigger.edge == Edge::Set))
    }

    /// What follows when `flag` was set, or cleared: flags to set, flags to clear.
    pub(crate) fn effects(&self, flag: &Flag, is_set: bool) -> (Vec<Flag>, Vec<Flag>) {
        let edge = if is_set { Edge::Set } else { Edge::Cleared };
        let due = || self.0.iter().filter(|trigger| trigger.flag == *flag && trigger.edge == edge);
        (
            without_repeats(due().flat_map(|trigger| &trigger.sets)),
            without_repeats(due().flat_map(|trigger| &trigger.clears)),
        )
    }
}

fn without_repeats<'a>(flags: impl Iterator<Item = &'a Flag>) -> Vec<Flag> {
    let mut once: Vec<Flag> = Vec::new();
    for flag in flags {
        if !once.contains(flag) {
            once.push(flag.clone());
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_effect_registered_twice_runs_once() {
        let [a, b, c] = ["a", "b", "c"].map(Flag::new);
        let mut triggers = Triggers::default();
        triggers.add(set(a.clone()).sets(b.clone()).clears(c.clone()));
        triggers.add(set(a.clone()).sets(b.clone()));
        triggers.add(cleared(a.clone()).sets(c.clone()));
        assert_eq!(triggers.effects(&a, true), (vec![b], vec![c.clone()]));
        assert_eq!(triggers.effects(&a, false), (vec![c.clone()], vec![]));
        assert_eq!(triggers.effects(&c, true), (vec![], vec![]));
    }
}
