//! Why a call changes nothing.

use charms_reactive_core::operation::{Fault, MoveError, OperationId};

use crate::registry::OUTBOX_MAX;

/// Why a call changes nothing; the texts are LXD's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No operation has this id.
    #[error("Operation not found")]
    NotFound,
    /// The arguments do not go together.
    #[error("Failed validating operation arguments: {0}")]
    Arguments(String),
    /// One with this reference runs already.
    #[error("An operation with this conflict reference is already running")]
    Conflict {
        /// The one that runs.
        holder: OperationId,
    },
    /// There is no such move.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// It was made so that it cannot be cancelled.
    #[error("This operation cannot be cancelled")]
    NotCancellable,
    /// Nothing changes any more.
    #[error("Operations cannot be updated after they have completed")]
    Completed,
    /// Nothing is written down any more.
    #[error("Read-only operations cannot be updated")]
    ReadOnly,
    /// Metadata has a field that clients could not understand.
    #[error("{0}")]
    Metadata(String),
    /// Nobody asked for it, so it is nobody's.
    #[error("Operation does not contain a requestor")]
    NoRequestor,
    /// Somebody else asked for it.
    #[error("Operation requestor mismatch")]
    OtherRequestor,
    /// The inputs lack something.
    #[error("No value for input key \"{0}\"")]
    NoInput(String),
    /// It has no sockets.
    #[error("Only websocket operations can be connected")]
    NoWebsocket,
    /// It does not run.
    #[error("Only running operations can be connected")]
    NotConnectable,
    /// It has failed before anybody came.
    #[error("Failed connecting to operation: {}", .0.text)]
    Faulty(Fault),
    /// No socket has this secret, or somebody has used it.
    #[error("The secret is wrong, or has been used")]
    WrongSecret,
    /// Only an end can be acknowledged.
    #[error("Only operations that have ended can be acknowledged")]
    NotOver,
    /// Nobody acknowledges anything.
    #[error("the outbox has {OUTBOX_MAX} operations, expected that some are acknowledged")]
    OutboxFull,
    /// Nothing new is started.
    #[error("charmd is shutting down")]
    ShuttingDown,
}

impl Refused {
    /// As an HTTP status.
    pub fn code(&self) -> u16 {
        match self {
            Self::NotFound | Self::NoInput(_) => 404,
            Self::Conflict { .. } => 409,
            Self::OtherRequestor | Self::WrongSecret => 403,
            Self::Faulty(fault) => fault.code,
            Self::ShuttingDown => 503,
            Self::OutboxFull => 429,
            Self::Arguments(_)
            | Self::Move(_)
            | Self::NotCancellable
            | Self::NotOver
            | Self::Completed
            | Self::ReadOnly
            | Self::NoWebsocket
            | Self::NotConnectable
            | Self::Metadata(_)
            | Self::NoRequestor => 400,
        }
    }
}
