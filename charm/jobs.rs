//! The scrape jobs and certificates that an operator wrote into the configuration.

use std::collections::BTreeSet;

use prometheus_manual::pem::{self, PemError, PemKind};
use serde_json::{Map, Value};

use crate::yaml::{self, YamlError};

/// One job of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ScrapeJob {
    /// Its name.
    pub name: String,
    /// The job, as in Prometheus' `scrape_configs`, without its name.
    pub data: Map<String, Value>,
}

/// The certificates of the configuration; an empty text is none.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The authority that the targets' certificates are signed by.
    pub ca: String,
    /// The certificate that Prometheus shows to the targets.
    pub client: String,
    /// Its private key.
    pub key: String,
}

/// Why a configuration cannot be used.  The text is shown in the unit's status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobsError {
    /// The option is no YAML, or more than anybody needs.
    #[error("option `jobs`: {problem}")]
    Yaml {
        /// What is wrong with it.
        problem: YamlError,
    },
    /// The option is YAML, but no list.
    #[error("option `jobs` is {found}, expected a YAML list of scrape jobs")]
    NoList {
        /// What it is.
        found: &'static str,
    },
    /// An item of the list is no map.
    #[error("option `jobs`: item {position} is {found}, expected a scrape job with `job_name`")]
    NoMap {
        /// Which item, from 1.
        position: usize,
        /// What it is.
        found: &'static str,
    },
    /// A job has no name.
    #[error("option `jobs`: item {position} has {found}, expected a text")]
    NoName {
        /// Which item, from 1.
        position: usize,
        /// What it has.
        found: String,
    },
    /// Two jobs have one name.
    #[error("option `jobs`: two jobs are called `{name}`, expected each name once")]
    Twice {
        /// The name.
        name: String,
    },
    /// A job would harm Prometheus.
    #[error("{problem}")]
    Job {
        /// Which job, and what is wrong with it.
        problem: String,
    },
    /// A certificate or the key is not what it should be.
    #[error("option `{option}`: {problem}")]
    Pem {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        problem: PemError,
    },
    /// A client certificate without its key, or a key without its certificate.
    #[error("option `{missing}` is not set, expected it together with `{given}`")]
    Pair {
        /// The option that is set.
        given: &'static str,
        /// The option that is not.
        missing: &'static str,
    },
}

impl Certificates {
    /// Checks the three options.
    pub fn new(ca: &str, client: &str, key: &str) -> Result<Self, JobsError> {
        for (option, text, kind) in [
            ("ca-cert", ca, PemKind::Certificates),
            ("client-cert", client, PemKind::Certificates),
            ("client-key", key, PemKind::PrivateKey),
        ] {
            if !text.trim().is_empty() {
                pem::check(text, kind).map_err(|problem| JobsError::Pem { option, problem })?;
            }
        }
        match (client.trim().is_empty(), key.trim().is_empty()) {
            (false, true) => Err(JobsError::Pair { given: "client-cert", missing: "client-key" }),
            (true, false) => Err(JobsError::Pair { given: "client-key", missing: "client-cert" }),
            _ => Ok(Self { ca: ca.to_owned(), client: client.to_owned(), key: key.to_owned() }),
        }
    }
}

/// The jobs of option `jobs`; none where it is empty.
pub fn parse(text: &str) -> Result<Vec<ScrapeJob>, JobsError> {
    let items = match yaml::parse(text).map_err(|problem| JobsError::Yaml { problem })? {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        other => return Err(JobsError::NoList { found: kind(&other) }),
    };
    let mut names = BTreeSet::new();
    let mut jobs = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let position = index + 1;
        let mut data = match item {
            Value::Object(data) => data,
            other => return Err(JobsError::NoMap { position, found: kind(&other) }),
        };
        let name = match data.remove("job_name") {
            Some(Value::String(name)) => name,
            Some(other) => {
                let found = format!("{} as `job_name`", kind(&other));
                return Err(JobsError::NoName { position, found });
            }
            None => return Err(JobsError::NoName { position, found: "no `job_name`".to_owned() }),
        };
        if !names.insert(name.clone()) {
            return Err(JobsError::Twice { name });
        }
        jobs.push(ScrapeJob { name, data });
    }
    Ok(jobs)
}

/// What a value is, for a message.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_come_in_the_order_they_were_written() {
        let jobs = parse("- job_name: b\n  scheme: https\n- job_name: a\n").expect("two jobs");
        assert_eq!(jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(jobs[0].data.get("scheme"), Some(&Value::from("https")));
        assert!(!jobs[0].data.contains_key("job_name"));
        assert_eq!(parse("").expect("none"), []);
        assert_eq!(parse("# nothing\n").expect("none"), []);
        assert_eq!(parse("[]").expect("none"), []);
    }

    #[test]
    fn what_is_no_list_of_jobs_is_told() {
        for (text, message) in [
            ("job_name: a", "option `jobs` is a map, expected a YAML list of scrape jobs"),
            ("just text", "option `jobs` is a text, expected a YAML list of scrape jobs"),
            ("- a", "option `jobs`: item 1 is a text, expected a scrape job with `job_name`"),
            ("- job_name: a\n-", "option `jobs`: item 2 is empty, expected a scrape job with `job_name`"),
            ("- scheme: http", "option `jobs`: item 1 has no `job_name`, expected a text"),
            ("- job_name: 7", "option `jobs`: item 1 has a number as `job_name`, expected a text"),
            (
                "- job_name: a\n- job_name: a",
                "option `jobs`: two jobs are called `a`, expected each name once",
            ),
        ] {
            assert_eq!(parse(text).expect_err("no jobs").to_string(), message, "`{text}`");
        }
    }

    #[test]
    fn a_client_certificate_needs_its_key() {
        let certificate =
            "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0FfbmFtZQ==\n-----END CERTIFICATE-----";
        let error = Certificates::new("", certificate, " \n").err().expect("no key");
        assert_eq!(
            error.to_string(),
            "option `client-key` is not set, expected it together with `client-cert`"
        );
        let error = Certificates::new("hello", "", "").err().expect("no PEM");
        assert_eq!(
            error.to_string(),
            "option `ca-cert`: no PEM block found, expected a certificate in PEM form (`-----BEGIN CERTIFICATE-----` ...) \
             on lines of its own"
        );
    }
}
