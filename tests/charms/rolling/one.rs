//! Charm `rolling`, version one.

mod app;

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app::one())
}
