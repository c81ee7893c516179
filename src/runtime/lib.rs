//! From an event of Juju to its effects: one dispatch of a charm.
//!
//! ```text
//! run        main to exit code
//!   context    environment -> Context           the only reader of variables
//!   state      flags, records of relations      one `state-get`
//!   automatic  config, leadership, endpoints    flags that the framework sets
//!   settle     handlers, round by round         they read `model`, and add to `plan`
//!   commit     files, relation data, state      the only part that changes anything
//! ```
//!
//! A charm is an [`App`]: handlers with [conditions](condition), [triggers](trigger), actions.  A handler
//! gets a [`Hook`], from which it reaches its [endpoints](endpoint).  Authors of interfaces implement
//! [`Interface`] and [`Manage`], and take typed requests and responses from [`exchange`].

mod automatic;
pub mod charm;
mod commit;
pub mod condition;
pub mod context;
pub mod daemon;
mod dispatch;
pub mod endpoint;
pub mod exchange;
mod explain;
mod external;
mod file;
mod handler;
mod hook;
mod import;
pub mod interface;
pub mod key_list;
mod leader;
mod log_buffer;
mod memory;
mod model;
pub mod obstacle;
pub mod operation;
mod owner;
pub mod plan;
pub mod prelude;
mod record;
pub mod relation;
mod run;
pub mod secret;
mod settle;
mod shown;
mod state;
mod store;
mod tool;
mod trace;
pub mod trigger;
mod unit;
pub mod view;
pub mod waiter;
mod wake;

pub use automatic::{CHANGED_FLAGS_BYTES_MAX, CONFIG_CHANGED, IS_LEADER, SERIES_UPGRADE};
pub use charm::{App, Charm};
pub use charms_reactive_hookcmd::Backend;
pub use context::{Context, ContextError};
pub use dispatch::{DispatchError, ROUNDS_MAX, TRIGGER_DEPTH_MAX};
pub use endpoint::{Endpoint, EndpointKey};
pub use file::{FileEffect, FileError};
pub use handler::HandlerError;
pub use hook::Hook;
pub use import::{Import, Imported};
pub use interface::{Interface, Manage};
pub use leader::{LEADER_SETTINGS_CHANGED, LeaderError, LeaderKey};
pub use log_buffer::LOG_BYTES_MAX;
pub use memory::DataError;
pub use obstacle::{AskError, Obstacle};
pub use owner::Owner;
pub use record::{DEPARTED_BYTES_MAX, DEPARTED_UNITS_MAX, RECORD_BYTES_MAX, RECORDS_BYTES_MAX};
pub use run::{dispatch, run};
pub use store::{Store, StoreError, VALUE_BYTES_MAX};
pub use tool::{Output, tool};
