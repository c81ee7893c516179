//! The backend that starts Juju's hook-command programs, found through `PATH`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::Path;
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

/// A program that a charm brings along.
#[derive(Debug)]
pub struct Program<'a> {
    /// The file.
    pub path: &'a Path,
    /// Its arguments.
    pub args: &'a [OsString],
    /// Variables besides those of this process.
    pub environment: &'a [(&'a str, OsString)],
    /// A folder that comes first on its `PATH`, if any does.
    pub folder_of_commands: Option<&'a Path>,
}

/// Runs a program of the charm to its end; gives its exit code, and its output where that is wanted.
///
/// What it writes elsewhere goes where this process writes, which is Juju's log.
///
/// # Errors
///
/// When it could not be started.
#[expect(clippy::disallowed_methods, reason = "the only place of a hook that starts programs")]
pub fn run_program(program: &Program<'_>, is_output_wanted: bool) -> io::Result<(i32, Vec<u8>)> {
    let path = std::env::var_os("PATH");
    let folder = program.folder_of_commands.map(|folder| folder.as_os_str().to_owned());
    let search: Vec<OsString> = folder.into_iter().chain(path).collect();
    let stdout = if is_output_wanted { Stdio::piped() } else { Stdio::inherit() };
    let child = Command::new(program.path)
        .args(program.args)
        .env("PATH", search.join(OsStr::new(":")))
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(stdout)
        .spawn()?;
    let output = child.wait_with_output()?;
    Ok((output.status.code().unwrap_or(-1), output.stdout))
}
