//! Static targets: which addresses, with which labels.

use std::time::Duration;

use serde_json::{Map, Value};

use super::TARGETS_MAX;
use super::place::Place;
use super::problem::{JobProblem, Measure};
use super::relabel::is_label_name;
use super::url::is_address;
use super::value::{
    Fields, as_duration, as_list, as_map, as_text, check_fields, filled, given, items, one_of, sorted, text,
    texts,
};

/// Prometheus' own default; what an operator of one has made of it is not known here.
const SCRAPE_INTERVAL_DEFAULT: Duration = Duration::from_mins(1);
const SCRAPE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

const FIELDS: Fields = &[("targets", texts), ("labels", labels)];

/// Checks the form of `static_configs`.
pub(super) fn groups(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let expected = "a list of maps with `targets`";
    items(place, value, expected, |place, value| {
        check_fields(place, as_map(place, value, "a map with `targets`")?, &[FIELDS])
    })
}

fn labels(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    for (name, value) in sorted(as_map(place, value, "a map of label names and texts")?) {
        let place = place.key(name);
        if !is_label_name(name) {
            return Err(JobProblem::key(&place, "letters, digits and `_` in the name of a label"));
        }
        match &**name {
            _ if value.is_null() => {}
            "__scheme__" => {
                one_of(&place, value, &["", "http", "https"], "`http` or `https`")?;
            }
            "__convert_classic_histograms_to_nhcb__"
            | "__always_scrape_classic_histograms__"
            | "__scrape_native_histograms__" => {
                one_of(&place, value, &["", "true", "false"], "`true` or `false`")?;
            }
            _ => text(&place, value)?,
        }
    }
    Ok(())
}

/// What a job says, or a group of targets through its labels, about when to scrape.
#[derive(Clone, Copy)]
struct Timing {
    interval: Duration,
    timeout: Duration,
}

/// Checks `scrape_timeout` against `scrape_interval`, of the job and of its groups.
///
/// A zero means the default, as for Prometheus, except in a label.
pub(super) fn check_timing(job: &Map<String, Value>) -> Result<(), JobProblem> {
    let said =
        |map, name| given(map, name).and_then(as_duration).filter(|duration: &Duration| !duration.is_zero());
    let place = Place::JOB;
    let interval = said(job, "scrape_interval").unwrap_or(SCRAPE_INTERVAL_DEFAULT);
    let timeout = said(job, "scrape_timeout");
    if timeout.is_some_and(|timeout| timeout > interval) {
        let expected = if given(job, "scrape_interval").is_some() {
            "at most `scrape_interval`"
        } else {
            "at most the default interval of `1m`, or a `scrape_interval` too"
        };
        return Err(JobProblem::value(&place.key("scrape_timeout"), &job["scrape_timeout"], expected));
    }
    let timing = Timing { interval, timeout: timeout.unwrap_or(SCRAPE_TIMEOUT_DEFAULT.min(interval)) };
    each_group(job, |place, group| match given(group, "labels").and_then(Value::as_object) {
        Some(labels) => check_label_timing(&place.key("labels"), labels, timing),
        None => Ok(()),
    })
}

fn check_label_timing(place: &Place<'_>, labels: &Map<String, Value>, job: Timing) -> Result<(), JobProblem> {
    const INTERVAL: &str = "__scrape_interval__";
    const TIMEOUT: &str = "__scrape_timeout__";
    let read = |name: &'static str, default| match filled(labels, name) {
        None => Ok(default),
        Some(_) => as_duration(&labels[name]).filter(|duration| !duration.is_zero()).ok_or_else(|| {
            JobProblem::value(&place.key(name), &labels[name], "a duration above zero, for example `30s`")
        }),
    };
    let interval = read(INTERVAL, job.interval)?;
    let timeout = read(TIMEOUT, job.timeout)?;
    if timeout > interval {
        let name = if filled(labels, TIMEOUT).is_some() { TIMEOUT } else { INTERVAL };
        return Err(JobProblem::value(&place.key(name), &labels[name], "a timeout of at most the interval"));
    }
    Ok(())
}

/// Checks that Prometheus can scrape each target, and that there are not too many.
///
/// Where rules make another address out of it (as for the blackbox exporter), a target is any text.
pub(super) fn check_addresses(job: &Map<String, Value>, are_rewritten: bool) -> Result<(), JobProblem> {
    let mut total: usize = 0;
    each_group(job, |place, group| {
        let place = place.key("targets");
        let targets =
            given(group, "targets").map_or(Ok(&[][..]), |value| as_list(&place, value, "a list"))?;
        total += targets.len();
        if total > TARGETS_MAX {
            return Err(JobProblem::TooMuch { what: Measure::Targets, found: total, most: TARGETS_MAX });
        }
        targets.iter().enumerate().try_for_each(|(index, value)| {
            let target = as_text(value).unwrap_or_default();
            let expected = match &*target {
                "" => "a target, for example `web:9100`",
                _ if are_rewritten || is_address(&target) => return Ok(()),
                url if url.contains('/') => "`host:port`; for the rest there are `scheme` and `metrics_path`",
                _ => "a host or `host:port`, for example `web:9100`",
            };
            Err(JobProblem::value(&place.item(index), value, expected))
        })
    })
}

/// Calls `check` with each group of static targets.
fn each_group(
    job: &Map<String, Value>,
    mut check: impl FnMut(&Place<'_>, &Map<String, Value>) -> Result<(), JobProblem>,
) -> Result<(), JobProblem> {
    let place = Place::JOB;
    let place = place.key("static_configs");
    let groups = given(job, "static_configs").and_then(Value::as_array);
    groups
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(index, group)| Some((index, group.as_object()?)))
        .try_for_each(|(index, group)| check(&place.item(index), group))
}
