//! Operations that are new: who is in their way, and when they begin.

use std::collections::BTreeSet;

use charms_reactive_core::operation::{Event, Life, OperationId, Status};
use charms_reactive_core::waiter::Moment;
use serde_json::Value;

use super::{Created, Key, OUTBOX_MAX, Registry};
use crate::draft::{Draft, OnConflict};
use crate::operation::{ENTITY_URL, Record, check_metadata, check_size};
use crate::refused::Refused;

/// Who is in the way of a draft, and what becomes of that.
enum Conflict {
    None,
    /// It is taken.
    Join(OperationId),
    /// They are told to stop.
    Replace(Vec<OperationId>),
}

impl Registry {
    /// Makes an operation with its children, and starts it.
    ///
    /// # Guarantees
    ///
    /// All or nothing.  An id that is known is not started again.
    pub fn create(
        &mut self,
        draft: Draft,
        mut new_id: impl FnMut() -> OperationId,
        now: Moment,
    ) -> Result<Created, Refused> {
        draft.check()?;
        for draft in std::iter::once(&draft).chain(&draft.children) {
            check_metadata(&draft.metadata)?;
            check_size(&draft.metadata)?;
        }
        let id = draft.id.unwrap_or_else(&mut new_id);
        if let Some(known) = self.operations.get(&id) {
            let is_same = known.record.kind == draft.kind && known.record.inputs == draft.inputs;
            if !is_same {
                return Err(Refused::Arguments(format!("Operation \"{id}\" is another one")));
            }
            if draft.in_outbox {
                self.announce_again(id);
            }
            return Ok(Created::Known(id));
        }
        if self.is_shutting_down {
            return Err(Refused::ShuttingDown);
        }
        if draft.in_outbox && self.outbox.len() >= OUTBOX_MAX {
            return Err(Refused::OutboxFull);
        }
        let replaced = self.conflict(&draft)?;
        let replaced = match replaced {
            Conflict::None => Vec::new(),
            Conflict::Join(other) => return Ok(Created::Joined(other)),
            Conflict::Replace(others) => others,
        };
        let mut draft = draft;
        let children = std::mem::take(&mut draft.children);
        let requestor = draft.requestor.clone();
        self.add(draft, id, None, !children.is_empty(), now);
        for mut child in children {
            child.requestor.clone_from(&requestor);
            let child_id = new_id();
            self.add(child, child_id, Some(id), false, now);
        }
        if replaced.is_empty() {
            self.begin(id, now);
            return Ok(Created::Started(id));
        }
        for id in self.family(id) {
            self.tell(id);
        }
        for other in replaced {
            let reason = format!("replaced by operation {id}");
            let told = self.cancel(other, requestor.as_ref(), Some(&reason), now);
            told.expect("whether it can be cancelled was looked at");
        }
        Ok(Created::Started(id))
    }

    /// Who is in the way of a draft.
    fn conflict(&self, draft: &Draft) -> Result<Conflict, Refused> {
        let mut references = BTreeSet::new();
        let mut conflict = Conflict::None;
        for (place, draft) in std::iter::once(draft).chain(&draft.children).enumerate() {
            let Some(reference) = &draft.reference else { continue };
            let key = (draft.project.clone(), reference.clone());
            let (holder, follower) = (self.holders.get(&key).copied(), self.followers.get(&key).copied());
            // Of two, the one that is to stay.
            let newest = follower.or(holder);
            if !references.insert(key) {
                return Err(Refused::Arguments(format!("Conflict reference \"{reference}\" is there twice")));
            }
            match (newest, draft.on_conflict) {
                (None, _) => {}
                (Some(other), OnConflict::Join) => return Ok(Conflict::Join(other)),
                // A child starts when its turn comes, and waits for nobody else.
                (Some(_), OnConflict::Replace) if place == 0 => {
                    let others: Vec<OperationId> = follower.into_iter().chain(holder).collect();
                    if others.iter().any(|id| self.operations[id].is_fixed()) {
                        return Err(Refused::NotCancellable);
                    }
                    conflict = Conflict::Replace(others);
                }
                (Some(holder), _) => return Err(Refused::Conflict { holder }),
            }
        }
        Ok(conflict)
    }

    /// An operation with its children.
    fn family(&self, id: OperationId) -> Vec<OperationId> {
        [id].into_iter().chain(self.operations[&id].children.iter().copied()).collect()
    }

    /// Has an operation start, with those of its children whose turn it is.
    fn begin(&mut self, id: OperationId, now: Moment) {
        for id in self.family(id) {
            let operation = &self.operations[&id];
            if operation.status() != Status::Pending {
                // A child that was cancelled while its parent waited.
            } else if operation.record.stage == 0 {
                self.step(id, Event::Start, now).expect("it is pending");
            } else {
                self.tell(id);
            }
        }
        if self.operations[&id].record.is_parent {
            self.gather(id, now);
        }
    }

    /// Has the one start that has waited for a reference to be free.
    pub(super) fn follow(&mut self, key: Key, now: Moment) {
        if self.is_restoring || self.is_shutting_down || self.holders.contains_key(&key) {
            return;
        }
        if let Some(id) = self.followers.remove(&key) {
            self.holders.insert(key, id);
            self.begin(id, now);
        }
    }

    fn add(
        &mut self,
        draft: Draft,
        id: OperationId,
        parent: Option<OperationId>,
        is_parent: bool,
        now: Moment,
    ) {
        let mut metadata = draft.metadata;
        if !draft.sockets.is_empty() {
            let secrets = draft.sockets.iter().map(|(name, secret)| (name.clone(), secret.clone().into()));
            metadata.insert("fds".to_owned(), Value::Object(secrets.collect()));
        }
        if let Some(url) = draft.entity_url {
            metadata.entry(ENTITY_URL).or_insert(url.into());
        }
        let record = Record {
            id,
            parent,
            is_parent,
            kind: draft.kind,
            description: draft.description,
            project: draft.project,
            created: now,
            life: Life::new(draft.class, now),
            resources: draft.resources,
            metadata,
            inputs: draft.inputs,
            requestor: draft.requestor,
            reference: draft.reference,
            may_cancel: draft.may_cancel,
            in_outbox: draft.in_outbox,
            stage: draft.stage,
            must_run: draft.must_run,
        };
        if let Some(key) = record.key() {
            let is_free = !self.holders.contains_key(&key);
            let held = if is_free { &mut self.holders } else { &mut self.followers };
            held.insert(key, id);
        }
        self.insert(record);
        self.unstored.insert(id, true);
        if let Ok(operation) = self.get_mut(id) {
            operation.sockets = draft.sockets;
        }
        if let Some(Ok(parent)) = parent.map(|parent| self.get_mut(parent)) {
            parent.children.push(id);
        }
    }
}
