//! Requests that no client should send: a clear error each.

use serde_json::json;

use super::client::Client;

#[test]
fn what_is_no_operation_is_not_found() {
    let (_folder, client) = Client::start();
    let unknown = "01a1ff76-7ae3-7e36-ab99-db34ad3473d9";
    for id in [unknown, "x", "..%2f..%2fetc", "'%20OR%201=1--", "%00"] {
        for (method, rest) in [("GET", ""), ("DELETE", ""), ("GET", "/wait")] {
            let (head, answer) = client.ask(method, &format!("/1.0/operations/{id}{rest}"), "");
            assert!(head.starts_with("HTTP/1.1 404 "), "{method} {id}: {head}");
            let expected = json!({
                "type": "error", "status": "", "status_code": 0, "operation": "", "error_code": 404,
                "error": "Operation not found", "metadata": null,
            });
            assert_eq!(answer, expected, "{method} {id}");
        }
    }
    assert_eq!(client.get("/1.0/instances").1["error"], "Not Found");
}

#[test]
fn methods_that_are_not_there_are_not_implemented() {
    let (_folder, client) = Client::start();
    for (method, path) in
        [("PUT", "/1.0/operations"), ("POST", "/1.0/operations/x"), ("PATCH", "/1.0"), ("POST", "/")]
    {
        let (head, answer) = client.ask(method, path, "");
        assert!(head.starts_with("HTTP/1.1 501 "), "{method} {path}: {head}");
        assert_eq!(answer["error"], "Not Implemented");
    }
}

#[test]
fn a_body_that_asks_for_nothing_sensible_is_refused() {
    let (_folder, client) = Client::start();
    let check = |body: &str, status: u16, expected: &str| {
        let (head, answer) = client.ask("POST", "/1.0/operations", body);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{body}: {head}");
        let error = answer["error"].as_str().expect("a text");
        assert!(error.contains(expected), "{body}: {error}");
    };
    check("", 400, "body is not valid, expected JSON like {\"kind\": \"demo\"}");
    check("{", 400, "EOF while parsing");
    check("[]", 400, "body is not valid");
    check("{}", 400, "missing field `kind`");
    check(r#"{"kind": "rm -rf"}"#, 400, "no kind of work `rm -rf`, expected one of: demo");
    check(r#"{"kind": "demo", "class": "x"}"#, 400, "Unknown operation class \"x\"");
    check(r#"{"kind": "demo", "id": "x"}"#, 400, "operation id `x` is not valid, expected a UUID");
    check(r#"{"kind": "demo", "on_conflict": "x"}"#, 400, "on_conflict `x` is not valid");
    check(r#"{"kind": "demo", "size": 1}"#, 400, "unknown field `size`");
    check(r#"{"kind": "demo", "input": {"steps": 0}}"#, 400, "input is not valid: steps 0 are not valid");
    check(r#"{"kind": "demo", "metadata": {"entity_url": 3}}"#, 400, "must be a string (got a number)");
    check(
        r#"{"kind": "demo", "class": "token", "input": {"children": [{}]}}"#,
        400,
        "Operations of class \"token\" cannot have children",
    );
    let long = json!({"kind": "demo", "metadata": {"x": "y".repeat(70_000)}}).to_string();
    check(&long, 413, "the body is longer than 65536 bytes");
    assert_eq!(client.get("/1.0/operations").1["metadata"], json!({}), "nothing was made");
}

#[test]
fn ten_megabytes_are_thrown_away_and_refused() {
    let (_folder, client) = Client::start();
    let (head, answer) = client.ask("DELETE", "/1.0/operations/x", &"y".repeat(10 * 1024 * 1024));
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(answer["error"], "the body is longer than 1048576 bytes");
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let (_folder, client) = Client::start();
    let id = client.start_demo(&json!({"duration": 30}));
    let check = |path: &str, expected: &str| {
        let (status, answer) = client.get(path);
        assert_eq!((status, answer["error"].as_str().expect("a text")), (400, expected), "{path}");
    };
    check(
        &format!("/1.0/operations/{id}/wait?timeout=abc"),
        "timeout `abc` is not valid, expected a number of seconds",
    );
    check(
        "/1.0/operations?filter=kind%20eq%20x';%20DROP%20TABLE%20operation;--",
        "filter `kind eq x'; DROP TABLE operation;--` is not valid: expected `and` and a condition at `DROP`",
    );
    check("/1.0/events?type=secrets", "\"secrets\" is not a supported event type");
    let long = format!("/1.0/operations?project={}", "x".repeat(64));
    check(&long, "project is not valid, expected a name of up to 63 bytes");
    let (head, _) = client.ask("POST", &long, r#"{"kind": "demo"}"#);
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let (status, _) = client.get("/1.0/events");
    assert_eq!(status, 400, "it is a websocket");
}
