//! Parents: their children in stages, and how they end.

use charms_reactive_core::operation::{Event, OperationId, Status, together};
use charms_reactive_core::waiter::Moment;

use super::Registry;

impl Registry {
    /// Ends a parent whose last child has ended, and begins the next stage where one is over.
    pub(super) fn gather(&mut self, id: OperationId, now: Moment) {
        if std::mem::replace(&mut self.is_gathering, true) {
            return;
        }
        while self.gather_stage(id, now) {}
        self.is_gathering = false;
        let Some(parent) = self.operations.get(&id).filter(|parent| !parent.is_finished()) else { return };
        let lives = || {
            parent.children.iter().filter_map(|id| self.operations.get(id)).map(|child| &child.record.life)
        };
        if !lives().all(|life| life.status.is_final()) {
            return;
        }
        if parent.status() == Status::Pending {
            let why = lives()
                .find_map(|life| life.fault.as_ref())
                .map_or_else(String::new, |fault| fault.text.clone());
            self.step(id, Event::Cancel(why), now).expect("it has not begun");
        } else {
            let end = together(lives().map(|life| (life.status, life.fault.as_ref())));
            self.step(id, Event::End(end), now).expect("it has not ended, and has children that worked");
        }
    }

    /// Begins the next stage of a parent where one is over; whether there was one to begin.
    fn gather_stage(&mut self, id: OperationId, now: Moment) -> bool {
        let Some(parent) = self.operations.get(&id).filter(|parent| parent.has_begun()) else { return false };
        let children = || parent.children.iter().filter_map(|id| self.operations.get(id));
        if children().any(|child| matches!(child.status(), Status::Running | Status::Cancelling)) {
            return false;
        }
        let waiting = || children().filter(|child| child.status() == Status::Pending);
        let Some(stage) = waiting().map(|child| child.record.stage).min() else { return false };
        let is_wrong = parent.status() != Status::Running
            || children().any(|child| matches!(child.status(), Status::Failure | Status::Cancelled));
        let due: Vec<(OperationId, bool)> = waiting()
            .filter(|child| child.record.stage == stage)
            .map(|child| (child.id(), is_wrong && !child.record.must_run))
            .collect();
        for (id, is_cancelled) in due {
            let event = if is_cancelled {
                Event::Cancel("cancelled: an earlier child operation did not succeed".to_owned())
            } else {
                Event::Start
            };
            self.step(id, event, now).expect("its turn has not come yet");
        }
        true
    }
}
