//! The `charms-reactive` program, for charm authors at a terminal.
//!
//! [`run`] is the whole program; each subcommand is a module with its arguments and a `run` of its
//! own.  Only this crate prints: the subcommands answer with errors, which it shows with their causes and hints.

pub mod demo;
pub mod operation;
pub mod pack;
mod place;
mod report;
pub mod runtime_config;
mod server;
mod show;
pub mod simulate;
mod time;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  charms-reactive demo
      See two charms meet in a simulated model, and a real Prometheus scrape what one asks for
  charms-reactive pack
      Build every charm of this workspace; the results are in target/charms
  charms-reactive pack --charm my-charm --profile dev
      Build one of them fast, to try it here
  charms-reactive simulate scenario.yaml
      Run charms in a simulated model: a bundle, what happens to it, what is expected then
  charms-reactive runtime-config waiters create ready --config-name boot --timeout 6m \
          --success-cardinality-path /ready --success-cardinality-number 3
      Wait until three variables stand under a path, on the service of `charmd`
  charms-reactive operation start demo --input '{\"duration\": 5, \"steps\": 10}'
      Start work in the background, on `charmd`, and see how far it is
  juju deploy ./target/charms/my-charm_ubuntu-amd64.charm
      Deploy what was packed

Started under the name of a hook command (relation-get, status-set, ...), this program is that
hook command.  Simulated models use it so.";

/// Write, pack and try Juju charms in Rust.
///
/// A charm is one static program that Juju starts for every event.  This program
/// does what has to be done around it.
#[derive(Debug, Parser)]
#[command(name = "charms-reactive", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Operation(operation::OperationArgs),
    Pack(pack::PackArgs),
    RuntimeConfig(runtime_config::RuntimeConfigArgs),
    Simulate(simulate::SimulateArgs),
}

/// Runs the program with these arguments, its own name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        // Also for `--help` and `--version`, which are no errors and print to standard output.
        Err(error) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let result = match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Pack(args) => pack::run(args),
        // Their exit codes tell more than whether it went well.
        Command::Operation(args) => return operation::run(args),
        Command::RuntimeConfig(args) => return runtime_config::run(args),
        Command::Simulate(args) => return simulate::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_shows_examples() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("charms-reactive pack --charm"), "{help}");
    }
}
