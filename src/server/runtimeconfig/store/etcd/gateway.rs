//! Requests to etcd through its JSON gateway, to whichever member answers.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::plan::{Keys, encoded};
use super::user::{EtcdUser, Session};
use crate::runtimeconfig::store::StoreError;

/// How long one member has to answer.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long all of them have together: members need a second or two to choose another leader.
const PATIENCE: Duration = Duration::from_secs(6);
/// The same where the last request found nobody.
const PATIENCE_SMALL: Duration = Duration::from_secs(1);
/// How long one member may take to find a page of records: it looks at all that follow, too.
const PAGE_ATTEMPT: Duration = Duration::from_secs(30);
/// How long to wait before the members are asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long an answer may be.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long one message of a watch may be.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why an address is none of etcd's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address of etcd, expected one like `http://127.0.0.1:2379`")]
pub struct EndpointError {
    /// What was found.
    pub text: String,
}

/// Where a member of etcd listens.
///
/// # Shape
///
/// `http://HOST:PORT`, or `https`; a slash at the end is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) is_tls: bool,
    host: String,
    port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl std::str::FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let parse = || {
            let (is_tls, rest) = match text.strip_prefix("https://") {
                Some(rest) => (true, rest),
                None => (false, text.strip_prefix("http://")?),
            };
            let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':')?;
            // An address of IPv6 is in brackets.
            let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let is_host = !plain.is_empty()
                && plain.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-:%_".contains(letter))
                && (plain != host || !plain.contains(':'));
            let port = port.parse().ok().filter(|port| *port != 0)?;
            is_host.then(|| Self { is_tls, host: plain.to_owned(), port })
        };
        parse().ok_or_else(|| EndpointError { text: text.to_owned() })
    }
}

/// Why etcd has not done something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Nobody answers.  What was asked may have been done all the same.
    #[error("{0}")]
    Unreachable(String),
    /// It was understood, and refused.
    #[error("{message}")]
    Refused { code: i64, message: String },
}

impl Trouble {
    /// Whether what was asked for is older than what etcd still knows.
    pub(super) fn is_compacted(&self) -> bool {
        matches!(self, Self::Refused { code: 11, .. })
    }

    /// Whether another member may do it, or the same a little later: there is no leader, or another one.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Refused { code: 1 | 4 | 14, .. })
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(why) => Self::Unreachable(why),
            Trouble::Refused { message, .. } => Self::Refused(message),
        }
    }
}

fn unreachable(error: impl std::error::Error) -> Trouble {
    Trouble::Unreachable(error.to_string())
}

/// A connection, with or without TLS.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A way to the members of one etcd.
#[derive(Debug)]
pub(super) struct Gateway {
    endpoints: Vec<Endpoint>,
    tls: Option<Arc<ClientConfig>>,
    session: Session,
    at: usize,
    open: Option<SendRequest<Full<Bytes>>>,
    is_down: bool,
}

impl Gateway {
    /// A way to at least one member.
    pub(super) fn new(endpoints: Vec<Endpoint>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { endpoints, tls, session: Session::default(), at: 0, open: None, is_down: false }
    }

    /// The same, as a user.
    pub(super) fn user(self, user: EtcdUser) -> Self {
        Self { session: Session::new(Some(user)), ..self }
    }

    /// Another way, for requests at the same time.
    pub(super) fn another(&self) -> Self {
        let session = self.session.another();
        Self { session, ..Self::new(self.endpoints.clone(), self.tls.clone()) }
    }

    /// Asks the next member from now on.
    pub(super) fn turn(&mut self) {
        self.open = None;
        self.at = (self.at + 1) % self.endpoints.len().max(1);
    }

    /// Asks until a member answers; what is asked must be fit to be done twice.
    pub(super) async fn ask(&mut self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let patience = if self.is_down { PATIENCE_SMALL } else { PATIENCE };
        self.ask_for(ATTEMPT, patience, path, body).await
    }

    /// Asks for a page of records, which may take long.
    pub(super) async fn page(&mut self, body: &Value) -> Result<Value, Trouble> {
        self.ask_for(PAGE_ATTEMPT, PAGE_ATTEMPT + PATIENCE, "/v3/kv/range", body).await
    }

    async fn ask_for(
        &mut self,
        attempt: Duration,
        patience: Duration,
        path: &str,
        body: &Value,
    ) -> Result<Value, Trouble> {
        let mut why = "no answer in time".to_owned();
        let answer = timeout(patience, async {
            let mut failed = 0;
            let mut has_signed_in = false;
            loop {
                match timeout(attempt, self.ask_signed_in(path, body)).await {
                    Ok(Err(trouble)) if !has_signed_in && self.session.is_over(&trouble) => {
                        has_signed_in = true;
                        continue;
                    }
                    Ok(Err(trouble)) if trouble.is_passing() => {
                        let (Trouble::Unreachable(text) | Trouble::Refused { message: text, .. }) = trouble;
                        why = text;
                    }
                    Ok(answer) => return answer,
                    Err(_) => "no answer in time".clone_into(&mut why),
                }
                self.turn();
                failed += 1;
                if failed % self.endpoints.len() == 0 {
                    sleep(PAUSE).await;
                }
            }
        });
        let answer = answer.await.unwrap_or(Err(Trouble::Unreachable(why)));
        self.is_down = matches!(answer, Err(Trouble::Unreachable(_)));
        answer
    }

    async fn ask_signed_in(&mut self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.sign_in().await?;
        self.ask_one(path, body).await
    }

    /// Signs in, if that has to be done.
    async fn sign_in(&mut self) -> Result<(), Trouble> {
        if let Some((path, body)) = self.session.sign_in() {
            let answer = self.ask_one(path, &body).await?;
            self.session.signed_in(&answer);
        }
        Ok(())
    }

    async fn ask_one(&mut self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let mut sender = match self.open.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        if sender.ready().await.is_err() {
            // The member has closed it since.
            sender = self.connect().await?;
        }
        let response = sender.send_request(self.request(path, body)).await.map_err(unreachable)?;
        let is_fine = response.status().is_success();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(|error| match error.downcast::<LengthLimitError>() {
            // As etcd says it.
            Ok(error) => Trouble::Refused { code: 8, message: error.to_string() },
            Err(error) => Trouble::Unreachable(error.to_string()),
        })?;
        let bytes = bytes.to_bytes();
        self.open = Some(sender);
        let value = serde_json::from_slice(&bytes);
        if is_fine {
            return value.map_err(unreachable);
        }
        Err(refusal(&value.unwrap_or_default()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Trouble> {
        let Endpoint { is_tls, host, port } = &self.endpoints[self.at];
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let stream: Box<dyn Connection> = match &self.tls {
            Some(config) if *is_tls => {
                let name = ServerName::try_from(host.clone()).map_err(unreachable)?;
                Box::new(TlsConnector::from(config.clone()).connect(name, stream).await.map_err(unreachable)?)
            }
            None if *is_tls => {
                return Err(Trouble::Refused {
                    code: 0,
                    message: "no authorities for TLS are known".to_owned(),
                });
            }
            _ => Box::new(stream),
        };
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn request(&self, path: &str, body: &Value) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = hyper::Uri::from_static("/");
        if let Ok(uri) = path.parse() {
            *request.uri_mut() = uri;
        }
        if let Ok(host) = self.endpoints[self.at].host.parse() {
            request.headers_mut().insert(hyper::header::HOST, host);
        }
        if let Some(Ok(token)) = self.session.token().map(str::parse) {
            request.headers_mut().insert(hyper::header::AUTHORIZATION, token);
        }
        request
    }

    /// Begins to watch keys, from a revision on, at the member that has answered last.
    pub(super) async fn watch(&mut self, keys: &Keys, from: i64) -> Result<Stream, Trouble> {
        let body = json!({"create_request": {
            "key": encoded(&keys.head()), "start_revision": from.to_string(),
        }});
        let begin = async {
            // A watch lasts: it does not begin with a token that may be over.
            self.session = self.session.another();
            self.sign_in().await?;
            let mut sender = self.connect().await?;
            let response =
                sender.send_request(self.request("/v3/watch", &body)).await.map_err(unreachable)?;
            Ok(Stream { response, _sender: sender, rest: Vec::new() })
        };
        timeout(ATTEMPT, begin)
            .await
            .unwrap_or_else(|_| Err(Trouble::Unreachable("no answer in time".to_owned())))
    }

    /// The revision of the last commit, 0 before the first, and of all of etcd.
    pub(super) async fn revisions(&mut self, keys: &Keys) -> Result<(i64, i64), Trouble> {
        let answer =
            self.ask("/v3/kv/range", &json!({"key": encoded(&keys.head()), "keys_only": true})).await?;
        Ok((integer(&answer["kvs"][0]["mod_revision"]), integer(&answer["header"]["revision"])))
    }
}

/// The messages of a watch.
#[derive(Debug)]
pub(super) struct Stream {
    response: Response<Incoming>,
    /// The connection lives as long.
    _sender: SendRequest<Full<Bytes>>,
    rest: Vec<u8>,
}

impl Stream {
    /// The next message; waits for it.  Nothing is lost where the wait is broken off.
    pub(super) async fn next(&mut self) -> Result<Value, Trouble> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let mut value: Value = serde_json::from_slice(&line).map_err(unreachable)?;
                return match value.get_mut("result") {
                    Some(result) => Ok(result.take()),
                    None => Err(refusal(&value["error"])),
                };
            }
            let frame = self.response.body_mut().frame().await;
            let frame = frame.ok_or_else(|| Trouble::Unreachable("the watch has ended".to_owned()))?;
            if let Ok(data) = frame.map_err(unreachable)?.into_data() {
                self.rest.extend_from_slice(&data);
            }
            if self.rest.len() > MESSAGE_BYTES_MAX {
                return Err(Trouble::Unreachable("a message of the watch is too long".to_owned()));
            }
        }
    }
}

fn refusal(body: &Value) -> Trouble {
    let code = body["code"].as_i64().or(body["grpc_code"].as_i64()).unwrap_or(14);
    let message = body["message"].as_str().unwrap_or("no reason given").to_owned();
    Trouble::Refused { code, message }
}

/// A number of 64 bits: as text, and left out where it is 0.
pub(super) fn integer(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.parse().ok()).or(value.as_i64()).unwrap_or(0)
}

/// The text that is kept under a key.
pub(super) fn decoded(value: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str().unwrap_or_default()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for (text, is_tls, host, port) in [
            ("http://127.0.0.1:2379", false, "127.0.0.1", 2379),
            ("https://etcd-0.local:80/", true, "etcd-0.local", 80),
            ("http://[::1]:1", false, "::1", 1),
        ] {
            assert_eq!(text.parse(), Ok(Endpoint { is_tls, host: host.to_owned(), port }));
        }
        for text in [
            "",
            "127.0.0.1:2379",
            "http://a",
            "http://a:0",
            "http://:1",
            "http://a/b:1",
            "http://::1:1",
            "ftp://a:1",
            "http://u@a:1",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "`{text}`");
        }
    }
}
