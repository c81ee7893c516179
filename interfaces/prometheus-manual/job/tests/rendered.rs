//! Jobs as they are rendered: the table of the Python interface's `to_json`, and what is better here.

use super::*;

const CA: CertificatePaths<'_> = CertificatePaths { ca_file: Some("/ca"), cert_file: None, key_file: None };
const CLIENT: CertificatePaths<'_> =
    CertificatePaths { ca_file: None, cert_file: Some("/cert"), key_file: Some("/key") };
const ALL: CertificatePaths<'_> =
    CertificatePaths { ca_file: Some("/ca"), cert_file: Some("/cert"), key_file: Some("/key") };
const NOTHING: CertificatePaths<'_> = CertificatePaths { ca_file: None, cert_file: None, key_file: None };

/// Renders a job and compares it with what is expected beside its name.
#[track_caller]
fn renders(paths: CertificatePaths<'_>, given: &str, expected: &str) {
    let mut expected = job(expected);
    expected.insert("job_name".to_owned(), json!("node-3f2a"));
    assert_eq!(Value::Object(render("node", "3f2a", &job(given), &paths)), Value::Object(expected));
}

#[test]
fn the_name_overrides_one_in_the_job() {
    renders(NOTHING, r#"{"job_name": "mine", "scheme": "http"}"#, r#"{"scheme": "http"}"#);
    renders(ALL, "{}", "{}");
}

#[test]
fn a_tls_config_of_the_job_gets_the_authority_even_an_empty_one() {
    renders(CA, r#"{"tls_config": {}}"#, r#"{"tls_config": {"ca_file": "/ca"}}"#);
    renders(CA, r#"{"tls_config": {"ca_file": "x"}}"#, r#"{"tls_config": {"ca_file": "/ca"}}"#);
    renders(
        CA,
        r#"{"tls_config": {"server_name": "web", "cert_file": "c", "key_file": "k"}}"#,
        r#"{"tls_config": {"server_name": "web", "cert_file": "c", "key_file": "k", "ca_file": "/ca"}}"#,
    );
}

#[test]
fn a_tls_config_of_the_job_gets_the_client_certificate_present_or_not() {
    renders(CLIENT, r#"{"tls_config": {}}"#, r#"{"tls_config": {"cert_file": "/cert", "key_file": "/key"}}"#);
    renders(
        ALL,
        r#"{"tls_config": {"cert_file": "x", "key_file": "y"}}"#,
        r#"{"tls_config": {"ca_file": "/ca", "cert_file": "/cert", "key_file": "/key"}}"#,
    );
}

#[test]
fn half_a_client_certificate_is_not_used() {
    for paths in
        [CertificatePaths { key_file: None, ..CLIENT }, CertificatePaths { cert_file: None, ..CLIENT }]
    {
        renders(paths, r#"{"tls_config": {"cert_file": "x"}}"#, r#"{"tls_config": {"cert_file": "x"}}"#);
        renders(paths, r#"{"scheme": "https"}"#, r#"{"scheme": "https"}"#);
    }
}

#[test]
fn an_https_job_without_tls_config_gets_one_for_what_was_sent() {
    renders(CA, r#"{"scheme": "https"}"#, r#"{"scheme": "https", "tls_config": {"ca_file": "/ca"}}"#);
    renders(
        ALL,
        r#"{"scheme": "https", "tls_config": null}"#,
        r#"{"scheme": "https", "tls_config": {"ca_file": "/ca", "cert_file": "/cert", "key_file": "/key"}}"#,
    );
    renders(NOTHING, r#"{"scheme": "https"}"#, r#"{"scheme": "https"}"#);
}

#[test]
fn a_job_without_https_gets_no_tls_config() {
    renders(ALL, r#"{"scheme": "http"}"#, r#"{"scheme": "http"}"#);
    renders(ALL, r#"{"metrics_path": "/m"}"#, r#"{"metrics_path": "/m"}"#);
    renders(ALL, r#"{"tls_config": null}"#, "{}");
}

#[test]
fn an_entry_gets_the_authority_only_for_a_placeholder() {
    renders(
        CA,
        r#"{"consul_sd_configs": [{"tls_config": {"ca_file": "x"}}, {"tls_config": {"server_name": "s"}}, {}]}"#,
        r#"{"consul_sd_configs": [{"tls_config": {"ca_file": "/ca"}}, {"tls_config": {"server_name": "s"}}, {}]}"#,
    );
    renders(
        CA,
        r#"{"http_sd_configs": [{"tls_config": {}}]}"#,
        r#"{"http_sd_configs": [{"tls_config": {}}]}"#,
    );
}

#[test]
fn an_entry_gets_the_client_certificate_for_either_placeholder() {
    let expected = r#"{"http_sd_configs": [{"tls_config": {"cert_file": "/cert", "key_file": "/key"}}]}"#;
    for placeholders in [r#""cert_file": "x", "key_file": "y""#, r#""cert_file": "x""#, r#""key_file": null"#]
    {
        let given = format!(r#"{{"http_sd_configs": [{{"tls_config": {{{placeholders}}}}}]}}"#);
        renders(ALL, &given, expected);
    }
}

#[test]
fn an_entry_keeps_a_client_file_which_is_no_placeholder() {
    let given = r#"{"http_sd_configs": [{"tls_config": {"client_file": "x"}}]}"#;
    renders(ALL, given, given);
    let problem = check(&job(given)).expect_err("no Prometheus knows it");
    assert_eq!(
        problem.to_string(),
        "`http_sd_configs[0].tls_config.client_file` is not a field that Prometheus knows, did you mean `cert_file`?"
    );
}

#[test]
fn a_deeper_tls_config_stays_as_it_is() {
    let given = r#"{"oauth2": {"tls_config": {"ca_file": "x", "cert_file": "y", "key_file": "z"}}}"#;
    renders(ALL, given, given);
}

#[test]
fn a_certificate_in_the_job_makes_room_for_the_file() {
    renders(
        ALL,
        r#"{"tls_config": {"ca": "PEM", "cert": "PEM", "key": "PEM"}}"#,
        r#"{"tls_config": {"ca_file": "/ca", "cert_file": "/cert", "key_file": "/key"}}"#,
    );
    renders(
        CLIENT,
        r#"{"http_sd_configs": [{"tls_config": {"cert_file": "x", "key": "PEM"}}]}"#,
        r#"{"http_sd_configs": [{"tls_config": {"cert_file": "/cert", "key_file": "/key"}}]}"#,
    );
    renders(
        CA,
        r#"{"tls_config": {"cert": "C", "key": "K"}}"#,
        r#"{"tls_config": {"ca_file": "/ca", "cert": "C", "key": "K"}}"#,
    );
}

#[test]
fn nulls_are_left_out_at_every_depth() {
    renders(
        NOTHING,
        r#"{"honor_timestamps": null, "http_sd_configs": [{"url": "u", "follow_redirects": null}], "params": {"a": null, "b": [null]}}"#,
        r#"{"http_sd_configs": [{"url": "u"}], "params": {"b": [null]}}"#,
    );
}

#[test]
fn odd_forms_do_not_stop_it() {
    for given in [
        r#"{"tls_config": "x", "http_sd_configs": "y", "scheme": ["https"]}"#,
        r#"{"http_sd_configs": [1, "x", [], {"tls_config": 1}]}"#,
    ] {
        renders(ALL, given, given);
    }
    renders(ALL, r#"{"consul_sd_configs": null}"#, "{}");
}
