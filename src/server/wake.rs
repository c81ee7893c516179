//! Wake-ups: named moments at which the unit is to run its handlers.
//!
//! ```text
//!   routes     /1.0/wake-ups/NAME ─┐
//!   operations, ... ───────────────┴─► WakeUps     kept before anybody is answered
//!     ▼
//!   book       which are due, and when Juju is asked for them again; no clock, no I/O
//!     ▼
//!   juju       one `juju-exec` for all that are due
//! ```
//!
//! # Guarantees
//!
//! A wake-up stays until somebody clears it, so a dispatch has seen it: at least one.  Juju is asked once for all
//! that are due, again after [`AGAIN`] while they are not cleared, and after growing pauses where Juju cannot do it.
//! Whatever hook runs first sees what is due, in the list.

mod book;
mod juju;
mod routes;
mod store;
mod waiter;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use charms_reactive_core::operation::OperationId;
use charms_reactive_core::waiter::Moment;
use tokio::sync::Notify;

use crate::database::DatabaseError;
use crate::keeper::Keeper;
use crate::operations::Announce;

pub use book::{AGAIN, PAUSE_MAX, When};
pub use juju::Juju;
pub use routes::router;

use book::Book;
use store::Store;

/// How many wake-ups there may be.
pub const WAKE_UPS_MAX: usize = 1000;
/// How long a name may be.
pub const NAME_BYTES_MAX: usize = 128;

/// How long the task sleeps at most: the clock of the machine may be set.
const SLEEP_MAX: Duration = Duration::from_mins(1);
/// How long it waits before it asks again about waiters that cannot be asked about now.
const WAITERS_AGAIN: Duration = Duration::from_secs(5);

/// Why a wake-up is not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WakeUpError {
    /// The name is none.
    #[error(
        "`{0}` is no name of a wake-up, expected 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`"
    )]
    Name(String),
    /// The waiter has no such name.
    #[error("`{0}` is no name of a waiter, expected `projects/P/configs/C/waiters/W`")]
    Waiter(String),
    /// There are too many.
    #[error("there are {WAKE_UPS_MAX} wake-ups, expected no more")]
    TooMany,
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] DatabaseError),
}

/// A wake-up, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeUp {
    /// Its name.
    pub name: String,
    /// When the unit is to be woken.
    pub when: When,
    /// Whether that was before.
    pub is_due: bool,
}

/// The wake-ups of a unit; a clone is the same list.
#[derive(Clone, Debug)]
pub struct WakeUps(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    /// Something else may be due next.
    has_changed: Notify,
}

#[derive(Debug)]
struct Desk {
    book: Book,
    store: Option<Store>,
}

impl WakeUps {
    /// Those that were kept in a directory; without one, none are kept.
    pub fn open(directory: Option<&Path>) -> Result<Self, DatabaseError> {
        let store = directory.map(Store::open).transpose()?;
        let mut book = Book::default();
        for (name, when) in store.as_ref().map(Store::load).transpose()?.unwrap_or_default() {
            book.set(&name, when);
        }
        let desk = Mutex::new(Desk { book, store });
        Ok(Self(Arc::new(Shared { desk, has_changed: Notify::new() })))
    }

    /// Has the unit woken then; replaces a wake-up of this name.  It is kept when this returns.
    ///
    /// Waits for the disk.  Said again, it does nothing; [`When::now`] is another moment each time, so the unit is
    /// woken once more even if it is just being woken.
    pub fn set(&self, name: &str, when: When) -> Result<(), WakeUpError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_name) {
            return Err(WakeUpError::Name(name.to_owned()));
        }
        if let When::Ended(name) = &when
            && waiter::question(name).is_none()
        {
            return Err(WakeUpError::Waiter(name.clone()));
        }
        let mut desk = self.desk();
        if desk.book.get(name) == Some(&when) {
            return Ok(());
        }
        if desk.book.len() >= WAKE_UPS_MAX && desk.book.get(name).is_none() {
            return Err(WakeUpError::TooMany);
        }
        if let Some(store) = &desk.store {
            store.put(name, &when)?;
        }
        desk.book.set(name, when);
        drop(desk);
        self.0.has_changed.notify_one();
        Ok(())
    }

    /// Forgets a wake-up; tells whether it was there.  Waits for the disk.
    pub fn clear(&self, name: &str) -> Result<bool, WakeUpError> {
        let mut desk = self.desk();
        if desk.book.get(name).is_none() {
            return Ok(false);
        }
        if let Some(store) = &desk.store {
            store.drop(name)?;
        }
        desk.book.clear(name);
        Ok(true)
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<WakeUp> {
        self.desk().book.list(now())
    }

    /// Wakes the unit whenever it is due, for ever.
    pub async fn keep_waking(self, juju: Juju, keeper: Keeper) {
        let mut ends = keeper.ends();
        loop {
            ends.mark_unchanged();
            let is_known = self.look_at_waiters(&keeper).await;
            let now_due = self.desk().book.due(now());
            if !now_due.is_empty() {
                let is_done = juju.wake().await;
                self.desk().book.asked(&now_due, is_done, now());
                continue;
            }
            let next = self.desk().book.next().map(|at| at.since(now()));
            let next = if is_known { next } else { Some(next.unwrap_or(WAITERS_AGAIN).min(WAITERS_AGAIN)) };
            let pause = async {
                match next {
                    // A moment of the clock may be just behind that of the timer.
                    Some(span) => tokio::time::sleep(span.min(SLEEP_MAX) + Duration::from_millis(1)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.0.has_changed.notified() => {}
                // Without a keeper there is nobody to wake up for: the program ends.
                Ok(()) = ends.changed() => {}
            }
        }
    }

    /// Notes which waiters have ended; tells whether all of them could be asked about.
    async fn look_at_waiters(&self, keeper: &Keeper) -> bool {
        let mut is_known = true;
        let waiters = self.desk().book.waited_for();
        for name in waiters {
            match waiter::has_ended(keeper, &name).await {
                Some(true) => self.desk().book.end(&name),
                Some(false) => {}
                None => is_known = false,
            }
        }
        is_known
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends of operations: each wakes the unit until it is acknowledged.
impl Announce for WakeUps {
    fn announce(&self, id: OperationId) {
        // Kept with the operation itself, which announces it again when the server starts.
        if let Err(error) = self.set(&of_operation(id), When::now()) {
            log::error!("cannot wake the unit for operation {id}: {error}");
        }
    }

    fn acknowledged(&self, id: OperationId) {
        if let Err(error) = self.clear(&of_operation(id)) {
            log::error!("the unit will be woken for operation {id} once more: {error}");
        }
    }
}

/// The name of the wake-up for the end of an operation.
fn of_operation(id: OperationId) -> String {
    format!("operation-{id}")
}

#[expect(clippy::disallowed_methods, reason = "the clock of wake-ups")]
fn now() -> Moment {
    Moment::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

impl When {
    /// At once.
    pub fn now() -> Self {
        Self::At(now())
    }
}
