//! The side that scrapes: the recorded hooks again, with our requirer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use charms_reactive_core::{Role, json as python};
use charms_reactive_runtime::exchange::{ExchangeError, Responder as _};
use charms_reactive_runtime::{EndpointKey, HandlerError, Hook};
use prometheus_manual::{Job, JobResponse, PrometheusManualRequires};
use serde_json::{Value, json};

use super::difference::{Differences, Meant};
use super::juju::Juju;
use super::provides::{addresses, difference_of};
use super::recording::{Respond, Step, Texts, recordings};

const JOBS: EndpointKey<PrometheusManualRequires> =
    EndpointKey::new("manual-jobs", Role::Requires, "prometheus-manual");

/// What our requirer saw.
#[derive(Default)]
struct Seen {
    /// When the handler began.
    flags: Vec<String>,
    jobs: Vec<Value>,
    new_jobs: Vec<String>,
    new_jobs_after: Vec<String>,
}

fn look_and_answer(
    hook: &Hook,
    side: &PrometheusManualRequires,
    answers: &BTreeMap<String, Respond>,
) -> Result<Seen, HandlerError> {
    let mut seen = Seen { flags: hook.flags(), ..Seen::default() };
    seen.new_jobs = ids(&side.new_jobs()?);
    for job in side.jobs()? {
        let mut fields = serde_json::to_value(&job.request.value)?;
        fields["request_id"] = json!(job.request.id.as_str());
        seen.jobs.push(fields);
        if let Some(answer) = answers.get(job.request.id.as_str()) {
            respond(side, &job, answer)?;
        }
    }
    seen.new_jobs_after = ids(&side.new_jobs()?);
    Ok(seen)
}

fn ids(jobs: &[Job]) -> Vec<String> {
    jobs.iter().map(|job| job.request.id.to_string()).collect()
}

fn respond(side: &PrometheusManualRequires, job: &Job, answer: &Respond) -> Result<(), ExchangeError> {
    match answer {
        Respond { success: true, reason: None } => job.accept(),
        Respond { success: false, reason: Some(reason) } => job.refuse(reason),
        Respond { success, reason } => {
            side.respond(&job.request, &JobResponse { success: *success, reason: reason.clone() })
        }
    }
}

/// A response without the field that Python does not write; it has to be there, with one digest.
fn without_answers(text: &str) -> String {
    let mut response: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(python::to_text(&response), text, "not in the form of Python");
    let answers = response.as_object_mut().expect("a map").remove("answers").expect("field `answers`");
    assert_eq!(answers.as_array().map(Vec::len), Some(1), "{text}");
    python::to_text(&response)
}

/// JSON texts, one a line, sorted.
fn lines(values: impl IntoIterator<Item = Value>) -> String {
    let mut lines: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn our_requirer_reads_and_answers_as_python_did() {
    let mut differences = Differences::default();
    for recording in recordings("requires") {
        let name = &recording.name;
        let mut juju = Juju::new(&recording.unit);
        for (index, step) in recording.steps.iter().enumerate() {
            let at = |what: &str| format!("{name} {}: {what}", index + 1);
            juju.receive(&step.received, &addresses(step.published.values().next().expect("a databag")));
            let seen = run(&mut juju, step);
            compare_published(&mut differences, &at, &juju, step);
            let Some(theirs) = &step.seen else {
                // Ours did not fail, or `run` had.
                differences.compare(&at("end of the hook"), "good", "failed");
                assert!(juju.log.contains("skipping key `request_"), "{name}: {}", juju.log);
                continue;
            };
            let (only_ours, only_theirs) = difference_of(&seen.flags, &theirs.flags);
            differences.compare(&at("flags"), only_ours, only_theirs);
            let texts = |ids: &[String]| lines(ids.iter().map(|id| json!(id)));
            differences.compare(&at("jobs"), lines(seen.jobs), lines(theirs.jobs.clone()));
            differences.compare(&at("new jobs"), texts(&seen.new_jobs), lines(theirs.new_jobs.clone()));
            let after = texts(&seen.new_jobs_after);
            differences.compare(&at("new jobs after"), after, lines(theirs.new_jobs_after.clone()));
        }
    }
    differences.judge(MEANT);
}

fn run(juju: &mut Juju, step: &Step) -> Seen {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let (inside, answers) = (seen.clone(), step.calls.respond.clone());
    juju.run(JOBS, step, move |hook, side| {
        inside.replace(look_and_answer(hook, &side, &answers)?);
        Ok(())
    });
    seen.take()
}

fn compare_published(differences: &mut Differences, at: &impl Fn(&str) -> String, juju: &Juju, step: &Step) {
    let published = juju.published();
    assert_eq!(published.keys().collect::<Vec<_>>(), step.published.keys().collect::<Vec<_>>());
    for (relation, ours) in &published {
        let theirs = &step.published[relation];
        let mut keys: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let text = |texts: &Texts| texts.get(key).cloned().unwrap_or_default();
            let ours = match ours.get(key) {
                Some(text) if key.starts_with("response_") => without_answers(text),
                Some(text) => text.clone(),
                None => String::new(),
            };
            differences.compare(&at(&format!("{relation} {key}")), ours, text(theirs));
        }
    }
}

/// What differs, and why.
const MEANT: &[Meant] = &[
    (
        "requires-accepted 2: flags",
        "+[] -[endpoint.manual-jobs.new_jobs]",
        "D20: cleared when the last job was answered",
    ),
    ("requires-broken-json 1: end of the hook", "good", "D12: what is no request is skipped and told"),
    (
        "requires-changed-after-answer 2: flags",
        "+[endpoint.manual-jobs.new_jobs endpoint.manual-jobs.new_requests] -[]",
        "D8: a job that changed is new",
    ),
    (
        "requires-changed-after-answer 2: new jobs",
        r#""0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01""#,
        "D8: a job that changed is new",
    ),
    (
        "requires-changed-after-answer 2: new jobs after",
        r#""0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01""#,
        "D8: a job that changed is new",
    ),
    (
        "requires-departed 2: flags",
        "+[endpoint.manual-jobs.removed_requests] -[]",
        "D51: a lost job is announced",
    ),
    (
        "requires-departed 2: manual-jobs:7 response_0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01",
        "",
        "D9: the answer goes with the request",
    ),
    (
        "requires-foreign-forms 1: jobs",
        r#"{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"lxd/m","request_id":"m_web_0"}
{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"short","request_id":"1a2b3c4d"}"#,
        "D12, D13: a job without name and data, and one whose id is not that of its key, are skipped and told",
    ),
    (
        "requires-foreign-forms 1: new jobs",
        r#""1a2b3c4d"
"m_web_0""#,
        "D12, D13: a job without name and data, and one whose id is not that of its key, are skipped and told",
    ),
    (
        "requires-foreign-forms 1: new jobs after",
        "",
        "D12, D13: a job without name and data, and one whose id is not that of its key, are skipped and told",
    ),
    ("requires-no-id 1: end of the hook", "good", "D12: what is no request is skipped and told"),
    ("requires-not-an-object 1: end of the hook", "good", "D12: what is no request is skipped and told"),
    (
        "requires-same-id-twice 1: jobs",
        r#"{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"node","request_id":"0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01"}
{"ca_cert":null,"client_cert":null,"client_key":null,"job_data":{"scheme":"https","static_configs":[{"targets":["10.0.0.5:9100"]}]},"job_name":"other","request_id":"0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01"}"#,
        "D4, D14: requests belong to their relation",
    ),
    (
        "requires-same-id-twice 1: manual-jobs:12 response_0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01",
        r#"{"reason": null, "success": true}"#,
        "D4, D14: requests belong to their relation",
    ),
    (
        "requires-same-id-twice 1: new jobs",
        r#""0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01"
"0b1e6c1a-5b0e-4f0a-9d52-6d0b8a3f1c01""#,
        "D4, D14: requests belong to their relation",
    ),
    (
        "requires-withdrawn 2: flags",
        "+[endpoint.manual-jobs.removed_requests] -[]",
        "D51: a lost job is announced",
    ),
    (
        "requires-withdrawn 2: manual-jobs:7 response_7f3d2c44-91aa-4c7e-8a35-2f6f7d1e9b02",
        "",
        "D9: the answer goes with the request",
    ),
];
