//! The client against servers that do what the test says, well or badly.

#![expect(clippy::disallowed_methods, reason = "measures waits")]

mod operations;
mod requests;
mod server;
