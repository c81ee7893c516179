//! Waiters on a tree of variables: who ends, how, and when.

use std::collections::{BTreeMap, BTreeSet};

use charms_reactive_core::waiter::{Moment, Outcome, VariablePath, Waiter, WaiterName};

use crate::tree::Tree;

/// What happens to variables and waiters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A variable is written; one that stands there already changes no count.
    Write(VariablePath),
    /// A variable is removed.
    Remove(VariablePath),
    /// All variables at this path and below it are removed.
    RemoveBelow(VariablePath),
    /// A waiter is made; one of the same name is replaced.
    Wait {
        /// Its name.
        name: WaiterName,
        /// What it waits for.
        waiter: Waiter,
    },
    /// A waiter is removed; it does not end.
    Forget(WaiterName),
    /// Nothing but time.
    Tick,
}

/// A waiter that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub name: WaiterName,
    /// How.
    pub outcome: Outcome,
    /// When: the moment of the change that met its condition, or its deadline.
    pub at: Moment,
}

#[derive(Debug)]
struct Waiting {
    waiter: Waiter,
    /// Tells waiters of the same name apart, and is in the order in which they were made.
    number: u64,
}

/// Waiters on a tree of variables.
///
/// # Invariants
///
/// Holds waiters that wait, none that ended; no condition of any of them is met.
#[derive(Debug, Default)]
pub struct Engine {
    tree: Tree,
    waiting: BTreeMap<WaiterName, Waiting>,
    names: BTreeMap<u64, WaiterName>,
    deadlines: BTreeSet<(Moment, u64)>,
    made: u64,
    now: Option<Moment>,
}

impl Engine {
    /// An engine without variables and waiters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has something happen at `now`; gives who ended, in the order in which they were made, those whose
    /// time was over before it first.
    ///
    /// Time does not go back: an earlier `now` than before counts as the one before.
    pub fn apply(&mut self, event: Event, now: Moment) -> Vec<Ended> {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        let mut ended = self.expire(now);
        match event {
            Event::Write(path) => {
                let mut reached = self.tree.insert(&path);
                // Of one waiter, failure first; then the rest of it is forgotten.
                reached.sort_unstable_by_key(|(number, is_failure)| (*number, !is_failure));
                for (number, is_failure) in reached {
                    let outcome = if is_failure { Outcome::Failure } else { Outcome::Success };
                    let name = self.names.get(&number).cloned();
                    if let Some(name) = name.filter(|name| self.forget(name)) {
                        ended.push(Ended { name, outcome, at: now });
                    }
                }
            }
            Event::Remove(path) => {
                self.tree.remove(&path);
            }
            Event::RemoveBelow(path) => {
                self.tree.remove_below(&path);
            }
            Event::Wait { name, waiter } => {
                self.forget(&name);
                match waiter.judge(|path| self.tree.count(path), now) {
                    Some(Outcome::Timeout) => {
                        ended.push(Ended { name, outcome: Outcome::Timeout, at: waiter.deadline() });
                    }
                    Some(outcome) => ended.push(Ended { name, outcome, at: now }),
                    None => self.wait(name, waiter),
                }
            }
            Event::Forget(name) => {
                self.forget(&name);
            }
            Event::Tick => {}
        }
        ended
    }

    /// Has something be so as it was judged elsewhere, or before: nobody ends, and no time passes.
    ///
    /// A waiter whose condition is met already is not waited for: whoever judged has ended it, and says so.
    pub fn adopt(&mut self, event: Event) {
        match event {
            Event::Write(path) => {
                self.tree.insert(&path);
            }
            Event::Remove(path) => {
                self.tree.remove(&path);
            }
            Event::RemoveBelow(path) => {
                self.tree.remove_below(&path);
            }
            Event::Wait { name, waiter } => {
                self.forget(&name);
                // At its beginning no time is over.
                if waiter.judge(|path| self.tree.count(path), waiter.created).is_none() {
                    self.wait(name, waiter);
                }
            }
            Event::Forget(name) => {
                self.forget(&name);
            }
            Event::Tick => {}
        }
    }

    /// The first moment at which some waiter's time is over; None while nobody waits.
    ///
    /// That is a nanosecond behind its deadline, which is still in time.
    pub fn next_timeout(&self) -> Option<Moment> {
        self.deadlines.first().map(|(deadline, _)| deadline.next())
    }

    /// The variables.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The waiters that wait, by name.
    pub fn waiting(&self) -> impl Iterator<Item = (&WaiterName, &Waiter)> {
        self.waiting.iter().map(|(name, waiting)| (name, &waiting.waiter))
    }

    fn wait(&mut self, name: WaiterName, waiter: Waiter) {
        let number = self.made;
        self.made += 1;
        self.tree.wait(&waiter.success, (number, false));
        if let Some(failure) = &waiter.failure {
            self.tree.wait(failure, (number, true));
        }
        self.deadlines.insert((waiter.deadline(), number));
        self.names.insert(number, name.clone());
        self.waiting.insert(name, Waiting { waiter, number });
    }

    /// Forgets a waiter; tells whether it was waiting.
    fn forget(&mut self, name: &WaiterName) -> bool {
        let Some(Waiting { waiter, number }) = self.waiting.remove(name) else { return false };
        self.names.remove(&number);
        self.deadlines.remove(&(waiter.deadline(), number));
        self.tree.forget(&waiter.success, (number, false));
        if let Some(failure) = &waiter.failure {
            self.tree.forget(failure, (number, true));
        }
        true
    }

    /// Ends the waiters whose deadline is before `now`.
    fn expire(&mut self, now: Moment) -> Vec<Ended> {
        let mut ended = Vec::new();
        while let Some((deadline, number)) =
            self.deadlines.first().copied().filter(|(deadline, _)| *deadline < now)
        {
            let name = self.names.get(&number).cloned().expect("each deadline is that of a waiter");
            self.forget(&name);
            ended.push(Ended { name, outcome: Outcome::Timeout, at: deadline });
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use charms_reactive_core::waiter::Cardinality;

    use super::*;

    fn path(text: &str) -> VariablePath {
        VariablePath::parse(text).expect("a path")
    }

    fn name(text: &str) -> WaiterName {
        WaiterName::parse(text).expect("a name")
    }

    fn at(second: u64) -> Moment {
        Moment::from_unix(Duration::from_secs(second))
    }

    fn wait(text: &str, success: (&str, u32), failure: Option<(&str, u32)>, created: u64) -> Event {
        let condition = |(text, number)| Cardinality::new(path(text), number);
        let waiter = Waiter {
            success: condition(success),
            failure: failure.map(condition),
            timeout: Duration::from_mins(1),
            created: at(created),
        };
        Event::Wait { name: name(text), waiter }
    }

    fn ended(text: &str, outcome: Outcome, at: Moment) -> Ended {
        Ended { name: name(text), outcome, at }
    }

    #[test]
    fn one_change_that_meets_both_conditions_is_a_failure() {
        let mut engine = Engine::new();
        engine.apply(wait("w", ("a", 2), Some(("a/b", 1)), 0), at(0));
        assert_eq!(engine.apply(Event::Write(path("a/x")), at(1)), []);
        assert_eq!(engine.apply(Event::Write(path("a/b/c")), at(2)), [ended("w", Outcome::Failure, at(2))]);
        assert!(engine.waiting().next().is_none());
    }

    #[test]
    fn what_was_judged_elsewhere_is_not_judged_again() {
        let mut engine = Engine::new();
        engine.adopt(wait("w", ("a", 2), None, 0));
        engine.adopt(wait("gone", ("a", 2), None, 0));
        assert_eq!(engine.apply(Event::Tick, at(1)), []);
        // Said elsewhere to have ended, and so not waited for.
        engine.adopt(Event::Forget(name("gone")));
        engine.adopt(Event::Write(path("a/x")));
        assert_eq!(engine.tree().count(&path("a")), 1);
        engine.adopt(wait("met", ("a", 1), None, 0));
        assert_eq!(engine.waiting().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["w"]);
        engine.adopt(Event::RemoveBelow(path("a")));
        engine.adopt(Event::Write(path("a/y")));
        // A deadline is kept, though time has passed.
        assert_eq!(engine.apply(Event::Tick, at(100)), [ended("w", Outcome::Timeout, at(60))]);
        engine.adopt(wait("w", ("a", 2), None, 0));
        engine.adopt(wait("late", ("a", 2), None, 90));
        assert_eq!(
            engine.apply(Event::Write(path("a/z")), at(101)),
            [ended("w", Outcome::Timeout, at(60)), ended("late", Outcome::Success, at(101))]
        );
    }

    #[test]
    fn what_holds_already_answers_at_once() {
        let mut engine = Engine::new();
        engine.apply(Event::Write(path("a/x")), at(0));
        assert_eq!(engine.apply(wait("w", ("a", 1), None, 5), at(5)), [ended("w", Outcome::Success, at(5))]);
        let both = wait("w", ("a", 1), Some(("a", 1)), 6);
        assert_eq!(engine.apply(both, at(6)), [ended("w", Outcome::Failure, at(6))]);
        assert_eq!(engine.next_timeout(), None);
    }

    #[test]
    fn the_deadline_is_exact_to_the_nanosecond() {
        let deadline = at(60);
        let run = |moment| {
            let mut engine = Engine::new();
            engine.apply(wait("w", ("a", 1), None, 0), at(0));
            engine.apply(Event::Write(path("a/x")), moment)
        };
        assert_eq!(run(deadline), [ended("w", Outcome::Success, deadline)]);
        assert_eq!(run(deadline.next()), [ended("w", Outcome::Timeout, deadline)]);

        let mut engine = Engine::new();
        engine.apply(wait("w", ("a", 1), None, 0), at(0));
        assert_eq!(engine.apply(Event::Tick, deadline), [], "a change may still come at this moment");
        assert_eq!(engine.next_timeout(), Some(deadline.next()));
        assert_eq!(engine.apply(Event::Tick, deadline.next()), [ended("w", Outcome::Timeout, deadline)]);
        assert_eq!(engine.apply(Event::Write(path("a/x")), at(70)), [], "it ends once");
    }

    #[test]
    fn updates_do_not_count_and_removals_count_down() {
        let mut engine = Engine::new();
        engine.apply(wait("w", ("a", 2), None, 0), at(0));
        assert_eq!(engine.apply(Event::Write(path("a/x")), at(1)), []);
        assert_eq!(engine.apply(Event::Write(path("a/x")), at(2)), [], "the same one again");
        assert_eq!(engine.apply(Event::Remove(path("a/x")), at(3)), []);
        assert_eq!(engine.apply(Event::Write(path("a/y")), at(4)), []);
        assert_eq!(engine.apply(Event::RemoveBelow(path("/")), at(5)), []);
        assert_eq!(engine.apply(Event::Write(path("a/z")), at(6)), []);
        assert_eq!(engine.apply(Event::Write(path("a/y")), at(7)), [ended("w", Outcome::Success, at(7))]);
    }

    #[test]
    fn a_waiter_that_is_forgotten_does_not_end() {
        let mut engine = Engine::new();
        engine.apply(wait("w", ("a", 1), Some(("b", 1)), 0), at(0));
        engine.apply(Event::Forget(name("w")), at(1));
        assert_eq!(engine.apply(Event::Write(path("a/x")), at(2)), []);
        assert_eq!(engine.apply(Event::Tick, at(1000)), []);
        engine.apply(Event::Remove(path("a/x")), at(1000));
        assert!(engine.tree().is_empty(), "nothing of it is left");
    }

    #[test]
    fn time_does_not_go_back() {
        let mut engine = Engine::new();
        engine.apply(wait("w", ("a", 1), None, 0), at(0));
        engine.apply(Event::Tick, at(50));
        assert_eq!(engine.apply(Event::Write(path("a/x")), at(3)), [ended("w", Outcome::Success, at(50))]);
    }
}
