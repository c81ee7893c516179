//! What a function is given that works for an operation, in a process of its own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::engine::Function;
use super::link::{Begin, Link, say};
use crate::dispatch::panic_message;

/// How long what is kept of work may be, as JSON: more belongs into a file.
pub const KEPT_BYTES_MAX: usize = 32 * 1024;

/// Why work could not take its input, or say something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The input, or what was kept, is of another type.
    #[error("the {what} of the work is not what was expected")]
    Type {
        /// What.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The daemon does not listen.
    #[error("cannot reach the daemon")]
    Daemon(#[from] io::Error),
    /// It is too long to be kept.
    #[error("the state of the work has {bytes} bytes, expected at most {KEPT_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The daemon did not keep it.
    #[error("the daemon does not keep it: {0}")]
    Refused(String),
}

/// What a function is given that works for an operation.
///
/// It is in a process of its own, without any hook context: what it finds out it returns, and a handler reads it
/// with [`Operation::result`](super::Operation::result).
pub struct Work {
    stage: String,
    begin: Begin,
    /// None where there is no daemon.
    link: Option<Link>,
}

impl Work {
    /// Work without a daemon, for tests of a function: what it keeps is there, and nobody hears how far it is.
    ///
    /// # Errors
    ///
    /// [`WorkError::Type`] where the input cannot be written as JSON.
    pub fn alone(input: impl Serialize) -> Result<Self, WorkError> {
        let input =
            serde_json::to_value(input).map_err(|source| WorkError::Type { what: "input", source })?;
        let id = "00000000-0000-8000-8000-000000000000".to_owned();
        Ok(Self { stage: String::new(), begin: Begin { id, input, kept: Value::Null }, link: None })
    }

    /// What the operation was started with.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, WorkError> {
        serde_json::from_value(self.begin.input.clone())
            .map_err(|source| WorkError::Type { what: "input", source })
    }

    /// What [`Work::keep`] kept last, in this process or one before it; None at the first beginning.
    pub fn kept<T: DeserializeOwned>(&self) -> Result<Option<T>, WorkError> {
        serde_json::from_value(self.begin.kept.clone())
            .map_err(|source| WorkError::Type { what: "state", source })
    }

    /// Has something kept: when daemon or machine end, the work goes on from there.  On the disk when this returns.
    pub fn keep(&mut self, state: impl Serialize) -> Result<(), WorkError> {
        let state =
            serde_json::to_value(state).map_err(|source| WorkError::Type { what: "state", source })?;
        let bytes = state.to_string().len();
        if bytes > KEPT_BYTES_MAX {
            return Err(WorkError::TooLong { bytes });
        }
        if let Some(link) = &self.link {
            link.keep(&state)?.map_err(WorkError::Refused)?;
        }
        self.begin.kept = state;
        Ok(())
    }

    /// Says how far it is: so much, of how much in all where that is known.
    pub fn progress(&self, done: u64, total: impl Into<Option<u64>>, text: &str) -> Result<(), WorkError> {
        if self.link.is_none() {
            return Ok(());
        }
        let progress = json!({"stage": self.stage, "text": text, "done": done, "total": total.into()});
        Ok(say("progress", &progress)?)
    }

    /// Whether it is to stop: whoever looks returns soon, with whatever error; others are ended after a while.
    pub fn is_stopped(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.stop.load(Ordering::Relaxed))
    }

    /// The id of the operation.
    pub fn id(&self) -> &str {
        &self.begin.id
    }
}

/// Does the work of an operation; the exit code.
pub(super) fn perform(name: &str, function: Option<&Function>, link: Link, begin: Begin) -> u8 {
    crate::log_buffer::print_all();
    let stage = name.replace('-', "_").to_lowercase();
    let mut work = Work { stage, begin, link: Some(link) };
    let result = match function {
        None => Err(format!("the charm has no work for operation `{name}`")),
        Some(function) => match catch_unwind(AssertUnwindSafe(|| function(&mut work))) {
            Ok(result) => result.map_err(|error| crate::run::chain(&*error).join(": ")),
            Err(payload) => Err(format!("panicked: {}", panic_message(&*payload))),
        },
    };
    let said = match &result {
        Ok(value) => say("result", value),
        Err(text) => say("error", &json!(text)),
    };
    u8::from(result.is_err() || said.is_err())
}
