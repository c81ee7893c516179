//! What Juju runs for every hook and action of the charm.

fn main() -> std::process::ExitCode {
    charms_reactive::run(&greeter::app())
}
