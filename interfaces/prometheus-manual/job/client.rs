//! How Prometheus connects to a target: credentials, TLS, proxies.
//!
//! The same fields stand in a job and in entries of `http_sd_configs`.
//!
//! # Source
//!
//! `HTTPClientConfig` in `config/http_config.go` of Prometheus' common library, versions 0.39
//! (Prometheus 2.42) to 0.70 (3.14).  Where they differ, the stricter one counts.

use serde_json::{Map, Value};

use super::place::Place;
use super::problem::JobProblem;
use super::url;
use super::value::{
    Fields, accept, as_map, as_text, at_most_one, boolean, check_fields, filled, given, map, one_of, sorted,
    text, text_map, texts, texts_map,
};

/// The fields of a client.
pub(super) const FIELDS: Fields = &[
    ("basic_auth", basic_auth),
    ("authorization", authorization),
    ("oauth2", oauth2),
    ("bearer_token", text),
    ("bearer_token_file", text),
    ("tls_config", tls),
    ("follow_redirects", boolean),
    ("enable_http2", boolean),
    ("http_headers", headers),
];

/// The fields of a proxy, which stand beside those of a client, and in `oauth2`.
pub(super) const PROXY_FIELDS: Fields = &[
    ("proxy_url", url::proxy),
    ("no_proxy", text),
    ("proxy_from_environment", boolean),
    ("proxy_connect_header", texts_map),
];

/// Checks how the fields of a client go together.
pub(super) fn check(place: &Place<'_>, map: &Map<String, Value>) -> Result<(), JobProblem> {
    // Prometheus looks whether these are there, even empty, and whether tokens have a text.
    const METHODS: [&str; 5] = ["basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file"];
    let mut methods = METHODS.into_iter().filter(|name| {
        if name.starts_with("bearer") { filled(map, name).is_some() } else { given(map, name).is_some() }
    });
    if let (Some(one), Some(other)) = (methods.next(), methods.next()) {
        return Err(JobProblem::conflict(&place.key(one), other));
    }
    check_proxy(place, map)
}

fn check_proxy(place: &Place<'_>, map: &Map<String, Value>) -> Result<(), JobProblem> {
    let has_url = filled(map, "proxy_url").is_some();
    let is_from_environment = given(map, "proxy_from_environment") == Some(&Value::Bool(true));
    let has_exceptions = filled(map, "no_proxy").is_some();
    let has_headers = given(map, "proxy_connect_header")
        .and_then(Value::as_object)
        .is_some_and(|headers| !headers.is_empty());
    if is_from_environment && has_url {
        return Err(JobProblem::conflict(&place.key("proxy_from_environment"), "proxy_url"));
    }
    if is_from_environment && has_exceptions {
        return Err(JobProblem::conflict(&place.key("proxy_from_environment"), "no_proxy"));
    }
    if has_exceptions && !has_url {
        return Err(JobProblem::missing(
            &place.key("proxy_url"),
            "a proxy that `no_proxy` makes exceptions from",
        ));
    }
    if has_headers && !has_url && !is_from_environment {
        return Err(JobProblem::missing(&place.key("proxy_url"), "a proxy for `proxy_connect_header`"));
    }
    Ok(())
}

fn basic_auth(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const FIELDS: Fields =
        &[("username", text), ("username_file", text), ("password", text), ("password_file", text)];
    let map = as_map(place, value, "a map with `username` and `password`")?;
    check_fields(place, map, &[FIELDS])?;
    at_most_one(place, map, ["username", "username_file"])?;
    at_most_one(place, map, ["password", "password_file"])
}

fn authorization(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const FIELDS: Fields = &[("type", authorization_type), ("credentials", text), ("credentials_file", text)];
    let map = as_map(place, value, "a map with `credentials`")?;
    check_fields(place, map, &[FIELDS])?;
    at_most_one(place, map, ["credentials", "credentials_file"])
}

fn authorization_type(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    text(place, value)?;
    let is_basic = as_text(value).is_some_and(|text| text.trim().eq_ignore_ascii_case("basic"));
    accept(!is_basic, place, value, "another type; for this one there is `basic_auth`")
}

fn oauth2(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    const FIELDS: Fields = &[
        ("client_id", text),
        ("client_secret", text),
        ("client_secret_file", text),
        ("client_certificate_key_id", text),
        ("client_certificate_key", text),
        ("client_certificate_key_file", text),
        ("grant_type", |place, value| {
            one_of(
                place,
                value,
                &["", "client_credentials", JWT],
                "`client_credentials` or the long name of JWT",
            )
        }),
        ("signature_algorithm", |place, value| {
            one_of(place, value, &["", "RS256", "RS384", "RS512"], "RS256, RS384 or RS512")
        }),
        ("iss", text),
        ("audience", text),
        ("claims", map),
        ("scopes", texts),
        ("token_url", url::web),
        ("endpoint_params", text_map),
        ("tls_config", tls),
    ];
    let map = as_map(place, value, "a map with `client_id`, `client_secret` and `token_url`")?;
    check_fields(place, map, &[FIELDS, PROXY_FIELDS])?;
    if filled(map, "client_id").is_none() {
        return Err(JobProblem::missing(&place.key("client_id"), "the id of an OAuth client"));
    }
    if filled(map, "token_url").is_none() {
        return Err(JobProblem::missing(&place.key("token_url"), "the address that gives tokens"));
    }
    at_most_one(place, map, ["client_secret", "client_secret_file"])?;
    at_most_one(place, map, ["client_certificate_key", "client_certificate_key_file"])?;
    let has_secret = filled(map, "client_secret").or_else(|| filled(map, "client_secret_file")).is_some();
    if !has_secret && filled(map, "grant_type").is_none_or(|grant| grant != JWT) {
        return Err(JobProblem::missing(&place.key("client_secret"), "it or `client_secret_file`"));
    }
    check_proxy(place, map)
}

/// Checks one `tls_config`.
///
/// What stands in `ca_file`, `cert_file` and `key_file` does not matter: they are paths on another
/// machine, or places for the responder to fill.
pub(super) fn tls(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const FIELDS: Fields = &[
        ("ca_file", text),
        ("cert_file", text),
        ("key_file", text),
        ("server_name", text),
        ("insecure_skip_verify", boolean),
        ("min_version", tls_version),
        ("max_version", tls_version),
        ("ca", text),
        ("cert", text),
        ("key", text),
    ];
    let map = as_map(place, value, "a map, for example with `ca_file`")?;
    check_fields(place, map, &[FIELDS])?;
    at_most_one(place, map, ["ca", "ca_file"])?;
    at_most_one(place, map, ["cert", "cert_file"])?;
    at_most_one(place, map, ["key", "key_file"])?;
    let has_cert = filled(map, "cert").or_else(|| filled(map, "cert_file")).is_some();
    let has_key = filled(map, "key").or_else(|| filled(map, "key_file")).is_some();
    if has_cert && !has_key {
        return Err(JobProblem::missing(&place.key("key_file"), "the key of the client certificate"));
    }
    if has_key && !has_cert {
        return Err(JobProblem::missing(&place.key("cert_file"), "the certificate of the client key"));
    }
    // The names are in the order of the versions.
    match (filled(map, "min_version"), filled(map, "max_version")) {
        (Some(min), Some(max)) if min > max => {
            Err(JobProblem::value(&place.key("max_version"), &map["max_version"], "at least `min_version`"))
        }
        _ => Ok(()),
    }
}

fn tls_version(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    one_of(place, value, &["TLS10", "TLS11", "TLS12", "TLS13"], "TLS10, TLS11, TLS12 or TLS13")
}

fn headers(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    const FIELDS: Fields = &[("values", texts), ("secrets", texts), ("files", texts)];
    /// Headers that Prometheus sets itself.
    const RESERVED: [&str; 18] = [
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "user-agent",
        "www-authenticate",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
        "x-prometheus-remote-read-version",
        "x-prometheus-remote-write-version",
        "x-prometheus-scrape-timeout-seconds",
    ];
    // A header without values is one all the same: Prometheus looks at the names.
    for (name, value) in sorted(as_map(place, value, "a map of header names")?) {
        let place = place.key(name);
        let is_reserved = RESERVED.contains(&&*name.to_ascii_lowercase());
        if is_reserved {
            return Err(JobProblem::key(&place, "a header that Prometheus does not set itself"));
        }
        if !value.is_null() {
            check_fields(&place, as_map(&place, value, "a map with `values`")?, &[FIELDS])?;
        }
    }
    Ok(())
}
