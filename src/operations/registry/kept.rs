//! What has to be kept, and what becomes of what could not be.

use std::collections::BTreeSet;

use charms_reactive_core::operation::OperationId;

use super::{Change, Effect, Notice, Registry};

impl Registry {
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
