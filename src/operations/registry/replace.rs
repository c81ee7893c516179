//! Operations that take the place of others: they start when those have ended.

use charms_reactive_core::operation::{Event, OperationId, Status};
use charms_reactive_core::waiter::Moment;

use super::Registry;
use crate::refused::Refused;

impl Registry {
    /// Whether another operation can take the place of this one.
    pub(super) fn check_replaceable(&self, id: OperationId) -> Result<(), Refused> {
        if self.get(id)?.record.may_cancel { Ok(()) } else { Err(Refused::Conflict { holder: id }) }
    }

    /// Cancels an operation, in whose place `id` starts: when it has ended.
    pub(super) fn replace(&mut self, predecessor: OperationId, id: OperationId, now: Moment) {
        // One that waits itself ends at once; what it waits for is still there.
        let first = self.waiting.remove(&predecessor).unwrap_or(predecessor);
        let event = Event::Cancel(format!("cancelled: operation {id} took its place"));
        // One that was told to stop before has heard it.
        let _ = self.step(predecessor, event, now);
        if self.get(first).is_ok_and(|operation| !operation.is_finished()) {
            self.waiting.insert(id, first);
        }
    }

    /// An operation has ended: starts the one that waits for it.
    pub(super) fn start_successor(&mut self, id: OperationId, now: Moment) {
        let successor = self.waiting.iter().find(|(_, first)| **first == id).map(|(successor, _)| *successor);
        if let Some(successor) = successor {
            self.waiting.remove(&successor);
            self.step(successor, Event::Start, now).expect("its turn has not come yet");
        }
    }

    /// After a restart nothing runs that others could wait for.
    pub(super) fn start_waiting(&mut self, now: Moment) {
        let is_waiting =
            |record: &crate::Record| record.parent.is_none() && record.life.status == Status::Pending;
        let waiting =
            self.operations.values().map(|operation| &operation.record).filter(|record| is_waiting(record));
        for (id, key) in waiting
            .map(|record| {
                (record.id, record.reference.clone().map(|reference| (record.project.clone(), reference)))
            })
            .collect::<Vec<_>>()
        {
            if let Some(key) = key {
                self.holders.insert(key, id);
            }
            self.step(id, Event::Start, now).expect("its turn has not come yet");
        }
    }
}
