//! Where a server is, and connections to it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The name of a server that has no address.
const HOST: &str = "charmd";

/// From how many bytes on the system takes no path of a socket.
///
/// # Source
///
/// `sockaddr_un` of Linux, unix(7): 108 bytes, with the zero at the end.
const PATH_BYTES_MAX: usize = 108;

/// Where a server is.
///
/// This crate knows unix sockets; `charms-reactive-remote` knows TCP and TLS.
pub trait Place: fmt::Debug + Send + Sync {
    /// Connects, and shakes hands where that is needed, within this time.
    fn connect(&self, limit: Duration) -> io::Result<Box<dyn Stream>>;

    /// What stands in front of a path: `https://example.org:8443`.
    fn root(&self) -> String;

    /// What requests name as their host.
    fn host(&self) -> String;

    /// How a person calls it.
    fn shown(&self) -> String {
        self.root()
    }

    /// Another server that this one sends us to: the part of a URL before its path.
    ///
    /// # Errors
    ///
    /// Why we do not go there.
    fn elsewhere(&self, root: &str) -> Result<Arc<dyn Place>, String>;
}

/// A connection to a server.
pub trait Stream: Read + Write + Send {
    /// How long a read or a write may take from now on; None: for ever.
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn set_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)?;
        self.set_write_timeout(limit)
    }
}

/// A unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket(PathBuf);

impl Socket {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Place for Socket {
    fn connect(&self, _limit: Duration) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(connect(&self.0)?))
    }

    fn root(&self) -> String {
        format!("http://{HOST}")
    }

    fn host(&self) -> String {
        HOST.to_owned()
    }

    fn shown(&self) -> String {
        self.0.display().to_string()
    }

    fn elsewhere(&self, root: &str) -> Result<Arc<dyn Place>, String> {
        Err(format!("`{root}` is not on this socket"))
    }
}

/// Connects to a socket, however long its path is.
fn connect(path: &Path) -> io::Result<UnixStream> {
    if path.as_os_str().as_bytes().len() < PATH_BYTES_MAX {
        return UnixStream::connect(path);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // The folder has a short name as long as it is open.
    let folder = File::open(folder)?;
    UnixStream::connect(Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))
}
