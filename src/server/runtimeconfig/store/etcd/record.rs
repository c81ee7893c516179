//! Changes as JSON: what is kept under a key is the change that put it there.

use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charms_reactive_core::waiter::{
    Cardinality, Moment, Outcome, VariablePath, WaiterName, parse_span, span_text,
};
use serde_json::{Value, json};

use crate::runtimeconfig::call::{Condition, ConfigName, Content, Declared};
use crate::runtimeconfig::store::{Change, Request};
use crate::runtimeconfig::variable::Variable;
use crate::runtimeconfig::waiter::KeptWaiter;

/// A change as it is written.
pub(super) fn write(change: &Change) -> Value {
    match change {
        Change::PutConfig { uid, name, description, policy } => json!({
            "put": "config", "uid": uid, "project": name.project, "name": name.config.as_str(),
            "description": description, "policy": policy,
        }),
        Change::DropConfig { uid } => json!({"drop": "config", "uid": uid}),
        Change::PutVariable { config, path, variable } => {
            let mut value = json!({
                "put": "variable", "config": config, "path": path.as_str(),
                "created": variable.created.to_string(), "updated": variable.updated.to_string(),
            });
            match &variable.content {
                Content::Text(text) => value["text"] = text.clone().into(),
                Content::Bytes(bytes) => value["bytes"] = STANDARD.encode(bytes).into(),
            }
            value
        }
        Change::DropVariable { config, path } => {
            json!({"drop": "variable", "config": config, "path": path.as_str()})
        }
        Change::PutWaiter { config, name, waiter } => {
            let condition = |condition: &Condition| json!({"path": condition.path, "number": condition.cardinality.number});
            let mut value = json!({
                "put": "waiter", "config": config, "name": name.as_str(),
                "success": condition(&waiter.declared.success), "timeout": span_text(waiter.declared.timeout),
                "created": waiter.created.to_string(),
            });
            if let Some(failure) = &waiter.declared.failure {
                value["failure"] = condition(failure);
            }
            if let Some((outcome, at)) = waiter.ended {
                value["outcome"] = outcome.as_str().into();
                value["ended"] = at.to_string().into();
            }
            value
        }
        Change::DropWaiter { config, name } => {
            json!({"drop": "waiter", "config": config, "name": name.as_str()})
        }
        Change::PutRequest(Request { list, id, name, at }) => {
            json!({"put": "request", "list": list, "id": id, "name": name, "at": at.to_string()})
        }
        Change::DropRequest { list, id } => json!({"drop": "request", "list": list, "id": id}),
    }
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) String);

impl<E: std::error::Error> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A record of fields, each named by the reader.
struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    fn wrong(field: &str, expected: impl Display) -> Unreadable {
        Unreadable(format!("`{field}` is not {expected}"))
    }

    fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some()
    }

    fn text(&self, field: &str) -> Result<&'a str, Unreadable> {
        self.0.get(field).and_then(Value::as_str).ok_or_else(|| Self::wrong(field, "a text"))
    }

    fn integer(&self, field: &str) -> Result<i64, Unreadable> {
        self.0.get(field).and_then(Value::as_i64).ok_or_else(|| Self::wrong(field, "a number"))
    }

    fn moment(&self, field: &str) -> Result<Moment, Unreadable> {
        Ok(Moment::parse(self.text(field)?)?)
    }

    fn path(&self) -> Result<VariablePath, Unreadable> {
        Ok(VariablePath::parse_variable(self.text("path")?)?)
    }

    fn name(&self) -> Result<WaiterName, Unreadable> {
        Ok(WaiterName::parse(self.text("name")?)?)
    }

    fn condition(&self, field: &str) -> Result<Condition, Unreadable> {
        let fields = Fields(self.0.get(field).ok_or_else(|| Self::wrong(field, "a condition"))?);
        let path = fields.text("path")?.to_owned();
        let number = u32::try_from(fields.integer("number")?)?;
        Ok(Condition { cardinality: Cardinality::new(VariablePath::parse(&path)?, number), path })
    }

    fn variable(&self) -> Result<Variable, Unreadable> {
        let content = if self.has("text") {
            Content::Text(self.text("text")?.to_owned())
        } else {
            Content::Bytes(STANDARD.decode(self.text("bytes")?)?)
        };
        Ok(Variable { content, created: self.moment("created")?, updated: self.moment("updated")? })
    }

    fn waiter(&self) -> Result<KeptWaiter, Unreadable> {
        let failure = self.has("failure").then(|| self.condition("failure")).transpose()?;
        let timeout = parse_span(self.text("timeout")?)?;
        let ended = if self.has("outcome") {
            let text = self.text("outcome")?;
            let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
            Some((outcome.ok_or_else(|| Self::wrong("outcome", "one"))?, self.moment("ended")?))
        } else {
            None
        };
        let declared = Declared { success: self.condition("success")?, failure, timeout };
        Ok(KeptWaiter { declared, created: self.moment("created")?, ended })
    }
}

/// The change that was written so.
pub(super) fn read(value: &Value) -> Result<Change, Unreadable> {
    let fields = Fields(value);
    let config = || fields.integer("config");
    let kind = |deed| value.get(deed).and_then(Value::as_str);
    Ok(match (kind("put"), kind("drop")) {
        (Some("config"), None) => Change::PutConfig {
            uid: fields.integer("uid")?,
            name: ConfigName { project: fields.text("project")?.to_owned(), config: fields.name()? },
            description: fields.text("description")?.to_owned(),
            policy: value.get("policy").cloned().unwrap_or_default(),
        },
        (None, Some("config")) => Change::DropConfig { uid: fields.integer("uid")? },
        (Some("variable"), None) => {
            Change::PutVariable { config: config()?, path: fields.path()?, variable: fields.variable()? }
        }
        (None, Some("variable")) => Change::DropVariable { config: config()?, path: fields.path()? },
        (Some("waiter"), None) => {
            Change::PutWaiter { config: config()?, name: fields.name()?, waiter: Box::new(fields.waiter()?) }
        }
        (None, Some("waiter")) => Change::DropWaiter { config: config()?, name: fields.name()? },
        (Some("request"), None) => Change::PutRequest(Request {
            list: fields.text("list")?.to_owned(),
            id: fields.text("id")?.to_owned(),
            name: fields.text("name")?.to_owned(),
            at: fields.moment("at")?,
        }),
        (None, Some("request")) => {
            Change::DropRequest { list: fields.text("list")?.to_owned(), id: fields.text("id")?.to_owned() }
        }
        _ => return Err(Unreadable("neither `put` nor `drop` of a kind that is known".to_owned())),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    pub(in super::super) fn path(text: &str) -> VariablePath {
        VariablePath::parse_variable(text).expect("a path")
    }

    pub(in super::super) fn variable(config: i64, text: &str) -> Change {
        let at = Moment::from_unix(Duration::from_secs(1));
        let variable = Variable { content: Content::Text("x".to_owned()), created: at, updated: at };
        Change::PutVariable { config, path: path(text), variable }
    }

    #[test]
    fn every_change_is_read_as_it_was_written() {
        let at = Moment::from_nanoseconds(1_234_567_890_123_456_789).expect("a moment");
        let name = || WaiterName::parse("w").expect("a name");
        let condition = |path: &str| Condition {
            path: path.to_owned(),
            cardinality: Cardinality::new(VariablePath::parse(path).expect("a path"), 3),
        };
        let waiter = |failure, ended| Change::PutWaiter {
            config: i64::MAX,
            name: name(),
            waiter: Box::new(KeptWaiter {
                declared: Declared {
                    success: condition("//a/"),
                    failure,
                    timeout: Duration::from_millis(1500),
                },
                created: at,
                ended,
            }),
        };
        let bytes = Variable { content: Content::Bytes(vec![0, 255]), created: at, updated: at.next() };
        let all = [
            Change::PutConfig {
                uid: i64::MAX,
                name: ConfigName { project: "a:\u{e9}".to_owned(), config: name() },
                description: "\u{0}\"".to_owned(),
                policy: json!({"etag": "x"}),
            },
            Change::DropConfig { uid: 7 },
            variable(7, "a/b"),
            Change::PutVariable { config: 7, path: path("b"), variable: bytes },
            Change::DropVariable { config: 7, path: path("a") },
            waiter(None, None),
            waiter(Some(condition("b")), Some((Outcome::Timeout, at))),
            Change::DropWaiter { config: 7, name: name() },
            Change::PutRequest(Request {
                list: "7 variables".to_owned(),
                id: "r/1".to_owned(),
                name: "a".to_owned(),
                at,
            }),
            Change::DropRequest { list: "7 variables".to_owned(), id: "r/1".to_owned() },
        ];
        for change in all {
            let text = write(&change).to_string();
            assert_eq!(read(&serde_json::from_str(&text).expect("JSON")), Ok(change), "{text}");
        }
    }

    #[test]
    fn what_others_wrote_there_is_refused() {
        for text in [
            "null",
            "[]",
            r#"{"put": "horse"}"#,
            r#"{"put": "variable", "config": 1, "path": "a//b/.", "text": "x"}"#,
            r#"{"put": "variable", "config": "1", "path": "a", "text": "x"}"#,
            r#"{"put": "waiter", "config": 1, "name": "w", "success": {"path": "/", "number": -1}}"#,
            r#"{"drop": "config", "uid": 1e30}"#,
        ] {
            assert!(read(&serde_json::from_str(text).expect("JSON")).is_err(), "`{text}`");
        }
    }
}
