//! A client of the socket, one connection a request, as `lxc` does it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::charmd::Charmd;

/// A running server, and the way to it.
pub(crate) struct Client {
    pub(crate) server: Charmd,
}

impl Client {
    /// With a folder of its own.
    pub(crate) fn start() -> (tempfile::TempDir, Self) {
        let folder = tempfile::tempdir().expect("a folder");
        let client = Self::in_folder(folder.path());
        (folder, client)
    }

    /// With what another has left in this folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let data = folder.join("data").display().to_string();
        Self { server: Charmd::start(folder, &["--data".to_owned(), data]) }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.server.socket.clone()
    }

    /// Sends a request.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> UnixStream {
        send(&self.server.socket, method, path, body).expect("sent")
    }

    /// Head and body of the answer.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (String, Value) {
        let (head, text) = ask(&self.server.socket, method, path, body);
        (head, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    fn status_of(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (head, body) = self.ask(method, path, body);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body)
    }

    /// Bodies of requests that have none are what `lxc query` sends.
    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.status_of("GET", path, "\"\"")
    }

    pub(crate) fn delete(&self, path: &str, body: &str) -> (u16, Value) {
        self.status_of("DELETE", path, body)
    }

    pub(crate) fn post(&self, body: &Value) -> (u16, Value) {
        self.status_of("POST", "/1.0/operations", &body.to_string())
    }

    /// Starts `demo`; gives the id.
    #[track_caller]
    pub(crate) fn start_demo(&self, input: &Value) -> String {
        let (status, answer) = self.post(&json!({"kind": "demo", "input": input}));
        assert_eq!(status, 202, "{answer}");
        id_of(&answer)
    }
}

/// Sends a request on a connection of its own.
pub(crate) fn send(
    socket: &Path,
    method: &str,
    path: &str,
    body: impl AsRef<[u8]>,
) -> std::io::Result<UnixStream> {
    let body = body.as_ref();
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost:None\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    // At once: a server may answer, and close, before it has heard everything.
    stream.write_all(&[head.as_bytes(), body].concat())?;
    Ok(stream)
}

/// Head and body of the answer to a request.
#[track_caller]
pub(crate) fn ask(socket: &Path, method: &str, path: &str, body: impl AsRef<[u8]>) -> (String, String) {
    let mut stream = send(socket, method, path, body).expect("sent");
    let head = read_head(&mut stream);
    let rest = read_rest(stream);
    let text = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        unchunked(&rest)
    } else {
        rest
    };
    (head, text)
}

/// The id in an answer that has an operation.
#[track_caller]
pub(crate) fn id_of(answer: &Value) -> String {
    answer["metadata"]["id"].as_str().unwrap_or_else(|| panic!("no operation: {answer}")).to_owned()
}

/// Reads until the empty line.
pub(crate) fn read_head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

/// Reads what follows.
pub(crate) fn read_rest(mut stream: UnixStream) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("a body");
    rest
}

/// A body that was sent in pieces.
pub(crate) fn unchunked(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((length, more)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a length");
        whole.push_str(&more[..length]);
        rest = &more[length + 2..];
    }
    whole
}
