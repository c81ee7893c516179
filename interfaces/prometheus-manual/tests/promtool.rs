//! What `job::check` promises, against the real promtool.
//!
//! ```text
//! cargo test -p prometheus-manual --test promtool
//! ```
//!
//! The jobs are random, from a fixed seed; `PROMTOOL_SEED=7` takes another one.

mod promtool {
    pub(crate) mod generator;
    pub(crate) mod program;
}

use std::collections::{BTreeMap, BTreeSet};

use prometheus_manual::job::{self, CertificatePaths};
use promtool::generator::{self, Rng};
use promtool::program::{self, Spelling};
use serde_json::{Map, Value, json};

type Job = Map<String, Value>;

/// How many random jobs are checked.
const JOBS: usize = 40_000;
/// How many jobs share a configuration.
const JOBS_PER_FILE: usize = 500;
const SEED: u64 = 20_201_231;

/// Jobs written by hand, which `check` accepts.
const ACCEPTED: &str = include_str!("../job/tests/accepted.jsonl");

/// Words that Prometheus 2.42, in Debian 12, is too old for or 3.0 too young for, each with a job that
/// has it.
fn words_of_some_versions() -> BTreeMap<&'static str, Value> {
    let oauth = |name: &str, value: Value| json!({"oauth2": {"client_id": "c", "client_secret": "s", "token_url": "http://a", name: value}});
    BTreeMap::from([
        ("track_timestamps_staleness", json!({"track_timestamps_staleness": true})),
        ("scrape_protocols", json!({"scrape_protocols": ["PrometheusText0.0.4"]})),
        ("fallback_scrape_protocol", json!({"fallback_scrape_protocol": "PrometheusText0.0.4"})),
        ("scrape_native_histograms", json!({"scrape_native_histograms": true})),
        ("scrape_classic_histograms", json!({"scrape_classic_histograms": true})),
        ("always_scrape_classic_histograms", json!({"always_scrape_classic_histograms": true})),
        ("convert_classic_histograms_to_nhcb", json!({"convert_classic_histograms_to_nhcb": true})),
        ("scrape_failure_log_file", json!({"scrape_failure_log_file": "/log"})),
        ("enable_compression", json!({"enable_compression": true})),
        ("native_histogram_bucket_limit", json!({"native_histogram_bucket_limit": 1})),
        ("native_histogram_min_bucket_factor", json!({"native_histogram_min_bucket_factor": 1.1})),
        ("keep_dropped_targets", json!({"keep_dropped_targets": 1})),
        ("metric_name_validation_scheme", json!({"metric_name_validation_scheme": "utf8"})),
        ("metric_name_escaping_scheme", json!({"metric_name_escaping_scheme": "dots"})),
        ("extra_scrape_metrics", json!({"extra_scrape_metrics": true})),
        ("http_headers", json!({"http_headers": {"X-A": {"values": ["a"]}}})),
        ("no_proxy", json!({"no_proxy": "a", "proxy_url": "http://p"})),
        ("proxy_from_environment", json!({"proxy_from_environment": true})),
        ("username_file", json!({"basic_auth": {"username_file": "/u"}})),
        ("ca", json!({"tls_config": {"ca": "PEM"}})),
        ("cert", json!({"tls_config": {"cert": "PEM", "key_file": "/k"}})),
        ("key", json!({"tls_config": {"cert_file": "/c", "key": "PEM"}})),
        ("client_certificate_key_id", oauth("client_certificate_key_id", json!("a"))),
        ("client_certificate_key", oauth("client_certificate_key", json!("a"))),
        ("client_certificate_key_file", oauth("client_certificate_key_file", json!("/a"))),
        ("grant_type", oauth("grant_type", json!("client_credentials"))),
        ("signature_algorithm", oauth("signature_algorithm", json!("RS256"))),
        ("iss", oauth("iss", json!("a"))),
        ("audience", oauth("audience", json!("a"))),
        ("claims", oauth("claims", json!({"a": {"b": 1}}))),
        ("proxy_connect_header", {
            let mut job = oauth("proxy_connect_header", json!({"a": ["b"]}));
            job["oauth2"]["proxy_url"] = json!("http://p");
            job
        }),
        ("NS", json!({"dns_sd_configs": [{"names": ["a"], "type": "NS", "port": 1}]})),
    ])
}

/// The words that this promtool does not know.
fn unknown_words() -> BTreeSet<&'static str> {
    let mut unknown = BTreeSet::new();
    for (word, job) in words_of_some_versions() {
        let job = job.as_object().expect("a map");
        assert_eq!(job::check(job), Ok(()), "{word}");
        if let Some(message) = program::refusal(&[rendered(job, 0)], program::plain) {
            let is_unknown = message.contains(&format!("field {word} not found in type"))
                || message.contains(&format!("invalid DNS-SD records type {word}"));
            assert!(is_unknown, "promtool refuses `{word}` for another reason: {message}");
            unknown.insert(word);
        }
    }
    unknown
}

fn rendered(job: &Job, number: usize) -> Job {
    job::render("job", &number.to_string(), job, &CertificatePaths::default())
}

/// A job as the Python interface renders it: nothing is left out.
fn rendered_by_python(job: &Job, number: usize) -> Job {
    let mut rendered = job.clone();
    rendered.insert("job_name".to_owned(), json!(format!("job-{number}")));
    rendered
}

/// Looks for a job that promtool refuses, and fails with it.
#[track_caller]
fn assert_all_pass(jobs: &[Job], spelling: Spelling) {
    for jobs in jobs.chunks(JOBS_PER_FILE) {
        if let Some((culprit, message)) = program::culprit(jobs, spelling) {
            panic!(
                "`check` accepts this job, promtool does not: {message}\n{}",
                Value::Object(culprit.clone())
            );
        }
    }
}

/// The jobs written by hand.
fn by_hand() -> Vec<Job> {
    let jobs: Vec<Job> =
        ACCEPTED.lines().map(|line| serde_json::from_str(line).expect("a map in JSON")).collect();
    assert!(jobs.len() > 60, "{} jobs", jobs.len());
    jobs
}

#[test]
fn jobs_accepted_by_hand_pass() {
    let jobs: Vec<Job> = by_hand().iter().enumerate().map(|(number, job)| rendered(job, number)).collect();
    assert_all_pass(&jobs, program::plain);
}

#[test]
fn jobs_accepted_by_hand_pass_when_python_renders_them() {
    let jobs: Vec<Job> =
        by_hand().iter().enumerate().map(|(number, job)| rendered_by_python(job, number)).collect();
    assert_all_pass(&jobs, program::escaped);
}

#[test]
fn jobs_with_certificates_pass() {
    let paths = CertificatePaths { ca_file: Some("/ca"), cert_file: Some("/cert"), key_file: Some("/key") };
    let render = |(number, job): (usize, &Job)| job::render("job", &number.to_string(), job, &paths);
    let jobs: Vec<Job> = by_hand().iter().enumerate().map(render).collect();
    assert_all_pass(&jobs, program::plain);
}

#[test]
fn names_that_are_accepted_pass() {
    let mut rng = Rng::new(program::seed(SEED));
    let names = (0..500).map(|_| generator::odd_text(&mut rng)).filter(|name| job::check_name(name).is_ok());
    let jobs: Vec<Job> = names
        .enumerate()
        .map(|(number, name)| {
            job::render(&name, &number.to_string(), &Map::new(), &CertificatePaths::default())
        })
        .collect();
    assert!(jobs.len() > 150, "{} names", jobs.len());
    assert_all_pass(&jobs, program::plain);
    assert_all_pass(&jobs, program::escaped);
}

#[test]
fn random_jobs_that_are_accepted_pass() {
    let seed = program::seed(SEED);
    let mut rng = Rng::new(seed);
    let unknown = unknown_words();
    let fields = generator::fields(&unknown);
    let mut accepted = Vec::new();
    let mut accepted_for_python = Vec::new();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..JOBS {
        let job = generator::job(&mut rng, &fields);
        if job::check(&job).is_ok() && is_promised(&job, &unknown) {
            job.keys().for_each(|key| *uses.entry(key.clone()).or_default() += 1);
            accepted.push(rendered(&job, number));
            accepted_for_python.push(rendered_by_python(&job, number));
        }
    }
    // Fewer, and the test would look at nothing; more, and the jobs would not be wrong enough.
    let share = accepted.len() * 100 / JOBS;
    assert!((20..80).contains(&share), "{share} % of the jobs are accepted");
    for (key, _) in fields {
        let count = uses.get(*key).copied().unwrap_or(0);
        assert!(count >= 100, "only {count} accepted jobs have `{key}`");
    }
    assert_all_pass(&accepted, program::plain);
    assert_all_pass(&accepted_for_python, program::escaped);
}

/// Whether the promise covers a job: see the docs of `job`.
fn is_promised(job: &Job, unknown: &BTreeSet<&str>) -> bool {
    const PROMISED: [&str; 3] = ["dns_sd_configs", "file_sd_configs", "http_sd_configs"];
    const FREE: [&str; 2] = ["__metrics_path__", "__tmp_a"];
    let has_other_discovery =
        job.keys().any(|key| key.ends_with("_sd_configs") && !PROMISED.contains(&key.as_str()));
    let rules = |key| job.get(key).and_then(Value::as_array).into_iter().flatten();
    let has_regex = rules("relabel_configs")
        .chain(rules("metric_relabel_configs"))
        .any(|rule| rule.get("regex").is_some());
    let sends_targets_anywhere = rules("relabel_configs").any(|rule| {
        let written =
            [rule.get("target_label"), rule.get("replacement").filter(|_| rule["action"] == "labelmap")];
        written.into_iter().flatten().any(|label| {
            let label = label.as_str().unwrap_or_default();
            label.contains('$') || (label.starts_with("__") && !FREE.contains(&label))
        })
    });
    !has_other_discovery
        && !has_regex
        && !sends_targets_anywhere
        && job.iter().all(|(key, value)| is_known(key, unknown) && has_known_words(value, unknown))
}

fn is_known(word: &str, unknown: &BTreeSet<&str>) -> bool {
    !unknown.iter().any(|unknown| unknown.eq_ignore_ascii_case(word))
}

fn has_known_words(value: &Value, unknown: &BTreeSet<&str>) -> bool {
    match value {
        Value::String(text) => is_known(text, unknown),
        Value::Array(items) => items.iter().all(|item| has_known_words(item, unknown)),
        Value::Object(map) => {
            map.iter().all(|(key, value)| is_known(key, unknown) && has_known_words(value, unknown))
        }
        _ => true,
    }
}
