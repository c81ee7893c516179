//! Sockets and HTTP: the only asynchronous part.

mod batch;
mod connection;
mod quota;
mod respond;
mod tls;
mod unix;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use crate::keeper::{Keeper, Reply};
use crate::operations::{self, Api};
use crate::runtimeconfig::{ApiError, Call, Code, Incoming, Presentation, discovery, openapi};
use crate::wake::{self, WakeUps};
pub use connection::Limits;
use connection::Listener;
use quota::Count;
pub use quota::Quotas;
use respond::{respond, send, takes_gzip, written};
pub use tls::{Identity, TlsError};

/// How long a watch waits: below the sixty seconds after which Google's client for Python gives up.
pub const WATCH_LIMIT: Duration = Duration::from_secs(58);

/// How long a body may be.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long that of a batch may be: a thousand variables of their full length.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a body may take.
const BODY_MAX: Duration = Duration::from_secs(30);

/// Where batches go: as discovery says, and as Google's older clients know.
const BATCH_PATHS: [&str; 2] = ["/batch", "/batch/runtimeconfig/v1beta1"];

/// What answers requests.
#[derive(Clone, Debug)]
pub struct Server {
    keeper: Keeper,
    watch_limit: Duration,
    /// What has to be said on TCP.
    token: Option<Token>,
    /// Whom it is on TCP.
    identity: Option<Identity>,
    quota: Option<Arc<Mutex<Count>>>,
    /// What is served on unix sockets beside it, and alone on TLS with certificates of clients.
    operations: Option<Api>,
    wake_ups: Option<WakeUps>,
    limits: Limits,
}

/// A secret that clients have to say.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The token in a text, for example of a file; None where nothing is in it.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Whether a header says it.
    fn check(&self, header: Option<&HeaderValue>) -> Result<(), Code> {
        let said = header.and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        let said = said.ok_or(Code::Unauthenticated)?.trim();
        // Takes as long for each wrong one, so that nobody learns by time how much of it was right.
        let is_other =
            said.bytes().zip(self.0.bytes()).fold(0, |other, (left, right)| other | (left ^ right));
        if said.len() == self.0.len() && is_other == 0 { Ok(()) } else { Err(Code::PermissionDenied) }
    }
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address is not this machine's alone.
    #[error(
        "`{address}` is reachable from other machines, expected a certificate with its key and a token, or an \
         address like `127.0.0.1:8080`"
    )]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Another server listens there.
    #[error("another program listens on `{path}`")]
    InUse {
        /// The path of the socket.
        path: String,
    },
    /// TLS cannot be spoken with this certificate.
    #[error("cannot speak TLS")]
    Tls(#[from] rustls::Error),
    /// The system refuses.
    #[error("cannot listen")]
    Io(#[from] io::Error),
}

impl Server {
    /// A server whose watches wait for so long, less than a minute.
    pub fn new(keeper: Keeper, watch_limit: Duration) -> Self {
        Self {
            keeper,
            watch_limit,
            token: None,
            identity: None,
            quota: None,
            operations: None,
            wake_ups: None,
            limits: Limits::default(),
        }
    }

    /// The same, for clients that say a token.
    #[must_use]
    pub fn token(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    /// The same, as somebody on TCP.
    #[must_use]
    pub fn identity(self, identity: Option<Identity>) -> Self {
        Self { identity, ..self }
    }

    /// The same, for so many requests in a minute.
    #[must_use]
    pub fn quotas(self, quotas: Option<Quotas>) -> Self {
        Self { quota: quotas.map(|quotas| Arc::new(Mutex::new(Count::new(quotas)))), ..self }
    }

    /// The same, with other limits for its clients.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same, with operations on unix sockets.
    #[must_use]
    pub fn operations(self, operations: Api) -> Self {
        Self { operations: Some(operations), ..self }
    }

    /// The same, with wake-ups on unix sockets.
    #[must_use]
    pub fn wake_ups(self, wake_ups: WakeUps) -> Self {
        Self { wake_ups: Some(wake_ups), ..self }
    }

    /// Serves a unix socket that its owner and group can use; one that a dead server left is replaced.
    pub async fn serve_unix(self, path: &Path) -> Result<(), ListenError> {
        let listener = unix::bind(path)?;
        log::info!("listening on {}", path.display());
        let operations = self.operations.clone().map(operations::router).unwrap_or_default();
        let wake_ups = self.wake_ups.clone().map(wake::router).unwrap_or_default();
        let limits = self.limits;
        let router = self.router().merge(operations).merge(wake_ups);
        connection::serve(Listener::Unix(listener), router, limits).await;
        Ok(())
    }

    /// Serves TCP, with TLS where there is an identity; beyond this machine, only with that and a token.
    pub async fn serve_tcp(self, address: SocketAddr) -> Result<(), ListenError> {
        if !self.may_listen(address) {
            return Err(ListenError::NotLoopback { address });
        }
        let listener = TcpListener::bind(address).await?;
        log::info!("listening on {}://{}", self.scheme(), listener.local_addr()?);
        let listener = match &self.identity {
            Some(identity) => Listener::Tls(listener, TlsAcceptor::from(Arc::new(identity.for_anybody()?))),
            None => Listener::Tcp(listener),
        };
        let limits = self.limits;
        connection::serve(listener, self.router(), limits).await;
        Ok(())
    }

    /// Serves operations alone over TLS: everything to clients whose certificates are trusted, little to others.
    pub async fn serve_https(
        self,
        listener: std::net::TcpListener,
        identity: &Identity,
    ) -> Result<(), ListenError> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        log::info!("operations are at https://{}", listener.local_addr()?);
        let listener = Listener::Tls(listener, TlsAcceptor::from(Arc::new(identity.for_known()?)));
        let router = self.operations.map(operations::router).unwrap_or_default();
        connection::serve(listener, router, self.limits).await;
        Ok(())
    }

    fn may_listen(&self, address: SocketAddr) -> bool {
        address.ip().is_loopback() || self.identity.is_some() && self.token.is_some()
    }

    fn scheme(&self) -> &'static str {
        if self.identity.is_some() { "https" } else { "http" }
    }

    /// What the interface is, where that is asked for.
    fn description(&self, path: &str, host: Option<&HeaderValue>) -> Option<Value> {
        match path {
            "/openapi.json" => Some(openapi()),
            "/$discovery/rest" | "/discovery/v1/apis/runtimeconfig/v1beta1/rest" => {
                let host = host.and_then(|host| host.to_str().ok()).unwrap_or("charmd");
                Some(discovery(&format!("{}://{host}/", self.scheme())))
            }
            _ => None,
        }
    }

    /// Has a request answered.
    async fn answer(&self, incoming: Incoming<'_>) -> (Presentation, Result<Value, ApiError>) {
        let (presentation, call) = Call::parse(incoming);
        let result = match call.and_then(|call| self.count(&call).map(|()| call)) {
            Err(error) => Err(error),
            Ok(call) => match self.keeper.call(call).await {
                Reply::Done(result) => result,
                Reply::Watching(watching) => watching.wait(self.watch_limit).await,
            },
        };
        (presentation, result)
    }

    /// Has the requests of a batch answered, one after another.
    async fn batch(&self, content_type: &str, body: &[u8]) -> Result<String, ApiError> {
        let mut text = String::new();
        for part in batch::parse(content_type, body)? {
            let incoming = part.incoming();
            let (presentation, result) = if incoming.path.ends_with(":watch") {
                // The others would wait for it.
                let error = ApiError::invalid("batch", "a watch is no part of a batch");
                (Presentation::default(), Err(error))
            } else {
                self.answer(incoming).await
            };
            let (status, answer) = written(&presentation, result);
            text.push_str(&part.answer(status, &answer));
        }
        Ok(text + batch::END)
    }

    /// Counts a call, where they are counted.
    fn count(&self, call: &Call) -> Result<(), ApiError> {
        match (&self.quota, call.kind()) {
            (Some(quota), Some((project, kind))) => {
                let mut count = quota.lock().unwrap_or_else(PoisonError::into_inner);
                count.take(project, kind, Instant::now())
            }
            _ => Ok(()),
        }
    }

    fn router(self) -> Router {
        // One route: names have slashes in them, and methods follow a colon, which no router understands.
        Router::new().fallback(handle).with_state(self)
    }
}

async fn handle(State(server): State<Server>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let is_packed = takes_gzip(&head.headers);
    let refuse = |error| respond(&Presentation::default(), Err(error), is_packed);
    if let Some(token) = &server.token
        && let Err(code) = token.check(head.headers.get(header::AUTHORIZATION))
    {
        return refuse(code.into());
    }
    let path = head.uri.path();
    let max = if BATCH_PATHS.contains(&path) { BATCH_BYTES_MAX } else { BODY_BYTES_MAX };
    let Ok(Ok(body)) = timeout(BODY_MAX, to_bytes(body, max)).await else {
        return refuse(ApiError::invalid(
            "body",
            format!("longer than {max} bytes, too slow, or broken off"),
        ));
    };
    if head.method == "GET"
        && let Some(description) = server.description(path, head.headers.get(header::HOST))
    {
        return respond(&Presentation::default(), Ok(description), is_packed);
    }
    let query = head.uri.query().unwrap_or_default();
    // A client whose URL would be too long sends it as a body.
    let overridden = head.headers.get("x-http-method-override").and_then(|name| name.to_str().ok());
    let form = std::str::from_utf8(&body).unwrap_or_default();
    let incoming = match overridden {
        Some(method) if head.method == "POST" && method == "GET" => {
            Incoming { method, path, query: form, body: b"" }
        }
        _ => Incoming { method: head.method.as_str(), path, query, body: &body },
    };
    if incoming.method == "POST" && BATCH_PATHS.contains(&path) {
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        return match server.batch(content_type.unwrap_or_default(), &body).await {
            Ok(text) => send(200, text, batch::CONTENT_TYPE, is_packed),
            Err(error) => refuse(error),
        };
    }
    let (presentation, result) = server.answer(incoming).await;
    respond(&presentation, result, is_packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimeconfig::Memory;

    #[test]
    fn beyond_this_machine_both_tls_and_a_token_are_needed() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(["x".to_owned()]).expect("a certificate");
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::io::Write::write_all(&mut std::fs::File::create(&path).expect("a file"), text.as_bytes())
                .expect("written");
            path
        };
        let certificate = write("cert.pem", made.cert.pem());
        let identity = Identity::read(&certificate, &write("key.pem", made.signing_key.serialize_pem()));
        let identity = identity.expect("an identity");
        assert!(Identity::read(&certificate, &certificate).is_err(), "no key");
        let (keeper, _thread) = Keeper::start(Box::new(Memory)).expect("a keeper");
        let server = Server::new(keeper, WATCH_LIMIT);
        let token = Token::new("x");
        let allowed = |address: &str| {
            let address = address.parse().expect("an address");
            [
                server.clone(),
                server.clone().token(token.clone()),
                server.clone().identity(Some(identity.clone())),
                server.clone().identity(Some(identity.clone())).token(token.clone()),
            ]
            .map(|server| server.may_listen(address))
        };
        for address in ["127.0.0.1:1", "127.3.2.1:1", "[::1]:1"] {
            assert_eq!(allowed(address), [true; 4], "{address}");
        }
        for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(allowed(address), [false, false, false, true], "{address}");
        }
    }
}
