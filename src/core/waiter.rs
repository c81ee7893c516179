//! Waiters: a wait that ends when a number of variables stands under a path.
//!
//! A waiter succeeds when enough variables stand under one path, fails when enough stand under another,
//! and is over when its time is.  These are the values; `charms-reactive-waiters` has the engine that
//! counts.  Nothing in here reads a clock: moments are given.
//!
//! # Source
//!
//! Google's Runtime Configurator, v1beta1.

mod moment;
mod path;
mod span;

use std::time::Duration;

pub use moment::{Moment, MomentError};
pub use path::{
    CONFIG_BYTES_MAX, PATH_BYTES_MAX, PATH_SEGMENTS_MAX, PathError, SEGMENT_BYTES_MAX, VariablePath,
    WaiterName, is_segment,
};
pub use span::{SPAN_SECONDS_MAX, SpanError, parse_span, span_text};

/// The largest number that a condition may ask for.
pub const NUMBER_MAX: u32 = 2_147_483_647;

/// How many variables have to stand under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cardinality {
    /// Under which path; the root is the whole tree.
    pub path: VariablePath,
    /// How many, at least.
    pub number: u32,
}

impl Cardinality {
    /// So many variables at or below `path`; none is one.
    pub fn new(path: VariablePath, number: u32) -> Self {
        Self { path, number: number.max(1) }
    }

    /// Whether `count` variables are enough.
    pub fn is_met(&self, count: u32) -> bool {
        count >= self.number
    }
}

/// A declared wait.  It never changes once it is made; only its outcome comes to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// What it succeeds by.
    pub success: Cardinality,
    /// What it fails by; None: only its time can end it without success.
    pub failure: Option<Cardinality>,
    /// How long it waits.
    pub timeout: Duration,
    /// When it was made.
    pub created: Moment,
}

impl Waiter {
    /// The last moment that still counts.
    pub fn deadline(&self) -> Moment {
        self.created.after(self.timeout)
    }

    /// How the waiter ends at `now`, given how many variables stand under each path; None: it goes on.
    ///
    /// Failure is judged before success, and both before time.
    pub fn judge(&self, count: impl Fn(&VariablePath) -> u32, now: Moment) -> Option<Outcome> {
        let is_met = |condition: &Cardinality| condition.is_met(count(&condition.path));
        if self.failure.as_ref().is_some_and(is_met) {
            Some(Outcome::Failure)
        } else if is_met(&self.success) {
            Some(Outcome::Success)
        } else {
            (now > self.deadline()).then_some(Outcome::Timeout)
        }
    }
}

/// How a waiter ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Enough variables stood under the path of success.
    Success,
    /// Enough variables stood under the path of failure.
    Failure,
    /// Neither, until its time was over.
    Timeout,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Timeout];

    /// The word for it, as in the flags of a charm.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter() -> Waiter {
        let path = |text| VariablePath::parse(text).expect("a path");
        Waiter {
            success: Cardinality::new(path("/ready"), 3),
            failure: Some(Cardinality::new(path("/failed"), 2)),
            timeout: Duration::from_secs(10),
            created: Moment::from_unix(Duration::from_secs(100)),
        }
    }

    #[track_caller]
    fn check(ready: u32, failed: u32, second: u64, expected: Option<Outcome>) {
        let count = |path: &VariablePath| if path.as_str() == "ready" { ready } else { failed };
        assert_eq!(waiter().judge(count, Moment::from_unix(Duration::from_secs(second))), expected);
    }

    #[test]
    fn failure_is_judged_before_success_and_success_before_time() {
        check(2, 1, 105, None);
        check(3, 1, 105, Some(Outcome::Success));
        check(3, 2, 105, Some(Outcome::Failure));
        check(2, 2, 999, Some(Outcome::Failure));
        check(3, 0, 999, Some(Outcome::Success));
        check(2, 1, 999, Some(Outcome::Timeout));
    }

    #[test]
    fn the_deadline_itself_is_still_in_time() {
        check(0, 0, 110, None);
        let count = |_: &VariablePath| 0;
        let next = waiter().deadline().next();
        assert_eq!(waiter().judge(count, next), Some(Outcome::Timeout));
    }

    #[test]
    fn a_number_of_none_is_one() {
        let root = VariablePath::parse("/").expect("the root");
        assert_eq!(Cardinality::new(root, 0).number, 1);
    }
}
