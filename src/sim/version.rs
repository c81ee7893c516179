//! Which Juju is simulated.

use std::fmt;

/// A version of Juju; where its lines differ, the model follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JujuVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl JujuVersion {
    /// The last line of Juju 2.
    pub const V2_9: Self = Self::new(2, 9, 52);
    /// The long-term line of Juju 3, the default.
    pub const V3_6: Self = Self::new(3, 6, 8);
    /// Juju 4.
    pub const V4_0: Self = Self::new(4, 0, 1);

    /// The version `major.minor.patch`.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Whether the leader has settings of its own, outside relations.
    pub(crate) fn has_leader_settings(self) -> bool {
        self.major <= 3
    }

    /// Whether metrics, payloads and meter status are still there.
    pub(crate) fn has_metrics(self) -> bool {
        self.major <= 3
    }

    /// Whether `relation-model-get` is there.
    pub(crate) fn has_relation_model(self) -> bool {
        self >= Self::new(3, 6, 2)
    }

    /// Whether `relation-ids` leaves out a relation while its `-broken` hook runs.
    ///
    /// # Source
    ///
    /// `U/runner/context/contextfactory.go`; 2.9 and some builds of 4.0 list it.
    pub(crate) fn hides_broken_relation(self) -> bool {
        self.major == 3
    }

    /// Whether an action takes parameters that its schema does not name, when the schema is silent.
    ///
    /// # Source
    ///
    /// `internal/charm/actions.go`: closed in current lines, open in older ones.
    pub(crate) fn opens_action_parameters(self) -> bool {
        self.major == 2
    }

    /// Whether the agent speaks of "hook commands" in its refusals.
    pub(crate) fn says_hook_command(self) -> bool {
        self.major >= 4
    }
}

impl Default for JujuVersion {
    fn default() -> Self {
        Self::V3_6
    }
}

impl fmt::Display for JujuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
