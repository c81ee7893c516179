//! Who tells the unit that an operation has ended.

use charms_reactive_core::operation::OperationId;

/// Announces ends of operations, until they are acknowledged: on the thread of the desk.
pub trait Announce: Send + Sync + std::fmt::Debug {
    /// An operation has ended; may be said again.
    fn announce(&self, id: OperationId);

    /// Its end need not be announced any more.
    fn acknowledged(&self, id: OperationId);
}
