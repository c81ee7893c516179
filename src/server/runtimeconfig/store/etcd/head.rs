//! The head: what was committed last, and behind what.

use serde_json::{Value, json};

use super::gateway::{decoded, integer};
use super::plan::Keys;
use super::record::{self, Unreadable};
use crate::runtimeconfig::store::Change;

/// A commit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    /// The revision of etcd that it has made.
    pub(super) revision: i64,
    /// That of the commit before it; 0 for the first.
    pub(super) before: i64,
    /// Tells it from all others.
    pub(super) id: String,
    /// How many operations of the journal are done; None where there is nothing to be done any more.
    pub(super) done: Option<usize>,
    /// None are known for a step of the journal but the first.
    pub(super) changes: Vec<Change>,
}

/// The body of a head.
pub(super) fn body(id: &str, before: i64, done: Option<usize>, changes: &[Change]) -> Value {
    let mut body = json!({"id": id, "before": before});
    if let Some(done) = done {
        body["done"] = done.into();
    }
    if !changes.is_empty() {
        body["changes"] = list(changes);
    }
    body
}

/// The changes of a journal.
pub(super) fn list(changes: &[Change]) -> Value {
    changes.iter().map(record::write).collect()
}

fn changes(list: &Value) -> Result<Vec<Change>, Unreadable> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(record::read).collect()
}

impl Head {
    /// The head among keys with values, as they were at one time, or as one transaction has written them.
    pub(super) fn read(keys: &Keys, pairs: &[&Value]) -> Result<Self, Unreadable> {
        let find = |key: String| -> Option<&Value> {
            pairs.iter().find(|pair| decoded(&pair["key"]).as_deref() == Some(&key)).copied()
        };
        let wrong = |why: &str| Unreadable(format!("`{}` {why}", keys.head()));
        let parse = |pair: &Value| -> Result<Value, Unreadable> {
            let text = decoded(&pair["value"]).ok_or_else(|| wrong("is no text"))?;
            Ok(serde_json::from_str(&text)?)
        };
        let pair = find(keys.head()).ok_or_else(|| wrong("is not there"))?;
        let body = parse(pair)?;
        let done = match &body["done"] {
            Value::Null => None,
            done => Some(usize::try_from(done.as_u64().ok_or_else(|| wrong("counts wrong"))?)?),
        };
        let changes = match (done, find(keys.journal())) {
            (None, _) => changes(&body["changes"])?,
            (Some(_), Some(journal)) => changes(&parse(journal)?)?,
            (Some(0), None) => return Err(wrong("has no journal")),
            (Some(_), None) => Vec::new(),
        };
        Ok(Self {
            revision: integer(&pair["mod_revision"]),
            before: body["before"].as_i64().ok_or_else(|| wrong("names none before it"))?,
            id: body["id"].as_str().ok_or_else(|| wrong("has no id"))?.to_owned(),
            done,
            changes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::encoded;
    use super::super::record::tests::variable;
    use super::*;

    fn pair(key: &str, value: &Value) -> Value {
        json!({"key": encoded(key), "value": encoded(&value.to_string()), "mod_revision": "7"})
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let keys = Keys("/".to_owned());
        let all = vec![variable(1, "a"), variable(1, "b")];
        let head = |done, changes| Head { revision: 7, before: 5, id: "x:1".to_owned(), done, changes };
        let plain = pair("/head", &body("x:1", 5, None, &all));
        assert_eq!(Head::read(&keys, &[&plain]), Ok(head(None, all.clone())));
        let first = pair("/head", &body("x:1", 5, Some(0), &[]));
        let journal = pair("/head.journal", &list(&all));
        assert_eq!(Head::read(&keys, &[&first, &journal]), Ok(head(Some(0), all)));
        assert!(Head::read(&keys, &[&first]).is_err());
        let later = pair("/head", &body("x:1", 5, Some(2), &[]));
        assert_eq!(Head::read(&keys, &[&later]), Ok(head(Some(2), Vec::new())));
        let last = pair("/head", &body("x:1", 5, None, &[]));
        // A key that was dropped has no value.
        let gone = json!({"key": encoded("/head.journal"), "mod_revision": "7"});
        assert_eq!(Head::read(&keys, &[&last, &gone]), Ok(head(None, Vec::new())));
    }

    #[test]
    fn what_others_wrote_there_is_no_head() {
        let keys = Keys("/".to_owned());
        for text in
            ["", "x", "[]", "{}", r#"{"id": 1, "before": 2}"#, r#"{"id": "x", "before": 2, "changes": [1]}"#]
        {
            let pair = json!({"key": encoded("/head"), "value": encoded(text), "mod_revision": "7"});
            assert!(Head::read(&keys, &[&pair]).is_err(), "`{text}`");
        }
        assert!(Head::read(&keys, &[]).is_err());
    }
}
