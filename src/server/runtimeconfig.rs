//! Google's Runtime Configurator, v1beta1: configs, variables, waiters.
//!
//! [`Call`] is a request that was understood, [`Service`] answers it, [`Store`] keeps what must survive a
//! restart.  Where Google's documents and its service disagree, the service is right;
//! `docs/parity/runtimeconfig.md` goes through all of it row by row.

mod body;
mod call;
mod config;
mod describe;
mod error;
mod mask;
mod page;
mod query;
mod relaxed;
mod service;
mod store;
mod undo;
mod variable;
mod waiter;

pub use call::{Call, CallKind, Incoming, PROJECT_BYTES_MAX};
pub use describe::{discovery, openapi};
pub use error::{ApiError, Code};
pub use query::Presentation;
pub use service::{Answer, REQUEST_ID_KEPT, Service, WatchId};
pub use store::{
    Change, Endpoint, EndpointError, Etcd, EtcdTls, EtcdTlsError, EtcdUser, Memory, News, Snapshot, Sqlite,
    Store, StoreError, Wake,
};
