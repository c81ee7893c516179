//! `charms-reactive runtime-config`: configs, variables and waiters of a `charmd`, in the words of gcloud.
//!
//! ```text
//! configs variables waiters   the verbs of gcloud, one module a noun
//! deployment apply            Deployment Manager's types in a YAML file, made in their order
//! client                      one request, one answer: unix socket, TCP, TLS
//! wait time                   how long, how often
//! show                        tables, YAML, JSON, values
//! ```

mod apply;
mod client;
mod configs;
mod deployment;
mod error;
mod name;
mod show;
mod time;
mod variables;
mod wait;
mod waiters;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{place, report};
use client::Client;
pub use error::{Refusal, RuntimeConfigError};
use show::Format;

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
    shared: Shared,
    #[command(subcommand)]
    noun: Noun,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "The service, and what is printed")]
struct Shared {
    /// The unix socket of the service
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "address")]
    socket: Option<PathBuf>,
    /// The address of the service, for example `http://127.0.0.1:8080`
    #[arg(long, value_name = "URL", global = true)]
    address: Option<String>,
    /// Trust the certificates in this file, for https
    #[arg(long, value_name = "FILE", global = true)]
    ca_cert: Option<PathBuf>,
    /// A file with the token that the service asks for
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// The project of short names
    #[arg(long, value_name = "PROJECT", global = true)]
    project: Option<String>,
    /// Print `json`, `yaml`, `table`, `value(FIELD,...)` or `none`
    #[arg(long, value_name = "FORMAT", global = true, value_parser = Format::parse, conflicts_with = "json")]
    format: Option<Format>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
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
    let result = Desk::new(&args.shared).and_then(|desk| match &args.noun {
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
    fn new(shared: &Shared) -> Result<Self, RuntimeConfigError> {
        let token_file =
            shared.token_file.clone().or_else(|| variable("CHARMD_TOKEN_FILE").map(PathBuf::from));
        let token = token_file.as_deref().map(read_token).transpose()?;
        let authorities = shared.ca_cert.as_deref();
        let address = |address: &str, token| Client::address(address, token, authorities);
        let client = match (&shared.socket, &shared.address) {
            (Some(path), _) => Client::socket(path, token),
            (None, Some(url)) => address(url, token)?,
            (None, None) => match (variable("CHARMD_ADDRESS"), variable("CHARMD_SOCKET")) {
                (Some(url), _) => address(&url, token)?,
                (None, Some(path)) => Client::socket(Path::new(&path), token),
                (None, None) => {
                    Client::socket(&place::usual_socket(variable("JUJU_CHARM_DIR").as_deref()), token)
                }
            },
        };
        let project = shared.project.clone().or_else(|| variable("CHARMD_PROJECT"));
        let format = if shared.json { Some(Format::Json) } else { shared.format.clone() };
        Ok(Self { client, project: project.unwrap_or_else(|| PROJECT.to_owned()), format })
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

/// A variable of the environment that holds something.
#[expect(clippy::disallowed_methods, reason = "a program that people start")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn read_token(path: &Path) -> Result<String, RuntimeConfigError> {
    let read = |source| RuntimeConfigError::Read { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(read)?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_control) {
        let reason = "expected a token on one line".to_owned();
        return Err(RuntimeConfigError::File { path: path.to_owned(), reason });
    }
    Ok(token.to_owned())
}
