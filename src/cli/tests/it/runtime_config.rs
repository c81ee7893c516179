//! `charms-reactive runtime-config` against a running `charmd`.

mod configs;
mod deployment;
mod page;
mod place;
mod variables;
mod waiters;
