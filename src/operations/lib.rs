//! The registry of operations: work that goes on when whoever asked for it has gone.
//!
//! ```text
//!   Draft ──create──► Registry ──► Effect::Run, Stop        to whoever runs the work
//!                     │  ▲    └──► Effect::Notice, Wake     to whoever watches and waits
//!     progress, end,  │  │
//!     metadata, ──────┘  └─ cancel, wait, connect: no clock, no thread, no file
//! ```
//!
//! One call at a time, each with its `now`; what follows from it is taken with [`Registry::take_effects`],
//! and what has to be kept with [`Registry::changes`], which comes first: nothing is told, and no work is
//! started, that is not in a store yet.
//!
//! The moves that one operation can make are in `charms_reactive_core::operation`.

mod draft;
mod filter;
mod operation;
mod refused;
mod registry;
mod render;

pub use draft::{Draft, OnConflict};
pub use filter::{Filter, FilterError, Query};
pub use operation::{METADATA_BYTES_MAX, Metadata, Operation, Record, Resources, Sockets};
pub use refused::Refused;
pub use registry::{Change, Created, Differences, Effect, Notice, OUTBOX_MAX, Registry, Retention, WaitId};
pub use render::{Children, Rendered};
