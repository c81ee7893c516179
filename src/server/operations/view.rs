//! What everybody sees: operations as they were last kept, ready to be sent.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use charms_reactive_core::operation::OperationId;
use charms_reactive_operations::{Children, Operation, Query, Refused, Registry};

use super::desk::json;

/// Operations as they were last kept.
///
/// Whoever looks waits neither for the desk nor for the disk, and sees nothing that is not on it.
#[derive(Debug, Default)]
pub(super) struct View(RwLock<BTreeMap<OperationId, Shown>>);

/// An operation as it was last kept.
#[derive(Debug)]
struct Shown {
    operation: Arc<Operation>,
    url: String,
    /// JSON, without its children.
    text: String,
}

impl View {
    /// Shows these as they are now; those that are gone no more.
    pub(super) fn show(&self, registry: &Registry, ids: impl IntoIterator<Item = OperationId>) {
        let shown = |id: OperationId| {
            let operation = registry.share(id)?;
            let text = json(&registry.render(&operation, Children::Counted));
            Some(Shown { operation, url: id.url(), text })
        };
        // Written before anybody has to wait for it.
        let shown: Vec<_> = ids.into_iter().map(|id| (id, shown(id))).collect();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (id, shown) in shown {
            match shown {
                Some(shown) => drop(all.insert(id, shown)),
                None => drop(all.remove(&id)),
            }
        }
    }

    /// An operation, as JSON.
    pub(super) fn get(&self, id: OperationId, children: Children) -> Result<String, Refused> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let shown = all.get(&id).ok_or(Refused::NotFound)?;
        let mut text = String::with_capacity(shown.text.len());
        push(&mut text, shown, children, &all);
        Ok(text)
    }

    /// An operation that is over, as JSON; None where it is not, or there is none.
    pub(super) fn over(&self, id: OperationId) -> Option<String> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&id).filter(|shown| shown.operation.is_finished()).map(|shown| shown.text.clone())
    }

    /// Those of a list by status, as JSON: URLs, or with `children` all of each.
    pub(super) fn list(&self, query: &Query, children: Option<Children>) -> String {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut lists = BTreeMap::<&str, String>::new();
        for shown in query.list(&all, |shown| &shown.operation) {
            let list = lists.entry(shown.operation.status().key()).or_default();
            list.push(if list.is_empty() { '[' } else { ',' });
            match children {
                None => {
                    list.push('"');
                    list.push_str(&shown.url);
                    list.push('"');
                }
                Some(children) => push(list, shown, children, &all),
            }
        }
        let lists: Vec<String> = lists.into_iter().map(|(key, list)| format!("\"{key}\":{list}]")).collect();
        format!("{{{}}}", lists.join(","))
    }

    /// All operations, children too, shared as they were last kept.
    pub(super) fn all(&self) -> BTreeMap<OperationId, Arc<Operation>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(id, shown)| (*id, shown.operation.clone())).collect()
    }
}

fn push(text: &mut String, shown: &Shown, children: Children, all: &BTreeMap<OperationId, Shown>) {
    text.push_str(&shown.text);
    let children = match children {
        Children::Counted => &[],
        Children::Whole => shown.operation.children(),
    };
    if children.is_empty() {
        return;
    }
    // They are the last key.
    text.pop();
    text.push_str(",\"children\":[");
    for child in children.iter().filter_map(|id| all.get(id)) {
        text.push_str(&child.text);
        text.push(',');
    }
    // There is one at least: they come and go with their parent.
    text.pop();
    text.push_str("]}");
}
