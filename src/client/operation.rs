//! An operation as a server tells it.

use std::collections::BTreeMap;

use charms_reactive_core::operation::{Class, Requestor, Status};
use charms_reactive_core::waiter::Moment;
use serde_json::{Map, Value};

use crate::error::ClientError;

/// An operation as a server tells it: what is not told, or not understood, is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its id, mostly a UUID.
    pub id: String,
    /// How it lives; None where the server has a class that we do not know.
    pub class: Option<Class>,
    /// What it is, for a person.
    pub description: String,
    /// How far it is.
    pub status: Status,
    /// Since when it is there.
    pub created: Option<Moment>,
    /// When it changed last.
    pub updated: Option<Moment>,
    /// What it is about: kind, and URLs.
    pub resources: BTreeMap<String, Vec<String>>,
    /// What it says of itself.
    pub metadata: Map<String, Value>,
    /// Whether it can be cancelled.
    pub may_cancel: bool,
    /// Why it did not succeed; may be empty all the same.
    pub err: String,
    /// The same as a number of HTTP; 0: none.
    pub err_code: u16,
    /// How many children it has.
    pub child_count: usize,
    /// The server that runs it; empty where there is but one.
    pub location: String,
    /// Who asked for it.
    pub requestor: Option<Requestor>,
    /// Its children, where they were asked for.
    pub children: Vec<Operation>,
    /// All that was told.
    pub raw: Value,
}

/// How far the work of an operation is, as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it is at: `create_instance_from_image_unpack`.
    pub stage: String,
    /// The same for a person, with numbers: `Unpack: 40% (25.15MB/s)`.
    pub line: String,
    /// How much of a hundred is done.
    pub percent: Option<u8>,
    /// How much is done, where nobody knows of how much: mostly bytes.
    pub processed: Option<u64>,
    /// How much a second.
    pub rate: Option<u64>,
}

impl Operation {
    /// Reads what a server tells.
    ///
    /// # Errors
    ///
    /// What it is instead: only an object with an `id` is an operation.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let Some(id) = value["id"].as_str().filter(|id| !id.is_empty()) else {
            let shown: String = value.to_string().chars().take(80).collect();
            return Err(format!("`{shown}` is no operation, expected an object with an `id`"));
        };
        let urls = |list: &Value| list.as_array().into_iter().flatten().map(text).collect();
        let resources = value["resources"].as_object().into_iter().flatten();
        let location = value["location"].as_str().filter(|name| *name != "none");
        let children = value["children"].as_array().map_or(&[][..], Vec::as_slice);
        let children = children.iter().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        let moment = |key: &str| Moment::parse(value[key].as_str()?).ok();
        let count = value["child_count"].as_u64().and_then(|count| usize::try_from(count).ok());
        Ok(Self {
            id: id.to_owned(),
            class: value["class"].as_str().and_then(Class::of),
            description: text(&value["description"]),
            status: status(value),
            created: moment("created_at"),
            updated: moment("updated_at"),
            resources: resources.map(|(kind, list)| (kind.clone(), urls(list))).collect(),
            metadata: value["metadata"].as_object().cloned().unwrap_or_default(),
            may_cancel: value["may_cancel"] == true,
            err: text(&value["err"]),
            err_code: value["err_code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(0),
            child_count: count.unwrap_or(children.len()),
            location: location.unwrap_or_default().to_owned(),
            requestor: value["requestor"].is_object().then(|| Requestor {
                username: text(&value["requestor"]["username"]),
                protocol: text(&value["requestor"]["protocol"]),
                address: text(&value["requestor"]["address"]),
            }),
            children,
            raw: value.clone(),
        })
    }

    /// Whether it is over.
    pub fn is_final(&self) -> bool {
        self.status.is_final()
    }

    /// Why it did not succeed, in words that are never empty.
    pub fn reason(&self) -> &str {
        if self.err.is_empty() { "the server does not say why" } else { &self.err }
    }

    /// The operation, unless it ended without success.
    ///
    /// # Errors
    ///
    /// [`ClientError::Failed`] and [`ClientError::Cancelled`], with the operation.
    pub fn or_error(self) -> Result<Self, ClientError> {
        match self.status {
            Status::Failure => Err(ClientError::Failed(Box::new(self))),
            Status::Cancelled => Err(ClientError::Cancelled(Box::new(self))),
            _ => Ok(self),
        }
    }

    /// How far its work is; None where it says nothing of that.
    pub fn progress(&self) -> Option<Progress> {
        let line = self.metadata.iter().find(|(key, value)| key.ends_with("_progress") && value.is_string());
        let parts = self.metadata.get("progress").and_then(Value::as_object);
        if line.is_none() && parts.is_none() {
            return None;
        }
        // Numbers come as texts, and not always.
        let number = |key: &str| match parts?.get(key)? {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let stage = parts.and_then(|parts| parts.get("stage")?.as_str());
        let stage = stage.or_else(|| line.and_then(|(key, _)| key.strip_suffix("_progress")));
        let line = line.and_then(|(_, value)| value.as_str()).unwrap_or_default();
        let percent = number("percent").filter(|percent| *percent <= 100);
        let processed = number("processed");
        // At the very beginning there is no number in the parts.
        let in_line = || percent_in(line).filter(|_| processed.is_none());
        Some(Progress {
            stage: stage.unwrap_or_default().to_owned(),
            line: line.to_owned(),
            percent: percent.and_then(|percent| u8::try_from(percent).ok()).or_else(in_line),
            processed,
            rate: number("speed").filter(|rate| *rate > 0),
        })
    }
}

/// The status, by its number, which is what counts, else by its word.
fn status(value: &Value) -> Status {
    let by_word = || Status::ALL.into_iter().find(|status| value["status"] == status.as_str());
    match value["status_code"].as_u64().and_then(|code| u16::try_from(code).ok()) {
        Some(code) => Status::of(code).unwrap_or(match code {
            0..200 => Status::Running,
            200..400 => Status::Success,
            _ => Status::Failure,
        }),
        None => by_word().unwrap_or(Status::Running),
    }
}

/// `Unpack: 40% (2/s)` is 40.
fn percent_in(line: &str) -> Option<u8> {
    let (before, _) = line.split_once('%')?;
    let digits = before.rsplit(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operation_is_typed_and_its_json_is_kept() {
        // As LXD 5.0.2 tells it.
        let value = json!({
            "id": "08785375-47b2-42ee-89ef-5bc30b917d39", "class": "task", "description": "Downloading image",
            "created_at": "2026-11-21T07:19:21.106540688Z", "updated_at": "2026-11-21T08:19:21.1+01:00",
            "status": "Running", "status_code": 103, "resources": {"images": ["/1.0/images/a"]},
            "metadata": {"download_progress": "rootfs: 4% (1.2MB/s)"}, "may_cancel": false, "err": "",
            "location": "none", "new": 1,
        });
        let operation = Operation::parse(&value).expect("an operation");
        assert_eq!((operation.class, operation.status), (Some(Class::Task), Status::Running));
        assert_eq!(operation.resources["images"], ["/1.0/images/a"]);
        let (created, updated) = (operation.created.expect("a time"), operation.updated.expect("a time"));
        assert!(updated < created, "{updated} {created}");
        assert_eq!((operation.location.as_str(), operation.requestor.clone()), ("", None));
        assert_eq!(operation.raw["new"], 1);
        let progress = operation.progress().expect("progress");
        assert_eq!((progress.stage.as_str(), progress.percent), ("download", Some(4)));
    }

    #[test]
    fn little_is_enough_and_nonsense_is_none() {
        let least =
            Operation::parse(&json!({"id": "x", "resources": null, "metadata": null})).expect("least");
        assert_eq!((least.status, least.class, least.is_final()), (Status::Running, None, false));
        for value in [json!(null), json!({}), json!([]), json!({"id": ""}), json!({"id": 5}), json!("x")] {
            assert!(Operation::parse(&value).is_err(), "{value}");
        }
        let child = json!({"id": "x", "children": [{}]});
        assert!(Operation::parse(&child).expect_err("a child").starts_with("`{}` is no operation"));
    }

    #[test]
    fn numbers_of_other_servers_are_understood() {
        let status = |value| Operation::parse(&value).expect("an operation").status;
        assert_eq!(status(json!({"id": "x", "status_code": 101})), Status::Running);
        assert_eq!(status(json!({"id": "x", "status_code": 499})), Status::Failure);
        assert_eq!(status(json!({"id": "x", "status": "Cancelled"})), Status::Cancelled);
        // The number counts.
        assert_eq!(status(json!({"id": "x", "status": "Success", "status_code": 400})), Status::Failure);
    }

    #[test]
    fn progress_is_read_in_every_form() {
        let progress = |metadata: Value| {
            Operation::parse(&json!({"id": "x", "metadata": metadata})).expect("an operation").progress()
        };
        let whole = progress(json!({
            "create_instance_from_image_unpack_progress": "Unpack: 100% (25.15MB/s)",
            "progress": {"percent": "100", "speed": "25146269", "stage": "create_instance_from_image_unpack"},
        }));
        let expected = Progress {
            stage: "create_instance_from_image_unpack".to_owned(),
            line: "Unpack: 100% (25.15MB/s)".to_owned(),
            percent: Some(100),
            processed: None,
            rate: Some(25_146_269),
        };
        assert_eq!(whole, Some(expected));
        let bytes =
            progress(json!({"copy_progress": "7MB", "progress": {"processed": 7_000_000, "stage": "copy"}}));
        assert_eq!(bytes.map(|bytes| (bytes.percent, bytes.processed)), Some((None, Some(7_000_000))));
        // Percent once held bytes.
        let wrong = progress(json!({"progress": {"percent": "5000"}}));
        assert_eq!(wrong.map(|wrong| wrong.percent), Some(None));
        assert_eq!(progress(json!({"fds": {}})), None);
    }

    #[test]
    fn the_end_is_an_error_of_its_own_kind() {
        let ended = |code: u16, err: &str| {
            let value = json!({"id": "x", "status_code": code, "err": err});
            Operation::parse(&value).expect("an operation").or_error()
        };
        assert!(ended(200, "").is_ok() && ended(103, "").is_ok());
        let failed = ended(400, "boom").expect_err("failed");
        assert_eq!(failed.to_string(), "operation `x` failed: boom");
        let cancelled = ended(401, "").expect_err("cancelled");
        assert_eq!(cancelled.to_string(), "operation `x` was cancelled: the server does not say why");
        assert!(matches!(cancelled, ClientError::Cancelled(operation) if operation.id == "x"));
    }
}
