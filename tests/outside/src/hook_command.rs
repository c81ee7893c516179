//! All hook commands in one program, for the tests.

use std::process::ExitCode;

use charms_reactive::hookcmd::program;

fn main() -> ExitCode {
    let argv0 = std::env::args_os().next().unwrap_or_default();
    program::command_name(&argv0).map_or(ExitCode::from(2), program::run)
}
