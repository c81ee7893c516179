//! `runtime-config variables`.

use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charms_reactive_core::waiter::Moment;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::ANSWER_LIMIT;
use super::error::RuntimeConfigError;
use super::name::{Config, Name};
use super::wait::Progress;
use super::{Desk, OfConfig, Paging, columns};
use crate::time::{parse_moment, parse_watch};
use crate::{report, show};

const LIST: &str = "variables";

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a variable, or replace what it holds
    Set {
        #[command(flatten)]
        named: Named,
        /// What it is to hold; standard input without this
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
        /// Keep it as text rather than as bytes
        #[arg(long)]
        is_text: bool,
        /// Fail if there is such a variable
        #[arg(long, conflicts_with = "fail_if_absent")]
        fail_if_present: bool,
        /// Fail if there is no such variable
        #[arg(long)]
        fail_if_absent: bool,
    },
    /// Remove a variable; where there is none, that is fine
    Unset {
        #[command(flatten)]
        named: Named,
        /// Fail if there is nothing to remove
        #[arg(long)]
        fail_if_absent: bool,
        /// Remove all variables below it, too
        #[arg(long)]
        recursive: bool,
    },
    /// Print what a variable holds, to the byte
    GetValue(Named),
    /// Show a variable
    Describe(Named),
    /// List the variables of a config
    List {
        #[command(flatten)]
        of: OfConfig,
        #[command(flatten)]
        paging: Paging,
        /// Show what they hold
        #[arg(long)]
        values: bool,
    },
    /// Wait until a variable changes or goes, for a minute at most
    Watch {
        #[command(flatten)]
        named: Named,
        /// A change after this time counts, too
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        newer_than: Option<Moment>,
        /// Give up after this time: 1s to 60s
        #[arg(long, value_name = "TIME", value_parser = parse_watch, allow_hyphen_values = true)]
        max_wait: Option<Duration>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its name, a path like status/n1, or the full one
    name: String,
    #[command(flatten)]
    of: OfConfig,
}

impl Named {
    fn parse(&self, desk: &Desk) -> Result<Name, RuntimeConfigError> {
        Name::parse(&self.name, LIST, self.of.config_name.as_deref(), &desk.project)
    }
}

pub(super) fn run(desk: &Desk, verb: &Verb) -> Result<(), RuntimeConfigError> {
    match verb {
        Verb::Set { named, value, is_text, fail_if_present, fail_if_absent } => {
            let name = named.parse(desk)?;
            let value = match value {
                Some(value) => value.clone().into_bytes(),
                None => read_input()?,
            };
            let present = match (fail_if_present, fail_if_absent) {
                (true, _) => Present::Never,
                (_, true) => Present::Always,
                _ => Present::Maybe,
            };
            let made = set(desk, &name, &content(value, *is_text)?, present)?;
            match &desk.format {
                Some(format) => Ok(show::item(&columns::shaped(made, true), Some(format))?),
                None => Ok(()),
            }
        }
        Verb::Unset { named, fail_if_absent, recursive } => {
            let name = named.parse(desk)?;
            let path = format!("{}?recursive={recursive}", name.path());
            match desk.client.call("DELETE", &path, None) {
                Ok(_) => desk.tell("Deleted", &name.shown_path()),
                Err(RuntimeConfigError::Refused(refusal))
                    if refusal.status == "NOT_FOUND" && !fail_if_absent => {}
                Err(error) => return Err(error),
            }
            Ok(())
        }
        Verb::GetValue(named) => {
            let variable = desk.client.call("GET", &named.parse(desk)?.path(), None)?;
            let content = variable.as_object().and_then(columns::content);
            Ok(show::bytes(&content.unwrap_or_default())?)
        }
        Verb::Describe(named) => {
            let variable = desk.client.call("GET", &named.parse(desk)?.path(), None)?;
            Ok(show::item(&columns::shaped(variable, true), desk.format.as_ref())?)
        }
        Verb::List { of, paging, values } => list(desk, of, paging, *values),
        Verb::Watch { named, newer_than, max_wait } => {
            watch(desk, &named.parse(desk)?, *newer_than, *max_wait)
        }
    }
}

/// Whether there may be such a variable before it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Present {
    Never,
    Maybe,
    Always,
}

/// Sets a variable, and tells; gives it as it is then.
pub(super) fn set(
    desk: &Desk,
    name: &Name,
    content: &Value,
    present: Present,
) -> Result<Value, RuntimeConfigError> {
    let mut body = content.clone();
    body["name"] = name.full().into();
    if present != Present::Always {
        match desk.client.call("POST", &name.list_path(), Some(&body)) {
            Ok(made) => {
                desk.tell("Created", &name.shown_path());
                return Ok(made);
            }
            Err(RuntimeConfigError::Refused(refusal))
                if refusal.status == "ALREADY_EXISTS" && present == Present::Maybe => {}
            Err(error) => return Err(error),
        }
    }
    let made = desk.client.call("PUT", &name.path(), Some(&body))?;
    desk.tell("Updated", &name.shown_path());
    Ok(made)
}

/// What a variable is to hold, as its fields.
fn content(value: Vec<u8>, is_text: bool) -> Result<Value, RuntimeConfigError> {
    if !is_text {
        return Ok(json!({ "value": STANDARD.encode(value) }));
    }
    let text = String::from_utf8(value).map_err(|_| {
        RuntimeConfigError::Setting("this value is no text in UTF-8: set it without `--is-text`".to_owned())
    })?;
    Ok(json!({ "text": text }))
}

fn read_input() -> Result<Vec<u8>, RuntimeConfigError> {
    report::plain("No value argument specified; reading value from stdin.\n");
    let mut value = Vec::new();
    std::io::stdin().lock().read_to_end(&mut value).map_err(RuntimeConfigError::Input)?;
    Ok(value)
}

fn list(desk: &Desk, of: &OfConfig, paging: &Paging, has_values: bool) -> Result<(), RuntimeConfigError> {
    let config = of.config_name.as_deref().ok_or_else(|| {
        RuntimeConfigError::Setting("which config? expected `--config-name CONFIG`".to_owned())
    })?;
    let list = Name::of(&Config::parse(config, &desk.project), LIST, "");
    let query = format!("&returnValues={has_values}");
    let variables = desk.list(&list.list_path(), LIST, &query, paging)?;
    let variables: Vec<_> = variables.into_iter().map(|one| columns::shaped(one, has_values)).collect();
    let columns = if has_values { columns::VALUE_COLUMNS } else { columns::VARIABLE_COLUMNS };
    Ok(show::list(&variables, columns, desk.format.as_ref())?)
}

/// One watch: the service answers it before the minute is over.
fn watch(
    desk: &Desk,
    name: &Name,
    newer_than: Option<Moment>,
    max_wait: Option<Duration>,
) -> Result<(), RuntimeConfigError> {
    let body = json!({ "newerThan": newer_than.map(|moment| moment.to_string()) });
    let progress = Progress::begin(format!("for variable [{}] to change", name.id));
    let limit = max_wait.unwrap_or(ANSWER_LIMIT);
    let answer = desk.client.call_within(limit, "POST", &format!("{}:watch", name.path()), Some(&body));
    let unchanged = match &answer {
        Ok(variable) => variable.get("state").is_none(),
        Err(RuntimeConfigError::Silent { .. }) => true,
        Err(_) => false,
    };
    progress.end(if unchanged || answer.is_err() { "failed." } else { "done." });
    if unchanged {
        return Err(RuntimeConfigError::NoChange);
    }
    Ok(show::item(&columns::shaped(answer?, true), desk.format.as_ref())?)
}
