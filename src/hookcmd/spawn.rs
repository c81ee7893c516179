//! The backend that starts Juju's hook-command programs, found through `PATH`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{Answer, CommandError, HookCommands, Request};

/// Starts one program for each hook command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawn;

impl HookCommands for Spawn {
    #[expect(clippy::disallowed_methods, reason = "the backend that starts programs")]
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let start = |source| CommandError::Start { command: request.name.to_owned(), source };
        let stdin = if request.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = Command::new(request.name)
            .args(&request.args)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        // Hook commands read all of their input before they write anything, so writing first cannot
        // deadlock; one that ends without reading breaks the pipe, and its exit code tells why.
        if let (Some(bytes), Some(mut pipe)) = (&request.stdin, child.stdin.take()) {
            let _ = pipe.write_all(bytes);
        }
        let output = child.wait_with_output().map_err(start)?;
        Ok(Answer {
            // Killed by a signal: there is no code, and the command did not succeed.
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }
}
