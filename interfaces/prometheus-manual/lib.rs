//! Interface `prometheus-manual`, both sides: jobs for a Prometheus, over a Juju relation.
//!
//! The charm with metrics **provides** the interface and is the requester: it registers scrape jobs,
//! each under a UUID, with [`PrometheusManualProvides`].  Prometheus **requires** it and is the
//! responder: it takes the jobs from [`PrometheusManualRequires`], writes certificate files and
//! renders `scrape_configs` with [`render`], and answers.
//!
//! # Shape
//!
//! In unit databags, as charms in Python write them ([`JobRequest`], [`JobResponse`]):
//!
//! ```json
//! {"request_3f2a": {"ca_cert": "PEM", "client_cert": null, "client_key": null,
//!                   "job_data": {"scheme": "https"}, "job_name": "node", "request_id": "3f2a"}}
//! {"response_3f2a": {"answers": ["0a1b2c3d4e5f"], "reason": null, "success": true}}
//! ```
//!
//! The private key travels as a Juju secret when both sides can; the request then has `secret_id`, and
//! `client_key` is null.  To charms in Python it is plain.
//!
//! `job_name` stays as given; rendering makes `<job_name>-<request_id>` of it.
//!
//! # Source
//!
//! The interface in Python, `juju-solutions/interface-prometheus-manual`; `wire/` holds what it wrote.

pub mod job;
pub mod pem;
mod provides;
pub mod render;
mod requires;

use std::fmt;

use charms_reactive_runtime::exchange::{Response, hidden};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use provides::{PrometheusManualProvides, ProvidesFlags, Refusal, RegisterError, Registration};
pub use requires::{Job, PrometheusManualRequires, RequiresFlags};

/// The interface's name in `metadata.yaml`.
pub const INTERFACE: &str = "prometheus-manual";

/// The fields of a job that travel as a Juju secret when both sides can.
pub(crate) const SECRET_FIELDS: &[&str] = &["client_key"];

/// How many characters of a refusal's reason are remembered and shown.
pub const REASON_CHARS_MAX: usize = 200;

/// One scrape job, as the side with metrics publishes it.
///
/// # Shape
///
/// In the unit databag, key `request_<request id>`, JSON with sorted keys, all six fields always there:
///
/// ```json
/// {"ca_cert": null, "client_cert": null, "client_key": null, "job_data": {"scrape_interval": "30s"},
///  "job_name": "node", "request_id": "3f2a"}
/// ```
///
/// Optional fields may be missing and unknown ones are ignored; a certificate or key that is an empty
/// text is none: charms in Python pass on an option that is not set.
///
/// # Source
///
/// `JobRequest` in `common.py` of the interface in Python.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRequest {
    /// Name of the job.  Prometheus sees `<job_name>-<request id>`.
    pub job_name: String,
    /// The job, an item of `scrape_configs`; not checked yet.  Null where it is missing: such a job is
    /// refused with a reason, rather than skipped.
    #[serde(default)]
    pub job_data: Value,
    /// PEM text of the authority that the targets' certificates are signed by.
    #[serde(default, deserialize_with = "given")]
    pub ca_cert: Option<String>,
    /// PEM text of the certificate that Prometheus shows to the targets.
    #[serde(default, deserialize_with = "given")]
    pub client_cert: Option<String>,
    /// PEM text of its private key.
    #[serde(default, deserialize_with = "given")]
    pub client_key: Option<String>,
}

/// A text with something in it.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.trim().is_empty()))
}

impl fmt::Debug for JobRequest {
    /// Writes no secrets: a job may hold passwords and tokens, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobRequest").field("job_name", &self.job_name).finish_non_exhaustive()
    }
}

impl JobRequest {
    /// What of it a person may see: its name, and which of the rest there is.
    pub(crate) fn shown(&self) -> Value {
        serde_json::json!({
            "job_name": self.job_name,
            "job_data": hidden(!self.job_data.is_null()),
            "ca_cert": hidden(self.ca_cert.is_some()),
            "client_cert": hidden(self.client_cert.is_some()),
            "client_key": hidden(self.client_key.is_some()),
        })
    }
}

/// What Prometheus answers.
///
/// # Shape
///
/// In the unit databag, key `response_<request id>`: `{"reason": null, "success": true}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobResponse {
    /// Whether the job is scraped.
    pub success: bool,
    /// Why it is not.
    #[serde(default)]
    pub reason: Option<String>,
}

impl JobResponse {
    /// What of it a person may see: it holds no secrets.
    pub(crate) fn shown(&self) -> Value {
        serde_json::json!({ "success": self.success, "reason": self.reason })
    }
}

impl Response for JobResponse {
    /// The reason of a refusal; None for a job that is scraped.
    fn summary(&self) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or("no reason given");
        (!self.success).then(|| reason.chars().take(REASON_CHARS_MAX).collect())
    }
}
