//! Events, and what is done where there are none.

use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use charms_reactive_client::{Client, ClientError, Operation};
use charms_reactive_remote::{Event, Events, Happening, Topic, follow, watch};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// What becomes of one connection.
enum Turn {
    /// A websocket on which this is said; then it hangs up.
    Events(Vec<Value>),
    /// A websocket on which these frames come, whatever they are.
    Frames(Vec<Message>),
    /// A websocket on which nothing is said until the client has gone.
    Quiet,
    /// An answer.
    Json(u16, Value),
}

fn sync(metadata: &Value) -> Turn {
    Turn::Json(200, json!({"type": "sync", "metadata": metadata}))
}

fn operation(id: &str, code: u16, percent: u64) -> Value {
    let progress = json!({"progress": {"percent": percent.to_string(), "stage": "x"}});
    json!({"id": id, "class": "task", "status_code": code, "metadata": progress})
}

fn event(operation: &Value) -> Value {
    json!({"type": "operation", "timestamp": "2026-11-21T07:19:21Z", "metadata": operation, "project": "default"})
}

struct Server {
    folder: tempfile::TempDir,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn start(turns: Vec<Turn>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("bound");
        // Websockets are open while other things are asked.
        let thread = thread::spawn(move || {
            let taken: Vec<_> = turns
                .into_iter()
                .map(|turn| {
                    let (stream, _) = listener.accept().expect("a client");
                    thread::spawn(move || take(stream, turn))
                })
                .collect();
            taken.into_iter().map(|turn| turn.join().expect("taken")).collect()
        });
        Self { folder, thread }
    }

    fn client(&self) -> Client {
        Client::unix(self.folder.path().join("socket"))
    }

    /// The first lines of what was asked; every turn has been taken.
    fn requests(self) -> Vec<String> {
        self.thread.join().expect("it served")
    }
}

fn take(mut stream: UnixStream, turn: Turn) -> String {
    let mut line = String::new();
    match turn {
        Turn::Json(status, body) => {
            let head = head(&mut stream);
            head.lines().next().unwrap_or_default().clone_into(&mut line);
            let body = body.to_string();
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).expect("answered");
        }
        Turn::Events(events) => {
            let mut socket = accept(stream, &mut line);
            for event in events {
                // Pings come in between.
                socket.send(Message::Ping(b"keepalive".to_vec().into())).expect("sent");
                socket.send(Message::Text(event.to_string().into())).expect("sent");
            }
            // Both sides are read to their ends, or the last words may be lost.
            let _ = socket.close(None);
            while socket.read().is_ok() {}
        }
        Turn::Frames(frames) => {
            let mut socket = accept(stream, &mut line);
            for frame in frames {
                socket.send(frame).expect("sent");
            }
            while socket.read().is_ok() {}
        }
        Turn::Quiet => {
            let mut socket = accept(stream, &mut line);
            while socket.read().is_ok() {}
        }
    }
    line.trim_end_matches(" HTTP/1.1").to_owned()
}

fn head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("a request") > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

#[expect(clippy::result_large_err, reason = "tungstenite's own")]
fn accept(stream: UnixStream, line: &mut String) -> WebSocket<UnixStream> {
    use tungstenite::handshake::server::{Request, Response};

    let note = |request: &Request, response: Response| {
        *line = format!("{} {}", request.method(), request.uri());
        Ok(response)
    };
    tungstenite::accept_hdr(stream, note).expect("a websocket")
}

const EVENTS: &str = "GET /1.0/events?type=operation&all-projects=true";

fn percents(seen: &[Operation]) -> Vec<Option<u8>> {
    seen.iter().map(|operation| operation.progress().and_then(|progress| progress.percent)).collect()
}

#[test]
fn events_are_heard_in_order_and_typed() {
    let lifecycle = json!({
        "type": "lifecycle", "timestamp": "2026-11-21T07:19:28.745027287Z", "project": "p",
        "metadata": {"action": "operation-cancelled", "source": "/1.0/operations/a", "requestor": {}},
    });
    let server = Server::start(vec![Turn::Events(vec![
        event(&operation("a", 103, 1)),
        lifecycle,
        json!({"type": "logging", "metadata": {}}),
    ])]);
    let client = server.client().project("p");
    let mut events =
        Events::listen(&client, &[Topic::Operation, Topic::Lifecycle], false).expect("listening");
    let mut next = || events.next(Some(Duration::from_secs(10)));
    let first = next().expect("an event").expect("an event");
    assert!(matches!(&first.happening, Happening::Operation(operation) if operation.id == "a"));
    assert_eq!(first.time.map(|time| time.to_string()).as_deref(), Some("2026-11-21T07:19:21Z"));
    let Event { happening, project, .. } = next().expect("an event").expect("an event");
    let expected = Happening::Lifecycle {
        action: "operation-cancelled".to_owned(),
        source: "/1.0/operations/a".to_owned(),
    };
    assert_eq!((happening, project.as_str()), (expected, "p"));
    assert_eq!(next().expect("an event").expect("an event").happening, Happening::Other);
    let gone = next().expect_err("hung up");
    assert!(gone.is_connection(), "{gone:?}");
    drop(events);
    assert_eq!(server.requests(), ["GET /1.0/events?type=operation%2Clifecycle&project=p"]);
}

#[test]
fn who_hears_nothing_gets_nothing_in_time() {
    let server = Server::start(vec![Turn::Quiet]);
    let mut events = Events::listen(&server.client(), &[Topic::Logging], true).expect("listening");
    assert_eq!(events.next(Some(Duration::ZERO)).expect("a time"), None);
    assert_eq!(events.next(Some(Duration::from_millis(50))).expect("a time"), None);
    drop(events);
    server.requests();
}

#[test]
fn what_is_no_event_is_told_and_no_reason_to_panic() {
    let text = |text: &str| Message::Text(text.into());
    for (frame, expected) in [
        (text("no JSON"), "expected ident at line 1 column 2"),
        (text(&"[".repeat(10_000)), "recursion limit exceeded at line 1 column 128"),
        (
            text(r#"{"type": "operation", "metadata": []}"#),
            "`[]` is no operation, expected an object with an `id`",
        ),
    ] {
        let server = Server::start(vec![Turn::Frames(vec![Message::Binary(vec![0, 159].into()), frame])]);
        let mut events = Events::listen(&server.client(), &[Topic::Operation], false).expect("listening");
        let error = events.next(Some(Duration::from_secs(10))).expect_err(expected);
        let ClientError::Strange { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), expected);
        drop(events);
        server.requests();
    }
    // Whoever follows asks instead.
    let server = Server::start(vec![
        Turn::Frames(vec![text("no JSON")]),
        sync(&operation("a", 103, 0)),
        sync(&operation("a", 200, 0)),
    ]);
    follow(&server.client(), "a", None, |_| {}).expect("success");
    server.requests();
}

#[test]
fn an_operation_is_followed_by_events_to_its_end() {
    let server = Server::start(vec![
        Turn::Events(vec![
            event(&operation("other", 200, 0)),
            event(&operation("a", 103, 40)),
            event(&operation("a", 103, 80)),
            event(&operation("a", 200, 100)),
            // Older servers tell things in any order.
            event(&operation("a", 103, 90)),
        ]),
        sync(&operation("a", 103, 0)),
    ]);
    let mut seen = Vec::new();
    let result = follow(&server.client(), "a", None, |operation| seen.push(operation.clone()));
    assert_eq!(result.expect("success").id, "a");
    assert_eq!(percents(&seen), [Some(0), Some(40), Some(80)]);
    assert_eq!(server.requests(), [EVENTS, "GET /1.0/operations/a"]);
}

#[test]
fn what_was_over_before_anybody_listened_is_not_waited_for() {
    let server = Server::start(vec![Turn::Quiet, sync(&operation("a", 400, 0))]);
    let result = follow(&server.client(), "a", None, |_| panic!("nothing changes"));
    assert!(matches!(result, Err(ClientError::Failed(_))), "{result:?}");
    assert_eq!(server.requests(), [EVENTS, "GET /1.0/operations/a"]);
}

#[test]
fn where_there_are_no_events_the_operation_is_asked() {
    let refused =
        |code: u16| Turn::Json(code, json!({"type": "error", "error": "no events", "error_code": code}));
    for code in [400, 403, 404, 501] {
        let server = Server::start(vec![
            refused(code),
            refused(code),
            sync(&operation("a", 103, 10)),
            sync(&operation("a", 103, 20)),
            sync(&operation("a", 200, 100)),
        ]);
        let mut seen = Vec::new();
        let done = follow(&server.client(), "a", None, |operation| seen.push(operation.clone()));
        assert_eq!(done.expect("success").id, "a");
        assert_eq!(percents(&seen), [Some(10), Some(20)]);
        let expected = [
            EVENTS,
            "GET /1.0/events?type=operation",
            "GET /1.0/operations/a/wait?timeout=0",
            "GET /1.0/operations/a/wait?timeout=1",
            "GET /1.0/operations/a/wait?timeout=1",
        ];
        assert_eq!(server.requests(), expected);
    }
}

#[test]
fn when_events_stop_the_operation_is_asked() {
    // LXD's own client ends here with an error.
    let server = Server::start(vec![
        Turn::Events(vec![event(&operation("a", 103, 50))]),
        sync(&operation("a", 103, 60)),
        sync(&operation("a", 401, 60)),
    ]);
    let client = server.client();
    let result = follow(&client, "a", Some(Duration::from_secs(20)), |_| {});
    assert!(matches!(result, Err(ClientError::Cancelled(_))), "{result:?}");
    let requests = server.requests();
    assert_eq!(requests[0], EVENTS);
    assert!(requests[2].starts_with("GET /1.0/operations/a/wait?timeout="), "{requests:?}");
}

#[test]
fn a_follower_gives_up_after_its_time() {
    let running = || sync(&operation("a", 103, 1));
    let server = Server::start(vec![Turn::Quiet, running(), running()]);
    let limit = Duration::from_millis(200);
    let result = follow(&server.client(), "a", Some(limit), |_| {});
    let Err(ClientError::TimedOut { operation, limit: waited }) = result else { panic!("{result:?}") };
    assert_eq!((operation.id.as_str(), waited), ("a", limit));
    // It is looked at once more: events may be lost.
    assert_eq!(server.requests(), [EVENTS, "GET /1.0/operations/a", "GET /1.0/operations/a"]);
}

#[test]
fn all_operations_are_watched_over_lost_connections() {
    let list = |operations: &[Value]| sync(&json!({ "running": operations }));
    let server = Server::start(vec![
        Turn::Events(vec![
            event(&operation("b", 103, 1)),
            event(&operation("b", 103, 1)),
            event(&operation("a", 200, 9)),
        ]),
        list(&[operation("a", 103, 5), operation("old", 200, 5)]),
        // It was away: what changed meanwhile is in the list.
        Turn::Events(vec![]),
        list(&[operation("b", 103, 7), operation("c", 400, 0)]),
    ]);
    let client = server.client();
    let mut seen = Vec::new();
    watch(&client, true, |operation| {
        seen.push(format!("{} {}", operation.id, operation.status.as_str()));
        if operation.id == "c" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .expect("watched");
    assert_eq!(seen, ["a Running", "b Running", "a Success", "b Running", "c Failure"]);
    let list = "GET /1.0/operations?recursion=1&all-projects=true";
    assert_eq!(server.requests(), [EVENTS, list, EVENTS, list]);
}
