//! Charms against the real thing: scrape jobs travel through a simulated model to a real Prometheus, which
//! scrapes a real target over TLS.
//!
//! Needs `prometheus`, `promtool`, `openssl` and `python3`, and fails without them; `tests/run`
//! installs them.  Run alone: `cargo test -p charms-reactive-tests --test real`.
//!
//! [`world`] is the model, [`prometheus`] the server as seen from outside, [`target`] something to
//! scrape, [`certificates`] makes what TLS needs.

mod certificates;
mod charm;
mod http;
mod job;
mod program;
mod prometheus;
mod target;
mod world;
