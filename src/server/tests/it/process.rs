//! `charmd` as a process: sockets, and what a kill leaves.

#![expect(clippy::disallowed_methods, reason = "starts the server, and waits for it")]

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A running server, killed with SIGKILL when dropped.
pub(crate) struct Charmd {
    pub(crate) child: Child,
    pub(crate) socket: PathBuf,
}

impl Charmd {
    pub(crate) fn start(folder: &Path) -> Self {
        let socket = folder.join("charmd.socket");
        let child = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .args(["serve", "--data"])
            .arg(folder.join("data"))
            .arg("--socket")
            .arg(&socket)
            .stderr(Stdio::null())
            .spawn()
            .expect("charmd starts");
        let server = Self { child, socket };
        let begin = Instant::now();
        while UnixStream::connect(&server.socket).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "charmd does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }
}

impl Drop for Charmd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends one request on a connection of its own.
fn send(socket: &Path, method: &str, path: &str, body: &Value) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let body = if method == "POST" || method == "PUT" { body.to_string() } else { String::new() };
    let length = body.len();
    write!(
        stream,
        "{method} /v1beta1/{path} HTTP/1.1\r\nhost: charmd\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    Ok(stream)
}

/// The answer to a request; an error where the server died under it.
fn receive(mut stream: UnixStream) -> io::Result<(u16, Value)> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok((status, serde_json::from_str(body).map_err(|_| broken())?))
}

fn ask(socket: &Path, method: &str, path: &str, body: &Value) -> io::Result<(u16, Value)> {
    receive(send(socket, method, path, body)?)
}

const CONFIG: &str = "projects/p/configs/c";

fn waiter(name: &str, number: usize, timeout: &str) -> Value {
    json!({"name": format!("{CONFIG}/waiters/{name}"), "timeout": timeout,
           "success": {"cardinality": {"path": "/a", "number": number}}})
}

/// All that `list` of a config has, by name.
fn listed(socket: &Path, list: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut token = String::new();
    loop {
        let path = format!("{CONFIG}/{list}?returnValues=true&pageToken={token}");
        let (status, page) = ask(socket, "GET", &path, &Value::Null).expect("an answer");
        assert_eq!(status, 200, "{page}");
        for item in page[list].as_array().into_iter().flatten() {
            all.insert(item["name"].as_str().expect("a name").to_owned(), item.clone());
        }
        match page["nextPageToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => return all,
        }
    }
}

#[test]
fn what_was_answered_survives_a_kill_and_no_waiter_ends_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    let mut ended: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..4_usize {
        let server = Charmd::start(folder.path());
        let socket = server.socket.clone();
        if round == 0 {
            ask(&socket, "POST", "projects/p/configs", &json!({ "name": CONFIG })).expect("a config");
        }
        for (name, found) in listed(&socket, "waiters") {
            if let Some(before) = ended.get(&name) {
                assert_eq!(found, *before, "it had ended");
            }
        }
        let found = listed(&socket, "variables");
        for (name, variable) in &acknowledged {
            assert_eq!(found.get(name), Some(variable), "it was answered");
        }
        for number in 0..20 {
            let (name, timeout) =
                (format!("w{round}-{number}"), if number % 2 == 0 { "0.05s" } else { "900s" });
            let body = waiter(&name, found.len() + number * 10, timeout);
            let (status, answer) =
                ask(&socket, "POST", &format!("{CONFIG}/waiters"), &body).expect("a waiter");
            assert_eq!(status, 200, "{answer}");
        }
        let is_over = AtomicBool::new(false);
        let writer = |writer: usize| {
            let mut made = Vec::new();
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("{CONFIG}/variables/a/r{round}-{writer}-{number}");
                let body = json!({"name": name, "text": "x"});
                match ask(&socket, "POST", &format!("{CONFIG}/variables"), &body) {
                    Ok((200, variable)) => made.push((name, variable)),
                    Ok((status, answer)) => panic!("{status} {answer}"),
                    Err(_) => break,
                }
            }
            made
        };
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4).map(|number| scope.spawn(move || writer(number))).collect();
            let watcher = scope.spawn(|| {
                let mut seen = BTreeMap::new();
                while !is_over.load(Ordering::Relaxed) {
                    let Ok((200, page)) = ask(&socket, "GET", &format!("{CONFIG}/waiters"), &Value::Null)
                    else {
                        break;
                    };
                    for found in page["waiters"].as_array().into_iter().flatten() {
                        if found["done"] == true {
                            let name = found["name"].as_str().expect("a name").to_owned();
                            let before = seen.insert(name, found.clone());
                            assert!(before.is_none_or(|before| before == *found), "it ends once");
                        }
                    }
                }
                seen
            });
            std::thread::sleep(Duration::from_millis(150 + 70 * round as u64));
            drop(server);
            is_over.store(true, Ordering::Relaxed);
            for writer in writers {
                acknowledged.extend(writer.join().expect("a writer"));
            }
            ended.extend(watcher.join().expect("a watcher"));
        });
    }
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    assert!(ended.values().any(|waiter| waiter["error"]["code"] == 4), "some time was over");
    assert!(ended.values().any(|waiter| waiter.get("error").is_none()), "some succeeded");
}

#[test]
fn hundreds_of_watches_wait_without_a_thread_each() {
    const WATCHES: usize = 900;
    let folder = tempfile::tempdir().expect("a folder");
    let server = Charmd::start(folder.path());
    let socket = server.socket.clone();
    ask(&socket, "POST", "projects/p/configs", &json!({ "name": CONFIG })).expect("a config");
    let name = format!("{CONFIG}/variables/a");
    ask(&socket, "POST", &format!("{CONFIG}/variables"), &json!({"name": name, "text": "x"}))
        .expect("a variable");
    let watch = |_| send(&socket, "POST", &format!("{name}:watch"), &json!({})).expect("sent");
    let watches: Vec<UnixStream> = (0..WATCHES).map(watch).collect();
    // A client that hangs up is forgotten.
    drop(watch(0));
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.child.id())).expect("it runs").count();
    assert!(threads < 10, "{threads} threads");
    // Those that come after the write see it at once: their `newerThan` is older.
    let (_, first) = ask(&socket, "GET", &name, &Value::Null).expect("an answer");
    let older = json!({"newerThan": first["updateTime"]});
    let (status, updated) = ask(&socket, "PUT", &name, &json!({"text": "y"})).expect("an answer");
    assert_eq!((status, &updated["state"]), (200, &json!("UPDATED")));
    let late = ask(&socket, "POST", &format!("{name}:watch"), &older).expect("an answer");
    assert_eq!(late, (200, updated.clone()));
    let begin = Instant::now();
    for stream in watches {
        assert_eq!(receive(stream).expect("an answer"), (200, updated.clone()));
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn a_socket_that_a_dead_server_left_is_taken_over_and_a_live_one_is_not() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    drop(Charmd::start(folder.path()));
    assert!(folder.path().join("charmd.socket").exists(), "a killed server leaves it");
    let server = Charmd::start(folder.path());
    let mode = std::fs::metadata(&server.socket).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    let second = Command::new(env!("CARGO_BIN_EXE_charmd"))
        .args(["serve", "--socket"])
        .arg(&server.socket)
        .output()
        .expect("charmd starts");
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && stderr.contains("another program listens on"), "{stderr}");
}

#[test]
fn a_token_is_asked_for_on_tcp() {
    use std::io::BufRead as _;

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_charmd"));
        command.args(["serve", "--http", "127.0.0.1:0", "--token-file"]).arg(&file).stderr(Stdio::piped());
        command
    };
    let refused = serve().output().expect("charmd starts");
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && stderr.contains("cannot read a token from"), "{stderr}");

    std::fs::File::create(&file).expect("a file").write_all(b"s3cret\n").expect("written");
    let mut child = serve().spawn().expect("charmd starts");
    let mut line = String::new();
    io::BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("info: listening on http://").expect("it says where").to_owned();
    let ask = |header: &str| {
        let mut stream = std::net::TcpStream::connect(&address).expect("connected");
        write!(
            stream,
            "GET /v1beta1/projects/p/configs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let body: Value = serde_json::from_str(body).expect("JSON");
        (head.split(' ').nth(1).expect("a status").to_owned(), body["error"]["status"].clone())
    };
    let answers = [
        "",
        "authorization: Basic s3cret\r\n",
        "authorization: Bearer s3cres\r\n",
        "authorization: Bearer s3cret5\r\n",
        "authorization: Bearer s3cret\r\n",
    ]
    .map(ask);
    child.kill().expect("killed");
    child.wait().expect("ended");
    let denied = || ("403".to_owned(), json!("PERMISSION_DENIED"));
    let unknown = || ("401".to_owned(), json!("UNAUTHENTICATED"));
    assert_eq!(answers, [unknown(), unknown(), denied(), denied(), ("200".to_owned(), Value::Null)]);
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_charmd"))
        .args(["serve", "--http", "0.0.0.0:0"])
        .output()
        .expect("charmd starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let expected = "charmd: cannot serve: `0.0.0.0:0` is reachable from other machines, \
                    expected an address like `127.0.0.1:8080`\n";
    assert_eq!(stderr, expected);
    assert_eq!(output.status.code(), Some(1));
}
