//! The charm's own program as a tool on the unit: `dispatch flags`, `dispatch explain`, ...
//!
//! Juju runs the program without arguments.  With some it is run by a person, in `juju exec` or `juju
//! debug-hooks`, and shows or changes what the unit state holds.  No handler runs.

mod change;
mod command;
mod look;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::rc::Rc;

use charms_reactive_core::{Flag, HookEvent};
use charms_reactive_hookcmd::{CommandError, HookCommands};
use serde::Serialize;

use crate::charm::App;
use crate::context::{Context, ContextError};
use crate::dispatch::{Dispatch, DispatchError, panic_message};
use crate::handler::HandlerError;
use crate::log_buffer;
use crate::model::Model;
use crate::run::{chain, prepare};
use crate::state::State;
use crate::store::StoreError;

use command::{Asked, Command};

/// What a tool has to say, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// 0 when it did what it was asked for, 1 when it could not, 2 when it was not understood.
    pub code: u8,
    /// What was asked for.
    pub stdout: String,
    /// What went wrong, or is worth knowing.
    pub stderr: String,
}

impl Output {
    /// Prints it, and gives the exit code.  Nobody need read it to the end.
    pub(crate) fn print(&self) -> ExitCode {
        let _ = std::io::stdout().write_all(self.stdout.as_bytes());
        let _ = std::io::stderr().write_all(self.stderr.as_bytes());
        ExitCode::from(self.code)
    }

    fn failed(code: u8, error: &dyn std::error::Error) -> Self {
        let stderr = format!("{}\n", chain(error).join("\n  because: "));
        Self { code, stdout: String::new(), stderr }
    }
}

/// Why a tool could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error("there is no hook context")]
    Context(#[from] ContextError),
    #[error("`{event}` is a restricted hook: Juju gives it neither state nor model")]
    Restricted { event: HookEvent },
    #[error("cannot look at this unit")]
    Dispatch(#[from] DispatchError),
    #[error("cannot look at the model")]
    Command(#[from] CommandError),
    #[error("endpoint `{endpoint}` cannot tell its requests")]
    Interface { endpoint: String, source: HandlerError },
    #[error("cannot change the flag")]
    Store(#[from] StoreError),
    #[error("flag `{flag}` ends with its dispatch, so it cannot be changed for the next one")]
    EndsWithDispatch { flag: Flag },
    #[error("the charm has no handler `{name}`, only: {}", known.join(", "))]
    NoHandler { name: String, known: Vec<&'static str> },
    #[error("the charm panicked: {message}")]
    Panicked { message: String },
}

/// What a tool found: for people, for programs, and what people should know besides.
struct Found {
    text: String,
    json: String,
    note: Option<String>,
}

impl Found {
    fn new(text: String, value: &impl Serialize) -> Self {
        Self { text, json: serde_json::to_string(value).expect("texts are JSON"), note: None }
    }
}

/// What tools work on.
struct Session<'a> {
    app: &'a App,
    dispatch: Rc<Dispatch>,
    state: State,
}

/// Runs the program of a charm as the tool that `arguments` (without the program's name) ask for.
///
/// | Arguments | |
/// |---|---|
/// | `flags` | the flags that are set |
/// | `set-flag FLAG`, `clear-flag FLAG` | changes a flag, and what triggers make of it |
/// | `explain [HANDLER]` | which handlers would run, and what the others wait for |
/// | `relations` | the relations of each endpoint, and the units on them |
/// | `requests` | requests and answers on each endpoint, without secrets |
/// | `operations` | what runs between hooks, and how it ended |
///
/// Each takes `--json` and `--help`.  `docs/debugging.md` is the guide.
///
/// # Guarantees
///
/// No handler runs, and nothing is written but flags, by the two that change them.  Those are staged like
/// those of a hook: Juju keeps them when the context ends.
pub fn tool(
    app: &App,
    arguments: &[String],
    commands: impl HookCommands + 'static,
    context: Result<Context, ContextError>,
) -> Output {
    let (command, asked) = match command::parse(arguments) {
        Ok(parsed) => parsed,
        Err(early) => return early,
    };
    log_buffer::begin();
    let found = context.map_err(ToolError::from).and_then(|context| {
        let model = Model::new(context.unit.clone(), Box::new(commands));
        let mut dispatch = Dispatch::new(context, app.metadata.clone(), model);
        dispatch.reach_daemon(app);
        let dispatch = Rc::new(dispatch);
        let found = catch_unwind(AssertUnwindSafe(|| run(app, &dispatch, command, &asked)));
        // They hold the dispatch, which holds them.
        dispatch.managers.borrow_mut().clear();
        found.unwrap_or_else(|payload| Err(ToolError::Panicked { message: panic_message(&*payload) }))
    });
    let mut told = Vec::new();
    let mut output = match found {
        Ok(found) => {
            told.extend(found.note.map(|note| format!("note: {note}")));
            let stdout = if asked.is_json { format!("{}\n", found.json) } else { found.text };
            Output { stdout, ..Output::default() }
        }
        Err(error) => {
            if is_without_juju(&error) {
                let command = format!("./dispatch {}", arguments.join(" "));
                told.push(format!(
                    "hint: run it as `juju exec --unit UNIT -- {command}`, or in `juju debug-hooks UNIT`"
                ));
            }
            Output::failed(1, &error)
        }
    };
    told.extend(log_buffer::take_warnings().iter().map(|warning| format!("warning: {warning}")));
    output.stderr.push_str(&lines(&told));
    output
}

/// Texts, each on a line of its own.
fn lines(texts: &[impl AsRef<str>]) -> String {
    texts.iter().flat_map(|text| [text.as_ref(), "\n"]).collect()
}

fn run(app: &App, dispatch: &Rc<Dispatch>, command: &Command, asked: &Asked) -> Result<Found, ToolError> {
    let event = &dispatch.context.event;
    if event.is_restricted() {
        return Err(ToolError::Restricted { event: event.clone() });
    }
    let state = prepare(app, dispatch)?;
    let session = Session { app, dispatch: dispatch.clone(), state };
    (command.run)(&session, asked.argument.as_deref())
}

/// Whether it failed because Juju is not there, rather than because it said no.
fn is_without_juju(error: &ToolError) -> bool {
    let is_unstarted = |error: &(dyn std::error::Error + 'static)| {
        matches!(error.downcast_ref(), Some(CommandError::Start { .. }))
    };
    let mut causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    matches!(error, ToolError::Context(_)) || causes.any(is_unstarted)
}
