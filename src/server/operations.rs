//! Operations: work in the background, served as LXD serves it.
//!
//! ```text
//!   routes, events   HTTP and websockets: path, query, body ─► a turn at the desk ─► LXD's envelopes
//!     ▼
//!   desk             one thread that owns the registry: turns one after another, one transaction for many
//!     │                charms-reactive-operations    who may start, end, cancel, wait; no clock, no I/O
//!     ├─► store        what changed is on the disk before anybody is answered, told or run
//!     ├─► view         all as it was last kept: whoever looks waits neither for the desk nor for the disk
//!     ├─► kind         registered kinds of work run as tasks; `demo` is always there
//!     └─► events       one line of notices in order; who is too slow for it is cut off
//! ```

mod announce;
pub(crate) mod answer;
pub(crate) mod body;
mod caller;
mod certificates;
mod child;
mod debug;
mod demo;
mod desk;
mod events;
mod kind;
mod members;
mod metrics;
mod peer;
mod query;
mod routes;
mod store;
mod trust;
mod view;

pub use announce::Announce;
pub use child::{CharmWork, Command, Place, RESULT_BYTES_MAX, TERMINATE_AFTER, end_leftovers};
pub use demo::Demo;
pub use desk::{Operations, Settings, Turn, Unavailable, Waiting};
pub use kind::{Connection, Kind, Kinds, Work};
pub use members::{Member, Members};
pub use peer::Peer;
pub use routes::{Api, router};
pub use store::{Kept, Memory, Sqlite, Store, StoreError};
pub use trust::{Own, Trust, TrustError, Trusted};
