//! `charmd` as a process, and a client of it.

#![expect(clippy::disallowed_methods, reason = "starts the server, and waits for it")]

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) const CONFIG: &str = "projects/p/configs/c";

/// A running server, killed with SIGKILL when dropped.
pub(crate) struct Charmd {
    pub(crate) child: Child,
    pub(crate) socket: PathBuf,
}

impl Charmd {
    /// Starts a server whose socket is in `folder`, with the arguments that say where it keeps its data.
    pub(crate) fn start(folder: &Path, store: &[String]) -> Self {
        Self::start_with(folder, store, "")
    }

    /// The same, with this `PATH`.
    pub(crate) fn start_with(folder: &Path, store: &[String], programs: &str) -> Self {
        let socket = folder.join("charmd.socket");
        let log = OpenOptions::new().append(true).create(true).open(folder.join("charmd.log"));
        let log = Stdio::from(log.expect("a log"));
        let child = Command::new(env!("CARGO_BIN_EXE_charmd"))
            .arg("serve")
            .args(store)
            .arg("--socket")
            .arg(&socket)
            .env("PATH", programs)
            .env("JUJU_CONTEXT_ID", "of whoever started it")
            .stderr(log)
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
pub(crate) fn send(socket: &Path, method: &str, path: &str, body: &Value) -> io::Result<UnixStream> {
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
pub(crate) fn receive(mut stream: UnixStream) -> io::Result<(u16, Value)> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok((status, serde_json::from_str(body).map_err(|_| broken())?))
}

pub(crate) fn ask(socket: &Path, method: &str, path: &str, body: &Value) -> io::Result<(u16, Value)> {
    receive(send(socket, method, path, body)?)
}

pub(crate) fn waiter(name: &str, number: usize, timeout: &str) -> Value {
    json!({"name": format!("{CONFIG}/waiters/{name}"), "timeout": timeout,
           "success": {"cardinality": {"path": "/a", "number": number}}})
}

/// All that `list` of a config has, by name.
pub(crate) fn listed(socket: &Path, list: &str) -> BTreeMap<String, Value> {
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
