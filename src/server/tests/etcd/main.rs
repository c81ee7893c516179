//! Several `charmd` on one etcd: the suite of any store, and what servers are to each other.
//!
//! Needs `etcd`: `tests/setup/debian.sh` installs it.

#[path = "../it/charmd.rs"]
mod charmd;
mod cluster;
mod conformance;
#[path = "../it/desk.rs"]
mod desk;
mod faults;
mod large;
mod servers;
mod tls;
mod users;
