//! A thread that follows what is committed, by whomever.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::gateway::{Gateway, Trouble, integer};
use super::head::Head;
use super::plan::Keys;
use crate::runtimeconfig::store::{StoreError, Wake};

/// After so long without a commit, the thread asks whether there was none.
const QUIET: Duration = Duration::from_secs(2);
/// How long the thread waits before it tries again.
const PAUSE: Duration = Duration::from_millis(200);

/// What the thread has found, for the store.
#[derive(Default)]
pub(super) struct Found {
    pub(super) heads: VecDeque<Head>,
    /// Some commits cannot be had any more: etcd has compacted them away, or somebody else wrote there.
    pub(super) is_lost: bool,
    /// No member answers.
    pub(super) trouble: Option<String>,
}

struct Shared {
    found: Mutex<Found>,
    has_found: Condvar,
    /// Up to where the store knows.
    known: AtomicI64,
    /// The thread is to begin anew, with another member; or to end, when nobody else has this.
    turn: Notify,
    wake: Option<Arc<Wake>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Found> {
        // Whoever panicked has left nothing half done.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Found)) {
        change(&mut self.lock());
        self.has_found.notify_all();
        if let Some(wake) = &self.wake {
            wake();
        }
    }
}

/// The way to the thread; with this, it ends.
pub(super) struct Follower {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.shared.turn.notify_one();
    }
}

impl Follower {
    /// Begins to follow behind the commit of a revision.
    pub(super) fn start(
        gateway: Gateway,
        keys: Keys,
        known: i64,
        wake: Option<Arc<Wake>>,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            found: Mutex::default(),
            has_found: Condvar::new(),
            known: AtomicI64::new(known),
            turn: Notify::new(),
            wake,
        });
        let follower = Self { shared: shared.clone() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = Thread { shared: Arc::downgrade(&shared), gateway, keys, seen: known, is_down: false };
        drop(shared);
        std::thread::Builder::new()
            .name("etcd-watch".to_owned())
            .spawn(move || runtime.block_on(thread.run()))?;
        Ok(follower)
    }

    /// The store knows all up to this revision: nobody need be told.
    pub(super) fn know(&self, revision: i64) {
        self.shared.known.store(revision, Ordering::Relaxed);
    }

    /// Looks at what was found; where `look` finds nothing, again when there is more, until `limit` is over.
    pub(super) fn wait<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&mut Found) -> Option<T>,
    ) -> Option<T> {
        let mut result = None;
        let found = self.shared.lock();
        let waiting = self.shared.has_found.wait_timeout_while(found, limit, |found| {
            result = look(found);
            result.is_none()
        });
        drop(waiting);
        result
    }

    /// Has the thread ask another member.
    pub(super) fn turn(&self) {
        self.shared.turn.notify_one();
    }
}

struct Thread {
    shared: std::sync::Weak<Shared>,
    gateway: Gateway,
    keys: Keys,
    /// The last commit that was seen.
    seen: i64,
    /// Nobody has answered.
    is_down: bool,
}

/// Why the thread does not go on.
enum End {
    /// Nobody listens any more, or there is nothing more to be had.
    Over,
    /// To be tried again, perhaps with another member.
    Again(Trouble),
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Again(trouble)
    }
}

impl Thread {
    async fn run(mut self) {
        while let Err(End::Again(trouble)) = self.follow().await {
            let Some(shared) = self.shared.upgrade() else { return };
            log::debug!("the watch begins anew: {trouble}");
            drop(shared);
            self.gateway.turn();
            sleep(PAUSE).await;
        }
    }

    async fn follow(&mut self) -> Result<(), End> {
        let from = match self.gateway.revisions(&self.keys).await {
            // Nothing is missed in between, even where etcd has forgotten it.
            Ok((head, all)) if head == self.seen => all + 1,
            Ok((head, _)) if head > self.seen => self.seen + 1,
            Ok(_) => return self.lose("etcd is as it was before"),
            Err(trouble) => return self.miss(trouble),
        };
        self.is_down = false;
        let mut stream = self.gateway.watch(&self.keys, from).await?;
        loop {
            let shared = self.shared.upgrade().ok_or(End::Over)?;
            let message = tokio::select! {
                message = timeout(QUIET, stream.next()) => message,
                () = shared.turn.notified() => {
                    return Err(End::Again(Trouble::Unreachable("another member is asked".to_owned())));
                }
            };
            // So that the thread ends when the store does.
            drop(shared);
            match message {
                Ok(message) => self.read(&message?)?,
                Err(_) => match self.gateway.revisions(&self.keys).await {
                    Ok((head, _)) if head == self.seen => {}
                    Ok(_) => {
                        return Err(End::Again(Trouble::Unreachable("the member is behind".to_owned())));
                    }
                    Err(trouble) => return self.miss(trouble),
                },
            }
        }
    }

    fn read(&mut self, message: &Value) -> Result<(), End> {
        if message["canceled"] == true {
            if integer(&message["compact_revision"]) > 0 {
                return self.lose("etcd has compacted what was written since");
            }
            return Err(Trouble::Unreachable("etcd has ended the watch".to_owned()).into());
        }
        let events = message["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        for event in events {
            match Head::read(&event["kv"]) {
                Ok(head) => {
                    self.seen = head.revision;
                    let shared = self.shared.upgrade().ok_or(End::Over)?;
                    if head.revision > shared.known.load(Ordering::Relaxed) {
                        shared.tell(|found| found.heads.push_back(head));
                    }
                }
                Err(why) => return self.lose(&why.0),
            }
        }
        Ok(())
    }

    /// Nobody answers; said once.
    fn miss(&mut self, trouble: Trouble) -> Result<(), End> {
        if !std::mem::replace(&mut self.is_down, true) {
            self.tell(|found| found.trouble = Some(trouble.to_string()))?;
        }
        Err(trouble.into())
    }

    fn lose(&self, why: &str) -> Result<(), End> {
        log::warn!("everything is read anew: {why}");
        self.tell(|found| found.is_lost = true)?;
        Err(End::Over)
    }

    fn tell(&self, change: impl FnOnce(&mut Found)) -> Result<(), End> {
        self.shared.upgrade().ok_or(End::Over)?.tell(change);
        Ok(())
    }
}
