//! Tables: jobs that are accepted, jobs that are refused and with which words, jobs as they are rendered.

mod accepted;
mod refused;
mod rendered;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// A job written as JSON.
#[track_caller]
fn job(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not a map in JSON: {error}: {text}"))
}

/// How long a message may be, to fit into a workload status behind the name of its job.
const MESSAGE_CHARS_MAX: usize = 160;

#[test]
fn a_name_is_any_text_without_control_characters() {
    for name in
        ["node", "a/b", "model_app", "two words", "é漢", "1", "<<", "a: b #c", &"x".repeat(NAME_BYTES_MAX)]
    {
        assert_eq!(check_name(name), Ok(()), "`{name}`");
    }
    let message = |name: &str| check_name(name).expect_err("a bad name").to_string();
    assert_eq!(message(""), r#"`job_name` is `""`, expected a name"#);
    assert_eq!(message("  "), r#"`job_name` is `"  "`, expected a name"#);
    assert_eq!(
        message("a\nb"),
        r#"`job_name` is `"a\nb"`, expected a name without control characters or emoji"#
    );
    assert_eq!(
        message(&"x".repeat(NAME_BYTES_MAX + 1)),
        format!(r#"`job_name` is `"{}..."`, expected a name of at most 200 bytes"#, "x".repeat(32))
    );
}

#[test]
fn the_texts_of_limits_name_the_limits() {
    assert_eq!((KEY_BYTES_MAX, NAME_BYTES_MAX), (256, 200), "the messages say these numbers");
}

#[test]
fn a_job_has_limits() {
    let limit = |job: &Map<String, Value>| check(job).expect_err("too much").to_string();

    let mut deep = json!(1);
    for _ in 0..JOB_DEPTH_MAX {
        deep = json!([deep]);
    }
    let params = Map::from_iter([("params".to_owned(), deep)]);
    assert_eq!(limit(&params), "the depth of the job is 17, expected at most 16");

    let long = Map::from_iter([("metrics_path".to_owned(), json!("/".repeat(JOB_BYTES_MAX)))]);
    assert_eq!(limit(&long), "the length of the job in bytes is 262163, expected at most 262144");

    let params = json!({ "k".repeat(KEY_BYTES_MAX + 1): [] });
    let wide = Map::from_iter([("params".to_owned(), params)]);
    let shown = "k".repeat(40);
    assert_eq!(limit(&wide), format!("`params.{shown}...` is not a good key, expected at most 256 bytes"));

    let targets = vec![json!("a:1"); TARGETS_MAX];
    let mut many = job(r#"{"static_configs": [{"targets": []}, {"targets": ["b"]}]}"#);
    many["static_configs"][0]["targets"] = Value::Array(targets);
    assert_eq!(limit(&many), "the number of static targets is 10001, expected at most 10000");
    many["static_configs"][1]["targets"] = json!([]);
    assert_eq!(check(&many), Ok(()));
}

#[test]
fn depth_is_looked_at_before_anything_goes_down() {
    let mut deep = json!(1);
    for _ in 0..100_000 {
        deep = Value::Object(Map::from_iter([("a".to_owned(), deep)]));
    }
    let mut job = Map::from_iter([("params".to_owned(), deep)]);
    assert!(matches!(check(&job), Err(JobProblem::TooMuch { what: Measure::Depth, .. })));
    // Dropped level by level: serde_json would go down to the bottom first.
    let mut rest = job.remove("params");
    while let Some(Value::Object(mut map)) = rest {
        rest = map.remove("a");
    }
}

#[test]
fn a_secret_is_never_shown() {
    const SECRET: &str = "hunter2";
    for text in [
        r#"{"basic_auth": "SECRET"}"#,
        r#"{"basic_auth": ["SECRET"]}"#,
        r#"{"basic_auth": {"password": {"a": "SECRET"}}}"#,
        r#"{"basic_auth": {"password": "SECRET\u0001"}}"#,
        r#"{"bearer_token": ["SECRET"]}"#,
        r#"{"bearer_token": "SECRET\u007f"}"#,
        r#"{"authorization": "SECRET"}"#,
        r#"{"authorization": {"type": "basic", "credentials": "SECRET", "credentials_file": "SECRET"}}"#,
        r#"{"oauth2": {"client_secret": {"x": "SECRET"}}}"#,
        r#"{"oauth2": {"scopes": "SECRET"}}"#,
        r#"{"tls_config": {"key": ["SECRET"]}}"#,
        r#"{"tls_config": "SECRET@"}"#,
        r#"{"http_headers": {"X-Api": "SECRET"}}"#,
        r#"{"proxy_connect_header": {"a": "SECRET"}, "proxy_url": "http://p"}"#,
        r#"{"proxy_url": "hxxp://user:SECRET@proxy"}"#,
        r#"{"params": {"token": "SECRET"}}"#,
        r#"{"params": {"api_key": "SECRET"}}"#,
        r#"{"metrics_path": "/metrics?token=SECRET"}"#,
        r#"{"http_sd_configs": {"basic_auth": {"password": "SECRET"}}}"#,
        r#"{"http_sd_configs": [{"url": "http://u:SECRET@"}]}"#,
        r#"{"http_sd_configs": [{"url": "h?SECRET"}]}"#,
        r#"{"static_configs": [{"targets": ["https://u:SECRET@web/"]}]}"#,
        r#"{"password": "SECRET"}"#,
    ] {
        let job = job(&text.replace("SECRET", SECRET));
        let problem = check(&job).expect_err(text);
        assert!(!problem.to_string().contains(SECRET), "{problem}");
        assert!(!format!("{problem:?}").contains(SECRET), "{problem:?}");
    }
}

/// Values that look like those of a job, and many that do not.
fn value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        prop::sample::select(vec![
            "static_configs",
            "targets",
            "labels",
            "relabel_configs",
            "action",
            "target_label",
            "tls_config",
            "ca_file",
            "cert_file",
            "key_file",
            "http_sd_configs",
            "consul_sd_configs",
            "url",
            "params",
            "scheme",
            "scrape_interval",
            "scrape_timeout",
            "basic_auth",
            "oauth2",
            "refresh_interval",
            "replacement",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["https", "http", "5s", "1m", "$1", "keep", "a:1", "http://a"])
            .prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_map_gets_a_short_answer(job in value().prop_filter_map("a map", |value| value.as_object().cloned())) {
        if let Err(problem) = check(&job) {
            let message = problem.to_string();
            prop_assert!(message.chars().count() <= MESSAGE_CHARS_MAX, "{}", message);
            prop_assert!(!message.contains(char::is_control), "{:?}", message);
        }
    }

    #[test]
    fn any_map_can_be_rendered(job in value().prop_filter_map("a map", |value| value.as_object().cloned())) {
        let paths = CertificatePaths { ca_file: Some("/ca"), cert_file: Some("/cert"), key_file: Some("/key") };
        prop_assert_eq!(&render("a", "1", &job, &paths)["job_name"], "a-1");
    }
}
