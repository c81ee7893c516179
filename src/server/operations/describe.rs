//! What the interface is, as OpenAPI: paths and messages as a table, in the words of LXD where it has them.

use charms_reactive_core::operation::{Class, Status};
use charms_reactive_operations::METADATA_BYTES_MAX;
use serde_json::{Map, Value, json};

/// One method of a path.
struct Route {
    path: &'static str,
    http: &'static str,
    id: &'static str,
    /// Names of [`PARAMETERS`].
    query: &'static [&'static str],
    /// The message of its body.
    body: Option<&'static str>,
    answer: Answer,
    about: &'static str,
}

/// What it comes to when all goes well.
enum Answer {
    /// At once: the envelope with metadata of this kind.
    Sync(Kind),
    /// An operation, which goes on.
    Async,
    /// At once: either something is new, or a token is made, which goes on.
    CreatedOrAsync,
    /// No envelope.
    Bare,
    /// Text for Prometheus.
    Plain,
    /// A websocket.
    Upgrade,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    /// A text of this form.
    Form(&'static str),
    Id,
    Class,
    Status,
    StatusCode,
    Time,
    /// From 0 up to this.
    Number(u32),
    /// From 1 up to this.
    Count(u32),
    /// With a fraction.
    Seconds(u32),
    /// From -1: no limit.
    Limit,
    /// Of an event.
    Sequence,
    /// Of a certificate, or its first digits.
    Fingerprint,
    Truth,
    OneOf(&'static [&'static str]),
    /// Texts by text, lists of them.
    Urls,
    /// Free in form.
    Map,
    /// The same, or null.
    MapOrNull,
    Nothing,
    Message(&'static str),
    Messages(&'static str),
    /// By status: lists of URLs, or of operations.
    Lists,
    /// URLs, or certificates.
    Certificates,
}

struct Parameter {
    name: &'static str,
    kind: Kind,
    about: &'static str,
}

struct Message {
    name: &'static str,
    /// Name and kind, whether it is always there, and what it is.
    fields: &'static [(&'static str, Kind, bool, &'static str)],
    about: &'static str,
}

const URL_FORM: &str = "^/[!-~]{0,200}$";
const PROJECT_FORM: &str = "^[0-9A-Za-z_.-]{1,63}$";
const TYPES_FORM: &str = "^(operation|lifecycle|logging)(,(operation|lifecycle|logging))*$";
const FILTER_FORM: &str = "^(id|class|status|kind|description|project) (eq|ne) ([!#-~]{1,40}|\"[ !#-~]{0,40}\")\
     ( and (id|class|status|kind|description|project) (eq|ne) ([!#-~]{1,40}|\"[ !#-~]{0,40}\"))*$";

#[rustfmt::skip]
const PARAMETERS: &[Parameter] = &[
    Parameter { name: "recursion", kind: Kind::Number(2),
                about: "0: URLs, without children; 1: operations; 2, and 1 for one operation: with their children." },
    Parameter { name: "project", kind: Kind::Form(PROJECT_FORM), about: "`default` where it is missing." },
    Parameter { name: "all-projects", kind: Kind::Truth, about: "All projects; not together with `project`." },
    Parameter { name: "filter", kind: Kind::Form(FILTER_FORM),
                about: "Conditions that all hold: FIELD eq VALUE, FIELD ne VALUE, joined by `and`." },
    Parameter { name: "limit", kind: Kind::Number(1_000_000), about: "The youngest so many." },
    Parameter { name: "before", kind: Kind::Id, about: "Those older than this one." },
    Parameter { name: "timeout", kind: Kind::Limit,
                about: "Seconds, after which the answer is the operation as it is then; for ever below 0, and where it is missing." },
    Parameter { name: "secret", kind: Kind::Text, about: "Opens one socket of an operation, once; or lets one wait for an operation without being trusted." },
    Parameter { name: "target", kind: Kind::Form(PROJECT_FORM),
                about: "The member of the cluster that is meant; where it is missing, lists are of all, and starts are here." },
    Parameter { name: "since", kind: Kind::Sequence,
                about: "Begins with what came after this event; 410 where some of that has been forgotten." },
    Parameter { name: "type", kind: Kind::Form(TYPES_FORM), about: "What is told; all where it is missing." },
];

const ONE: &str = "/1.0/operations/{id}";
const CERTIFICATE: &str = "/1.0/certificates/{fingerprint}";

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route { path: "/", http: "get", id: "versions", query: &[], body: None, answer: Answer::Sync(Kind::Texts),
            about: "Lists the versions of the interface." },
    Route { path: "/1.0", http: "get", id: "server", query: &[], body: None,
            answer: Answer::Sync(Kind::Message("Server")), about: "Tells what the server is." },
    Route { path: "/1.0/openapi.json", http: "get", id: "description", query: &[], body: None, answer: Answer::Bare,
            about: "Gives this description." },
    Route { path: "/1.0/metrics", http: "get", id: "metrics", query: &[], body: None, answer: Answer::Plain,
            about: "Tells how requests came out, what operations there are, and how they ended." },
    Route { path: "/1.0/projects", http: "get", id: "projects", query: &[], body: None, answer: Answer::Sync(Kind::Texts),
            about: "Lists the project that is always there; others need not be made." },
    Route { path: "/1.0/certificates", http: "get", id: "certificates.list", query: &["recursion"], body: None,
            answer: Answer::Sync(Kind::Certificates), about: "Lists whom the server trusts over TLS." },
    Route { path: "/1.0/certificates", http: "post", id: "certificates.add", query: &[], body: Some("Trust"),
            answer: Answer::CreatedOrAsync, about: "Trusts a client, or makes a token, or lets in who has one." },
    Route { path: CERTIFICATE, http: "get", id: "certificates.get", query: &[], body: None,
            answer: Answer::Sync(Kind::Message("Certificate")), about: "Gives a client that is trusted." },
    Route { path: CERTIFICATE, http: "delete", id: "certificates.remove", query: &[], body: None,
            answer: Answer::Sync(Kind::Nothing), about: "Trusts a client no longer, from the next request on." },
    Route { path: "/1.0/outbox", http: "get", id: "outbox.list", query: &[], body: None,
            answer: Answer::Sync(Kind::Messages("Operation")),
            about: "Lists operations that were started with `wake`, and whose end nobody has acknowledged." },
    Route { path: "/1.0/outbox/{id}", http: "delete", id: "outbox.acknowledge", query: &[], body: None,
            answer: Answer::Sync(Kind::Nothing), about: "Acknowledges the end of an operation." },
    Route { path: "/1.0/operations", http: "get", id: "operations.list",
            query: &["recursion", "project", "all-projects", "filter", "limit", "before", "target"], body: None,
            answer: Answer::Sync(Kind::Lists), about: "Lists operations by status, those that have ended, too." },
    Route { path: "/1.0/operations", http: "post", id: "operations.start", query: &["project", "target"], body: Some("Start"),
            answer: Answer::Async, about: "Starts a registered kind of work; LXD has no such request." },
    Route { path: ONE, http: "get", id: "operations.get", query: &["recursion"], body: None,
            answer: Answer::Sync(Kind::Message("Operation")), about: "Gives an operation." },
    Route { path: ONE, http: "delete", id: "operations.cancel", query: &[], body: Some("Cancel"),
            answer: Answer::Sync(Kind::Nothing), about: "Tells an operation to stop, and waits a second at most for its end." },
    Route { path: "/1.0/operations/{id}/wait", http: "get", id: "operations.wait", query: &["timeout", "secret"], body: None,
            answer: Answer::Sync(Kind::Message("Operation")), about: "Gives an operation when it has ended." },
    Route { path: "/1.0/operations/{id}/websocket", http: "get", id: "operations.connect", query: &["secret"], body: None,
            answer: Answer::Upgrade, about: "Connects to an operation of the class `websocket`." },
    Route { path: "/1.0/events", http: "get", id: "events", query: &["type", "project", "all-projects", "since"], body: None,
            answer: Answer::Upgrade, about: "Tells what happens, in order: each frame is an `Event`." },
];

#[rustfmt::skip]
const MESSAGES: &[Message] = &[
    Message { name: "Operation", about: "Work in the background.", fields: &[
        ("id", Kind::Id, true, "Its name."),
        ("class", Kind::Class, true, "What kind of work it is."),
        ("description", Kind::Text, true, "For people."),
        ("created_at", Kind::Time, true, "When it was made."),
        ("updated_at", Kind::Time, true, "When it changed last."),
        ("status", Kind::Status, true, "How far it has come."),
        ("status_code", Kind::StatusCode, true, "The same as a number; 200 and more: it has ended."),
        ("resources", Kind::Urls, true, "What it touches: URLs by kind."),
        ("metadata", Kind::Map, true, "What can be seen of it: progress, results, secrets of its sockets."),
        ("may_cancel", Kind::Truth, true, "Whether it can be cancelled now."),
        ("err", Kind::Text, true, "Why it did not succeed; empty where it did."),
        ("err_code", Kind::Number(599), true, "The same as a status of HTTP; 0 where it succeeded, 499 where it was cancelled."),
        ("child_count", Kind::Number(1_000_000), true, "Of how many others it consists."),
        ("location", Kind::Text, true, "The name of the server."),
        ("requestor", Kind::Message("Requestor"), false, "Who asked for it."),
        ("children", Kind::Messages("Operation"), false, "Of what it consists, where that is asked for."),
    ] },
    Message { name: "Requestor", about: "Who asks.", fields: &[
        ("username", Kind::Text, true, "The name of the user."),
        ("protocol", Kind::Text, true, "How they came: `unix`, `tls`."),
        ("address", Kind::Text, true, "From where; `@` on a unix socket."),
    ] },
    Message { name: "Start", about: "What is to be started.", fields: &[
        ("kind", Kind::Text, true, "The registered kind of work; `demo` is always there."),
        ("class", Kind::Class, false, "`task` where it is missing."),
        ("input", Kind::Map, false, "What the work is given; that of `demo` is a `Demo`."),
        ("id", Kind::Id, false, "A name of the caller's choice: repeated, it starts nothing twice."),
        ("description", Kind::Text, false, "For people."),
        ("entity_url", Kind::Form(URL_FORM), false, "What it is about."),
        ("resources", Kind::Urls, false, "What it touches."),
        ("metadata", Kind::Map, false, "What can be seen of it from the beginning."),
        ("reference", Kind::Text, false, "Of a reference, one runs in each project."),
        ("on_conflict", Kind::OneOf(&["fail", "join", "replace"]), false,
         "Where one runs: refuse, or give that one, or tell it to stop and start when it has."),
        ("may_cancel", Kind::Truth, false, "Whether it can be cancelled."),
        ("wake", Kind::Truth, false, "Whether its end is announced to the unit until that is acknowledged."),
    ] },
    Message { name: "Demo", about: "The input of `demo`: work that takes its time, and ends as it is told.", fields: &[
        ("duration", Kind::Seconds(86_400), false, "In all; 1 where it is missing."),
        ("steps", Kind::Count(10_000), false, "After each of which it says how far it has come."),
        ("outcome", Kind::OneOf(&["success", "failure", "cancelled", "panic"]), false, "How it ends."),
        ("error", Kind::Text, false, "What it says when it fails."),
        ("stubborn", Kind::Truth, false, "Whether it does not listen when it is told to stop."),
        ("children", Kind::Messages("Child"), false, "What it consists of, up to a thousand."),
    ] },
    Message { name: "Child", about: "The input of a child of `demo`: as `Demo`, without children.", fields: &[
        ("duration", Kind::Seconds(86_400), false, "In all."),
        ("steps", Kind::Count(10_000), false, "After each of which it says how far it has come."),
        ("outcome", Kind::OneOf(&["success", "failure", "cancelled", "panic"]), false, "How it ends."),
        ("error", Kind::Text, false, "What it says when it fails."),
        ("stubborn", Kind::Truth, false, "Whether it does not listen when it is told to stop."),
        ("stage", Kind::Number(1000), false, "It starts when all of the stages before have succeeded; 0, 1, 2 and so on."),
        ("must_run", Kind::Truth, false, "Whether it starts also when they have not."),
    ] },
    Message { name: "Cancel", about: "Why an operation is cancelled.", fields: &[
        ("reason", Kind::Text, false, "Shown as the error of the operation."),
    ] },
    Message { name: "Server", about: "What the server is.", fields: &[
        ("api_extensions", Kind::Texts, true, "What of LXD's extensions there is."),
        ("api_status", Kind::Text, true, "`stable`"),
        ("api_version", Kind::Text, true, "`1.0`"),
        ("auth", Kind::OneOf(&["trusted", "untrusted"]), true, "Whether the caller is trusted."),
        ("auth_methods", Kind::Texts, true, "How one can be."),
        ("public", Kind::Truth, true, "False."),
        ("config", Kind::Map, true, "Empty."),
        ("auth_user_name", Kind::Text, false, "Who the caller is."),
        ("auth_user_method", Kind::Text, false, "How that is known."),
        ("environment", Kind::Map, false, "Name, version and process of the server, and where it is."),
    ] },
    Message { name: "Event", about: "A frame of `/1.0/events`.", fields: &[
        ("type", Kind::OneOf(&["operation", "lifecycle", "logging"]), true, "What metadata is: an `Operation`, or what was done."),
        ("timestamp", Kind::Time, true, "When."),
        ("sequence", Kind::Sequence, true, "Its number: that of the next one is one more."),
        ("metadata", Kind::Map, true, "What."),
        ("location", Kind::Text, true, "The name of the server."),
        ("project", Kind::Text, false, "In which project; missing where it is of the whole server."),
    ] },
    Message { name: "Certificate", about: "A client that is trusted over TLS.", fields: &[
        ("name", Kind::Text, true, "For people."),
        ("type", Kind::OneOf(&["client"]), true, "What it is."),
        ("restricted", Kind::Truth, true, "False: it may do everything."),
        ("projects", Kind::Texts, true, "Empty."),
        ("certificate", Kind::Text, true, "PEM."),
        ("fingerprint", Kind::Fingerprint, true, "SHA-256 of the certificate."),
    ] },
    Message { name: "Trust", about: "Whom to trust.", fields: &[
        ("name", Kind::Text, false, "For people; that of the token goes first."),
        ("type", Kind::OneOf(&["client"]), false, "What it is."),
        ("certificate", Kind::Text, false, "PEM, or base64 of what stands in it; what was shown over TLS where it is missing."),
        ("token", Kind::Truth, false, "Makes a token: an operation with a `secret` that lets one client in."),
        ("trust_token", Kind::Text, false, "The token of a client that wants to come in, or its secret."),
        ("password", Kind::Text, false, "The same, as older clients say it."),
    ] },
    Message { name: "Error", about: "Why it is not done.", fields: &[
        ("type", Kind::OneOf(&["error"]), true, "What it is."),
        ("status", Kind::OneOf(&[""]), true, "Empty."),
        ("status_code", Kind::Number(0), true, "0."),
        ("operation", Kind::OneOf(&[""]), true, "Empty."),
        ("error_code", Kind::Number(599), true, "The status of HTTP."),
        ("error", Kind::Text, true, "For people."),
        ("metadata", Kind::MapOrNull, true, "The `operation` that is in the way; mostly null."),
    ] },
];

/// The interface as OpenAPI 3.1.
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| {
            let id = json!({"name": "id", "in": "path", "required": true, "description": "An operation, or a child of one.",
                            "schema": schema(Kind::Id)});
            let fingerprint = json!({"name": "fingerprint", "in": "path", "required": true,
                                     "description": "A client that is trusted.", "schema": schema(Kind::Fingerprint)});
            let of_path = [("{id}", id), ("{fingerprint}", fingerprint)];
            let of_path = of_path.into_iter().filter(|(mark, _)| route.path.contains(mark));
            json!({ "parameters": of_path.map(|(_, parameter)| parameter).collect::<Vec<_>>() })
        });
        path[route.http] = method(route);
    }
    let schemas: Map<String, Value> =
        MESSAGES.iter().map(|message| (message.name.to_owned(), object(message))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Operations of charmd",
            "version": "1.0",
            "description": "Work in the background, as LXD serves its own.",
        },
        "servers": [{"url": "/", "description": "The socket or address of `charmd serve`."}],
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn method(route: &Route) -> Value {
    let queried = PARAMETERS.iter().filter(|parameter| route.query.contains(&parameter.name));
    let queried = queried.map(|parameter| {
        json!({"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema(parameter.kind)})
    });
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let sync = |kind| json!({"description": "It is done.", "content": content(envelope("sync", "Success", 200, &schema(kind)))});
    let started = || {
        let mut started = envelope("async", "Operation created", 100, &schema(Kind::Message("Operation")));
        for (name, kind) in
            [("operation", Kind::Text), ("error", Kind::OneOf(&[""])), ("error_code", Kind::Number(0))]
        {
            started["properties"][name] = schema(kind);
        }
        json!({"description": "It goes on.", "content": content(started)})
    };
    let plain = json!({"text/plain": {"schema": {"type": "string"}}});
    let answers = match route.answer {
        Answer::Sync(kind) => vec![("200", sync(kind))],
        Answer::Async => vec![("202", started())],
        Answer::CreatedOrAsync => vec![("201", sync(Kind::Nothing)), ("202", started())],
        Answer::Bare => {
            vec![("200", json!({"description": "It is done.", "content": content(schema(Kind::Map))}))]
        }
        Answer::Plain => vec![("200", json!({"description": "It is done.", "content": plain}))],
        Answer::Upgrade => vec![("101", json!({"description": "A websocket."}))],
    };
    let refused =
        json!({"description": "It is not done.", "content": content(schema(Kind::Message("Error")))});
    let answers = answers.into_iter().chain([("default", refused)]);
    let answers: Map<String, Value> = answers.map(|(code, answer)| (code.to_owned(), answer)).collect();
    let mut method = json!({
        "operationId": route.id,
        "summary": route.about,
        "parameters": queried.collect::<Vec<_>>(),
        "responses": answers,
    });
    if let Some(body) = route.body {
        method["requestBody"] =
            json!({"required": route.http == "post", "content": content(schema(Kind::Message(body)))});
    }
    method
}

/// What is around the metadata of an answer.
fn envelope(kind: &str, status: &str, code: u32, metadata: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["type", "status", "status_code", "metadata"],
        "additionalProperties": false,
        "properties": {
            "type": {"type": "string", "enum": [kind]},
            "status": {"type": "string", "enum": [status]},
            "status_code": {"type": "integer", "minimum": code, "maximum": code},
            "metadata": metadata,
        },
    })
}

fn object(message: &Message) -> Value {
    let mut properties: Map<String, Value> = Map::new();
    let mut required = Vec::new();
    for (name, kind, is_always, about) in message.fields {
        let mut schema = schema(*kind);
        schema["description"] = (*about).into();
        properties.insert((*name).to_owned(), schema);
        if *is_always {
            required.push(*name);
        }
    }
    json!({"type": "object", "description": message.about, "properties": properties, "required": required,
           "additionalProperties": false})
}

fn schema(kind: Kind) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let id = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
    match kind {
        Kind::Text => json!({"type": "string", "maxLength": METADATA_BYTES_MAX}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Form(form) => json!({"type": "string", "pattern": form}),
        Kind::Id => json!({"type": "string", "format": "uuid", "pattern": id}),
        Kind::Class => json!({"type": "string", "enum": Class::ALL.map(Class::as_str)}),
        Kind::Status => json!({"type": "string", "enum": Status::ALL.map(Status::as_str)}),
        Kind::StatusCode => json!({"type": "integer", "enum": Status::ALL.map(Status::code)}),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::Number(max) => json!({"type": "integer", "minimum": 0, "maximum": max}),
        Kind::Count(max) => json!({"type": "integer", "minimum": 1, "maximum": max}),
        Kind::Seconds(max) => json!({"type": "number", "minimum": 0, "maximum": max}),
        Kind::Limit => json!({"type": "integer", "minimum": -1, "maximum": 1_000_000}),
        Kind::Sequence => json!({"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64}),
        Kind::Fingerprint => json!({"type": "string", "pattern": "^[0-9a-f]{1,64}$"}),
        Kind::Truth => json!({"type": "boolean"}),
        Kind::OneOf(choices) => json!({"type": "string", "enum": choices}),
        Kind::Urls => {
            json!({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}})
        }
        Kind::Map => json!({"type": "object"}),
        Kind::MapOrNull => json!({"type": ["object", "null"]}),
        Kind::Nothing => json!({"type": "object", "additionalProperties": false}),
        Kind::Message(name) => reference(name),
        Kind::Messages(name) => json!({"type": "array", "items": reference(name)}),
        Kind::Certificates => {
            json!({"type": "array", "items": {"oneOf": [{"type": "string"}, reference("Certificate")]}})
        }
        Kind::Lists => {
            let list =
                json!({"type": "array", "items": {"oneOf": [{"type": "string"}, reference("Operation")]}});
            let keys = Status::ALL.map(|status| (status.key().to_owned(), list.clone()));
            json!({"type": "object", "additionalProperties": false, "properties": Map::from_iter(keys)})
        }
    }
}
