//! Real processes against the simulated model: charms written in bash, by the tests.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]
#![expect(clippy::needless_raw_string_hashes, reason = "`expect-test` writes its snapshots so")]
#![expect(clippy::too_many_lines, reason = "tables and snapshots are long")]
#![expect(clippy::format_collect, clippy::format_push_string, reason = "plain text matters more than time")]

mod action;
mod broken;
mod charm;
mod clock;
mod command;
mod deployment;
mod environment;
mod exchange;
mod explore;
mod failure;
mod fault;
mod kubernetes;
mod membership;
mod network;
mod order;
mod outside;
mod page;
mod planted;
mod restricted;
mod secret;
mod snapshot;
mod socket;
mod step;
mod storage;
mod subordinate;
mod upgrade;
