//! A unit: how far its life is, what it has been shown, what it says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::rc::Rc;

use charms_reactive_core::{Databag, EndpointName, HookEvent, UnitName};

use super::network::Network;
use super::storage::StorageId;
use super::workload::{Pod, Workload};
use crate::metadata::Charm;

/// How far a thing of the model is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// It is there.
    Alive,
    /// It has been told to go, and is not gone yet.
    Dying,
    /// It is gone.
    Dead,
}

/// A status and the text beside it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StatusEntry {
    /// The word, for example `active`.
    pub status: String,
    /// The text beside it.
    pub message: String,
}

impl StatusEntry {
    pub(crate) fn new(status: &str, message: &str) -> Self {
        Self { status: status.to_owned(), message: message.to_owned() }
    }
}

/// One hook that is due, with all that was decided when it was chosen.
///
/// A failed hook is kept in this form and run again as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) event: HookEvent,
    pub(crate) relation: Option<HookRelation>,
    pub(crate) secret: Option<HookSecret>,
    pub(crate) storage: Option<StorageId>,
    pub(crate) workload: Option<Box<Workload>>,
}

/// The secret that a hook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookSecret {
    pub(crate) id: String,
    pub(crate) revision: u32,
    /// The unit's own label for it, as its owner or as a consumer.
    pub(crate) label: String,
}

/// The relation that a hook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookRelation {
    pub(crate) number: u32,
    /// The remote unit; none where `JUJU_REMOTE_UNIT` is empty.
    pub(crate) remote_unit: Option<UnitName>,
    /// The version of the remote data that the hook will have shown.
    pub(crate) version: u64,
}

impl Hook {
    pub(crate) fn plain(event: HookEvent) -> Self {
        Self { event, relation: None, secret: None, storage: None, workload: None }
    }
}

/// A hook that failed and has to be run again.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) hook: Hook,
    /// How often it was run.
    pub(crate) attempts: u32,
    pub(crate) error: String,
}

/// A relation as one unit sees it.
///
/// # Source
///
/// `U/relation/{state,statetracker}.go`: `Members`, `ApplicationMembers`, `ChangedPending`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Membership {
    /// Whether `-created` was run.
    pub(crate) is_created: bool,
    /// The remote units that the charm was told about, with the version of their data last shown.
    pub(crate) members: BTreeMap<UnitName, u64>,
    /// The version of the remote application's data last shown.
    pub(crate) application_version: u64,
    /// The unit that gets `-changed` next, because it has just joined.
    pub(crate) changed_pending: Option<UnitName>,
    /// Data of members, read by earlier hooks and kept until a hook for the member starts.
    ///
    /// # Source
    ///
    /// `U/runner/context/cache.go`.
    pub(crate) cache: Rc<BTreeMap<UnitName, Databag>>,
}

/// A protocol, and ports of it.
///
/// # Invariants
///
/// `from <= to`; both are zero for `icmp`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PortRange {
    pub(crate) protocol: String,
    pub(crate) from: u16,
    pub(crate) to: u16,
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.protocol.as_str(), self.from, self.to) {
            ("icmp", ..) => f.write_str("icmp"),
            (protocol, from, to) if from == to => write!(f, "{from}/{protocol}"),
            (protocol, from, to) => write!(f, "{from}-{to}/{protocol}"),
        }
    }
}

/// A range of ports, opened for an endpoint; for all of them without one.
pub(crate) type OpenPort = (PortRange, Option<EndpointName>);

/// Where a new unit is put.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) machine: u32,
    pub(crate) address: Ipv4Addr,
    pub(crate) principal: Option<UnitName>,
}

/// A unit of the model.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the agent's own books: each fact holds apart from the others"
)]
pub(crate) struct Unit {
    pub(crate) name: UnitName,
    pub(crate) machine: u32,
    pub(crate) address: Ipv4Addr,
    /// The availability zone of its machine.
    pub(crate) zone: String,
    /// Addresses of single bindings, where they differ from the unit's.
    pub(crate) networks: BTreeMap<String, Network>,
    /// The unit that this one lives beside, for subordinates.
    pub(crate) principal: Option<UnitName>,
    pub(crate) life: Life,
    /// The charm whose files the unit has; an upgrade lags behind the application's.
    pub(crate) charm: Rc<Charm>,
    pub(crate) charm_revision: u32,
    /// The application's count of upgrades and new resources, as the unit has taken it over.
    pub(crate) charm_modified: u32,
    /// Whether its agent learns of upgrades later.
    pub(crate) is_upgrade_held: bool,
    /// Whether the charm's files lie in the unit's folder.
    pub(crate) has_files: bool,
    pub(crate) is_installed: bool,
    pub(crate) is_started: bool,
    pub(crate) is_stopped: bool,
    /// Whether `remove` was run, and only subordinates keep the unit.
    pub(crate) is_removed: bool,
    /// Whether the machine was restarted since the last `start`.
    pub(crate) is_rebooted: bool,
    /// The digest of what `config-changed` was last run for.
    pub(crate) config_shown: Option<u64>,
    pub(crate) is_leader_shown: bool,
    pub(crate) leader_settings_shown: Option<u64>,
    pub(crate) is_update_status_due: bool,
    /// A hook that follows from the one before, whatever else there is to do in its group.
    pub(crate) queued: Option<Hook>,
    pub(crate) failed: Option<Failed>,
    pub(crate) workload: StatusEntry,
    /// Whether the charm has ever said a status itself.
    pub(crate) is_status_said: bool,
    pub(crate) workload_version: String,
    pub(crate) state: BTreeMap<String, String>,
    pub(crate) ports: BTreeSet<OpenPort>,
    pub(crate) relations: BTreeMap<u32, Membership>,
    /// Secrets that the unit tracks: the revision, and the label it gave.
    pub(crate) tracked: BTreeMap<String, Tracked>,
    /// Secrets whose newest revision the unit was told about.
    pub(crate) secrets_shown: BTreeMap<String, u32>,
    /// Revisions of its own secrets that nobody tracks any more, as far as the unit was told.
    pub(crate) obsolete_shown: BTreeSet<(String, u32)>,
    /// Storage that `-storage-attached` was run for.
    pub(crate) storage_shown: BTreeSet<StorageId>,
    /// What Kubernetes does with the unit.
    pub(crate) pod: Pod,
    pub(crate) series: SeriesStep,
    /// Payloads by class and id: type, status, labels.
    pub(crate) payloads: BTreeMap<(String, String), Payload>,
    /// What the charm measured last, by metric.
    pub(crate) metrics: BTreeMap<String, String>,
}

/// How far the machine's move to another series is, for one of its units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum SeriesStep {
    /// There is none.
    #[default]
    None,
    /// `pre-series-upgrade` is due, with this series to come.
    Prepare(String),
    /// The machine may be upgraded; nothing runs until that is said to be done.
    Prepared(String),
    /// `post-series-upgrade` is due.
    Complete,
}

/// A piece of workload that a charm told Juju about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Payload {
    /// For example `docker`; from `payloads` in the metadata.
    #[serde(rename = "type")]
    pub kind: String,
    /// `starting`, `running`, `stopping` or `stopped`.
    pub status: String,
    /// Words of the charm.
    pub labels: Vec<String>,
}

/// A secret as one consumer sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub(crate) revision: u32,
    pub(crate) label: Option<String>,
}

impl Unit {
    /// A unit that nothing has happened to yet.
    pub(crate) fn new(name: UnitName, place: Place, application: &super::Application) -> Self {
        Self {
            name,
            machine: place.machine,
            address: place.address,
            principal: place.principal,
            zone: String::new(),
            networks: BTreeMap::new(),
            life: Life::Alive,
            charm: Rc::clone(&application.charm),
            charm_revision: application.charm_revision,
            charm_modified: application.charm_modified,
            is_upgrade_held: false,
            has_files: false,
            is_installed: false,
            is_started: false,
            is_stopped: false,
            is_removed: false,
            is_rebooted: false,
            config_shown: None,
            is_leader_shown: false,
            leader_settings_shown: None,
            is_update_status_due: false,
            queued: None,
            failed: None,
            workload: StatusEntry::new("waiting", "waiting for machine"),
            is_status_said: false,
            workload_version: String::new(),
            state: BTreeMap::new(),
            ports: BTreeSet::new(),
            relations: BTreeMap::new(),
            tracked: BTreeMap::new(),
            secrets_shown: BTreeMap::new(),
            obsolete_shown: BTreeSet::new(),
            storage_shown: BTreeSet::new(),
            pod: Pod::default(),
            series: SeriesStep::None,
            payloads: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }

    /// The unit that shares its machine or pod with its subordinates: the principal, or the unit itself.
    pub(crate) fn group(&self) -> &UnitName {
        self.principal.as_ref().unwrap_or(&self.name)
    }

    /// The agent's status: the word and the text in the table of `juju status`.
    pub(crate) fn agent_status(&self) -> StatusEntry {
        match &self.failed {
            Some(_) => StatusEntry::new("error", &self.error_text().unwrap_or_default()),
            None if !self.is_installed => StatusEntry::new("allocating", ""),
            None => StatusEntry::new("idle", ""),
        }
    }

    /// The message of a unit in error.
    pub(crate) fn error_text(&self) -> Option<String> {
        self.failed.as_ref().map(|failed| format!("hook failed: \"{}\"", failed.hook.event))
    }
}
