//! A client of `charmd`, blocking, on its unix socket: one request, one answer.
//!
//! Small, because hooks carry it: no async runtime, no TLS.

mod wire;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// How long a request waits for its answer, unless somebody says otherwise.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How many bytes an answer may have.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// From how many bytes on the system takes no path of a socket.
///
/// # Source
///
/// `sockaddr_un` of Linux, unix(7): 108 bytes, with the zero at the end.
const PATH_BYTES_MAX: usize = 108;

/// What is asked on a socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
    limit: Duration,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The status of HTTP: 200, 404.
    pub status: u16,
    /// The headers, as they came.
    pub headers: Vec<(String, String)>,
    /// The body; null where there is none.
    pub body: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens.
    #[error("cannot reach `{}`", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No answer in time.
    #[error("no answer from `{}` in {limit:?}", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long was waited.
        limit: Duration,
    },
    /// What came is no answer.
    #[error("cannot read the answer of `{}`", path.display())]
    Strange {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Client {
    /// A client of the server on a unix socket; nothing is connected before the first request.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), limit: ANSWER_LIMIT }
    }

    /// The same, with so much time for an answer.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Sends a request and waits for its answer; `path` begins with a slash.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where there is no answer.  One that refuses is an answer: look at its status.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response, ClientError> {
        let unreachable = |source| ClientError::Unreachable { path: self.path.clone(), source };
        let mut stream = connect(&self.path).map_err(unreachable)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ClientError::Silent { path: self.path.clone(), limit: self.limit }
            }
            _ => ClientError::Strange { path: self.path.clone(), source: source.into() },
        };
        let answer = self.exchange(&mut stream, &wire::request(method, path, body)).map_err(failed)?;
        wire::parse(&answer).map_err(|source| ClientError::Strange { path: self.path.clone(), source })
    }

    fn exchange(&self, stream: &mut UnixStream, request: &[u8]) -> io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(self.limit))?;
        stream.set_write_timeout(Some(self.limit))?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut answer)?;
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("longer than {ANSWER_BYTES_MAX} bytes")));
        }
        Ok(answer)
    }
}

/// Connects to a socket, however long its path is.
fn connect(path: &Path) -> io::Result<UnixStream> {
    if path.as_os_str().as_bytes().len() < PATH_BYTES_MAX {
        return UnixStream::connect(path);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // The folder has a short name as long as it is open.
    let folder = File::open(folder)?;
    UnixStream::connect(Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// A server that reads a request to its end and then says `answer`; gives the client's result.
    fn against(path: &Path, answer: &'static [u8]) -> (String, Result<Response, ClientError>) {
        let folder = File::open(path.parent().expect("a folder")).expect("opened");
        let name = path.file_name().expect("a name");
        let short = Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        let listener = UnixListener::bind(short).expect("bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            while !request.ends_with(b"{\"a\":1}") {
                let count = stream.read(&mut bytes).expect("read");
                request.extend_from_slice(&bytes[..count]);
            }
            stream.write_all(answer).expect("written");
            String::from_utf8(request).expect("text")
        });
        let client = Client::unix(path).timeout(Duration::from_secs(5));
        let result = client.request("PUT", "/1.0/x?y=z", Some(&serde_json::json!({"a": 1})));
        (server.join().expect("served"), result)
    }

    #[test]
    fn a_socket_with_a_long_path_is_reached() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a".repeat(100));
        std::fs::create_dir(&deep).expect("made");
        for path in [folder.path().join("socket"), deep.join("socket")] {
            let (request, result) = against(&path, b"HTTP/1.1 409 Conflict\r\nX: y\r\n\r\n{\"error\":\"x\"}");
            let response = result.expect("an answer");
            assert_eq!((response.status, &response.body["error"]), (409, &Value::from("x")));
            assert_eq!(response.headers, [("X".to_owned(), "y".to_owned())]);
            assert!(request.starts_with("PUT /1.0/x?y=z HTTP/1.0\r\n"), "{request}");
        }
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
        std::fs::remove_file(&path).expect("removed");
        let (_, result) = against(&path, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}");
        assert!(matches!(result, Err(ClientError::Strange { .. })), "{result:?}");
    }
}
