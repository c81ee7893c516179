//! The daemon of the unit, `charmd`, as a dispatch sees it: what it asks there, and where.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use charms_reactive_client::{Client, ClientError};
use serde_json::Value;

use crate::context::Context;

/// The folder of the daemon, beside the charm's: kept when the charm is upgraded, gone with the unit.
const FOLDER: &str = "charmd";

/// The name of its socket.
const SOCKET: &str = "socket";

/// What the daemon answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status of HTTP: 200, 404.
    pub status: u16,
    /// The body; null where there is none.
    pub body: Value,
}

/// Why the daemon did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the daemon of the unit does not answer")]
pub struct DaemonError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A way to the daemon of a unit; a test may stand in for it.
pub trait Daemon {
    /// Asks the daemon; `path` begins with a slash.
    ///
    /// # Errors
    ///
    /// [`DaemonError`] where there is no answer.  One that refuses is an answer.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, DaemonError>;
}

/// How a charm reaches its daemon.
pub(crate) type OpenDaemon = Rc<dyn Fn(&Context) -> Box<dyn Daemon>>;

/// The daemon of a dispatch: not looked for before somebody asks.
pub(crate) struct Reach {
    open: Option<OpenDaemon>,
    opened: OnceCell<Box<dyn Daemon>>,
}

impl Reach {
    pub(crate) fn new(open: Option<OpenDaemon>) -> Self {
        Self { open, opened: OnceCell::new() }
    }

    /// The daemon; None where the charm has none.
    pub(crate) fn get(&self, context: &Context) -> Option<&dyn Daemon> {
        let open = self.open.as_ref()?;
        Some(&**self.opened.get_or_init(|| open(context)))
    }
}

/// Where the daemon of the unit with this charm directory has its socket and its data.
pub fn folder(charm_dir: &Path) -> PathBuf {
    charm_dir.parent().unwrap_or(charm_dir).join(FOLDER)
}

/// The daemon on its socket.
pub(crate) fn on_socket(context: &Context) -> Box<dyn Daemon> {
    Box::new(Client::unix(folder(&context.charm_dir).join(SOCKET)))
}

impl Daemon for Client {
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, DaemonError> {
        let response = Client::request(self, method, path, body);
        let response = response.map_err(|error: ClientError| DaemonError(Box::new(error)))?;
        Ok(Answer { status: response.status, body: response.body })
    }
}
