//! Which wake-ups are due, and when Juju is asked for them again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use charms_reactive_core::waiter::Moment;

use super::WakeUp;

/// When Juju is asked again, after a dispatch that ended well and cleared nothing.
pub const AGAIN: Duration = Duration::from_mins(5);
/// The longest pause after Juju could not do it; the first is a second.
pub const PAUSE_MAX: Duration = Duration::from_mins(5);

/// When a unit is to be woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// At this moment; one that is over is now.
    At(Moment),
    /// When this waiter of the service ends, `projects/P/configs/C/waiters/W`; now, when there is none.
    Ended(String),
}

#[derive(Debug)]
struct Entry {
    when: When,
    /// Tells it from others of this name, before and after it.
    number: u64,
    has_ended: bool,
    /// Juju was asked for it, and will not be before this.
    again: Option<Moment>,
}

impl Entry {
    /// From when on it is due; None while that is not known.
    fn at(&self) -> Option<Moment> {
        match &self.when {
            When::At(at) => Some(*at),
            When::Ended(_) => self.has_ended.then_some(Moment::MIN),
        }
    }
}

/// All wake-ups.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<String, Entry>,
    last: u64,
    failures: u32,
    /// Juju could not do it, and is not asked before this.
    pause: Option<Moment>,
}

/// Those that Juju is asked for.
pub(super) type Asked = Vec<(String, u64)>;

impl Book {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&When> {
        Some(&self.entries.get(name)?.when)
    }

    pub(super) fn set(&mut self, name: &str, when: When) {
        self.last += 1;
        let entry = Entry { when, number: self.last, has_ended: false, again: None };
        self.entries.insert(name.to_owned(), entry);
    }

    pub(super) fn clear(&mut self, name: &str) {
        self.entries.remove(name);
    }

    pub(super) fn list(&self, now: Moment) -> Vec<WakeUp> {
        let listed = |(name, entry): (&String, &Entry)| WakeUp {
            name: name.clone(),
            when: entry.when.clone(),
            is_due: entry.at().is_some_and(|at| at <= now),
        };
        self.entries.iter().map(listed).collect()
    }

    /// The waiters whose end somebody waits for.
    pub(super) fn waited_for(&self) -> BTreeSet<String> {
        let waiting = self.entries.values().filter(|entry| !entry.has_ended);
        waiting
            .filter_map(|entry| if let When::Ended(name) = &entry.when { Some(name.clone()) } else { None })
            .collect()
    }

    /// A waiter has ended.
    pub(super) fn end(&mut self, waiter: &str) {
        for entry in self.entries.values_mut() {
            entry.has_ended |= matches!(&entry.when, When::Ended(name) if name == waiter);
        }
    }

    /// Those for which Juju is to be asked now.
    pub(super) fn due(&self, now: Moment) -> Asked {
        if self.pause.is_some_and(|until| now < until) {
            return Asked::new();
        }
        let is_due = |entry: &Entry| {
            entry.at().is_some_and(|at| at <= now) && entry.again.is_none_or(|again| again <= now)
        };
        let due = self.entries.iter().filter(|(_, entry)| is_due(entry));
        due.map(|(name, entry)| (name.clone(), entry.number)).collect()
    }

    /// When [`Book::due`] has more than now; None while nothing is known.
    pub(super) fn next(&self) -> Option<Moment> {
        let moments = self.entries.values().filter_map(|entry| Some(entry.at()?.max(entry.again?)));
        let first = self.entries.values().filter(|entry| entry.again.is_none()).filter_map(Entry::at);
        let next = moments.chain(first).min()?;
        Some(self.pause.map_or(next, |until| next.max(until)))
    }

    /// Juju was asked, and a dispatch ended well, or did not.
    pub(super) fn asked(&mut self, asked: &Asked, is_done: bool, now: Moment) {
        if !is_done {
            let pause = Duration::from_secs(1 << self.failures.min(20)).min(PAUSE_MAX);
            self.failures += 1;
            self.pause = Some(now.after(pause));
            return;
        }
        (self.failures, self.pause) = (0, None);
        for (name, number) in asked {
            // One that was set since has to be asked for once more.
            if let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.number == *number) {
                entry.again = Some(now.after(AGAIN));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_unix(Duration::from_secs(seconds))
    }

    fn due(book: &Book, seconds: u64) -> Vec<String> {
        book.due(at(seconds)).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_due_is_asked_for_once_and_again_after_five_minutes() {
        let mut book = Book::default();
        book.set("a", When::At(at(10)));
        book.set("b", When::At(at(10)));
        book.set("c", When::At(at(20)));
        assert_eq!((book.next(), due(&book, 9)), (Some(at(10)), vec![]));
        let asked = book.due(at(10));
        assert_eq!(asked.len(), 2);
        book.asked(&asked, true, at(12));
        assert_eq!((book.next(), due(&book, 19)), (Some(at(20)), vec![]));
        assert_eq!(due(&book, 20), ["c"]);
        book.clear("a");
        book.clear("c");
        assert_eq!((book.next(), due(&book, 312)), (Some(at(312)), vec!["b".to_owned()]));
        book.clear("b");
        assert_eq!((book.next(), due(&book, 400)), (None, vec![]));
    }

    #[test]
    fn what_is_set_while_juju_is_asked_is_asked_for_again() {
        let mut book = Book::default();
        book.set("a", When::At(at(10)));
        let asked = book.due(at(10));
        book.set("a", When::At(at(11)));
        book.asked(&asked, true, at(12));
        assert_eq!(due(&book, 12), ["a"]);
    }

    #[test]
    fn pauses_grow_while_juju_cannot_do_it() {
        let mut book = Book::default();
        book.set("a", When::At(at(0)));
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..11 {
            let asked = book.due(at(now));
            assert_eq!(asked.len(), 1);
            book.asked(&asked, false, at(now));
            let next = book.next().expect("again").since(at(0)).as_secs();
            assert_eq!(due(&book, next - 1), Vec::<String>::new());
            pauses.push(next - now);
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        let asked = book.due(at(now));
        book.asked(&asked, true, at(now));
        book.set("b", When::At(at(now)));
        assert_eq!(due(&book, now), ["b"], "who asked well is not made to wait");
    }

    #[test]
    fn the_end_of_a_waiter_is_due() {
        let mut book = Book::default();
        let waiter = "projects/p/configs/c/waiters/w";
        book.set("a", When::Ended(waiter.to_owned()));
        assert_eq!((book.next(), due(&book, 99)), (None, vec![]));
        assert_eq!(book.waited_for(), BTreeSet::from([waiter.to_owned()]));
        book.end(waiter);
        assert!(book.waited_for().is_empty());
        assert_eq!(due(&book, 0), ["a"]);
        book.asked(&book.due(at(1)), true, at(1));
        assert_eq!(book.next(), Some(at(301)));
    }
}
