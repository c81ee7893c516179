//! The description that Google's clients read.

use serde_json::{Map, Value, json};

use super::{Kind, MESSAGES, METHODS, Message, Method, PARAMETERS, Place};

/// Clients that ask for credentials ask for these.
const SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/cloudruntimeconfig"];

/// The discovery document of a server at `root`, for example `http://127.0.0.1:8080/`.
pub fn discovery(root: &str) -> Value {
    let methods = |prefix: &str| -> Map<String, Value> {
        let own = METHODS.iter().filter_map(|method| {
            let name = method.id.strip_prefix(prefix)?;
            (!name.contains('.')).then(|| (name.to_owned(), described(method)))
        });
        own.collect()
    };
    let lists = ["operations", "variables", "waiters"]
        .map(|list| (list.to_owned(), json!({ "methods": methods(&format!("{list}.")) })));
    let configs = json!({"methods": methods(""), "resources": Map::from_iter(lists)});
    let schemas: Map<String, Value> =
        MESSAGES.iter().map(|message| (message.name.to_owned(), schema(message))).collect();
    json!({
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "runtimeconfig:v1beta1",
        "name": "runtimeconfig",
        "version": "v1beta1",
        "title": "Runtime Configurator of charmd",
        "description": "Configs, variables and waiters.",
        "protocol": "rest",
        "rootUrl": root,
        "baseUrl": root,
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "fullyEncodeReservedExpansion": true,
        "auth": {"oauth2": {"scopes": Map::from_iter(SCOPES.map(|scope| {
            (scope.to_owned(), json!({"description": "Asked for by clients, and not looked at."}))
        }))}},
        "parameters": common(),
        "resources": {"projects": {"resources": {"configs": configs}}},
        "schemas": schemas,
    })
}

/// What every request may say.
fn common() -> Value {
    let text = |about: &str| json!({"type": "string", "location": "query", "description": about});
    let ignored = || text("Taken, and not looked at.");
    json!({
        "$.xgafv": {"type": "string", "location": "query", "enum": ["1", "2"],
                    "enumDescriptions": ["errors in both forms", "errors in the new form alone"],
                    "description": "The form of errors."},
        "access_token": ignored(),
        "alt": {"type": "string", "location": "query", "default": "json", "enum": ["json", "media", "proto"],
                "enumDescriptions": ["JSON", "not served", "not served"], "description": "The form of answers."},
        "callback": ignored(),
        "fields": text("Which fields of the answer are wanted: `name`, or `variables(name,text),nextPageToken`."),
        "key": ignored(),
        "oauth_token": ignored(),
        "prettyPrint": {"type": "boolean", "location": "query", "default": "true",
                        "description": "Whether answers are indented."},
        "quotaUser": ignored(),
        "uploadType": ignored(),
        "upload_protocol": ignored(),
    })
}

fn described(method: &Method) -> Value {
    let name = method.parameter();
    let place = json!({"type": "string", "location": "path", "required": true, "pattern": pattern(method.place),
                       "description": "The full name."});
    let queried = PARAMETERS.iter().filter(|parameter| method.query.contains(&parameter.name));
    let queried = queried.map(|parameter| {
        let mut value = of_kind(parameter.kind);
        value["location"] = "query".into();
        value["description"] = parameter.about.into();
        (parameter.name.to_owned(), value)
    });
    let parameters: Map<String, Value> = queried.chain([(name.to_owned(), place)]).collect();
    let mut described = json!({
        "id": format!("runtimeconfig.projects.configs.{}", method.id),
        "description": method.about,
        "httpMethod": method.http,
        "path": format!("v1beta1/{{+{name}}}{}", method.tail),
        "flatPath": method.flat_path(),
        "parameterOrder": [name],
        "parameters": parameters,
        "response": {"$ref": method.answer.0},
        "scopes": SCOPES,
    });
    if let Some((message, _)) = method.body {
        described["request"] = json!({ "$ref": message });
    }
    described
}

/// The form of full names.
fn pattern(place: Place) -> String {
    let parts = place.segments().iter().map(|(list, _)| {
        let is_deep = place.is_deep() && *list != "projects" && *list != "configs";
        format!("{list}/{}", if is_deep { ".*" } else { "[^/]+" })
    });
    format!("^{}$", parts.collect::<Vec<_>>().join("/"))
}

fn schema(message: &Message) -> Value {
    let fields: Map<String, Value> = message
        .fields
        .iter()
        .map(|field| {
            let mut value = of_kind(field.kind);
            if value.get("$ref").is_none() {
                value["description"] = field.about.into();
            }
            (field.name.to_owned(), value)
        })
        .collect();
    json!({"id": message.name, "type": "object", "description": message.about, "properties": fields})
}

fn of_kind(kind: Kind) -> Value {
    let anything = || json!({"type": "object", "additionalProperties": {"type": "any"}});
    match kind {
        Kind::Text | Kind::Form(..) | Kind::Short(_) => json!({"type": "string"}),
        Kind::Bytes => json!({"type": "string", "format": "byte"}),
        Kind::Time => json!({"type": "string", "format": "google-datetime"}),
        Kind::Span => json!({"type": "string", "format": "google-duration"}),
        Kind::Number => json!({"type": "integer", "format": "int32"}),
        Kind::Truth => json!({"type": "boolean"}),
        Kind::State => json!({
            "type": "string",
            "enum": ["VARIABLE_STATE_UNSPECIFIED", "UPDATED", "DELETED"],
            "enumDescriptions": ["nothing is said", "it was written", "it was removed"],
        }),
        Kind::Message(name) => json!({ "$ref": name }),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Messages(name) => json!({"type": "array", "items": {"$ref": name}}),
        Kind::Anything => anything(),
        Kind::Anythings => json!({"type": "array", "items": anything()}),
    }
}
