//! Charm `program-handlers`: handlers that are programs, beside one in Rust.

use std::process::ExitCode;

use charms_reactive::prelude::*;

charms_reactive::charm!("metadata.yaml");

/// Set by the handlers in bash.
const INSTALLED: Flag = Flag::new("web.installed");

/// Set by a trigger, cleared by the handlers in bash.
const STALE: Flag = Flag::new("web.stale");

fn main() -> ExitCode {
    charms_reactive::run(&app())
}

/// The whole charm: what runs, and when.
fn app() -> App {
    App::new(metadata())
        .external_handlers()
        .trigger(set(INSTALLED).sets(STALE))
        .handler(report, when(INSTALLED).and_not(STALE))
}

/// Says what the programs have done.
fn report(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("installed by a program"));
    Ok(())
}
