//! The rules of the house that a program can see, one test each.
//!
//! What a rule is for stands in `docs/architecture.md`.  The message of a test that fails says which
//! places are meant and what to do about them.

mod cargo;
mod charm;
mod floors;
mod links;
mod map;
mod numbered;
mod packages;
mod parity;
mod simulator;
mod sources;
mod tree;

/// Fails with `advice` when something was found, and lists it.
#[track_caller]
fn expect_none(found: &[String], advice: &str) {
    assert!(found.is_empty(), "{advice}\n  {}\n", found.join("\n  "));
}
