//! Unix sockets, however long their paths are.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::ListenError;

/// From how many bytes on the system takes no path of a socket.
///
/// # Source
///
/// `sockaddr_un` of Linux, unix(7): 108 bytes, with the zero at the end.
const PATH_BYTES_MAX: usize = 108;

/// Listens on a socket that its owner and group can use; one that a dead server left is replaced.
pub(super) fn bind(path: &Path) -> Result<tokio::net::UnixListener, ListenError> {
    let (_folder, short) = shortened(path)?;
    if short.exists() {
        if UnixStream::connect(&short).is_ok() {
            return Err(ListenError::InUse { path: path.display().to_string() });
        }
        fs::remove_file(&short)?;
    }
    let listener = UnixListener::bind(&short)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    Ok(tokio::net::UnixListener::from_std(listener)?)
}

/// A path that the system takes, for as long as its folder is open.
fn shortened(path: &Path) -> io::Result<(Option<File>, PathBuf)> {
    if path.as_os_str().len() < PATH_BYTES_MAX {
        return Ok((None, path.to_owned()));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = File::open(folder)?;
    let short = Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((Some(folder), short))
}
