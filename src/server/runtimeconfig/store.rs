//! What must survive a restart, and where it is kept.

mod etcd;
mod sqlite;

use charms_reactive_core::waiter::{Moment, VariablePath, WaiterName};
use serde_json::Value;

use super::call::ConfigName;
use super::variable::Variable;
use super::waiter::KeptWaiter;
use crate::database::DatabaseError;

pub use etcd::{Endpoint, EndpointError, Etcd, EtcdTls, EtcdTlsError, EtcdUser};
pub use sqlite::Sqlite;

/// Why nothing could be kept, or read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// `SQLite` failed.
    #[error("cannot use the database")]
    Database(#[from] rusqlite::Error),
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] DatabaseError),
    /// The system gives no thread, or no chance, to begin with.
    #[error("cannot begin")]
    Begin(#[from] std::io::Error),
    /// Something in it is not what was written.
    #[error("table `{table}` has a row that cannot be read: {reason}")]
    Row {
        /// Where.
        table: &'static str,
        /// Why.
        reason: String,
    },
    /// Another server was faster.
    #[error("another server has written first")]
    Overtaken,
    /// So much cannot be kept at once.
    #[error("{bytes} bytes are too many for one transaction")]
    TooLarge {
        /// How much it is.
        bytes: usize,
    },
    /// No member of etcd answers.
    #[error("no member of etcd answers: {0}")]
    Unreachable(String),
    /// etcd is to be reached by TLS, and cannot be.
    #[error(transparent)]
    Tls(#[from] EtcdTlsError),
    /// There is no password in the file that should have it.
    #[error("cannot read a password from `{0}`, expected a file with one line")]
    Password(String),
    /// etcd answers, and does not do it.
    #[error("etcd refuses: {0}")]
    Refused(String),
}

/// What a request with an id has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The list it was added to.
    pub(super) list: String,
    /// The id.
    pub(super) id: String,
    /// What was made.
    pub(super) name: String,
    /// When: another of this name was made at another moment.
    pub(super) at: Moment,
}

/// A config as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) uid: i64,
    pub(super) description: String,
    pub(super) policy: Value,
    pub(super) variables: Vec<(VariablePath, Variable)>,
    pub(super) waiters: Vec<(WaiterName, KeptWaiter)>,
}

/// Everything that was kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub(super) configs: Vec<(ConfigName, Kept)>,
    /// By age.
    pub(super) requests: Vec<Request>,
}

/// One thing to be kept.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of what is kept")]
pub enum Change {
    /// A config is new, or other.
    PutConfig { uid: i64, name: ConfigName, description: String, policy: Value },
    /// A config is gone, with all that it held.
    DropConfig { uid: i64 },
    /// A variable is new, or other.
    PutVariable { config: i64, path: VariablePath, variable: Variable },
    /// A variable is gone, and all that were below its path.
    DropVariable { config: i64, path: VariablePath },
    /// A waiter is new, or has ended.
    PutWaiter { config: i64, name: WaiterName, waiter: Box<KeptWaiter> },
    /// A waiter is gone.
    DropWaiter { config: i64, name: WaiterName },
    /// A request id is new.
    PutRequest(Request),
    /// A request id is forgotten.
    DropRequest { list: String, id: String },
}

impl Change {
    /// Whether a waiter may have ended by it, or be gone.
    pub fn is_of_waiter(&self) -> bool {
        matches!(self, Self::PutWaiter { .. } | Self::DropWaiter { .. } | Self::DropConfig { .. })
    }
}

/// What others have kept in the same store.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// These changes, one after another.
    Changes(Vec<Change>),
    /// So much that it is told from the beginning.
    Everything(Snapshot),
}

/// Has the keeper ask for news.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Where changes are kept.
///
/// Where several servers share a store, all that is kept has one order.  Each server knows it up to some point:
/// all of it after [`Store::load`], and more with its own commits and with [`Store::news`].
pub trait Store: Send {
    /// Everything that was kept.
    fn load(&mut self) -> Result<Snapshot, StoreError>;

    /// Keeps changes, all or none; when this returns, they survive whatever happens.
    ///
    /// # Errors
    ///
    /// [`StoreError::Overtaken`] where others have kept something that this server does not know: nothing is kept
    /// then, not even nothing.  So whoever commits, if only an empty list, has known everything at that moment.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// What others have kept since the last time; after [`StoreError::Overtaken`] at least what overtook.
    fn news(&mut self) -> Result<Vec<News>, StoreError> {
        Ok(Vec::new())
    }

    /// Whom to wake when there is news.
    fn on_news(&mut self, _wake: Wake) {}
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Store for Memory {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::default())
    }

    fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }
}
