//! The other members of a cluster: servers that show the same certificate, and answer for each other.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use charms_reactive_core::operation::{OperationId, Requestor};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::answer::{Answer, Problem, started};
use super::caller::{Caller, FORWARDED};
use crate::listen::Identity;

/// How long a member may take to be reached, and to begin with an answer that has nothing to wait for.
const REACH_MAX: Duration = Duration::from_secs(3);
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long an answer may be that is read here.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long the second side of a websocket may take to close after the first.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Another member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What its operations have as location.
    pub name: String,
    /// Where it serves operations over TLS: `192.0.2.7:8443`.
    pub address: String,
}

impl FromStr for Member {
    type Err = &'static str;

    /// `NAME=https://ADDRESS`
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').and_then(|(name, url)| Some((name, url.strip_prefix("https://")?)));
        match parts {
            Some((name, address)) if !name.is_empty() && address.contains(':') && !address.contains('/') => {
                Ok(Self { name: name.to_owned(), address: address.to_owned() })
            }
            _ => Err("expected a name and an address, for example `b=https://192.0.2.7:8443`"),
        }
    }
}

/// The other members of a cluster.
#[derive(Clone, Default)]
pub struct Members {
    members: Vec<Member>,
    /// How they are spoken to; None where there are none.
    connector: Option<TlsConnector>,
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Members").field(&self.members).finish()
    }
}

impl Members {
    /// Members that show the certificate of this identity, and are shown it.
    ///
    /// # Errors
    ///
    /// What TLS says where nobody can be a client with this certificate.
    pub fn new(members: Vec<Member>, identity: &Identity) -> Result<Self, rustls::Error> {
        Ok(Self { members, connector: Some(TlsConnector::from(Arc::new(identity.for_same()?))) })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member of this name.
    pub(super) fn named(&self, name: &str) -> Result<&Member, Problem> {
        let found = self.members.iter().find(|member| member.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
            Problem::new(400, format!("no member `{name}`, expected one of: {}", names.join(", ")))
        })
    }

    /// The member that has an operation; all are asked at once.
    ///
    /// # Errors
    ///
    /// 503 where nobody has it who can be asked, and not everybody can be.
    pub(super) async fn whose(&self, id: OperationId) -> Result<Option<Member>, Problem> {
        let ask = Ask::new(Method::GET, id.url(), Some(&own()));
        let (mut found, mut is_complete) = (None, true);
        for (member, answer) in self.ask_all(&ask, &self.members).await {
            match answer {
                Ok(answer) if answer.status() == StatusCode::OK => found = Some(member),
                Ok(_) => {}
                Err(_) => is_complete = false,
            }
        }
        if found.is_none() && !is_complete {
            return Err(Problem::new(503, "Operation not found, but not every member can be asked"));
        }
        Ok(found)
    }

    /// The lists of all members, or of one; those that cannot be asked are left out.
    pub(super) async fn lists(
        &self,
        caller: &Caller,
        path: &str,
        target: Option<&str>,
    ) -> Result<Vec<Lists>, Problem> {
        let asked = match target {
            Some(name) => std::slice::from_ref(self.named(name)?),
            None => &self.members,
        };
        let ask = Ask::new(Method::GET, path.to_owned(), Some(caller.trusted()?));
        let mut all = Vec::new();
        for (member, answer) in self.ask_all(&ask, asked).await {
            match read(answer).await {
                Ok((_, body)) => {
                    all.push(serde_json::from_value(body["metadata"].clone()).unwrap_or_default());
                }
                Err(problem) if target.is_some() => return Err(problem),
                Err(_) => log::warn!("member `{}` is left out of a list", member.name),
            }
        }
        Ok(all)
    }

    async fn ask_all(
        &self,
        ask: &Ask,
        members: &[Member],
    ) -> Vec<(Member, Result<Response<Incoming>, Problem>)> {
        let mut asked = JoinSet::new();
        for member in members {
            let (all, member, ask) = (self.clone(), member.clone(), ask.clone());
            asked.spawn(async move {
                let answer = timeout(ANSWER_MAX, all.send(&member, ask)).await;
                let answer = answer.unwrap_or_else(|_| Err(unreachable(&member, "it does not answer")));
                (member, answer)
            });
        }
        asked.join_all().await
    }

    /// Has an operation started by a member; the answer is made here, of the operation that lives there.
    pub(super) async fn start(&self, member: &Member, caller: &Caller, path: &str, body: Vec<u8>) -> Answer {
        let ask = Ask { body, ..Ask::new(Method::POST, path.to_owned(), Some(caller.trusted()?)) };
        let answer = self.send(member, ask).await?;
        if answer.status() != StatusCode::ACCEPTED {
            return Ok(passed_on(answer));
        }
        let (_, body) = read(Ok(answer)).await?;
        let operation = &body["metadata"];
        let id = operation["id"].as_str().and_then(|id| OperationId::parse(id).ok());
        let id = id.ok_or_else(|| unreachable(member, "it answers without an operation"))?;
        Ok(started(&id.url(), &operation.to_string()))
    }

    /// Has a request about an operation answered by the member that has it.
    pub(super) async fn forward(
        &self,
        member: &Member,
        caller: &Caller,
        head: &Parts,
        body: Vec<u8>,
    ) -> Answer {
        let ask = Ask { body, ..Ask::new(head.method.clone(), path(head), caller.trusted().ok()) };
        Ok(passed_on(self.send(member, ask).await?))
    }

    /// Connects a client to an operation of a member, and carries what both say to the other.
    pub(super) async fn connect(&self, member: &Member, caller: &Caller, head: &mut Parts) -> Answer {
        let client = head.extensions.remove::<OnUpgrade>();
        let mut ask = Ask::new(Method::GET, path(head), caller.trusted().ok());
        let handshake = head.headers.iter().filter(|(name, _)| is_of_handshake(name));
        ask.headers.extend(handshake.map(|(name, value)| (name.clone(), value.clone())));
        let mut answer = self.send(member, ask).await?;
        let (StatusCode::SWITCHING_PROTOCOLS, Some(client)) = (answer.status(), client) else {
            return Ok(passed_on(answer));
        };
        let operation = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            if let (Ok(client), Ok(operation)) = tokio::join!(client, operation) {
                pump(client, operation).await;
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let handshake = answer.headers().iter().filter(|(name, _)| is_of_handshake(name));
        response.headers_mut().extend(handshake.map(|(name, value)| (name.clone(), value.clone())));
        Ok(response)
    }

    /// Sends a request on a connection of its own; returns when the head of the answer is there.
    async fn send(&self, member: &Member, ask: Ask) -> Result<Response<Incoming>, Problem> {
        let wrong = |error: &dyn std::fmt::Display| unreachable(member, &error.to_string());
        let connector = self.connector.clone().ok_or_else(|| wrong(&"there is no certificate for it"))?;
        let reach = async {
            let stream = TcpStream::connect(&member.address).await?;
            // Members are known by their certificate, whatever name is in it.
            let name = ServerName::try_from("charmd").expect("a name");
            connector.connect(name, stream).await
        };
        let stream = timeout(REACH_MAX, reach).await.map_err(|error| wrong(&error))?;
        let stream = stream.map_err(|error| wrong(&error))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| wrong(&error))?;
        // Ends with the answer, or with the websocket.
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::new(Body::from(ask.body));
        *request.method_mut() = ask.method;
        *request.uri_mut() = ask.path.parse().map_err(|error| wrong(&error))?;
        *request.headers_mut() = ask.headers;
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("charmd"));
        sender.send_request(request).await.map_err(|error| wrong(&error))
    }
}

/// Operations, or their URLs, by status.
pub(super) type Lists = BTreeMap<String, Vec<Value>>;

/// All lists as one, in the order of ids; with a limit, the youngest.
pub(super) fn merged(all: Vec<Lists>, limit: Option<usize>) -> Lists {
    let id = |item: &Value| {
        let text = item.as_str().or_else(|| item["id"].as_str()).unwrap_or_default();
        text.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let mut items: Vec<(String, String, Value)> = all
        .into_iter()
        .flatten()
        .flat_map(|(key, items)| items.into_iter().map(move |item| (id(&item), key.clone(), item)))
        .collect();
    items.sort_by(|left, right| left.0.cmp(&right.0));
    let from = items.len().saturating_sub(limit.unwrap_or(usize::MAX));
    let mut merged = Lists::new();
    for (_, key, item) in items.drain(from..) {
        merged.entry(key).or_default().push(item);
    }
    merged
}

/// A request to a member.
#[derive(Clone)]
struct Ask {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Ask {
    /// One for somebody; None: for nobody who is trusted.
    fn new(method: Method, path: String, by: Option<&Requestor>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(Requestor { username, protocol, address }) = by {
            for (name, value) in FORWARDED.into_iter().zip([username, protocol, address]) {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
        }
        Self { method, path, headers, body: Vec::new() }
    }
}

/// Who asks where a server wants to know for itself.
fn own() -> Requestor {
    Requestor { username: "charmd".to_owned(), protocol: "cluster".to_owned(), address: String::new() }
}

fn path(head: &Parts) -> String {
    head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

fn unreachable(member: &Member, why: &str) -> Problem {
    Problem::new(503, format!("cannot ask member `{}` at {}: {why}", member.name, member.address))
}

fn is_of_handshake(name: &HeaderName) -> bool {
    matches!(*name, header::CONNECTION | header::UPGRADE) || name.as_str().starts_with("sec-websocket-")
}

/// Status and body of an answer.
async fn read(answer: Result<Response<Incoming>, Problem>) -> Result<(StatusCode, Value), Problem> {
    let (head, body) = answer?.into_parts();
    let broken = || Problem::new(503, "the answer of a member breaks off, or is no JSON");
    let bytes = timeout(ANSWER_MAX, to_bytes(Body::new(body), ANSWER_BYTES_MAX)).await;
    let bytes = bytes.map_err(|_| broken())?.map_err(|_| broken())?;
    Ok((head.status, serde_json::from_slice(&bytes).map_err(|_| broken())?))
}

/// The answer of a member as ours, as it comes.
fn passed_on(answer: Response<Incoming>) -> Response<Body> {
    let (head, body) = answer.into_parts();
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = head.status;
    for name in [header::CONTENT_TYPE, header::X_CONTENT_TYPE_OPTIONS, header::LOCATION] {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// Carries what each side says to the other, until one has closed, and the other, too.
async fn pump(client: Upgraded, operation: Upgraded) {
    let (from_client, to_client) = tokio::io::split(TokioIo::new(client));
    let (from_operation, to_operation) = tokio::io::split(TokioIo::new(operation));
    let mut there = tokio::spawn(carry(from_client, to_operation));
    let mut back = tokio::spawn(carry(from_operation, to_client));
    let last = tokio::select! {
        _ = &mut there => &mut back,
        _ = &mut back => &mut there,
    };
    if timeout(CLOSE_MAX, &mut *last).await.is_err() {
        last.abort();
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    // An error is the end of this side, as a close is.
    drop(tokio::io::copy(&mut from, &mut to).await);
    drop(to.shutdown().await);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_have_a_name_and_an_address() {
        let member = Member { name: "b".to_owned(), address: "[::1]:8443".to_owned() };
        assert_eq!("b=https://[::1]:8443".parse(), Ok(member));
        for wrong in ["", "b", "b=", "=https://x:1", "b=http://x:1", "b=https://x", "b=https://x:1/y"] {
            assert!(wrong.parse::<Member>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_of_several_members_are_one_in_the_order_of_ids() {
        let lists = |text: Value| serde_json::from_value::<Lists>(text).expect("lists");
        let here = json!({"running": ["/1.0/operations/1", "/1.0/operations/3"], "success": [{"id": "5"}]});
        let there = json!({"running": ["/1.0/operations/2"], "failure": [{"id": "4"}]});
        let all = vec![lists(here), lists(there)];
        let expected = json!({
            "running": ["/1.0/operations/1", "/1.0/operations/2", "/1.0/operations/3"],
            "failure": [{"id": "4"}], "success": [{"id": "5"}],
        });
        assert_eq!(merged(all.clone(), None), lists(expected));
        let youngest = json!({"failure": [{"id": "4"}], "success": [{"id": "5"}]});
        assert_eq!(merged(all, Some(2)), lists(youngest));
    }
}
