//! `charms-reactive operation`: operations of `charmd`, LXD and Incus.
//!
//! ```text
//! start   begins one on `charmd`
//! board   those that run, as bars at a terminal, and as lines elsewhere
//! error   why not, the exit codes, and what may help
//! ```

mod board;
mod error;
mod start;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use charms_reactive_client::{Client, ClientError, List, Operation};
use charms_reactive_core::operation::Status;
use charms_reactive_remote::{follow, watch};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::report;
use crate::server::ServerArgs;
use crate::show::{self, Column, Format, FormatArgs};
use crate::time::parse_span;
use board::{Board, progress};
use error::OperationError;

const LONG_ABOUT: &str = "\
Operations: work that goes on in the background, on `charmd`, LXD or Incus.

All three are asked in the same way; where they are is all that differs. `charmd` keeps what is
over and lists it; LXD and Incus forget it after seconds. Only `charmd` starts work by its kind:
operations of the others begin with what is asked of them otherwise, for example by `lxc start`.";

const AFTER: &str = "\
Where the server is:
  --socket PATH, --address URL, else CHARMD_ADDRESS, else CHARMD_SOCKET; else the charmd of the unit
  whose hook this is, or of the only unit on this machine; else /run/charmd.socket.
  LXD's socket is /var/lib/lxd/unix.socket or /var/snap/lxd/common/lxd/unix.socket, that of Incus
  /var/lib/incus/unix.socket. Every option of the server has a variable: --client-cert is
  CHARMD_CLIENT_CERT, --fingerprint is CHARMD_FINGERPRINT, and so on; CHARMD_VERIFY=false is --insecure.

Exit codes:
  0  it is done; the operation succeeded
  1  it is not: the server says no, or cannot be reached
  2  the command is mistyped
  3  the operation failed
  4  the operation was cancelled
  5  the operation was not over in time; it goes on

Examples:
  charms-reactive operation list --status running
  charms-reactive operation start demo --input '{\"duration\": 20, \"steps\": 40}'
  id=$(charms-reactive operation start demo --async)
  charms-reactive operation wait \"$id\" --timeout 5m
  charms-reactive operation cancel \"$id\" --reason 'no longer wanted'
  charms-reactive operation watch
  charms-reactive operation list --socket /var/lib/lxd/unix.socket --all-projects";

/// Operations of a `charmd`, of LXD or Incus: list, show, start, wait, cancel, watch
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT, after_long_help = AFTER, after_help = "`--help` has examples and the exit codes.")]
pub struct OperationArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    shown: FormatArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List operations, the oldest first
    List(ListArgs),
    /// Show an operation with its children
    Show {
        /// Its id
        id: String,
    },
    /// Start work of a kind that `charmd` knows, and wait until it is over
    Start(start::StartArgs),
    /// Wait until an operation is over
    Wait {
        /// Its id
        id: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Tell an operation to stop
    Cancel(CancelArgs),
    /// Show what changes until it is interrupted, or until the operations that are named are over
    Watch {
        /// Their ids; all without any
        ids: Vec<String>,
        /// Those of all projects
        #[arg(long)]
        all_projects: bool,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only those: pending, running, cancelling, success, failure, cancelled
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = parse_status)]
    status: Vec<Status>,
    /// Those of all projects
    #[arg(long)]
    all_projects: bool,
    /// Only so many, the youngest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only those older than this one
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// `FIELD eq VALUE and ...`, which `charmd` understands: id, class, status, kind, description, project
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
}

#[derive(Debug, Args)]
struct CancelArgs {
    /// Their ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why, for whoever looks at it later; `charmd` keeps it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait until they have stopped
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    limit: Limit,
}

/// How long is waited.
#[derive(Debug, Args)]
struct Limit {
    /// Give up waiting after this time; the operation goes on
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    timeout: Option<Duration>,
}

fn parse_status(text: &str) -> Result<Status, String> {
    let found = Status::ALL.into_iter().find(|status| status.key().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("expected one of: {}", Status::ALL.map(Status::key).join(", ")))
}

/// What a command works with.
struct Desk {
    client: Client,
    format: Option<Format>,
}

/// Runs a command on a server; the exit code says what became of the operation.
pub fn run(args: &OperationArgs) -> ExitCode {
    let result = Desk::new(&args.server, &args.shown).and_then(|desk| match &args.verb {
        Verb::List(args) => list(&desk, args),
        Verb::Show { id } => {
            let operation = desk.client.operation_with_children(id)?;
            Ok(show::item(&operation.raw, desk.format.as_ref())?)
        }
        Verb::Start(args) => start::run(&desk, args),
        Verb::Wait { id, limit } => wait(&desk, id, limit.timeout),
        Verb::Cancel(args) => cancel(&desk, args),
        Verb::Watch { ids, all_projects } => follow_all(&desk, ids, *all_projects),
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
    fn new(server: &ServerArgs, shown: &FormatArgs) -> Result<Self, OperationError> {
        Ok(Self { client: server.options()?.client()?, format: shown.format() })
    }
}

const COLUMNS: &[Column] = &[
    ("ID", |item| text(item, "id")),
    ("CLASS", |item| text(item, "class")),
    ("DESCRIPTION", |item| text(item, "description")),
    ("STATUS", |item| text(item, "status")),
    ("PROGRESS", |item| {
        // What is over has come to its end, whatever was said last.
        let operation = Operation::parse(item).ok().filter(|operation| !operation.is_final());
        operation.map(|operation| progress(&operation)).unwrap_or_default()
    }),
    ("CREATED", |item| text(item, "created_at").split('.').next().unwrap_or_default().to_owned()),
    ("ERROR", |item| text(item, "err")),
];

fn text(item: &Value, key: &str) -> String {
    item[key].as_str().unwrap_or_default().to_owned()
}

fn list(desk: &Desk, args: &ListArgs) -> Result<(), OperationError> {
    // Other servers have neither limit nor pages: what they list is cut here.
    const PAGE: usize = 500;
    let wanted = List {
        all_projects: args.all_projects,
        filter: args.filter.clone(),
        before: args.before.clone(),
        ..List::default()
    };
    let is_wanted = |operation: &Operation| args.status.is_empty() || args.status.contains(&operation.status);
    let mut found = Vec::new();
    let page = args.limit.unwrap_or(PAGE).clamp(1, PAGE);
    for operation in desk.client.history(wanted, page) {
        let operation = operation?;
        if found.len() == args.limit.unwrap_or(usize::MAX) {
            break;
        }
        if is_wanted(&operation) {
            found.push(operation.raw);
        }
    }
    found.reverse();
    Ok(show::list(&found, COLUMNS, desk.format.as_ref())?)
}

fn wait(desk: &Desk, id: &str, limit: Option<Duration>) -> Result<(), OperationError> {
    let mut board = Board::new();
    let result = follow(&desk.client, id, limit, |operation| board.show(operation));
    board.end();
    let (operation, error) = match result {
        Ok(operation) => (operation, None),
        Err(ClientError::Failed(operation)) => ((*operation).clone(), Some(ClientError::Failed(operation))),
        Err(ClientError::Cancelled(operation)) => {
            ((*operation).clone(), Some(ClientError::Cancelled(operation)))
        }
        Err(error) => return Err(error.into()),
    };
    // What came of it is wanted also where it was nothing good.
    if let Some(format) = &desk.format {
        show::item(&operation.raw, Some(format))?;
    } else if error.is_none() {
        report::step("Done", &Board::name(&operation));
    }
    error.map_or(Ok(()), |error| Err(error.into()))
}

fn cancel(desk: &Desk, args: &CancelArgs) -> Result<(), OperationError> {
    for id in &args.ids {
        desk.client.cancel_operation(id, args.reason.as_deref())?;
        report::step("Cancelling", id);
    }
    if args.wait || args.limit.timeout.is_some() {
        for id in &args.ids {
            match wait(desk, id, args.limit.timeout) {
                // That is what was asked for.
                Err(OperationError::Client(ClientError::Cancelled(_))) => report::step("Cancelled", id),
                other => other?,
            }
        }
    }
    Ok(())
}

fn follow_all(desk: &Desk, ids: &[String], all_projects: bool) -> Result<(), OperationError> {
    // By the ids that the server has: paths are taken, too.
    let operations = ids.iter().map(|id| desk.client.operation(id)).collect::<Result<Vec<_>, _>>()?;
    let mut left: BTreeSet<String> = operations.iter().map(|operation| operation.id.clone()).collect();
    let mut board = Board::new();
    let mut each = |operation: &Operation| {
        if !ids.is_empty() && !left.contains(&operation.id) {
            return Ok(ControlFlow::Continue(()));
        }
        match &desk.format {
            Some(Format::Json) => show::print(&format!("{}\n", operation.raw))?,
            Some(format) => show::item(&operation.raw, Some(format))?,
            None => board.show(operation),
        }
        if operation.is_final() {
            left.remove(&operation.id);
        }
        let is_over = !ids.is_empty() && left.is_empty();
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    // What is over already changes no more.
    for operation in operations.iter().filter(|operation| operation.is_final()) {
        if each(operation)?.is_break() {
            return Ok(());
        }
    }
    let mut failed = None;
    // Those that are named may be of any project.
    watch(&desk.client, all_projects || !ids.is_empty(), |operation| {
        each(operation).unwrap_or_else(|error: std::io::Error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    })?;
    board.end();
    failed.map_or(Ok(()), |error| Err(error.into()))
}
