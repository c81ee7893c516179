//! Real processes against the simulated model: charms written in bash, by the tests.

mod action;
mod charm;
mod command;
mod environment;
mod exchange;
mod failure;
mod membership;
mod order;
mod secret;
mod socket;
