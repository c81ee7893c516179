//! A server on a unix socket that answers as the test says.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use charms_reactive_client::Client;
use serde_json::Value;

/// What becomes of one connection, after its request was read.
pub(crate) enum Turn {
    /// These bytes, then it hangs up.
    Say(Vec<u8>),
    /// These bytes, one after another with this pause.
    Drip(Vec<u8>, Duration),
    /// Nothing until the client has gone.
    Hold,
    /// It hangs up.
    Leave,
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: &Value) -> Turn {
    with_headers(status, "", body)
}

/// The same with headers, each with its line end.
pub(crate) fn with_headers(status: u16, headers: &str, body: &Value) -> Turn {
    let body = body.to_string();
    let length = body.len();
    Turn::Say(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes())
}

/// What was asked for, in LXD's envelope.
pub(crate) fn sync(metadata: &Value) -> Turn {
    json(200, &serde_json::json!({"type": "sync", "status_code": 200, "error": "", "metadata": metadata}))
}

pub(crate) struct Server {
    folder: tempfile::TempDir,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    /// Takes one connection for each of these.
    pub(crate) fn start(turns: Vec<Turn>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("bound");
        let thread = thread::spawn(move || turns.into_iter().map(|turn| take(&listener, turn)).collect());
        Self { folder, thread }
    }

    pub(crate) fn client(&self) -> Client {
        Client::unix(self.folder.path().join("socket")).timeout(Duration::from_secs(10))
    }

    /// What was asked, all of it, in order; every turn has been taken.
    pub(crate) fn requests(self) -> Vec<String> {
        self.thread.join().expect("it served")
    }
}

/// The first lines of requests.
pub(crate) fn lines(requests: &[String]) -> Vec<&str> {
    requests.iter().map(|request| request.split(" HTTP").next().unwrap_or_default()).collect()
}

fn take(listener: &UnixListener, turn: Turn) -> String {
    let (mut stream, _) = listener.accept().expect("a client");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let request = read(&mut stream);
    match turn {
        // Whether the client hears all of it is its own affair.
        Turn::Say(bytes) => drop(stream.write_all(&bytes)),
        Turn::Drip(bytes, pause) => {
            for byte in bytes {
                if stream.write_all(&[byte]).is_err() {
                    break;
                }
                thread::sleep(pause);
            }
        }
        Turn::Hold => drop(stream.read(&mut [0])),
        Turn::Leave => {}
    }
    request
}

/// A whole request.
pub(crate) fn read(stream: &mut UnixStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("a request") > 0 {
        request.push(byte[0]);
    }
    let head = String::from_utf8(request).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    stream.read_exact(&mut body).expect("a body");
    head + &String::from_utf8(body).expect("text")
}
