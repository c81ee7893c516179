//! The bytes of the unit agent's hook-command socket.
//!
//! A hook command does nothing itself: it sends its name, arguments and working directory to the unit
//! agent and is answered an exit code and two streams.  The agent speaks Go's `net/rpc` with the `gob`
//! encoding.  [`ClientCodec`] is the caller's side of one connection, [`ServerCodec`] the agent's; both
//! turn bytes into values and back, and neither reads nor writes anything.
//!
//! ```text
//! caller                                            agent
//!   Request { "Jujuc.Main", Seq }, Call      ->
//!                                            <-     Response { "Jujuc.Main", Seq }, Answer
//!                                         or <-     Response { "Jujuc.Main", Seq, Error }, {}
//! ```
//!
//! Only two fixed structs are ever written, so there is no general encoder.  The decoder is general:
//! it takes any type ids and any order of definitions, skips what it does not know, and holds every
//! count against a limit with a name.
//!
//! # Source
//!
//! `encoding/gob` and `net/rpc` of Go; `internal/worker/uniter/runner/jujuc/server.go` of Juju for the
//! structs.  `wire/captures` holds what Go wrote.

mod client;
mod gob;
mod inbox;
mod server;
#[cfg(test)]
mod tests;
mod types;

pub use client::ClientCodec;
pub use server::ServerCodec;

use crate::Answer;

/// What the agent says when a command wants standard input and the call brought none.
///
/// The caller answers by making the same call again, with [`Call::stdin`].
pub const STDIN_WANTED: &str = "hook tool requires stdin, none supplied";

/// The longest message that is read.  Standard input travels in one piece; Juju itself keeps less.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024 + 64 * 1024;
/// The most arguments one call may have: more than a command line of Linux holds in practice.
pub const ARGS_MAX: usize = 1 << 16;
/// The most types one side may define on a connection; Go defines three.
pub const DEFINITIONS_MAX: usize = 64;
/// The longest definition of a type.
pub const DEFINITION_BYTES_MAX: usize = 16 * 1024;
/// The most fields a struct may have; the widest one of Juju has seven.
pub const FIELDS_MAX: usize = 256;
/// How deep values may lie in each other; those of Juju lie two deep.
pub const DEPTH_MAX: usize = 32;

/// The only method of the service.
const METHOD: &str = "Jujuc.Main";

/// One call of a hook command, as it crosses the socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// `JUJU_CONTEXT_ID`: which run of the charm asks.
    pub context_id: String,
    /// The absolute working directory of the caller.
    pub dir: String,
    /// The name of the command, for example `relation-get`.
    pub command: String,
    /// Its arguments, the name not among them.
    pub args: Vec<String>,
    /// What it reads from standard input; `None` when the caller did not say.
    pub stdin: Option<Vec<u8>>,
    /// `JUJU_AGENT_TOKEN`; empty on a unix socket.
    pub token: String,
}

/// What the agent replies to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The command ran to its end, well or not.
    Done(Answer),
    /// It did not run.  The text is the agent's, for example [`STDIN_WANTED`].
    Refused(String),
}

/// Why bytes are not what the protocol says.
///
/// After an error the connection has lost its place and can only be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// More of something than we are willing to take.
    #[error("too many {what}: {found}, expected at most {max}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much of it was announced.
        found: u64,
        /// How much is allowed.
        max: usize,
    },
    /// A message ends before the value in it does.
    #[error("a message ends in the middle of a value")]
    Truncated,
    /// A byte where a number should begin.
    #[error("byte `{byte:#04x}` does not begin a number")]
    Number {
        /// What was found.
        byte: u8,
    },
    /// A value of a type that nobody defined.
    #[error("type {id} was not defined before its use")]
    UnknownType {
        /// The number of the type.
        id: i64,
    },
    /// A definition for a number that has a meaning already.
    #[error("type {id} cannot be defined, the number is taken")]
    TakenType {
        /// The number of the type.
        id: i64,
    },
    /// A definition that is not one of a list, struct, map or the like.
    #[error("the definition of type {id} defines nothing we know")]
    EmptyDefinition {
        /// The number of the type.
        id: i64,
    },
    /// A field that the definition of its struct does not have.
    #[error("field {number} is not in the definition of its struct")]
    UnknownField {
        /// The number of the field, from 1.
        number: u64,
    },
    /// A value of another type than its field should have.
    #[error("`{field}` is {found}, expected {expected}")]
    WrongType {
        /// The name of the field.
        field: String,
        /// The kind of value that was found.
        found: &'static str,
        /// The kind of value that was expected.
        expected: &'static str,
    },
    /// An exit code that no process can have.
    #[error("exit code {code} is out of range, expected 32 bits")]
    ExitCode {
        /// What was found.
        code: i64,
    },
}
