//! The head: what was committed last, and behind what.

use serde_json::{Value, json};

use super::gateway::{decoded, integer};
use super::record::{self, Unreadable};
use crate::runtimeconfig::store::Change;

/// A commit, or a step of one that is carried out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    /// The revision of etcd that it has made.
    pub(super) revision: i64,
    /// That of the commit before it; 0 for the first.
    pub(super) before: i64,
    /// Tells it from all others.
    pub(super) id: String,
    /// The commit that is to be carried out, and how many of its operations are done.
    pub(super) journal: Option<(String, usize)>,
    /// None where there is a journal.
    pub(super) changes: Vec<Change>,
}

impl Head {
    /// Whether others have to be told of changes: not of a step.
    pub(super) fn is_commit(&self) -> bool {
        self.journal.as_ref().is_none_or(|(_, done)| *done == 0)
    }
}

/// The body of a head with changes.
pub(super) fn body(id: &str, before: i64, changes: &[Change]) -> Value {
    json!({"id": id, "before": before, "changes": list(changes)})
}

/// The body of a head with a journal.
pub(super) fn journal_body(id: &str, before: i64, journal: &str, done: usize) -> Value {
    json!({"id": id, "before": before, "journal": journal, "done": done})
}

/// The changes of a part of a journal.
pub(super) fn list(changes: &[Change]) -> Value {
    changes.iter().map(record::write).collect()
}

/// The changes that were written so.
pub(super) fn changes(list: &Value) -> Result<Vec<Change>, Unreadable> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(record::read).collect()
}

impl Head {
    /// The head as its key and value are.
    pub(super) fn read(pair: &Value) -> Result<Self, Unreadable> {
        let wrong = |why: &str| Unreadable(format!("the head {why}"));
        let text = decoded(&pair["value"]).ok_or_else(|| wrong("is no text"))?;
        let body: Value = serde_json::from_str(&text)?;
        let journal = match &body["journal"] {
            Value::Null => None,
            id => {
                let done = body["done"].as_u64().and_then(|done| usize::try_from(done).ok());
                let id = id.as_str().ok_or_else(|| wrong("has a journal without name"))?;
                Some((id.to_owned(), done.ok_or_else(|| wrong("counts wrong"))?))
            }
        };
        Ok(Self {
            revision: integer(&pair["mod_revision"]),
            before: body["before"].as_i64().ok_or_else(|| wrong("names none before it"))?,
            id: body["id"].as_str().ok_or_else(|| wrong("has no id"))?.to_owned(),
            journal,
            changes: changes(&body["changes"])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::encoded;
    use super::super::record::tests::variable;
    use super::*;

    fn pair(value: &str) -> Value {
        json!({"key": encoded("/head"), "value": encoded(value), "mod_revision": "7"})
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let all = vec![variable(1, "a"), variable(1, "b")];
        let head = |journal, changes| Head { revision: 7, before: 5, id: "x:1".to_owned(), journal, changes };
        let plain = Head::read(&pair(&body("x:1", 5, &all).to_string()));
        assert_eq!(plain, Ok(head(None, all)));
        assert!(plain.is_ok_and(|head| head.is_commit()));
        for done in [0, 2] {
            let found = Head::read(&pair(&journal_body("x:1", 5, "y:1", done).to_string()));
            assert_eq!(found, Ok(head(Some(("y:1".to_owned(), done)), Vec::new())));
            assert_eq!(found.is_ok_and(|head| head.is_commit()), done == 0);
        }
    }

    #[test]
    fn what_others_wrote_there_is_no_head() {
        for text in [
            "",
            "x",
            "[]",
            "{}",
            r#"{"id": 1, "before": 2}"#,
            r#"{"id": "x", "before": 2, "changes": [1]}"#,
            r#"{"id": "x", "before": 2, "journal": "y"}"#,
            r#"{"id": "x", "before": 2, "journal": "y", "done": -1}"#,
        ] {
            assert!(Head::read(&pair(text)).is_err(), "`{text}`");
        }
        assert!(Head::read(&json!({"key": encoded("/head"), "mod_revision": "7"})).is_err());
    }
}
