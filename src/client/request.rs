//! Requests as they are, and when one may be sent again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::Client;
use crate::error::ClientError;
use crate::place::Place;
use crate::response::Response;
use crate::wire::{self, Deadline, Fault, Raw};

/// The header that another server than the one it is for must not see.
pub(crate) const AUTHORIZATION: &str = "Authorization";

/// How often a server may send us elsewhere.
const REDIRECTS_MAX: usize = 3;

/// The pause before a request is sent again; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Pauses that begin short and grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(PAUSE)
    }

    /// The next pause, no longer than `left`.
    pub(crate) fn next(&mut self, left: Duration) -> Duration {
        let pause = self.0.min(left);
        self.0 = (self.0 * 2).min(PAUSE_MAX);
        pause
    }
}

/// Whether a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing, or nothing the second time.
    Safe,
    /// Only when the server cannot have heard of it.
    Unheard,
}

impl Repeat {
    /// What is known of a request by its method and body.
    ///
    /// A `DELETE` or `PUT` is not among the safe ones: of an operation or a state the second one is refused,
    /// and the caller would take that for the answer.  A body with an `id` starts one operation of `charmd`.
    pub(crate) fn of(method: &str) -> Self {
        if method == "GET" || method == "HEAD" { Self::Safe } else { Self::Unheard }
    }

    fn may(self, result: &Result<Response, ClientError>) -> bool {
        match result {
            Err(ClientError::Unreachable { source, .. }) => {
                matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
            }
            Err(ClientError::Strange { source, .. }) => self == Self::Safe && source.is::<io::Error>(),
            Ok(response) => self == Self::Safe && matches!(response.status, 502..=504),
            Err(_) => false,
        }
    }
}

impl Client {
    /// Sends a request once and waits for its answer; `path` begins with a slash.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where there is no answer.  One that refuses is an answer: look at its status.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response, ClientError> {
        self.request_within(self.limit, method, path, body)
    }

    /// The same, with another time for the answer.
    pub fn request_within(
        &self,
        limit: Duration,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, ClientError> {
        let deadline = Deadline::after(limit);
        let mut target = Target { place: Arc::clone(&self.place), is_home: true, path: path.to_owned() };
        let (mut method, mut body) = (method, body);
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(&target, method, body, limit, deadline)?;
            let location = response.header("location").filter(|_| (301..400).contains(&response.status));
            let Some(location) = location else {
                if let Some(last) = &self.last
                    && let Ok(mut last) = last.lock()
                {
                    *last = Some(response.clone());
                }
                return Ok(response);
            };
            target = target.follow(location)?;
            if response.status == 303 {
                (method, body) = ("GET", None);
            }
        }
        let reason = format!("it is the {}th time, expected {REDIRECTS_MAX} at most", REDIRECTS_MAX + 1);
        Err(ClientError::Redirect { place: self.place.shown(), to: target.path, reason })
    }

    fn send(
        &self,
        target: &Target,
        method: &str,
        body: Option<&Value>,
        limit: Duration,
        deadline: Deadline,
    ) -> Result<Response, ClientError> {
        let place = &*target.place;
        let host = place.host();
        let mut headers: Vec<(&str, &str)> = vec![("Host", &host)];
        let ours = self.headers.iter().filter(|(name, _)| target.is_home || name != AUTHORIZATION);
        headers.extend(ours.map(|(name, value)| (name.as_str(), value.as_str())));
        if body.is_some() {
            headers.push(("Content-Type", "application/json"));
        }
        sendable(method, &target.path, &headers)?;
        let body = body.map(Value::to_string);
        let request = wire::request(method, &target.path, &headers, body.as_deref().map(str::as_bytes));
        let silent = || ClientError::Silent { place: place.shown(), limit };
        let connected = place.connect(deadline.left());
        let mut stream = connected.map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => silent(),
            _ => ClientError::Unreachable { place: place.shown(), source },
        })?;
        let strange = |source: Box<dyn std::error::Error + Send + Sync>| ClientError::Strange {
            place: place.shown(),
            source,
        };
        let raw = wire::exchange(&mut *stream, method, &request, deadline).map_err(|fault| match fault {
            Fault::Silent => silent(),
            Fault::Broken(error) => strange(error.into()),
            Fault::Strange(text) => strange(text.into()),
        })?;
        response(raw).map_err(strange)
    }

    /// Sends a request, and again where that is safe; whatever the answer says.
    pub(crate) fn ask(
        &self,
        limit: Duration,
        repeat: Repeat,
        (method, path): (&str, &str),
        body: Option<&Value>,
    ) -> Result<Response, ClientError> {
        let mut pauses = Pauses::new();
        let mut left = self.repeats;
        loop {
            let result = self.request_within(limit, method, path, body);
            if left == 0 || !repeat.may(&result) {
                return result?.checked(method, path);
            }
            left -= 1;
            std::thread::sleep(pauses.next(limit));
        }
    }

    fn plain(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response, ClientError> {
        self.ask(self.limit, Repeat::of(method), (method, path), body)
    }

    /// What the server is: the versions of its interface.
    pub fn root(&self) -> Result<Response, ClientError> {
        self.get("/")
    }

    /// Asks for something; again where nobody answers.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; also where the server refuses, be it with status 200.  An operation that failed is
    /// an answer.  This holds for the other methods, too.
    pub fn get(&self, path: &str) -> Result<Response, ClientError> {
        self.plain("GET", path, None)
    }

    /// Asks for headers alone.
    pub fn head(&self, path: &str) -> Result<Response, ClientError> {
        self.plain("HEAD", path, None)
    }

    /// Adds or starts something; sent again only if nobody has heard it.
    pub fn post(&self, path: &str, body: &Value) -> Result<Response, ClientError> {
        self.plain("POST", path, Some(body))
    }

    /// Replaces something; sent again only if nobody has heard it.
    pub fn put(&self, path: &str, body: &Value) -> Result<Response, ClientError> {
        self.plain("PUT", path, Some(body))
    }

    /// Changes something; sent again only if nobody has heard it.
    pub fn patch(&self, path: &str, body: &Value) -> Result<Response, ClientError> {
        self.plain("PATCH", path, Some(body))
    }

    /// Removes something; sent again only if nobody has heard it.
    pub fn delete(&self, path: &str, body: Option<&Value>) -> Result<Response, ClientError> {
        self.plain("DELETE", path, body)
    }
}

/// What a request is sent to.
struct Target {
    place: Arc<dyn Place>,
    /// Whether it is the server that the client is of.
    is_home: bool,
    path: String,
}

impl Target {
    /// Where the server sends us.
    fn follow(self, location: &str) -> Result<Self, ClientError> {
        let refused = |reason: String| ClientError::Redirect {
            place: self.place.shown(),
            to: crate::url::redacted(location),
            reason,
        };
        if location.starts_with('/') && !location.starts_with("//") {
            return Ok(Self { path: location.to_owned(), ..self });
        }
        let Some((scheme, rest)) = location.split_once("://") else {
            return Err(refused("expected a URL, or a path with a slash in front".to_owned()));
        };
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let root = format!("{scheme}://{host}");
        if root.eq_ignore_ascii_case(&self.place.root()) {
            return Ok(Self { path: path.to_owned(), ..self });
        }
        let place = self.place.elsewhere(&root).map_err(&refused)?;
        Ok(Self { place, is_home: false, path: path.to_owned() })
    }
}

/// Whether this can be written into the head of a request without becoming more than that.
fn sendable(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(), ClientError> {
    let wrong = |text: String| Err(ClientError::Request(text));
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return wrong(format!("method `{}` is not valid, expected one like `GET`", method.escape_default()));
    }
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong(format!(
            "path `{}` is not valid, expected a slash, and percent signs for what is no letter",
            path.escape_default()
        ));
    }
    match headers.iter().find(|(_, value)| value.chars().any(char::is_control)) {
        Some((name, _)) => wrong(format!("header `{name}` is not valid, expected one line")),
        None => Ok(()),
    }
}

fn response(raw: Raw) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let body = if raw.body.is_empty() {
        Value::Null
    } else {
        match serde_json::from_slice(&raw.body) {
            Ok(body) => body,
            // Something on the way refuses, and does so for people.
            Err(_) if raw.status >= 400 => String::from_utf8_lossy(&raw.body).into_owned().into(),
            Err(error) => return Err(error.into()),
        }
    };
    Ok(Response { status: raw.status, headers: raw.headers, body })
}
