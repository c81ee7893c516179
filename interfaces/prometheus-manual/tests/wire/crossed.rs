//! What one implementation wrote, read by the other side of the other one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use charms_reactive_core::Role;
use charms_reactive_core::json as python;
use charms_reactive_runtime::EndpointKey;
use charms_reactive_runtime::exchange::Requester as _;
use expect_test::expect;
use prometheus_manual::job::CertificatePaths;
use prometheus_manual::render::Rendered;
use prometheus_manual::{PrometheusManualProvides, PrometheusManualRequires};
use serde_json::{Map, Value, json};

use super::juju::Juju;
use super::provides::addresses;
use super::recording::{Recording, Step, Texts, recordings};

const JOBS: EndpointKey<PrometheusManualRequires> =
    EndpointKey::new("manual-jobs", Role::Requires, "prometheus-manual");
const PROMETHEUS: EndpointKey<PrometheusManualProvides> =
    EndpointKey::new("prometheus", Role::Provides, "prometheus-manual");

/// The requests of a databag by id, as Python's own reader would have them: each with all fields.
fn requests_in(databag: &Texts) -> BTreeMap<String, Value> {
    const FIELDS: [&str; 5] = ["ca_cert", "client_cert", "client_key", "job_data", "job_name"];
    let requests = databag.iter().filter_map(|(key, text)| Some((key.strip_prefix("request_")?, text)));
    requests
        .map(|(id, text)| {
            let written: Value = serde_json::from_str(text).expect("Python wrote JSON");
            let is_none = |value: &Value| value.as_str() == Some("");
            let value = |field: &str| match &written[field] {
                // An empty certificate is none, as for Python's requirer.
                value if field.starts_with('c') && is_none(value) => Value::Null,
                value => value.clone(),
            };
            let fields = FIELDS.map(|field| (field.to_owned(), value(field)));
            (id.to_owned(), Map::from_iter(fields).into())
        })
        .collect()
}

/// What our requirer makes of a databag that a provider in Python published.
struct Read {
    jobs: BTreeMap<String, Value>,
    rendered: BTreeMap<String, Value>,
    accepted: Vec<String>,
    refused: Vec<String>,
    files: Vec<String>,
}

fn read_by_our_requirer(databag: &Texts) -> Read {
    let step = Step::changed("manual-jobs", "web/0", databag.clone());
    let mut juju = Juju::new("prometheus/0");
    juju.receive(&step.received, &addresses(databag));
    let read = Rc::new(RefCell::new(None));
    let inside = read.clone();
    juju.run(JOBS, &step, move |_, side| {
        let jobs = side.jobs()?;
        let id = |job: &prometheus_manual::Job| job.request.id.to_string();
        let named = |(job, reason): &(prometheus_manual::Job, String)| {
            format!("refused {}: {reason}", job.request.job_name)
        };
        let fields = jobs.iter().map(|job| (id(job), json!(job.request.value)));
        let plain = CertificatePaths::default();
        let items = jobs.iter().map(|job| (id(job), Value::Object(job.render(&plain))));
        let (fields, items) = (fields.collect(), items.collect());
        let rendered = Rendered::new(jobs, Path::new("/certificates"));
        let folder = Path::new("/certificates");
        let ending = |path: &Path| {
            let path = path.strip_prefix(folder).expect("in the folder").to_string_lossy().into_owned();
            // Between them is a digest, with a random id in it.
            let (name, rest) = path.split_once('-').expect("name and digest");
            format!("{name}-*.{}", rest.split_once('.').expect("an ending").1)
        };
        inside.replace(Some(Read {
            jobs: fields,
            rendered: items,
            accepted: rendered.accepted.iter().map(|(job, _)| job.request.job_name.clone()).collect(),
            refused: rendered.refused.iter().map(named).collect(),
            files: rendered.files().map(|(path, _, mode)| format!("{} {mode:o}", ending(path))).collect(),
        }));
        Ok(())
    });
    read.take().expect("the handler ran")
}

/// The last databags of a recording, by relation.
fn last_published(recording: &Recording) -> &BTreeMap<String, Texts> {
    &recording.steps.last().expect("a recording has a hook").published
}

#[test]
fn our_requirer_reads_the_jobs_of_a_provider_in_python() {
    for recording in recordings("provides") {
        for (relation, databag) in last_published(&recording) {
            let at = format!("{} {relation}", recording.name);
            let mut requests = requests_in(databag);
            // A job without data is read as one whose data is null, to be refused with a reason.
            requests.retain(|id, _| databag[&format!("request_{id}")].contains("\"job_data\""));
            let mut read = read_by_our_requirer(databag);
            read.jobs.retain(|_, job| {
                !job["job_data"].is_null() || databag.values().any(|text| text.contains("\"job_data\": null"))
            });
            assert_eq!(read.jobs, requests, "{at}");
            for (id, request) in &requests {
                let Value::Object(mut item) = request["job_data"].clone() else { continue };
                let name = format!("{}-{id}", request["job_name"].as_str().expect("a name"));
                item.insert("job_name".to_owned(), name.into());
                // Fields that are null are left out; only one recording has one.
                let item = python::to_text(&item.into()).replace("{\"x\": null}", "{}");
                assert_eq!(python::to_text(&read.rendered[id]), item, "{at}");
            }
        }
    }
}

#[test]
fn our_requirer_refuses_only_what_prometheus_would() {
    let mut table = Vec::new();
    for recording in recordings("provides") {
        let mut read: BTreeSet<String> = BTreeSet::new();
        for databag in last_published(&recording).values() {
            let Read { accepted, refused, files, .. } = read_by_our_requirer(databag);
            read.extend(accepted.iter().map(|name| format!("accepted {name}")));
            read.extend(refused);
            read.extend(files);
        }
        let lines: Vec<String> = read.into_iter().map(|line| format!("    {line}\n")).collect();
        table.push(format!("{}\n{}", recording.name, lines.concat()));
    }
    expect![[r#"
        provides-answered
            accepted app
            accepted node
        provides-answered-by-two
            accepted node
        provides-ca-cert
            accepted node
            node-*.ca.crt 644
        provides-client-cert
            accepted node
            node-*.ca.crt 644
            node-*.client.crt 644
            node-*.client.key 600
        provides-created
            accepted lxd
            lxd-*.ca.crt 644
            refused node: `job_data` is no map, expected an item of Prometheus' `scrape_configs`
        provides-departed
            accepted node
        provides-job-only
            accepted node
        provides-nested
            refused k8s: `a` is not a field that Prometheus knows
        provides-none-fields
            accepted a
            accepted b
            accepted c
        provides-numbers
            refused n: `big` is not a field that Prometheus knows
        provides-odd-data
            refused : `job_name` is `""`, expected a name
            refused list: `job_data` is no map, expected an item of Prometheus' `scrape_configs`
            refused null: `job_data` is no map, expected an item of Prometheus' `scrape_configs`
            refused number: `job_data` is no map, expected an item of Prometheus' `scrape_configs`
            refused text: `job_data` is no map, expected an item of Prometheus' `scrape_configs`
        provides-relation-loop
            refused node: `for` is not a field that Prometheus knows
        provides-two-jobs
            accepted app
            accepted node
        provides-two-names-two-relations
            accepted node-a
            accepted node-b
        provides-two-relations
            accepted node
        provides-two-units
            accepted node
        provides-unicode
            refused nöde/😀: `job_name` is `"nöde/😀"`, expected a name without control characters or emoji
        provides-updated
            accepted node
    "#]]
    .assert_eq(&table.concat());
}

/// The responses in a databag, by id.
fn responses_in(databag: &Texts) -> BTreeMap<String, Value> {
    let responses = databag.iter().filter_map(|(key, text)| Some((key.strip_prefix("response_")?, text)));
    responses
        .map(|(id, text)| (id.to_owned(), serde_json::from_str(text).expect("Python wrote JSON")))
        .collect()
}

/// What a provider sees: responses by id, and refusals as `name: reason`.
fn read_by_our_provider(requests: &Texts, published: &Texts) -> (BTreeMap<String, Value>, Vec<String>) {
    let step = Step::changed("prometheus", "prometheus/0", published.clone());
    let mut juju = Juju::new("web/0");
    juju.receive(&step.received, requests);
    let read = Rc::new(RefCell::new(Default::default()));
    let inside = read.clone();
    juju.run(PROMETHEUS, &step, move |_, side| {
        let responses = side.responses()?;
        let responses = responses.iter().map(|entry| (entry.id.to_string(), json!(entry.value)));
        let refusals = side.refusals()?;
        let refusals = refusals.iter().map(|refusal| format!("{}: {}", refusal.job_name, refusal.reason));
        inside.replace((responses.collect(), refusals.collect()));
        Ok(())
    });
    read.take()
}

#[test]
fn our_provider_reads_the_answers_of_a_requirer_in_python() {
    let mut answers = 0;
    for recording in recordings("requires") {
        for (index, step) in recording.steps.iter().enumerate() {
            for (relation, published) in &step.published {
                for (unit, requests) in &step.received[relation] {
                    let at = format!("{} {}: {relation} {unit}", recording.name, index + 1);
                    let mut expected = responses_in(published);
                    expected.retain(|id, _| requests.contains_key(&format!("request_{id}")));
                    answers += expected.len();
                    let refused: Vec<String> = expected
                        .iter()
                        .filter(|(_, response)| response["success"] == false)
                        .map(|(id, response)| {
                            let job: Value = serde_json::from_str(&requests[&format!("request_{id}")])
                                .expect("an answered request is JSON");
                            let text = |value: &Value| value.as_str().expect("a text").to_owned();
                            format!("{}: {}", text(&job["job_name"]), text(&response["reason"]))
                        })
                        .collect();
                    let (responses, refusals) = read_by_our_provider(requests, published);
                    assert_eq!(responses, expected, "{at}");
                    assert_eq!(refusals, refused, "{at}");
                }
            }
        }
    }
    assert!(answers > 15, "only {answers} answers were read");
}
