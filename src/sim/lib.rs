//! A Juju model on the desk: runs real hook binaries, of any language, by Juju's own rules.

mod action;
mod agent;
mod base64;
mod builder;
mod commands;
mod commit;
mod dispatch;
mod environment;
mod error;
mod event;
mod metadata;
mod model;
mod process;
mod random;
mod run;
mod schedule;
mod schema;
mod secret;
mod server;
mod sim;
mod status;
mod transcript;
mod version;

pub use action::{ActionResult, ExecResult};
pub use builder::Builder;
pub use charms_reactive_hookcmd::commands::Party;
pub use dispatch::{HookRun, Outcome, Settled};
pub use error::{ModelError, RunError, SimError};
pub use event::{Event, Exit, Stream};
pub use metadata::CharmError;
pub use model::{Life, StatusEntry};
pub use sim::{FailedHook, Sim, UnitView};
pub use status::{ApplicationStatus, RelationStatus, Status, UnitStatus};
pub use version::JujuVersion;
