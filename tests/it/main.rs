//! Everything that is tested across crates: one program, a module for each topic.

mod readme;
mod scrape_jobs;
mod tidy;
