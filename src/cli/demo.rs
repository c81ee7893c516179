//! `charms-reactive demo`: two charms meet in a simulated model, and a real Prometheus scrapes what one
//! of them asked for.
//!
//! ```text
//! pack        the charms of the workspace    -> charm directories
//! prometheus  PATH, or Debian's package      -> the programs `prometheus` and `promtool`
//! target      certificates made on the spot  -> an HTTPS target that wants a client certificate
//! sim         deploy, relate, configure      -> hooks, shown as they happen by `show`
//! query       Prometheus' own HTTP interface -> is the target up?
//! ```

mod prometheus;
mod query;
mod show;
mod target;

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use charms_reactive_sim::Sim;

use crate::pack::{self, PackArgs};
use crate::report;
use query::TargetState;
use target::Target;

const LONG_ABOUT: &str = "\
See the whole thing work, on this machine, without Juju.

Builds the charms prometheus-scrape-jobs and prometheus of this workspace, deploys them into a
simulated Juju model, relates them and configures scrape jobs. Hooks are shown as they run, with
the flags, relation data and statuses that they changed. A real Prometheus then scrapes a target
over TLS, with the CA and the client certificate that came over the relation.

A Prometheus on PATH is used; otherwise Debian's package is unpacked below target/, not installed.";

/// How long Prometheus may take to scrape the target once.
const SCRAPE_LIMIT: Duration = Duration::from_mins(1);

/// See two charms meet in a simulated model, and a real Prometheus scrape what one asks for
#[derive(Debug, clap::Args)]
#[command(long_about = LONG_ABOUT)]
pub struct DemoArgs {
    /// How many units of prometheus-scrape-jobs to deploy
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10))]
    units: u32,
    /// What decides where Juju leaves the order of hooks open
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Print the result as JSON; what is being done goes to standard error
    #[arg(long)]
    json: bool,
}

/// Runs the demo.
pub fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let is_shown = !args.json;
    let charms = pack::charms(&PackArgs::to_try(&["prometheus-scrape-jobs", "prometheus"]))?;
    let folder_of = |name: &str| -> anyhow::Result<PathBuf> {
        let charm = charms.iter().find(|charm| charm.name == name);
        Ok(charm.with_context(|| format!("charm `{name}` was not packed"))?.folder.clone())
    };
    let programs = prometheus::find(&folder_of("prometheus")?)?;
    let target = Target::start()?;
    report::step("Serving", &format!("metrics at {}, to clients with the right certificate", target.url()));

    let folder = tempfile::tempdir()?;
    let _stop = prometheus::StopAtEnd::new(folder.path());
    let mut sim = Sim::builder()
        .seed(args.seed)
        .model_name("demo")
        .program(std::env::current_exe()?)
        .path_tail(programs.path())
        .folder(folder.path())
        .build()?;
    let is_over = Rc::new(Cell::new(!is_shown));
    show::begin(&mut sim, is_over.clone());
    let port = target::free_port()?.to_string();
    step(is_shown, "juju deploy prometheus");
    sim.deploy("prometheus", folder_of("prometheus")?, 1)?;
    sim.configure("prometheus", &[("port", &port), ("scrape-interval", "1s")])?;
    settle(&mut sim)?;
    step(is_shown, &format!("juju deploy prometheus-scrape-jobs -n {}", args.units));
    sim.deploy("prometheus-scrape-jobs", folder_of("prometheus-scrape-jobs")?, args.units)?;
    settle(&mut sim)?;
    step(is_shown, "juju integrate prometheus-scrape-jobs prometheus");
    sim.relate("prometheus-scrape-jobs:prometheus", "prometheus:manual-jobs")?;
    settle(&mut sim)?;
    step(is_shown, "juju config prometheus-scrape-jobs jobs=... ca-cert=... client-cert=... client-key=...");
    let jobs = target.jobs();
    sim.configure(
        "prometheus-scrape-jobs",
        &[
            ("jobs", &jobs),
            ("ca-cert", &target.certificates().ca),
            ("client-cert", &target.certificates().client),
            ("client-key", &target.certificates().client_key),
        ],
    )?;
    settle(&mut sim)?;

    let config = sim.run_action("prometheus/0", "show-config", serde_json::json!({}))?;
    let config = config.results.get("config").and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    report::step("Waiting", "for Prometheus to scrape the target");
    let states = query::wait_until_scraped(&port, SCRAPE_LIMIT)?;
    if args.json {
        let result = serde_json::json!({"status": sim.status(), "config": config, "targets": states});
        anstream::println!("{result}");
    } else {
        show::end(&sim, &config, &port, &states);
    }
    is_over.set(true);
    // The charm stops the Prometheus that it started.
    sim.remove_application("prometheus")?;
    settle(&mut sim)?;
    judge(&states)
}

/// Whether the demo showed what it is there to show.
fn judge(states: &[TargetState]) -> anyhow::Result<()> {
    if states.is_empty() {
        bail!("Prometheus has no target, expected one over TLS");
    }
    match states.iter().find(|state| !state.is_up()) {
        None => Ok(()),
        Some(state) => bail!("Prometheus cannot scrape `{}`: {}", state.job, state.last_error),
    }
}

fn step(is_shown: bool, command: &str) {
    if is_shown {
        show::command(command);
    }
}

/// Runs hooks until none is due; a hook that fails ends the demo.
fn settle(sim: &mut Sim) -> anyhow::Result<()> {
    let settled = sim.settle()?;
    if let Some((unit, hook)) = settled.failed.first() {
        bail!("hook `{hook}` of {unit} failed; the transcript tells more:\n{}", sim.transcript());
    }
    Ok(())
}
