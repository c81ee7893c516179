//! Which way a charm has its hook commands run.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use crate::HookCommands;
use crate::auto::Auto;
use crate::socket::{Agent, Socket, SocketError};
use crate::spawn::Spawn;

/// A way to have hook commands run, by its name.
///
/// | Name | Hook commands are | For |
/// |---|---|---|
/// | `programs` | started, as Juju promises it | everybody; the default |
/// | `socket` | asked for on the unit agent's socket | tests and measurements: without the socket no hook works |
/// | `auto` | asked for on the socket, and started from the first surprise on | charms that run many of them |
///
/// The programs are a promise of Juju; what they say to the agent is not, although it has been the same
/// since 1.x.  So the socket is never the only way unless somebody says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// Juju's programs, one process a command: [`Spawn`].
    #[default]
    Programs,
    /// The unit agent's socket: [`Socket`].
    Socket,
    /// The socket as long as it works, then the programs: [`Auto`].
    Auto,
}

/// A name that no backend has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("backend `{found}` is not known, expected `programs`, `socket` or `auto`")]
pub struct UnknownBackend {
    /// What was found.
    pub found: String,
}

impl Backend {
    /// The variable with which an operator, or a test, overrules the charm.
    pub const VARIABLE: &str = "CHARMS_REACTIVE_BACKEND";

    /// The backend that [`Backend::VARIABLE`] names, read through `var`; `self` where it is not set.
    ///
    /// # Errors
    ///
    /// [`UnknownBackend`] when it names another.
    pub fn or_overruled(self, var: impl Fn(&str) -> Option<String>) -> Result<Self, UnknownBackend> {
        var(Self::VARIABLE).filter(|name| !name.is_empty()).map_or(Ok(self), |name| name.parse())
    }

    /// Makes it, for one run of the charm with these variables and this working directory.
    ///
    /// Nothing is connected before the first command.
    ///
    /// # Errors
    ///
    /// [`SocketError`] when the socket is demanded and the variables do not tell where it is.
    pub fn open(
        self,
        var: impl Fn(&str) -> Option<String>,
        dir: io::Result<PathBuf>,
    ) -> Result<Box<dyn HookCommands>, SocketError> {
        let socket = || {
            let dir = dir.map_err(|source| SocketError::Dir { source })?;
            Ok(Socket::new(Agent::read(var)?, dir.to_string_lossy()))
        };
        Ok(match self {
            Self::Programs => Box::new(Spawn),
            Self::Socket => Box::new(socket()?),
            // No socket, or none that we speak, is no surprise.
            Self::Auto => match socket() {
                Ok(socket) if socket.is_spoken() => Box::new(Auto::new(socket, Spawn)),
                _ => Box::new(Spawn),
            },
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Programs => "programs",
            Self::Socket => "socket",
            Self::Auto => "auto",
        })
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        [Self::Programs, Self::Socket, Self::Auto]
            .into_iter()
            .find(|backend| backend.to_string() == name)
            .ok_or_else(|| UnknownBackend { found: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_overrules_the_charm() {
        for (text, expected) in [
            (None, Ok(Backend::Auto)),
            (Some(""), Ok(Backend::Auto)),
            (Some("programs"), Ok(Backend::Programs)),
            (Some("socket"), Ok(Backend::Socket)),
            (Some("auto"), Ok(Backend::Auto)),
            (Some("Socket"), Err(UnknownBackend { found: "Socket".to_owned() })),
        ] {
            let var = |name: &str| {
                assert_eq!(name, "CHARMS_REACTIVE_BACKEND");
                text.map(str::to_owned)
            };
            assert_eq!(Backend::Auto.or_overruled(var), expected, "{text:?}");
        }
    }

    #[test]
    fn a_socket_that_is_demanded_has_to_be_offered() {
        let error = Backend::Socket.open(|_| None, Ok("/srv".into())).err().unwrap();
        assert_eq!(error.to_string(), "JUJU_CONTEXT_ID not set");
        let error = Backend::Socket.open(|_| None, Err(io::ErrorKind::NotFound.into())).err().unwrap();
        assert_eq!(error.to_string(), "cannot tell the working directory");
        assert!(Backend::Auto.open(|_| None, Ok("/srv".into())).is_ok());
        assert!(Backend::Programs.open(|_| None, Err(io::ErrorKind::NotFound.into())).is_ok());
    }
}
