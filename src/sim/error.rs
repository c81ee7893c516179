//! Why a simulation cannot go on.
//!
//! A hook that fails is not in here: it is what a model has to cope with, and shows as a unit in
//! error.  These are the operator's mistakes, charms that Juju would not take, and the system's
//! failures.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use charms_reactive_core::{ApplicationName, NameError, UnitName};

use crate::metadata::CharmError;
use crate::version::JujuVersion;

/// Any failure of a call on a [`crate::Sim`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The charm is not one that Juju would take.
    #[error(transparent)]
    Charm(#[from] CharmError),
    /// Juju would refuse what the operator asks for.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A hook could not be run, or did not end as it must.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Why the model refuses what the operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No such application.
    #[error("application `{name}` not found")]
    NoApplication {
        /// What was asked for.
        name: ApplicationName,
    },
    /// The name is taken.
    #[error("cannot add application `{name}`: application already exists")]
    ApplicationExists {
        /// The name.
        name: ApplicationName,
    },
    /// No such unit.
    #[error("unit `{name}` not found")]
    NoUnit {
        /// What was asked for.
        name: UnitName,
    },
    /// No such relation.
    #[error("relation {number} not found")]
    NoRelation {
        /// What was asked for.
        number: u32,
    },
    /// It is on its way out.
    #[error("`{what}` is not alive")]
    NotAlive {
        /// An application, a unit or a relation.
        what: String,
    },
    /// No pair of endpoints fits.
    #[error("no relation found between `{one}` and `{other}`: {reason}")]
    NoEndpoints {
        /// One side.
        one: String,
        /// The other side.
        other: String,
        /// What does not fit.
        reason: String,
    },
    /// Several pairs of endpoints fit.
    #[error("ambiguous relation: `{one}` and `{other}` could refer to {possible}")]
    Ambiguous {
        /// One side.
        one: String,
        /// The other side.
        other: String,
        /// The pairs, separated by semicolons.
        possible: String,
    },
    /// The two are related already.
    #[error("relation `{key}` already exists")]
    RelationExists {
        /// Both endpoints.
        key: String,
    },
    /// A charm takes no more relations on this endpoint.
    #[error(
        "establishing a new relation for `{endpoint}` would exceed its maximum relation limit of {limit}"
    )]
    Limit {
        /// Application and endpoint.
        endpoint: String,
        /// The limit in its metadata.
        limit: usize,
    },
    /// An option that the charm does not have.
    #[error("unknown option \"{name}\"")]
    NoOption {
        /// Its name.
        name: String,
    },
    /// The text is not a value of the option's type.
    #[error("option \"{name}\" expected {expected}, got \"{text}\"")]
    OptionType {
        /// The option.
        name: String,
        /// Its type.
        expected: &'static str,
        /// The text.
        text: String,
    },
    /// No such action.
    #[error("action `{name}` not defined on unit `{unit}`")]
    NoAction {
        /// Its name.
        name: String,
        /// The unit.
        unit: UnitName,
    },
    /// The parameters of an action are not what its schema says.
    #[error("validation failed: {reason}")]
    Parameters {
        /// What is wrong, in Juju's words.
        reason: String,
    },
    /// A script cannot be about this remote unit.
    #[error("{reason}")]
    RemoteUnit {
        /// In Juju's words.
        reason: String,
    },
    /// The unit cannot run anything yet, or any more.
    #[error("unit `{name}` is not installed")]
    NotInstalled {
        /// The unit.
        name: UnitName,
    },
    /// The unit has no failed hook.
    #[error("unit `{name}` is not in an error state")]
    NotInError {
        /// The unit.
        name: UnitName,
    },
    /// The new charm has lost an endpoint that is related.
    #[error("cannot upgrade: would break relation of `{endpoint}`")]
    UpgradeBreaks {
        /// Application and endpoint.
        endpoint: String,
    },
    /// The application is a subordinate: its units come with their principals.
    #[error("cannot add unit to application \"{name}\": application is a subordinate")]
    Subordinate {
        /// The application.
        name: ApplicationName,
    },
    /// A subordinate goes with its relation.
    #[error(
        "unit \"{name}\" is a subordinate, to remove use remove-relation. Note: this will remove all units of \"{}\"",
        name.application()
    )]
    SubordinateUnit {
        /// The unit.
        name: UnitName,
    },
    /// On Kubernetes, units come and go from the end.
    #[error("unit `{name}` cannot go alone on Kubernetes, where the unit with the highest number goes first")]
    NotLastPod {
        /// The unit.
        name: UnitName,
    },
    /// A relation of scope `container` between two applications that live on machines of their own.
    #[error("cannot relate `{key}`: scope is container, and neither side is a subordinate")]
    NoSubordinate {
        /// Both endpoints.
        key: String,
    },
    /// Only relations with an offer of another model can pause.
    #[error("cannot suspend relation `{key}`: it is with no offer of another model")]
    NoOffer {
        /// Both endpoints.
        key: String,
    },
    /// No such machine.
    #[error("machine {number} not found")]
    NoMachine {
        /// What was asked for.
        number: u32,
    },
    /// Pods are placed by Kubernetes.
    #[error("{what} needs a model of machines, this one is on Kubernetes")]
    OnlyMachines {
        /// What was asked for.
        what: &'static str,
    },
    /// Machines have no pods.
    #[error(
        "{what} needs a model on Kubernetes, this one is of machines: choose it with `Builder::kubernetes`"
    )]
    OnlyKubernetes {
        /// What was asked for.
        what: &'static str,
    },
    /// The simulated Juju does not have it.
    #[error("Juju {version} does not have {what}")]
    NotInJuju {
        /// What was asked for.
        what: &'static str,
        /// The simulated Juju.
        version: JujuVersion,
    },
    /// No such workload container.
    #[error("charm of unit `{unit}` has no container `{name}`")]
    NoContainer {
        /// What was asked for.
        name: String,
        /// The unit.
        unit: UnitName,
    },
    /// No such storage instance.
    #[error("storage `{id}` not found")]
    NoStorage {
        /// What was asked for.
        id: String,
    },
    /// Nobody has the storage instance.
    #[error("storage `{id}` is not attached")]
    StorageNotAttached {
        /// Its id.
        id: String,
    },
    /// Somebody has the storage instance.
    #[error("storage `{id}` is attached already")]
    StorageAttached {
        /// Its id.
        id: String,
    },
    /// The charm does not take so many instances of a storage, or so few.
    #[error("storage `{name}`: {reason}")]
    StorageCount {
        /// The storage in the metadata.
        name: String,
        /// In Juju's words.
        reason: String,
    },
    /// The charm has no such resource.
    #[error("application `{application}` has no resource `{name}`")]
    NoResource {
        /// What was asked for.
        name: String,
        /// The application.
        application: ApplicationName,
    },
    /// No such secret.
    #[error("secret `{id}` not found")]
    NoSecret {
        /// What was asked for.
        id: String,
    },
    /// The secret cannot come to that moment.
    #[error("secret `{id}` has {lacks}")]
    SecretMoment {
        /// The secret.
        id: String,
        /// For example `no expiry time`.
        lacks: &'static str,
    },
    /// No such binding.
    #[error("unit `{unit}` has no binding `{name}`")]
    NoBinding {
        /// What was asked for.
        name: String,
        /// The unit.
        unit: UnitName,
    },
    /// The machine is not at this point of its move to another series.
    #[error("machine of unit `{name}` is not {expected}")]
    Series {
        /// The unit.
        name: UnitName,
        /// What it would have to be.
        expected: &'static str,
    },
    /// The charm asks for another Juju, or another kind of model.
    #[error("cannot deploy: charm assumes `{assumed}`, which this model does not have")]
    Assumes {
        /// The feature in `metadata.yaml`, for example `juju >= 3.1`.
        assumed: String,
    },
    /// No such action.
    #[error("action {id} not found")]
    NoActionRun {
        /// Its number.
        id: u32,
    },
    /// No charm was given this name.
    #[error("no charm is called `{name}`, known are: {}", known.join(", "))]
    NoCharm {
        /// What was asked for.
        name: String,
        /// The names that charms were given.
        known: Vec<String>,
    },
    /// There is no relation between these endpoints, or more than one.
    #[error("no relation of `{ends}`, or several: name both endpoints, as in `web:db mysql:server`")]
    NotRelated {
        /// What was asked for.
        ends: String,
    },
    /// The simulator does not do that.
    #[error("the simulated model cannot have {what}")]
    NotModelled {
        /// What was asked for.
        what: &'static str,
    },
}

/// Why a hook could not be run, or did not end as it must.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A folder or file of the simulated agents cannot be made.
    #[error("cannot prepare `{}`", path.display())]
    Files {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder for the agents has too long a path for sockets in it.
    #[error(
        "path `{}` is too long for a unix socket, {bytes_max} bytes at most: choose a shorter folder with `Builder::folder`",
        path.display()
    )]
    SocketPath {
        /// The path of the socket.
        path: PathBuf,
        /// What the kernel takes.
        bytes_max: usize,
    },
    /// The socket for the hook commands cannot be opened.
    #[error("cannot listen on `{}`", path.display())]
    Listen {
        /// The path of the socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no hook-command program at the path given.
    #[error("hook-command program `{}` is not a file, build it first", path.display())]
    NoProgram {
        /// The path.
        path: PathBuf,
    },
    /// The system could not tell how the process ended.
    #[error("cannot wait for hook `{hook}` of `{unit}`")]
    Wait {
        /// The unit.
        unit: UnitName,
        /// The hook.
        hook: String,
        /// Why.
        source: io::Error,
    },
    /// A connection stayed open after the hook had ended.
    ///
    /// # Source
    ///
    /// `J/server.go`: the agent waits for its clients without limit, so a program that inherited the
    /// connection stops the unit for good.
    #[error(
        "hook `{hook}` of `{unit}` left {open} connection(s) to the agent open for {waited:?} after its end, where Juju's agent would wait for ever: {}",
        held_by(holders)
    )]
    ConnectionLeft {
        /// The unit.
        unit: UnitName,
        /// The hook.
        hook: String,
        /// How many.
        open: usize,
        /// How long was waited.
        waited: Duration,
        /// The programs that the hook had started and that still ran.
        holders: Vec<String>,
    },
    /// The model did not come to rest.
    #[error("the model did not settle in {hooks} hooks, last ones: {last}")]
    Unsettled {
        /// How many hooks were run.
        hooks: usize,
        /// The last few, as `unit hook`.
        last: String,
    },
}

fn held_by(holders: &[String]) -> String {
    if holders.is_empty() {
        return "a program that it started held them".to_owned();
    }
    format!("still running is {}", holders.join(", "))
}
