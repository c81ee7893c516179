//! How things stand: the status of the unit, and the table of `list-jobs`.

use charms_reactive::exchange::Requester as _;
use charms_reactive::plan::Status;
use charms_reactive::prelude::*;
use prometheus_manual::{PrometheusManualProvides, Refusal};

use crate::jobs::ScrapeJob;

/// The status of a unit whose configuration is fine.
pub(crate) fn status(
    jobs: &[ScrapeJob],
    prometheus: &PrometheusManualProvides,
) -> Result<Status, HandlerError> {
    let applications = prometheus.joined_applications()?.len();
    if jobs.is_empty() {
        return Ok(Blocked("no scrape jobs: set option `jobs`").into());
    }
    if applications == 0 {
        return Ok(Waiting("waiting for a Prometheus").into());
    }
    if let Some(Refusal { job_name, unit, reason, .. }) = prometheus.refusals()?.first() {
        return Ok(Blocked(format!("job `{job_name}` refused by {unit}: {reason}")).into());
    }
    let plural = if jobs.len() == 1 { "" } else { "s" };
    Ok(Active(format!("{} job{plural} registered with {applications} Prometheus", jobs.len())).into())
}

/// One line for each job: its name, where it goes, and what each Prometheus says of it.
pub(crate) fn table(
    jobs: &[ScrapeJob],
    prometheus: &PrometheusManualProvides,
) -> Result<String, HandlerError> {
    let requests = prometheus.requests()?;
    let answers = prometheus.answers()?;
    let mut lines = Vec::new();
    for job in jobs {
        let registered: Vec<_> = requests.iter().filter(|request| request.job_name == job.name).collect();
        if registered.is_empty() {
            lines.push(format!("{}: not registered", job.name));
        }
        for request in registered {
            let relation = request.relation.relation_id();
            let application = request.relation.application_name()?;
            let application = application.map_or_else(|| "nobody yet".to_owned(), |name| name.to_string());
            let said: Vec<String> = answers
                .iter()
                .filter(|answer| answer.is_current && answer.id == request.id && answer.relation == *relation)
                .map(|answer| match &answer.summary {
                    None if !answer.is_readable => format!("no readable answer from {}", answer.unit),
                    None => format!("accepted by {}", answer.unit),
                    Some(reason) => format!("refused by {}: {reason}", answer.unit),
                })
                .collect();
            let said = if said.is_empty() { "no answer yet".to_owned() } else { said.join("; ") };
            lines.push(format!("{}: registered with {application} as {}: {said}", job.name, request.id));
        }
    }
    Ok(lines.join("\n"))
}
