//! The backend that asks the unit agent, and starts programs from the first surprise on.
//!
//! # Guarantees
//!
//! - No command that may have run is run again, but for those that only read ([`is_read_only`]).
//! - The change to programs happens once, at most, and is logged once, with its reason.
//!
//! # What is a surprise
//!
//! | What happened | The command | From then on |
//! |---|---|---|
//! | nobody listens; the request could not be sent in full; it was refused by what stands before the command | did not run, and is run as a program | programs |
//! | the request was sent, and what came back is no reply to it, or nothing | may have run: as a program if it only reads, else [`CommandError::Unanswered`] | programs |
//! | a reply, good or bad; a command that this Juju does not have | ran, or is not there | the socket |
//!
//! A dispatch that gets [`CommandError::Unanswered`] fails, and Juju runs the hook again, with what Juju
//! holds back until the end of a hook undone.

use std::io;

use crate::program::chain;
use crate::socket::{Socket, is_before_the_command, to_answer};
use crate::wire::Reply;
use crate::{Answer, CommandError, HookCommands, Request};

/// Hook commands that change nothing, neither in Juju nor for the commands that follow, sorted.
///
/// `secret-get` is not among them: it can move what a unit tracks.
const READ_ONLY: [&str; 19] = [
    "action-get",
    "config-get",
    "credential-get",
    "goal-state",
    "is-leader",
    "leader-get",
    "network-get",
    "opened-ports",
    "relation-get",
    "relation-ids",
    "relation-list",
    "relation-model-get",
    "secret-ids",
    "secret-info-get",
    "state-get",
    "status-get",
    "storage-get",
    "storage-list",
    "unit-get",
];

/// Whether a hook command changes nothing, so that it may be run twice.
pub fn is_read_only(name: &str) -> bool {
    READ_ONLY.binary_search(&name).is_ok()
}

/// The unit agent's socket as long as it works, then `P`: Juju's programs.
#[derive(Debug)]
pub struct Auto<P> {
    /// None after the first surprise.
    socket: Option<Socket>,
    programs: P,
}

impl<P: HookCommands> Auto<P> {
    /// Nothing is connected before the first command.
    pub fn new(socket: Socket, programs: P) -> Self {
        Self { socket: Some(socket), programs }
    }

    /// Whether commands still go over the socket.
    pub fn is_on_socket(&self) -> bool {
        self.socket.is_some()
    }

    /// Closes the connection, for good.
    fn give_up(&mut self, reason: &str) {
        self.socket = None;
        log::warn!("hook commands are started as programs from here on: {reason}");
    }
}

impl<P: HookCommands> HookCommands for Auto<P> {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let Some(socket) = &mut self.socket else { return self.programs.call(request) };
        match socket.ask(request) {
            Ok(Reply::Refused(text)) if is_before_the_command(&text) => {
                self.give_up(&format!("the unit agent refused `{}`: {text}", request.name));
            }
            Ok(reply) => return to_answer(request, reply),
            Err(error) => {
                self.give_up(&chain(&error));
                if error.may_have_run() && !is_read_only(request.name) {
                    let source = io::Error::other(error);
                    return Err(CommandError::Unanswered { command: request.to_string(), source });
                }
            }
        }
        self.programs.call(request)
    }
}

#[cfg(test)]
mod tests;
