//! What can be chosen when the program is started, and what it tells of itself.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Client, id_of, read_head, read_rest};
use crate::charmd::Charmd;

fn start(folder: &Path, arguments: &[&str]) -> Client {
    let mut all = vec!["--data".to_owned(), folder.join("data").display().to_string()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    Client { server: Charmd::start(folder, &all) }
}

#[test]
fn requests_and_answers_are_written_down_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = start(folder.path(), &["--debug"]);
    let body = json!({"kind": "demo", "class": "token", "metadata": {"secret": "s3cret"}});
    let id = id_of(&client.post(&body).1);
    client.get(&format!("/1.0/operations/{id}/wait?timeout=0&secret=s3cret"));
    client.get("/1.0/operations/nothing");
    let log = std::fs::read_to_string(folder.path().join("charmd.log")).expect("a log");
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("debug: ")).collect();
    assert!(
        lines[0].starts_with("debug: POST /1.0/operations {") && lines[0].contains("\"kind\":\"demo\""),
        "{log}"
    );
    assert!(
        lines[1].starts_with("debug: POST /1.0/operations: 202 Accepted {") && lines[1].contains(&id),
        "{log}"
    );
    let wait = format!("debug: GET /1.0/operations/{id}/wait?timeout=0&secret=(hidden)");
    assert_eq!(lines[3], format!("{wait}: 200 OK, and a body that comes later"));
    assert!(lines[5].starts_with("debug: GET /1.0/operations/nothing: 404 Not Found {"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
    drop(client);
    let folder = tempfile::tempdir().expect("a folder");
    start(folder.path(), &[]).get("/1.0/operations");
    let log = std::fs::read_to_string(folder.path().join("charmd.log")).expect("a log");
    assert!(!log.contains("debug"), "it was not asked for: {log}");
}

#[test]
fn how_many_that_ended_are_kept_is_chosen() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = start(folder.path(), &["--keep-count", "2"]);
    let ids: Vec<String> = (0..4)
        .map(|_| {
            let id = client.start_demo(&json!({"duration": 0}));
            client.get(&format!("/1.0/operations/{id}/wait"));
            id
        })
        .collect();
    let urls: Vec<String> = ids.iter().map(|id| format!("/1.0/operations/{id}")).collect();
    assert_eq!(client.get("/1.0/operations").1["metadata"], json!({"success": urls[2..]}));
    drop(client);
    let client = start(folder.path(), &["--keep-for", "0"]);
    assert_eq!(client.get("/1.0/operations").1["metadata"], json!({}));
}

#[test]
fn requests_come_out_when_what_they_started_has_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = start(folder.path(), &[]);
    let metrics = || {
        let mut stream = client.send("GET", "/1.0/metrics", "");
        let head = read_head(&mut stream);
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        read_rest(stream)
    };
    let check = |expected: &[&str]| {
        let text = metrics();
        for line in expected {
            assert!(text.lines().any(|found| found == *line), "no `{line}` in\n{text}");
        }
    };
    check(&["charmd_api_requests_completed_total{result=\"succeeded\"} 0"]);
    let id = client.start_demo(&json!({"duration": 60}));
    // The first look has succeeded meanwhile.
    check(&[
        "# TYPE charmd_api_requests_completed_total counter",
        "charmd_api_requests_completed_total{result=\"succeeded\"} 1",
        "charmd_operations{kind=\"demo\",status=\"running\"} 1",
    ]);
    client.delete(&format!("/1.0/operations/{id}"), "");
    let failing = json!({"duration": 0, "children": [{"duration": 0, "outcome": "failure"}]});
    let failed = client.start_demo(&failing);
    client.get(&format!("/1.0/operations/{failed}/wait"));
    client.get("/1.0/operations/nothing");
    check(&[
        "charmd_api_requests_completed_total{result=\"error_client\"} 1",
        // Of a parent with its child, one.
        "charmd_api_requests_completed_total{result=\"error_server\"} 1",
        // Two looks, the request to cancel, what was cancelled, and the wait.
        "charmd_api_requests_completed_total{result=\"succeeded\"} 5",
        "charmd_operations_ended_total{kind=\"demo\",status=\"cancelled\"} 1",
        "charmd_operations_ended_total{kind=\"demo\",status=\"failure\"} 2",
        "charmd_operations{kind=\"demo\",status=\"failure\"} 2",
    ]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "starts the server in its own way")]
fn more_clients_are_served_than_files_may_be_open_at_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("charmd.socket");
    let child = Command::new("sh")
        .args(["-c", "ulimit -Sn 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_charmd"), "serve", "--socket"])
        .arg(&socket)
        .stderr(Stdio::null())
        .spawn()
        .expect("charmd starts");
    let client = Client { server: Charmd { child, socket } };
    let begin = Instant::now();
    while UnixStream::connect(client.socket()).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "charmd does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = client.start_demo(&json!({"duration": 60}));
    let path = format!("/1.0/operations/{id}/wait");
    let waits: Vec<UnixStream> = (0..200).map(|_| client.send("GET", &path, "")).collect();
    client.delete(&format!("/1.0/operations/{id}"), "");
    for mut wait in waits {
        assert!(read_head(&mut wait).starts_with("HTTP/1.1 200 "));
        assert!(read_rest(wait).contains("\"status\":\"Cancelled\""));
    }
}
