//! Plain values of a Juju charm: names, hooks, statuses, flags, databags.
//!
//! The ground floor of the house.  Nothing in here reads a clock, a file or the
//! environment, and nothing starts a program: whatever a function needs, it is given.
//! Every parser refuses wrong text with an error that names the text and says what
//! was expected.
//!
//! Start reading at [`name`] (what things are called), then [`hook`] (what may happen
//! to a unit) and [`flag`] (the facts that handlers wait for).

pub mod databag;
pub mod digest;
pub mod flag;
pub mod hook;
pub mod json;
pub mod metadata;
pub mod name;
pub mod operation;
pub mod status;
pub mod waiter;

pub use databag::Databag;
pub use flag::{Flag, FlagSet};
pub use hook::{HookEvent, RelationEvent, SecretEvent, StorageEvent, WorkloadEvent};
pub use metadata::{EndpointSpec, Metadata, OptionKind, OptionSpec, Role};
pub use name::{ApplicationName, EndpointName, NameError, RelationId, UnitName};
pub use status::WorkloadStatus;
