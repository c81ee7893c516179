//! `charms-reactive runtime-config`: configs, variables and waiters of a `charmd`, in the words of gcloud.
//!
//! ```text
//! configs variables waiters   the verbs of gcloud, one module a noun
//! deployment apply            Deployment Manager's types in a YAML file, made in their order
//! client                      one request, one answer
//! wait                        how long, how often
//! columns                     what is shown of each
//! ```

mod apply;
mod client;
mod columns;
mod configs;
mod deployment;
mod error;
mod name;
mod variables;
mod wait;
mod waiters;

use std::process::ExitCode;

use charms_reactive_remote::Options;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::report;
use crate::server::ServerArgs;
use crate::show::{Format, FormatArgs};
use client::{ANSWER_LIMIT, Client};
pub use error::{Refusal, RuntimeConfigError};

/// The project, if nobody says otherwise: those of `charmd` need not be made.
const PROJECT: &str = "default";

const LONG_ABOUT: &str = "\
Configs, variables and waiters of a `charmd`, in the words of `gcloud beta runtime-config`.

A waiter waits until a number of variables stands under a path (success), or under another one
(failure), or until its time is over. Variables stand in a tree, in a config.";

const AFTER: &str = "\
Where the service is:
  --socket PATH, --address URL, else CHARMD_ADDRESS, else CHARMD_SOCKET; else the charmd of the unit
  whose hook this is, or of the only unit on this machine; else /run/charmd.socket.
  A token is read from --token-file, else from the file that CHARMD_TOKEN_FILE names. The project
  is --project, else CHARMD_PROJECT, else `default`; full names, as projects/P/configs/C, have their own.

Exit codes:
  0  it is done; the waiter succeeded, the variable changed
  1  it is not: the service says no, or cannot be reached; a waiter still waits
  2  the waiter failed or timed out; the watched variable did not change; or the command is mistyped

Examples:
  charms-reactive runtime-config configs create boot
  charms-reactive runtime-config waiters create ready --config-name boot --timeout 6m \\
          --success-cardinality-path /ready --success-cardinality-number 3 --async
  charms-reactive runtime-config variables set ready/$HOSTNAME up --config-name boot --is-text
  charms-reactive runtime-config waiters wait ready --config-name boot
  charms-reactive runtime-config apply deployment.yaml";

/// Configs, variables and waiters of a `charmd`, in the words of gcloud
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = AFTER, after_help = "`--help` has examples and the exit codes.")]
pub struct RuntimeConfigArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    shown: FormatArgs,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Make, change, show and remove configs
    Configs {
        #[command(subcommand)]
        verb: ConfigsVerb,
    },
    /// Set, show, watch and remove variables of a config
    Variables {
        #[command(subcommand)]
        verb: variables::Verb,
    },
    /// Make, wait for, show and remove waiters of a config
    Waiters {
        #[command(subcommand)]
        verb: waiters::Verb,
    },
    /// Make what a file describes with Deployment Manager's types, and wait for its waiters
    #[command(long_about = apply::LONG_ABOUT)]
    Apply(apply::ApplyArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigsVerb {
    #[command(flatten)]
    Own(configs::Verb),
    /// The same as `runtime-config variables`, where gcloud has it
    #[command(hide = true)]
    Variables {
        #[command(subcommand)]
        verb: variables::Verb,
    },
    /// The same as `runtime-config waiters`, where gcloud has it
    #[command(hide = true)]
    Waiters {
        #[command(subcommand)]
        verb: waiters::Verb,
    },
}

/// The config of variables and waiters with short names.
#[derive(Debug, Args)]
struct OfConfig {
    /// The config
    #[arg(long, value_name = "CONFIG")]
    config_name: Option<String>,
}

/// How much of a list is wanted, and in which pages it comes.
#[derive(Debug, Args)]
struct Paging {
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// So many in one request; what is printed is the same
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    page_size: u32,
}

/// What a command works with.
struct Desk {
    client: Client,
    project: String,
    format: Option<Format>,
}

/// Runs a command on the service; the exit code is gcloud's.
pub fn run(args: &RuntimeConfigArgs) -> ExitCode {
    let result = Desk::new(&args.server, &args.shown).and_then(|desk| match &args.noun {
        Noun::Configs { verb: ConfigsVerb::Own(verb) } => configs::run(&desk, verb),
        Noun::Variables { verb } | Noun::Configs { verb: ConfigsVerb::Variables { verb } } => {
            variables::run(&desk, verb)
        }
        Noun::Waiters { verb } | Noun::Configs { verb: ConfigsVerb::Waiters { verb } } => {
            waiters::run(&desk, verb)
        }
        Noun::Apply(args) => apply::run(&desk, args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::failure(&error.to_string(), &error.causes(), error.hint().as_deref());
            error.exit_code().into()
        }
    }
}

impl Desk {
    fn new(server: &ServerArgs, shown: &FormatArgs) -> Result<Self, RuntimeConfigError> {
        let options = Options { timeout: ANSWER_LIMIT, ..server.options()? };
        let client = Client(options.client()?);
        let project = options.project.unwrap_or_else(|| PROJECT.to_owned());
        Ok(Self { client, project, format: shown.format() })
    }

    /// What a list has, page by page.
    fn list(
        &self,
        path: &str,
        key: &str,
        query: &str,
        paging: &Paging,
    ) -> Result<Vec<Value>, RuntimeConfigError> {
        let limit = paging.limit.map_or(usize::MAX, |limit| limit as usize);
        let size = paging.limit.map_or(paging.page_size, |limit| limit.min(paging.page_size));
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let page = self.client.call("GET", &format!("{path}?pageSize={size}{token}{query}"), None)?;
            items.extend(page[key].as_array().cloned().unwrap_or_default());
            match page["nextPageToken"].as_str() {
                Some(next) if items.len() < limit => {
                    token = format!("&pageToken={}", name::encoded(next, false));
                }
                _ => break,
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// Says what became of a resource, as gcloud does: `Created [URL].`
    fn tell(&self, verb: &str, path: &str) {
        report::plain(&format!("{verb} [{}].\n", self.client.url(path)));
    }
}
