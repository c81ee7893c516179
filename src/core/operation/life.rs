//! Which moves an operation can make: one `match`.

use super::status::{Class, Status};
use crate::waiter::Moment;

/// The error code of what was cancelled: the caller wanted it so.
pub const CANCELLED_CODE: u16 = 499;
/// The error code of what was interrupted: the process that ran it has gone.
pub const INTERRUPTED_CODE: u16 = 503;

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// As an HTTP status.
    pub code: u16,
    /// For a person; never empty.
    pub text: String,
}

impl Fault {
    /// A fault of the work itself; a text that says nothing is replaced.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        let text = text.into();
        let text = if text.trim().is_empty() { "failed, and did not say why".to_owned() } else { text };
        Self { code, text }
    }
}

/// How work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It did what it was for.
    Success,
    /// It did not.
    Failure(Fault),
    /// It stopped because it was told to; with a reason of its own, or the one that it was told.
    Cancelled(Option<String>),
}

/// What happens to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its turn has come.
    Start,
    /// Somebody wants it to stop; the text says who, and why.
    Cancel(String),
    /// The work ended.
    End(End),
    /// The process that ran it has gone; the text says how.
    Interrupt(String),
}

/// What is to be done after a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Run the work.
    Run,
    /// Tell the work, or the children, to stop.
    Stop,
    /// Tell everybody: this was the last move.
    Over,
}

/// Why there is no such move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// It has started already.
    #[error("Only pending operations can be started")]
    NotPending,
    /// It is over.
    #[error("Only running operations can be cancelled")]
    Over,
    /// There is no work that could end.
    #[error("Only running operations can end")]
    NothingRuns,
}

/// An operation's way through its statuses.
///
/// # Invariants
///
/// A final status is never left.  There is a fault exactly where the status is Failure or Cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// What kind of work it is.
    pub class: Class,
    /// How far it has come.
    pub status: Status,
    /// Why it did not succeed.
    pub fault: Option<Fault>,
    /// Who told it to stop, and why.
    pub cancel: Option<String>,
    /// When something last changed.
    pub updated: Moment,
}

impl Life {
    /// An operation whose turn has not come.
    pub fn new(class: Class, now: Moment) -> Self {
        Self { class, status: Status::Pending, fault: None, cancel: None, updated: now }
    }

    /// The life after an event, and what is to be done.
    ///
    /// # Guarantees
    ///
    /// To cancel twice does nothing the second time, as long as the operation is not over.
    #[expect(clippy::match_same_arms, reason = "a table of moves is read event by event")]
    pub fn apply(&self, event: Event, now: Moment) -> Result<(Self, Effect), MoveError> {
        use Status::{Cancelled, Cancelling, Failure, Pending, Running, Success};
        let has_work = self.class.has_work();
        let interrupted = |text| Some(Fault::new(INTERRUPTED_CODE, text));
        let cancelled = |text: Option<String>| {
            let text =
                text.or_else(|| self.cancel.clone()).unwrap_or_else(|| "cancelled by itself".to_owned());
            Some(Fault::new(CANCELLED_CODE, text))
        };
        let (status, fault, effect) = match (self.status, event) {
            (Pending, Event::Start) if has_work => (Running, None, Effect::Run),
            (Pending, Event::Start) => (Running, None, Effect::None),
            (_, Event::Start) => return Err(MoveError::NotPending),

            (Running, Event::Cancel(text)) if has_work => {
                let life = Self { status: Cancelling, cancel: Some(text), ..self.clone() };
                return Ok((life.at(now), Effect::Stop));
            }
            // Nothing runs that would have to stop first.
            (Pending | Running, Event::Cancel(text)) => (Cancelled, cancelled(Some(text)), Effect::Over),
            (Cancelling, Event::Cancel(_)) => return Ok((self.clone(), Effect::None)),
            (Success | Failure | Cancelled, Event::Cancel(_)) => return Err(MoveError::Over),

            // To cancel is to ask: work that was done before it heard of it has succeeded.
            (Running | Cancelling, Event::End(end)) if has_work => match end {
                End::Success => (Success, None, Effect::Over),
                End::Failure(fault) => (Failure, Some(Fault::new(fault.code, fault.text)), Effect::Over),
                End::Cancelled(text) => (Cancelled, cancelled(text), Effect::Over),
            },
            (_, Event::End(_)) => return Err(MoveError::NothingRuns),

            (Success | Failure | Cancelled, Event::Interrupt(_)) => return Ok((self.clone(), Effect::None)),
            // It was to stop, and does not run any more.
            (Cancelling, Event::Interrupt(_)) => (Cancelled, cancelled(None), Effect::Over),
            (Pending | Running, Event::Interrupt(text)) => match (self.class, self.status) {
                (Class::Durable, Running) => (Running, None, Effect::Run),
                (Class::Durable | Class::Token, status) => (status, None, Effect::None),
                (Class::Task | Class::Websocket, _) => (Failure, interrupted(text), Effect::Over),
            },
        };
        Ok((Self { status, fault, ..self.clone() }.at(now), effect))
    }

    /// The same, changed at this moment; time does not go back.
    fn at(self, now: Moment) -> Self {
        Self { updated: self.updated.max(now), ..self }
    }
}

/// How a parent ends whose children ended so.
pub fn together<'a>(children: impl IntoIterator<Item = (Status, Option<&'a Fault>)>) -> End {
    let mut end = End::Success;
    for (status, fault) in children {
        match status {
            Status::Failure => return End::Failure(Fault::new(500, "One or more child operations failed")),
            Status::Cancelled => end = End::Cancelled(fault.map(|fault| fault.text.clone())),
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn second(second: u64) -> Moment {
        Moment::from_unix(Duration::from_secs(second))
    }

    /// An operation of a class in a status.
    fn life(class: Class, status: Status) -> Life {
        let fault = matches!(status, Status::Failure | Status::Cancelled).then(|| Fault::new(500, "before"));
        let cancel = (status == Status::Cancelling).then(|| "cancelled by root".to_owned());
        Life { status, fault, cancel, ..Life::new(class, second(100)) }
    }

    fn events() -> [Event; 6] {
        [
            Event::Start,
            Event::Cancel("cancelled by root".to_owned()),
            Event::End(End::Success),
            Event::End(End::Failure(Fault::new(507, "disk full"))),
            Event::End(End::Cancelled(None)),
            Event::Interrupt("charmd ended".to_owned()),
        ]
    }

    /// What becomes of a class in each status (rows) by each event (columns): first letters, `.` for the
    /// same, `-` for no such move; and `r`, `s`, `o` for run, stop, over.
    fn table(class: Class) -> String {
        let cell = |status, event| match life(class, status).apply(event, second(200)) {
            Err(_) => "-".to_owned(),
            Ok((next, effect)) => {
                let word = match next.status {
                    same if same == status => ".",
                    Status::Pending => "P",
                    Status::Running => "R",
                    Status::Cancelling => "ing",
                    Status::Success => "S",
                    Status::Failure => "F",
                    Status::Cancelled => "C",
                };
                let effect = match effect {
                    Effect::None => "",
                    Effect::Run => "r",
                    Effect::Stop => "s",
                    Effect::Over => "o",
                };
                format!("{word}{effect}")
            }
        };
        let row = |status: Status| {
            let cells: Vec<String> = events().into_iter().map(|event| cell(status, event)).collect();
            format!("{}: {}", status.as_str(), cells.join(" "))
        };
        Status::ALL.map(row).join("\n")
    }

    #[test]
    fn every_status_and_every_event_of_a_task() {
        let expected = "\
Pending: Rr Co - - - Fo
Running: - ings So Fo Co Fo
Cancelling: - . So Fo Co Co
Success: - - - - - .
Failure: - - - - - .
Cancelled: - - - - - .";
        assert_eq!(table(Class::Task), expected);
        assert_eq!(table(Class::Websocket), expected);
    }

    #[test]
    fn every_status_and_every_event_of_a_durable_one() {
        let expected = "\
Pending: Rr Co - - - .
Running: - ings So Fo Co .r
Cancelling: - . So Fo Co Co
Success: - - - - - .
Failure: - - - - - .
Cancelled: - - - - - .";
        assert_eq!(table(Class::Durable), expected);
    }

    #[test]
    fn every_status_and_every_event_of_a_token() {
        let expected = "\
Pending: R Co - - - .
Running: - Co - - - .
Cancelling: - . - - - Co
Success: - - - - - .
Failure: - - - - - .
Cancelled: - - - - - .";
        assert_eq!(table(Class::Token), expected);
    }

    #[test]
    fn a_parent_ends_as_its_children_did() {
        use Status::{Cancelled, Failure, Success};
        let fault = Fault::new(499, "cancelled by root");
        let check = |children: &[Status]| together(children.iter().map(|status| (*status, Some(&fault))));
        let failed = End::Failure(Fault::new(500, "One or more child operations failed"));
        assert_eq!(check(&[Success, Success]), End::Success);
        assert_eq!(check(&[Success, Cancelled]), End::Cancelled(Some("cancelled by root".to_owned())));
        assert_eq!(check(&[Cancelled, Failure, Success]), failed);
    }

    proptest! {
        /// Any events in any order: one end at most, it stays, and it always has a text.
        #[test]
        fn an_operation_ends_once_and_says_why(
            class in prop::sample::select(&Class::ALL[..]),
            moves in prop::collection::vec((0..6_usize, 0..50_u64), 0..20),
        ) {
            let mut life = Life::new(class, second(10));
            let mut ended = None;
            for (event, at) in moves {
                let event = events()[event].clone();
                let before = life.clone();
                if let Ok((next, effect)) = life.apply(event, second(at)) {
                    prop_assert!(next.updated >= before.updated);
                    prop_assert_eq!(effect == Effect::Over, next.status.is_final() && !before.status.is_final());
                    life = next;
                }
                if let Some(ended) = &ended {
                    prop_assert_eq!(&life, ended);
                }
                let is_faulty = matches!(life.status, Status::Failure | Status::Cancelled);
                prop_assert_eq!(life.fault.is_some(), is_faulty);
                prop_assert!(life.fault.as_ref().is_none_or(|fault| !fault.text.trim().is_empty()));
                if life.status.is_final() {
                    ended = Some(life.clone());
                }
            }
        }
    }
}
