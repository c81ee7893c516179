//! Everything that is tested across crates: one program, a module for each topic.

mod readme;
mod tidy;
