//! Paths and methods of `/1.0`.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use axum::routing::any;
use charms_reactive_core::digest::digest;
use charms_reactive_core::operation::OperationId;
use charms_reactive_operations::{Children, Created, Filter, Query};
use serde_json::json;

use super::answer::{Answer, Problem, failed, started, sync, sync_later};
use super::caller::Caller;
use super::desk::Operations;
use super::kind::Connection;
use super::peer::Peer;
use super::query::{Parameters, decode};
use super::trust::Trust;
use super::{body, certificates, events, trust};
use crate::listen::BODY_BYTES_MAX;

/// How long a request to cancel waits for the end.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// What of LXD's API there is; its clients look at some of these.
const EXTENSIONS: [&str; 16] = [
    "certificate_token",
    "operation_description",
    "operation_location",
    "operation_wait",
    "operation_requestor",
    "operation_metadata_entity_url",
    "operation_child_count",
    "operations_get_query_all_projects",
    "bulk_operations",
    "durable_operations",
    "event_location",
    "event_lifecycle",
    "event_lifecycle_requestor",
    "event_project",
    "explicit_trust_token",
    "projects",
];

/// What is served, and to whom.
#[derive(Clone, Debug)]
pub struct Api {
    /// All operations.
    pub operations: Operations,
    /// Whom the server trusts over TLS.
    pub trust: Trust,
}

impl Api {
    /// Ends tokens when they expire, those that a former process has made, too; returns at once.
    pub async fn end_expired_tokens(&self) {
        trust::end_expired(self.operations.clone()).await;
    }
}

/// Serves `/` and `/1.0`; wants connections that tell their [`Peer`].
pub fn router(api: Api) -> Router {
    let handler = || any(handle);
    Router::new()
        .route("/", handler())
        .route("/1.0", handler())
        .route("/1.0/", handler())
        .route("/1.0/{*rest}", handler())
        .with_state(api)
}

async fn handle(State(api): State<Api>, request: Request) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    answer(&api, &mut head, body).await.unwrap_or_else(|problem| failed(&problem))
}

async fn answer(api: &Api, head: &mut Parts, body: Body) -> Answer {
    let operations = &api.operations;
    let parameters = Parameters::parse(head.uri.query().unwrap_or_default());
    let parts = head.uri.path().split('/').filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(|part| decode(&part.replace('+', "%2B"))).collect();
    let segments: Vec<&str> = parts.iter().map(String::as_str).collect();
    let caller = Caller::new(head.extensions.get::<Peer>(), &api.trust, &head.headers);
    let method = head.method.clone();
    let request = (method.as_str(), segments.as_slice());
    // Websockets have no body to be read, and the secret of one is its key.
    if let ("GET", ["1.0", "operations", id, "websocket"]) = request {
        return connect(operations, parse(id)?, head, &parameters).await;
    }
    if !caller.is_trusted() {
        return answer_stranger(api, &caller, request, &parameters, body).await;
    }
    if let ("GET", ["1.0", "events"]) = request {
        return listen(operations, head, &parameters).await;
    }
    let body = body::read(body, BODY_BYTES_MAX).await?;
    match request {
        ("GET", []) => Ok(sync("[\"/1.0\"]")),
        ("GET", ["1.0"]) => Ok(server(api, &caller)),
        ("GET", ["1.0", "projects"]) => Ok(sync("[\"/1.0/projects/default\"]")),
        ("GET", ["1.0", "certificates"]) => certificates::list(api, &parameters),
        ("POST", ["1.0", "certificates"]) => certificates::add(api, &caller, &body).await,
        ("GET", ["1.0", "certificates", fingerprint]) => certificates::show(api, fingerprint),
        ("DELETE", ["1.0", "certificates", fingerprint]) => certificates::remove(api, fingerprint).await,
        ("GET", ["1.0", "operations"]) => list(operations, &parameters),
        ("POST", ["1.0", "operations"]) => start(operations, &parameters, &caller, &body).await,
        ("GET", ["1.0", "operations", id]) => show(operations, parse(id)?, &parameters),
        ("DELETE", ["1.0", "operations", id]) => cancel(operations, parse(id)?, &caller, &body).await,
        ("GET", ["1.0", "operations", id, "wait"]) => wait(operations, parse(id)?, &parameters).await,
        (
            _,
            []
            | ["1.0"]
            | ["1.0", "certificates" | "events" | "operations" | "projects"]
            | ["1.0", "certificates" | "operations", _]
            | ["1.0", "operations", _, "wait" | "websocket"],
        ) => Err(Problem::not_implemented()),
        _ => Err(Problem::not_found()),
    }
}

/// What those see who are not trusted: that there is a server, how one comes to be trusted, and the end of an
/// operation whose secret they have.
async fn answer_stranger(
    api: &Api,
    caller: &Caller,
    request: (&str, &[&str]),
    parameters: &Parameters,
    body: Body,
) -> Answer {
    let body = body::read(body, body::STRANGER_BYTES_MAX).await?;
    match request {
        ("GET", []) => Ok(sync("[\"/1.0\"]")),
        ("GET", ["1.0"]) => Ok(server(api, caller)),
        ("POST", ["1.0", "certificates"]) => certificates::add(api, caller, &body).await,
        ("GET", ["1.0", "operations", id, "wait"]) => {
            let (id, secret) = (parse(id)?, parameters.get("secret").unwrap_or_default().to_owned());
            let is_open = api.operations.read(move |registry| {
                registry.get(id).is_ok_and(|operation| operation.is_opened_by(&secret))
            });
            if !is_open.await? {
                caller.trusted()?;
            }
            wait(&api.operations, id, parameters).await
        }
        _ => Err(Problem::new(403, "Forbidden")),
    }
}

fn parse(id: &str) -> Result<OperationId, Problem> {
    // What is no id names no operation.
    OperationId::parse(id).map_err(|_| Problem::new(404, "Operation not found"))
}

/// What clients have to know of the server; those who are not trusted, less of it.
fn server(api: &Api, caller: &Caller) -> Response<Body> {
    let mut metadata = json!({
        "api_extensions": EXTENSIONS, "api_status": "stable", "api_version": "1.0",
        "auth": "untrusted", "auth_methods": ["tls"], "public": false, "config": {},
    });
    if let Ok(requestor) = caller.trusted() {
        let own = api.trust.server();
        metadata["auth"] = json!("trusted");
        metadata["auth_user_name"] = json!(requestor.username);
        metadata["auth_user_method"] = json!(requestor.protocol);
        metadata["environment"] = json!({
            "addresses": own.map(|own| own.addresses.clone()).unwrap_or_default(),
            "certificate": own.map(|own| own.certificate.to_pem()).unwrap_or_default(),
            "certificate_fingerprint": own.map(|own| own.certificate.fingerprint()).unwrap_or_default(),
            "project": "default", "server": "charmd", "server_version": env!("CARGO_PKG_VERSION"),
            "server_pid": std::process::id(), "server_name": api.operations.location(), "server_clustered": false,
            "kernel": "Linux",
        });
    }
    let metadata = metadata.to_string();
    let mut response = sync(&metadata);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", digest(&metadata))) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn list(operations: &Operations, parameters: &Parameters) -> Answer {
    let filter = Filter::parse(parameters.get("filter").unwrap_or_default())
        .map_err(|error| Problem::new(400, error.to_string()))?;
    let limit = match parameters.get("limit").map(str::parse::<usize>) {
        None => None,
        Some(Ok(limit)) => Some(limit),
        Some(Err(_)) => return Err(Problem::new(400, "limit is not valid, expected a number")),
    };
    let before = parameters.get("before").map(OperationId::parse).transpose();
    let before = before.map_err(|error| Problem::new(400, error.to_string()))?;
    let query = Query { project: events::project(parameters)?, filter, before, limit };
    let children = match parameters.recursion() {
        0 => None,
        1 => Some(Children::Counted),
        _ => Some(Children::Whole),
    };
    Ok(sync(&operations.list(&query, children)))
}

async fn start(operations: &Operations, parameters: &Parameters, caller: &Caller, body: &[u8]) -> Answer {
    let project = events::project(parameters)?.unwrap_or_else(|| "default".to_owned());
    let draft = body::draft(body, operations.kinds(), &project)?.requestor(caller.trusted()?.clone());
    let created = operations.act(move |turn| {
        let id = turn.create(draft).map(Created::id)?;
        Ok::<_, Problem>((id, super::desk::shown(turn.registry, turn.registry.get(id)?)))
    });
    let (id, operation) = created.await??;
    Ok(started(&id.url(), &operation))
}

fn show(operations: &Operations, id: OperationId, parameters: &Parameters) -> Answer {
    let children = if parameters.recursion() > 0 { Children::Whole } else { Children::Counted };
    Ok(sync(&operations.show(id, children)?))
}

async fn cancel(operations: &Operations, id: OperationId, caller: &Caller, body: &[u8]) -> Answer {
    let (by, reason) = (caller.trusted()?.clone(), body::reason(body));
    operations.act(move |turn| turn.registry.cancel(id, Some(&by), reason.as_deref(), turn.now)).await??;
    // Mostly it is over then; a client that wants to be sure waits.
    if let Err(waiting) = operations.wait(id).await?? {
        waiting.end(Some(CANCEL_WAIT)).await;
    }
    Ok(sync("{}"))
}

async fn wait(operations: &Operations, id: OperationId, parameters: &Parameters) -> Answer {
    let limit = match parameters.get("timeout").map(str::parse::<i64>) {
        None => None,
        Some(Ok(seconds)) => u64::try_from(seconds).ok().map(Duration::from_secs),
        Some(Err(_)) => {
            let found = parameters.get("timeout").unwrap_or_default();
            return Err(Problem::new(
                400,
                format!("timeout `{found}` is not valid, expected a number of seconds"),
            ));
        }
    };
    Ok(match operations.wait(id).await?? {
        Ok(over) => sync(&over),
        Err(waiting) => sync_later(waiting.end(limit)),
    })
}

async fn listen(operations: &Operations, head: &mut Parts, parameters: &Parameters) -> Answer {
    let wanted = events::Wanted::parse(parameters)?;
    let upgrade = upgrade(head).await?;
    // Before the answer: what the client does next is heard.
    let frames = operations.listen();
    Ok(upgrade.on_upgrade(move |socket| events::send(socket, frames, wanted)))
}

async fn connect(
    operations: &Operations,
    id: OperationId,
    head: &mut Parts,
    parameters: &Parameters,
) -> Answer {
    let secret = parameters.get("secret").unwrap_or_default().to_owned();
    let upgrade = upgrade(head).await;
    let is_upgrade = upgrade.is_ok();
    let name = operations.act(move |turn| {
        // The secret is used up by those alone who can use it.
        if is_upgrade {
            turn.registry.connect(id, &secret)
        } else {
            turn.registry.get(id).map(|_| String::new())
        }
    });
    let name = name.await??;
    let operations = operations.clone();
    Ok(upgrade?.on_upgrade(async move |socket| operations.connected(id, Connection { name, socket })))
}

async fn upgrade(head: &mut Parts) -> Result<WebSocketUpgrade, Problem> {
    let upgrade = WebSocketUpgrade::from_request_parts(head, &()).await;
    upgrade.map_err(|rejection| Problem::new(400, rejection.to_string()))
}
