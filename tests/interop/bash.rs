//! Charms in bash on one side, which write what no charm of ours does: forms that are found in the
//! field, and nonsense.

use serde_json::{Value, json};

use crate::charm::{self, charms};
use crate::model::Language::{self, Python, Rust};
use crate::model::Model;

pub(crate) const PROVIDER: &str = "name: provider\nprovides: {prometheus: prometheus-manual}";
const REQUIRER: &str = "name: requirer\nrequires: {manual-jobs: prometheus-manual}";

/// A request in the form of Python.
fn request(id: &str, name: &str) -> String {
    json!({"job_data": job_data(), "job_name": name, "request_id": id}).to_string()
}

fn job_data() -> Value {
    json!({"static_configs": [{"targets": ["10.0.0.5:9100"]}]})
}

/// A model whose provider in bash publishes these keys, and which has not settled yet.
fn provider_of(requirer: Language, databag: &[(&str, String)]) -> (Model, u32) {
    let mut model = Model::empty(Rust);
    let lines = databag.iter().map(|(key, text)| format!("relation-set {}", quoted(key, text)));
    let body = format!(
        "if [ \"$hook\" = prometheus-relation-created ]; then\n{}\nfi",
        lines.collect::<Vec<_>>().join("\n")
    );
    let folder = model.folder().join("bash");
    model.deploy("provider", &charm::bash(&folder, PROVIDER, &body));
    model.deploy("requirer", &charms().requirer(requirer));
    let relation = model.relate("provider", "requirer");
    (model, relation)
}

/// `key=text` as one word of bash.
pub(crate) fn quoted(key: &str, text: &str) -> String {
    format!("'{}'", format!("{key}={text}").replace('\'', "'\\''"))
}

pub(crate) fn set(model: &mut Model, unit: &str, relation: u32, key: &str, text: &str) {
    let script = format!("relation-set {}", quoted(key, text));
    let result = model.sim.exec_in(unit, relation, None, &script).expect("a unit that can run scripts");
    assert_eq!((result.code, result.flush_error), (0, None), "{}", result.stderr);
}

/// The final names of the jobs that the requirer took, sorted.
fn names(model: &Model) -> Vec<String> {
    let items = model.items("requirer/0");
    let mut names: Vec<String> =
        items.iter().map(|item| item["job_name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

/// What the requirer answered to a request, without the field that only ours has.
fn answer(model: &Model, relation: u32, id: &str) -> Option<Value> {
    let (_, text) = model.published(relation, "requirer/0", &format!("response_{id}")).pop()?;
    let mut answer: Value = serde_json::from_str(&text).expect("JSON");
    answer.as_object_mut().expect("a map").remove("answers");
    Some(answer)
}

fn forms_of_the_field(requirer: Language) {
    let data = job_data();
    let (mut model, relation) = provider_of(
        requirer,
        &[
            // Compact, and the id is made of names.
            ("request_m_web_0", format!(r#"{{"job_name":"lxd/m","job_data":{data},"request_id":"m_web_0"}}"#)),
            // A short id, fields beside the job, and room between things.
            (
                "request_1a2b3c4d",
                format!(
                    "{{ \"request_id\" : \"1a2b3c4d\",\n  \"port\": 9100, \"job_name\":  \"short\",\t\"job_data\":{data} }}"
                ),
            ),
            // Optional fields are null, or empty.
            (
                "request_nulls",
                json!({"ca_cert": null, "client_cert": "", "client_key": "", "job_data": data, "job_name": "nulls", "request_id": "nulls"})
                    .to_string(),
            ),
            // Beyond ASCII, not escaped.
            ("request_kühe", request("kühe", "größe")),
        ],
    );
    model.settle();
    assert_eq!(names(&model), ["größe-kühe", "lxd/m-m_web_0", "nulls-nulls", "short-1a2b3c4d"]);
    for id in ["m_web_0", "1a2b3c4d", "nulls", "kühe"] {
        assert_eq!(answer(&model, relation, id), Some(json!({"reason": null, "success": true})), "{id}");
    }
}

#[test]
fn a_requirer_in_rust_takes_the_forms_of_the_field() {
    forms_of_the_field(Rust);
}

#[test]
fn a_requirer_in_python_takes_the_forms_of_the_field() {
    forms_of_the_field(Python);
}

/// Entries that are no requests, and what the log says of them.
const MALFORMED: [(&str, &str); 10] = [
    ("null", "found null, expected a JSON object"),
    ("[]", "found a list, expected a JSON object"),
    ("7", "found a plain value, expected a JSON object"),
    ("\"text\"", "found a plain value, expected a JSON object"),
    ("text", "expected a JSON object: expected ident at line 1 column 2"),
    ("{", "expected a JSON object: EOF while parsing an object at line 1 column 1"),
    ("{}", "missing field `request_id`"),
    (r#"{"request_id": "y"}"#, "`request_id` is \"y\", expected \"x\" as in the key"),
    (r#"{"request_id": "x"}"#, "missing field `job_name`"),
    (
        r#"{"request_id": "x", "job_name": ["a"], "job_data": {}}"#,
        "invalid type: sequence, expected a string",
    ),
];

#[test]
fn a_requirer_in_rust_skips_what_is_no_request() {
    let good = request("good", "node");
    let (mut model, relation) =
        provider_of(Rust, &[("request_count", "3".to_owned()), ("request_good", good)]);
    model.settle();
    for (text, reason) in MALFORMED {
        let lines = model.log("requirer/0").len();
        set(&mut model, "provider/0", relation, "request_x", text);
        model.settle();
        assert_eq!(names(&model), ["node-good"], "`{text}`");
        assert_eq!(answer(&model, relation, "x"), None, "`{text}`");
        let expected = format!("skipping key `request_x` of `provider/0`: {reason}");
        let log = model.log("requirer/0").split_off(lines).join("\n");
        assert!(log.contains(&expected), "`{text}`: expected `{expected}` in:\n{log}");
    }
    // Once it is one, it is taken.
    set(&mut model, "provider/0", relation, "request_x", &request("x", "mended"));
    model.settle();
    assert_eq!(names(&model), ["mended-x", "node-good"]);
    assert_eq!(answer(&model, relation, "x"), Some(json!({"reason": null, "success": true})));
}

#[test]
fn a_requirer_in_python_breaks_at_what_is_no_request() {
    // The control: what ours must not do (D12).
    let (mut model, _) = provider_of(Python, &[("request_count", "3".to_owned())]);
    let settled = model.sim.settle().expect("a model that settles");
    assert_eq!(settled.failed.len(), 1);
    assert_eq!(settled.failed[0].0.to_string(), "requirer/0");
}

#[test]
fn a_requirer_in_rust_refuses_what_prometheus_would_not_take() {
    let tls = json!({"scheme": "https", "static_configs": [{"targets": ["h:1"]}], "tls_config": {}});
    let odd = |id: &str, data: &Value, ca: &str| {
        json!({"job_data": data, "job_name": "odd", "request_id": id, "ca_cert": ca}).to_string()
    };
    let (mut model, relation) = provider_of(
        Rust,
        &[
            ("request_list", odd("list", &json!([1]), "")),
            ("request_null", odd("null", &Value::Null, "")),
            ("request_field", odd("field", &json!({"interval": "5s"}), "")),
            ("request_pem", odd("pem", &tls, "hello")),
            ("request_good", request("good", "node")),
        ],
    );
    model.settle();
    assert_eq!(names(&model), ["node-good"]);
    let no_map = "`job_data` is no map, expected an item of Prometheus' `scrape_configs`";
    for (id, reason) in [
        ("list", no_map),
        ("null", no_map),
        ("field", "`interval` is not a field that Prometheus knows, did you mean `scrape_interval`?"),
        (
            "pem",
            "CA certificate: no PEM block found, expected a certificate in PEM form (`-----BEGIN CERTIFICATE-----` ...) \
             on lines of its own",
        ),
    ] {
        assert_eq!(answer(&model, relation, id), Some(json!({"reason": reason, "success": false})), "{id}");
    }
}

#[test]
fn names_and_ids_do_not_lead_out_of_the_folder_of_certificates() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBY2F=\n-----END CERTIFICATE-----\n";
    let data = json!({"scheme": "https", "static_configs": [{"targets": ["h:1"]}]});
    let hostile = "../../../../tmp/x";
    let text = json!({"ca_cert": pem, "job_data": data, "job_name": hostile, "request_id": hostile});
    let (mut model, _) = provider_of(Rust, &[(&format!("request_{hostile}"), text.to_string())]);
    model.settle();
    let items = model.items("requirer/0");
    let path = items[0]["tls_config"]["ca_file"].as_str().expect("a path");
    let folder = model.sim.charm_dir("requirer/0").expect("a unit").join("certs");
    assert_eq!(std::path::Path::new(path).parent(), Some(folder.as_path()));
}

/// A provider in Rust with one job, and a requirer in bash that says nothing by itself.
fn silent_requirer() -> (Model, u32, String) {
    let mut model = Model::empty(Rust);
    let folder = model.folder().join("bash");
    model.deploy("provider", &charms().provider(Rust));
    model.deploy("requirer", &charm::bash(&folder, REQUIRER, ""));
    model.set_jobs("provider", &[("node", "10.0.0.5:9100")]);
    let relation = model.relate("provider", "requirer");
    model.settle();
    let (key, _) = model.published(relation, "provider/0", "request_").pop().expect("a job");
    (model, relation, key.replace("request_", "response_"))
}

#[test]
fn a_provider_in_rust_takes_answers_of_any_form() {
    let (mut model, relation, key) = silent_requirer();
    for (text, status) in [
        (
            r#"{"success":false,"reason":"no room","by":"hand"}"#,
            "blocked: job `node` refused by requirer/0: no room",
        ),
        (r#"{"success": false}"#, "blocked: job `node` refused by requirer/0: no reason given"),
        (r#"{ "success" : true }"#, "active: 1 job registered with 1 Prometheus"),
        (r#"{"answers": 7, "success": true}"#, "active: 1 job registered with 1 Prometheus"),
    ] {
        set(&mut model, "requirer/0", relation, &key, text);
        model.settle();
        assert_eq!(model.status("provider/0"), status, "{text}");
    }
}

#[test]
fn a_provider_in_rust_skips_what_is_no_answer() {
    let (mut model, relation, key) = silent_requirer();
    for (text, reason) in [
        ("null", "found null, expected a JSON object"),
        ("[]", "found a list, expected a JSON object"),
        ("7", "found a plain value, expected a JSON object"),
        ("text", "expected a JSON object: expected ident at line 1 column 2"),
        ("{}", "missing field `success`"),
        (r#"{"success": "yes"}"#, "invalid type: string \"yes\", expected a boolean"),
    ] {
        let lines = model.log("provider/0").len();
        set(&mut model, "requirer/0", relation, &key, text);
        model.settle();
        let told = "blocked: job `node` refused by requirer/0: its answer cannot be read";
        assert_eq!(model.status("provider/0"), told, "{text}");
        let expected = format!("skipping key `{key}` of `requirer/0`: {reason}");
        let log = model.log("provider/0").split_off(lines).join("\n");
        assert!(log.contains(&expected), "`{text}`: expected `{expected}` in:\n{log}");
    }
    set(&mut model, "requirer/0", relation, &key, r#"{"success": false, "reason": "mended"}"#);
    model.settle();
    assert_eq!(model.status("provider/0"), "blocked: job `node` refused by requirer/0: mended");
}
