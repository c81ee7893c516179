//! Requests as they are: what is sent, what comes back, and what is sent again.

use std::io;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use charms_reactive_client::{Client, ClientError, RefusalKind};
use serde_json::{Value, json};

use crate::server::{Server, Turn, json as answer, lines, read, sync, with_headers};

fn say(bytes: &str) -> Turn {
    Turn::Say(bytes.as_bytes().to_vec())
}

#[test]
fn a_request_says_who_asks_and_what_is_wanted() {
    let server = Server::start(vec![sync(&json!(["/1.0"])), sync(&json!({}))]);
    let client = server.client().user_agent("test/1").media_type("text/x").token("t0").keep_last_response();
    assert_eq!(client.last_response(), None);
    assert!(!format!("{client:?}").contains("t0"), "{client:?}");
    assert_eq!(client.root().expect("an answer").metadata(), &json!(["/1.0"]));
    let last = client.last_response().expect("kept");
    assert_eq!((last.status, last.header("Content-LENGTH").is_some()), (200, true));
    client.post("/1.0/operations", &json!({"kind": "demo"})).expect("an answer");
    let requests = server.requests();
    let expected = "GET / HTTP/1.1\r\nHost: charmd\r\nUser-Agent: test/1\r\nAccept: text/x\r\n\
                    Authorization: Bearer t0\r\nConnection: close\r\n\r\n";
    assert_eq!(requests[0], expected);
    assert!(requests[1].starts_with("POST /1.0/operations HTTP/1.1\r\n"), "{}", requests[1]);
    assert!(requests[1].contains("\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"));
    assert!(requests[1].ends_with("\r\n\r\n{\"kind\":\"demo\"}"));
}

#[test]
fn every_method_can_be_sent_as_it_is() {
    let server = Server::start((0..6).map(|_| sync(&json!({}))).collect());
    let (client, body) = (server.client(), json!({}));
    client.get("/a?b=c").expect("get");
    // Its answer says how long it would be, and is not.
    client.head("/a").expect("head");
    client.post("/a", &body).expect("post");
    client.put("/a", &body).expect("put");
    client.patch("/a", &body).expect("patch");
    client.delete("/a", None).expect("delete");
    let expected = ["GET /a?b=c", "HEAD /a", "POST /a", "PUT /a", "PATCH /a", "DELETE /a"];
    assert_eq!(lines(&server.requests()), expected);
}

#[test]
fn what_would_be_more_than_one_request_is_not_sent() {
    let client = Client::unix("/nowhere");
    for (method, path) in
        [("GET", "x"), ("GET", "/x y"), ("GET", "/x\r\nHost: y"), ("GET", "/é"), ("G T", "/"), ("", "/")]
    {
        let error = client.request(method, path, None).expect_err(path);
        assert!(matches!(error, ClientError::Request(_)), "{method} {path}: {error}");
    }
    let error = client.token("a\r\nX: y").get("/").expect_err("two lines");
    assert_eq!(error.to_string(), "header `Authorization` is not valid, expected one line");
}

#[test]
fn servers_that_answer_badly_are_told_from_those_that_do_not_answer() {
    for (turn, expected) in [
        (say("SSH-2.0-OpenSSH\r\n\r\n"), "it is no HTTP: invalid HTTP version"),
        (say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}"), "the answer breaks off"),
        (say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}"), "the answer breaks off"),
        (say("HTTP/1.1 200"), "the answer breaks off"),
        (say("HTTP/1.1 200 OK\r\n\r\n<html>"), "expected value at line 1 column 1"),
        (say("HTTP/1.1 200 OK\r\n\r\n{\"a\":1}{}"), "trailing characters at line 1 column 8"),
        (
            say(&format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100_000))),
            "its head is longer than 65536 bytes",
        ),
        (say(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200))), "it has more than 96 headers"),
        (
            say("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n"),
            "its body is longer than 67108864 bytes",
        ),
        (
            say(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "[".repeat(100_000))),
            "recursion limit exceeded at line 1 column 128",
        ),
        (Turn::Leave, "the answer breaks off"),
    ] {
        let server = Server::start(vec![turn]);
        let error = server.client().request("GET", "/1.0", None).expect_err(expected);
        let ClientError::Strange { source, .. } = &error else { panic!("{expected}: {error:?}") };
        assert_eq!(source.to_string(), expected);
        server.requests();
    }
}

#[test]
fn a_server_that_takes_its_time_has_only_so_much_of_it() {
    let slow = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    for turn in [Turn::Hold, Turn::Drip(slow, Duration::from_millis(30))] {
        let server = Server::start(vec![turn]);
        let client = server.client().timeout(Duration::from_millis(200));
        let begin = Instant::now();
        let error = client.request("GET", "/1.0", None).expect_err("too slow");
        assert!(matches!(error, ClientError::Silent { .. }), "{error:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        server.requests();
    }
}

#[test]
fn a_refusal_is_told_even_before_all_was_heard() {
    // More than the socket takes at once: the server hangs up in the middle of the request.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).expect("bound");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let body = r#"{"type": "error", "error": "too long", "error_code": 413}"#;
        let text = format!("HTTP/1.1 413 X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        io::Write::write_all(&mut stream, text.as_bytes()).expect("written");
        std::thread::sleep(Duration::from_millis(100));
    });
    let body = json!("x".repeat(4_000_000));
    let error = Client::unix(path).post("/1.0/operations", &body).expect_err("refused");
    assert_eq!(error.refusal().map(|refusal| refusal.text.as_str()), Some("too long"), "{error:?}");
    server.join().expect("served");
}

#[test]
fn errors_have_method_url_code_and_text_and_no_secrets() {
    let refused = json!({"type": "error", "error": "not authorized", "error_code": 403, "metadata": null});
    let server = Server::start(vec![answer(403, &refused), answer(200, &refused)]);
    let client = server.client();
    for status in [403, 200] {
        let error = client.get("/1.0/operations/a/wait?secret=s3cret&timeout=1").expect_err("refused");
        let shown = "GET /1.0/operations/a/wait?secret=[redacted]&timeout=1: 403, not authorized";
        assert_eq!(error.to_string(), shown, "{status}");
        let refusal = error.refusal().expect("a refusal");
        assert_eq!((refusal.kind(), &refusal.response.body), (RefusalKind::Forbidden, &refused));
        assert_eq!(refusal.response.status, status);
    }
    server.requests();
}

#[test]
fn what_asks_only_is_sent_again_and_what_changes_something_is_not() {
    let busy = || answer(503, &json!({"type": "error", "error": "setup in progress", "error_code": 503}));
    let server = Server::start(vec![Turn::Leave, busy(), sync(&json!({}))]);
    server.client().get("/1.0").expect("the third answer");
    assert_eq!(server.requests().len(), 3);
    let server = Server::start(vec![busy(), busy(), busy(), busy()]);
    let error = server.client().get("/1.0").expect_err("four are enough");
    assert_eq!(error.refusal().map(charms_reactive_client::Refusal::kind), Some(RefusalKind::Unavailable));
    assert_eq!(server.requests().len(), 4);
    let server = Server::start(vec![Turn::Leave]);
    assert!(server.client().repeats(0).get("/1.0").is_err());
    server.requests();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let server = Server::start(vec![Turn::Leave]);
        let result = server.client().call(method, "/1.0/x").send();
        assert!(matches!(result, Err(ClientError::Strange { .. })), "{method}: {result:?}");
        assert_eq!(server.requests().len(), 1, "{method}");
    }
}

#[test]
fn a_start_with_an_id_of_ours_is_sent_again() {
    let operation = json!({"id": "a", "status_code": 103});
    let envelope = json!({"type": "async", "metadata": operation});
    let server = Server::start(vec![Turn::Leave, answer(202, &envelope)]);
    let started = server.client().start(&json!({"kind": "demo", "id": "a"})).expect("started");
    assert_eq!((started.id.as_str(), server.requests().len()), ("a", 2));
    let server = Server::start(vec![Turn::Leave]);
    assert!(server.client().start(&json!({"kind": "demo"})).is_err());
    server.requests();
}

#[test]
fn a_server_that_is_not_there_yet_has_heard_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    // A socket that nobody listens on, as one that was killed leaves it.
    drop(UnixListener::bind(&path).expect("bound"));
    let client = Client::unix(&path);
    let error = client.clone().repeats(0).post("/x", &json!({})).expect_err("nobody there");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    let again = std::thread::spawn(move || client.repeats(20).post("/x", &json!({})));
    std::thread::sleep(Duration::from_millis(60));
    let other = folder.path().join("other");
    let listener = UnixListener::bind(&other).expect("bound");
    std::fs::rename(&other, &path).expect("moved");
    let (mut stream, _) = listener.accept().expect("a client");
    read(&mut stream);
    io::Write::write_all(&mut stream, b"HTTP/1.1 204 X\r\n\r\n").expect("written");
    drop(stream);
    let response = again.join().expect("it ended").expect("heard");
    assert_eq!((response.status, response.body), (204, Value::Null));
}

#[test]
fn redirects_are_followed_three_times_and_not_into_the_unknown() {
    let moved = |status, to: &str| with_headers(status, &format!("Location: {to}\r\n"), &Value::Null);
    let server = Server::start(vec![
        moved(301, "/1"),
        moved(307, "http://charmd/2?x=y"),
        moved(302, "/3"),
        sync(&json!("here")),
    ]);
    let response = server.client().request("PUT", "/0", Some(&json!({"a": 1}))).expect("there");
    assert_eq!(response.metadata(), "here");
    let requests = server.requests();
    assert_eq!(lines(&requests), ["PUT /0", "PUT /1", "PUT /2?x=y", "PUT /3"]);
    assert!(requests.iter().all(|request| request.ends_with("{\"a\":1}")));
    let server = Server::start(vec![moved(303, "/done"), sync(&json!({}))]);
    server.client().request("POST", "/", Some(&json!({}))).expect("there");
    let requests = server.requests();
    assert_eq!(lines(&requests), ["POST /", "GET /done"]);
    assert!(requests[1].ends_with("\r\n\r\n"), "without a body: {}", requests[1]);
    let server = Server::start((0..4).map(|_| moved(302, "/again")).collect());
    let error = server.client().get("/").expect_err("in circles");
    assert!(matches!(&error, ClientError::Redirect { to, .. } if to == "/again"), "{error}");
    server.requests();
    let server = Server::start(vec![moved(302, "https://example.org/x?secret=s")]);
    let error = server.client().token("t").get("/").expect_err("elsewhere").to_string();
    assert!(
        error.ends_with(
            "to `https://example.org/x?secret=[redacted]`: `https://example.org` is not on this socket"
        ),
        "{error}"
    );
    server.requests();
}

#[test]
fn a_socket_with_a_long_path_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a".repeat(100));
    std::fs::create_dir(&deep).expect("made");
    // Bound where its path is short, then moved.
    let listener = UnixListener::bind(folder.path().join("socket")).expect("bound");
    std::fs::rename(folder.path().join("socket"), deep.join("socket")).expect("moved");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        read(&mut stream);
        let answer = b"HTTP/1.1 409 Conflict\r\nX: y\r\n\r\n{\"error\":\"x\"}";
        io::Write::write_all(&mut stream, answer).expect("written");
    });
    let response = Client::unix(deep.join("socket")).request("GET", "/", None).expect("an answer");
    assert_eq!((response.status, &response.body["error"]), (409, &Value::from("x")));
    assert_eq!(response.headers, [("X".to_owned(), "y".to_owned())]);
    server.join().expect("served");
}

#[test]
fn who_does_not_answer_is_told_from_who_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let client = Client::unix(&path).timeout(Duration::from_millis(20));
    let ask = || client.request("GET", "/", None).expect_err("no answer");
    assert!(matches!(ask(), ClientError::Unreachable { .. }));
    let _listener = UnixListener::bind(&path).expect("bound");
    assert!(matches!(ask(), ClientError::Silent { .. }));
}
