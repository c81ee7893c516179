//! The side with metrics: registers jobs.

use std::collections::{BTreeMap, BTreeSet};

use charms_reactive_core::{ApplicationName, Flag, RelationId, Role, UnitName};
use charms_reactive_runtime::exchange::{
    Entry, ExchangeError, Overview, RequestId, Requester, note_response, response_problem,
};
use charms_reactive_runtime::relation::Relation;
use charms_reactive_runtime::{Endpoint, EndpointKey, HandlerError, Interface, Manage};
use serde_json::{Map, Value};

use crate::job::{self, JobProblem};
use crate::pem::{self, PemError, PemKind};
use crate::{INTERFACE, JobRequest, JobResponse, SECRET_FIELDS};

/// The side with metrics.
///
/// | Flag | Set while |
/// |---|---|
/// | `endpoint.NAME.available` | a Prometheus is there and a job of ours is registered |
/// | `endpoint.NAME.has_responses`, `all_responses` | see [`Requester`] |
#[derive(Clone, Debug)]
pub struct PrometheusManualProvides {
    endpoint: Endpoint,
}

/// Flags of the interface, on the constant of the endpoint.
pub trait ProvidesFlags {
    /// Set while a Prometheus is there and a job of ours is registered.
    fn available(&self) -> Flag;
    /// Set while some job of ours has a response.
    fn has_responses(&self) -> Flag;
    /// Set while there are jobs of ours, and each has a response.
    fn all_responses(&self) -> Flag;
}

impl ProvidesFlags for EndpointKey<PrometheusManualProvides> {
    fn available(&self) -> Flag {
        self.flag("available")
    }

    fn has_responses(&self) -> Flag {
        self.flag("has_responses")
    }

    fn all_responses(&self) -> Flag {
        self.flag("all_responses")
    }
}

/// Why a job was not registered: the mistake of whoever wrote it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Prometheus would not take the job.
    #[error("job `{name}`: {problem}")]
    Job {
        /// The job.
        name: String,
        /// What is wrong with it.
        problem: JobProblem,
    },
    /// The job is no map at all.
    #[error("job `{name}`: `job_data` is no map, expected an item of Prometheus' `scrape_configs`")]
    NoMap {
        /// The job.
        name: String,
    },
    /// A certificate or the key is not what it should be.
    #[error("job `{name}`: {what}: {problem}")]
    Pem {
        /// The job.
        name: String,
        /// Which of them.
        what: &'static str,
        /// What is wrong with it.
        problem: PemError,
    },
    /// A client certificate without its key, or a key without its certificate.
    #[error("job `{name}`: a client certificate and its key belong together, expected both or none")]
    Pair {
        /// The job.
        name: String,
    },
    /// The other side's key is a Juju secret that cannot be read.
    #[error("job `{name}`: its client key cannot be read: {reason}")]
    Secret {
        /// The job.
        name: String,
        /// What Juju says.
        reason: String,
    },
    /// It could not be published.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// A job that a Prometheus refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The job.
    pub job_name: String,
    /// The relation it was registered on.
    pub relation: RelationId,
    /// The unit that refused it.
    pub unit: UnitName,
    /// Why.
    pub reason: String,
}

impl PrometheusManualProvides {
    /// Begins to register a job: `job_data` is an item of Prometheus' `scrape_configs`.
    ///
    /// A job of this name that is registered already is updated, and keeps its UUID.  Nothing happens
    /// before [`Registration::send`].
    pub fn register_job(&self, job_name: &str, job_data: Map<String, Value>) -> Registration<'_> {
        let request = JobRequest {
            job_name: job_name.to_owned(),
            job_data: job_data.into(),
            ca_cert: None,
            client_cert: None,
            client_key: None,
        };
        Registration { side: self, request, relation: None, is_shared: false }
    }

    /// Takes back a job, on every relation.
    pub fn withdraw_job(&self, job_name: &str) -> Result<(), ExchangeError> {
        self.withdraw_all(|request| request.job_name == job_name)
    }

    /// Registers these jobs on every relation, and takes back all others: together they are all there is.
    ///
    /// # Errors
    ///
    /// As [`Registration::send`], before anything is published.
    pub fn register_only(&self, jobs: &[Registration<'_>]) -> Result<(), RegisterError> {
        for job in jobs {
            job.check()?;
        }
        for relation in &self.endpoint.relations().map_err(ExchangeError::from)? {
            let registered = self.requests_on(relation)?;
            let mut kept = BTreeSet::new();
            for job in jobs {
                let id = job.id(&registered);
                kept.insert(id.clone());
                self.create_with_id(relation, id, job.request.clone())?;
            }
            for other in registered.iter().filter(|request| !kept.contains(&request.id)) {
                self.withdraw(other)?;
            }
        }
        Ok(())
    }

    fn withdraw_all(&self, matches: impl Fn(&JobRequest) -> bool) -> Result<(), ExchangeError> {
        for request in self.find_all(matches)? {
            self.withdraw(&request)?;
        }
        Ok(())
    }

    /// The jobs that a Prometheus refused as they are now, or answered with nonsense, in order of relations, then of units.
    ///
    /// Goes by what is remembered: costs one hook command a relation, however many units there are.
    pub fn refusals(&self) -> Result<Vec<Refusal>, ExchangeError> {
        let requests = self.requests()?;
        let name_of = |request: &Entry<JobRequest>| {
            ((request.relation.relation_id().clone(), request.id.clone()), request.job_name.clone())
        };
        let names: BTreeMap<_, _> = requests.iter().map(name_of).collect();
        let mut refusals = Vec::new();
        for answer in self.answers()?.into_iter().filter(|answer| answer.is_current) {
            let name = names.get(&(answer.relation.clone(), answer.id.clone()));
            let unreadable = || (!answer.is_readable).then(|| "its answer cannot be read".to_owned());
            if let (Some(name), Some(reason)) = (name, answer.summary.clone().or_else(unreadable)) {
                refusals.push(Refusal {
                    job_name: name.clone(),
                    relation: answer.relation,
                    unit: answer.unit,
                    reason,
                });
            }
        }
        Ok(refusals)
    }

    /// The applications on the other side of which a unit is there.
    pub fn joined_applications(&self) -> Result<Vec<ApplicationName>, ExchangeError> {
        let mut applications = Vec::new();
        for relation in &self.endpoint.relations()? {
            if relation.has_members()
                && let Some(application) = relation.application_name()?
            {
                applications.push(application);
            }
        }
        Ok(applications)
    }
}

/// A job about to be registered.
#[must_use = "nothing is registered before `send`"]
pub struct Registration<'a> {
    side: &'a PrometheusManualProvides,
    request: JobRequest,
    relation: Option<&'a Relation>,
    is_shared: bool,
}

impl<'a> Registration<'a> {
    /// The authority that the targets' certificates are signed by, PEM.  An empty text is none.
    pub fn ca_cert(mut self, pem: &str) -> Self {
        self.request.ca_cert = given(pem);
        self
    }

    /// The certificate that Prometheus shows to the targets, PEM.  An empty text is none.
    pub fn client_cert(mut self, pem: &str) -> Self {
        self.request.client_cert = given(pem);
        self
    }

    /// The private key of the client certificate, PEM.  An empty text is none.
    pub fn client_key(mut self, pem: &str) -> Self {
        self.request.client_key = given(pem);
        self
    }

    /// Registers on this relation alone, rather than on every one.
    pub fn relation(mut self, relation: &'a Relation) -> Self {
        self.relation = Some(relation);
        self
    }

    /// Every unit of this application registers the same job: Prometheus takes it once.
    ///
    /// Its UUID is then made of the model, the application and the name, so that all units choose the
    /// same, and none need be the leader.
    pub fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }

    /// Registers the job.  Nothing is written where it is registered already as it is.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Job`], [`RegisterError::Pem`] and [`RegisterError::Pair`] before anything is
    /// published: one bad job would make Prometheus refuse its whole configuration.
    pub fn send(self) -> Result<(), RegisterError> {
        self.check()?;
        if let Some(relation) = self.relation {
            self.send_to(relation)?;
        } else {
            for relation in &self.side.endpoint.relations().map_err(ExchangeError::from)? {
                self.send_to(relation)?;
            }
        }
        Ok(())
    }

    fn send_to(&self, relation: &Relation) -> Result<(), ExchangeError> {
        let registered = self.side.requests_on(relation)?;
        let id = self.id(&registered);
        let is_other = |request: &&Entry<JobRequest>| {
            request.job_name == self.request.job_name && request.id != id && self.is_shared
        };
        for other in registered.iter().filter(is_other) {
            self.side.withdraw(other)?;
        }
        self.side.create_with_id(relation, id.clone(), self.request.clone()).map(drop)
    }

    /// The UUID of the job on a relation with these jobs: the one it has, or a new one.
    fn id(&self, registered: &[Entry<JobRequest>]) -> RequestId {
        let name = &self.request.job_name;
        if self.is_shared {
            let context = self.side.endpoint.context();
            let model = context.model_uuid.as_deref().unwrap_or_default();
            return RequestId::of(&[model, context.unit.application().as_str(), name]);
        }
        let found = registered.iter().find(|request| request.job_name == *name);
        found.map_or_else(|| self.side.new_id(), |found| found.id.clone())
    }

    /// Checks the job without registering it.
    pub fn check(&self) -> Result<(), RegisterError> {
        check_request(&self.request)
    }
}

/// How much of a job's name a message repeats.
const NAME_CHARS_MAX: usize = 60;

/// Checks a job and its certificates, on either side.
pub(crate) fn check_request(request: &JobRequest) -> Result<(), RegisterError> {
    let name = || request.job_name.chars().take(NAME_CHARS_MAX).collect::<String>();
    let wrong = |problem| RegisterError::Job { name: name(), problem };
    job::check_name(&request.job_name).map_err(wrong)?;
    let Some(data) = request.job_data.as_object() else {
        return Err(RegisterError::NoMap { name: name() });
    };
    job::check(data).map_err(wrong)?;
    for (what, text, kind) in [
        ("CA certificate", &request.ca_cert, PemKind::Certificates),
        ("client certificate", &request.client_cert, PemKind::Certificates),
        ("client key", &request.client_key, PemKind::PrivateKey),
    ] {
        if let Some(text) = text {
            pem::check(text, kind).map_err(|problem| RegisterError::Pem { name: name(), what, problem })?;
        }
    }
    if request.client_cert.is_some() != request.client_key.is_some() {
        return Err(RegisterError::Pair { name: name() });
    }
    Ok(())
}

/// None for a text without anything in it.
fn given(pem: &str) -> Option<String> {
    (!pem.trim().is_empty()).then(|| pem.to_owned())
}

impl PrometheusManualProvides {
    fn manage_availability(&self) -> Result<(), ExchangeError> {
        self.endpoint.toggle_flag("available", self.endpoint.is_joined() && self.has_own_requests());
        self.manage_requester_flags()
    }
}

impl Requester for PrometheusManualProvides {
    type Request = JobRequest;
    type Response = JobResponse;
    const SECRET_FIELDS: &'static [&'static str] = SECRET_FIELDS;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Interface for PrometheusManualProvides {
    const INTERFACE: &'static str = INTERFACE;
    const ROLE: Option<Role> = Some(Role::Provides);

    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }
}

impl Manage for PrometheusManualProvides {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        Ok(self.manage_availability()?)
    }

    fn note(&self, key: &str, text: &str) -> Option<String> {
        note_response::<JobResponse>(key, text)
    }

    fn problem(&self, key: &str, text: &str) -> Option<String> {
        response_problem::<JobResponse>(key, text)
    }

    fn overview(&self) -> Result<Option<Overview>, HandlerError> {
        Ok(Some(Overview::of_requester(self, JobRequest::shown, JobResponse::shown)?))
    }
}
