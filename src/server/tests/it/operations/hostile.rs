//! Requests that no client should send: a clear error each.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;

use super::client::{Client, id_of, read_head, read_rest};

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

/// The most memory that a process has ever had, in KiB.
fn memory_max(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn many_long_bodies_at_once_take_no_memory() {
    let (_folder, client) = Client::start();
    let body = format!("{{\"kind\": \"{}\"}}", "y".repeat(10 * 1024 * 1024));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let (head, _) = client.ask("POST", "/1.0/operations", &body);
                assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
            });
        }
    });
    let most = memory_max(client.server.child.id());
    assert!(most < 80 * 1024, "{most} KiB for 160 MiB of bodies");
}

#[test]
fn slow_clients_hold_nobody_up() {
    let (_folder, client) = Client::start();
    let body = r#"{"kind": "demo", "input": {"duration": 0}}"#;
    let (begin, end) = body.split_at(20);
    let head = format!("POST /1.0/operations HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    let slow: Vec<UnixStream> = (0..100)
        .map(|number| {
            let mut stream = UnixStream::connect(client.socket()).expect("connected");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
            // Half of a head, or of a body; then nothing for a while.
            let text = if number % 2 == 0 { head[..30].to_owned() } else { format!("{head}{begin}") };
            stream.write_all(text.as_bytes()).expect("sent");
            stream
        })
        .collect();
    let id = client.start_demo(&json!({"duration": 0}));
    assert_eq!(
        client.get(&format!("/1.0/operations/{id}/wait?timeout=20")).1["metadata"]["status"],
        "Success"
    );
    for (number, mut stream) in slow.into_iter().enumerate() {
        let text = if number % 2 == 0 { format!("{}{body}", &head[30..]) } else { end.to_owned() };
        stream.write_all(text.as_bytes()).expect("sent");
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 202 "), "they are served all the same");
    }
}

#[test]
fn a_thousand_requests_at_once_are_a_thousand_operations() {
    let (_folder, client) = Client::start();
    let body = r#"{"kind": "demo", "input": {"duration": 0.2}}"#;
    // All are there before the first answer is read.
    let asked: Vec<UnixStream> = (0..1000).map(|_| client.send("POST", "/1.0/operations", body)).collect();
    let mut ids = BTreeSet::new();
    for mut stream in asked {
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 202 "));
        ids.insert(id_of(&serde_json::from_str(&read_rest(stream)).expect("JSON")));
    }
    assert_eq!(ids.len(), 1000);
    for id in &ids {
        let (_, answer) = client.get(&format!("/1.0/operations/{id}/wait?timeout=20"));
        assert_eq!(answer["metadata"]["status"], "Success", "{answer}");
    }
    let (_, list) = client.get("/1.0/operations");
    assert_eq!(list["metadata"]["success"].as_array().map(Vec::len), Some(1000));
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
