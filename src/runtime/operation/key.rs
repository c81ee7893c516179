//! An operation of a charm as a constant, and its flags.

use charms_reactive_core::Flag;

use super::record::Outcome;
use crate::dispatch::Dispatch;

/// How long the name of an operation may be.
const NAME_BYTES_MAX: usize = 63;

/// An operation of a charm as a constant: the names of its flags.
///
/// | Flag | Set from | until |
/// |---|---|---|
/// | `operation.NAME.running` | it is started | its end is seen |
/// | `operation.NAME.success`, `.failure`, `.cancelled` | it is seen that it ended so | it is started anew, or forgotten |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKey(&'static str);

impl OperationKey {
    /// The operation of this name: letters, digits, `-` and `_`, a letter or digit first.
    ///
    /// # Panics
    ///
    /// When the name has other characters; in a constant, that is a compile error.
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(
            !bytes.is_empty() && bytes.len() <= NAME_BYTES_MAX,
            "an operation's name has 1 to 63 characters"
        );
        let mut at = 0;
        while at < bytes.len() {
            let is_mark = at > 0 && (bytes[at] == b'_' || bytes[at] == b'-');
            assert!(
                bytes[at].is_ascii_alphanumeric() || is_mark,
                "an operation's name has letters, digits, `-` and `_`, a letter or digit first"
            );
            at += 1;
        }
        Self(name)
    }

    /// The name of the operation.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Set while it runs, or is about to.
    pub fn running(self) -> Flag {
        flag(self.0, RUNNING)
    }

    /// Set once it did what it is for.
    pub fn success(self) -> Flag {
        flag(self.0, Outcome::Success.as_str())
    }

    /// Set once it did not.
    pub fn failure(self) -> Flag {
        flag(self.0, Outcome::Failure.as_str())
    }

    /// Set once it stopped because it was told to.
    pub fn cancelled(self) -> Flag {
        flag(self.0, Outcome::Cancelled.as_str())
    }
}

const RUNNING: &str = "running";

/// A flag of the operation of this name.
fn flag(name: &str, what: &str) -> Flag {
    Flag::from(format!("operation.{name}.{what}"))
}

/// What is to be seen of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Running,
    Ended(Outcome),
}

/// Sets the one flag that says how an operation is, and clears the others.
pub(super) fn show(dispatch: &Dispatch, name: &str, shown: Shown) {
    let set = match shown {
        Shown::Nothing => None,
        Shown::Running => Some(RUNNING),
        Shown::Ended(outcome) => Some(outcome.as_str()),
    };
    let all = Outcome::ALL.map(Outcome::as_str).into_iter().chain([RUNNING]);
    // Cleared first: nobody sees two of them at once.
    for other in all.filter(|what| Some(*what) != set) {
        dispatch.change_flag(&flag(name, other), false);
    }
    if let Some(what) = set {
        dispatch.change_flag(&flag(name, what), true);
    }
}
