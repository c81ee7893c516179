//! Two servers that answer for each other.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::Message;

use super::client::{Client, id_of};
use super::trust::{Tls, certificate};

/// Members `a` and `b` of a cluster, and their folders.
struct Cluster {
    a: Tls,
    b: Tls,
    _folder: tempfile::TempDir,
}

/// A port that nobody else has for now: each has to know that of the other before it starts.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Arguments of a member.
fn member(name: &str, own: u16, other: &str, others: u16, top: &Path) -> Vec<String> {
    let path = |file: &str| top.join(file).display().to_string();
    let other = format!("{other}=https://127.0.0.1:{others}");
    let own = format!("127.0.0.1:{own}");
    [
        "--name",
        name,
        "--https",
        &own,
        "--member",
        &other,
        "--tls-cert",
        &path("crt"),
        "--tls-key",
        &path("key"),
    ]
    .map(str::to_owned)
    .to_vec()
}

fn folder_of(top: &Path, name: &str) -> PathBuf {
    let folder = top.join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Cluster {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path();
        let shared = certificate();
        std::fs::write(top.join("crt"), shared.cert.pem()).expect("written");
        std::fs::write(top.join("key"), shared.signing_key.serialize_pem()).expect("written");
        let (a, b) = (port(), port());
        let start = |name: &str, arguments: Vec<String>| {
            Tls::start_at(&folder_of(top, name), arguments, top.join("crt"))
        };
        let a_arguments = member("a", a, "b", b, top);
        let b_arguments = member("b", b, "a", a, top);
        Self { a: start("a", a_arguments), b: start("b", b_arguments), _folder: folder }
    }
}

fn url(id: &str) -> String {
    format!("/1.0/operations/{id}")
}

#[test]
fn what_one_member_does_not_know_it_asks_the_other() {
    let cluster = Cluster::start();
    let (a, b): (&Client, &Client) = (&cluster.a.client, &cluster.b.client);
    assert_eq!(a.get("/1.0").1["metadata"]["environment"]["server_clustered"], true);
    let there = b.start_demo(&json!({"duration": 30}));
    let here = a.start_demo(&json!({"duration": 30}));
    let (status, shown) = a.get(&url(&there));
    assert_eq!((status, &shown["metadata"]["location"]), (200, &json!("b")));
    assert_eq!(shown, b.get(&url(&there)).1);
    // Lists are of all members, whichever is asked.
    for client in [a, b] {
        let (_, list) = client.get("/1.0/operations");
        assert_eq!(list["metadata"], json!({"running": [url(&there), url(&here)]}));
        let (_, list) = client.get("/1.0/operations?recursion=1&limit=1");
        assert_eq!(list["metadata"]["running"][0]["location"], "a");
        let (_, list) = client.get("/1.0/operations?target=b");
        assert_eq!(list["metadata"], json!({"running": [url(&there)]}));
    }
    let (status, waited) = a.get(&format!("{}/wait?timeout=0", url(&there)));
    assert_eq!((status, &waited["metadata"]["status"]), (200, &json!("Running")));
    // Who cancels is known where it is cancelled.
    let (status, answer) = a.delete(&url(&there), r#"{"reason": "from afar"}"#);
    assert_eq!((status, &answer["metadata"]), (200, &json!({})));
    let shown = b.get(&url(&there)).1["metadata"].clone();
    let by = a.get(&url(&here)).1["metadata"]["requestor"]["username"].clone();
    assert_eq!(shown["err"], format!("cancelled by {}: from afar", by.as_str().expect("text")));
    let unknown = "01a1ff76-7ae3-7e36-ab99-db34ad3473d9";
    assert_eq!(a.get(&url(unknown)).1["error"], "Operation not found");
    assert_eq!(a.get(&url(unknown)).0, 404);
}

#[test]
fn an_operation_is_started_on_another_member() {
    let cluster = Cluster::start();
    let a = &cluster.a.client;
    let body = json!({"kind": "demo", "input": {"duration": 0.3}}).to_string();
    let (head, answer) = a.ask("POST", "/1.0/operations?target=b", &body);
    let id = id_of(&answer);
    assert!(
        head.starts_with("HTTP/1.1 202 ") && head.contains(&format!("\r\nlocation: {}\r\n", url(&id))),
        "{head}"
    );
    assert_eq!((&answer["type"], &answer["operation"]), (&json!("async"), &json!(url(&id))));
    let operation = &answer["metadata"];
    assert_eq!((&operation["location"], &operation["requestor"]["protocol"]), (&json!("b"), &json!("unix")));
    // It is waited for through the member that does not have it.
    let (_, waited) = a.get(&format!("{}/wait", url(&id)));
    assert_eq!(waited["metadata"]["status"], "Success");
    let (head, answer) = a.ask("POST", "/1.0/operations?target=b", "{}");
    assert!(
        head.starts_with("HTTP/1.1 400 ") && answer["error"].to_string().contains("missing field"),
        "{answer}"
    );
    let (_, answer) = a.ask("POST", "/1.0/operations?target=c", &body);
    assert_eq!(answer["error"], "no member `c`, expected one of: b");
}

#[test]
fn a_websocket_is_carried_through_a_member_and_both_ends_close() {
    let cluster = Cluster::start();
    let (status, answer) = cluster.b.client.post(&json!({"kind": "demo", "class": "websocket"}));
    assert_eq!(status, 202);
    let (id, secret) = (id_of(&answer), answer["metadata"]["metadata"]["fds"]["0"].clone());
    let path = |secret: &str| format!("ws://localhost{}/websocket?secret={secret}", url(&id));
    // The secret is enough, also for somebody whom no member trusts.
    assert!(tungstenite::client(path("0123"), cluster.a.connect(None)).is_err(), "that is not it");
    let secret = secret.as_str().expect("a secret");
    let (mut socket, _) = tungstenite::client(path(secret), cluster.a.connect(None)).expect("connected");
    assert!(tungstenite::client(path(secret), cluster.a.connect(None)).is_err(), "it has been used");
    for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
        socket.send(message.clone()).expect("sent");
        assert_eq!(socket.read().expect("an echo"), message);
    }
    socket.close(None).expect("closed");
    while socket.read().is_ok() {}
    let (_, ended) = cluster.a.client.get(&format!("{}/wait?timeout=20", url(&id)));
    let ended = &ended["metadata"];
    assert_eq!((&ended["status"], &ended["metadata"]["echoed"]), (&json!("Success"), &json!(2)));
}

#[test]
fn an_operation_that_ends_hangs_up_through_a_member() {
    let cluster = Cluster::start();
    let (_, answer) = cluster.b.client.post(&json!({"kind": "demo", "class": "websocket"}));
    let (id, secret) = (id_of(&answer), answer["metadata"]["metadata"]["fds"]["0"].clone());
    let path = format!("ws://localhost{}/websocket?secret={}", url(&id), secret.as_str().expect("a secret"));
    let (mut socket, _) = tungstenite::client(path, cluster.a.connect(None)).expect("connected");
    assert_eq!(cluster.a.client.delete(&url(&id), "").0, 200);
    assert!(socket.read().is_err(), "nobody is there any more");
}

#[test]
fn strangers_see_no_more_through_a_member() {
    let cluster = Cluster::start();
    let body = json!({"kind": "demo", "class": "token", "metadata": {"secret": "abc"}});
    let id = id_of(&cluster.b.client.post(&body).1);
    let stranger = certificate();
    let ask = |path: &str| cluster.a.ask(Some(&stranger), "GET", path, &Value::Null);
    let wait = |secret: &str| ask(&format!("{}/wait?timeout=0&secret={secret}", url(&id)));
    assert_eq!((wait("abc").0, wait("abd").0, wait("").0), (200, 403, 403));
    assert_eq!(ask(&url(&id)).0, 403);
    // To say that one asks for somebody, one has to be a member.
    let mut stream = cluster.b.connect(Some(&stranger));
    std::io::Write::write_all(
        &mut stream,
        b"GET /1.0/operations HTTP/1.1\r\nhost: x\r\nx-lxd-forwarded-username: root\r\n\
          x-lxd-forwarded-protocol: unix\r\nconnection: close\r\n\r\n",
    )
    .expect("sent");
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_member_that_has_gone_is_left_out_of_lists_and_named_elsewhere() {
    let Cluster { a, b, _folder } = Cluster::start();
    let here = a.client.start_demo(&json!({"duration": 30}));
    let there = b.client.start_demo(&json!({"duration": 30}));
    drop(b);
    let begin = Instant::now();
    assert_eq!(a.client.get("/1.0/operations").1["metadata"], json!({"running": [url(&here)]}));
    assert_eq!(a.client.get(&url(&here)).0, 200);
    let (status, answer) = a.client.get(&url(&there));
    let expected = json!("Operation not found, but not every member can be asked");
    assert_eq!((status, &answer["error"]), (503, &expected));
    let (_, answer) = a.client.ask("POST", "/1.0/operations?target=b", r#"{"kind": "demo"}"#);
    assert!(
        answer["error"].as_str().expect("text").starts_with("cannot ask member `b` at 127.0.0.1:"),
        "{answer}"
    );
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
