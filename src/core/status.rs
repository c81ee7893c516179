//! Workload statuses and how severe they are.

use std::fmt;
use std::str::FromStr;

/// What a unit says about itself, as a charm may set it.
///
/// Ordered by severity for the end of a dispatch: of several, the most severe is shown.
/// The order is that of layer-status, which every reactive charm used: a blocked unit
/// hides a waiting one, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkloadStatus {
    /// Fine.
    Active,
    /// Busy; nobody need act.
    Maintenance,
    /// Another application or Juju must act; resolves by itself.
    Waiting,
    /// A human must act; the message says what to do.
    Blocked,
}

impl WorkloadStatus {
    /// The word that `status-set` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Maintenance => "maintenance",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
        }
    }
}

impl fmt::Display for WorkloadStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not one of the four statuses that a charm may set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status `{text}` is not valid, expected one of maintenance, blocked, waiting, active")]
pub struct StatusError {
    /// What was found.
    pub text: String,
}

impl FromStr for WorkloadStatus {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        [Self::Active, Self::Maintenance, Self::Waiting, Self::Blocked]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| StatusError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_of_several_is_the_largest() {
        use WorkloadStatus::{Active, Blocked, Maintenance, Waiting};
        let mut statuses = [Waiting, Active, Blocked, Maintenance];
        statuses.sort();
        assert_eq!(statuses, [Active, Maintenance, Waiting, Blocked]);
    }

    #[test]
    fn only_what_juju_lets_a_charm_set_is_read() {
        assert_eq!("blocked".parse(), Ok(WorkloadStatus::Blocked));
        for text in ["error", "unknown", "terminated", "Active", ""] {
            assert!(text.parse::<WorkloadStatus>().is_err(), "`{text}`");
        }
    }
}
