//! The one thread that owns the service: calls one after another, time, and the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use charms_reactive_core::waiter::Moment;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::runtimeconfig::{Answer, ApiError, Call, Change, Code, News, Service, Store, StoreError, WatchId};

/// How many calls are written in one transaction at most.
const BATCH_MAX: usize = 256;
/// How many waiters end by time in one transaction, about.
const ENDS_MAX: usize = 500;
/// How often a call is done again because another server was faster.
const TRIES_MAX: usize = 200;
/// How long the thread waits before it tries again what the store has refused.
const PAUSE: Duration = Duration::from_secs(1);
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
    Call(Box<Asked>),
    End {
        id: WatchId,
        reply: Option<oneshot::Sender<Option<Value>>>,
    },
    /// Another server has written.
    News,
}

/// A call, and who waits for its answer.
struct Asked {
    call: Call,
    reply: oneshot::Sender<Reply>,
    keeper: Keeper,
}

/// The way to the thread that owns the service.
#[derive(Clone, Debug)]
pub struct Keeper {
    messages: Arc<Sender<Message>>,
    ends: watch::Receiver<()>,
}

impl Keeper {
    /// Starts the thread; it ends when every [`Keeper`] is gone.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub fn start(mut store: Box<dyn Store>) -> Result<(Self, JoinHandle<()>), StoreError> {
        let (messages, inbox) = channel();
        let messages = Arc::new(messages);
        // The store does not keep the thread alive.
        let waker = Arc::downgrade(&messages);
        store.on_news(Box::new(move || {
            if let Some(messages) = waker.upgrade() {
                drop(messages.send(Message::News));
            }
        }));
        let service = Service::load(store.load()?);
        let (ended, ends) = watch::channel(());
        let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(move || {
            let desk = Desk { service, store, watchers: HashMap::new(), ended };
            desk.run(&inbox);
        })?;
        Ok((Self { messages, ends }, thread))
    }

    /// Has a call answered.
    pub async fn call(&self, call: Call) -> Reply {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Call(Box::new(Asked { call, reply, keeper: self.clone() })));
        answer.await.unwrap_or_else(|_| Reply::Done(Err(Code::Unavailable.into())))
    }

    /// Changes whenever a waiter may have ended.
    pub fn ends(&self) -> watch::Receiver<()> {
        self.ends.clone()
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
    ended: watch::Sender<()>,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Message>) {
        // What became due while nobody was there.
        let mut is_fine = self.tick();
        loop {
            let due = self.service.next_timeout().map_or(SLEEP_MAX, |at| at.since(now()).min(SLEEP_MAX));
            let first = match inbox.recv_timeout(if is_fine { due } else { due.max(PAUSE) }) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut asked = Vec::new();
            let mut has_news = false;
            for message in first.into_iter().chain(inbox.try_iter()).take(BATCH_MAX) {
                match message {
                    Message::Call(call) => asked.push(*call),
                    Message::End { id, reply } => self.end(id, reply),
                    Message::News => has_news = true,
                }
            }
            if has_news {
                self.learn();
            }
            is_fine = self.tick();
            self.answer(asked);
        }
    }

    fn end(&mut self, id: WatchId, reply: Option<oneshot::Sender<Option<Value>>>) {
        self.watchers.remove(&id);
        let value = self.service.end_watch(id);
        if let Some(reply) = reply {
            drop(reply.send(value));
        }
    }

    /// Has happen what is due by time, a part at a time; tells whether it could be kept.
    fn tick(&mut self) -> bool {
        loop {
            let now = now();
            while self.service.changes().len() < ENDS_MAX
                && let Some(at) = self.service.next_timeout().filter(|at| *at <= now)
            {
                self.service.tick(at);
            }
            if self.service.changes().is_empty() {
                return true;
            }
            match self.commit() {
                Ok(()) => self.notify(),
                // Others may have ended the same ones.
                Err(StoreError::Overtaken) if self.learn() => {}
                Err(_) => return false,
            }
        }
    }

    /// Answers calls, as many as possible in one transaction.
    fn answer(&mut self, mut asked: Vec<Asked>) {
        let mut size = BATCH_MAX;
        let mut tries = 0;
        while !asked.is_empty() {
            let count = size.min(asked.len());
            let answers: Vec<_> =
                asked[..count].iter().map(|asked| self.service.call(asked.call.clone(), now())).collect();
            let kept = self.commit();
            if kept.is_err() {
                // Nobody has heard of the watches that began.
                for answer in &answers {
                    if let Ok(Answer::Watching(id)) = answer {
                        self.service.end_watch(*id);
                    }
                }
            }
            match kept {
                Ok(()) => {
                    for (asked, answer) in asked.drain(..count).zip(answers) {
                        self.reply(asked, answer);
                    }
                    self.notify();
                    (size, tries) = (BATCH_MAX, 0);
                }
                Err(StoreError::Overtaken) if tries < TRIES_MAX && self.learn() => tries += 1,
                Err(StoreError::TooLarge { .. }) if count > 1 => size = count / 2,
                Err(StoreError::TooLarge { .. }) => {
                    let Asked { reply, .. } = asked.remove(0);
                    drop(reply.send(Reply::Done(Err(Code::ResourceExhausted.into()))));
                    size = BATCH_MAX;
                }
                Err(_) => {
                    for Asked { reply, .. } in asked.drain(..) {
                        drop(reply.send(Reply::Done(Err(Code::Unavailable.into()))));
                    }
                }
            }
        }
    }

    fn reply(&mut self, asked: Asked, answer: Result<Answer, ApiError>) {
        let Asked { reply, keeper, .. } = asked;
        let answer = match answer {
            Err(error) => Reply::Done(Err(error)),
            Ok(Answer::Done(value)) => Reply::Done(Ok(value)),
            Ok(Answer::Watching(id)) => {
                let (sender, changed) = oneshot::channel();
                self.watchers.insert(id, sender);
                Reply::Watching(Watching { id, changed, keeper })
            }
        };
        // Who asked may have gone.
        drop(reply.send(answer));
    }

    /// Writes down what changed; where that fails, nothing has happened.
    fn commit(&mut self) -> Result<(), StoreError> {
        let kept = self.store.commit(self.service.changes());
        match &kept {
            Ok(()) => {
                if self.service.take_changes().iter().any(Change::is_of_waiter) {
                    self.ended.send_replace(());
                }
            }
            Err(error) => {
                let count = self.service.changes().len();
                self.service.take_back();
                if !matches!(error, StoreError::Overtaken) {
                    log::error!("{error}; {count} changes are taken back");
                }
                if !matches!(error, StoreError::Overtaken | StoreError::TooLarge { .. }) {
                    self.end_watches();
                }
            }
        }
        kept
    }

    /// Takes over what others have written; tells whether it could be read.
    fn learn(&mut self) -> bool {
        match self.store.news() {
            Ok(all) => {
                for news in all {
                    match news {
                        News::Changes(changes) => self.service.adopt(changes),
                        News::Everything(snapshot) => self.service.renew(snapshot),
                    }
                }
                self.ended.send_replace(());
                self.notify();
                true
            }
            Err(error) => {
                log::error!("{error}");
                self.end_watches();
                false
            }
        }
    }

    /// Tells who watches what has become of it.
    fn notify(&mut self) {
        for (id, value) in self.service.take_notices() {
            if let Some(watcher) = self.watchers.remove(&id) {
                drop(watcher.send(value));
            }
        }
    }

    /// Ends all watches with an error: nobody knows whether they have missed something.
    fn end_watches(&mut self) {
        for (id, _) in self.watchers.drain() {
            self.service.end_watch(id);
        }
    }
}
