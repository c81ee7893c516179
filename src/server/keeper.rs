//! The one thread that owns the service: calls one after another, time, and the store.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use charms_reactive_core::waiter::Moment;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::runtimeconfig::{Answer, ApiError, Call, Code, Service, Store, StoreError, WatchId};

/// How many calls are written in one transaction at most.
const BATCH_MAX: usize = 256;
/// How long the thread sleeps at most.
const SLEEP_MAX: Duration = Duration::from_hours(1);

/// What a call comes to, for the one who asked.
#[derive(Debug)]
pub enum Reply {
    /// The body of the answer.
    Done(Result<Value, ApiError>),
    /// The answer comes later.
    Watching(Watching),
}

/// A watch that has not been answered yet.
#[derive(Debug)]
pub struct Watching {
    id: WatchId,
    changed: oneshot::Receiver<Value>,
    keeper: Keeper,
}

impl Watching {
    /// What the variable became; as it is after `limit`.
    pub async fn wait(mut self, limit: Duration) -> Result<Value, ApiError> {
        if let Ok(changed) = tokio::time::timeout(limit, &mut self.changed).await {
            return changed.map_err(|_| Code::Unavailable.into());
        }
        let (reply, ended) = oneshot::channel();
        self.keeper.send(Message::End { id: self.id, reply: Some(reply) });
        match ended.await {
            Ok(Some(value)) => Ok(value),
            // It changed just now.
            _ => self.changed.try_recv().map_err(|_| Code::Unavailable.into()),
        }
    }
}

impl Drop for Watching {
    /// The client may have gone: nobody is to be told then.
    fn drop(&mut self) {
        self.keeper.send(Message::End { id: self.id, reply: None });
    }
}

enum Message {
    Call { call: Box<Call>, reply: oneshot::Sender<Reply>, keeper: Keeper },
    End { id: WatchId, reply: Option<oneshot::Sender<Option<Value>>> },
}

/// The way to the thread that owns the service.
#[derive(Clone, Debug)]
pub struct Keeper {
    messages: Sender<Message>,
}

impl Keeper {
    /// Starts the thread; it ends when every [`Keeper`] is gone.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub fn start(mut store: Box<dyn Store>) -> Result<(Self, JoinHandle<()>), StoreError> {
        let service = Service::load(store.load()?);
        let (messages, inbox) = channel();
        let keeper = Self { messages };
        let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            let desk = Desk { service, store, watchers: HashMap::new() };
            desk.run(&inbox);
        })?;
        Ok((keeper, thread))
    }

    /// Has a call answered.
    pub async fn call(&self, call: Call) -> Reply {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Call { call: Box::new(call), reply, keeper: self.clone() });
        answer.await.unwrap_or_else(|_| Reply::Done(Err(Code::Unavailable.into())))
    }

    fn send(&self, message: Message) {
        // Nobody is there only while the program ends; who waits for an answer learns it by the channel.
        drop(self.messages.send(message));
    }
}

#[expect(clippy::disallowed_methods, reason = "the one clock of the service")]
fn now() -> Moment {
    Moment::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

struct Desk {
    service: Service,
    store: Box<dyn Store>,
    watchers: HashMap<WatchId, oneshot::Sender<Value>>,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Message>) {
        // What became due while nobody was there.
        self.service.tick(now());
        self.commit(Vec::new());
        loop {
            let wait = self.service.next_timeout().map_or(SLEEP_MAX, |at| at.since(now()).min(SLEEP_MAX));
            let mut batch = Vec::new();
            match inbox.recv_timeout(wait) {
                Ok(message) => batch.push(message),
                Err(RecvTimeoutError::Timeout) => self.service.tick(now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            batch.extend(inbox.try_iter().take(BATCH_MAX - batch.len()));
            let replies = batch.into_iter().filter_map(|message| self.answer(message)).collect();
            self.commit(replies);
        }
    }

    fn answer(&mut self, message: Message) -> Option<(oneshot::Sender<Reply>, Reply)> {
        match message {
            Message::Call { call, reply, keeper } => {
                let answer = match self.service.call(*call, now()) {
                    Err(error) => Reply::Done(Err(error)),
                    Ok(Answer::Done(value)) => Reply::Done(Ok(value)),
                    Ok(Answer::Watching(id)) => {
                        let (sender, changed) = oneshot::channel();
                        self.watchers.insert(id, sender);
                        Reply::Watching(Watching { id, changed, keeper })
                    }
                };
                Some((reply, answer))
            }
            Message::End { id, reply } => {
                self.watchers.remove(&id);
                let value = self.service.end_watch(id);
                if let Some(reply) = reply {
                    drop(reply.send(value));
                }
                None
            }
        }
    }

    /// Writes down what changed, then answers; where that fails, nothing has happened.
    fn commit(&mut self, replies: Vec<(oneshot::Sender<Reply>, Reply)>) {
        let changes = self.service.take_changes();
        let notices = self.service.take_notices();
        if !changes.is_empty()
            && let Err(error) = self.store.commit(&changes)
        {
            log::error!("{error}; {} changes are taken back", changes.len());
            self.reload();
            for (sender, _) in replies {
                drop(sender.send(Reply::Done(Err(Code::Unavailable.into()))));
            }
            return;
        }
        for (sender, reply) in replies {
            // Who asked may have gone.
            drop(sender.send(reply));
        }
        for (id, value) in notices {
            if let Some(watcher) = self.watchers.remove(&id) {
                drop(watcher.send(value));
            }
        }
    }

    /// Goes back to what is in the store; watches end.
    fn reload(&mut self) {
        self.watchers.clear();
        match self.store.load() {
            Ok(snapshot) => self.service = Service::load(snapshot),
            Err(error) => log::error!("{error}; what is in memory may not be in the store"),
        }
    }
}
