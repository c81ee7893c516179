//! Everything that is tested across crates: one program, a module for each topic.

mod effects;
mod every_command;
mod job_flags;
mod job_secrets;
#[path = "../support/layout.rs"]
mod layout;
mod migrating;
mod readme;
mod scrape_jobs;
mod tidy;
