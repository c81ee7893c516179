//! One scrape job: whether a Prometheus would take it, and how it is written for one.
//!
//! A job is an item of Prometheus' `scrape_configs`.  It comes from an operator's YAML or from another
//! charm, so it may be careless or hostile, and one bad job makes Prometheus refuse its whole
//! configuration.  Both sides of the interface therefore [`check`] each job alone: the requester to tell
//! its operator, the responder because it cannot know that the requester did.  [`render`] then makes it
//! an item of `scrape_configs`.
//!
//! # Guarantees
//!
//! Whatever [`check`] accepts, and [`render`] writes under a name that [`check_name`] accepts,
//! `promtool check config --syntax-only` accepts too, and likewise when the Python interface renders it.
//! The configuration must be written as JSON, as `serde_json` or Python write it, with Prometheus' default
//! for `scrape_interval`, and the job must have
//!
//! - no regular expression: only Go can tell whether it compiles;
//! - no rule in `relabel_configs` that writes a label which Prometheus reads itself (`__address__`,
//!   `__scheme__`, `__scrape_interval__` and their like), or one whose name is worked out by the rule:
//!   rules can send targets anywhere;
//! - no service discovery but `static_configs`, `file_sd_configs`, `http_sd_configs`, `dns_sd_configs`;
//! - no field that this Prometheus is too old or too new for: all fields from 2.20 to 3.14 are known here.
//!
//! `tests/promtool.rs` holds us to it with the real promtool.  For the rest, the side that has a
//! Prometheus must ask its promtool, which also looks whether files are there.
//!
//! What is *not* promised: that the job finds targets, or that these answer.
//!
//! Text may hold no control characters but tabs and line ends, nothing beyond U+FFFF, and keys may not be
//! long, because YAML's reader refuses a *file* with such things in it, JSON or not.

mod client;
mod discovery;
mod duration;
mod place;
mod problem;
mod relabel;
mod render;
mod target;
#[cfg(test)]
mod tests;
mod url;
mod value;

use std::io;

use serde_json::{Map, Value};

pub use problem::{Found, Hint, JobProblem, Measure};
pub use render::{CertificatePaths, render};

use place::Place;
use value::{
    Fields, accept, anything, as_list, as_text, boolean, check_fields, count, duration, filled, number,
    one_of, sorted, text, texts_map,
};

/// How long a job may be as JSON, in bytes.
pub const JOB_BYTES_MAX: usize = 256 * 1024;
/// How deep lists and maps may be nested in a job, itself counted.
pub const JOB_DEPTH_MAX: usize = 16;
/// How many static targets a job may have.
pub const TARGETS_MAX: usize = 10_000;
/// How long a key may be, in bytes.  YAML ends at 1024 characters, escapes included.
pub const KEY_BYTES_MAX: usize = 256;
/// How long the name of a job may be, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// The fields of a job, but for those that it shares with other clients and for service discovery.
///
/// # Source
///
/// `ScrapeConfig` in `config/config.go` of Prometheus, all minor versions from 2.20 to 3.14.
const FIELDS: Fields = &[
    // The name is given from outside: see `render`.
    ("job_name", anything),
    ("honor_labels", boolean),
    ("honor_timestamps", boolean),
    ("track_timestamps_staleness", boolean),
    ("params", texts_map),
    ("scrape_interval", duration),
    ("scrape_timeout", duration),
    ("scrape_protocols", scrape_protocols),
    ("fallback_scrape_protocol", scrape_protocol),
    ("scrape_native_histograms", boolean),
    // Only in 2.45 to 2.55; then it got the name that follows.
    ("scrape_classic_histograms", boolean),
    ("always_scrape_classic_histograms", boolean),
    ("convert_classic_histograms_to_nhcb", boolean),
    ("scrape_failure_log_file", text),
    ("metrics_path", metrics_path),
    ("scheme", |place, value| one_of(place, value, &["http", "https"], "`http` or `https`")),
    ("enable_compression", boolean),
    ("body_size_limit", body_size),
    ("sample_limit", count),
    ("target_limit", count),
    ("label_limit", count),
    ("label_name_length_limit", count),
    ("label_value_length_limit", count),
    ("native_histogram_bucket_limit", count),
    ("native_histogram_min_bucket_factor", number),
    ("keep_dropped_targets", count),
    ("metric_name_validation_scheme", |place, value| {
        one_of(place, value, &["", "legacy", "utf8"], "`legacy` or `utf8`")
    }),
    ("metric_name_escaping_scheme", |place, value| {
        let words = ["", "allow-utf-8", "underscores", "dots", "values"];
        one_of(place, value, &words, "allow-utf-8, underscores, dots or values")
    }),
    ("extra_scrape_metrics", boolean),
    ("static_configs", target::groups),
    ("relabel_configs", relabel::rules),
    ("metric_relabel_configs", relabel::rules),
];

/// Fields that are often put beside the map or list that they belong in.
const MISPLACED: [(&str, Hint); 20] = [
    ("targets", Hint::Belongs("`static_configs`")),
    ("target", Hint::Belongs("`static_configs`")),
    ("labels", Hint::Belongs("`static_configs`")),
    ("port", Hint::Belongs("the targets of `static_configs`")),
    ("interval", Hint::Similar("scrape_interval")),
    ("timeout", Hint::Similar("scrape_timeout")),
    ("path", Hint::Similar("metrics_path")),
    ("name", Hint::Similar("job_name")),
    ("username", Hint::Belongs("`basic_auth`")),
    ("password", Hint::Belongs("`basic_auth`")),
    ("password_file", Hint::Belongs("`basic_auth`")),
    ("credentials", Hint::Belongs("`authorization`")),
    ("credentials_file", Hint::Belongs("`authorization`")),
    ("ca_file", Hint::Belongs("`tls_config`")),
    ("cert_file", Hint::Belongs("`tls_config`")),
    ("key_file", Hint::Belongs("`tls_config`")),
    ("server_name", Hint::Belongs("`tls_config`")),
    ("insecure_skip_verify", Hint::Belongs("`tls_config`")),
    ("scrape_configs", Hint::Belongs("`prometheus.yml`; a job is one item of it")),
    ("global", Hint::Belongs("`prometheus.yml`; a job is one item of `scrape_configs`")),
];

/// Checks that a job cannot make a Prometheus refuse its configuration, or worse.
///
/// The module's docs say what is promised.  `job_name` inside the job is ignored: [`render`] replaces it.
///
/// # Errors
///
/// The first problem found, always the same one for the same job.
///
/// # Example
///
/// ```
/// use prometheus_manual::job;
/// use serde_json::{Value, json};
///
/// let Value::Object(careless) = json!({"scrape_interval": 5}) else { unreachable!() };
/// let problem = job::check(&careless).expect_err("it has no unit");
/// assert_eq!(
///     problem.to_string(),
///     "`scrape_interval` is `5`, expected a number and a unit, for example `30s`"
/// );
/// ```
pub fn check(job: &Map<String, Value>) -> Result<(), JobProblem> {
    let place = Place::JOB;
    // Before anything that goes down into the job, or shows parts of it.
    job.values().try_for_each(|value| check_depth(value, JOB_DEPTH_MAX - 1))?;
    check_size(job)?;
    check_characters_of_map(&place, job)?;
    check_fields(&place, job, &[FIELDS, client::FIELDS, client::PROXY_FIELDS, discovery::FIELDS])
        .map_err(|problem| find_home(job, problem))?;
    client::check(&place, job)?;
    target::check_timing(job)?;
    target::check_addresses(job, relabel::may_rewrite_addresses(job))?;
    let validation = filled(job, "metric_name_validation_scheme");
    let escaping = filled(job, "metric_name_escaping_scheme");
    if validation.is_some_and(|scheme| scheme == "legacy")
        && escaping.is_some_and(|scheme| scheme == "allow-utf-8")
    {
        return Err(JobProblem::value(
            &place.key("metric_name_escaping_scheme"),
            &job["metric_name_escaping_scheme"],
            "another one beside `legacy` names",
        ));
    }
    Ok(())
}

/// Checks that a text can be the name of a job, and as well of a request.
///
/// Prometheus takes any text that is not empty, slashes, spaces and all.  Refused are the characters
/// that no text of a job may have, tabs and line ends, and names of more than [`NAME_BYTES_MAX`] bytes.
///
/// # Errors
///
/// [`JobProblem::Value`] at the path `job_name`.
pub fn check_name(name: &str) -> Result<(), JobProblem> {
    let place = Place::JOB;
    let place = place.key("job_name");
    let value = Value::String(name.to_owned());
    accept(!name.trim().is_empty(), &place, &value, "a name")?;
    accept(name.len() <= NAME_BYTES_MAX, &place, &value, "a name of at most 200 bytes")?;
    accept(!name.contains(is_dangerous), &place, &value, "a name without control characters or emoji")
}

/// Says where an unknown field belongs, when it is one that people often misplace.
fn find_home(job: &Map<String, Value>, problem: JobProblem) -> JobProblem {
    match problem {
        JobProblem::Unknown { path, hint } => {
            let home = MISPLACED.iter().find(|(name, _)| *name == path && job.contains_key(*name));
            JobProblem::Unknown { path, hint: home.map_or(hint, |(_, home)| *home) }
        }
        other => other,
    }
}

fn check_depth(value: &Value, levels_left: usize) -> Result<(), JobProblem> {
    let mut inside: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => return Ok(()),
    };
    match levels_left.checked_sub(1) {
        None => {
            Err(JobProblem::TooMuch { what: Measure::Depth, found: JOB_DEPTH_MAX + 1, most: JOB_DEPTH_MAX })
        }
        Some(left) => inside.try_for_each(|value| check_depth(value, left)),
    }
}

fn check_size(job: &Map<String, Value>) -> Result<(), JobProblem> {
    /// Counts what is written to it.
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, job)
        .expect("a map of JSON values is JSON, and the counter takes all");
    match counter.0 {
        0..=JOB_BYTES_MAX => Ok(()),
        found => Err(JobProblem::TooMuch { what: Measure::Bytes, found, most: JOB_BYTES_MAX }),
    }
}

fn check_characters(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    match value {
        Value::String(text) => {
            let is_clean = !text.contains(|c| is_dangerous(c) && !matches!(c, '\n' | '\r' | '\t'));
            accept(is_clean, place, value, "a text without control characters or emoji")
        }
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| check_characters(&place.item(index), item))
        }
        Value::Object(map) => check_characters_of_map(place, map),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn check_characters_of_map(place: &Place<'_>, map: &Map<String, Value>) -> Result<(), JobProblem> {
    sorted(map).into_iter().try_for_each(|(key, value)| {
        let place = place.key(key);
        if key.len() > KEY_BYTES_MAX {
            return Err(JobProblem::key(&place, "at most 256 bytes"));
        }
        if key.contains(is_dangerous) {
            return Err(JobProblem::key(&place, "no control characters or emoji"));
        }
        check_characters(&place, value)
    })
}

/// Whether YAML's reader refuses a file with this character in it, or reads it as something else.
fn is_dangerous(c: char) -> bool {
    match c {
        // Line and paragraph separator, byte order mark, two that are no characters; and all that Python
        // writes into JSON as two escapes, each of which YAML refuses.
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}'.. => true,
        _ => c.is_control(),
    }
}

fn metrics_path(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    text(place, value)?;
    let path = as_text(value).unwrap_or_default();
    accept(!path.contains("://"), place, value, "a path; for the rest there are `scheme` and targets")?;
    // Prometheus would ask for a path with `%3F` in it.
    accept(!path.contains('?'), place, value, "a path; for the query there is `params`")
}

fn body_size(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const UNITS: [(&str, u32); 13] = [
        ("KiB", 10),
        ("MiB", 20),
        ("GiB", 30),
        ("TiB", 40),
        ("PiB", 50),
        ("EiB", 60),
        ("KB", 10),
        ("MB", 20),
        ("GB", 30),
        ("TB", 40),
        ("PB", 50),
        ("EB", 60),
        ("B", 0),
    ];
    let is_size = |text: &str| {
        let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
        let shift = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, shift)| *shift);
        let bytes = shift.and_then(|shift| digits.parse::<u64>().ok()?.checked_mul(1 << shift));
        text == "0" || bytes.is_some_and(|bytes| i64::try_from(bytes).is_ok())
    };
    let is_right = as_text(value).is_some_and(|text| is_size(&text));
    accept(is_right, place, value, "a whole number and a unit, for example `10MB`")
}

fn scrape_protocol(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const PROTOCOLS: [&str; 5] = [
        "PrometheusProto",
        "OpenMetricsText0.0.1",
        "OpenMetricsText1.0.0",
        "PrometheusText0.0.4",
        "PrometheusText1.0.0",
    ];
    one_of(place, value, &PROTOCOLS, "a scrape protocol, for example `PrometheusText0.0.4`")
}

fn scrape_protocols(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let list = as_list(place, value, "a list of scrape protocols")?;
    accept(!list.is_empty(), place, value, "at least one scrape protocol")?;
    list.iter().enumerate().try_for_each(|(index, protocol)| {
        let place = place.item(index);
        scrape_protocol(&place, protocol)?;
        accept(!list[..index].contains(protocol), &place, protocol, "each scrape protocol once")
    })
}
