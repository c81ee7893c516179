//! Bodies of requests: read, and what one that starts something says.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use charms_reactive_core::operation::{Class, OperationId};
use charms_reactive_operations::{Draft, Metadata, OnConflict, Resources};
use serde_json::Value;

use super::answer::Problem;
use super::kind::Kinds;

/// How much of a body that is too long is thrown away, so that the client has said all and reads the answer.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a body may take.
const READ_MAX: Duration = Duration::from_secs(30);

/// How long one may be of somebody who is not trusted.
pub(super) const STRANGER_BYTES_MAX: usize = 64 * 1024;

/// A whole body of this length at most.
pub(crate) async fn read(body: Body, max: usize) -> Result<Vec<u8>, Problem> {
    let read = tokio::time::timeout(READ_MAX, read_all(body, max)).await;
    read.unwrap_or_else(|_| Err(Problem::new(408, "the body took too long")))
}

async fn read_all(mut body: Body, max: usize) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Problem::new(400, "the body is broken off"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= max {
            bytes.extend_from_slice(&data);
        } else if length > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if length > max {
        return Err(Problem::new(413, format!("the body is longer than {max} bytes")));
    }
    Ok(bytes)
}

/// How long it may be: all of it is kept.
const BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    input: Value,
    #[serde(default)]
    entity_url: Option<String>,
    #[serde(default)]
    resources: Resources,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    on_conflict: Option<String>,
    #[serde(default)]
    may_cancel: Option<bool>,
    #[serde(default)]
    wake: bool,
}

/// The operation that a body asks for, in a project.
pub(super) fn draft(body: &[u8], kinds: &Kinds, project: &str) -> Result<Draft, Problem> {
    let bad = |text: String| Problem::new(400, text);
    if body.len() > BYTES_MAX {
        return Err(Problem::new(413, format!("the body is longer than {BYTES_MAX} bytes")));
    }
    let start: Start = serde_json::from_slice(body).map_err(|error| {
        bad(format!("body is not valid, expected JSON like {{\"kind\": \"demo\"}}: {error}"))
    })?;
    let kind = kinds.get(&start.kind).ok_or_else(|| {
        bad(format!("no kind of work `{}`, expected one of: {}", start.kind, kinds.names().join(", ")))
    })?;
    check_entity(kind.entity(), start.entity_url.as_deref(), &start.kind)?;
    let class = start.class.map(|class| Class::of(&class).ok_or(class)).transpose();
    let class = class.map_err(|class| bad(format!("Unknown operation class \"{class}\"")))?;
    let mut draft =
        kind.draft(class, start.input).map_err(|text| bad(format!("input is not valid: {text}")))?;
    draft.id = match start.id {
        Some(id) => Some(OperationId::parse(&id).map_err(|error| bad(error.to_string()))?),
        None => None,
    };
    draft.on_conflict = match start.on_conflict.as_deref() {
        None | Some("fail") => OnConflict::Fail,
        Some("join") => OnConflict::Join,
        Some("replace") => OnConflict::Replace,
        Some(other) => {
            return Err(bad(format!(
                "on_conflict `{other}` is not valid, expected `fail`, `join` or `replace`"
            )));
        }
    };
    if let Some(description) = start.description {
        draft.description = description;
    }
    draft.project = Some(project.to_owned());
    for child in &mut draft.children {
        child.project.clone_from(&draft.project);
    }
    draft.entity_url = start.entity_url;
    draft.resources = start.resources;
    draft.metadata = start.metadata;
    draft.reference = start.reference;
    draft.may_cancel = start.may_cancel.unwrap_or(true);
    draft.in_outbox = start.wake;
    Ok(draft)
}

/// Whether a URL is of the entity that a kind of work is about.
fn check_entity(entity: Option<&str>, url: Option<&str>, kind: &str) -> Result<(), Problem> {
    let (Some(entity), url) = (entity, url) else { return Ok(()) };
    let bad = |text: String| Err(Problem::new(400, format!("Failed validating operation arguments: {text}")));
    let Some(url) = url else { return bad("Operation entity URL required".to_owned()) };
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.strip_prefix("/1.0/").and_then(|rest| rest.strip_prefix(entity)?.strip_prefix('/'));
    if name.is_some_and(|name| !name.is_empty()) {
        return Ok(());
    }
    bad(format!(
        "Entity type for URL \"{url}\" does not match operation entity type \"{entity}\" of `{kind}`"
    ))
}

/// Why somebody cancels: `{"reason": "..."}`; clients of LXD say nothing, or `""`, or `{}`.
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("reason")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use charms_reactive_core::operation::End;

    use super::super::kind::{Kind, Work};
    use super::*;

    struct Backup;

    impl Kind for Backup {
        fn name(&self) -> &'static str {
            "backup"
        }

        fn entity(&self) -> Option<&'static str> {
            Some("databases")
        }

        fn draft(&self, class: Option<Class>, _: Value) -> Result<Draft, String> {
            Ok(Draft::new(self.name(), class.unwrap_or(Class::Task), "Backup"))
        }

        fn run(&self, _: Work) -> Pin<Box<dyn Future<Output = End> + Send>> {
            Box::pin(std::future::ready(End::Success))
        }
    }

    #[test]
    fn what_an_operation_is_about_has_to_be_of_its_kind() {
        let kinds = Kinds::standard().with(Backup);
        let check = |kind: &str, url: Value| {
            let body = serde_json::json!({"kind": kind, "entity_url": url}).to_string();
            draft(body.as_bytes(), &kinds, "default").map(|draft| draft.entity_url)
        };
        for url in ["/1.0/databases/a", "/1.0/databases/a/tables/b", "/1.0/databases/a?project=p"] {
            assert_eq!(check("backup", url.into()), Ok(Some(url.to_owned())));
        }
        let refused =
            |text: &str| Err(Problem::new(400, format!("Failed validating operation arguments: {text}")));
        assert_eq!(check("backup", Value::Null), refused("Operation entity URL required"));
        for url in ["/1.0/instances/a", "/1.0/databases", "/1.0/databases/", "/1.0/databasesx/a", "x"] {
            let text = format!(
                "Entity type for URL \"{url}\" does not match operation entity type \"databases\" of `backup`"
            );
            assert_eq!(check("backup", url.into()), refused(&text));
        }
        assert_eq!(check("demo", Value::Null), Ok(None), "it is about nothing");
        assert_eq!(check("demo", "/1.0/x".into()), Ok(Some("/1.0/x".to_owned())));
    }
}
