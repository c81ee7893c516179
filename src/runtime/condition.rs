//! Conditions: what must hold for a handler to be due.

use std::path::PathBuf;
use std::rc::Rc;

use charms_reactive_core::{Flag, FlagSet, HookEvent};

use crate::external::External;

/// One part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    All(Vec<Flag>),
    Any(Vec<Flag>),
    None(Vec<Flag>),
    NotAll(Vec<Flag>),
}

impl Term {
    fn flags(&self) -> &[Flag] {
        match self {
            Self::All(flags) | Self::Any(flags) | Self::None(flags) | Self::NotAll(flags) => flags,
        }
    }

    fn holds(&self, set: &FlagSet) -> bool {
        let mut flags = self.flags().iter();
        match self {
            Self::All(_) => flags.all(|flag| set.is_set(flag)),
            Self::Any(_) => flags.any(|flag| set.is_set(flag)),
            Self::None(_) => !flags.any(|flag| set.is_set(flag)),
            Self::NotAll(_) => !flags.all(|flag| set.is_set(flag)),
        }
    }

    /// What keeps it from holding.
    fn unmet(&self, set: &FlagSet) -> Option<Unmet<'_>> {
        let those = |is_set| self.flags().iter().filter(|flag| set.is_set(flag) == is_set).collect();
        (!self.holds(set)).then(|| match self {
            Self::All(_) => Unmet::NotSet(those(false)),
            Self::Any(flags) => Unmet::NoneSet(flags),
            Self::None(_) => Unmet::Set(those(true)),
            Self::NotAll(flags) => Unmet::AllSet(flags),
        })
    }
}

/// What keeps a condition from holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unmet<'a> {
    /// These have to be set, and are not.
    NotSet(Vec<&'a Flag>),
    /// These must not be set, and are.
    Set(Vec<&'a Flag>),
    /// One of these has to be set.
    NoneSet(&'a [Flag]),
    /// One of these must not be set.
    AllSet(&'a [Flag]),
}

impl Unmet<'_> {
    /// The flags in question, and whether they are set.
    pub(crate) fn flags(&self) -> Vec<(&Flag, bool)> {
        match self {
            Self::NotSet(flags) => flags.iter().map(|flag| (*flag, false)).collect(),
            Self::Set(flags) => flags.iter().map(|flag| (*flag, true)).collect(),
            Self::NoneSet(flags) => flags.iter().map(|flag| (flag, false)).collect(),
            Self::AllSet(flags) => flags.iter().map(|flag| (flag, true)).collect(),
        }
    }
}

impl std::fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.flags().iter().map(|(flag, _)| format!("`{flag}`")).collect();
        let (is_one, names) = (names.len() == 1, names.join(", "));
        match self {
            Self::NotSet(_) if is_one => write!(f, "{names} is not set"),
            Self::NotSet(_) => write!(f, "{names} are not set"),
            Self::Set(_) if is_one => write!(f, "{names} is set; it must not be"),
            Self::Set(_) => write!(f, "{names} are set; they must not be"),
            Self::NoneSet(_) => write!(f, "none of {names} is set"),
            Self::AllSet(_) => write!(f, "all of {names} are set; one must not be"),
        }
    }
}

/// What keeps a condition from holding, in one line.
pub(crate) fn in_words(unmet: &[Unmet<'_>]) -> String {
    unmet.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}

/// What must hold for a handler to be due: flags, or a hook, or both.
///
/// Built by [`when`], [`all`], [`any`], [`none`], [`not_all`] and [`on`], joined by
/// [`Condition::and`] and [`Condition::and_not`].
///
/// A condition without a hook is looked at in the rounds after the hook handlers; one with a hook only
/// before them, in the hook itself.  One of [`once`] or [`files_changed`] alone is looked at in both.
///
/// # Example
///
/// ```
/// use charms_reactive_runtime::prelude::*;
///
/// const INSTALLED: Flag = Flag::new("web.installed");
/// const RUNNING: Flag = Flag::new("web.running");
/// const STOPPED: Flag = Flag::new("web.stopped");
///
/// let condition = when(INSTALLED).and_not(RUNNING).and(none([STOPPED]));
/// assert_eq!(condition.to_string(), "web.installed, not web.running, not web.stopped");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    hooks: Vec<HookEvent>,
    terms: Vec<Term>,
    /// Of each group, one file has to be other than the handler saw it last.
    files: Vec<Vec<PathBuf>>,
    is_once: bool,
    /// A program of the charm, which tells by itself.
    program: Option<Rc<External>>,
}

/// Holds while `flag` is set.
pub fn when(condition: impl Into<Condition>) -> Condition {
    condition.into()
}

/// Holds while every one of `flags` is set.
pub fn all<const N: usize>(flags: [Flag; N]) -> Condition {
    const { assert!(N > 0, "a condition needs a flag: one without would hold for ever") }
    Condition::of(Term::All(flags.into()))
}

/// Holds while at least one of `flags` is set.
pub fn any<const N: usize>(flags: [Flag; N]) -> Condition {
    const { assert!(N > 0, "a condition needs a flag: one without could never hold") }
    Condition::of(Term::Any(flags.into()))
}

/// Holds while none of `flags` is set.
pub fn none<const N: usize>(flags: [Flag; N]) -> Condition {
    const { assert!(N > 0, "a condition needs a flag: one without would hold for ever") }
    Condition::of(Term::None(flags.into()))
}

/// Holds while at least one of `flags` is not set.
pub fn not_all<const N: usize>(flags: [Flag; N]) -> Condition {
    const { assert!(N > 0, "a condition needs a flag: one without could never hold") }
    Condition::of(Term::NotAll(flags.into()))
}

/// Holds in this hook.
pub fn on(event: HookEvent) -> Condition {
    Condition { hooks: vec![event], ..Condition::nothing() }
}

/// Holds until the handler has run, in whatever dispatch: `when(INSTALLED).and(once())`.
///
/// The handler is remembered by the name of its function.  Renamed, it runs again; see also
/// [`crate::Hook::mark_done`].
pub fn once() -> Condition {
    Condition { is_once: true, ..Condition::nothing() }
}

/// Holds when one of `files` is other than this handler saw it last: its content, or whether it is there.
///
/// A relative path is taken from the charm directory.  A file that is planned counts as it will be, so
/// that a handler of the same dispatch can act on it, through [`crate::Hook::after_files`].  Looking
/// changes nothing: a change is there for every handler that looks, until it has run.  A file that was
/// never there has not changed.
pub fn files_changed<const N: usize>(files: [impl Into<PathBuf>; N]) -> Condition {
    const { assert!(N > 0, "a condition needs a file: one without could never hold") }
    Condition { files: vec![files.map(Into::into).into()], ..Condition::nothing() }
}

impl Condition {
    fn nothing() -> Self {
        Self { hooks: Vec::new(), terms: Vec::new(), files: Vec::new(), is_once: false, program: None }
    }

    /// Holds when the program says so.
    pub(crate) fn external(program: Rc<External>) -> Self {
        Self { program: Some(program), ..Self::nothing() }
    }

    fn of(term: Term) -> Self {
        Self { terms: vec![term], ..Self::nothing() }
    }

    /// Holds while the flags of both are as they must be; in any of the hooks that either is for.
    #[must_use]
    pub fn and(mut self, other: impl Into<Condition>) -> Self {
        let other = other.into();
        self.terms.extend(other.terms);
        self.hooks.extend(other.hooks);
        self.files.extend(other.files);
        self.is_once |= other.is_once;
        self
    }

    /// Holds while this holds and `flag` is not set.
    #[must_use]
    pub fn and_not(self, flag: Flag) -> Self {
        self.and(none([flag]))
    }

    /// Holds in this hook too: for conditions that [`on`] began.
    #[must_use]
    pub fn or_on(mut self, event: HookEvent) -> Self {
        self.hooks.push(event);
        self
    }

    /// The hooks it is for; empty when it is about flags alone.
    pub(crate) fn hooks(&self) -> &[HookEvent] {
        &self.hooks
    }

    /// Whether the flags are as they must be.
    pub(crate) fn holds(&self, set: &FlagSet) -> bool {
        self.terms.iter().all(|term| term.holds(set))
    }

    /// The files that it looks at: of each group one has to have changed.
    pub(crate) fn files(&self) -> &[Vec<PathBuf>] {
        &self.files
    }

    /// Whether it holds until the handler has run.
    pub(crate) fn is_once(&self) -> bool {
        self.is_once
    }

    /// The program that tells by itself.
    pub(crate) fn program(&self) -> Option<&External> {
        self.program.as_deref()
    }

    /// Whether it looks at no hook and no flag: then it may be due among the handlers of the hook too.
    pub(crate) fn is_memory_alone(&self) -> bool {
        self.hooks.is_empty() && self.terms.is_empty()
    }

    /// What keeps the flags from being as they must be; nothing where they are.
    pub(crate) fn unmet(&self, set: &FlagSet) -> Vec<Unmet<'_>> {
        let mut all: Vec<Unmet<'_>> = Vec::new();
        for next in self.terms.iter().filter_map(|term| term.unmet(set)) {
            match (all.last_mut(), next) {
                // `when(A).and(B)` is told like `all([A, B])`.
                (Some(Unmet::NotSet(flags)), Unmet::NotSet(more))
                | (Some(Unmet::Set(flags)), Unmet::Set(more)) => flags.extend(more),
                (_, next) => all.push(next),
            }
        }
        all
    }

    /// Every flag that it looks at.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &Flag> {
        self.terms.iter().flat_map(Term::flags)
    }
}

impl From<Flag> for Condition {
    fn from(flag: Flag) -> Self {
        Self::of(Term::All(vec![flag]))
    }
}

impl From<HookEvent> for Condition {
    fn from(event: HookEvent) -> Self {
        on(event)
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |flags: &[Flag]| flags.iter().map(Flag::as_str).collect::<Vec<_>>().join(", ");
        let hooks = self.hooks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let terms = self.terms.iter().map(|term| match term {
            Term::All(flags) => names(flags),
            Term::None(flags) if flags.len() == 1 => {
                format!("not {}", names(flags))
            }
            Term::Any(flags) => format!("any of ({})", names(flags)),
            Term::None(flags) => format!("none of ({})", names(flags)),
            Term::NotAll(flags) => format!("not all of ({})", names(flags)),
        });
        let files = self.files.iter().map(|group| {
            let names: Vec<String> = group.iter().map(|path| path.display().to_string()).collect();
            format!("changed {}", names.join(" or "))
        });
        let hooks = (!hooks.is_empty()).then(|| format!("in {hooks}"));
        let once = self.is_once.then(|| "once".to_owned());
        let program = self.program.iter().map(|program| format!("`{} --test` says so", program.name()));
        let parts: Vec<String> =
            hooks.into_iter().chain(terms).chain(files).chain(once).chain(program).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Flag = Flag::new("a");
    const B: Flag = Flag::new("b");

    /// Under which of the four settings of `a` and `b` does `condition` hold?
    fn table(condition: &Condition) -> String {
        [&[][..], &["a"], &["b"], &["a", "b"]]
            .map(|names| {
                let set = FlagSet::from_saved(names.iter().map(|name| (*name).to_owned()));
                if condition.holds(&set) { '+' } else { '-' }
            })
            .iter()
            .collect()
    }

    #[test]
    fn conditions_hold_as_their_names_say() {
        //                                      none a b both
        assert_eq!(table(&all([A, B])), /*  */ "---+");
        assert_eq!(table(&any([A, B])), /*  */ "-+++");
        assert_eq!(table(&none([A, B])), /* */ "+---");
        assert_eq!(table(&not_all([A, B])), /**/ "+++-");
        assert_eq!(table(&when(A).and_not(B)), "-+--");
        assert_eq!(table(&any([A, B]).and(not_all([A, B]))), "-++-");
    }

    #[test]
    fn what_keeps_a_condition_from_holding_is_told_in_words() {
        let check = |condition: Condition, set: &[&str], expected: &str| {
            let set = FlagSet::from_saved(set.iter().map(|name| (*name).to_owned()));
            assert_eq!(in_words(&condition.unmet(&set)), expected);
            assert_eq!(condition.holds(&set), expected.is_empty());
        };
        check(all([A, B]), &[], "`a`, `b` are not set");
        check(all([A, B]), &["a"], "`b` is not set");
        check(all([A, B]), &["a", "b"], "");
        check(any([A, B]), &[], "none of `a`, `b` is set");
        check(none([A, B]), &["b"], "`b` is set; it must not be");
        check(none([A, B]), &["a", "b"], "`a`, `b` are set; they must not be");
        check(not_all([A, B]), &["a", "b"], "all of `a`, `b` are set; one must not be");
        check(when(A).and(B), &[], "`a`, `b` are not set");
        check(when(A).and_not(B), &["b"], "`a` is not set, and `b` is set; it must not be");
    }

    #[test]
    fn a_condition_prints_as_it_reads() {
        let condition = on(HookEvent::Install).or_on(HookEvent::Start).and(A).and_not(B);
        assert_eq!(condition.to_string(), "in install or start, a, not b");
        assert_eq!(not_all([A, B]).to_string(), "not all of (a, b)");
        let condition = when(A).and(files_changed(["/etc/a", "/etc/b"])).and(once());
        assert_eq!(condition.to_string(), "a, changed /etc/a or /etc/b, once");
    }
}
