//! The side that scrapes: takes jobs, and answers.

use charms_reactive_core::{Databag, Flag, Role, json};
use charms_reactive_runtime::exchange::{
    Entry, ExchangeError, Overview, Responder, note_request, request_problem,
};
use charms_reactive_runtime::{Endpoint, EndpointKey, HandlerError, Interface, Manage};
use serde_json::{Map, Value};

use crate::job::{self, CertificatePaths};
use crate::provides::{RegisterError, check_request};
use crate::{INTERFACE, JobRequest, JobResponse, REASON_CHARS_MAX, SECRET_FIELDS};

/// The side that scrapes.
///
/// | Flag | Set while |
/// |---|---|
/// | `endpoint.NAME.has_jobs` | there is a job |
/// | `endpoint.NAME.new_jobs` | a job has no answer, or changed since |
/// | `endpoint.NAME.removed_requests` | a job that was answered is gone; cleared by the charm |
/// | `endpoint.NAME.has_requests`, `new_requests` | see [`Responder`] |
#[derive(Clone, Debug)]
pub struct PrometheusManualRequires {
    endpoint: Endpoint,
}

/// Flags of the interface, on the constant of the endpoint.
pub trait RequiresFlags {
    /// Set while there is a job.
    fn has_jobs(&self) -> Flag;
    /// Set while a job has no answer, or changed since.
    fn new_jobs(&self) -> Flag;
    /// Set when a job that was answered is gone, until the charm clears it.
    fn removed_jobs(&self) -> Flag;
}

impl RequiresFlags for EndpointKey<PrometheusManualRequires> {
    fn has_jobs(&self) -> Flag {
        self.flag("has_jobs")
    }

    fn new_jobs(&self) -> Flag {
        self.flag("new_jobs")
    }

    fn removed_jobs(&self) -> Flag {
        self.flag("removed_requests")
    }
}

/// A job that somebody wants to be scraped.
#[derive(Clone, Debug)]
pub struct Job {
    /// The request: which unit wants it, on which relation, under which id.
    pub request: Entry<JobRequest>,
    endpoint: Endpoint,
}

impl Job {
    /// The name that Prometheus gets to see: `<job_name>-<request id>`.
    pub fn final_name(&self) -> String {
        format!("{}-{}", self.request.job_name, self.request.id)
    }

    /// Whether Prometheus would take it, and its certificates are certificates.
    pub fn check(&self) -> Result<(), RegisterError> {
        if let Some(reason) = self.request.secret_problem() {
            let name = self.request.job_name.clone();
            return Err(RegisterError::Secret { name, reason: reason.to_owned() });
        }
        check_request(&self.request.value)
    }

    /// The job as an item of `scrape_configs`, with the paths of its certificate files.
    ///
    /// A job that is not a map gives one with a name alone; [`Job::check`] refuses it.
    pub fn render(&self, paths: &CertificatePaths<'_>) -> Map<String, Value> {
        let empty = Map::new();
        let data = self.request.job_data.as_object().unwrap_or(&empty);
        job::render(&self.request.job_name, self.request.id.as_str(), data, paths)
    }

    /// [`Job::render`] as one line of JSON with sorted keys, in the form that Python writes.
    pub fn to_json(&self, paths: &CertificatePaths<'_>) -> String {
        json::to_text(&self.render(paths).into())
    }

    /// Says that the job is scraped.
    pub fn accept(&self) -> Result<(), ExchangeError> {
        self.respond(&JobResponse { success: true, reason: None })
    }

    /// Says why the job is not scraped; the other side shows it to its operator.
    pub fn refuse(&self, reason: &str) -> Result<(), ExchangeError> {
        let reason = reason.chars().take(REASON_CHARS_MAX).collect();
        self.respond(&JobResponse { success: false, reason: Some(reason) })
    }

    fn respond(&self, response: &JobResponse) -> Result<(), ExchangeError> {
        let side = PrometheusManualRequires { endpoint: self.endpoint.clone() };
        side.respond(&self.request, response)
    }
}

impl PrometheusManualRequires {
    /// The jobs of all relations, in order of relations, then of ids.
    ///
    /// Reads the databag of every remote unit.  The same job from several units of one application
    /// (see [`Registration::shared`](crate::Registration::shared)) is there once.
    pub fn jobs(&self) -> Result<Vec<Job>, ExchangeError> {
        Ok(self.requests()?.into_iter().map(|request| self.job(request)).collect())
    }

    /// The jobs that have no answer, or changed since.
    pub fn new_jobs(&self) -> Result<Vec<Job>, ExchangeError> {
        Ok(self.new_requests()?.into_iter().map(|request| self.job(request)).collect())
    }

    fn job(&self, request: Entry<JobRequest>) -> Job {
        Job { request, endpoint: self.endpoint.clone() }
    }

    fn toggle_job_flags(&self) {
        let is_joined = self.endpoint.is_joined();
        let is_set = |name: &str| is_joined && self.endpoint.is_flag_set(name);
        self.endpoint.toggle_flag("has_jobs", is_set("has_requests"));
        self.endpoint.toggle_flag("new_jobs", is_set("new_requests"));
    }
}

impl Responder for PrometheusManualRequires {
    type Request = JobRequest;
    type Response = JobResponse;
    const SECRET_FIELDS: &'static [&'static str] = SECRET_FIELDS;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Interface for PrometheusManualRequires {
    const INTERFACE: &'static str = INTERFACE;
    const ROLE: Option<Role> = Some(Role::Requires);

    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }
}

impl Manage for PrometheusManualRequires {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        self.manage_responder_flags()?;
        self.toggle_job_flags();
        Ok(())
    }

    fn note(&self, key: &str, text: &str) -> Option<String> {
        note_request::<JobRequest>(key, text)
    }

    fn problem(&self, key: &str, text: &str) -> Option<String> {
        request_problem::<JobRequest>(key, text)
    }

    fn overview(&self) -> Result<Option<Overview>, HandlerError> {
        Ok(Some(Overview::of_responder(self, JobRequest::shown, JobResponse::shown)?))
    }

    /// A job holds keys, passwords and tokens: of a unit that left, only the names of its jobs are kept.
    fn forget_secrets(&self, databag: &mut Databag) {
        let keys: Vec<String> = databag.keys().map(str::to_owned).collect();
        for key in keys.iter().filter(|key| key.starts_with("request_")) {
            let text = databag.text(key).unwrap_or_default();
            let job: Option<JobRequest> = serde_json::from_str(text).ok();
            let kept = job.map(|job| json::to_text(&serde_json::json!({ "job_name": job.job_name })));
            databag.set(key, &kept.unwrap_or_default());
        }
    }
}
