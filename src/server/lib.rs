//! `charmd`: the daemon of a unit, which programs on the unit talk to.
//!
//! ```text
//!   listen         a unix socket, TCP, TLS                    the only asynchronous part
//!     │  Request ─► runtimeconfig::call     path, query, body ─► Call
//!     ▼
//!   keeper         one thread; takes calls one after another, and what is due by time
//!     │            runtimeconfig::service   (state, call, now) ─► (state, answer, changes)
//!     ▼
//!   store          changes of many calls in one transaction, durable before any of them is answered;
//!                  a directory, or an etcd that several servers share
//! ```
//!
//! Where a store has been written by another server, the keeper takes the calls back, learns what is new, and
//! does them again.
//! [`operations`] is another service beside it, with a desk and a store of its own, on the same socket, and so are
//! [`wake`]'s wake-ups of the unit.
//!
//! The service is plain code without clock, thread and file: [`runtimeconfig::Service`].  The keeper gives
//! it the time and writes down what it says.

pub mod certificate;
pub mod database;
mod file;
pub mod keeper;
pub mod listen;
pub mod operations;
pub mod runtimeconfig;
pub mod service;
pub mod wake;
