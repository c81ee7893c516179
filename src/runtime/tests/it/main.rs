//! Dispatches against a small Juju of values.

mod actions;
mod automatic;
mod databags;
mod endpoints;
mod exchange;
mod juju;
mod leader;
mod memory;
mod obstacle;
mod settle;
mod store;
mod tool;
mod trace;
