//! The side with metrics: the recorded hooks again, with our provider.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use charms_reactive_core::Role;
use charms_reactive_runtime::exchange::{RequestId, Requester as _};
use charms_reactive_runtime::{EndpointKey, HandlerError, Hook};
use prometheus_manual::{JobRequest, PrometheusManualProvides, RegisterError};
use serde_json::{Map, Value, json};

use super::difference::{Differences, Meant};
use super::juju::Juju;
use super::recording::{Calls, RegisterJob, Texts, recordings};

const PROMETHEUS: EndpointKey<PrometheusManualProvides> =
    EndpointKey::new("prometheus", Role::Provides, "prometheus-manual");

const ALL_RESPONSES: &str = "endpoint.prometheus.all_responses";

/// What our provider saw.
#[derive(Default)]
struct Seen {
    /// When the handler began.
    flags: Vec<String>,
    requests: Vec<Value>,
    responses: Vec<Value>,
    /// The jobs that `register_job` refused: which and why.
    refused: Vec<(String, String)>,
}

fn look_and_call(hook: &Hook, side: &PrometheusManualProvides, calls: &Calls) -> Result<Seen, HandlerError> {
    let mut seen = Seen { flags: hook.flags(), ..Seen::default() };
    for (index, call) in calls.register_job.iter().enumerate() {
        if let Err(error) = register(side, call)? {
            seen.refused.push((format!("{}. job", index + 1), error));
        }
    }
    for fields in &calls.create {
        create(side, fields)?;
    }
    for request in side.requests()? {
        let mut fields = serde_json::to_value(&request.value)?;
        fields["request_id"] = json!(request.id.as_str());
        seen.requests.push(fields);
    }
    for response in side.responses()? {
        seen.responses.push(json!({"request_id": response.id.as_str(), "response": response.value}));
    }
    Ok(seen)
}

/// Registers a job; the inner error is why it was refused.  What is refused goes out all the same, past
/// the checks: the bytes of every recording are to be compared.
fn register(side: &PrometheusManualProvides, call: &RegisterJob) -> Result<Result<(), String>, HandlerError> {
    let relations = side.endpoint().relations()?;
    let relation = call.relation.as_ref().map(|id| relations.by_key(id).expect("a relation of the step"));
    let refused = match &call.job_data {
        Value::Object(data) => {
            let mut registration = side
                .register_job(&call.job_name, data.clone())
                .ca_cert(call.ca_cert.as_deref().unwrap_or_default())
                .client_cert(call.client_cert.as_deref().unwrap_or_default())
                .client_key(call.client_key.as_deref().unwrap_or_default());
            if let Some(relation) = relation {
                registration = registration.relation(relation);
            }
            match registration.send() {
                Ok(()) => return Ok(Ok(())),
                Err(error @ RegisterError::Exchange(_)) => return Err(error.into()),
                Err(error) => error.to_string(),
            }
        }
        _ => "cannot be called with this".to_owned(),
    };
    let request = JobRequest {
        job_name: call.job_name.clone(),
        job_data: call.job_data.clone(),
        ca_cert: call.ca_cert.clone(),
        client_cert: call.client_cert.clone(),
        client_key: call.client_key.clone(),
    };
    for target in
        relations.iter().filter(|target| relation.is_none_or(|one| one.relation_id() == target.relation_id()))
    {
        side.create_or_update(target, request.clone(), |known| known.job_name == call.job_name)?;
    }
    Ok(Err(refused))
}

/// `JobRequest.create`, which makes a request of the fields that are given.
fn create(side: &PrometheusManualProvides, fields: &BTreeMap<String, Value>) -> Result<(), HandlerError> {
    let relations = side.endpoint().relations()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let relation = text("relation").and_then(|id| relations.by_key(id)).expect("a relation of the step");
    let mut wanted: Map<String, Value> = fields.clone().into_iter().collect();
    wanted.remove("relation");
    wanted.remove("request_id");
    wanted.entry("job_data").or_insert(Value::Null);
    let request: JobRequest = serde_json::from_value(wanted.into())?;
    match text("request_id") {
        Some(id) => side.create_with_id(relation, RequestId::parse(id)?, request)?,
        None => side.create(relation, request)?,
    };
    Ok(())
}

/// Our UUIDs, and those that Python drew for the same job on the same relation.
#[derive(Default)]
struct Ids {
    /// By relation and job: ours.
    ours: BTreeMap<(String, String), String>,
    /// From ours to theirs.
    theirs: BTreeMap<String, String>,
}

impl Ids {
    /// Learns from the databags of a relation after a hook.  A job must not get another id later.
    fn learn(&mut self, relation: &str, ours: &Texts, theirs: &Texts) {
        for (id, name) in requests_in(ours) {
            let key = (relation.to_owned(), name.clone());
            let first = self.ours.entry(key).or_insert_with(|| id.clone());
            assert_eq!(*first, id, "job `{name}` of {relation} has got another id");
            let same = requests_in(theirs).into_iter().find(|(_, other)| *other == name);
            self.theirs.insert(id, same.map_or_else(|| "<id>".to_owned(), |(id, _)| id));
        }
    }

    /// Databags of the other side, which knows their ids, with ours in place of theirs.
    fn with_ours(&self, databags: &Databags) -> Databags {
        let text = serde_json::to_string(databags).expect("texts are JSON");
        let text = self.theirs.iter().fold(text, |text, (ours, theirs)| text.replace(theirs, ours));
        serde_json::from_str(&text).expect("it was JSON")
    }

    /// A text with their ids in place of ours.
    fn translate(&self, text: &str) -> String {
        self.theirs.iter().fold(text.to_owned(), |text, (ours, theirs)| text.replace(ours, theirs))
    }
}

/// By relation, then by unit.
type Databags = BTreeMap<String, BTreeMap<String, Texts>>;

/// Id and name of the jobs in a databag.
fn requests_in(databag: &Texts) -> Vec<(String, String)> {
    let requests = databag.iter().filter_map(|(key, text)| Some((key.strip_prefix("request_")?, text)));
    requests
        .map(|(id, text)| {
            let request: Value = serde_json::from_str(text).expect("JSON");
            (id.to_owned(), request["job_name"].as_str().expect("a job has a name").to_owned())
        })
        .collect()
}

fn by_id(list: &[Value]) -> Vec<String> {
    let mut texts: Vec<(String, String)> =
        list.iter().map(|value| (value["request_id"].to_string(), value.to_string())).collect();
    texts.sort();
    texts.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn our_provider_publishes_and_sees_what_python_did() {
    let mut differences = Differences::default();
    for recording in recordings("provides") {
        let name = &recording.name;
        let mut juju = Juju::new(&recording.unit);
        let mut ids = Ids::default();
        for (index, step) in recording.steps.iter().enumerate() {
            let at = |what: &str| format!("{name} {}: {what}", index + 1);
            let address = addresses(step.published.values().next().expect("a databag"));
            juju.receive(&ids.with_ours(&step.received), &address);
            let seen = Rc::new(RefCell::new(Seen::default()));
            let (inside, calls) = (seen.clone(), step.calls.clone());
            juju.run(PROMETHEUS, step, move |hook, side| {
                inside.replace(look_and_call(hook, &side, &calls)?);
                Ok(())
            });
            let seen = seen.take();
            for (job, reason) in &seen.refused {
                differences.compare(&at(job), reason, "");
            }

            let published = juju.published();
            assert_eq!(published.keys().collect::<Vec<_>>(), step.published.keys().collect::<Vec<_>>());
            for (relation, ours) in &published {
                ids.learn(relation, ours, &step.published[relation]);
            }
            for (relation, ours) in &published {
                let ours: Texts =
                    ours.iter().map(|(key, text)| (ids.translate(key), ids.translate(text))).collect();
                let theirs = &step.published[relation];
                let mut keys: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    let text = |texts: &Texts| texts.get(key).cloned().unwrap_or_default();
                    differences.compare(&at(&format!("{relation} {key}")), text(&ours), text(theirs));
                }
            }

            let theirs = step.seen.as_ref().expect("no provider's hook failed");
            let translated = |list: &[Value]| {
                let text = ids.translate(&Value::from(list).to_string());
                by_id(&serde_json::from_str::<Vec<Value>>(&text).expect("it was JSON")).join("\n")
            };
            let flags: Vec<String> = seen.flags.iter().map(|flag| ids.translate(flag)).collect();
            let mut their_flags = theirs.flags.clone();
            if index == 0 {
                // D19: Python takes no request at all for all of them answered.
                assert!(!flags.contains(&ALL_RESPONSES.to_owned()), "{name}");
                their_flags.retain(|flag| flag != ALL_RESPONSES);
            }
            let (ours, only_theirs) = difference_of(&flags, &their_flags);
            differences.compare(&at("flags"), ours, only_theirs);
            differences.compare(
                &at("requests"),
                translated(&seen.requests),
                by_id(&theirs.requests).join("\n"),
            );
            differences.compare(
                &at("responses"),
                translated(&seen.responses),
                by_id(&theirs.responses).join("\n"),
            );
        }
    }
    differences.judge(MEANT);
}

/// Juju's own keys.
pub(crate) fn addresses(databag: &Texts) -> Texts {
    let is_own = |key: &str| !key.starts_with("request_") && !key.starts_with("response_");
    databag.iter().filter(|(key, _)| is_own(key)).map(|(key, text)| (key.clone(), text.clone())).collect()
}

/// The flags that only one of the two has.
pub(crate) fn difference_of(ours: &[String], theirs: &[String]) -> (String, String) {
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|flag| !those.contains(flag)).cloned().collect::<Vec<_>>().join(" ")
    };
    let (ours, theirs) = (only(ours, theirs), only(theirs, ours));
    if ours.is_empty() && theirs.is_empty() {
        return (String::new(), String::new());
    }
    (format!("+[{ours}] -[{theirs}]"), "+[] -[]".to_owned())
}

/// What differs, and why.
const MEANT: &[Meant] = &[
    (
        "provides-answered-by-two 3: responses",
        r#"{"request_id":"e5dcf376-7f79-4dab-9642-b7aa55e2fa5e","response":{"reason":"second","success":false}}
{"request_id":"e5dcf376-7f79-4dab-9642-b7aa55e2fa5e","response":{"reason":null,"success":true}}"#,
        "D7: the answers of all units are there, not only the first one's",
    ),
    (
        "provides-created 1: prometheus:4 request_5a1dfa84-85cc-4f28-9bca-96538a83f94a",
        r#"{"ca_cert": null, "client_cert": null, "client_key": null, "job_data": null, "job_name": "node", "request_id": "5a1dfa84-85cc-4f28-9bca-96538a83f94a"}"#,
        "a job has all six fields, in the form of `register_job`, however it was made",
    ),
    (
        "provides-created 1: prometheus:4 request_m_web_0",
        r#"{"ca_cert": "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBca==\n-----END CERTIFICATE-----\n", "client_cert": null, "client_key": null, "job_data": {"scheme": "https", "static_configs": [{"targets": ["10.0.0.5:9100"]}]}, "job_name": "lxd", "request_id": "m_web_0"}"#,
        "a job has all six fields, in the form of `register_job`, however it was made",
    ),
    (
        "provides-departed 3: flags",
        "+[] -[endpoint.prometheus.changed endpoint.prometheus.changed.egress-subnets endpoint.prometheus.changed.ingress-address endpoint.prometheus.changed.private-address]",
        "D24: what changed on a relation is forgotten with it",
    ),
    ("provides-departed 3: requests", "", "D24: the relation of a `-broken` hook is none any more"),
    (
        "provides-nested 1: 1. job",
        "job `k8s`: `a` is not a field that Prometheus knows",
        "D15: the job is checked; this one is no job",
    ),
    (
        "provides-none-fields 1: prometheus:4 request_9c942a67-68f0-474f-b8e1-eb2a7757fa76",
        r#"{"ca_cert": null, "client_cert": null, "client_key": null, "job_data": {"scheme": "https", "static_configs": [{"targets": ["10.0.0.5:9100"]}]}, "job_name": "b", "request_id": "9c942a67-68f0-474f-b8e1-eb2a7757fa76"}"#,
        "an empty text is no certificate",
    ),
    (
        "provides-none-fields 1: requests",
        r#"{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{},"job_name":"c","request_id":"6551aab5-6449-4053-a3f4-55ed7d4a73ff"}
{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"b","request_id":"9c942a67-68f0-474f-b8e1-eb2a7757fa76"}
{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"a","request_id":"a3d8255b-aab1-4178-a74d-3f30ae456868"}"#,
        "an empty text is no certificate",
    ),
    (
        "provides-numbers 1: 1. job",
        "job `n`: `big` is not a field that Prometheus knows",
        "D15: the job is checked; this one is no job",
    ),
    (
        "provides-numbers 1: prometheus:4 request_9af698cf-ca27-4ea3-ba8a-47d8be8b773b",
        r#"{"ca_cert": null, "client_cert": null, "client_key": null, "job_data": {"big": 1.2345678901234568e+22, "e-4": 0.0001, "e-5": 1e-05, "e15": 1000000000000000.0, "e16": 1e+16, "huge": 1e+300, "i64max": 9223372036854775807, "int": 1, "neg": -7, "negzero": -0.0, "one": 1.0, "tenth": 0.1, "third": 0.3333333333333333, "u64max": 18446744073709551615}, "job_name": "n", "request_id": "9af698cf-ca27-4ea3-ba8a-47d8be8b773b"}"#,
        "whole numbers end at 64 bits, beyond Prometheus' own; this job is refused anyway",
    ),
    ("provides-odd-data 1: 1. job", "cannot be called with this", "D15: `register_job` takes a map"),
    ("provides-odd-data 1: 2. job", "cannot be called with this", "D15: `register_job` takes a map"),
    ("provides-odd-data 1: 3. job", "cannot be called with this", "D15: `register_job` takes a map"),
    ("provides-odd-data 1: 4. job", "cannot be called with this", "D15: `register_job` takes a map"),
    (
        "provides-odd-data 1: 5. job",
        r#"job ``: `job_name` is `""`, expected a name"#,
        "D15: the job is checked",
    ),
    (
        "provides-relation-loop 1: 1. job",
        "job `node`: `for` is not a field that Prometheus knows",
        "D15: the job is checked; this one is no job",
    ),
    (
        "provides-relation-loop 1: 2. job",
        "job `node`: `for` is not a field that Prometheus knows",
        "D15: the job is checked; this one is no job",
    ),
    (
        "provides-relation-loop 1: prometheus:10 request_<id>",
        r#"{"ca_cert": null, "client_cert": null, "client_key": null, "job_data": {"for": "prometheus:10"}, "job_name": "node", "request_id": "<id>"}"#,
        "D5: each relation gets what was registered on it",
    ),
    (
        "provides-relation-loop 1: prometheus:4 request_4c15bfa7-9cd8-4582-826a-69b58292a138",
        r#"{"ca_cert": null, "client_cert": null, "client_key": null, "job_data": {"for": "prometheus:4"}, "job_name": "node", "request_id": "4c15bfa7-9cd8-4582-826a-69b58292a138"}"#,
        "D5: each relation gets what was registered on it",
    ),
    (
        "provides-relation-loop 1: requests",
        r#"{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"for":"prometheus:4"},"job_name":"node","request_id":"4c15bfa7-9cd8-4582-826a-69b58292a138"}
{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"for":"prometheus:10"},"job_name":"node","request_id":"<id>"}"#,
        "D5: each relation gets what was registered on it",
    ),
    (
        "provides-two-relations 1: prometheus:4 request_<id>",
        r#"{"ca_cert": null, "client_cert": null, "client_key": null, "job_data": {"scheme": "https", "static_configs": [{"targets": ["10.0.0.5:9100"]}]}, "job_name": "node", "request_id": "<id>"}"#,
        "D5: every relation gets the job",
    ),
    (
        "provides-two-relations 1: requests",
        r#"{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"node","request_id":"3098d3ac-a2a4-448e-81a8-b646e230242a"}
{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"node","request_id":"<id>"}"#,
        "D5: every relation gets the job",
    ),
    (
        "provides-unicode 1: 1. job",
        "job `nöde/😀`: `job_name` is `\"nöde/😀\"`, expected a name without control characters or emoji",
        "new: one escape that Python writes for an emoji breaks the whole file of a Prometheus in Python",
    ),
    (
        "provides-updated 2: flags",
        "+[endpoint.prometheus.available] -[]",
        "D20: known since the job was registered, not only since the next own hook",
    ),
    (
        "provides-updated 3: flags",
        "+[endpoint.prometheus.available] -[]",
        "D20: known since the job was registered, not only since the next own hook",
    ),
];
