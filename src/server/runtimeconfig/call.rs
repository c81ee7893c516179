//! A request that was understood: which method, of what.

use charms_reactive_core::waiter::{Cardinality, Moment, VariablePath, WaiterName, parse_span};
use serde_json::Value;

use super::body::Message;
use super::error::{ApiError, Code};
use super::page::Page;
use super::query::{Presentation, Query, decoded};

/// How long the name of a project may be.
pub const PROJECT_BYTES_MAX: usize = 100;
/// How long the content of a variable may be.
pub(super) const CONTENT_BYTES_MAX: usize = 4095;
/// How long a policy may be.
const POLICY_BYTES_MAX: usize = 64 * 1024;

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// `GET`, `POST`, ...
    pub method: &'a str,
    /// Still percent-encoded.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The name of a config, with its project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigName {
    pub(super) project: String,
    pub(super) config: WaiterName,
}

impl ConfigName {
    fn parse(project: &str, config: &str) -> Result<Self, ApiError> {
        let config =
            WaiterName::parse(config).map_err(|error| ApiError::invalid("name", error.to_string()))?;
        Ok(Self { project: parse_project(project)?, config })
    }

    /// `projects/P/configs/C`
    pub(super) fn full(&self) -> String {
        format!("projects/{}/configs/{}", self.project, self.config)
    }
}

/// What a variable holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A condition as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// The path as it was written: answers repeat it.
    pub(super) path: String,
    pub(super) cardinality: Cardinality,
}

/// A waiter as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub(super) success: Condition,
    pub(super) failure: Option<Condition>,
    pub(super) timeout: std::time::Duration,
}

/// What permissions are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The config itself.
    Config,
    /// A variable.
    Variable(VariablePath),
    /// A waiter, or its operation.
    Waiter(WaiterName),
}

/// A method with what it is about.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the methods and fields of the interface")]
pub enum Call {
    ConfigCreate {
        config: ConfigName,
        description: String,
        request_id: Option<String>,
    },
    ConfigGet {
        config: ConfigName,
    },
    ConfigList {
        project: String,
        page: Page,
    },
    ConfigUpdate {
        config: ConfigName,
        description: String,
    },
    ConfigDelete {
        config: ConfigName,
    },
    PolicyGet {
        config: ConfigName,
    },
    PolicySet {
        config: ConfigName,
        policy: Value,
    },
    TestPermissions {
        config: ConfigName,
        resource: Resource,
        permissions: Vec<String>,
    },
    VariableCreate {
        config: ConfigName,
        path: VariablePath,
        content: Content,
        request_id: Option<String>,
    },
    VariableGet {
        config: ConfigName,
        path: VariablePath,
    },
    VariableList {
        config: ConfigName,
        filter: VariablePath,
        has_values: bool,
        page: Page,
    },
    VariableUpdate {
        config: ConfigName,
        path: VariablePath,
        content: Content,
    },
    VariableDelete {
        config: ConfigName,
        path: VariablePath,
        is_recursive: bool,
    },
    VariableWatch {
        config: ConfigName,
        path: VariablePath,
        newer_than: Option<Moment>,
    },
    WaiterCreate {
        config: ConfigName,
        name: WaiterName,
        declared: Declared,
        request_id: Option<String>,
    },
    WaiterGet {
        config: ConfigName,
        name: WaiterName,
    },
    WaiterList {
        config: ConfigName,
        page: Page,
    },
    WaiterDelete {
        config: ConfigName,
        name: WaiterName,
    },
    OperationGet {
        config: ConfigName,
        name: WaiterName,
    },
    /// Version 1 lists operations of another kind, of which there are none.
    NothingList,
}

/// What a call is, for quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// It changes something.
    Write,
    /// It waits.
    Watch,
    /// Neither.
    Read,
}

impl Call {
    /// What it is, and of which project; None for the version that has none.
    pub fn kind(&self) -> Option<(&str, CallKind)> {
        let (project, kind) = match self {
            Self::NothingList => return None,
            Self::ConfigList { project, .. } => (project, CallKind::Read),
            Self::ConfigCreate { config, .. }
            | Self::ConfigUpdate { config, .. }
            | Self::ConfigDelete { config }
            | Self::PolicySet { config, .. }
            | Self::VariableCreate { config, .. }
            | Self::VariableUpdate { config, .. }
            | Self::VariableDelete { config, .. }
            | Self::WaiterCreate { config, .. }
            | Self::WaiterDelete { config, .. } => (&config.project, CallKind::Write),
            Self::VariableWatch { config, .. } => (&config.project, CallKind::Watch),
            Self::ConfigGet { config }
            | Self::PolicyGet { config }
            | Self::TestPermissions { config, .. }
            | Self::VariableGet { config, .. }
            | Self::VariableList { config, .. }
            | Self::WaiterGet { config, .. }
            | Self::WaiterList { config, .. }
            | Self::OperationGet { config, .. } => (&config.project, CallKind::Read),
        };
        Some((project, kind))
    }

    /// Understands a request, and how its answer is to be written.
    ///
    /// How the answer is written is known even where the request is refused.
    pub fn parse(incoming: Incoming<'_>) -> (Presentation, Result<Self, ApiError>) {
        let query = match Query::parse(incoming.query) {
            Ok(query) => query,
            Err(error) => return (Presentation::default(), Err(error)),
        };
        match query.presentation() {
            Ok(presentation) => (presentation, read(incoming, &query)),
            Err(error) => (Presentation::default(), Err(error)),
        }
    }
}

fn read(incoming: Incoming<'_>, query: &Query) -> Result<Call, ApiError> {
    let not_found = || ApiError::from(Code::NotFound);
    let path = incoming.path.trim_start_matches('/');
    // The verb is what follows the last colon of the last segment; projects may have colons.
    let last = path.rfind('/').map_or(0, |at| at + 1);
    let (path, verb) = match path[last..].rfind(':') {
        Some(at) => (&path[..last + at], &path[last + at + 1..]),
        None => (path, ""),
    };
    let decode = |segment: &str| {
        decoded(segment).ok_or_else(|| ApiError::invalid("name", "not percent-encoded UTF-8"))
    };
    let segments: Vec<String> = path.split('/').map(decode).collect::<Result<_, _>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let Some((&version, names)) = segments.split_first() else { return Err(not_found()) };
    let method = incoming.method;
    if version == "v1" {
        return match (method, names, verb) {
            ("GET", ["operations"], "") => Ok(Call::NothingList),
            ("DELETE", ["operations", _, ..], "") | ("POST", ["operations", _, ..], "cancel") => {
                Err(Code::Unimplemented.into())
            }
            _ => Err(not_found()),
        };
    }
    let ["projects", project, "configs", rest @ ..] = names else { return Err(not_found()) };
    if version != "v1beta1" {
        return Err(not_found());
    }
    let page = || -> Result<Page, ApiError> {
        Ok(Page { size: query.page_size()?, token: query.text("pageToken") })
    };
    let body = incoming.body;
    let [config, rest @ ..] = rest else {
        let project = parse_project(project)?;
        return match (method, verb) {
            ("GET", "") => Ok(Call::ConfigList { project, page: page()? }),
            ("POST", "") => config_create(&project, body, query),
            _ => Err(not_found()),
        };
    };
    let config = ConfigName::parse(project, config)?;
    match (rest, method, verb) {
        ([], _, _) => of_config(config, method, verb, body),
        (["variables"], "GET", "") => Ok(Call::VariableList {
            filter: filter(&config, query)?,
            has_values: query.truth("returnValues")?,
            page: page()?,
            config,
        }),
        (["variables"], "POST", "") => variable_create(config, body, query),
        (["variables", tail @ ..], _, _) if !tail.is_empty() => {
            of_variable(config, parse_path("name", &tail.join("/"))?, method, verb, incoming, query)
        }
        (["waiters"], "GET", "") => Ok(Call::WaiterList { page: page()?, config }),
        (["waiters"], "POST", "") => waiter_create(config, body, query),
        (["waiters", name], "GET", "") => Ok(Call::WaiterGet { name: parse_name(name)?, config }),
        (["waiters", name], "DELETE", "") => Ok(Call::WaiterDelete { name: parse_name(name)?, config }),
        (["operations", "waiters", name], "GET", "") => {
            Ok(Call::OperationGet { name: parse_name(name)?, config })
        }
        (["waiters", name] | ["operations", "waiters", name], "POST", "testIamPermissions") => {
            test_permissions(config, Resource::Waiter(parse_name(name)?), body)
        }
        _ => Err(not_found()),
    }
}

fn of_config(config: ConfigName, method: &str, verb: &str, body: &[u8]) -> Result<Call, ApiError> {
    match (method, verb) {
        ("GET", "") => Ok(Call::ConfigGet { config }),
        ("PUT", "") => {
            let message = Message::parse("config", body, &["name", "description"])?;
            check_name(message.text("name")?, &config.full())?;
            Ok(Call::ConfigUpdate {
                description: message.text("description")?.unwrap_or_default().to_owned(),
                config,
            })
        }
        ("DELETE", "") => Ok(Call::ConfigDelete { config }),
        ("GET", "getIamPolicy") => Ok(Call::PolicyGet { config }),
        ("POST", "setIamPolicy") => {
            let message = Message::parse("request", body, &["policy", "updateMask"])?;
            let fields = ["version", "bindings", "etag", "auditConfigs"];
            let policy = message.message("policy", &fields)?;
            policy.ok_or_else(|| ApiError::invalid("policy", "missing"))?.text("etag")?;
            let policy = message.value("policy").cloned().unwrap_or_default();
            let bytes = policy.to_string().len();
            if bytes > POLICY_BYTES_MAX {
                return Err(ApiError::invalid(
                    "policy",
                    format!("{bytes} bytes, expected at most {POLICY_BYTES_MAX}"),
                ));
            }
            Ok(Call::PolicySet { config, policy })
        }
        ("POST", "testIamPermissions") => test_permissions(config, Resource::Config, body),
        _ => Err(Code::NotFound.into()),
    }
}

fn of_variable(
    config: ConfigName,
    path: VariablePath,
    method: &str,
    verb: &str,
    incoming: Incoming<'_>,
    query: &Query,
) -> Result<Call, ApiError> {
    match (method, verb) {
        ("GET", "") => Ok(Call::VariableGet { config, path }),
        ("PUT", "") => {
            let message = variable_message(incoming.body)?;
            if let Some(name) = message.text("name")?
                && variable_path(&config, name)? != path
            {
                return Err(ApiError::invalid("variable.name", "not the name in the URL"));
            }
            Ok(Call::VariableUpdate { config, path, content: content(&message)? })
        }
        ("DELETE", "") => Ok(Call::VariableDelete { config, path, is_recursive: query.truth("recursive")? }),
        ("POST", "watch") => {
            let message = Message::parse("request", incoming.body, &["newerThan"])?;
            let wrong = |error: &dyn std::fmt::Display| ApiError::invalid("newer_than", error.to_string());
            let newer_than =
                message.text("newerThan")?.map(Moment::parse).transpose().map_err(|error| wrong(&error))?;
            Ok(Call::VariableWatch { config, path, newer_than })
        }
        ("POST", "testIamPermissions") => test_permissions(config, Resource::Variable(path), incoming.body),
        _ => Err(Code::NotFound.into()),
    }
}

fn config_create(project: &str, body: &[u8], query: &Query) -> Result<Call, ApiError> {
    let message = Message::parse("config", body, &["name", "description"])?;
    let name = message.text("name")?.unwrap_or_default();
    let id = below(name, &format!("projects/{project}/configs/"));
    let id =
        id.ok_or_else(|| ApiError::invalid("config.name", "not the full name of a config of this project"))?;
    Ok(Call::ConfigCreate {
        config: ConfigName::parse(project, id)?,
        description: message.text("description")?.unwrap_or_default().to_owned(),
        request_id: query.request_id()?,
    })
}

fn variable_message(body: &[u8]) -> Result<Message, ApiError> {
    Message::parse("variable", body, &["name", "text", "value", "updateTime", "state"])
}

fn variable_create(config: ConfigName, body: &[u8], query: &Query) -> Result<Call, ApiError> {
    let message = variable_message(body)?;
    let path = variable_path(&config, message.text("name")?.unwrap_or_default())?;
    Ok(Call::VariableCreate { path, content: content(&message)?, request_id: query.request_id()?, config })
}

/// The path of a variable by its full name.
fn variable_path(config: &ConfigName, name: &str) -> Result<VariablePath, ApiError> {
    let path = below(name, &format!("{}/variables/", config.full()));
    let path = path.ok_or_else(|| {
        ApiError::invalid("variable.name", "not the full name of a variable of this config")
    })?;
    parse_path("variable.name", path)
}

fn content(message: &Message) -> Result<Content, ApiError> {
    let content = match (message.text("text")?, message.bytes("value")?) {
        (Some(text), None) => Content::Text(text.to_owned()),
        (None, Some(bytes)) => Content::Bytes(bytes),
        _ => return Err(ApiError::invalid("variable", "expected exactly one of `text` and `value`")),
    };
    let bytes = match &content {
        Content::Text(text) => text.len(),
        Content::Bytes(bytes) => bytes.len(),
    };
    if bytes > CONTENT_BYTES_MAX {
        return Err(ApiError::invalid("variable", format!("{bytes} bytes, expected less than 4096")));
    }
    Ok(content)
}

fn waiter_create(config: ConfigName, body: &[u8], query: &Query) -> Result<Call, ApiError> {
    let fields = ["name", "timeout", "failure", "success", "createTime", "done", "error"];
    let message = Message::parse("waiter", body, &fields)?;
    let id = below(message.text("name")?.unwrap_or_default(), &format!("{}/waiters/", config.full()));
    let id =
        id.ok_or_else(|| ApiError::invalid("waiter.name", "not the full name of a waiter of this config"))?;
    let name = parse_name(id)?;
    let timeout = message.text("timeout")?.ok_or_else(|| ApiError::invalid("waiter.timeout", "missing"))?;
    let timeout =
        parse_span(timeout).map_err(|error| ApiError::invalid("waiter.timeout", error.to_string()))?;
    let success = condition(&message, "success")?;
    let success = success.ok_or_else(|| ApiError::invalid("waiter.success", "missing"))?;
    let declared = Declared { success, failure: condition(&message, "failure")?, timeout };
    Ok(Call::WaiterCreate { name, declared, request_id: query.request_id()?, config })
}

fn condition(waiter: &Message, field: &str) -> Result<Option<Condition>, ApiError> {
    let Some(end) = waiter.message(field, &["cardinality"])? else { return Ok(None) };
    let place = format!("waiter.{field}.cardinality");
    let cardinality = end.message("cardinality", &["path", "number"])?;
    let cardinality = cardinality.ok_or_else(|| ApiError::invalid(&place, "missing"))?;
    let path = cardinality.text("path")?.unwrap_or_default().to_owned();
    let parsed = VariablePath::parse(&path).map_err(|error| ApiError::invalid(&place, error.to_string()))?;
    let number = cardinality.number("number")?.unwrap_or(1);
    Ok(Some(Condition { path, cardinality: Cardinality::new(parsed, number) }))
}

fn test_permissions(config: ConfigName, resource: Resource, body: &[u8]) -> Result<Call, ApiError> {
    let message = Message::parse("request", body, &["permissions"])?;
    let permissions = match message.value("permissions") {
        None => Vec::new(),
        Some(Value::Array(list)) => {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let texts: Option<Vec<String>> = list.iter().map(text).collect();
            let list = Value::from(list.clone());
            texts.ok_or_else(|| ApiError::mistyped("request.permissions", "TYPE_STRING", &list))?
        }
        Some(other) => return Err(ApiError::mistyped("request.permissions", "TYPE_STRING", other)),
    };
    if permissions.iter().any(|permission| permission.contains('*') || permission.len() > 200) {
        return Err(ApiError::invalid("permissions", "expected permissions by name, without `*`"));
    }
    Ok(Call::TestPermissions { config, resource, permissions })
}

/// The prefix that a list of variables is to be of.
///
/// Google documents one example, a full name in which `configs` is misspelt.
fn filter(config: &ConfigName, query: &Query) -> Result<VariablePath, ApiError> {
    let Some(text) = query.text("filter") else { return Ok(VariablePath::ROOT) };
    let text = text.strip_suffix("/*").unwrap_or(&text);
    let full = format!("{}/variables", config.full());
    let misspelt = full.replacen("/configs/", "/config/", 1);
    let path =
        match [&full, &misspelt].iter().find_map(|prefix| text.trim_start_matches('/').strip_prefix(*prefix))
        {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            _ if text.trim_start_matches('/').starts_with("projects/") => {
                return Err(ApiError::invalid("filter", "not the name of a variable of this config"));
            }
            _ => text,
        };
    if path.is_empty() { Ok(VariablePath::ROOT) } else { parse_subtree("filter", path) }
}

/// What follows `parent` in a full name; some clients write a slash in front.
fn below<'a>(name: &'a str, parent: &str) -> Option<&'a str> {
    name.strip_prefix('/').unwrap_or(name).strip_prefix(parent).filter(|rest| !rest.is_empty())
}

/// Checks the name in a body, which may be left out, against that in the URL.
fn check_name(found: Option<&str>, expected: &str) -> Result<(), ApiError> {
    match found {
        Some(name) if !name.is_empty() && name.strip_prefix('/').unwrap_or(name) != expected => {
            Err(ApiError::invalid("name", "not the name in the URL"))
        }
        _ => Ok(()),
    }
}

fn parse_project(text: &str) -> Result<String, ApiError> {
    let is_fine = !text.is_empty()
        && text.len() <= PROJECT_BYTES_MAX
        && text.chars().all(|letter| !letter.is_control() && !letter.is_whitespace() && letter != '/');
    if is_fine { Ok(text.to_owned()) } else { Err(ApiError::invalid("name", "not the name of a project")) }
}

fn parse_name(text: &str) -> Result<WaiterName, ApiError> {
    WaiterName::parse(text).map_err(|error| ApiError::invalid("name", error.to_string()))
}

fn parse_path(field: &str, text: &str) -> Result<VariablePath, ApiError> {
    VariablePath::parse_variable(text).map_err(|error| ApiError::invalid(field, error.to_string()))
}

fn parse_subtree(field: &str, text: &str) -> Result<VariablePath, ApiError> {
    VariablePath::parse(text).map_err(|error| ApiError::invalid(field, error.to_string()))
}
