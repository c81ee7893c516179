//! From changes to operations on keys, and how many of these fit into one transaction.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::record;
use crate::runtimeconfig::store::Change;

/// How many operations are in one transaction at most; etcd takes 128.
pub(super) const OPERATIONS_MAX: usize = 100;
/// How many bytes are in one transaction at most; etcd takes a megabyte and a half.
pub(super) const BYTES_MAX: usize = 1_200_000;

/// The keys, all below one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys(pub(super) String);

impl Keys {
    /// What was committed last.
    pub(super) fn head(&self) -> String {
        format!("{}head", self.0)
    }

    /// A part of the changes of a commit that is too large for one transaction.
    pub(super) fn part(&self, commit: &str, number: usize) -> String {
        format!("{}journal/{commit}/{number:06}", self.0)
    }

    /// All parts of a commit.
    pub(super) fn parts(&self, commit: &str) -> Range<String> {
        self.below(&format!("journal/{commit}"))
    }

    /// Where records of a kind are: the first key, and that behind the last.
    pub(super) fn kind(&self, kind: &str) -> Range<String> {
        self.below(kind)
    }

    fn config(&self, uid: i64) -> String {
        format!("{}config/{uid}", self.0)
    }

    /// All that begins with a text and a slash: `0` follows the slash.
    fn below(&self, text: &str) -> Range<String> {
        format!("{}{text}/", self.0)..format!("{}{text}0", self.0)
    }
}

/// One operation on keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Put { key: String, value: String },
    Drop { key: String },
    DropAll { keys: Range<String> },
}

impl Operation {
    pub(super) fn put(key: String, value: &Value) -> Self {
        Self::Put { key, value: value.to_string() }
    }

    /// About.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len() + 20,
            Self::Drop { key } => key.len() + 20,
            Self::DropAll { keys } => keys.start.len() + keys.end.len() + 20,
        }
    }

    /// As etcd's gateway takes it.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Put { key, value } => {
                json!({"request_put": {"key": encoded(key), "value": encoded(value)}})
            }
            Self::Drop { key } => json!({"request_delete_range": {"key": encoded(key)}}),
            Self::DropAll { keys } => json!({
                "request_delete_range": {"key": encoded(&keys.start), "range_end": encoded(&keys.end)}
            }),
        }
    }
}

/// A key or a value as etcd's gateway takes it.
pub(super) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// What has to be done for changes; of several operations on one key the last.
pub(super) fn operations(keys: &Keys, changes: &[Change]) -> Vec<Operation> {
    let mut plan = Plan::default();
    for change in changes {
        let put = |key| Operation::put(key, &record::write(change));
        match change {
            Change::PutConfig { uid, .. } => plan.one(keys.config(*uid), put),
            Change::DropConfig { uid } => {
                plan.one(keys.config(*uid), |key| Operation::Drop { key });
                plan.all(keys.below(&format!("variable/{uid}")));
                plan.all(keys.below(&format!("waiter/{uid}")));
            }
            Change::PutVariable { config, path, .. } => {
                plan.one(format!("{}variable/{config}/{}", keys.0, path.as_str()), put);
            }
            Change::DropVariable { config, path } => {
                let text = format!("variable/{config}/{}", path.as_str());
                plan.one(format!("{}{text}", keys.0), |key| Operation::Drop { key });
                plan.all(keys.below(&text));
            }
            Change::PutWaiter { config, name, .. } => {
                plan.one(format!("{}waiter/{config}/{name}", keys.0), put);
            }
            Change::DropWaiter { config, name } => {
                plan.one(format!("{}waiter/{config}/{name}", keys.0), |key| Operation::Drop { key });
            }
            Change::PutRequest(request) => {
                plan.one(format!("{}request/{}/{}", keys.0, request.list, request.id), put);
            }
            Change::DropRequest { list, id } => {
                plan.one(format!("{}request/{list}/{id}", keys.0), |key| Operation::Drop { key });
            }
        }
    }
    plan.operations.into_iter().flatten().collect()
}

#[derive(Default)]
struct Plan {
    operations: Vec<Option<Operation>>,
    /// Where the operation on a single key is.
    places: BTreeMap<String, usize>,
}

impl Plan {
    fn one(&mut self, key: String, make: impl Fn(String) -> Operation) {
        if let Some(place) = self.places.insert(key.clone(), self.operations.len()) {
            self.operations[place] = None;
        }
        self.operations.push(Some(make(key)));
    }

    fn all(&mut self, keys: Range<String>) {
        let gone: Vec<String> = self.places.range(keys.clone()).map(|(key, _)| key.clone()).collect();
        for key in gone {
            if let Some(place) = self.places.remove(&key) {
                self.operations[place] = None;
            }
        }
        self.operations.push(Some(Operation::DropAll { keys }));
    }
}

/// How many of `operations` make the next transaction.
pub(super) fn next(operations: &[Operation]) -> usize {
    let mut bytes = 0;
    let mut dropped: Vec<&Range<String>> = Vec::new();
    for (count, operation) in operations.iter().enumerate() {
        bytes += operation.bytes();
        // etcd refuses to put what it drops in the same transaction.
        let is_dropped =
            matches!(operation, Operation::Put { key, .. } if dropped.iter().any(|keys| keys.contains(key)));
        if count > 0 && (count >= OPERATIONS_MAX || bytes > BYTES_MAX || is_dropped) {
            return count;
        }
        if let Operation::DropAll { keys } = operation {
            dropped.push(keys);
        }
    }
    operations.len()
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{path, variable};
    use super::*;

    fn keys() -> Keys {
        Keys("/charmd/".to_owned())
    }

    /// What is done to which key, in short.
    fn plan(changes: &[Change]) -> Vec<String> {
        let text = |operation: &Operation| match operation {
            Operation::Put { key, .. } => format!("+{key}"),
            Operation::Drop { key } => format!("-{key}"),
            Operation::DropAll { keys } => format!("-{}..{}", keys.start, keys.end),
        };
        operations(&keys(), changes).iter().map(text).map(|text| text.replace("/charmd/", "")).collect()
    }

    #[test]
    fn a_key_is_touched_once() {
        assert_eq!(
            plan(&[variable(1, "a"), variable(1, "b"), variable(1, "a")]),
            ["+variable/1/b", "+variable/1/a"]
        );
        let drop = Change::DropVariable { config: 1, path: path("a") };
        assert_eq!(
            plan(&[variable(1, "a/b"), variable(1, "ab"), drop.clone()]),
            ["+variable/1/ab", "-variable/1/a", "-variable/1/a/..variable/1/a0"]
        );
        assert_eq!(
            plan(&[variable(1, "a"), drop.clone(), variable(1, "a")]),
            ["-variable/1/a/..variable/1/a0", "+variable/1/a"]
        );
        assert_eq!(
            plan(&[variable(1, "a"), variable(11, "a"), Change::DropConfig { uid: 1 }]),
            ["+variable/11/a", "-config/1", "-variable/1/..variable/10", "-waiter/1/..waiter/10"]
        );
    }

    #[test]
    fn a_transaction_is_what_etcd_takes() {
        let count = |changes: &[Change]| next(&operations(&keys(), changes));
        let many: Vec<Change> = (0..250).map(|number| variable(1, &format!("v{number}"))).collect();
        assert_eq!(count(&many), OPERATIONS_MAX);
        assert_eq!(count(&many[..7]), 7);
        // Dropped and put again: not at once.
        let again =
            [Change::DropVariable { config: 1, path: path("a") }, variable(1, "a/b"), variable(1, "b")];
        assert_eq!(count(&again), 2);
        let large = Operation::Put { key: "a".to_owned(), value: "x".repeat(BYTES_MAX) };
        assert_eq!(next(&[large.clone(), large.clone()]), 1);
        assert_eq!(next(&[]), 0);
    }
}
