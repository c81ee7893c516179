//! Everything that is tested across crates: one program, a module for each topic.

mod cluster;
mod effects;
mod every_command;
#[path = "../support/layout.rs"]
mod layout;
mod readme;
mod scrape_jobs;
mod tidy;
mod waiters;
