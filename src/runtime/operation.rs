//! Operations in a charm: work that goes on when the hook that asked for it has ended.
//!
//! ```text
//!   a handler     hook.operation(REINDEX).start(input) ─────► the plan, and the record in the unit state
//!   commit        asks the daemon, by an id made of what is to be done ─────► it starts each id once
//!   the daemon    runs `dispatch work reindex`, or a program; at its end wakes the unit
//!   any dispatch  sees the end ─────► flags operation.reindex.success, ...; the next one acknowledges it
//! ```
//!
//! ```
//! use charms_reactive_runtime::prelude::*;
//!
//! const REINDEX: OperationKey = OperationKey::new("reindex");
//!
//! fn app() -> App {
//!     App::new(Charm::default())
//!         .work(REINDEX, rebuild)
//!         .handler(begin, on(HookEvent::ConfigChanged))
//!         .handler(publish, when(REINDEX.success()))
//! }
//!
//! /// In a process of its own, for as long as it takes.
//! fn rebuild(work: &mut Work) -> Result<u64, HandlerError> {
//!     let folder: String = work.input()?;
//!     for part in 0..10 {
//!         work.progress(part, 10, &format!("Indexing {folder}"))?;
//!     }
//!     Ok(10)
//! }
//!
//! fn begin(hook: &mut Hook) -> Result<(), HandlerError> {
//!     hook.operation(REINDEX).replace("/srv/documents")?;
//!     Ok(())
//! }
//!
//! fn publish(hook: &mut Hook) -> Result<(), HandlerError> {
//!     let parts: u64 = hook.operation(REINDEX).result()?;
//!     hook.status(Active(format!("{parts} parts")));
//!     hook.operation(REINDEX).forget();
//!     Ok(())
//! }
//! ```
//!
//! # Guarantees
//!
//! - An operation starts once for each start that was committed, however often its dispatch is tried.
//! - Each end is seen by the dispatches from one on, and its flag is set once: until the next start, or
//!   [`Operation::forget`].  A daemon that was killed loses neither operations nor ends.
//! - A daemon that does not answer makes no hook fail: what is to be done stays in the unit state, and the next
//!   dispatch asks again.
//!
//! # What it costs
//!
//! One request for each dispatch while an operation is not over and acknowledged; otherwise nothing.
//!
//! # What it asks of the work
//!
//! It must bear to be run again: when daemon or machine end in the middle, it begins anew, from what it last
//! [kept](Work::keep).

mod engine;
mod key;
mod link;
mod record;
mod work;

use std::rc::Rc;

use charms_reactive_core::json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Hook;
use crate::dispatch::Dispatch;
use crate::handler::HandlerError;

pub use engine::Progress;
pub use key::OperationKey;
pub use record::{INPUT_BYTES_MAX, Outcome};
pub use work::{KEPT_BYTES_MAX, Work, WorkError};

pub(crate) use engine::{Doing, Engines, Operations};
pub(crate) use record::Records;

use key::{Shown, show};
use record::{End, Record, Stage};

/// Why an operation was not started, or its result cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The charm has nothing to run for it.
    #[error("the charm has no work for operation `{name}`, expected `App::work` or `App::command`")]
    Unknown {
        /// Which.
        name: &'static str,
    },
    /// It runs, and was given something else.
    #[error("operation `{name}` runs with another input, expected `start_or_join` or `replace`")]
    Running {
        /// Which.
        name: &'static str,
    },
    /// It cannot be given this.
    #[error("the input of operation `{name}` cannot be written as JSON")]
    Input {
        /// Which.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// It cannot be given so much.
    #[error("the input of operation `{name}` has {bytes} bytes, expected at most {INPUT_BYTES_MAX}")]
    TooLong {
        /// Which.
        name: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// There is no result.
    #[error("operation `{name}` has no result, expected that it succeeded and was not forgotten")]
    NoResult {
        /// Which.
        name: &'static str,
    },
    /// The result is of another type.
    #[error("the result of operation `{name}` is not what was expected")]
    Result {
        /// Which.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
}

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It starts when the dispatch ends well.
    Now,
    /// It runs already.
    Before,
}

/// What to do where the operation runs with another input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OtherInput {
    Refuse,
    Join,
    Replace,
}

/// One operation of the charm, as the dispatch sees it; what changes is done when the dispatch ends well.
#[derive(Clone)]
pub struct Operation {
    key: OperationKey,
    dispatch: Rc<Dispatch>,
}

impl Hook {
    /// An operation of the charm.
    pub fn operation(&self, key: OperationKey) -> Operation {
        Operation { key, dispatch: self.dispatch.clone() }
    }
}

impl Operation {
    /// Starts it with an input.  While it runs with the same input, that is as good.
    ///
    /// # Errors
    ///
    /// [`OperationError::Running`] while it runs with another input.
    pub fn start(&self, input: impl Serialize) -> Result<Started, OperationError> {
        self.begin(&input, OtherInput::Refuse)
    }

    /// Starts it with an input, unless it runs, with whatever input.
    pub fn start_or_join(&self, input: impl Serialize) -> Result<Started, OperationError> {
        self.begin(&input, OtherInput::Join)
    }

    /// Starts it with an input; while it runs with another one, that is cancelled, and of its end nobody hears.
    ///
    /// While it runs with the same input, it goes on.
    pub fn replace(&self, input: impl Serialize) -> Result<Started, OperationError> {
        self.begin(&input, OtherInput::Replace)
    }

    fn begin(&self, input: &impl Serialize, other: OtherInput) -> Result<Started, OperationError> {
        let name = self.key.name();
        if !self.dispatch.engine.as_ref().is_some_and(|engine| engine.has(name)) {
            return Err(OperationError::Unknown { name });
        }
        let input = serde_json::to_value(input).map_err(|source| OperationError::Input { name, source })?;
        let bytes = json::to_text(&input).len();
        if bytes > INPUT_BYTES_MAX {
            return Err(OperationError::TooLong { name, bytes });
        }
        let mut records = self.dispatch.operations.borrow_mut();
        let record = records.entry(name.to_owned()).or_default();
        if let Some(current) = record.current.as_ref().filter(|_| record.is_running()) {
            // One that is to stop is as good as over.
            let goes_on = current.cancel.is_none();
            match other {
                _ if goes_on && current.input == input => return Ok(Started::Before),
                OtherInput::Join if goes_on => return Ok(Started::Before),
                OtherInput::Refuse if goes_on => return Err(OperationError::Running { name }),
                _ => {}
            }
        }
        record.start(&self.dispatch.context, name, input);
        drop(records);
        show(&self.dispatch, name, Shown::Running);
        Ok(Started::Now)
    }

    /// Has it stop; it ends as cancelled, unless it was done before it heard of it.
    ///
    /// Of one that does not run, nothing changes.
    pub fn cancel(&self, reason: &str) {
        let mut records = self.dispatch.operations.borrow_mut();
        let Some(record) = records.get_mut(self.key.name()).filter(|record| record.is_running()) else {
            return;
        };
        if let Some(current) = &mut record.current {
            current.cancel.get_or_insert_with(|| reason.to_owned());
        }
    }

    /// Whether it runs, or is about to.
    pub fn is_running(&self) -> bool {
        self.dispatch.operations.borrow().get(self.key.name()).is_some_and(Record::is_running)
    }

    /// Its id at the daemon, once it was started.
    pub fn id(&self) -> Option<String> {
        let records = self.dispatch.operations.borrow();
        Some(records.get(self.key.name())?.current.as_ref()?.id.clone())
    }

    /// How far it is, as it says; None where it says nothing, or the daemon does not answer.
    pub fn progress(&self) -> Option<Progress> {
        let id = self.id()?;
        self.dispatch.engine.as_ref()?.progress(&self.dispatch, &id)
    }

    /// How it ended, until it is started anew, or forgotten.
    pub fn outcome(&self) -> Option<Outcome> {
        self.look(|end| end.outcome)
    }

    /// What came of it.
    ///
    /// # Errors
    ///
    /// [`OperationError::NoResult`] where it has not succeeded, [`OperationError::Result`] where the result is of
    /// another type.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T, OperationError> {
        let name = self.key.name();
        let result = self.look(|end| (end.outcome == Outcome::Success).then(|| end.result.clone())).flatten();
        let result: Value = result.ok_or(OperationError::NoResult { name })?;
        serde_json::from_value(result).map_err(|source| OperationError::Result { name, source })
    }

    /// Why it did not succeed.
    pub fn error(&self) -> Option<String> {
        self.look(|end| end.error.clone()).filter(|error| !error.is_empty())
    }

    /// Forgets how it ended, and clears its flag: for handlers that have dealt with an end.
    ///
    /// Of one that runs, nothing changes.
    pub fn forget(&self) {
        let mut records = self.dispatch.operations.borrow_mut();
        let Some(current) = records.get_mut(self.key.name()).and_then(|record| record.current.as_mut())
        else {
            return;
        };
        if let Stage::Ended(end) = &mut current.stage {
            end.is_forgotten = true;
            drop(records);
            show(&self.dispatch, self.key.name(), Shown::Nothing);
        }
    }

    fn look<T>(&self, look: impl FnOnce(&End) -> T) -> Option<T> {
        let records = self.dispatch.operations.borrow();
        records.get(self.key.name())?.current.as_ref()?.end().map(look)
    }
}

/// For an action that lists: each operation of the charm with its status, as a result of the action.
///
/// `App::action(actions::OPERATIONS, operation::list)`
pub fn list<P>(hook: &mut Hook, _: P) -> Result<(), HandlerError> {
    let Some(engine) = hook.dispatch.engine.clone() else { return Ok(()) };
    for (name, line) in engine.lines(&hook.dispatch) {
        // Keys of results have no underscores.
        hook.action_result(&name.to_lowercase().replace('_', "-"), line);
    }
    Ok(())
}

/// For an action that cancels: the operation that its parameter `operation` names, with the reason `reason`.
///
/// `App::action(actions::CANCEL, operation::cancel)`
pub fn cancel<P>(hook: &mut Hook, _: P) -> Result<(), HandlerError> {
    let parameters = hook.dispatch.model.action()?;
    let text = |key: &str| parameters.get(key).and_then(Value::as_str).map(str::to_owned);
    let name =
        text("operation").ok_or("parameter `operation` is missing, expected the name of an operation")?;
    let reason = text("reason").filter(|reason| !reason.is_empty());
    let known = hook.dispatch.engine.as_ref().and_then(|engine| engine.key(&name));
    let operation = hook.operation(known.ok_or_else(|| format!("the charm has no operation `{name}`"))?);
    if !operation.is_running() {
        return Err(format!("operation `{name}` does not run").into());
    }
    operation.cancel(reason.as_deref().unwrap_or("by an action"));
    hook.action_result("operation", name);
    Ok(())
}
