//! Charm `patient`: an example of a daemon on the unit.

mod app;

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app::app())
}
