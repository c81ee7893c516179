//! Our side of the agent's socket against Go's own `net/rpc`, in both directions.
//!
//! Needs Go, which `tests/setup/debian.sh` installs; nothing besides its standard library is used.

mod agent;
#[path = "../support/go.rs"]
mod go;
#[path = "../support/backends.rs"]
mod living;
mod suite;
