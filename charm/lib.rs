//! Charm `prometheus-scrape-jobs`: scrape jobs given as configuration, registered with every related
//! Prometheus.
//!
//! [`app`] is the whole charm.  [`jobs`] reads what the operator wrote; [`yaml`] reads YAML that may be
//! hostile; `report` makes the status and the tables of the actions.
//!
//! Every unit registers the same jobs under the same ids, so that Prometheus has each once and no unit
//! need be the leader: jobs stay while any unit is there.

pub mod jobs;
mod report;
pub mod yaml;

use charms_reactive::prelude::*;
use charms_reactive::{Endpoint, HookEvent, RelationEvent};
use prometheus_manual::PrometheusManualProvides;

use crate::jobs::{Certificates, JobsError, ScrapeJob};

charms_reactive::charm!("../metadata.yaml", prometheus: PrometheusManualProvides);

/// Set while what is registered may not be what the configuration says.
pub const STALE: Flag = Flag::new("scrape-jobs.stale");

/// The whole charm: what runs, and when.
pub fn app() -> App {
    let prometheus = endpoints::PROMETHEUS;
    App::new(metadata())
        .trigger(set(CONFIG_CHANGED).sets(STALE))
        .trigger(set(prometheus.joined()).sets(STALE))
        .trigger(set(prometheus.changed()).sets(STALE))
        .trigger(set(prometheus.departed()).sets(STALE))
        .handler(
            look_again,
            on(HookEvent::UpgradeCharm)
                .or_on(prometheus.hook(RelationEvent::Created))
                .or_on(prometheus.hook(RelationEvent::Joined))
                .or_on(prometheus.hook(RelationEvent::Broken)),
        )
        .handler(register, when(STALE))
        .action(actions::LIST_JOBS, list_jobs)
        .action(actions::VALIDATE, validate)
}

/// A relation came or went, or the charm is another one: what is registered may be out of date.
fn look_again(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(STALE);
    Ok(())
}

/// Registers the jobs of the configuration, takes back the others, and says how things stand.
///
/// With a configuration that cannot be used, what is registered stays as it is.
fn register(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.clear(STALE);
    let config: Config = hook.config()?;
    let prometheus = hook.endpoint(endpoints::PROMETHEUS);
    let plain = Endpoint::from_name(hook, "prometheus").expect("metadata.yaml has it");
    plain.clear_changed();
    plain.all_departed_units().clear();
    match configured(&config, &prometheus) {
        Ok((jobs, certificates)) => {
            let all: Vec<_> = jobs.iter().map(|job| registration(&prometheus, job, &certificates)).collect();
            prometheus.register_only(&all)?;
            hook.status(report::status(&jobs, &prometheus)?);
        }
        Err(problem) => hook.status(Blocked(problem.to_string())),
    }
    Ok(())
}

/// The jobs and certificates of the configuration, each checked as Prometheus would.
fn configured(
    config: &Config,
    prometheus: &PrometheusManualProvides,
) -> Result<(Vec<ScrapeJob>, Certificates), JobsError> {
    let certificates = Certificates::new(&config.ca_cert, &config.client_cert, &config.client_key)?;
    let jobs = jobs::parse(&config.jobs)?;
    for job in &jobs {
        registration(prometheus, job, &certificates)
            .check()
            .map_err(|problem| JobsError::Job { problem: problem.to_string() })?;
    }
    Ok((jobs, certificates))
}

fn registration<'a>(
    prometheus: &'a PrometheusManualProvides,
    job: &ScrapeJob,
    certificates: &Certificates,
) -> prometheus_manual::Registration<'a> {
    prometheus
        .register_job(&job.name, job.data.clone())
        .ca_cert(&certificates.ca)
        .client_cert(&certificates.client)
        .client_key(&certificates.key)
        .shared()
}

/// Action `list-jobs`.
fn list_jobs(hook: &mut Hook, _: actions::ListJobs) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    let prometheus = hook.endpoint(endpoints::PROMETHEUS);
    let jobs = jobs::parse(&config.jobs)?;
    hook.action_result("count", jobs.len().to_string());
    hook.action_result("jobs", report::table(&jobs, &prometheus)?);
    Ok(())
}

/// Action `validate`.
fn validate(hook: &mut Hook, parameters: actions::Validate) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    let prometheus = hook.endpoint(endpoints::PROMETHEUS);
    let jobs = parameters.jobs.unwrap_or_else(|| config.jobs.clone());
    let (jobs, _) = configured(&Config { jobs, ..config }, &prometheus)?;
    hook.action_result("valid", "true");
    hook.action_result("count", jobs.len().to_string());
    Ok(())
}
