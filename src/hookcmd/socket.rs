//! A connection to the unit agent: hook commands without a process each.
//!
//! [`Agent`] is what the environment says about the agent, [`Connection`] one connection to it, and
//! [`Socket`] the backend made of both.  Everything blocks; there are no threads and no time limits,
//! because the agent answers when Juju does.
//!
//! The agent waits, after a hook, until every connection is closed.  Ours is closed with its value, and
//! on exec, as all of the standard library's are: a daemon started by a hook cannot keep the agent stuck.

use std::io::{self, Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use crate::wire::{Call, ClientCodec, Reply, STDIN_WANTED, WireError};
use crate::{Answer, CommandError, HookCommands, Request};

/// How much is read at once; a whole answer in most cases.
const READ_BYTES: usize = 16 * 1024;

/// The only network that is spoken.
const UNIX: &str = "unix";

/// Why a call over the agent's socket has no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The environment does not say how to reach the agent.
    #[error("{variable} not set")]
    Missing {
        /// The variable that is missing or empty.
        variable: &'static str,
    },
    /// A network that is not spoken.
    #[error("cannot reach the unit agent over network `{network}`, expected `unix`")]
    Network {
        /// `JUJU_AGENT_SOCKET_NETWORK`.
        network: String,
    },
    /// Nobody listens, or the address is none.
    #[error("cannot connect to the unit agent at `{address}`")]
    Connect {
        /// `JUJU_AGENT_SOCKET_ADDRESS`.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The working directory, which goes with every call, is not there.
    #[error("cannot tell the working directory")]
    Dir {
        /// Why.
        source: io::Error,
    },
    /// The request could not be sent in full, so that nobody can have run the command.
    #[error("cannot ask the unit agent for `{command}`")]
    Send {
        /// The name of the command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke before the reply.
    #[error("cannot talk to the unit agent about `{command}`")]
    Io {
        /// The name of the command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// The standard input that the agent asked for could not be read.
    #[error("cannot read the standard input for `{command}`")]
    Stdin {
        /// The name of the command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// The agent sent something that is not the protocol.
    #[error("cannot understand the unit agent's reply to `{command}`")]
    Wire {
        /// The name of the command.
        command: String,
        /// What is wrong with it.
        source: WireError,
    },
    /// A reply to a call that was not made.
    #[error("the unit agent replied to call {found} instead of call {expected}, `{command}`")]
    Order {
        /// The name of the command.
        command: String,
        /// The number in the reply.
        found: u64,
        /// The number of the call.
        expected: u64,
    },
}

impl SocketError {
    /// Whether the agent may have run the command: it had the whole request.
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Missing { .. }
            | Self::Network { .. }
            | Self::Connect { .. }
            | Self::Dir { .. }
            | Self::Send { .. }
            | Self::Stdin { .. } => false,
            Self::Io { .. } | Self::Wire { .. } | Self::Order { .. } => true,
        }
    }
}

/// Where the unit agent is and which run of the charm asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// `JUJU_AGENT_SOCKET_NETWORK`, for example `unix`.
    pub network: String,
    /// `JUJU_AGENT_SOCKET_ADDRESS`: the path of a socket, or `@` and the name of an abstract one.
    pub address: String,
    /// `JUJU_CONTEXT_ID`.
    pub context_id: String,
    /// `JUJU_AGENT_TOKEN`; empty where there is none.
    pub token: String,
}

impl Agent {
    /// Reads the variables through `var`, so that a test can pass a map.
    ///
    /// # Errors
    ///
    /// [`SocketError::Missing`] for the first of them that is missing or empty; only the token may be.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, SocketError> {
        let wanted = |variable: &'static str| match var(variable) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(SocketError::Missing { variable }),
        };
        Ok(Self {
            context_id: wanted("JUJU_CONTEXT_ID")?,
            address: wanted("JUJU_AGENT_SOCKET_ADDRESS")?,
            network: wanted("JUJU_AGENT_SOCKET_NETWORK")?,
            token: var("JUJU_AGENT_TOKEN").unwrap_or_default(),
        })
    }
}

/// One open connection to a unit agent.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    codec: ClientCodec,
    /// The number of the next call.
    calls: u64,
}

impl Connection {
    /// Connects to `address` on `network`, both as Juju writes them into the environment.
    ///
    /// # Errors
    ///
    /// [`SocketError::Network`] for anything but `unix`: Juju uses `tcp`, with TLS, only for charms on
    /// Kubernetes that run beside an operator, up to 3.x.  [`SocketError::Connect`] when nobody listens.
    pub fn open(network: &str, address: &str) -> Result<Self, SocketError> {
        if network != UNIX {
            return Err(SocketError::Network { network: network.to_owned() });
        }
        let stream = match address.strip_prefix('@') {
            Some(name) => {
                SocketAddr::from_abstract_name(name).and_then(|address| UnixStream::connect_addr(&address))
            }
            None => UnixStream::connect(address),
        };
        let stream = stream.map_err(|source| SocketError::Connect { address: address.to_owned(), source })?;
        Ok(Self { stream, codec: ClientCodec::default(), calls: 0 })
    }

    /// Makes a call and waits for its reply.
    ///
    /// # Errors
    ///
    /// After an error the connection is of no more use.
    pub fn call(&mut self, call: &Call) -> Result<Reply, SocketError> {
        let failed = |source| SocketError::Io { command: call.command.clone(), source };
        let expected = self.calls;
        self.calls += 1;
        self.stream
            .write_all(&self.codec.call(call))
            .map_err(|source| SocketError::Send { command: call.command.clone(), source })?;

        let mut buffer = [0; READ_BYTES];
        loop {
            match self.codec.next_reply() {
                Ok(Some((found, reply))) if found == expected => return Ok(reply),
                Ok(Some((found, _))) => {
                    return Err(SocketError::Order { command: call.command.clone(), found, expected });
                }
                Ok(None) => {}
                Err(source) => return Err(SocketError::Wire { command: call.command.clone(), source }),
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => self.codec.push(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Makes a call; if the agent wants standard input, has it read by `stdin` and calls again.
    ///
    /// # Errors
    ///
    /// Those of [`Connection::call`], and [`SocketError::Stdin`] when `stdin` fails.
    pub fn call_with_stdin(
        &mut self,
        mut call: Call,
        stdin: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<Reply, SocketError> {
        match self.call(&call)? {
            Reply::Refused(text) if text == STDIN_WANTED && call.stdin.is_none() => {
                let bytes = stdin();
                call.stdin = Some(
                    bytes.map_err(|source| SocketError::Stdin { command: call.command.clone(), source })?,
                );
                self.call(&call)
            }
            reply => Ok(reply),
        }
    }
}

/// The backend that asks the unit agent over one connection, for one run of the charm.
///
/// It answers as [`Spawn`](crate::spawn::Spawn) does: what the agent refuses is a command that failed
/// with code 1, and a command that the agent does not know is one that could not be started.
#[derive(Debug)]
pub struct Socket {
    agent: Agent,
    dir: String,
    /// None before the first command, and after an error.
    connection: Option<Connection>,
}

impl Socket {
    /// For `agent`; files in arguments are looked for in `dir`, an absolute path.
    ///
    /// Nothing is connected before the first command.
    pub fn new(agent: Agent, dir: impl Into<String>) -> Self {
        Self { agent, dir: dir.into(), connection: None }
    }

    /// Whether the agent is on a network that we speak.
    pub fn is_spoken(&self) -> bool {
        self.agent.network == UNIX
    }

    /// Has the agent run a command.
    ///
    /// # Errors
    ///
    /// After an error the connection is closed; the next command opens another.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Reply, SocketError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.agent.network, &self.agent.address)?,
        };
        let call = Call {
            context_id: self.agent.context_id.clone(),
            dir: self.dir.clone(),
            command: request.name.to_owned(),
            args: request.args.clone(),
            // Given at once: this saves the question for it.
            stdin: request.stdin.clone(),
            token: self.agent.token.clone(),
        };
        let reply = connection.call_with_stdin(call, || Ok(Vec::new()))?;
        self.connection = Some(connection);
        Ok(reply)
    }
}

impl HookCommands for Socket {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        match self.ask(request) {
            Ok(reply) => to_answer(request, reply),
            Err(error) if error.may_have_run() => Err(CommandError::Unanswered {
                command: request.to_string(),
                source: io::Error::other(error),
            }),
            Err(error) => Err(start(request, io::Error::other(error))),
        }
    }
}

fn start(request: &Request, source: io::Error) -> CommandError {
    CommandError::Start { command: request.name.to_owned(), source }
}

/// What a program would have made of a reply.
pub(crate) fn to_answer(request: &Request, reply: Reply) -> Result<Answer, CommandError> {
    match reply {
        Reply::Done(answer) => Ok(answer),
        Reply::Refused(text) if is_unknown_command(&text) => {
            Err(start(request, io::Error::new(io::ErrorKind::NotFound, text)))
        }
        Reply::Refused(text) => {
            Ok(Answer { code: 1, stdout: Vec::new(), stderr: format!("ERROR {text}\n").into() })
        }
    }
}

/// Whether a refusal says that this line of Juju has no such command.
///
/// # Source
///
/// `bad request: unknown command: NAME` up to 3.x, `unknown hook command` in newer agents.
fn is_unknown_command(refusal: &str) -> bool {
    refusal.contains("unknown command") || refusal.contains("unknown hook command")
}

/// Whether a refusal comes from what stands before the command, which then has not run; not counted is
/// that there is no such command.
///
/// # Source
///
/// `Jujuc.Main` in `internal/worker/uniter/runner/jujuc/server.go` of Juju; `net/rpc/server.go` of Go.
pub(crate) fn is_before_the_command(refusal: &str) -> bool {
    let is_from_there = ["bad request: ", "rpc: ", "gob: "].iter().any(|prefix| refusal.starts_with(prefix));
    is_from_there && !is_unknown_command(refusal)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
