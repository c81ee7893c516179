//! The description in the form of OpenAPI.

use serde_json::{Map, Value, json};

use super::{
    CONFIG_FORM, Kind, MESSAGES, METHODS, Message, Method, OPERATION_FORM, PARAMETERS, PERMISSION_FORM,
    PROJECT_FORM, Place, VARIABLE_FORM,
};

/// The largest number on the wire.
const NUMBER_MAX: u32 = charms_reactive_core::waiter::NUMBER_MAX;

/// The interface as OpenAPI 3.1.
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for method in METHODS {
        let path = paths
            .entry(format!("/{}", method.flat_path()))
            .or_insert_with(|| json!({ "parameters": place_parameters(method.place) }));
        path[method.http.to_lowercase()] = operation(method);
    }
    let schemas = MESSAGES.iter().map(|message| (message.name.to_owned(), schema(message)));
    let schemas: Map<String, Value> = schemas.chain([("Error".to_owned(), error())]).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Runtime Configurator of charmd",
            "version": "v1beta1",
            "description": "Configs, variables and waiters, as Google's Runtime Configurator, v1beta1, has them.",
        },
        "servers": [{"url": "/", "description": "The socket or address of `charmd serve`."}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer",
                                          "description": "What `charmd serve --token-file` has."}},
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The names in a path.
fn place_parameters(place: Place) -> Value {
    let parameter = |(_, id): &(&str, &str)| {
        let (form, about) = match *id {
            "projectsId" => (PROJECT_FORM, "A project; it need not be made."),
            "variablesId" => {
                (VARIABLE_FORM, "The path of a variable; its slashes may be written as they are.")
            }
            "operationsId" => {
                (OPERATION_FORM, "`waiters/` and the name of a waiter, with the slash as it is.")
            }
            _ => (CONFIG_FORM, "A name."),
        };
        let mut schema = json!({"type": "string", "pattern": form});
        if form == VARIABLE_FORM {
            schema["maxLength"] = 255.into();
        }
        json!({"name": id, "in": "path", "required": true, "description": about, "schema": schema})
    };
    place.segments().iter().map(parameter).collect()
}

fn operation(method: &Method) -> Value {
    let queried = PARAMETERS.iter().filter(|parameter| method.query.contains(&parameter.name));
    let queried = queried.map(|parameter| {
        json!({"name": parameter.name, "in": "query", "description": parameter.about,
               "schema": of_kind(parameter.kind)})
    });
    let (answer, always) = method.answer;
    let mut operation = json!({
        "operationId": format!("projects.configs.{}", method.id),
        "summary": method.about,
        "parameters": queried.collect::<Vec<_>>(),
        "responses": {
            "200": {"description": "It is done.",
                    "content": {"application/json": {"schema": needing(reference(answer), always)}}},
            "default": {"description": "It is not.",
                        "content": {"application/json": {"schema": reference("Error")}}},
        },
    });
    if let Some((name, needed)) = method.body {
        let mut schema = needing(reference(name), needed);
        let message = MESSAGES.iter().find(|message| message.name == name);
        // Exactly one in a request; lists leave both out of answers.
        if let Some(Message { one_of: one_of @ [_, ..], .. }) = message {
            let one_of: Vec<Value> = one_of.iter().map(|name| json!({ "required": [name] })).collect();
            schema = json!({"allOf": [schema], "oneOf": one_of});
        }
        operation["requestBody"] =
            json!({"required": !needed.is_empty(), "content": {"application/json": {"schema": schema}}});
    }
    operation
}

/// A schema with fields that have to be there.
fn needing(schema: Value, needed: &[&str]) -> Value {
    if needed.is_empty() { schema } else { json!({"allOf": [schema], "required": needed}) }
}

fn schema(message: &Message) -> Value {
    let fields = message.fields.iter().map(|field| {
        let mut value = of_kind(field.kind);
        if message.name == "TestIamPermissionsRequest" {
            value["items"]["pattern"] = PERMISSION_FORM.into();
        }
        value["description"] = field.about.into();
        if field.is_output {
            value["readOnly"] = true.into();
        }
        (field.name.to_owned(), value)
    });
    let mut schema = json!({
        "type": "object",
        "description": message.about,
        "properties": fields.collect::<Map<String, Value>>(),
        "additionalProperties": false,
    });
    match message.name {
        "Cardinality" => schema["required"] = json!(["path"]),
        "EndCondition" => schema["required"] = json!(["cardinality"]),
        _ => {}
    }
    schema
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Form(form, max) => json!({"type": "string", "pattern": form, "maxLength": max}),
        Kind::Short(max) => json!({"type": "string", "maxLength": max}),
        Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::Span => json!({"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?s$"}),
        Kind::Number => json!({"type": "integer", "minimum": 0, "maximum": NUMBER_MAX}),
        Kind::Truth => json!({"type": "boolean"}),
        Kind::State => {
            json!({"type": "string", "enum": ["VARIABLE_STATE_UNSPECIFIED", "UPDATED", "DELETED"]})
        }
        Kind::Message(name) => reference(name),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Messages(name) => json!({"type": "array", "items": reference(name)}),
        Kind::Anything => json!({"type": "object"}),
        Kind::Anythings => json!({"type": "array", "items": {"type": "object"}}),
    }
}

/// The body of every answer that is none.
fn error() -> Value {
    let texts = |names: &[&str]| -> Value {
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect::<Map<_, _>>().into()
    };
    let violation = json!({"type": "object", "required": ["field", "description"], "additionalProperties": false,
                           "properties": texts(&["field", "description"])});
    json!({
        "type": "object",
        "description": "Why it is not done.",
        "required": ["error"],
        "additionalProperties": false,
        "properties": {"error": {
            "type": "object",
            "required": ["code", "message", "status"],
            "additionalProperties": false,
            "properties": {
                "code": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The status of HTTP."},
                "message": {"type": "string", "description": "What Google's service would say."},
                "status": {"type": "string", "description": "A name of `google.rpc.Code`.", "enum": [
                    "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
                    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "UNIMPLEMENTED", "UNAVAILABLE",
                    "UNAUTHENTICATED",
                ]},
                "errors": {"type": "array", "description": "The same for old clients; not with `$.xgafv=2`.",
                           "items": {"type": "object", "additionalProperties": false,
                                     "required": ["message", "domain", "reason"],
                                     "properties": texts(&["message", "domain", "reason"])}},
                "details": {"type": "array", "description": "Which fields are wrong, and why.",
                            "items": {"type": "object", "required": ["@type", "fieldViolations"],
                                      "additionalProperties": false,
                                      "properties": {"@type": {"type": "string"},
                                                     "fieldViolations": {"type": "array", "items": violation}}}},
            },
        }},
    })
}
