//! The way to Juju: hook commands.
//!
//! A *backend* is a way to have one hook command run: [`spawn::Spawn`] starts Juju's own programs
//! (the default: Juju promises them), [`socket::Socket`] asks the unit agent as those programs do,
//! [`auto::Auto`] does the one and, at the first surprise, the other; a simulated model answers by
//! itself.  [`Backend`] chooses between them.  A backend implements one method, [`HookCommands::call`];
//! everything a charm asks for is built on it in [`commands`], where the odd corners of each command
//! line are solved once.
//!
//! [`wire`] holds the bytes of the unit agent's hook-command socket, without any I/O; [`socket`] is a
//! connection to it, and [`program`] the hook-command program that is a client of it.

pub mod auto;
pub mod backend;
pub mod commands;
pub mod program;
pub mod socket;
pub mod spawn;
pub mod wire;

use std::fmt;
use std::io;

pub use backend::Backend;
pub use commands::Commands;

/// One hook command to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of the command, for example `relation-get`.
    pub name: &'static str,
    /// Its arguments, the name not among them.
    pub args: Vec<String>,
    /// What it reads from standard input; `None` for nothing at all.
    pub stdin: Option<Vec<u8>>,
}

impl Request {
    /// A command without standard input.
    pub fn new<const N: usize>(name: &'static str, args: [&str; N]) -> Self {
        Self { name, args: args.map(str::to_owned).to_vec(), stdin: None }
    }

    /// The same with one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The same, reading `stdin`.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }
}

impl fmt::Display for Request {
    /// Writes the command line, cut where it is long: arguments may be whole files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ARG_CHARS_MAX: usize = 60;
        f.write_str(self.name)?;
        for arg in &self.args {
            match arg.char_indices().nth(ARG_CHARS_MAX) {
                None => write!(f, " {arg}")?,
                Some((end, _)) => write!(f, " {}...", &arg[..end])?,
            }
        }
        Ok(())
    }
}

/// What a hook command left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Why a hook command gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The command could not be started, or Juju could not be reached.
    #[error("cannot start hook command `{command}`")]
    Start {
        /// The name of the command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// This Juju does not have the command.
    #[error("this Juju has no hook command `{command}`, expected {releases}")]
    Missing {
        /// The name of the command.
        command: String,
        /// Which releases have it, in words.
        releases: &'static str,
    },
    /// The connection to the unit agent broke while the command was under way: it may have run.
    #[error("cannot tell whether `{command}` was run")]
    Unanswered {
        /// The command line.
        command: String,
        /// What happened.
        source: io::Error,
    },
    /// Juju refused it.
    #[error("cannot run `{command}`: exit code {code}, {stderr}")]
    Refused {
        /// The command line.
        command: String,
        /// The exit code: 1 for a command that failed, 2 for a command line that Juju did not take.
        code: i32,
        /// What Juju said.
        stderr: String,
    },
    /// The answer has a form we do not know.
    #[error("cannot read the answer of `{command}` as JSON")]
    Answer {
        /// The command line.
        command: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl CommandError {
    /// Whether Juju said that there is nothing: the relation is gone, or the unit never came.
    ///
    /// # Source
    ///
    /// `settings not found` in `A/uniter.go` of Juju.
    pub fn is_nothing_there(&self) -> bool {
        let is_settings = matches!(self, Self::Refused { stderr, .. } if stderr.to_lowercase().contains("settings not found"));
        is_settings || self.is_relation_not_found()
    }

    /// Whether Juju said that this unit may not.
    ///
    /// # Source
    ///
    /// `juju/juju:apiserver/errors`: all facades use the same words.
    pub fn is_permission_denied(&self) -> bool {
        matches!(self, Self::Refused { stderr, .. } if stderr.contains("permission denied"))
    }

    /// Whether Juju said that there is no such thing: a secret, a resource.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { stderr, .. } if stderr.contains("not found"))
    }

    /// Whether Juju said that the id of a secret is none.
    ///
    /// # Source
    ///
    /// `juju/juju:core/secrets/uri.go`
    pub fn is_no_secret_id(&self) -> bool {
        matches!(self, Self::Refused { stderr, .. } if stderr.contains("secret URI") && stderr.contains("not valid"))
    }

    /// Whether Juju said that the relation is not there (any more).
    ///
    /// # Source
    ///
    /// Python's ops looks for the same words, in any case, after `relation-*`.
    pub fn is_relation_not_found(&self) -> bool {
        matches!(self, Self::Refused { stderr, .. } if stderr.to_lowercase().contains("relation not found"))
    }
}

/// A backend: one way to have a hook command run.
///
/// # Errors
///
/// `call` fails only when the command could not be run at all ([`CommandError::Start`]), or when nobody
/// can tell ([`CommandError::Unanswered`]).  A command that ran and failed is an [`Answer`] with its exit
/// code; what is made of it is decided above.
pub trait HookCommands {
    /// Runs one hook command to its end.
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError>;
}

impl<T: HookCommands + ?Sized> HookCommands for Box<T> {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        (**self).call(request)
    }
}
