//! Charm `search-index`: an example of operations.

mod app;
mod index;

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app::app())
}
