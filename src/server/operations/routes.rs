//! Paths and methods of `/1.0`.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Response, header};
use axum::routing::any;
use charms_reactive_core::digest::digest;
use charms_reactive_core::operation::OperationId;
use charms_reactive_operations::{Children, Created, Filter, Query};
use serde_json::json;

use super::answer::{Answer, Problem, failed, started, sync, sync_later, sync_when_there_is_room};
use super::caller::Caller;
use super::desk::{Operations, json as text};
use super::kind::Connection;
use super::members::{Member, Members};
use super::peer::Peer;
use super::query::{Parameters, decode};
use super::trust::Trust;
use super::{body, certificates, debug, events, members, trust};
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
    /// The other members of the cluster.
    pub members: Members,
    /// Whether requests and answers are written into the log, without the secrets that are known as such.
    pub is_debug: bool,
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
    let is_shown = api.is_debug && log::log_enabled!(log::Level::Debug);
    let response = if is_shown { debug::logged(&api, request).await } else { respond(&api, request).await };
    api.operations.metrics().answered(response.status());
    response
}

pub(super) async fn respond(api: &Api, request: Request) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    answer(api, &mut head, body).await.unwrap_or_else(|problem| failed(&problem))
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
        let id = parse(id)?;
        return match elsewhere(api, &caller, id).await? {
            Some(member) => api.members.connect(&member, &caller, head).await,
            None => connect(operations, id, head, &parameters).await,
        };
    }
    if !caller.is_trusted() {
        return answer_stranger(api, &caller, request, head, &parameters, body).await;
    }
    if let ("GET", ["1.0", "events"]) = request {
        return listen(operations, head, &parameters).await;
    }
    let body = body::read(body, BODY_BYTES_MAX).await?;
    if let ("GET" | "DELETE", ["1.0", "operations", id] | ["1.0", "operations", id, "wait"]) = request
        && let Some(member) = elsewhere(api, &caller, parse(id)?).await?
    {
        return api.members.forward(&member, &caller, head, body).await;
    }
    match request {
        ("GET", []) => Ok(sync("[\"/1.0\"]")),
        ("GET", ["1.0"]) => Ok(server(api, &caller)),
        ("GET", ["1.0", "metrics"]) => metrics(operations).await,
        ("GET", ["1.0", "projects"]) => Ok(sync("[\"/1.0/projects/default\"]")),
        ("GET", ["1.0", "certificates"]) => certificates::list(api, &parameters),
        ("POST", ["1.0", "certificates"]) => certificates::add(api, &caller, &body).await,
        ("GET", ["1.0", "certificates", fingerprint]) => certificates::show(api, fingerprint),
        ("DELETE", ["1.0", "certificates", fingerprint]) => certificates::remove(api, fingerprint).await,
        ("GET", ["1.0", "operations"]) => list(api, &caller, head, &parameters).await,
        ("POST", ["1.0", "operations"]) => start(api, &caller, head, &parameters, body).await,
        ("GET", ["1.0", "operations", id]) => show(operations, parse(id)?, &parameters),
        ("GET", ["1.0", "outbox"]) => outbox(operations).await,
        ("DELETE", ["1.0", "outbox", id]) => acknowledge(operations, parse(id)?).await,
        ("DELETE", ["1.0", "operations", id]) => cancel(operations, parse(id)?, &caller, &body).await,
        ("GET", ["1.0", "operations", id, "wait"]) => wait(operations, parse(id)?, &parameters).await,
        (
            _,
            []
            | ["1.0"]
            | ["1.0", "certificates" | "events" | "metrics" | "operations" | "outbox" | "projects"]
            | ["1.0", "certificates" | "operations" | "outbox", _]
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
    head: &Parts,
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
            if let Some(member) = elsewhere(api, caller, id).await? {
                return api.members.forward(&member, caller, head, body).await;
            }
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

/// The member that has an operation; None: it is here, or nowhere, or a member asks.
async fn elsewhere(api: &Api, caller: &Caller, id: OperationId) -> Result<Option<Member>, Problem> {
    if api.members.is_empty() || caller.is_forwarded {
        return Ok(None);
    }
    if api.operations.show(id, Children::Counted).is_ok() {
        return Ok(None);
    }
    api.members.whose(id).await
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
            "server_pid": std::process::id(), "server_name": api.operations.location(),
            "server_clustered": !api.members.is_empty(),
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

async fn metrics(operations: &Operations) -> Answer {
    let metrics = operations.metrics().clone();
    let text = operations.read(move |registry| metrics.text(registry)).await?;
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

async fn list(api: &Api, caller: &Caller, head: &Parts, parameters: &Parameters) -> Answer {
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
    sync_when_there_is_room(async || {
        let here = api.operations.list(&query, children);
        let target = parameters.get("target");
        if api.members.is_empty() || caller.is_forwarded || target == Some(api.operations.location()) {
            return Ok(here);
        }
        let path = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let mut all = api.members.lists(caller, path, target).await?;
        if target.is_none() {
            all.push(serde_json::from_str(&here).unwrap_or_default());
        }
        Ok(text(&members::merged(all, limit)))
    })
    .await
}

async fn start(api: &Api, caller: &Caller, head: &Parts, parameters: &Parameters, body: Vec<u8>) -> Answer {
    let operations = &api.operations;
    if let Some(target) = parameters.get("target")
        && !caller.is_forwarded
        && operations.location() != target
    {
        let path = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        return api.members.start(api.members.named(target)?, caller, path, body).await;
    }
    let project = events::project(parameters)?.unwrap_or_else(|| "default".to_owned());
    let draft = body::draft(&body, operations.kinds(), &project)?.requestor(caller.trusted()?.clone());
    if operations.kinds().get(&draft.kind).is_some_and(|kind| kind.is_for_owner_alone()) && !caller.is_owner {
        let text = format!("work of the kind `{}` is for the user that runs charmd", draft.kind);
        return Err(Problem::new(403, text));
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
    let missed = match wanted.since {
        None => (Vec::new(), operations.listen()),
        Some(number) => operations.listen_since(number).await?.ok_or_else(|| {
            Problem::new(
                410,
                "Events since then have been forgotten: look at the operations, and listen anew",
            )
        })?,
    };
    Ok(upgrade.on_upgrade(move |socket| events::send(socket, missed, wanted)))
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
