//! What has to be kept, and what becomes of what could not be.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use charms_reactive_core::operation::OperationId;

use super::{Change, Effect, Notice, Registry};
use crate::operation::{Operation, Record};

/// Where a store was not as it should be; how many operations each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// It had them, and nobody knows them.
    pub unknown: usize,
    /// It did not have them.
    pub missing: usize,
    /// It had them as they never were, or as they are no longer.
    pub other: usize,
}

impl Differences {
    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Whether a store has an operation as it is; what can be seen of one that goes on need not be kept.
fn is_kept_as(operation: &Operation, kept: &Record) -> bool {
    let record = operation.record();
    let mut kept = kept.clone();
    if !operation.is_finished() {
        kept.metadata.clone_from(&record.metadata);
        kept.life.updated = record.life.updated;
    }
    kept == *record
}

impl Registry {
    /// Compares with what a store has; [`Registry::changes`] then has what makes it right.
    pub fn synchronize(&mut self, kept: &[Record]) -> Differences {
        let mut differences = Differences::default();
        let mut seen = BTreeSet::new();
        for record in kept {
            seen.insert(record.id);
            match self.operations.get(&record.id) {
                None => {
                    if self.dropped.insert(record.id) {
                        differences.unknown += 1;
                    }
                }
                Some(operation) if is_kept_as(operation, record) => {}
                Some(_) => differences.other += usize::from(self.keep_again(record.id)),
            }
        }
        let missing: Vec<OperationId> =
            self.operations.keys().filter(|id| !seen.contains(id)).copied().collect();
        for id in missing {
            differences.missing += usize::from(self.keep_again(id));
        }
        differences
    }

    /// Has an operation kept again; false: it is about to be, anyway.
    fn keep_again(&mut self, id: OperationId) -> bool {
        match self.unstored.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(false);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// What has to be kept before effects are taken.
    pub fn changes(&self) -> Vec<Change> {
        let put = self.unstored.keys().filter_map(|id| self.operations.get(id));
        let put = put.map(|operation| Change::Put(Box::new(operation.record.clone())));
        put.chain(self.dropped.iter().map(|id| Change::Drop(*id))).collect()
    }

    /// What [`Registry::changes`] said is kept.
    pub fn stored(&mut self) {
        self.unstored.clear();
        self.dropped.clear();
    }

    /// What [`Registry::changes`] said could not be kept: what is new has never been, the rest is to be kept
    /// later.
    pub fn not_stored(&mut self) {
        let new: Vec<OperationId> =
            self.unstored.iter().filter(|(_, is_new)| **is_new).map(|(id, _)| *id).collect();
        for id in new {
            self.unstored.remove(&id);
            self.ended.retain(|(_, ended)| *ended != id);
            self.outbox.remove(&id);
            self.holders.retain(|_, holder| *holder != id);
            self.followers.retain(|_, follower| *follower != id);
            self.operations.remove(&id);
        }
        // Of each operation the last word is enough, so that they do not become many.
        let mut told = BTreeSet::new();
        let operations = &self.operations;
        let mut kept: Vec<Effect> = std::mem::take(&mut self.effects)
            .into_iter()
            .rev()
            .filter(|effect| match effect {
                Effect::Run(id)
                | Effect::Stop(id)
                | Effect::Wake(_, id)
                | Effect::Announce(id)
                | Effect::Acknowledged(id)
                | Effect::Tell(Notice::Cancelled { id, .. }) => operations.contains_key(id),
                Effect::Tell(Notice::Operation(operation)) => {
                    operations.contains_key(&operation.id()) && told.insert(operation.id())
                }
            })
            .collect();
        kept.reverse();
        self.effects = kept;
    }
}
