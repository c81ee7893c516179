//! Charm `rolling`, version two.

mod app;

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app::two())
}
