//! Dispatches against a small Juju of values.

mod actions;
mod automatic;
mod endpoints;
mod exchange;
mod juju;
mod settle;
mod store;
mod tool;
mod trace;
