//! The engine against the definition of counting: long random lives, beside a model that recounts everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use charms_reactive_core::waiter::{Cardinality, Moment, Outcome, VariablePath, Waiter, WaiterName};
use charms_reactive_waiters::{Conflict, Ended, Engine, Event};
use proptest::prelude::*;

/// Variables and waiters, and nothing else: every question is answered by looking at all of them.
#[derive(Default)]
struct Naive {
    variables: BTreeSet<String>,
    waiting: BTreeMap<WaiterName, Waiter>,
    ended: BTreeMap<WaiterName, (Outcome, Moment)>,
}

impl Naive {
    /// The definition: a variable counts under a path that it is, or that it begins with and a slash.
    fn count(&self, path: &VariablePath) -> u32 {
        let path = path.as_str();
        let below = format!("{path}/");
        let is_counted =
            |variable: &&String| path.is_empty() || *variable == path || variable.starts_with(&below);
        u32::try_from(self.variables.iter().filter(is_counted).count()).expect("few")
    }

    fn apply(&mut self, event: &Event, now: Moment) {
        let over: Vec<WaiterName> = self
            .waiting
            .iter()
            .filter(|(_, waiter)| waiter.created.after(waiter.timeout) < now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            let waiter = self.waiting.remove(&name).expect("found just now");
            self.ended.insert(name, (Outcome::Timeout, waiter.created.after(waiter.timeout)));
        }
        match event {
            Event::Write(path) => {
                self.variables.insert(path.as_str().to_owned());
            }
            Event::Remove(path) => {
                self.variables.remove(path.as_str());
            }
            Event::RemoveBelow(path) => {
                self.variables
                    .retain(|variable| !path.covers(&VariablePath::parse(variable).expect("a path")));
            }
            Event::Wait { name, waiter } => {
                self.ended.remove(name);
                self.waiting.insert(name.clone(), waiter.clone());
            }
            Event::Forget(name) => {
                self.waiting.remove(name);
                self.ended.remove(name);
            }
            Event::Tick => {}
        }
        let mut still = BTreeMap::new();
        for (name, waiter) in std::mem::take(&mut self.waiting) {
            let is_met = |condition: &Cardinality| self.count(&condition.path) >= condition.number;
            if waiter.failure.as_ref().is_some_and(is_met) {
                self.ended.insert(name, (Outcome::Failure, now));
            } else if is_met(&waiter.success) {
                self.ended.insert(name, (Outcome::Success, now));
            } else {
                still.insert(name, waiter);
            }
        }
        self.waiting = still;
    }
}

fn path() -> impl Strategy<Value = VariablePath> {
    let segment = prop_oneof![Just("a"), Just("ab"), Just("a-b"), Just("b")];
    prop::collection::vec(segment, 1..5)
        .prop_map(|segments| VariablePath::parse(&segments.join("/")).expect("segments that are valid"))
}

fn condition() -> impl Strategy<Value = Cardinality> {
    (prop_oneof![1 => Just(VariablePath::ROOT), 6 => path()], 1..6_u32)
        .prop_map(|(path, number)| Cardinality::new(path, number))
}

fn name() -> impl Strategy<Value = WaiterName> {
    (0..6_u8).prop_map(|number| WaiterName::parse(&format!("w{number}")).expect("a name"))
}

/// A waiter that is made when it is applied.
fn waiter() -> impl Strategy<Value = Waiter> {
    (condition(), prop::option::of(condition()), 1..40_u64).prop_map(|(success, failure, nanoseconds)| {
        Waiter { success, failure, timeout: Duration::from_nanos(nanoseconds), created: Moment::MIN }
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => path().prop_map(Event::Write),
        3 => path().prop_map(Event::Remove),
        1 => path().prop_map(Event::RemoveBelow),
        4 => (name(), waiter()).prop_map(|(name, waiter)| Event::Wait { name, waiter }),
        1 => name().prop_map(Event::Forget),
        2 => Just(Event::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_is_the_definition(life in prop::collection::vec((event(), 0..4_u64), 1..120)) {
        let (mut engine, mut naive) = (Engine::new(), Naive::default());
        let mut ended: BTreeMap<WaiterName, (Outcome, Moment)> = BTreeMap::new();
        let mut now = Moment::from_unix(Duration::from_secs(1));
        for (mut event, nanoseconds) in life {
            now = now.after(Duration::from_nanos(nanoseconds));
            if let Event::Wait { name, waiter } = &mut event {
                waiter.created = now;
                ended.remove(name);
            }
            if let Event::Forget(name) = &event {
                ended.remove(name);
            }
            naive.apply(&event, now);
            let is_about = |ended: &Ended| match &event {
                // Its predecessor's time was over at the moment at which it was replaced or forgotten.
                Event::Wait { name, waiter } => ended.name != *name || ended.at >= waiter.created,
                Event::Forget(name) => ended.name != *name,
                _ => true,
            };
            for found in engine.apply(event.clone(), now).into_iter().filter(is_about) {
                let before = ended.insert(found.name.clone(), (found.outcome, found.at));
                prop_assert!(before.is_none(), "{} ended twice", found.name);
            }
            prop_assert_eq!(&ended, &naive.ended);
            let waiting: BTreeMap<WaiterName, Waiter> =
                engine.waiting().map(|(name, waiter)| (name.clone(), waiter.clone())).collect();
            prop_assert_eq!(&waiting, &naive.waiting);
            for text in ["/", "a", "a/a", "ab", "a/ab/b", "b/b"] {
                let path = VariablePath::parse(text).expect("a path");
                prop_assert_eq!(engine.tree().count(&path), naive.count(&path), "{}", text);
            }
        }
        // What is left of the tree is what the variables and waiters of the end need, and nothing else.
        let mut again = Engine::new();
        for variable in &naive.variables {
            again.apply(Event::Write(VariablePath::parse(variable).expect("a path")), now);
        }
        for (name, waiter) in naive.waiting {
            again.apply(Event::Wait { name, waiter }, now);
        }
        prop_assert_eq!(engine.tree().len(), again.tree().len());
    }

    #[test]
    fn variables_never_stand_above_each_other(paths in prop::collection::vec(path(), 1..60)) {
        let (mut engine, mut known): (Engine, Vec<VariablePath>) = (Engine::new(), Vec::new());
        for path in paths {
            let expected = if known.contains(&path) {
                Some(Conflict::Exists)
            } else {
                let is_near = |other: &VariablePath| other.covers(&path) || path.covers(other);
                known.iter().any(is_near).then_some(Conflict::Prefix)
            };
            prop_assert_eq!(engine.tree().conflict(&path), expected);
            if expected.is_none() {
                engine.apply(Event::Write(path.clone()), Moment::MIN);
                known.push(path);
            }
        }
    }
}

/// How many nodes a write at depth 3 touches, in a tree with so many variables and waiters.
fn touched_by_a_write(variables: u32, waiters: u32) -> u64 {
    let path = |text: String| VariablePath::parse(&text).expect("a path");
    let now = Moment::from_unix(Duration::from_secs(1));
    let mut engine = Engine::new();
    for number in 0..variables {
        engine.apply(Event::Write(path(format!("x/y{}/v{number}", number % 100))), now);
    }
    for number in 0..waiters {
        let waiter = Waiter {
            success: Cardinality::new(
                path(["/", "x", "x/y1", "z"][number as usize % 4].to_owned()),
                2_000_000,
            ),
            failure: Some(Cardinality::new(path(format!("f{number}")), 1)),
            timeout: Duration::from_secs(u64::from(number) + 1),
            created: now,
        };
        let name = WaiterName::parse(&format!("w{number}")).expect("a name");
        engine.apply(Event::Wait { name, waiter }, now);
    }
    let before = engine.tree().touched();
    engine.apply(Event::Write(path("x/y1/new".to_owned())), now);
    let written = engine.tree().touched() - before;
    engine.apply(Event::Remove(path("x/y1/new".to_owned())), now);
    assert!(engine.tree().touched() - before <= 2 * written);
    written
}

#[test]
fn a_write_costs_the_depth_of_its_path_whatever_else_there_is() {
    let few = touched_by_a_write(1, 1);
    assert!(few <= 2 * 3 + 1, "down and up again: {few}");
    assert_eq!(touched_by_a_write(100_000, 10), few);
    assert_eq!(touched_by_a_write(10, 10_000), few);
    assert_eq!(touched_by_a_write(100_000, 10_000), few);
}

#[test]
fn thousands_of_waiters_on_one_number_end_together_in_the_order_in_which_they_were_made() {
    let now = Moment::from_unix(Duration::from_secs(1));
    let mut engine = Engine::new();
    let names: Vec<WaiterName> =
        (0..5000).rev().map(|number| WaiterName::parse(&format!("w{number}")).expect("a name")).collect();
    for name in &names {
        let path = VariablePath::parse("ready").expect("a path");
        let success = Cardinality::new(path, 2);
        let waiter = Waiter { success, failure: None, timeout: Duration::from_secs(9), created: now };
        engine.apply(Event::Wait { name: name.clone(), waiter }, now);
    }
    let write = |text| Event::Write(VariablePath::parse(text).expect("a path"));
    assert!(engine.apply(write("ready/a"), now).is_empty());
    let ended = engine.apply(write("ready/b"), now);
    assert_eq!(ended.into_iter().map(|ended| ended.name).collect::<Vec<_>>(), names);
}
