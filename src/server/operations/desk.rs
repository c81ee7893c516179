//! The one thread that owns the registry: turns one after another, the store, and the work that runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};

use charms_reactive_core::operation::{End, Fault, OperationId};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{
    Change, Children, Created, Differences, Draft, Effect, Notice, Operation, Query, Refused, Registry,
    WaitId,
};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::events::{Frame, LISTENER_FRAMES_MAX, Line, Missed};
use super::kind::{Connection, Kinds, Work};
use super::metrics::Metrics;
use super::settings::{Announce, Settings};
use super::store::{Store, StoreError};
use super::view::View;
use super::waiting::Waiting;
use crate::certificate::hex;

/// How many turns are written in one transaction at most.
const BATCH_MAX: usize = 256;
/// How long the thread sleeps at most.
const SLEEP_MAX: Duration = Duration::from_hours(1);
/// How long it waits before it tries again to keep what could not be kept.
const RETRY: Duration = Duration::from_secs(1);
/// The least time that ids tell apart.
const ID_STEP: Duration = Duration::from_nanos(250);
/// Why `/dev/urandom` can be read.
const CHANCE: &str = "the system has chance without end";
/// What an operation says whose process has gone.
const INTERRUPTION: &str = "charmd ended while the operation ran";

/// What was asked for could not be kept, or the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("charmd cannot keep anything at the moment")]
pub struct Unavailable;

/// A turn at the desk: what is done in it is kept before anybody learns of it.
#[derive(Debug)]
pub struct Turn<'a> {
    /// All operations.
    pub registry: &'a mut Registry,
    /// The time.
    pub now: Moment,
    chance: &'a mut File,
}

impl Turn<'_> {
    /// Makes an operation with its children, and starts it.
    ///
    /// Sockets without a secret are given one.
    pub fn create(&mut self, mut draft: Draft) -> Result<Created, Refused> {
        for secret in draft.sockets.values_mut().filter(|secret| secret.is_empty()) {
            *secret = self.secret();
        }
        let (mut at, chance) = (self.now, &mut *self.chance);
        let new_id = || {
            let mut bytes = [0; 8];
            chance.read_exact(&mut bytes).expect(CHANCE);
            // Apart enough that children sort behind their parent, in their order.
            at = at.after(ID_STEP);
            OperationId::new(at, bytes)
        };
        self.registry.create(draft, new_id, self.now)
    }

    /// A text that nobody can guess: 64 hexadecimal digits.
    pub fn secret(&mut self) -> String {
        let mut bytes = [0; 32];
        self.chance.read_exact(&mut bytes).expect(CHANCE);
        hex(&bytes)
    }
}

/// What is done once it is known whether the turn was kept.
type Afterwards = Box<dyn FnOnce(bool) + Send>;

enum Message {
    Act(Box<dyn FnOnce(Turn<'_>) -> Afterwards + Send>),
    Wait { id: OperationId, reply: oneshot::Sender<Result<Waited, Refused>>, operations: Operations },
    Listen(u64, oneshot::Sender<Option<Missed>>),
    Synchronize(oneshot::Sender<Result<Differences, StoreError>>),
    Ended(OperationId, End),
    Connected(OperationId, Box<Connection>),
}

enum Waited {
    Over(String),
    Waiting(Waiting),
}

/// The way to the thread that owns the operations.
#[derive(Clone, Debug)]
pub struct Operations {
    messages: Sender<Message>,
    frames: broadcast::Sender<Arc<Frame>>,
    kinds: Arc<Kinds>,
    waits: Arc<AtomicU64>,
    metrics: Metrics,
    view: Arc<View>,
    location: Arc<str>,
}

impl Operations {
    /// Starts the thread, and what has to run again; work runs as tasks of a runtime.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub fn start(
        mut store: Box<dyn Store>,
        kinds: Kinds,
        settings: &Settings,
        runtime: Handle,
    ) -> Result<Self, StoreError> {
        let kept = store.load()?;
        let now = clock();
        let registry = Registry::restore(&settings.location, settings.retention, kept, INTERRUPTION, now);
        let chance = File::open("/dev/urandom")?;
        let (messages, inbox) = channel();
        let (frames, _) = broadcast::channel(LISTENER_FRAMES_MAX);
        let operations = Self {
            messages,
            frames,
            kinds: Arc::new(kinds),
            waits: Arc::default(),
            metrics: Metrics::default(),
            view: Arc::default(),
            location: settings.location.as_str().into(),
        };
        operations.view.show(&registry, registry.operations().map(Operation::id));
        let desk = Desk {
            registry,
            store,
            now,
            synchronized: now,
            chance,
            grace: settings.grace,
            attach: settings.attach,
            announce: settings.announce.clone(),
            runtime,
            line: Line::new(operations.frames.clone(), now),
            operations: operations.clone(),
            waiters: HashMap::new(),
            running: HashMap::new(),
        };
        std::thread::Builder::new().name("operations".to_owned()).spawn(move || desk.run(&inbox))?;
        Ok(operations)
    }

    /// The kinds of work that can be started.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// How requests came out.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Has something done at the desk; returns when it is kept.
    pub async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Turn<'_>) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.turn(act, true).await
    }

    /// Looks at the operations at the desk, with what is about to be kept; also while nothing can be.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Registry) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.turn(|turn| read(turn.registry), false).await
    }

    async fn turn<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Turn<'_>) -> T + Send + 'static,
        is_change: bool,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Act(Box::new(move |mut turn| {
            let value = act(&mut turn);
            Box::new(move |is_kept| {
                if is_kept || !is_change {
                    // Who asked may have gone.
                    drop(reply.send(value));
                }
            })
        })));
        answer.await.map_err(|_| Unavailable)
    }

    /// Has something done at the desk, and does not wait for it.
    pub fn post(&self, act: impl FnOnce(&mut Turn<'_>) + Send + 'static) {
        self.send(Message::Act(Box::new(move |mut turn| {
            act(&mut turn);
            Box::new(drop)
        })));
    }

    /// An operation as clients see it, as JSON: as it was last kept.
    pub fn show(&self, id: OperationId, children: Children) -> Result<String, Refused> {
        self.view.get(id, children)
    }

    /// Adds those of a list by status to a text, as JSON: URLs, or with `children` all of each; as they were last
    /// kept.
    pub fn list(&self, query: &Query, children: Option<Children>, text: &mut String) {
        self.view.list(query, children, text);
    }

    /// All operations, children too, as they were last kept: shared, and whatever happens next changes nothing
    /// of them.
    pub fn all(&self) -> BTreeMap<OperationId, Arc<Operation>> {
        self.view.all()
    }

    /// The name of this server.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Waits for the end of an operation: at once the operation as JSON where it is over.
    pub async fn wait(
        &self,
        id: OperationId,
    ) -> Result<Result<Result<String, Waiting>, Refused>, Unavailable> {
        if let Some(over) = self.view.over(id) {
            return Ok(Ok(Ok(over)));
        }
        let (reply, answer) = oneshot::channel();
        self.send(Message::Wait { id, reply, operations: self.clone() });
        let waited = answer.await.map_err(|_| Unavailable)?;
        Ok(waited.map(|waited| match waited {
            Waited::Over(over) => Ok(over),
            Waited::Waiting(waiting) => Err(waiting),
        }))
    }

    /// Compares the operations with what the store has, and puts the store right.
    ///
    /// Done without being asked, too: every hour in which nobody wants anything, and whenever something can be kept
    /// again that could not be.
    pub async fn synchronize(&self) -> Result<Result<Differences, StoreError>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Synchronize(reply));
        answer.await.map_err(|_| Unavailable)
    }

    /// Hands a client to the work of an operation.
    pub(super) fn connected(&self, id: OperationId, connection: Connection) {
        self.send(Message::Connected(id, Box::new(connection)));
    }

    /// Everything that is told from now on, in order.
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Frame>> {
        self.frames.subscribe()
    }

    /// Everything that was told after an event, and from now on; None where some of it has been forgotten.
    pub(super) async fn listen_since(&self, number: u64) -> Result<Option<Missed>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Listen(number, reply));
        answer.await.map_err(|_| Unavailable)
    }

    /// Tells all work to stop that would not run again, and waits for it, up to `limit`.
    pub async fn shut_down(&self, limit: Duration) {
        // Whether it can be kept or not, the program ends.
        let _ = self.act(|turn| turn.registry.shut_down(turn.now)).await;
        let all_ended = async {
            while self.read(|registry| !registry.unfinished_work().is_empty()).await == Ok(true) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        drop(tokio::time::timeout(limit, all_ended).await);
    }

    fn send(&self, message: Message) {
        // Nobody is there only while the program ends; who waits for an answer learns it by the channel.
        drop(self.messages.send(message));
    }
}

/// An operation as clients see it, as JSON.
pub(super) fn shown(registry: &Registry, operation: &Operation) -> String {
    json(&registry.render(operation, Children::Counted))
}

/// JSON of what has nothing in it that JSON has not.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers, lists and maps with texts as keys")
}

#[expect(clippy::disallowed_methods, reason = "the one clock of the operations")]
fn clock() -> Moment {
    Moment::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Work that runs.
struct Running {
    stop: watch::Sender<bool>,
    connections: mpsc::UnboundedSender<Connection>,
    task: AbortHandle,
}

struct Desk {
    registry: Registry,
    store: Box<dyn Store>,
    /// Time does not go back.
    now: Moment,
    /// When it was last compared with the store.
    synchronized: Moment,
    chance: File,
    grace: Duration,
    attach: Duration,
    announce: Option<Arc<dyn Announce>>,
    runtime: Handle,
    operations: Operations,
    line: Line,
    waiters: HashMap<WaitId, oneshot::Sender<String>>,
    running: HashMap<OperationId, Running>,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Message>) {
        let mut is_kept = self.commit(Vec::new());
        loop {
            self.now = self.now.max(clock());
            let due = self.registry.next_prune().map_or(SLEEP_MAX, |at| at.since(self.now).min(SLEEP_MAX));
            let wait = if is_kept { due } else { RETRY };
            let mut batch = Vec::new();
            match inbox.recv_timeout(wait) {
                Ok(message) => batch.push(message),
                Err(RecvTimeoutError::Timeout) => {
                    self.now = self.now.max(clock());
                    if self.now.since(self.synchronized) >= SLEEP_MAX {
                        self.synchronize_unasked();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            batch.extend(inbox.try_iter().take(BATCH_MAX - 1));
            self.now = self.now.max(clock());
            let afterwards = batch.into_iter().filter_map(|message| self.take(message)).collect();
            self.registry.prune(self.now);
            let was_kept = std::mem::replace(&mut is_kept, self.commit(afterwards));
            if is_kept && !was_kept {
                // What a store said it had not kept, it may have kept.
                self.synchronize_unasked();
                is_kept = self.commit(Vec::new());
            }
        }
    }

    fn synchronize(&mut self) -> Result<Differences, StoreError> {
        self.synchronized = self.now;
        let differences = self.registry.synchronize(&self.store.load()?);
        if !differences.is_none() {
            let Differences { unknown, missing, other } = differences;
            log::warn!(
                "put right in the store: {unknown} unknown, {missing} missing, {other} other operations"
            );
        }
        Ok(differences)
    }

    fn synchronize_unasked(&mut self) {
        if let Err(error) = self.synchronize() {
            log::error!("{error}; what is kept was not compared");
        }
    }

    fn take(&mut self, message: Message) -> Option<Afterwards> {
        match message {
            Message::Act(act) => {
                // No two turns are at the same time.
                self.now = self.now.next().max(clock());
                let turn = Turn { registry: &mut self.registry, now: self.now, chance: &mut self.chance };
                Some(act(turn))
            }
            Message::Wait { id, reply, operations } => {
                let wait = WaitId(self.operations.waits.fetch_add(1, Ordering::Relaxed));
                let waited = self.registry.wait(id, wait).map(|is_waiting| {
                    if !is_waiting {
                        return Waited::Over(shown(
                            &self.registry,
                            self.registry.get(id).expect("found just now"),
                        ));
                    }
                    let (sender, over) = oneshot::channel();
                    self.waiters.insert(wait, sender);
                    Waited::Waiting(Waiting { id, wait, over, operations })
                });
                Some(Box::new(move |_| drop(reply.send(waited))))
            }
            Message::Listen(number, reply) => {
                // What this turn has told is told after it, to those who listen.
                drop(reply.send(self.line.since(number)));
                None
            }
            Message::Synchronize(reply) => {
                let differences = self.synchronize();
                Some(Box::new(move |_| drop(reply.send(differences))))
            }
            Message::Connected(id, connection) => {
                // Work that is over, or wants nobody, drops the connection.
                if let Some(running) = self.running.get(&id) {
                    drop(running.connections.send(*connection));
                }
                None
            }
            Message::Ended(id, end) => {
                self.running.remove(&id);
                if let Err(refused) = self.registry.end(id, end, self.now) {
                    log::error!("operation {id} ended and was not running: {refused}");
                }
                None
            }
        }
    }

    /// Writes down what changed, then answers, tells, and runs; whether it could be written down.
    fn commit(&mut self, afterwards: Vec<Afterwards>) -> bool {
        let changes = self.registry.changes();
        let is_kept = changes.is_empty()
            || self.store.commit(&changes).map_err(|error| log::error!("{error}; trying again")).is_ok();
        let mut effects = Vec::new();
        if is_kept {
            self.registry.stored();
            effects = self.registry.take_effects();
            let ids = changes.iter().map(Change::id).chain(effects.iter().filter_map(Effect::told));
            self.operations.view.show(&self.registry, ids.collect::<BTreeSet<_>>());
        } else {
            self.registry.not_stored();
        }
        for answer in afterwards {
            answer(is_kept);
        }
        for effect in effects {
            self.carry_out(effect);
        }
        // Who hung up is not waited for.
        if self.waiters.len() > 64 {
            self.waiters.retain(|_, waiter| !waiter.is_closed());
        }
        is_kept
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Run(id) => self.run_work(id),
            Effect::Stop(id) => {
                if let Some(running) = self.running.get(&id) {
                    running.stop.send_replace(true);
                    let (grace, task) = (self.grace, running.task.clone());
                    self.runtime.spawn(async move {
                        tokio::time::sleep(grace).await;
                        task.abort();
                    });
                }
            }
            Effect::Announce(id) => {
                if let Some(announce) = &self.announce {
                    announce.announce(id);
                }
            }
            Effect::Acknowledged(id) => {
                if let Some(announce) = &self.announce {
                    announce.acknowledged(id);
                }
            }
            Effect::Tell(notice) => {
                if let Notice::Operation(operation) = &notice
                    && operation.is_finished()
                {
                    self.operations.metrics.ended(operation);
                }
                self.line.tell(&notice, &self.registry, self.now);
            }
            Effect::Wake(wait, id) => {
                if let (Some(waiter), Ok(operation)) = (self.waiters.remove(&wait), self.registry.get(id)) {
                    drop(waiter.send(shown(&self.registry, operation)));
                }
            }
        }
    }

    fn run_work(&mut self, id: OperationId) {
        let Ok(operation) = self.registry.get(id) else { return };
        if operation.is_finished() {
            return;
        }
        let record = operation.record();
        let Some(kind) = self.operations.kinds.get(&record.kind) else {
            let text = format!("there is no kind of work `{}` any more", record.kind);
            self.operations.send(Message::Ended(id, End::Failure(Fault::new(500, text))));
            return;
        };
        let (stop, stopped) = watch::channel(false);
        let (sender, connections) = mpsc::unbounded_channel();
        let work = Work {
            id,
            inputs: record.inputs.clone(),
            metadata: record.metadata.clone(),
            stop: stopped,
            connections,
            attach: self.attach,
            operations: self.operations.clone(),
            announce: self.announce.clone(),
        };
        let task = self.runtime.spawn(async move { kind.run(work).await });
        self.running.insert(id, Running { stop, connections: sender, task: task.abort_handle() });
        let (operations, grace) = (self.operations.clone(), self.grace);
        self.runtime.spawn(async move {
            let end = task.await.unwrap_or_else(|error| {
                if error.is_cancelled() {
                    End::Cancelled(Some(format!(
                        "did not stop within {}s, and was ended",
                        grace.as_secs_f64()
                    )))
                } else {
                    End::Failure(Fault::new(500, "the work panicked"))
                }
            });
            operations.send(Message::Ended(id, end));
        });
    }
}
