//! Events: all of them, in order, for everybody who keeps up.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::client::Client;

/// A websocket on `/1.0/events`.
struct Listener(WebSocket<UnixStream>);

impl Listener {
    fn start(socket: &Path, query: &str) -> Self {
        let stream = UnixStream::connect(socket).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        let url = format!("ws://localhost/1.0/events{query}");
        let (socket, _) = tungstenite::client(url, stream).expect("upgraded");
        Self(socket)
    }

    /// The next event.
    fn next(&mut self) -> Value {
        loop {
            match self.0.read().expect("an event") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) => self.0.flush().expect("answered"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Status after status of an operation, to its end.
    fn statuses(&mut self, id: &str) -> Vec<String> {
        let mut statuses: Vec<String> = Vec::new();
        loop {
            let event = self.next();
            if event["type"] == "operation" && event["metadata"]["id"] == id {
                let status = event["metadata"]["status"].as_str().expect("text").to_owned();
                let is_over = event["metadata"]["status_code"].as_u64().expect("a number") >= 200;
                if statuses.last() != Some(&status) {
                    statuses.push(status);
                }
                if is_over {
                    return statuses;
                }
            }
        }
    }
}

#[test]
fn events_tell_the_whole_life_in_order() {
    let (_folder, client) = Client::start();
    let mut listener = Listener::start(&client.socket(), "?type=lifecycle%2Coperation");
    let id = client.start_demo(&json!({"duration": 0.05, "steps": 3}));
    let mut steps = Vec::new();
    loop {
        let event = listener.next();
        assert_eq!((&event["type"], &event["location"]), (&json!("operation"), &json!("none")));
        assert_eq!(event["project"], "default");
        assert!(event["timestamp"].as_str().expect("text").ends_with('Z'));
        assert_eq!(event["metadata"]["id"], id.as_str());
        steps.push(event["metadata"]["metadata"]["step"].as_u64().unwrap_or(0));
        if event["metadata"]["status"] == "Success" {
            break;
        }
    }
    assert_eq!(steps, [0, 0, 1, 1, 2, 2, 3, 3], "started; said, and kept, three times; ended");
    let id = client.start_demo(&json!({"duration": 30}));
    client.delete(&format!("/1.0/operations/{id}"), "");
    let seen: Vec<Value> = (0..4).map(|_| listener.next()).collect();
    let words: Vec<&Value> = seen
        .iter()
        .map(|event| event["metadata"].get("status").unwrap_or(&event["metadata"]["action"]))
        .collect();
    assert_eq!(words, ["Running", "Cancelling", "operation-cancelled", "Cancelled"]);
    assert_eq!(seen[2]["type"], "lifecycle");
    assert_eq!(seen[2]["metadata"]["source"], format!("/1.0/operations/{id}"));
    assert_eq!(seen[2]["metadata"]["requestor"]["protocol"], "unix");
}

#[test]
fn listeners_hear_their_project_alone() {
    let (_folder, client) = Client::start();
    let mut here = Listener::start(&client.socket(), "?type=operation");
    let mut all = Listener::start(&client.socket(), "?type=operation&all-projects=true");
    let body = r#"{"kind": "demo", "input": {"duration": 0}}"#;
    let there = super::id_of(&client.ask("POST", "/1.0/operations?project=foo", body).1);
    assert_eq!(all.statuses(&there), ["Running", "Success"]);
    let id = client.start_demo(&json!({"duration": 0}));
    assert_eq!(here.next()["metadata"]["id"], id.as_str(), "the first that it hears");
}

#[test]
fn a_thousand_operations_at_once_and_a_listener_that_does_not_read() {
    const CHILDREN: usize = 1000;
    let (_folder, client) = Client::start();
    let silent = Listener::start(&client.socket(), "?type=operation");
    let mut listener = Listener::start(&client.socket(), "?type=operation");
    let children = vec![json!({"duration": 0.1, "steps": 2}); CHILDREN];
    let id = client.start_demo(&json!({ "children": children }));
    let mut lives: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    loop {
        let event = listener.next();
        let metadata = &event["metadata"];
        let life = lives.entry(metadata["id"].as_str().expect("an id").to_owned()).or_default();
        life.push(metadata["status_code"].as_u64().expect("a number"));
        if metadata["id"] == id.as_str() && metadata["status_code"].as_u64() >= Some(200) {
            assert_eq!(metadata["status"], "Success");
            break;
        }
    }
    assert_eq!(lives.remove(&id), Some(vec![103, 200]));
    assert_eq!(lives.len(), CHILDREN);
    let expected = vec![103, 103, 103, 103, 103, 200];
    assert!(lives.values().all(|life| *life == expected), "each is told all of its life, the end last");
    drop(silent);
}

#[test]
fn who_was_away_hears_what_was_missed_and_then_the_rest() {
    let (_folder, client) = Client::start();
    let mut listener = Listener::start(&client.socket(), "?type=operation");
    let first = client.start_demo(&json!({"duration": 0}));
    let mut events = vec![listener.next()];
    while events.last().is_none_or(|event| event["metadata"]["status"] != "Success") {
        events.push(listener.next());
    }
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["sequence"].as_u64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "one after another: {numbers:?}");
    drop(listener);
    let missed = client.start_demo(&json!({"duration": 0}));
    client.get(&format!("/1.0/operations/{missed}/wait"));
    let mut listener = Listener::start(&client.socket(), &format!("?type=operation&since={}", numbers[0]));
    for event in &events[1..] {
        assert_eq!(listener.next(), *event, "what was heard of {first} before");
    }
    assert_eq!(listener.statuses(&missed), ["Running", "Success"]);
    let next = client.start_demo(&json!({"duration": 0}));
    assert_eq!(listener.statuses(&next), ["Running", "Success"]);
    for (since, status) in [("1", 410), ("9007199254740991", 410), ("x", 400)] {
        let stream = UnixStream::connect(client.socket()).expect("connected");
        let url = format!("ws://localhost/1.0/events?since={since}");
        match tungstenite::client(url, stream) {
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                assert_eq!(response.status(), status, "{since}");
            }
            other => panic!("{since}: {other:?}"),
        }
    }
}
