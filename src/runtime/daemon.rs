//! The daemon of the unit, `charmd`, as a dispatch sees it: what it asks there, and where.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use charms_reactive_client::{Client, ClientError};
use charms_reactive_hookcmd::spawn::{Program, run_program};
use serde_json::Value;

use crate::context::Context;

/// The folder of the daemon, beside the charm's: kept when the charm is upgraded, gone with the unit.
const FOLDER: &str = "charmd";

/// The name of its socket.
const SOCKET: &str = "socket";

/// The name of its program, beside `dispatch` in charms that have it.
const PROGRAM: &str = "charmd";

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

/// What becomes of the daemon as a service of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It runs, as the program that the charm has now.
    Install,
    /// It is gone, with all that it kept.
    Remove,
}

/// A way to the daemon of a unit; a test may stand in for it.
pub trait Daemon {
    /// Asks the daemon; `path` begins with a slash.
    ///
    /// # Errors
    ///
    /// [`DaemonError`] where there is no answer.  One that refuses is an answer.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, DaemonError>;

    /// Has it run, or be gone; said again, it does nothing.
    ///
    /// # Errors
    ///
    /// [`DaemonError`] where that cannot be had.
    fn service(&self, _deed: Deed) -> Result<(), DaemonError> {
        Ok(())
    }
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

/// Where its options are, an argument a line.
pub(crate) fn options(charm_dir: &Path) -> PathBuf {
    folder(charm_dir).join("options")
}

/// The daemon of the unit: its program is beside `dispatch`, its socket in its folder.
pub(crate) fn of_unit(context: &Context) -> Box<dyn Daemon> {
    let client = Client::unix(folder(&context.charm_dir).join(SOCKET));
    Box::new(OfUnit { client, program: context.charm_dir.join(PROGRAM) })
}

struct OfUnit {
    client: Client,
    program: PathBuf,
}

impl Daemon for OfUnit {
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, DaemonError> {
        let response = self.client.request(method, path, body);
        let response = response.map_err(|error: ClientError| DaemonError(Box::new(error)))?;
        Ok(Answer { status: response.status, body: response.body })
    }

    fn service(&self, deed: Deed) -> Result<(), DaemonError> {
        if !self.program.is_file() {
            return Err(DaemonError("the charm is packed without `charmd`".into()));
        }
        let deed = match deed {
            Deed::Install => "install",
            Deed::Remove => "remove",
        };
        // The unit and its charm are in the variables of the hook.
        let args = ["service", deed].map(OsString::from);
        let program =
            Program { path: &self.program, args: &args, environment: &[], folder_of_commands: None };
        match run_program(&program, false) {
            Ok((0, _)) => Ok(()),
            Ok((code, _)) => Err(DaemonError(format!("`charmd service {deed}` ended with {code}").into())),
            Err(error) => Err(DaemonError(Box::new(error))),
        }
    }
}
