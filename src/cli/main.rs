//! The `charms-reactive` program, and any hook command it is linked as.

use std::process::ExitCode;

use charms_reactive_hookcmd::program;

fn main() -> ExitCode {
    // A hook starts this program under the names of hook commands, many times: those come first.
    let hook_command = std::env::args_os().next().and_then(|argv0| program::command_name(&argv0));
    match hook_command {
        Some(name) => program::run(name),
        None => charms_reactive_cli::run(std::env::args_os()),
    }
}
