//! Charm `cluster`: an example of waiters.

mod app;

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app::app())
}
