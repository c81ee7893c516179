//! Paths and methods of `/1.0`.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use axum::routing::any;
use charms_reactive_core::digest::digest;
use charms_reactive_core::operation::OperationId;
use charms_reactive_operations::{Children, Created, Filter, Query};
use serde_json::json;

use super::answer::{Answer, Problem, bare, failed, started, sync, sync_later, sync_written};
use super::desk::Operations;
use super::kind::Connection;
use super::peer::Peer;
use super::query::{Parameters, decode};
use super::{body, describe, events};

/// How long a request to cancel waits for the end.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// What of LXD's API there is; its clients look at some of these.
const EXTENSIONS: [&str; 14] = [
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
    "projects",
];

/// Serves `/` and `/1.0` to whoever can open the socket; wants connections that tell their [`Peer`].
pub fn router(operations: Operations) -> Router {
    let handler = || any(handle);
    Router::new()
        .route("/", handler())
        .route("/1.0", handler())
        .route("/1.0/", handler())
        .route("/1.0/{*rest}", handler())
        .with_state(operations)
}

async fn handle(State(operations): State<Operations>, request: Request) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    answer(&operations, &mut head, body).await.unwrap_or_else(|problem| failed(&problem))
}

async fn answer(operations: &Operations, head: &mut Parts, body: Body) -> Answer {
    let parameters = Parameters::parse(head.uri.query().unwrap_or_default());
    let parts = head.uri.path().split('/').filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(|part| decode(&part.replace('+', "%2B"))).collect();
    let segments: Vec<&str> = parts.iter().map(String::as_str).collect();
    let peer = head.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.clone());
    let peer = peer.unwrap_or(Peer { uid: None });
    // Websockets have no body to be read.
    if let ("GET", ["1.0", "events"]) = (head.method.as_str(), segments.as_slice()) {
        return listen(operations, head, &parameters).await;
    }
    if let ("GET", ["1.0", "operations", id, "websocket"]) = (head.method.as_str(), segments.as_slice()) {
        return connect(operations, parse(id)?, head, &parameters).await;
    }
    let body = body::read(body).await?;
    match (head.method.as_str(), segments.as_slice()) {
        ("GET", []) => Ok(sync("[\"/1.0\"]")),
        ("GET", ["1.0"]) => Ok(server(&peer, operations)),
        ("GET", ["1.0", "openapi.json"]) => Ok(bare(&describe::openapi())),
        ("GET", ["1.0", "operations"]) => list(operations, &parameters),
        ("POST", ["1.0", "operations"]) => start(operations, &parameters, &peer, &body).await,
        ("GET", ["1.0", "operations", id]) => show(operations, parse(id)?, &parameters),
        ("DELETE", ["1.0", "operations", id]) => cancel(operations, parse(id)?, &peer, &body).await,
        ("GET", ["1.0", "operations", id, "wait"]) => wait(operations, parse(id)?, &parameters).await,
        (
            _,
            []
            | ["1.0"]
            | ["1.0", "events" | "openapi.json" | "operations"]
            | ["1.0", "operations", _]
            | ["1.0", "operations", _, "wait" | "websocket"],
        ) => Err(Problem::not_implemented()),
        _ => Err(Problem::not_found()),
    }
}

fn parse(id: &str) -> Result<OperationId, Problem> {
    // What is no id names no operation.
    OperationId::parse(id).map_err(|_| Problem::new(404, "Operation not found"))
}

/// What clients have to know of the server.
fn server(peer: &Peer, operations: &Operations) -> Response<Body> {
    let metadata = json!({
        "api_extensions": EXTENSIONS, "api_status": "stable", "api_version": "1.0",
        "auth": "trusted", "auth_methods": ["tls"], "public": false, "config": {},
        "auth_user_name": peer.requestor().username, "auth_user_method": "unix",
        "environment": {
            "addresses": [], "certificate": "", "project": "default",
            "server": "charmd", "server_version": env!("CARGO_PKG_VERSION"), "server_pid": std::process::id(),
            "server_name": operations.location(), "server_clustered": false, "kernel": "Linux",
        },
    });
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
    Ok(sync_written(|text| operations.list(&query, children, text)))
}

async fn start(operations: &Operations, parameters: &Parameters, peer: &Peer, body: &[u8]) -> Answer {
    let project = events::project(parameters)?.unwrap_or_else(|| "default".to_owned());
    let draft = body::draft(body, operations.kinds(), &project)?.requestor(peer.requestor());
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

async fn cancel(operations: &Operations, id: OperationId, peer: &Peer, body: &[u8]) -> Answer {
    let (by, reason) = (peer.requestor(), body::reason(body));
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
