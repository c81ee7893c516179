//! What Juju runs for every hook and action of the charm.

use std::process::ExitCode;

fn main() -> ExitCode {
    charms_reactive::run(&prometheus_scrape_jobs::app())
}
