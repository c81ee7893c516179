//! Charm `jobs-acceptor`: takes scrape jobs as Prometheus does, and writes them to a file.
//!
//! The side of `prometheus-manual` that scrapes, on a machine without Prometheus: what
//! `tests/charms/python-requirer` is in Python.

use std::process::ExitCode;

use charms_reactive::prelude::*;
use prometheus_manual::render::Rendered;
use prometheus_manual::{PrometheusManualRequires, RequiresFlags as _};

charms_reactive::charm!("metadata.yaml", "manual-jobs": PrometheusManualRequires);

/// Set while the file may not say what the other sides ask for.
const STALE: Flag = Flag::new("jobs.stale");

fn main() -> ExitCode {
    charms_reactive::run(&app())
}

/// The whole charm: what runs, and when.
fn app() -> App {
    let jobs = endpoints::MANUAL_JOBS;
    App::new(metadata())
        .trigger(set(jobs.new_jobs()).sets(STALE))
        .trigger(set(jobs.removed_jobs()).sets(STALE))
        .handler(look_again, on(HookEvent::Start).or_on(HookEvent::UpgradeCharm))
        .handler(take, when(STALE))
}

/// The unit is new, or the charm is another one.
fn look_again(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(STALE);
    Ok(())
}

/// Writes the jobs that can be taken, and answers all of them.
fn take(hook: &mut Hook) -> Result<(), HandlerError> {
    let jobs = hook.endpoint(endpoints::MANUAL_JOBS).jobs()?;
    let mut rendered = Rendered::new(jobs, &hook.context().charm_dir.join("certs"));
    rendered
        .refuse(|job| job.request.job_name.starts_with("refuse-").then(|| "refused by request".to_owned()));
    rendered.plan_files(hook);
    // Jobs may hold passwords.
    hook.write_file("jobs.json", serde_json::to_string_pretty(&rendered.scrape_configs())?, 0o600);
    for (job, _) in &rendered.accepted {
        job.accept()?;
    }
    for (job, reason) in &rendered.refused {
        job.refuse(reason)?;
    }
    hook.status(Active(format!("{} jobs", rendered.accepted.len())));
    hook.clear(endpoints::MANUAL_JOBS.removed_jobs());
    hook.clear(STALE);
    Ok(())
}
