//! Events: what changes on a server, told over a websocket.

use std::io;
use std::time::{Duration, Instant};

use charms_reactive_client::{Client, ClientError, Operation, Refusal, Response, Stream, with_query};
use charms_reactive_core::waiter::Moment;
use serde_json::Value;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::Uri;
use tungstenite::{Error, Message, WebSocket};

/// What can be listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// How operations change.
    Operation,
    /// What becomes of things.
    Lifecycle,
    /// What the server logs.
    Logging,
}

impl Topic {
    fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Lifecycle => "lifecycle",
            Self::Logging => "logging",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub happening: Happening,
    /// When.
    pub time: Option<Moment>,
    /// In which project; empty: in none.
    pub project: String,
    /// All that was told.
    pub raw: Value,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// An operation is now so.
    Operation(Box<Operation>),
    /// Something became of a thing.
    Lifecycle {
        /// `operation-cancelled`
        action: String,
        /// The URL of the thing.
        source: String,
    },
    /// Anything else: see [`Event::raw`].
    Other,
}

/// Events as they happen, in the order in which the server tells them.
pub struct Events {
    socket: WebSocket<Box<dyn Stream>>,
    place: String,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Events({})", self.place)
    }
}

impl Events {
    /// Begins to listen; what happens from now on is heard.  `all_projects`, or the client's alone.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the server cannot be reached, or does not let us listen.
    pub fn listen(client: &Client, topics: &[Topic], all_projects: bool) -> Result<Self, ClientError> {
        let topics = topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(",");
        let mut parameters = vec![("type", topics.as_str())];
        parameters.extend(client.project_parameter(all_projects));
        Self::open(client, &with_query("/1.0/events", &parameters))
    }

    fn open(client: &Client, path: &str) -> Result<Self, ClientError> {
        let place = client.place();
        let limit = client.limit();
        let silent = || ClientError::Silent { place: place.shown(), limit };
        let connected = place.connect(limit).and_then(|mut stream| {
            stream.set_limit(Some(limit))?;
            Ok(stream)
        });
        let stream = connected.map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => silent(),
            _ => ClientError::Unreachable { place: place.shown(), source },
        })?;
        let uri: Uri = format!("ws://{}{path}", place.host())
            .parse()
            .map_err(|error| ClientError::Request(format!("path `{path}` is not valid: {error}")))?;
        let mut request = ClientRequestBuilder::new(uri);
        for (name, value) in client.headers() {
            request = request.with_header(name, value);
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { socket, place: place.shown() }),
            Err(HandshakeError::Interrupted(_)) => Err(silent()),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                Err(ClientError::Refused(Box::new(Refusal {
                    method: "GET".to_owned(),
                    url: path.to_owned(),
                    code: response.status().as_u16(),
                    text: body["error"].as_str().unwrap_or("no websocket").to_owned(),
                    errors: Vec::new(),
                    response: Response { status: response.status().as_u16(), headers: Vec::new(), body },
                })))
            }
            Err(HandshakeError::Failure(Error::Io(error))) => Err(broken(&place.shown(), Error::Io(error))),
            Err(HandshakeError::Failure(other)) => {
                Err(ClientError::Strange { place: place.shown(), source: other.into() })
            }
        }
    }

    /// The next event; None when there is none within this time.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the server has hung up, or says something that is no event.
    pub fn next(&mut self, limit: Option<Duration>) -> Result<Option<Event>, ClientError> {
        let begin = now();
        loop {
            // Pings come all the time.  The system takes no time of zero for one.
            let left = limit.map(|limit| limit.saturating_sub(begin.elapsed()).max(Duration::from_millis(1)));
            let set = self.socket.get_mut().set_limit(left);
            set.map_err(|error| broken(&self.place, Error::Io(error)))?;
            match self.socket.read() {
                Ok(Message::Text(text)) => return self.event(&text).map(Some),
                // Pings are answered by the next read.
                Ok(Message::Close(frame)) => {
                    let text = frame.map_or_else(String::new, |frame| format!(": {}", frame.reason));
                    let error = io::Error::new(io::ErrorKind::ConnectionAborted, format!("hung up{text}"));
                    return Err(broken(&self.place, Error::Io(error)));
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(broken(&self.place, error)),
            }
        }
    }

    fn event(&self, text: &str) -> Result<Event, ClientError> {
        let strange = |source| ClientError::Strange { place: self.place.clone(), source };
        let raw: Value = serde_json::from_str(text).map_err(|error| strange(error.into()))?;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let happening = match raw["type"].as_str() {
            Some("operation") => {
                let operation = Operation::parse(&raw["metadata"]);
                Happening::Operation(Box::new(operation.map_err(|reason| strange(reason.into()))?))
            }
            Some("lifecycle") => Happening::Lifecycle {
                action: word(&raw["metadata"]["action"]),
                source: word(&raw["metadata"]["source"]),
            },
            _ => Happening::Other,
        };
        let time = raw["timestamp"].as_str().and_then(|text| Moment::parse(text).ok());
        Ok(Event { happening, time, project: word(&raw["project"]), raw })
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever waits needs a clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The connection is gone, or speaks something else.
fn broken(place: &str, error: Error) -> ClientError {
    let source: Box<dyn std::error::Error + Send + Sync> = match error {
        Error::Io(error) => error.into(),
        // To whoever waits it is the same.
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => {
            io::Error::new(io::ErrorKind::ConnectionAborted, error.to_string()).into()
        }
        other => other.into(),
    };
    ClientError::Strange { place: place.to_owned(), source }
}
