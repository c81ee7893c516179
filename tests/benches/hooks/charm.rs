//! The program of the charms that are measured: a variable says which one it is.  Under the name of a hook
//! command it is that one; with a file `on-socket` in its folder it speaks to the agent's socket itself.

use std::path::Path;
use std::process::ExitCode;

use charms_reactive::Backend;
use charms_reactive::hookcmd::program;

mod duty;

use duty::Duty;

#[expect(clippy::disallowed_methods, reason = "a program of the benches")]
fn main() -> ExitCode {
    let argv0 = std::env::args_os().next().unwrap_or_default();
    if let Some(name) = program::command_name(&argv0) {
        return program::run(name);
    }
    let name = std::env::var("BENCH_DUTY").unwrap_or_else(|_| Duty::Idle.name().to_owned());
    let all = [Duty::Idle, Duty::Changed, Duty::Handlers, Duty::Requests];
    let duty = all.into_iter().find(|duty| duty.name() == name).expect("the benches name one that there is");
    let backend = if Path::new("on-socket").exists() { Backend::Socket } else { Backend::Programs };
    charms_reactive::run(&duty.app().backend(backend))
}
