//! Kinds of work: what can be started, and what it is given while it runs.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use charms_reactive_core::operation::{Class, End, Fault, OperationId, Progress};
use charms_reactive_operations::{Draft, Metadata, Refused};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::demo::Demo;
use super::desk::{Operations, Unavailable};
use super::settings::Announce;

/// A kind of work that can be started by name.
pub trait Kind: Send + Sync {
    /// Its name: `demo`.
    fn name(&self) -> &'static str;

    /// What its operations are about, as the URL says it: `instances` for `/1.0/instances/NAME`; then there has to
    /// be such a URL.  None: about anything, or nothing.
    fn entity(&self) -> Option<&'static str> {
        None
    }

    /// The operation that inputs ask for; the text says what is wrong with them.
    fn draft(&self, class: Option<Class>, inputs: Value) -> Result<Draft, String>;

    /// Whether only the user that runs `charmd`, and root, may start it.
    fn is_for_owner_alone(&self) -> bool {
        false
    }

    /// Does the work.  Where the operation is durable, an earlier process may have done some of it: what it
    /// kept is in [`Work::metadata`].
    fn run(&self, work: Work) -> Pin<Box<dyn Future<Output = End> + Send>>;
}

/// The kinds of work that can be started.
#[derive(Clone)]
pub struct Kinds(BTreeMap<&'static str, Arc<dyn Kind>>);

impl Kinds {
    /// `demo` alone.
    pub fn standard() -> Self {
        Self(BTreeMap::new()).with(Demo)
    }

    /// The same, and one more; it replaces one of its name.
    #[must_use]
    pub fn with(mut self, kind: impl Kind + 'static) -> Self {
        self.0.insert(kind.name(), Arc::new(kind));
        self
    }

    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Kind>> {
        self.0.get(name).cloned()
    }

    /// The names of all.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }
}

impl std::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kinds").field(&self.names()).finish()
    }
}

/// A client that has connected to an operation.
#[derive(Debug)]
pub struct Connection {
    /// To which of its sockets.
    pub name: String,
    /// The way to the client.
    pub socket: WebSocket,
}

/// What work is given while it runs.
#[derive(Debug)]
pub struct Work {
    /// Its operation.
    pub id: OperationId,
    /// What it was given.
    pub inputs: Value,
    /// What was kept of it before it began.
    pub metadata: Metadata,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) connections: mpsc::UnboundedReceiver<Connection>,
    /// How long clients may take to connect.
    pub attach: Duration,
    pub(super) operations: Operations,
    /// Who can wake the unit.
    pub(super) announce: Option<Arc<dyn Announce>>,
}

impl Work {
    /// The names of the sockets that clients connect to.
    pub fn sockets(&self) -> Vec<&str> {
        let sockets = self.metadata.get("fds").and_then(Value::as_object);
        sockets.into_iter().flat_map(|sockets| sockets.keys().map(String::as_str)).collect()
    }

    /// Whether the operation was told to stop.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Returns when the operation was told to stop.
    pub async fn stopped(&mut self) {
        stopped(&mut self.stop).await;
    }

    /// The next client that connects; None when the operation was told to stop, or `limit` is over.
    pub async fn connection(&mut self, limit: Duration) -> Option<Connection> {
        tokio::select! {
            connection = self.connections.recv() => connection,
            () = stopped(&mut self.stop) => None,
            () = tokio::time::sleep(limit) => None,
        }
    }

    /// Says how far it has come; waits for nothing.
    pub fn progress(&self, progress: Progress) {
        let id = self.id;
        // Of an operation that is over, nobody wants to know.
        self.operations.post(move |turn| drop(turn.registry.progress(id, &progress, turn.now)));
    }

    /// Has the unit woken to see how far it has come, if its end is to be seen by the unit, too; waits for nothing.
    pub fn announce(&self) {
        if let Some(announce) = self.announce.clone() {
            let id = self.id;
            // It waits for the disk.
            self.operations.post(move |turn| {
                if turn.registry.get(id).is_ok_and(|operation| operation.record().in_outbox) {
                    announce.announce(id);
                }
            });
        }
    }

    /// Adds to what can be seen of it, and has it kept: from here a durable operation goes on.
    pub async fn keep(&self, more: Metadata) -> Result<(), Fault> {
        let id = self.id;
        let kept = self.operations.act(move |turn| {
            turn.registry.extend_metadata(id, more, turn.now)?;
            turn.registry.commit_metadata(id, turn.now)
        });
        match kept.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(fault(&refused)),
            Err(Unavailable) => Err(Fault::new(503, Unavailable.to_string())),
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Nobody can tell it to any more only while the server ends.
    if stop.wait_for(|is_told| *is_told).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn fault(refused: &Refused) -> Fault {
    Fault::new(refused.code(), refused.to_string())
}
