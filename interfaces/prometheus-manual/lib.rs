//! Interface `prometheus-manual`: scrape jobs for a Prometheus, over a Juju relation.

pub mod job;
