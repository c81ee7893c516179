//! Charm `patient`, whose daemons keep its waiters together.

mod app;

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app::app().waiters_in_service())
}
