//! The hook-command program: `relation-get` and all the others, as one program with many names.
//!
//! Juju puts a program into `PATH` for each hook command.  This one does what those do: it hands its
//! name, arguments and working directory to the unit agent and repeats what the agent answers.  A
//! simulated model links it under all names of its line of Juju.
//!
//! A hook starts it many times, so it does nothing before it connects: one connection, one call or
//! two, no threads.

pub mod exec;

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::ExitCode;

use crate::Answer;
use crate::socket::{Agent, Connection, SocketError};
use crate::wire::{Call, Reply};

/// A line of Juju releases, as far as their hook commands differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Line {
    /// 2.9
    V2,
    /// 3.x; its newest release where releases differ.
    V3,
    /// 4.x
    V4,
}

/// The name of a hook command and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCommand {
    /// The name, for example `relation-get`.
    pub name: &'static str,
    /// The lines of Juju that have it.
    pub lines: RangeInclusive<Line>,
}

impl HookCommand {
    const fn new(name: &'static str, lines: RangeInclusive<Line>) -> Self {
        Self { name, lines }
    }

    /// The hook command of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        let index = COMMANDS.binary_search_by(|command| command.name.cmp(name)).ok()?;
        Some(&COMMANDS[index])
    }

    /// Which releases of Juju have the command, in words; None for all of them.
    pub fn releases(&self) -> Option<&'static str> {
        match (self.name, &self.lines) {
            ("relation-model-get", _) => Some("Juju 3.6.2 or newer"),
            (_, lines) if *lines == SINCE_V3 => Some("Juju 3 or newer"),
            (_, lines) if *lines == UNTIL_V3 => Some("Juju 3 or older"),
            _ => None,
        }
    }

    /// Whether `line` has the command.
    pub fn is_in(&self, line: Line) -> bool {
        self.lines.contains(&line)
    }
}

const ALWAYS: RangeInclusive<Line> = Line::V2..=Line::V4;
const SINCE_V3: RangeInclusive<Line> = Line::V3..=Line::V4;
const UNTIL_V3: RangeInclusive<Line> = Line::V2..=Line::V3;

/// All hook commands, sorted by name.
///
/// # Source
///
/// `agent/tools/symlinks.go` and `internal/worker/uniter/runner/jujuc/server.go` of Juju.
pub const COMMANDS: &[HookCommand] = &[
    HookCommand::new("action-fail", ALWAYS),
    HookCommand::new("action-get", ALWAYS),
    HookCommand::new("action-log", ALWAYS),
    HookCommand::new("action-set", ALWAYS),
    HookCommand::new("add-metric", UNTIL_V3),
    HookCommand::new("application-version-set", ALWAYS),
    HookCommand::new("close-port", ALWAYS),
    HookCommand::new("config-get", ALWAYS),
    HookCommand::new("credential-get", ALWAYS),
    HookCommand::new("goal-state", ALWAYS),
    HookCommand::new("is-leader", ALWAYS),
    HookCommand::new("juju-log", ALWAYS),
    HookCommand::new("juju-reboot", ALWAYS),
    HookCommand::new("k8s-raw-get", UNTIL_V3),
    HookCommand::new("k8s-raw-set", UNTIL_V3),
    HookCommand::new("k8s-spec-get", UNTIL_V3),
    HookCommand::new("k8s-spec-set", UNTIL_V3),
    HookCommand::new("leader-get", UNTIL_V3),
    HookCommand::new("leader-set", UNTIL_V3),
    HookCommand::new("network-get", ALWAYS),
    HookCommand::new("open-port", ALWAYS),
    HookCommand::new("opened-ports", ALWAYS),
    HookCommand::new("payload-register", UNTIL_V3),
    HookCommand::new("payload-status-set", UNTIL_V3),
    HookCommand::new("payload-unregister", UNTIL_V3),
    HookCommand::new("pod-spec-get", UNTIL_V3),
    HookCommand::new("pod-spec-set", UNTIL_V3),
    HookCommand::new("relation-get", ALWAYS),
    HookCommand::new("relation-ids", ALWAYS),
    HookCommand::new("relation-list", ALWAYS),
    HookCommand::new("relation-model-get", SINCE_V3), // from 3.6.2 on
    HookCommand::new("relation-set", ALWAYS),
    HookCommand::new("resource-get", ALWAYS),
    HookCommand::new("secret-add", SINCE_V3),
    HookCommand::new("secret-get", SINCE_V3),
    HookCommand::new("secret-grant", SINCE_V3),
    HookCommand::new("secret-ids", SINCE_V3),
    HookCommand::new("secret-info-get", SINCE_V3),
    HookCommand::new("secret-remove", SINCE_V3),
    HookCommand::new("secret-revoke", SINCE_V3),
    HookCommand::new("secret-set", SINCE_V3),
    HookCommand::new("state-delete", ALWAYS),
    HookCommand::new("state-get", ALWAYS),
    HookCommand::new("state-set", ALWAYS),
    HookCommand::new("status-get", ALWAYS),
    HookCommand::new("status-set", ALWAYS),
    HookCommand::new("storage-add", ALWAYS),
    HookCommand::new("storage-get", ALWAYS),
    HookCommand::new("storage-list", ALWAYS),
    HookCommand::new("unit-get", ALWAYS),
];

/// The hook command that a program started as `argv0` is to be, whatever folder it lies in; or [`exec`].
pub fn command_name(argv0: &OsStr) -> Option<&'static str> {
    let name = Path::new(argv0).file_name()?.to_str()?;
    exec::name(argv0).or(HookCommand::find(name).map(|command| command.name))
}

/// Is the hook command `name` for the rest of this process, with its arguments, streams and environment.
///
/// # Errors
///
/// The exit code is the agent's.  What prevents the call itself goes to standard error, after `ERROR`,
/// with exit code 1.
#[expect(clippy::disallowed_methods, reason = "a program: Juju tells it in the environment whom to ask")]
pub fn run(name: &str) -> ExitCode {
    if exec::NAMES.contains(&name) {
        return exec::run(name, |variable| std::env::var(variable).ok());
    }
    let lossy = |text: &OsStr| text.to_string_lossy().into_owned();
    let process = Process {
        args: std::env::args_os().skip(1).map(|arg| lossy(&arg)).collect(),
        dir: std::env::current_dir().map(|dir| lossy(dir.as_os_str())),
        stdin: &mut io::stdin().lock(),
        stdout: &mut io::stdout().lock(),
        stderr: &mut io::stderr().lock(),
    };
    ExitCode::from(run_in(name, process, |variable| std::env::var(variable).ok()))
}

/// What a program is given by whoever starts it.
struct Process<'a> {
    args: Vec<String>,
    dir: io::Result<String>,
    stdin: &'a mut dyn Read,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
}

/// Runs the hook command `name` in `process` and gives its exit code.
fn run_in(name: &str, process: Process<'_>, var: impl Fn(&str) -> Option<String>) -> u8 {
    let Process { args, dir, stdin, stdout, stderr } = process;
    let written = match ask(name, args, dir, stdin, var) {
        Ok(Answer { code, stdout: out, stderr: err }) => {
            write_all(stdout, &out).and_then(|()| write_all(stderr, &err)).map(|()| exit_code(code))
        }
        Err(ProgramError::Refused(text)) => {
            write_all(stderr, format!("ERROR {text}\n").as_bytes()).map(|()| 1)
        }
        Err(error) => write_all(stderr, format!("ERROR {}\n", chain(&error)).as_bytes()).map(|()| 1),
    };
    written.unwrap_or_else(|error| {
        // If standard error is what broke, there is nobody left to tell.
        let _ = write_all(stderr, format!("ERROR cannot write the output of `{name}`: {error}\n").as_bytes());
        1
    })
}

/// Why the program has no answer to repeat.
#[derive(Debug, thiserror::Error)]
enum ProgramError {
    #[error("cannot tell the working directory")]
    Dir(#[source] io::Error),
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The agent's own words.
    #[error("{0}")]
    Refused(String),
}

/// Has the agent run the command.  The connection is closed when this returns, before anything is
/// written: a reader who is slow to take our output must not keep the agent waiting.
fn ask(
    name: &str,
    args: Vec<String>,
    dir: io::Result<String>,
    stdin: &mut dyn Read,
    var: impl Fn(&str) -> Option<String>,
) -> Result<Answer, ProgramError> {
    let Agent { network, address, context_id, token } = Agent::read(var)?;
    let dir = dir.map_err(ProgramError::Dir)?;
    let call = Call { context_id, dir, command: name.to_owned(), args, stdin: None, token };
    let read_stdin = || {
        let mut bytes = Vec::new();
        stdin.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match Connection::open(&network, &address)?.call_with_stdin(call, read_stdin)? {
        Reply::Done(answer) => Ok(answer),
        Reply::Refused(text) => Err(ProgramError::Refused(text)),
    }
}

/// Writes `bytes` in full, unless the reader has gone: then there is nobody to miss them.
fn write_all(stream: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The exit code of a process for that of a command: a failure stays one.
fn exit_code(code: i32) -> u8 {
    match (code, code.to_le_bytes()[0]) {
        (0, _) => 0,
        (_, 0) => 1,
        (_, low) => low,
    }
}

/// An error and what caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests;
