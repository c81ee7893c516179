//! Clients that do not go on: an answer where there can be one, and then the end.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use charms_reactive_server::keeper::Keeper;
use charms_reactive_server::listen::{Limits, Server, WATCH_LIMIT};
use charms_reactive_server::operations::{Api, Kinds, Members, Memory, Operations, Settings, Trust};
use serde_json::json;

use super::client::{Client, id_of, read_head};
use crate::charmd::CONFIG;

#[test]
fn who_has_shut_down_its_side_is_answered() {
    let (_folder, client) = Client::start();
    let id = client.start_demo(&json!({"duration": 0.5}));
    for path in [
        "/1.0/operations".to_owned(),
        // What is not known yet, too.
        format!("/1.0/operations/{id}/wait"),
        format!("/v1beta1/{CONFIG}"),
    ] {
        let mut stream = UnixStream::connect(client.socket()).expect("connected");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
        stream.shutdown(Shutdown::Write).expect("shut down");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, and then the end");
        assert!(
            answer.starts_with("HTTP/1.1 ") && answer.ends_with("}\n") || answer.ends_with("0\r\n\r\n"),
            "{answer}"
        );
    }
}

#[test]
fn a_body_that_is_broken_off_is_an_error_and_not_waited_for() {
    let (_folder, client) = Client::start();
    let begin = Instant::now();
    for path in ["/1.0/operations", "/v1beta1/projects/p/configs"] {
        let mut stream = UnixStream::connect(client.socket()).expect("connected");
        write!(stream, "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{\"kind\"")
            .expect("sent");
        stream.shutdown(Shutdown::Write).expect("shut down");
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("broken off"), "{path}: {answer}");
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

/// A server in this process whose patience is short.
struct Impatient {
    socket: PathBuf,
    /// The server ends with it.
    _stop: tokio::sync::oneshot::Sender<()>,
    _folder: tempfile::TempDir,
}

const LIMITS: Limits = Limits {
    connections: 3,
    handshake: Duration::from_millis(400),
    head: Duration::from_millis(400),
    unread: Duration::from_millis(400),
    half_closed: Duration::from_millis(400),
};

impl Impatient {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let settings = Settings::default();
        let handle = runtime.handle().clone();
        let operations = Operations::start(Box::new(Memory), Kinds::standard(), &settings, handle);
        let operations = operations.expect("operations");
        let (trust, members) = (Trust::nobody(), Members::default());
        let api = Api { operations, trust, members, is_debug: false };
        let store = Box::new(charms_reactive_server::runtimeconfig::Memory);
        let (keeper, _thread) = Keeper::start(store).expect("a keeper");
        let server = Server::new(keeper, WATCH_LIMIT).operations(api).limits(LIMITS);
        let path = socket.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = server.serve_unix(&path) => {}
                    _ = stopped => {}
                }
            });
        });
        let begin = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "nobody listens");
        }
        Self { socket, _stop: stop, _folder: folder }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        stream
    }

    /// A request that goes through, however many others do not go on.
    fn is_well(&self) {
        let mut stream = self.connect();
        write!(stream, "GET /1.0 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("sent");
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 200 "));
    }
}

/// Until the other side hangs up.
fn rest(mut stream: UnixStream) -> String {
    let mut bytes = Vec::new();
    // It may hang up in the middle.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_head_that_comes_too_slowly_is_not_waited_for() {
    let server = Impatient::start();
    let mut slow: Vec<UnixStream> = (0..3).map(|_| server.connect()).collect();
    let begin = Instant::now();
    // A byte now and then does not help.
    for byte in b"GET /1.0 HTT" {
        for stream in &mut slow {
            let _ = stream.write_all(&[*byte]);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // All places were taken by them.
    server.is_well();
    for stream in slow {
        rest(stream);
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn a_connection_that_nobody_uses_is_given_to_others() {
    let server = Impatient::start();
    let idle: Vec<UnixStream> = (0..3)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
            assert!(read_head(&mut stream).starts_with("HTTP/1.1 200 "));
            stream
        })
        .collect();
    server.is_well();
    for stream in idle {
        assert!(rest(stream).contains("/1.0"), "the answer, and then the end");
    }
}

#[test]
fn who_does_not_read_is_cut_off() {
    let server = Impatient::start();
    let mut deaf: Vec<UnixStream> = (0..3).map(|_| server.connect()).collect();
    for stream in &mut deaf {
        // Answers to fill every buffer on the way.
        stream.set_write_timeout(Some(Duration::from_secs(20))).expect("set");
        for _ in 0..20_000 {
            if stream.write_all(b"GET /1.0 HTTP/1.1\r\nhost: x\r\n\r\n").is_err() {
                break;
            }
        }
    }
    server.is_well();
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let (_folder, client) = Client::start();
    for head in [format!("x: {}\r\n", "y".repeat(200_000)), "x: y\r\n".repeat(200)] {
        let mut stream = UnixStream::connect(client.socket()).expect("connected");
        let _ = write!(stream, "GET /1.0 HTTP/1.1\r\nhost: x\r\n{head}\r\n");
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(client.get("/").0, 200);
}

#[test]
fn of_one_who_shut_down_its_side_nobody_knows_whether_it_is_there() {
    let server = Impatient::start();
    let body = r#"{"kind": "demo", "input": {"duration": 60}}"#;
    let mut stream = server.connect();
    write!(
        stream,
        "POST /1.0/operations HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let answer = rest(stream);
    let (_, answer) = answer.split_once("\r\n\r\n").expect("a head");
    let id = id_of(&serde_json::from_str(answer).expect("JSON"));
    let begin = Instant::now();
    let waits: Vec<UnixStream> = (0..3)
        .map(|_| {
            let mut stream = server.connect();
            write!(stream, "GET /1.0/operations/{id}/wait HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
            stream.shutdown(Shutdown::Write).expect("shut down");
            assert!(read_head(&mut stream).starts_with("HTTP/1.1 200 "), "it is heard");
            stream
        })
        .collect();
    server.is_well();
    drop(waits);
    // Those that have gone altogether are forgotten at once.
    for _ in 0..30 {
        let mut stream = server.connect();
        write!(stream, "GET /1.0/operations/{id}/wait HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
        read_head(&mut stream);
    }
    server.is_well();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

/// How much of the memory a server has, in bytes.
fn memory(client: &Client) -> u64 {
    let path = format!("/proc/{}/status", client.server.child.id());
    let status = std::fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn lists_that_nobody_reads_do_not_fill_the_memory() {
    const MIB: u64 = 1024 * 1024;
    let (_folder, client) = Client::start();
    let long = "x".repeat(50_000);
    for _ in 0..100 {
        let body = json!({"kind": "demo", "class": "token", "metadata": {"long": long}});
        assert_eq!(client.post(&body).0, 202);
    }
    let path = "/1.0/operations?recursion=1";
    let length = client.ask("GET", path, "").1.to_string().len() as u64;
    assert!(length > 4 * MIB, "{length}");
    let before = memory(&client);
    let deaf: Vec<UnixStream> = (0..150).map(|_| client.send("GET", path, "")).collect();
    for _ in 0..20 {
        // Others are answered meanwhile.
        assert_eq!(client.get("/1.0").0, 200);
        std::thread::sleep(Duration::from_millis(50));
    }
    let more = memory(&client).saturating_sub(before);
    assert!(more < 150 * MIB, "{} MiB for {} MiB of lists", more / MIB, deaf.len() as u64 * length / MIB);
    // Those who read have their lists, one after another.
    for stream in deaf {
        assert!(rest(stream).len() as u64 > length);
    }
}
