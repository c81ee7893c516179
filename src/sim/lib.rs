//! A Juju model on the desk: runs real hook binaries, of any language, by Juju's own rules.
//!
//! A simulation holds what Juju's controller and agents hold, and starts a charm's own files as
//! processes, with Juju's environment, in a folder laid out as an agent lays it out.  Hook commands
//! come back over Juju's socket protocol, from the program of all hook commands in `PATH` or from a
//! charm that speaks the protocol itself, and are answered from the model.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use charms_reactive_sim::Sim;
//!
//! let charm = tempfile::tempdir()?;
//! # #[expect(clippy::disallowed_methods)]
//! std::fs::write(charm.path().join("metadata.yaml"), "name: web")?;
//!
//! let mut sim = Sim::builder().seed(7).build()?;
//! sim.deploy("web", charm.path(), 1)?;
//! sim.settle()?;
//! assert!(sim.unit("web/0")?.leader);
//! // The charm has no files to run, which is fine with Juju.
//! assert!(sim.transcript().contains("== web/0 install: missing, skipped"));
//! # Ok(())
//! # }
//! ```
//!
//! Start reading at [`Sim`].  In the sources: `schedule` (which hook is next), `run` (what one run
//! sees and stages), `commit` (what becomes of it), `commands` (what the agent answers).  Each rule
//! names the place in Juju that decides it; `U/` stands there for
//! `juju/juju:internal/worker/uniter/`, `J/` for `U/runner/jujuc/`, and `A/` for
//! `juju/juju:apiserver/facades/agent/uniter/`.
//!
//! # Modelled
//!
//! `docs/simulator.md` has each rule with the place in Juju and the test, and what is left out.
//!
//! - Applications and their units on machines, alone or several, or in pods ([`Builder::kubernetes`]);
//!   subordinates; relations between `provides` and `requires`, of peers, of scope `container`, with
//!   `juju-info`, and with applications of other models.
//! - The life of a unit from `install` to `remove`, upgrades, forced ones too, removal of units,
//!   relations and applications, `update-status`, reboots, pods replaced, moves to another series.
//! - Databags with Juju's rights, visibility and caches, automatic keys, versions.  One `-changed` for
//!   any number of changes, none for writes that change nothing.
//! - Configuration by type, trust, leadership and the leader's settings (to Juju 3), unit state with its
//!   limits, statuses, workload versions, ports, addresses by binding, goal state, storage, resources,
//!   payloads, metrics.
//! - Secrets of units, applications and operators: content, revisions, labels, grants, tracking, and the
//!   hooks of owners and consumers.
//! - A hook's transaction: what is staged is committed together after exit code 0, or dropped; what
//!   Juju does at once is done at once.  Failed hooks are run again in a fresh context.  Killed ones
//!   (SIGTERM, SIGKILL) are run again without error.
//! - Actions with defaults and checked parameters; scripts of `juju-exec`, with or without a relation.
//! - Time, virtually: `update-status` on its timer, retries of failed hooks after 5 s, doubled to 5 min,
//!   leases of leadership; [`Sim::advance`] lets it pass.
//! - Differences between Juju 2.9, 3.6 and 4.0: see [`JujuVersion`].
//!
//! # Invariants
//!
//! - This crate never imports the runtime: the judge shares no code with the accused.
//! - One thread owns the model; the socket's threads only carry messages to it.
//! - Nothing of the caller's environment reaches a charm.

/// Hook commands with types, for charms in process.
pub mod hookcmd {
    pub use charms_reactive_core::{Databag, EndpointName, RelationId, UnitName, WorkloadStatus};
    pub use charms_reactive_hookcmd::{Answer, CommandError, Commands, HookCommands, Request};
}

mod action;
mod agent;
mod base64;
mod builder;
mod calendar;
mod charm;
mod checker;
mod choose;
mod clock;
mod commands;
mod commit;
mod deployment;
mod dispatch;
mod due;
mod environment;
mod error;
mod event;
mod every_command;
mod every_upgrade;
mod execute;
mod explore;
mod host;
mod metadata;
mod metric;
mod model;
mod network;
mod operator;
mod outside;
mod page;
mod process;
mod random;
mod rule;
mod run;
mod schedule;
mod schema;
mod secret;
mod seed;
mod series;
mod server;
mod sim;
mod snapshot;
mod status;
mod step;
mod storage;
mod stray;
mod trace;
mod transcript;
mod trial;
mod version;
mod workload;

pub use action::{ActionResult, ExecResult};
pub use builder::Builder;
pub use charm::{CharmSource, Environment, InProcess};
pub use charms_reactive_hookcmd::commands::Party;
pub use checker::{Findings, STATUS_CHARS_MAX};
pub use clock::{LEASE, RETRY_MAX, RETRY_MIN, UPDATE_STATUS_INTERVAL};
pub use deployment::Deployment;
pub use dispatch::{HookRun, Outcome, Settled};
pub use due::DueHook;
pub use error::{ModelError, RunError, SimError};
pub use event::{Event, Exit, Stream};
pub use every_command::{Broken, Covered, every_command};
pub use every_upgrade::{BrokenUpgrade, Moved, UpgradesCovered, every_upgrade};
pub use explore::{Explored, WrongOrder, explore, explore_steps};
pub use metadata::CharmError;
pub use model::{Life, Network, Payload, StatusEntry};
pub use operator::Operator;
pub use page::PAGE_VARIABLE;
pub use rule::{Boundary, Change, Command, Fate, RuleGuard, Verdict};
pub use seed::{SEED_VARIABLE, for_seeds};
pub use sim::{FailedHook, Sim, UnitView};
pub use snapshot::Snapshot;
pub use status::{ApplicationStatus, RelationStatus, Status, UnitStatus};
pub use step::{Done, Possible, Step};
pub use storage::StorageView;
pub use trial::{Failure, SHRINK_RUNS_MAX, Trial, shrink};
pub use version::{JujuVersion, VersionError};
