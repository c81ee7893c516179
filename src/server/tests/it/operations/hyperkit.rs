//! What Hyperkit 1.3.0 sends, as it was recorded, and what it makes of our answers.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::client::{self, Client};

/// What Hyperkit's `RaiseError` makes of an answer: the status that counts, and the text of the error.
#[derive(Debug, PartialEq)]
enum Found {
    Metadata(Value),
    Raised(u64, String),
}

/// A request with the headers of the gem, which sends a type with all, and a body with `DELETE` alone.
fn hyperkit(server: &Client, method: &str, path: &str) -> Found {
    let mut stream = UnixStream::connect(server.socket()).expect("connected");
    let (length, body) = if method == "DELETE" { ("Content-Length: 2\r\n", "{}") } else { ("", "") };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nUser-Agent: Hyperkit Ruby Gem 1.3.0\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nAccept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3\r\n\
         Connection: close\r\nHost: localhost:8443\r\n{length}\r\n{body}"
    )
    .expect("sent");
    let head = client::read_head(&mut stream);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("a body");
    // A body in pieces has its length in lines of its own.
    let text = String::from_utf8(rest).expect("text, not packed");
    let json = text.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    let answer: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {head}{text}"));
    let http = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let metadata = &answer["metadata"];
    let status = match metadata["status_code"].as_u64() {
        Some(code) if http < 400 => code,
        _ => http,
    };
    if status < 400 {
        return Found::Metadata(metadata.clone());
    }
    // An empty `error` would win over the text of the operation.
    let error = if answer["error"].is_null() { &metadata["err"] } else { &answer["error"] };
    Found::Raised(status, error.as_str().unwrap_or_default().to_owned())
}

fn metadata(found: Found) -> Value {
    match found {
        Found::Metadata(metadata) => metadata,
        Found::Raised(code, text) => panic!("{code}: {text}"),
    }
}

#[test]
fn hyperkit_lists_shows_and_waits() {
    let (_folder, server) = Client::start();
    assert_eq!(metadata(hyperkit(&server, "GET", "/1.0/operations")), json!({}));
    let id = server.start_demo(&json!({"duration": 0.3}));
    let url = format!("/1.0/operations/{id}");
    // `operations` flattens the lists of all statuses.
    let lists = metadata(hyperkit(&server, "GET", "/1.0/operations"));
    let flat: Vec<&Value> =
        lists.as_object().expect("a map").values().filter_map(Value::as_array).flatten().collect();
    assert_eq!(flat, [&json!(url)]);
    let shown = metadata(hyperkit(&server, "GET", &url));
    assert_eq!((&shown["id"], &shown["status_code"]), (&json!(id), &json!(103)));
    assert!(shown["created_at"].as_str().is_some_and(|time| time.ends_with('Z')), "a Time");
    let waited = metadata(hyperkit(&server, "GET", &format!("{url}/wait")));
    assert_eq!((&waited["status"], &waited["id"]), (&json!("Success"), &json!(id)));
    assert_eq!(metadata(hyperkit(&server, "GET", &format!("{url}/wait?timeout=5"))), waited);
    let slow = server.start_demo(&json!({"duration": 30}));
    let waited = metadata(hyperkit(&server, "GET", &format!("/1.0/operations/{slow}/wait?timeout=1")));
    assert_eq!(waited["status"], "Running", "a time that is over is no error");
}

#[test]
fn hyperkit_raises_the_text_of_what_failed_or_was_cancelled() {
    let (_folder, server) = Client::start();
    let id = server.start_demo(&json!({"duration": 0.1, "outcome": "failure", "error": "disk full"}));
    let wait = format!("/1.0/operations/{id}/wait");
    assert_eq!(hyperkit(&server, "GET", &wait), Found::Raised(400, "disk full".to_owned()));
    let id = server.start_demo(&json!({"duration": 60}));
    let url = format!("/1.0/operations/{id}");
    assert_eq!(metadata(hyperkit(&server, "DELETE", &url)), json!({}));
    let Found::Raised(401, text) = hyperkit(&server, "GET", &format!("{url}/wait")) else {
        panic!("cancelled is 401, which the gem calls Unauthorized")
    };
    assert!(text.starts_with("cancelled by "), "{text}");
    let over = Found::Raised(400, "Only running operations can be cancelled".to_owned());
    assert_eq!(hyperkit(&server, "DELETE", &url), over);
    let unknown = Found::Raised(404, "Operation not found".to_owned());
    assert_eq!(hyperkit(&server, "GET", "/1.0/operations/nope"), unknown);
}
