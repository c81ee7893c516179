//! Programs that the tests need besides our own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The command `name`.
///
/// # Panics
///
/// When the program is not installed: a test that would pass without its counterpart proves nothing.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "these tests are about other programs")]
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(name);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.status() {
        panic!("cannot start `{name}`: {error}; run `tests/run`, which installs what the tests need");
    }
    Command::new(name)
}

/// Runs a program to its end.
///
/// # Panics
///
/// When it is not installed, or fails; the message is what it said.
#[track_caller]
pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    let output = command(name).args(arguments).stdin(Stdio::null()).output().expect("it started just now");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "`{name}` failed: {stdout}{stderr}");
    output
}

/// Writes a file that a program is to read.
#[expect(clippy::disallowed_methods, reason = "files of a test, which nobody reads at the same time")]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
}
