//! The description of `/1.0`: kept in `docs/api`, and held against the service with drawn requests.

use std::collections::BTreeMap;

use charms_reactive_server::operations::openapi;
use expect_test::expect_file;
use serde_json::{Value, json};

use super::client::{Client, ask};
use crate::drawn::{Pencil, encoded, misfits, text_of};

#[test]
fn the_description_of_operations_in_docs_is_that_of_the_service() {
    // UPDATE_EXPECT=1 cargo test -p charms-reactive-server --test it described
    let text = format!("{:#}\n", openapi());
    expect_file!["../../../../../docs/api/operations.openapi.json"].assert_eq(&text);
    let (_folder, client) = Client::start();
    assert_eq!(client.get("/1.0/openapi.json"), (200, openapi()));
}

/// A request that was drawn.
struct Drawn {
    method: String,
    path: String,
    body: String,
    /// Schemas of answers by status.
    answers: Value,
    /// What was made wrong about it.
    fault: Option<String>,
}

const UNKNOWN: &str = "01a1ff76-7ae3-7e36-ab99-db34ad3473d9";

/// A request about one of these operations; one in three is none.
fn draw(pencil: &mut Pencil, ids: &[String]) -> Drawn {
    let paths = pencil.api["paths"].as_object().expect("paths").clone();
    // Certificates have tests of their own, and numbers for Prometheus are no JSON.
    let is_drawn = |path: &str| !path.starts_with("/1.0/certificates") && path != "/1.0/metrics";
    let paths: Vec<(&String, &Value)> = paths.iter().filter(|(path, _)| is_drawn(path)).collect();
    // Mostly something is started, so that there is something.
    let is_start = pencil.one_in(4);
    let place = paths.iter().position(|(path, _)| *path == "/1.0/operations").filter(|_| is_start);
    let (template, item) = paths[place.unwrap_or_else(|| pencil.below(paths.len()))];
    let methods: Vec<(&String, &Value)> =
        item.as_object().expect("methods").iter().filter(|(name, _)| *name != "parameters").collect();
    let (method, operation) = methods[if is_start { methods.len() - 1 } else { pencil.below(methods.len()) }];
    let mut query: BTreeMap<String, String> = BTreeMap::new();
    for parameter in operation["parameters"].as_array().expect("parameters") {
        let name = parameter["name"].as_str().expect("a name").to_owned();
        if pencil.one_in(2) {
            query.insert(name, text_of(&pencil.value(&parameter["schema"])));
        }
    }
    if query.get("all-projects").is_some_and(|all| all == "true") {
        query.remove("project");
    }
    // There are no other members.
    query.remove("target");
    if template.ends_with("/wait") {
        // Nobody has time.
        query.insert("timeout".to_owned(), "0".to_owned());
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut body = if schema.is_null() { Value::Null } else { pencil.value(schema) };
    if method == "post" {
        fit(pencil, &mut body);
    }
    let mut text = if body.is_null() { String::new() } else { body.to_string() };
    let fault =
        if pencil.one_in(3) { spoil(pencil, method, template, &mut query, &body, &mut text) } else { None };
    let id = if ids.is_empty() || pencil.one_in(5) { UNKNOWN } else { pencil.one_of(ids) };
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", encoded(value, false))).collect();
    Drawn {
        method: method.to_uppercase(),
        path: format!("{}?{}", template.replace("{id}", id), query.join("&")),
        body: text,
        answers: operation["responses"].clone(),
        fault,
    }
}

/// Makes of a drawn body one whose parts go together.
fn fit(pencil: &mut Pencil, body: &mut Value) {
    body["kind"] = "demo".into();
    let mut input = pencil.value(&json!({"$ref": "#/components/schemas/Demo"}));
    let mut stage = 0;
    for child in input.get_mut("children").and_then(Value::as_array_mut).into_iter().flatten() {
        // One after another, or all at once.
        child["stage"] = stage.into();
        stage += u32::from(pencil.one_in(2));
    }
    // It would take its time to stop.
    input["stubborn"] = false.into();
    if matches!(body["class"].as_str(), Some("token" | "websocket")) {
        input.as_object_mut().expect("a map").remove("children");
    }
    body["input"] = input;
    if body.get("reference").is_some() {
        body["reference"] = (*pencil.one_of(&["a", "b"])).into();
    }
}

/// Makes one thing wrong; None where there is nothing to be made so.
fn spoil(
    pencil: &mut Pencil,
    method: &str,
    template: &str,
    query: &mut BTreeMap<String, String>,
    body: &Value,
    text: &mut String,
) -> Option<String> {
    if method == "post" {
        let mut body = body.clone();
        let wrong: &[(&str, Value)] = &[
            ("kind", json!("nothing")),
            ("kind", json!(7)),
            ("class", json!("x")),
            ("class", json!(1)),
            ("id", json!("x")),
            ("nobody-knows", json!(1)),
            ("metadata", json!([])),
            ("metadata", json!({"entity_url": 3})),
            ("entity_url", json!("x")),
            ("resources", json!({"a": "b"})),
            ("on_conflict", json!("x")),
            ("may_cancel", json!("yes")),
            ("input", json!({"steps": 0})),
            ("input", json!({"duration": "1s"})),
            ("input", json!({"duration": -1})),
            ("input", json!([])),
            ("input", json!({"outcome": "x"})),
            ("input", json!({"children": [{"children": [{}]}]})),
            ("input", json!({"stage": 1})),
            ("input", json!({"children": [{"stage": 7}], "class": "x"})),
            ("description", json!(1)),
        ];
        let (key, value) = pencil.one_of(wrong);
        body[*key] = value.clone();
        let broken = ["", "{", "[]", "7", "nil", "\u{0}", "{\"kind\": }", "{\"kind\": \"demo\"} x"];
        *text = if pencil.one_in(3) { (*pencil.one_of(&broken)).to_owned() } else { body.to_string() };
        return Some(text.clone());
    }
    let wrong: &[(&str, &str)] = match template {
        "/1.0/operations" => &[
            ("limit", "-1"),
            ("limit", "x"),
            ("before", "x"),
            ("filter", "status"),
            ("filter", "status like x"),
            ("filter", "kind eq x; DROP TABLE operation"),
            ("filter", "kind eq \"x"),
            ("filter", "size eq 3"),
        ],
        path if path.ends_with("/wait") => &[("timeout", "x"), ("timeout", "1.5"), ("timeout", "1e3")],
        "/1.0/events" => &[("type", "x"), ("type", "operation,"), ("type", "Operation")],
        _ => return None,
    };
    let (name, value) = *pencil.one_of(wrong);
    query.insert(name.to_owned(), value.to_owned());
    Some(format!("{name}={value}"))
}

#[test]
fn requests_for_operations_drawn_from_the_description_are_answered_as_it_says() {
    let (_folder, client) = Client::start();
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let (mut ids, mut faults) = (Vec::new(), 0);
    for seed in 0..4 {
        let mut pencil = Pencil::new(seed, openapi());
        for number in 0..250 {
            let drawn = draw(&mut pencil, &ids);
            let (head, text) = ask(&client.socket(), &drawn.method, &drawn.path, &drawn.body);
            let status: u16 =
                head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            let told = || {
                let Drawn { method, path, body, fault, .. } = &drawn;
                format!("seed {seed}, {number}: {method} {path} {body} ({fault:?})\n{head}{text}")
            };
            let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {}", told()));
            *statuses.entry(status).or_default() += 1;
            let described = drawn.answers.get(status.to_string()).unwrap_or(&drawn.answers["default"]);
            let mut found = Vec::new();
            let schema = &described["content"]["application/json"]["schema"];
            misfits(&pencil.api, schema, &answer, "answer", &mut found);
            assert_eq!(found, Vec::<String>::new(), "{}", told());
            assert!(status < 500, "{}", told());
            if status == 202 {
                ids.push(super::id_of(&answer));
            }
            // None of them asks for an upgrade.
            let is_websocket = drawn.answers.get("101").is_some();
            let is_ended = drawn.method == "DELETE" && status == 400;
            let is_refused = status == 400 && !is_websocket && !is_ended;
            faults += usize::from(drawn.fault.is_some());
            // Of what is not there, nothing is wrong.
            if status != 404 && !is_websocket {
                assert_eq!(is_refused, drawn.fault.is_some(), "{}", told());
            }
        }
    }
    assert!(faults > 100, "{faults}");
    for status in [200, 202, 400, 404, 409] {
        assert!(statuses.get(&status).is_some_and(|count| *count > 10), "{statuses:?}");
    }
}
