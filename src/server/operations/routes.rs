//! Paths and methods of `/1.0`.

use std::collections::BTreeMap;
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

use super::answer::{Answer, Problem, failed, started, sync, sync_later};
use super::desk::{Operations, json as text};
use super::kind::Connection;
use super::peer::Peer;
use super::query::{Parameters, decode};
use super::{body, events};

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
    let path = decode(&head.uri.path().replace('+', "%2B"));
    let parameters = Parameters::parse(head.uri.query().unwrap_or_default());
    let segments: Vec<&str> = path.trim_matches('/').split('/').filter(|part| !part.is_empty()).collect();
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
        ("GET", ["1.0"]) => Ok(server(&peer, operations).await?),
        ("GET", ["1.0", "operations"]) => list(operations, &parameters).await,
        ("POST", ["1.0", "operations"]) => start(operations, &parameters, &peer, &body).await,
        ("GET", ["1.0", "operations", id]) => show(operations, parse(id)?, &parameters).await,
        ("GET", ["1.0", "outbox"]) => outbox(operations).await,
        ("DELETE", ["1.0", "outbox", id]) => acknowledge(operations, parse(id)?).await,
        ("DELETE", ["1.0", "operations", id]) => cancel(operations, parse(id)?, &peer, &body).await,
        ("GET", ["1.0", "operations", id, "wait"]) => wait(operations, parse(id)?, &parameters).await,
        (
            _,
            []
            | ["1.0"]
            | ["1.0", "events" | "operations" | "outbox"]
            | ["1.0", "operations" | "outbox", _]
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
async fn server(peer: &Peer, operations: &Operations) -> Answer {
    let location = operations.read(|registry| registry.location().to_owned()).await?;
    let metadata = json!({
        "api_extensions": EXTENSIONS, "api_status": "stable", "api_version": "1.0",
        "auth": "trusted", "auth_methods": ["tls"], "public": false, "config": {},
        "auth_user_name": peer.requestor().username, "auth_user_method": "unix",
        "environment": {
            "addresses": [], "certificate": "", "project": "default",
            "server": "charmd", "server_version": env!("CARGO_PKG_VERSION"), "server_pid": std::process::id(),
            "server_name": location, "server_clustered": false, "kernel": "Linux",
        },
    });
    let metadata = metadata.to_string();
    let mut response = sync(&metadata);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", digest(&metadata))) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

async fn list(operations: &Operations, parameters: &Parameters) -> Answer {
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
    let recursion = parameters.recursion();
    let listed = operations.read(move |registry| {
        let mut lists = BTreeMap::<&str, Vec<String>>::new();
        let children = if recursion > 1 { Children::Whole } else { Children::Counted };
        for operation in registry.list(&query) {
            let item = match recursion {
                0 => format!("\"{}\"", operation.id().url()),
                _ => text(&registry.render(operation, children)),
            };
            lists.entry(operation.status().key()).or_default().push(item);
        }
        let lists: Vec<String> =
            lists.into_iter().map(|(key, items)| format!("\"{key}\":[{}]", items.join(","))).collect();
        format!("{{{}}}", lists.join(","))
    });
    Ok(sync(&listed.await?))
}

async fn start(operations: &Operations, parameters: &Parameters, peer: &Peer, body: &[u8]) -> Answer {
    let project = events::project(parameters)?.unwrap_or_else(|| "default".to_owned());
    let draft = body::draft(body, operations.kinds(), &project)?.requestor(peer.requestor());
    if operations.kinds().get(&draft.kind).is_some_and(|kind| kind.is_for_owner_alone()) && !peer.is_owner() {
        return Err(Problem::new(
            403,
            format!("work of the kind `{}` is for the user that runs charmd", draft.kind),
        ));
    }
    let created = operations.act(move |turn| {
        let id = turn.create(draft).map(Created::id)?;
        Ok::<_, Problem>((id, super::desk::shown(turn.registry, turn.registry.get(id)?)))
    });
    let (id, operation) = created.await??;
    Ok(started(&id.url(), &operation))
}

/// Operations whose end is announced: those that run, and those that ended and are not acknowledged.
async fn outbox(operations: &Operations) -> Answer {
    let listed = operations.read(|registry| {
        let all = registry.outbox().map(|operation| text(&registry.render(operation, Children::Counted)));
        format!("[{}]", all.collect::<Vec<_>>().join(","))
    });
    Ok(sync(&listed.await?))
}

/// Somebody has seen the end of an operation, for good.
async fn acknowledge(operations: &Operations, id: OperationId) -> Answer {
    operations.act(move |turn| turn.registry.acknowledge(id)).await??;
    Ok(sync("{}"))
}

async fn show(operations: &Operations, id: OperationId, parameters: &Parameters) -> Answer {
    let children = if parameters.recursion() > 0 { Children::Whole } else { Children::Counted };
    let shown = operations.read(move |registry| {
        let operation = registry.get(id)?;
        Ok::<_, Problem>(text(&registry.render(operation, children)))
    });
    Ok(sync(&shown.await??))
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
