//! Somebody who waits for the end of an operation.

use std::time::Duration;

use charms_reactive_core::operation::OperationId;
use charms_reactive_operations::{Children, WaitId};
use tokio::sync::oneshot;

use super::desk::Operations;

/// Somebody who waits for the end of an operation.
#[derive(Debug)]
pub struct Waiting {
    pub(super) id: OperationId,
    pub(super) wait: WaitId,
    pub(super) over: oneshot::Receiver<String>,
    pub(super) operations: Operations,
}

impl Waiting {
    /// The operation at its end, or as it is after `limit`; as JSON.
    pub async fn end(mut self, limit: Option<Duration>) -> String {
        let over = match limit {
            None => (&mut self.over).await.ok(),
            Some(limit) => tokio::time::timeout(limit, &mut self.over).await.ok().and_then(Result::ok),
        };
        if let Some(over) = over {
            return over;
        }
        self.operations.show(self.id, Children::Counted).unwrap_or_else(|_| "null".to_owned())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let wait = self.wait;
        self.operations.post(move |turn| turn.registry.end_wait(wait));
    }
}
