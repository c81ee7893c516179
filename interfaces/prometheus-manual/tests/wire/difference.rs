//! Differences from a recording, and the table of those that are meant.

use std::collections::{BTreeMap, BTreeSet};

/// One meant difference: where, what ours says there, and why.
pub(crate) type Meant = (&'static str, &'static str, &'static str);

/// What differs between ours and a recording.
#[derive(Default)]
pub(crate) struct Differences {
    /// By place: ours, then theirs.
    found: BTreeMap<String, (String, String)>,
    /// How many things were compared.
    compared: usize,
}

impl Differences {
    /// Compares one thing; `at` names it, unlike any other of the test.
    pub(crate) fn compare(&mut self, at: &str, ours: impl Into<String>, theirs: impl Into<String>) {
        let (ours, theirs) = (ours.into(), theirs.into());
        self.compared += 1;
        if ours != theirs {
            let earlier = self.found.insert(at.to_owned(), (ours, theirs));
            assert!(earlier.is_none(), "`{at}` is compared twice");
        }
    }

    /// Holds the differences against the table: they must be exactly those that are meant.
    pub(crate) fn judge(&self, meant: &[Meant]) {
        let mut wrong = Vec::new();
        for (at, (ours, theirs)) in &self.found {
            let listed = meant.iter().find(|(place, ..)| place == at);
            match listed {
                Some((_, expected, _)) if expected == ours => {}
                _ => wrong.push(format!("\n{at}\n  ours:   {ours}\n  theirs: {theirs}\n")),
            }
        }
        for (at, _, reason) in meant {
            assert!(!reason.is_empty(), "`{at}` has no reason");
            if !self.found.contains_key(*at) {
                wrong.push(format!("\n{at}\n  listed as different, and is the same\n"));
            }
        }
        let places: BTreeSet<&str> = meant.iter().map(|(at, ..)| *at).collect();
        assert_eq!(places.len(), meant.len(), "a place is listed twice");
        assert!(self.compared > 0, "nothing was compared");
        assert!(wrong.is_empty(), "differences that are not as listed:\n{}", wrong.concat());
    }
}
