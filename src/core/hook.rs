//! What may happen to a unit: the events of Juju, from a dispatch path.

use std::fmt;

use crate::name::EndpointName;

/// The five events in the life of a relation, in this order of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelationEvent {
    /// The relation exists; no remote unit has been seen.
    Created,
    /// A remote unit came.
    Joined,
    /// A remote unit's data changed, or the remote application's.
    Changed,
    /// A remote unit left; its last data can still be read.
    Departed,
    /// The relation is gone.
    Broken,
}

/// What happened to a storage instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageEvent {
    /// It is there.
    Attached,
    /// It is about to go.
    Detaching,
}

/// What happened to a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretEvent {
    /// A consumer tracks an older revision than the latest.
    Changed,
    /// The owner's secret is past its time.
    Expired,
    /// The owner may remove a revision that nobody tracks.
    Remove,
    /// The owner should make a new revision.
    Rotate,
}

/// What happened in a workload container (Kubernetes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkloadEvent {
    /// Pebble answers.
    PebbleReady,
    /// Somebody sent a custom notice.
    CustomNotice,
    /// A check failed.
    CheckFailed,
    /// A check recovered.
    CheckRecovered,
}

/// Why Juju runs the charm: the typed form of `JUJU_DISPATCH_PATH`.
///
/// Every hook of Juju 2.9, 3.x and 4.x has a variant; a name nobody knows yet is carried
/// through in [`HookEvent::Other`], and a run that is neither a hook nor an action (a
/// script of `juju-exec`) is [`HookEvent::Exec`].
///
/// # Source
///
/// `internal/charm/hooks/hooks.go` of Juju for the names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookEvent {
    /// `install`
    Install,
    /// `start`
    Start,
    /// `stop`
    Stop,
    /// `remove`
    Remove,
    /// `config-changed`
    ConfigChanged,
    /// `update-status`
    UpdateStatus,
    /// `upgrade-charm`
    UpgradeCharm,
    /// `leader-elected`
    LeaderElected,
    /// `leader-deposed`: a known name that no release sends.
    LeaderDeposed,
    /// `leader-settings-changed`, up to 3.x.
    LeaderSettingsChanged,
    /// `collect-metrics`, up to 3.x, restricted.
    CollectMetrics,
    /// `meter-status-changed`, up to 3.x, restricted.
    MeterStatusChanged,
    /// `pre-series-upgrade`, up to 3.x.
    PreSeriesUpgrade,
    /// `post-series-upgrade`, up to 3.x.
    PostSeriesUpgrade,
    /// `<endpoint>-relation-<event>`
    Relation {
        /// The endpoint on our side.
        endpoint: EndpointName,
        /// What happened.
        event: RelationEvent,
    },
    /// `<storage>-storage-<event>`
    Storage {
        /// The name of the storage in the metadata.
        storage: String,
        /// What happened.
        event: StorageEvent,
    },
    /// `secret-<event>`
    Secret(SecretEvent),
    /// `<container>-pebble-<event>`
    Workload {
        /// The name of the container in the metadata.
        container: String,
        /// What happened.
        event: WorkloadEvent,
    },
    /// `actions/<name>`
    Action(String),
    /// `wake-up`: the daemon of the unit runs the charm, because something ended that it watches; no hook of Juju.
    WakeUp,
    /// A hook whose name is not known here, for example one of a later Juju.
    Other(String),
    /// Neither hook nor action: a script in a hook context.
    Exec,
}

/// The hooks without an argument in their name.
const PLAIN: &[(&str, HookEvent)] = &[
    ("install", HookEvent::Install),
    ("start", HookEvent::Start),
    ("stop", HookEvent::Stop),
    ("remove", HookEvent::Remove),
    ("config-changed", HookEvent::ConfigChanged),
    ("update-status", HookEvent::UpdateStatus),
    ("upgrade-charm", HookEvent::UpgradeCharm),
    ("leader-elected", HookEvent::LeaderElected),
    ("leader-deposed", HookEvent::LeaderDeposed),
    ("leader-settings-changed", HookEvent::LeaderSettingsChanged),
    ("collect-metrics", HookEvent::CollectMetrics),
    ("meter-status-changed", HookEvent::MeterStatusChanged),
    ("pre-series-upgrade", HookEvent::PreSeriesUpgrade),
    ("post-series-upgrade", HookEvent::PostSeriesUpgrade),
    ("secret-changed", HookEvent::Secret(SecretEvent::Changed)),
    ("secret-expired", HookEvent::Secret(SecretEvent::Expired)),
    ("secret-remove", HookEvent::Secret(SecretEvent::Remove)),
    ("secret-rotate", HookEvent::Secret(SecretEvent::Rotate)),
    ("wake-up", HookEvent::WakeUp),
];

const RELATION: &[(&str, RelationEvent)] = &[
    ("-relation-created", RelationEvent::Created),
    ("-relation-joined", RelationEvent::Joined),
    ("-relation-changed", RelationEvent::Changed),
    ("-relation-departed", RelationEvent::Departed),
    ("-relation-broken", RelationEvent::Broken),
];

const STORAGE: &[(&str, StorageEvent)] =
    &[("-storage-attached", StorageEvent::Attached), ("-storage-detaching", StorageEvent::Detaching)];

const WORKLOAD: &[(&str, WorkloadEvent)] = &[
    ("-pebble-ready", WorkloadEvent::PebbleReady),
    ("-pebble-custom-notice", WorkloadEvent::CustomNotice),
    ("-pebble-check-failed", WorkloadEvent::CheckFailed),
    ("-pebble-check-recovered", WorkloadEvent::CheckRecovered),
];

/// The part of `name` before the first suffix of `table` that fits, and what it stands for.
fn split_suffix<'a, T: Copy>(name: &'a str, table: &[(&str, T)]) -> Option<(&'a str, T)> {
    table.iter().find_map(|(suffix, value)| {
        let stem = name.strip_suffix(suffix)?;
        (!stem.is_empty()).then_some((stem, *value))
    })
}

/// The suffix of `table` that stands for `value`.
fn suffix_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, entry)| entry == value).expect("the table has every variant").0
}

impl HookEvent {
    /// The event of a hook with this name, for example `metrics-relation-changed`.
    ///
    /// Never fails: a name that is not known becomes [`HookEvent::Other`].
    pub fn from_hook_name(name: &str) -> Self {
        if let Some((_, event)) = PLAIN.iter().find(|(known, _)| *known == name) {
            return event.clone();
        }
        if let Some((stem, event)) = split_suffix(name, RELATION)
            && let Ok(endpoint) = EndpointName::parse(stem)
        {
            return Self::Relation { endpoint, event };
        }
        if let Some((stem, event)) = split_suffix(name, STORAGE) {
            return Self::Storage { storage: stem.to_owned(), event };
        }
        if let Some((stem, event)) = split_suffix(name, WORKLOAD) {
            return Self::Workload { container: stem.to_owned(), event };
        }
        Self::Other(name.to_owned())
    }

    /// The event of a dispatch path, for example `hooks/install` or `actions/backup`.
    pub fn from_dispatch_path(path: &str) -> Self {
        if path.is_empty() {
            return Self::Exec;
        }
        if let Some(action) = path.strip_prefix("actions/") {
            return Self::Action(action.to_owned());
        }
        Self::from_hook_name(path.strip_prefix("hooks/").unwrap_or(path))
    }

    /// The event of `endpoint`.
    pub fn relation(endpoint: EndpointName, event: RelationEvent) -> Self {
        Self::Relation { endpoint, event }
    }

    /// Whether Juju runs this hook without most hook commands: no model, no state.
    ///
    /// # Source
    ///
    /// The metrics and meter status workers of Juju up to 3.x use a restricted context.
    pub fn is_restricted(&self) -> bool {
        matches!(self, Self::CollectMetrics | Self::MeterStatusChanged)
    }

    /// The name of the action, when this is one.
    pub fn action(&self) -> Option<&str> {
        match self {
            Self::Action(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for HookEvent {
    /// Writes the name that Juju gives the event; an action's name alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation { endpoint, event } => write!(f, "{endpoint}{}", suffix_of(RELATION, event)),
            Self::Storage { storage, event } => write!(f, "{storage}{}", suffix_of(STORAGE, event)),
            Self::Workload { container, event } => write!(f, "{container}{}", suffix_of(WORKLOAD, event)),
            Self::Action(name) | Self::Other(name) => f.write_str(name),
            Self::Exec => f.write_str("juju-exec"),
            plain => {
                let known = PLAIN.iter().find(|(_, event)| event == plain);
                f.write_str(known.expect("every other variant is in the table").0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_hook_prints_the_name_it_was_read_from() {
        let argument = ["db-relation-joined", "data-storage-attached", "redis-pebble-custom-notice"];
        let suffixes = RELATION.iter().map(|(suffix, _)| *suffix);
        let suffixes = suffixes.chain(STORAGE.iter().map(|(suffix, _)| *suffix));
        let suffixes = suffixes.chain(WORKLOAD.iter().map(|(suffix, _)| *suffix));
        let made = suffixes.map(|suffix| format!("a-b{suffix}"));
        let names = PLAIN.iter().map(|(name, _)| (*name).to_owned());
        for name in names.chain(argument.map(str::to_owned)).chain(made) {
            let event = HookEvent::from_dispatch_path(&format!("hooks/{name}"));
            assert!(!matches!(event, HookEvent::Other(_)), "`{name}` is not known");
            assert_eq!(event.to_string(), name);
        }
    }

    #[test]
    fn an_unknown_hook_is_carried_through() {
        for name in ["unheard-of", "-relation-joined", "a b-relation-joined", "relation-joined", "é"] {
            assert_eq!(HookEvent::from_hook_name(name), HookEvent::Other(name.to_owned()));
            assert_eq!(HookEvent::from_hook_name(name).to_string(), name);
        }
    }

    #[test]
    fn an_endpoint_may_sound_like_a_hook() {
        let event = HookEvent::from_hook_name("x-relation-joined-relation-changed");
        let endpoint = EndpointName::parse("x-relation-joined").expect("a valid name");
        assert_eq!(event, HookEvent::relation(endpoint, RelationEvent::Changed));
    }

    #[test]
    fn a_run_without_dispatch_path_is_a_script() {
        assert_eq!(HookEvent::from_dispatch_path(""), HookEvent::Exec);
        assert_eq!(HookEvent::from_dispatch_path("actions/install"), HookEvent::Action("install".to_owned()));
    }
}
