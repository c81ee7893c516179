//! Flags: named facts that hold until cleared.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The name of a fact, for example `web.installed`.
///
/// A charm writes its flags down once, as constants, so that a misspelt one does not compile:
///
/// ```
/// use charms_reactive_core::Flag;
///
/// const INSTALLED: Flag = Flag::new("web.installed");
/// assert_eq!(INSTALLED.as_str(), "web.installed");
/// ```
///
/// Any text is a flag name, spaces and all, as in charms.reactive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flag(Cow<'static, str>);

impl Flag {
    /// The flag of this name, as a constant.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Flag {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl From<&Flag> for Flag {
    fn from(flag: &Flag) -> Self {
        flag.clone()
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The flags of a unit, and which of them changed in the present and in the previous round.
///
/// # Guarantees
///
/// - Setting a set flag, or clearing one that is not set, is no change.
/// - A flag that was set and cleared again in one round has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagSet {
    set: BTreeSet<String>,
    /// Changes of the round that is running.
    pending: BTreeSet<String>,
    /// Changes of the round before.
    changed: BTreeSet<String>,
    /// How often each flag changed since [`FlagSet::from_saved`].
    transitions: BTreeMap<String, u32>,
}

impl FlagSet {
    /// The flags saved by an earlier dispatch; nothing has changed yet.
    pub fn from_saved(names: impl IntoIterator<Item = String>) -> Self {
        Self { set: names.into_iter().collect(), ..Self::default() }
    }

    /// Whether `flag` is set.
    pub fn is_set(&self, flag: &Flag) -> bool {
        self.set.contains(flag.as_str())
    }

    /// Sets `flag`.  Tells whether that changed anything.
    pub fn set(&mut self, flag: &Flag) -> bool {
        let is_new = self.set.insert(flag.as_str().to_owned());
        self.note(flag, is_new)
    }

    /// Clears `flag`.  Tells whether that changed anything.
    pub fn clear(&mut self, flag: &Flag) -> bool {
        let was_set = self.set.remove(flag.as_str());
        self.note(flag, was_set)
    }

    /// The names of all set flags, sorted by code point.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.set.iter().map(String::as_str)
    }

    /// The flags that changed in the previous round.
    pub fn changed(&self) -> &BTreeSet<String> {
        &self.changed
    }

    /// Ends a round: what changed in it is what handlers of the next one are due for.
    pub fn end_round(&mut self) {
        self.changed = std::mem::take(&mut self.pending);
    }

    /// Forgets all changes: what happened so far counts as the state before the first round.
    pub fn begin(&mut self) {
        self.pending.clear();
        self.changed.clear();
        self.transitions.clear();
    }

    /// How often `name` changed since [`FlagSet::begin`].
    pub fn transitions(&self, name: &str) -> u32 {
        self.transitions.get(name).copied().unwrap_or(0)
    }

    fn note(&mut self, flag: &Flag, is_change: bool) -> bool {
        if is_change {
            self.pending.insert(flag.as_str().to_owned());
            *self.transitions.entry(flag.as_str().to_owned()).or_default() += 1;
        }
        is_change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Flag = Flag::new("a");

    #[test]
    fn a_flag_set_and_cleared_in_one_round_has_changed() {
        let mut flags = FlagSet::default();
        assert!(flags.set(&A));
        assert!(!flags.set(&A), "it was set already");
        assert!(flags.clear(&A));
        assert!(flags.changed().is_empty(), "the round has not ended");
        flags.end_round();
        assert!(flags.changed().contains("a"));
        assert_eq!(flags.transitions("a"), 2);
    }

    #[test]
    fn names_are_sorted_by_code_point() {
        let names = ["é.x", "a", "has space", "B", "50%"].map(str::to_owned);
        let flags = FlagSet::from_saved(names);
        assert_eq!(flags.names().collect::<Vec<_>>(), ["50%", "B", "a", "has space", "é.x"]);
    }
}
