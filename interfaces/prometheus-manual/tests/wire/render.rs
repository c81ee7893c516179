//! `to_json`: every recorded call again, with our rendering.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use charms_reactive_core::Role;
use charms_reactive_core::json as python;
use charms_reactive_runtime::EndpointKey;
use prometheus_manual::job::CertificatePaths;
use prometheus_manual::{Job, PrometheusManualRequires};
use serde::Deserialize;
use serde_json::Value;

use super::difference::{Differences, Meant};
use super::juju::Juju;
use super::recording::{Step, Texts};

const JOBS: EndpointKey<PrometheusManualRequires> =
    EndpointKey::new("manual-jobs", Role::Requires, "prometheus-manual");

#[derive(Deserialize)]
struct Calls {
    rows: Vec<Row>,
}

/// One call.
#[derive(Deserialize)]
struct Row {
    name: String,
    request: Value,
    ca_file: Option<String>,
    cert_file: Option<String>,
    key_file: Option<String>,
    output: Option<String>,
    /// The name of the exception.
    error: Option<String>,
}

/// The jobs of a databag with this request.
fn jobs(request: &Value) -> Vec<Job> {
    let key = format!("request_{}", request["request_id"].as_str().expect("a text"));
    let databag = Texts::from([(key, python::to_text(request))]);
    let step = Step::changed("manual-jobs", "web/0", databag);
    let mut juju = Juju::new("prometheus/0");
    juju.receive(&step.received, &Texts::new());
    let found = Rc::new(RefCell::new(Vec::new()));
    let inside = found.clone();
    juju.run(JOBS, &step, move |_, side| {
        inside.replace(side.jobs()?);
        Ok(())
    });
    found.take()
}

#[test]
fn our_rendering_is_that_of_python() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/to-json.json");
    let calls: Calls = serde_json::from_str(&fs::read_to_string(path).expect("the recording")).expect("rows");
    assert!(calls.rows.len() > 50);
    let mut differences = Differences::default();
    for row in calls.rows {
        let paths = CertificatePaths {
            ca_file: row.ca_file.as_deref(),
            cert_file: row.cert_file.as_deref(),
            key_file: row.key_file.as_deref(),
        };
        // For short lines below.
        let id = row.request["request_id"].as_str().expect("a text");
        let ours = match jobs(&row.request).as_slice() {
            [] => "no job".to_owned(),
            // Python raises an exception for what cannot be rendered; here that is what `check` is for.
            [job] if row.output.is_none() && job.check().is_err() => "refused".to_owned(),
            [job] => job.to_json(&paths),
            _ => unreachable!("one request"),
        };
        let theirs = row.output.or(row.error.map(|_| "refused".to_owned()));
        let theirs = theirs.expect("a row has an output or an error").replace(id, "ID");
        differences.compare(&row.name, ours.replace(id, "ID"), theirs);
    }
    differences.judge(MEANT);
}

/// What differs, and why.
const MEANT: &[Meant] = &[
    (
        "all: job and discovery level",
        r#"{"consul_sd_configs": [{"tls_config": {"ca_file": "/certs/ca.crt", "cert_file": "/certs/client.crt", "key_file": "/certs/client.key"}}], "job_name": "node-ID", "tls_config": {"ca_file": "/certs/ca.crt", "cert_file": "/certs/client.crt", "key_file": "/certs/client.key"}}"#,
        "D16: a placeholder for either is one for both",
    ),
    (
        "ca: discovery item with null tls_config",
        r#"{"consul_sd_configs": [{"server": "c"}], "job_name": "node-ID"}"#,
        "null is the same as absent for Prometheus' fields, and left out",
    ),
    (
        "ca: no tls_config",
        r#"{"job_name": "node-ID", "scheme": "https", "tls_config": {"ca_file": "/certs/ca.crt"}}"#,
        "D17: a job with `https` gets a `tls_config` for what came with it",
    ),
    (
        "client: discovery item with all three",
        r#"{"consul_sd_configs": [{"tls_config": {"cert_file": "/certs/client.crt", "client_file": "v", "key_file": "/certs/client.key"}}], "job_name": "node-ID"}"#,
        "D16: a placeholder for either is one for both",
    ),
    (
        "client: discovery item with cert_file and key_file",
        r#"{"consul_sd_configs": [{"tls_config": {"cert_file": "/certs/client.crt", "key_file": "/certs/client.key"}}], "job_name": "node-ID"}"#,
        "D16: a placeholder for either is one for both",
    ),
    (
        "client: discovery item with cert_file only",
        r#"{"consul_sd_configs": [{"tls_config": {"cert_file": "/certs/client.crt", "key_file": "/certs/client.key"}}], "job_name": "node-ID"}"#,
        "D16: a placeholder for either is one for both",
    ),
    (
        "client: discovery item with client_file",
        r#"{"consul_sd_configs": [{"tls_config": {"cert_file": "/certs/client.crt", "client_file": "x", "key_file": "/certs/client.key"}}], "job_name": "node-ID"}"#,
        "D16: a placeholder for the key is one for both; `check` refuses `client_file`",
    ),
    (
        "client: discovery item with client_file alone",
        r#"{"consul_sd_configs": [{"tls_config": {"client_file": "x"}}], "job_name": "node-ID"}"#,
        "D16: `client_file` is a typing error, no rule; `check` refuses it",
    ),
    (
        "client: discovery item with key_file only",
        r#"{"consul_sd_configs": [{"tls_config": {"cert_file": "/certs/client.crt", "key_file": "/certs/client.key"}}], "job_name": "node-ID"}"#,
        "D16: a placeholder for either is one for both",
    ),
    (
        "client: no tls_config",
        r#"{"job_name": "node-ID", "scheme": "https", "tls_config": {"cert_file": "/certs/client.crt", "key_file": "/certs/client.key"}}"#,
        "D17: a job with `https` gets a `tls_config` for what came with it",
    ),
    (
        "discovery list is null, no path",
        r#"{"job_name": "node-ID"}"#,
        "null is the same as absent for Prometheus' fields, and left out",
    ),
    ("no job name", "no job", "D12: a job without a name is skipped and told"),
    (
        "numbers",
        r#"{"a": 1.0, "b": 0.1, "c": 1e+16, "d": 1e-05, "e": 1.2345678901234568e+22, "f": -0.0, "g": 1000000000000000.0, "h": 0.0001, "i": 100, "j": 1e+300, "job_name": "node-ID"}"#,
        "whole numbers end at 64 bits, beyond Prometheus' own",
    ),
    (
        "refused: discovery list is null",
        r#"{"job_name": "node-ID"}"#,
        "null is the same as absent, so nothing is wrong",
    ),
    (
        "refused: tls_config is null",
        r#"{"job_name": "node-ID"}"#,
        "null is the same as absent, so nothing is wrong",
    ),
    (
        "refused: tls_config is null, client",
        r#"{"job_name": "node-ID"}"#,
        "null is the same as absent, so nothing is wrong",
    ),
    (
        "tls_config is null, no path",
        r#"{"job_name": "node-ID"}"#,
        "null is the same as absent for Prometheus' fields, and left out",
    ),
    (
        "tls_config is null, only cert_file",
        r#"{"job_name": "node-ID"}"#,
        "null is the same as absent for Prometheus' fields, and left out",
    ),
];
