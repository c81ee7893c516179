//! The effects of a dispatch, as values: nothing has been done yet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use charms_reactive_core::{EndpointName, WorkloadStatus};
use indexmap::IndexMap;

use crate::file::FileEffect;
use crate::handler::HandlerError;
use crate::secret::SecretDeed;
use crate::wake::When;

/// What a unit says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How it is.
    pub status: WorkloadStatus,
    /// One line for the operator.
    pub message: String,
}

/// Names for the four statuses, to be given to [`crate::Hook::status`]: `Active("ready")`.
macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<T>(pub T);

        impl<T: Into<String>> From<$name<T>> for Status {
            fn from(named: $name<T>) -> Self {
                Status { status: WorkloadStatus::$name, message: named.0.into() }
            }
        }
    )*};
}
statuses! {
    /// Fine: nobody need act.
    Active,
    /// Busy: nobody need act.
    Maintenance,
    /// Another application or Juju must act; resolves by itself.
    Waiting,
    /// A human must act; the message says what to do.
    Blocked
}

/// Work to be done once the files of the plan are written, for example a reload.
pub(crate) type AfterFiles = Box<dyn FnOnce() -> Result<(), HandlerError>>;

/// The effects of a dispatch, besides relation data and flags.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) files: IndexMap<PathBuf, FileEffect>,
    pub(crate) after_files: Vec<(String, AfterFiles)>,
    /// Whether a port is to be open: for an endpoint, or, without one, for all of them.
    pub(crate) ports: BTreeMap<(String, Option<EndpointName>), bool>,
    /// How many more instances of a storage the unit is to have.
    pub(crate) storage: BTreeMap<String, u32>,
    /// What is to be done with secrets, in this order.
    pub(crate) secret_deeds: Vec<SecretDeed>,
    pub(crate) is_reboot_due: bool,
    pub(crate) statuses: Vec<Status>,
    pub(crate) application_status: Option<Status>,
    pub(crate) workload_version: Option<String>,
    /// What the leader sets for all units; an empty text removes its key.
    pub(crate) leader_settings: BTreeMap<String, String>,
    /// Secrets by relation and request: what is to be in them; None for one to be removed.
    pub(crate) secrets: BTreeMap<String, Option<BTreeMap<String, String>>>,
    /// When the daemon is to wake the unit; None for a wake-up that is no longer wanted.
    pub(crate) wake_ups: BTreeMap<String, Option<When>>,
    pub(crate) results: BTreeMap<String, String>,
    pub(crate) failure: Option<String>,
}

impl Plan {
    /// Whether nothing is planned.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.after_files.is_empty()
            && self.ports.is_empty()
            && self.storage.is_empty()
            && self.secret_deeds.is_empty()
            && !self.is_reboot_due
            && self.statuses.is_empty()
            && self.application_status.is_none()
            && self.workload_version.is_none()
            && self.leader_settings.is_empty()
    }

    /// The status to show: the most severe, of equals the last.
    ///
    /// # Source
    ///
    /// layer-status: the highest class present wins, within a class the last call.
    pub(crate) fn status(&self) -> Option<&Status> {
        self.statuses.iter().max_by_key(|status| status.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_status_is_shown_and_of_equals_the_last() {
        let mut plan = Plan::default();
        assert_eq!(plan.status(), None);
        plan.statuses =
            vec![Active("a").into(), Blocked("b").into(), Waiting("c").into(), Blocked("d").into()];
        assert_eq!(plan.status(), Some(&Blocked("d").into()));
    }
}
