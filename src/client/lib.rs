//! A client of `charmd`, of LXD and of Incus: blocking, one connection a request.
//!
//! ```text
//! client request     requests as they are: get, post, ...; sent again where that is safe
//! operations call    what operations are asked; any request, and the wait for what it started
//! operation          an operation as it is told
//! response error     an answer; why there is none, and what a server refuses
//! place wire url     where a server is, the bytes on the way, paths
//! ```
//!
//! Small, because hooks carry it: no async runtime, no TLS; unix sockets alone.  TCP, TLS and events are in
//! `charms-reactive-remote`, which gives this client another [`Place`].
//!
//! ```no_run
//! use charms_reactive_client::{Client, ClientError};
//!
//! let client = Client::unix("/var/lib/lxd/unix.socket");
//! // Waits for the operation that this starts.
//! client.call("DELETE", "/1.0/instances/c1").send()?;
//! for id in client.operations()? {
//!     println!("{id} {:?}", client.operation(&id)?.status);
//! }
//! # Ok::<(), ClientError>(())
//! ```

mod call;
mod error;
mod operation;
mod operations;
mod place;
mod request;
mod response;
mod url;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use call::{Answer, Call};
pub use error::{ClientError, Refusal, RefusalKind};
pub use operation::{Operation, Progress};
pub use operations::{History, List};
pub use place::{Place, Stream};
pub use response::Response;
pub use url::{encoded, operation_path, operations_path, with_query};
pub use wire::{BODY_BYTES_MAX, HEAD_BYTES_MAX};

/// How long a request waits for its answer, unless somebody says otherwise.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How often a request that may be sent again is, unless somebody says otherwise.
pub const REPEATS: u32 = 3;

/// A client of one server; copies share the last answer.
#[derive(Clone)]
pub struct Client {
    place: Arc<dyn Place>,
    limit: Duration,
    auto_sync: bool,
    repeats: u32,
    project: Option<String>,
    /// User agent, media type, authorization.
    headers: Vec<(String, String)>,
    last: Option<Arc<Mutex<Option<Response>>>>,
}

impl fmt::Debug for Client {
    /// Its headers are not shown: a token may be among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.place.shown())
    }
}

impl Client {
    /// A client of the server on a unix socket; nothing is connected before the first request.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::at(Arc::new(place::Socket::new(path.into())))
    }

    /// A client of the server at a place; nothing is connected before the first request.
    pub fn at(place: Arc<dyn Place>) -> Self {
        let client = Self {
            place,
            limit: ANSWER_LIMIT,
            auto_sync: true,
            repeats: REPEATS,
            project: None,
            headers: Vec::new(),
            last: None,
        };
        client
            .user_agent(concat!("charms-reactive/", env!("CARGO_PKG_VERSION")))
            .media_type("application/json")
    }

    /// The same, with so much time for an answer.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The same; whether a [`Call`] waits for the operation that it starts, where it does not say so itself.
    #[must_use]
    pub fn auto_sync(self, auto_sync: bool) -> Self {
        Self { auto_sync, ..self }
    }

    /// The same; how often a request that may be sent again is, where nobody answers.
    #[must_use]
    pub fn repeats(self, repeats: u32) -> Self {
        Self { repeats, ..self }
    }

    /// The same, in another project than `default`.
    #[must_use]
    pub fn project(self, project: impl Into<String>) -> Self {
        Self { project: Some(project.into()), ..self }
    }

    /// The same, under another name.
    #[must_use]
    pub fn user_agent(self, name: &str) -> Self {
        self.header("User-Agent", name)
    }

    /// The same, wanting answers of another type than JSON.
    #[must_use]
    pub fn media_type(self, media_type: &str) -> Self {
        self.header("Accept", media_type)
    }

    /// The same, with a token that the server asks for.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header(request::AUTHORIZATION, &format!("Bearer {token}"))
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, keeping every answer until the next one, for [`Client::last_response`].
    #[must_use]
    pub fn keep_last_response(self) -> Self {
        Self { last: Some(Arc::default()), ..self }
    }

    /// The last answer, if they are kept.
    pub fn last_response(&self) -> Option<Response> {
        self.last.as_ref()?.lock().ok()?.clone()
    }

    /// Where the server is.
    pub fn place(&self) -> &dyn Place {
        &*self.place
    }

    /// The project that requests are about; None: `default`.
    pub fn project_name(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The headers of every request.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// How long a request waits for its answer.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}
