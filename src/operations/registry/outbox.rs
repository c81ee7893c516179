//! The outbox: operations whose end is announced until somebody acknowledges it.

use charms_reactive_core::operation::OperationId;

use super::{Effect, Registry};
use crate::operation::{Operation, Record};
use crate::refused::Refused;

/// How many operations the outbox may have: they are not forgotten before they are acknowledged.
pub const OUTBOX_MAX: usize = 1000;

impl Registry {
    /// Those that run and will be announced, and those that ended and are not acknowledged.
    pub fn outbox(&self) -> impl Iterator<Item = &Operation> {
        self.outbox.iter().filter_map(|id| self.operations.get(id)).map(|operation| &**operation)
    }

    /// Notes that an operation is over, if it is: it is announced, or forgotten after a while.
    pub(super) fn has_ended(&mut self, record: &Record) {
        let (id, is_over) = (record.id, record.life.status.is_final());
        if is_over && record.in_outbox {
            self.effects.push(Effect::Announce(id));
        } else if is_over && record.parent.is_none() {
            self.ended.insert((record.life.updated, id));
        }
    }

    /// Somebody has seen the end of an operation; said again, it does nothing.
    pub fn acknowledge(&mut self, id: OperationId) -> Result<(), Refused> {
        let operation = self.get_mut(id)?;
        if !operation.is_finished() {
            return Err(Refused::NotOver);
        }
        if std::mem::replace(&mut operation.record.in_outbox, false) {
            let record = operation.record.clone();
            self.outbox.remove(&id);
            self.has_ended(&record);
            self.unstored.entry(id).or_insert(false);
            self.effects.push(Effect::Acknowledged(id));
        }
        Ok(())
    }

    /// Who asked for an operation before, and may not have seen its end, asks for it again.
    pub(super) fn announce_again(&mut self, id: OperationId) {
        let Ok(operation) = self.get_mut(id) else { return };
        if std::mem::replace(&mut operation.record.in_outbox, true) {
            return;
        }
        let (at, is_finished) = (operation.record.life.updated, operation.is_finished());
        self.outbox.insert(id);
        self.unstored.entry(id).or_insert(false);
        if is_finished {
            self.ended.remove(&(at, id));
            self.effects.push(Effect::Announce(id));
        }
    }
}
