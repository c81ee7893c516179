//! Sockets and HTTP: the only asynchronous part.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UnixListener};

use crate::keeper::{Keeper, Reply};
use crate::operations::{self, Operations, Peer};
use crate::runtimeconfig::{ApiError, Call, Code, Incoming, Presentation};

/// How long a watch waits: below the sixty seconds after which Google's client for Python gives up.
pub const WATCH_LIMIT: Duration = Duration::from_secs(58);

/// How long a body may be.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What answers requests.
#[derive(Clone, Debug)]
pub struct Server {
    keeper: Keeper,
    watch_limit: Duration,
    /// What has to be said on TCP.
    token: Option<Token>,
    /// What is served on unix sockets beside it.
    operations: Option<Operations>,
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
    #[error("`{address}` is reachable from other machines, expected an address like `127.0.0.1:8080`")]
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
    /// The system refuses.
    #[error("cannot listen")]
    Io(#[from] io::Error),
}

impl Server {
    /// A server whose watches wait for so long, less than a minute.
    pub fn new(keeper: Keeper, watch_limit: Duration) -> Self {
        Self { keeper, watch_limit, token: None, operations: None }
    }

    /// The same, for clients that say a token.
    #[must_use]
    pub fn token(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    /// The same, with operations on unix sockets.
    #[must_use]
    pub fn operations(self, operations: Operations) -> Self {
        Self { operations: Some(operations), ..self }
    }

    /// Serves a unix socket that its owner and group can use; one that a dead server left is replaced.
    pub async fn serve_unix(self, path: &Path) -> Result<(), ListenError> {
        if path.exists() {
            if tokio::net::UnixStream::connect(path).await.is_ok() {
                return Err(ListenError::InUse { path: path.display().to_string() });
            }
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o660))?;
        log::info!("listening on {}", path.display());
        let operations = self.operations.clone().map(operations::router);
        let router = self.router().merge(operations.unwrap_or_default());
        Ok(axum::serve(listener, router.into_make_service_with_connect_info::<Peer>()).await?)
    }

    /// Takes an address of TCP on this machine.
    pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback { address });
        }
        Ok(TcpListener::bind(address).await?)
    }

    /// Serves TCP.
    pub async fn serve_tcp(self, listener: TcpListener) -> Result<(), ListenError> {
        log::info!("listening on http://{}", listener.local_addr()?);
        Ok(axum::serve(listener, self.router()).await?)
    }

    fn router(self) -> Router {
        // One route: names have slashes in them, and methods follow a colon, which no router understands.
        Router::new().fallback(handle).with_state(self)
    }
}

async fn handle(State(server): State<Server>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Some(token) = &server.token
        && let Err(code) = token.check(head.headers.get(header::AUTHORIZATION))
    {
        return respond(&Presentation::default(), Err(code.into()));
    }
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let error = ApiError::invalid("body", format!("longer than {BODY_BYTES_MAX} bytes, or broken off"));
        return respond(&Presentation::default(), Err(error));
    };
    let path = head.uri.path();
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
    let (presentation, call) = Call::parse(incoming);
    let result = match call {
        Err(error) => Err(error),
        Ok(call) => match server.keeper.call(call).await {
            Reply::Done(result) => result,
            Reply::Watching(watching) => watching.wait(server.watch_limit).await,
        },
    };
    respond(&presentation, result)
}

fn respond(presentation: &Presentation, result: Result<Value, ApiError>) -> Response<Body> {
    let (status, body) = match result {
        Ok(value) => (200, presentation.masked(value)),
        Err(error) => (error.code.status(), error.to_json(presentation.has_errors)),
    };
    let written = if presentation.is_pretty {
        serde_json::to_string_pretty(&body)
    } else {
        serde_json::to_string(&body)
    };
    let text = written.unwrap_or_else(|_| json!({}).to_string()) + "\n";
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // As Google's front end sends them, but for its name.
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json; charset=UTF-8"),
        (header::VARY, "X-Origin, Referer, Origin,Accept-Encoding"),
        (header::CACHE_CONTROL, "private"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::X_XSS_PROTECTION, "0"),
        (header::SERVER, "charmd"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
