//! Everything that is tested across crates: one program, a module for each topic.

mod backends;
mod cost;
mod effects;
mod every_command;
#[path = "../support/layout.rs"]
mod layout;
#[path = "../support/backends.rs"]
mod living;
mod readme;
mod requests;
mod scrape_jobs;
mod tidy;
