//! Real processes against the simulated model: charms written in bash, by the tests.

mod charm;
mod exchange;
