//! A charm that runs every kind of hook command, through the backend that a variable names.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use charms_reactive::Backend;

#[path = "../../support/command_list.rs"]
mod command_list;
#[path = "../../support/typed_list.rs"]
mod typed_list;

#[expect(clippy::disallowed_methods, reason = "a program of the tests")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Starts what outlives the hook, while the connection to the agent is open.
#[expect(clippy::disallowed_methods, reason = "a program of the tests")]
#[expect(clippy::zombie_processes, reason = "it outlives us")]
fn start(daemon: &str) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", daemon]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell");
}

fn main() -> ExitCode {
    let backend = Backend::default().or_overruled(variable).expect("a name that is known");
    let mut commands = backend.open(variable, std::env::current_dir()).expect("Juju's variables");
    let dir = variable("JUJU_CHARM_DIR").expect("Juju sets it");
    if variable("SUITE_LIST").as_deref() == Some("typed") {
        typed_list::run_typed(&mut *commands, variable, Path::new(&dir));
        return ExitCode::SUCCESS;
    }
    command_list::run_all(&mut *commands, variable, Path::new(&dir));
    if let Some(daemon) = variable("SUITE_DAEMON") {
        start(&daemon);
    }
    ExitCode::SUCCESS
}
