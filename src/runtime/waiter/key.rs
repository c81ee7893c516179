//! A waiter of a charm as a constant, and its flags.

use charms_reactive_core::Flag;
use charms_reactive_core::waiter::{CONFIG_BYTES_MAX, Outcome};

use crate::dispatch::Dispatch;

/// A waiter of a charm as a constant: the names of its flags.
///
/// | Flag | Set while |
/// |---|---|
/// | `waiter.NAME.waiting` | it waits |
/// | `waiter.NAME.success`, `.failure`, `.timeout` | it has ended so |
/// | `waiter.NAME.done` | it has ended |
///
/// On each unit one of the first four is set, from when the unit learns of the waiter until the waiter is
/// forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaiterKey(&'static str);

impl WaiterKey {
    /// The waiter of this name: letters, digits, `-` and `_`, a letter or digit first, no `-` last.
    ///
    /// # Panics
    ///
    /// When the name has other characters; in a constant, that is a compile error.
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(
            !bytes.is_empty() && bytes.len() <= CONFIG_BYTES_MAX,
            "a waiter's name has 1 to 63 characters"
        );
        let mut at = 0;
        while at < bytes.len() {
            let is_mark = bytes[at] == b'_' || bytes[at] == b'-';
            let is_mark_fine = is_mark && at > 0 && (bytes[at] == b'_' || at + 1 < bytes.len());
            assert!(
                bytes[at].is_ascii_alphanumeric() || is_mark_fine,
                "a waiter's name has letters, digits, `-` and `_`, a letter or digit first and no `-` last"
            );
            at += 1;
        }
        Self(name)
    }

    /// The name of the waiter.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Set while it waits.
    pub fn waiting(self) -> Flag {
        flag(self.0, "waiting")
    }

    /// Set once it succeeded.
    pub fn success(self) -> Flag {
        flag(self.0, Outcome::Success.as_str())
    }

    /// Set once it failed.
    pub fn failure(self) -> Flag {
        flag(self.0, Outcome::Failure.as_str())
    }

    /// Set once its time was over.
    pub fn timeout(self) -> Flag {
        flag(self.0, Outcome::Timeout.as_str())
    }

    /// Set once it ended, in whatever way.
    pub fn done(self) -> Flag {
        flag(self.0, "done")
    }
}

/// A flag of the waiter of this name.
pub(super) fn flag(name: &str, what: &str) -> Flag {
    Flag::from(format!("waiter.{name}.{what}"))
}

/// Clears all flags of a waiter.
pub(super) fn clear(dispatch: &Dispatch, name: &str) {
    for what in Outcome::ALL.map(Outcome::as_str).into_iter().chain(["done", "waiting"]) {
        dispatch.change_flag(&flag(name, what), false);
    }
}

/// Shows how a waiter is.
pub(super) fn show(dispatch: &Dispatch, name: &str, outcome: Option<Outcome>) {
    // Cleared first: nobody sees two of them at once.
    dispatch.change_flag(&flag(name, "waiting"), outcome.is_none());
    dispatch.change_flag(&flag(name, "done"), outcome.is_some());
    for other in Outcome::ALL.into_iter().filter(|other| Some(*other) != outcome) {
        dispatch.change_flag(&flag(name, other.as_str()), false);
    }
    if let Some(outcome) = outcome {
        dispatch.change_flag(&flag(name, outcome.as_str()), true);
    }
}
