//! `operation start`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::SystemTime;

use charms_reactive_core::operation::{Class, OperationId};
use charms_reactive_core::waiter::Moment;
use clap::Args;
use serde_json::{Value, json};

use super::error::OperationError;
use super::{Desk, Limit, wait};
use crate::show;

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// The kind of work; `demo` is always there
    kind: String,
    /// What the work is given: JSON, or a file with it: @FILE
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// How it lives: task, durable, token, websocket
    #[arg(long, value_name = "CLASS", value_parser = parse_class)]
    class: Option<Class>,
    /// What it is, for a person
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A UUID of your choice: with the same one it starts once, however often it is asked for
    #[arg(long, value_name = "UUID", value_parser = parse_id)]
    id: Option<OperationId>,
    /// A text of which only one operation of the project runs at a time
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// What happens while another of that reference runs: `fail`, or `join` that one
    #[arg(long, value_name = "WHAT", value_parser = ["fail", "join"], requires = "reference")]
    on_conflict: Option<String>,
    /// Print its id, and do not wait until it is over
    #[arg(long = "async")]
    is_async: bool,
    #[command(flatten)]
    limit: Limit,
}

fn parse_class(text: &str) -> Result<Class, String> {
    Class::of(text).ok_or_else(|| "expected `task`, `durable`, `token` or `websocket`".to_owned())
}

fn parse_id(text: &str) -> Result<OperationId, String> {
    OperationId::parse(text).map_err(|error| error.to_string())
}

pub(super) fn run(desk: &Desk, args: &StartArgs) -> Result<(), OperationError> {
    let mut body = json!({"kind": args.kind, "id": args.id.unwrap_or_else(new_id)});
    if let Some(input) = &args.input {
        body["input"] = read(input)?;
    }
    let texts = [
        ("class", args.class.map(|class| class.as_str().to_owned())),
        ("description", args.description.clone()),
        ("reference", args.reference.clone()),
        ("on_conflict", args.on_conflict.clone()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            body[key] = text.into();
        }
    }
    let operation = desk.client.start(&body)?;
    if !args.is_async {
        return wait(desk, &operation.id, args.limit.timeout);
    }
    match &desk.format {
        Some(format) => Ok(show::item(&operation.raw, Some(format))?),
        None => Ok(show::print(&format!("{}\n", operation.id))?),
    }
}

/// JSON, or what is in the file behind an `@`.
fn read(input: &str) -> Result<Value, OperationError> {
    let wrong = |error: &dyn std::fmt::Display| OperationError::Argument(format!("input `{input}`: {error}"));
    let text = match input.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| wrong(&error))?,
        None => input.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| wrong(&error))
}

/// An id of our own: a request with it can be sent again.
#[expect(clippy::disallowed_methods, reason = "a program that people start")]
fn new_id() -> OperationId {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // The seed of a map is drawn from the system's chance.
    let chance = RandomState::new().build_hasher().finish();
    OperationId::new(Moment::from_unix(now), chance.to_le_bytes())
}
