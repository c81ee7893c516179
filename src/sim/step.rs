//! What an operator does, as values: lists of steps can be written down, drawn from a seed, run, and made
//! shorter.

mod form;
mod possible;
mod run;
mod simpler;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use form::{named, span};
pub use possible::Possible;
pub use run::Done;
pub(crate) use run::Names;

/// One thing that happens to a model.
///
/// # Form
///
/// Written and read in the words of `juju`, where it has some: `add-unit: web`, `integrate: [web:db, db]`,
/// `config: {web: {port: 80}}`, `settle`.  The same in YAML and in JSON; as text, on one line.
///
/// ```
/// use charms_reactive_sim::Step;
///
/// let step = Step::configure("web", "port", "80");
/// assert_eq!(step.to_string(), "config: {web: {port: \"80\"}}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Step {
    /// A charm that has a name (see [`Sim::name_charm`](crate::Sim::name_charm)) is deployed.
    Deploy {
        /// The name of the application.
        application: String,
        /// The name of the charm.
        charm: String,
        /// How many units it has.
        #[serde(default)]
        units: u32,
    },
    /// An application goes, with its units and relations.
    RemoveApplication(String),
    /// An application gets one more unit.
    AddUnit(String),
    /// An application gets one more unit, on the machine of another unit.
    #[serde(with = "named")]
    AddUnitBeside(String, String),
    /// A unit goes, through its last hooks.
    RemoveUnit(String),
    /// A unit is lost with its machine.
    LoseUnit(String),
    /// An application has so many units.
    #[serde(with = "named", rename = "scale-application")]
    Scale(String, usize),
    /// Two endpoints are related.
    #[serde(rename = "integrate")]
    Relate(String, String),
    /// Two endpoints are not related any more.
    #[serde(rename = "remove-relation")]
    Unrelate(String, String),
    /// A relation with an offer of another model pauses.
    SuspendRelation(String, String),
    /// A relation with an offer of another model goes on.
    ResumeRelation(String, String),
    /// A key of a databag gets another value, at once, as if its owner had written it; none for an empty one.
    WriteDatabag {
        /// The endpoints of the relation, one for peers.
        relation: Vec<String>,
        /// The unit or application whose databag it is.
        of: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Options of an application get values, all or none.  `secret:NAME` stands for the secret that was
    /// added under this name.
    #[serde(with = "named", rename = "config")]
    Configure(String, BTreeMap<String, String>),
    /// Options of an application get their defaults again.
    #[serde(with = "named")]
    ResetConfig(String, Vec<String>),
    /// An application is trusted with the cloud's credential, or not any more.
    #[serde(with = "named")]
    Trust(String, bool),
    /// Resources of an application get other contents.
    #[serde(with = "named")]
    AttachResource(String, BTreeMap<String, String>),
    /// An application gets another charm, by its name.
    #[serde(with = "named", rename = "refresh")]
    Upgrade(String, String),
    /// An application gets another charm, by its name; units in error take over its files, too.
    #[serde(with = "named", rename = "refresh-forced")]
    UpgradeForced(String, String),
    /// Another unit leads.
    SetLeader(String),
    /// A unit that leads does not any more; another one does, or nobody where there is no other.
    LoseLeadership(String),
    /// The timer of `update-status` fires for a unit.
    UpdateStatus(String),
    /// A unit's machine restarts.
    Reboot(String),
    /// The agent of a unit does not run any more.
    StopAgent(String),
    /// The agent of a unit runs again.
    StartAgent(String),
    /// The failed hook of a unit is run again, at once.
    Resolved(String),
    /// The failed hook of a unit is given up, as if it had succeeded.
    ResolvedNoRetry(String),
    /// An action is run, and waited for: unit, action, parameters.
    #[serde(rename = "run")]
    RunAction(String, String, #[serde(default, skip_serializing_if = "Map::is_empty")] Map<String, Value>),
    /// An action is asked for, and run when its unit comes to it.
    #[serde(rename = "run-in-background")]
    EnqueueAction(
        String,
        String,
        #[serde(default, skip_serializing_if = "Map::is_empty")] Map<String, Value>,
    ),
    /// An action that was asked for is taken back, by its number.
    #[serde(rename = "cancel-task")]
    CancelAction(u32),
    /// A bash script is run in a hook context of a unit.
    #[serde(with = "named")]
    Exec(String, String),
    /// The cloud takes its time from now on to make storage, or not any more.
    HoldStorage(bool),
    /// The cloud has made a storage instance.
    ProvideStorage(String),
    /// A unit gets more storage: unit, storage, how many instances.
    AddStorage(String, String, u32),
    /// A unit gives a storage instance up.
    DetachStorage(String),
    /// A unit gets a storage instance that nobody has.
    #[serde(with = "named")]
    AttachStorage(String, String),
    /// A storage instance goes.
    RemoveStorage(String),
    /// A secret of the operator is made, under a name.
    #[serde(with = "named")]
    AddSecret(String, BTreeMap<String, String>),
    /// A secret of the operator gets another content.
    #[serde(with = "named")]
    UpdateSecret(String, BTreeMap<String, String>),
    /// An application may read a secret of the operator: secret, application.
    GrantSecret(String, String),
    /// A secret of the operator goes.
    RemoveSecret(String),
    /// Nobody but its owner may read a secret any more.  Secrets of charms go by their label.
    RevokeSecret(String),
    /// The time has come for a new revision of a secret.
    RotateSecret(String),
    /// The time of the newest revision of a secret is over.
    ExpireSecret(String),
    /// The machine of a unit gets an address that nobody has had.
    ChangeAddress(String),
    /// The machine of a unit gets this address.
    #[serde(with = "named")]
    SetAddress(String, Ipv4Addr),
    /// A binding of a unit gets an address of its own: unit, binding, address.
    SetNetwork(String, String, Ipv4Addr),
    /// Metrics are collected from a unit.
    CollectMetrics(String),
    /// The model's meter shows another colour and text.
    SetMeterStatus(String, String),
    /// A machine is about to move to another series.
    #[serde(with = "named")]
    PrepareSeriesUpgrade(String, String),
    /// A machine has moved to another series.
    CompleteSeriesUpgrade(String),
    /// Kubernetes ends the pod of a unit and starts another.
    ReplacePod(String),
    /// The pod of a unit is lost, and another one started.
    LosePod(String),
    /// A workload container restarts.
    #[serde(with = "named")]
    RestartContainer(String, String),
    /// A custom notice comes: unit, container, key.
    Notify(String, String, String),
    /// A check of a workload container fails: unit, container, check.
    FailCheck(String, String, String),
    /// A check of a workload container succeeds again: unit, container, check.
    RecoverCheck(String, String, String),
    /// The charm is killed at one of the next hook commands, counted from 0.
    KillAt(usize),
    /// Juju refuses one of the next hook commands, counted from 0.
    RefuseAt(usize),
    /// Juju refuses the next hook command of this name.
    Refuse(String),
    /// The unit that asks for one of the next hook commands, counted from 0, does not lead any more.
    LoseLeadershipAt(usize),
    /// The unit that asks for one of the next hook commands, counted from 0, has another address.
    ChangeAddressAt(usize),
    /// A secret is revoked right before one of the next hook commands, counted from 0.
    #[serde(with = "named")]
    RevokeSecretAt(String, usize),
    /// Juju cannot make the changes of the next hook visible, for this reason.
    FailCommit(String),
    /// The agent dies at the end of the next hook, before its changes are visible, and runs it again.
    LoseCommit,
    /// One hook is run.
    Hook,
    /// Hooks are run until none is due.
    Settle,
    /// Time passes.
    #[serde(with = "span")]
    Advance(Duration),
}

impl Step {
    /// An option of an application gets a value.
    pub fn configure(
        application: impl Into<String>,
        option: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self::Configure(application.into(), BTreeMap::from([(option.into(), value.into())]))
    }

    /// What takes back those of `steps` that would keep a model from coming to rest: agents that were
    /// stopped run again.
    pub fn healing(steps: &[Self]) -> Vec<Self> {
        let mut stopped: Vec<&String> = Vec::new();
        for step in steps {
            match step {
                Self::StopAgent(unit) if !stopped.contains(&unit) => stopped.push(unit),
                Self::StartAgent(unit) => stopped.retain(|other| *other != unit),
                _ => {}
            }
        }
        stopped.into_iter().map(|unit| Self::StartAgent(unit.clone())).collect()
    }
}

/// The derived form, which [`Step`] wears as a map with one entry in every format.
struct Plain<S>(S);

impl Serialize for Plain<&Step> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Step::serialize(self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Plain<Step> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Step::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_yaml::with::singleton_map::serialize(&Plain(self), serializer)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_yaml::with::singleton_map::deserialize(deserializer).map(|Plain(step)| step)
    }
}

impl fmt::Display for Step {
    /// Writes the step as a list of steps in YAML has it, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self).map_err(|_| fmt::Error)? {
            Value::Object(map) => {
                map.iter().try_for_each(|(name, value)| write!(f, "{name}: {}", form::flow(value)))
            }
            value => f.write_str(&form::flow(&value)),
        }
    }
}

#[cfg(test)]
mod tests;
