//! What can be chosen of operations, and who announces their ends.

use std::sync::Arc;
use std::time::Duration;

use charms_reactive_core::operation::OperationId;
use charms_reactive_operations::Retention;

/// Announces ends of operations, until they are acknowledged: on the thread of the desk.
pub trait Announce: Send + Sync + std::fmt::Debug {
    /// An operation has ended; may be said again.
    fn announce(&self, id: OperationId);

    /// Its end need not be announced any more.
    fn acknowledged(&self, id: OperationId);
}

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of this server.
    pub location: String,
    /// For how long operations that ended are kept.
    pub retention: Retention,
    /// How long work may go on that was told to stop; then it is ended.
    pub grace: Duration,
    /// How long clients may take to connect to an operation that waits for them.
    pub attach: Duration,
    /// Who announces ends.
    pub announce: Option<Arc<dyn Announce>>,
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        let retention = Retention::default();
        Self {
            location: "none".to_owned(),
            retention,
            grace: seconds(10),
            attach: seconds(10),
            announce: None,
        }
    }
}
