//! Everything that is tested across crates: one program, a module for each topic.

mod backends;
mod cluster;
mod cost;
mod debugging;
mod effects;
mod every_command;
mod job_flags;
mod job_secrets;
mod juju_guide;
#[path = "../support/layout.rs"]
mod layout;
#[path = "../support/backends.rs"]
mod living;
mod migrating;
mod operations;
mod readme;
mod requests;
mod scrape_jobs;
mod search_index;
mod secrets;
mod tidy;
mod typed_commands;
mod unit;
mod unit_tools;
mod upgrade;
mod waiter_service;
mod waiters;
mod wake_ups;
