//! A client of `charmd`: one request, one answer, over a unix socket, TCP, or TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;

use super::error::{Refusal, RuntimeConfigError};

/// How long an answer may take: a watch takes nearly a minute.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(75);

/// How many bytes an answer may have: a page of a thousand variables has less than a tenth of it.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The name of the server where it has no address.
const HOST: &str = "charmd";

/// Where requests go, and what they say of who asks.
#[derive(Clone, Debug)]
pub(super) struct Client {
    place: Place,
    token: Option<String>,
}

#[derive(Clone, Debug)]
enum Place {
    Socket(PathBuf),
    Tcp { host: String, port: u16, tls: Option<Arc<rustls::ClientConfig>> },
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

impl Client {
    /// A client of the server on a unix socket.
    pub(super) fn socket(path: &Path, token: Option<String>) -> Self {
        Self { place: Place::Socket(path.to_owned()), token }
    }

    /// A client of the server at `http://HOST:PORT`, or at `https://HOST:PORT` with a certificate that
    /// those of `authorities` vouch for.
    pub(super) fn address(
        address: &str,
        token: Option<String>,
        authorities: Option<&Path>,
    ) -> Result<Self, RuntimeConfigError> {
        let wrong = |reason: &str| {
            let expected = "expected one like `http://127.0.0.1:8080`";
            RuntimeConfigError::Setting(format!("address `{address}` {reason}, {expected}"))
        };
        let (scheme, rest) = address.split_once("://").ok_or_else(|| wrong("has no `http://`"))?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(wrong("is neither `http` nor `https`")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong("has no port that is a number"))?)
            }
            _ => (rest, if is_tls { 443 } else { 80 }),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains('/') {
            return Err(wrong("has no host and port alone"));
        }
        let tls = if is_tls { Some(Arc::new(trusting(authorities)?)) } else { None };
        Ok(Self { place: Place::Tcp { host: host.to_owned(), port, tls }, token })
    }

    /// The address of a resource as it is shown; with `curl --unix-socket` it works for sockets, too.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v1beta1/{path}", self.root())
    }

    fn root(&self) -> String {
        match &self.place {
            Place::Socket(_) => format!("http://{HOST}"),
            Place::Tcp { tls, .. } => {
                format!("{}://{}", if tls.is_some() { "https" } else { "http" }, self.authority())
            }
        }
    }

    fn authority(&self) -> String {
        match &self.place {
            Place::Socket(_) => HOST.to_owned(),
            Place::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }

    /// Where the server is, for messages.
    fn shown(&self) -> String {
        match &self.place {
            Place::Socket(path) => path.display().to_string(),
            Place::Tcp { .. } => self.root(),
        }
    }

    /// Has the service answer; `path` begins with `projects`.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RuntimeConfigError> {
        self.call_within(ANSWER_LIMIT, method, path, body)
    }

    /// The same, but no longer than `limit`.
    pub(super) fn call_within(
        &self,
        limit: Duration,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RuntimeConfigError> {
        let strange = |source| RuntimeConfigError::Strange { place: self.shown(), source };
        let (status, text) = self.exchange(limit, method, path, body)?;
        let answer: Value = serde_json::from_slice(&text).map_err(|error| strange(error.into()))?;
        if status == 200 {
            return Ok(answer);
        }
        let error = &answer["error"];
        let (Some(status), Some(message)) = (error["status"].as_str(), error["message"].as_str()) else {
            return Err(strange(format!("status {status} without an error").into()));
        };
        let details = error["details"].as_array().into_iter().flatten();
        let violations = details.filter_map(|detail| detail["fieldViolations"].as_array()).flatten();
        let text = |violation: &Value, key: &str| violation[key].as_str().unwrap_or_default().to_owned();
        let violations =
            violations.map(|one| format!("{}: {}", text(one, "field"), text(one, "description")));
        Err(RuntimeConfigError::Refused(Refusal {
            method: method.to_owned(),
            path: path.to_owned(),
            status: status.to_owned(),
            message: message.to_owned(),
            violations: violations.collect(),
        }))
    }

    fn exchange(
        &self,
        limit: Duration,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>), RuntimeConfigError> {
        let unreachable = |source| RuntimeConfigError::Unreachable { place: self.shown(), source };
        let mut stream = self.connect(limit).map_err(unreachable)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                RuntimeConfigError::Silent { place: self.shown(), seconds: limit.as_secs() }
            }
            _ => RuntimeConfigError::Strange { place: self.shown(), source: source.into() },
        };
        stream.write_all(&self.request(method, path, body)).and_then(|()| stream.flush()).map_err(failed)?;
        let mut answer = Vec::new();
        match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
            Ok(_) => {}
            // TLS says that it ends, or does not; the length of the body tells whether it is whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
            Err(error) => return Err(failed(error)),
        }
        parse(&answer).map_err(|source| RuntimeConfigError::Strange { place: self.shown(), source })
    }

    fn connect(&self, limit: Duration) -> io::Result<Box<dyn Stream>> {
        match &self.place {
            Place::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))?;
                Ok(Box::new(stream))
            }
            Place::Tcp { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_read_timeout(Some(limit))?;
                stream.set_write_timeout(Some(limit))?;
                let Some(config) = tls else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let connection =
                    rustls::ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Ok(Box::new(rustls::StreamOwned::new(connection, stream)))
            }
        }
    }

    /// HTTP/1.0: a connection for one answer, which comes in one piece.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
        let mut head = format!("{method} /v1beta1/{path} HTTP/1.0\r\nhost: {}\r\n", self.authority());
        if let Some(token) = &self.token {
            head.extend(["authorization: Bearer ", token, "\r\n"]);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = body.len().to_string();
        head.extend(["content-type: application/json\r\ncontent-length: ", &length, "\r\n\r\n"]);
        (head + &body).into_bytes()
    }
}

/// What trusts the certificates of a file.
fn trusting(authorities: Option<&Path>) -> Result<rustls::ClientConfig, RuntimeConfigError> {
    let path = authorities.ok_or_else(|| {
        RuntimeConfigError::Setting("`https` needs `--ca-cert FILE`: which certificate to trust".to_owned())
    })?;
    let file = |reason: String| RuntimeConfigError::File { path: path.to_owned(), reason };
    let mut roots = rustls::RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| file(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| file(error.to_string()))?;
        roots.add(certificate).map_err(|error| file(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(file("no certificate in it, expected PEM".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| RuntimeConfigError::Setting(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The status and the body of an answer.
fn parse(answer: &[u8]) -> Result<(u16, Vec<u8>), Box<dyn std::error::Error + Send + Sync>> {
    const HEADERS_MAX: usize = 64;
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(begin) = response.parse(answer)? else {
        return Err("the answer breaks off".into());
    };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok());
    let body = &answer[begin..];
    let body = match length {
        Some(length) => body.get(..length).ok_or("the answer breaks off")?,
        None => body,
    };
    Ok((response.code.unwrap_or_default(), body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        let url = |text: &str| Client::address(text, None, None).map(|client| client.url("x"));
        assert_eq!(url("http://127.0.0.1:80/").expect("an address"), "http://127.0.0.1:80/v1beta1/x");
        assert_eq!(url("http://[::1]:8080").expect("an address"), "http://[::1]:8080/v1beta1/x");
        assert_eq!(url("http://localhost").expect("an address"), "http://localhost:80/v1beta1/x");
        for (text, reason) in [
            ("127.0.0.1:80", "has no `http://`"),
            ("ftp://x", "is neither `http` nor `https`"),
            ("http://x:y", "has no port that is a number"),
            ("http://", "has no host and port alone"),
            ("http://x/v1beta1", "has no host and port alone"),
        ] {
            let error = url(text).expect_err("no address").to_string();
            assert_eq!(
                error,
                format!("address `{text}` {reason}, expected one like `http://127.0.0.1:8080`")
            );
        }
        let error = url("https://x").expect_err("whom to trust").to_string();
        assert_eq!(error, "`https` needs `--ca-cert FILE`: which certificate to trust");
    }

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        let whole = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(whole).expect("whole"), (404, b"{}".to_vec()));
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\n\r\n{}").expect("whole"), (200, b"{}".to_vec()));
        for end in [0, 10, 30, whole.len() - 1] {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        assert!(parse(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
