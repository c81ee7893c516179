//! Charms in Python's ops and in bash, each through a whole life in simulated models; handlers in bash of
//! a charm in Rust.
//!
//! ```text
//! tests/setup/python.sh
//! cargo test -p charms-reactive-tests --test languages
//! ```
//!
//! What a framework that nobody here wrote takes from Juju's answers is held against the model itself:
//! ops has its own idea of units, databags, secrets and state, and it must be the model's.

mod bash;
mod charm;
mod ops;
mod programs;
