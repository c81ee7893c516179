//! Operations: work that goes on when whoever asked for it has gone.
//!
//! An operation has a class, a status, and an end that comes to it once.  [`Life::apply`] is the one place
//! that says which moves there are; `charms-reactive-operations` keeps many of them, `charmd` runs them.
//! Nothing in here reads a clock or draws chance: moments and random bytes are given.
//!
//! # Source
//!
//! LXD's background operations: names, numbers and texts are those that its clients know.

mod id;
mod life;
mod progress;
mod status;

pub use id::{OperationId, OperationIdError};
pub use life::{CANCELLED_CODE, Effect, End, Event, Fault, INTERRUPTED_CODE, Life, MoveError, together};
pub use progress::Progress;
pub use status::{Class, Status};

/// Who asked for an operation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Requestor {
    /// The name of the user.
    pub username: String,
    /// How they came: `unix`, `tls`.
    pub protocol: String,
    /// From where; `@` on a unix socket.
    pub address: String,
}

impl Requestor {
    /// Whether both are the same caller, wherever they call from.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.username, &self.protocol) == (&other.username, &other.protocol)
    }
}
