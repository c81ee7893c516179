//! Charm `rolling`, version three.

mod app;

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app::three())
}
