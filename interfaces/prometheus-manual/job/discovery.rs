//! Entries of `*_sd_configs`: where Prometheus finds targets by itself.
//!
//! `file_sd_configs`, `http_sd_configs` and `dns_sd_configs` are checked to the end.  Of the others, which
//! have hundreds of fields between them, it is checked that they are lists of maps, and the two fields that
//! matter to more than the job itself.
//!
//! # Source
//!
//! `discovery/*` of Prometheus 2.42 and 3.14.

use serde_json::{Map, Value};

use super::client;
use super::place::Place;
use super::problem::JobProblem;
use super::url;
use super::value::{
    Fields, accept, as_count, as_duration, as_map, as_text, check_fields, given, items, text,
};

/// Every kind of service discovery that a Prometheus from 2.20 to 3.14 knows.
pub(super) const FIELDS: Fields = &[
    ("dns_sd_configs", dns),
    ("file_sd_configs", file),
    ("http_sd_configs", http),
    ("aws_sd_configs", other),
    ("azure_sd_configs", other),
    ("consul_sd_configs", other),
    ("digitalocean_sd_configs", other),
    ("docker_sd_configs", other),
    ("dockerswarm_sd_configs", other),
    ("ec2_sd_configs", other),
    ("ecs_sd_configs", other),
    ("elasticache_sd_configs", other),
    ("eureka_sd_configs", other),
    ("gce_sd_configs", other),
    ("hetzner_sd_configs", other),
    ("ionos_sd_configs", other),
    ("kubernetes_sd_configs", other),
    ("kuma_sd_configs", other),
    ("lightsail_sd_configs", other),
    ("linode_sd_configs", other),
    ("marathon_sd_configs", other),
    ("msk_sd_configs", other),
    ("nerve_sd_configs", other),
    ("nomad_sd_configs", other),
    ("oci_sd_configs", other),
    ("openstack_sd_configs", other),
    ("outscale_sd_configs", other),
    ("ovhcloud_sd_configs", other),
    ("puppetdb_sd_configs", other),
    ("rds_sd_configs", other),
    ("scaleway_sd_configs", other),
    ("serverset_sd_configs", other),
    ("stackit_sd_configs", other),
    ("triton_sd_configs", other),
    ("uyuni_sd_configs", other),
    ("vultr_sd_configs", other),
];

fn dns(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const FIELDS: Fields =
        &[("names", names), ("type", record_type), ("port", port), ("refresh_interval", refresh_interval)];
    entries(place, value, |place, entry| {
        // Prometheus reads it as the empty text, which is no type.
        if let Some(Value::Null) = entry.get("type") {
            record_type(&place.key("type"), &Value::Null)?;
        }
        check_fields(place, entry, &[FIELDS])?;
        required(place, entry, "names", "a list of names to look up")?;
        let record = given(entry, "type").and_then(as_text);
        let is_srv = record.is_none_or(|record| record.eq_ignore_ascii_case("SRV"));
        if !is_srv && given(entry, "port").and_then(as_count).unwrap_or(0) == 0 {
            return Err(JobProblem::missing(
                &place.key("port"),
                "a port, which only SRV records have of their own",
            ));
        }
        Ok(())
    })
}

fn file(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const FIELDS: Fields = &[("files", files), ("refresh_interval", refresh_interval)];
    entries(place, value, |place, entry| {
        check_fields(place, entry, &[FIELDS])?;
        required(place, entry, "files", "a list of files to read")
    })
}

fn http(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const FIELDS: Fields = &[("url", url::web), ("refresh_interval", refresh_interval)];
    entries(place, value, |place, entry| {
        check_fields(place, entry, &[FIELDS, client::FIELDS, client::PROXY_FIELDS])?;
        required(place, entry, "url", "the address of a list of targets")?;
        client::check(place, entry)
    })
}

fn other(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    entries(place, value, |place, entry| {
        if let Some(value) = given(entry, "tls_config") {
            client::tls(&place.key("tls_config"), value)?;
        }
        Ok(())
    })
}

/// Checks a list of entries: each is a map, and no `refresh_interval` is null.
fn entries(
    place: &Place<'_>,
    value: &Value,
    check: impl Fn(&Place<'_>, &Map<String, Value>) -> Result<(), JobProblem>,
) -> Result<(), JobProblem> {
    items(place, value, "a list of maps", |place, value| {
        let entry = as_map(place, value, "a map")?;
        // Looked at first, and null too, which Prometheus reads as zero.
        if let Some(value) = entry.get("refresh_interval") {
            refresh_interval(&place.key("refresh_interval"), value)?;
        }
        check(place, entry)
    })
}

/// How often to look for targets.
///
/// A zero passes Prometheus' own checks, promtool's too, and then the whole server ends in a panic
/// ("non-positive interval for `NewTicker`"): tried with 2.42, and 3.14 has the same lines.
fn refresh_interval(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let is_right = as_duration(value).is_some_and(|duration| !duration.is_zero());
    accept(is_right, place, value, "a duration above zero, for example `30s`")
}

fn required(
    place: &Place<'_>,
    entry: &Map<String, Value>,
    name: &'static str,
    expected: &'static str,
) -> Result<(), JobProblem> {
    match given(entry, name) {
        None => Err(JobProblem::missing(&place.key(name), expected)),
        Some(_) => Ok(()),
    }
}

fn names(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let expected = "a list of names to look up";
    accept(value.as_array().is_none_or(|list| !list.is_empty()), place, value, expected)?;
    items(place, value, expected, text)
}

fn record_type(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const TYPES: [&str; 5] = ["SRV", "A", "AAAA", "MX", "NS"];
    let is_right =
        as_text(value).is_some_and(|text| TYPES.iter().any(|known| text.eq_ignore_ascii_case(known)));
    accept(is_right, place, value, "SRV, A, AAAA, MX or NS")
}

fn port(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let is_right = as_count(value).is_some_and(|port| u16::try_from(port).is_ok());
    accept(is_right, place, value, "a port, without quotes")
}

fn files(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let expected = "a list of files to read";
    accept(value.as_array().is_none_or(|list| !list.is_empty()), place, value, expected)?;
    items(place, value, expected, |place, value| {
        let is_right = as_text(value).is_some_and(|text| is_file_pattern(&text));
        accept(is_right, place, value, "a path to .json, .yml or .yaml, with `*` only in its last part")
    })
}

/// Whether Prometheus reads targets from such a path.
fn is_file_pattern(text: &str) -> bool {
    let stem =
        [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"].iter().find_map(|end| text.strip_suffix(end));
    stem.is_some_and(|stem| stem.split_once('*').is_none_or(|(_, behind)| !behind.contains('/')))
}
