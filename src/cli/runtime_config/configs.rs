//! `runtime-config configs`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::error::RuntimeConfigError;
use super::name::{Config, encoded};
use super::{Desk, Paging, columns};
use crate::show;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a config
    Create {
        #[command(flatten)]
        named: Named,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Remove a config with its variables and waiters
    Delete(Named),
    /// Show a config
    Describe(Named),
    /// List the configs of the project
    List(Paging),
    /// Replace the description of a config
    Update {
        #[command(flatten)]
        named: Named,
        /// What it is for; nothing without this
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Its name, or projects/PROJECT/configs/NAME
    name: String,
}

pub(super) fn run(desk: &Desk, verb: &Verb) -> Result<(), RuntimeConfigError> {
    let parse = |named: &Named| Config::parse(&named.name, &desk.project);
    match verb {
        Verb::Create { named, description } => create(desk, &parse(named), description.as_deref()),
        Verb::Update { named, description } => update(desk, &parse(named), description.as_deref()),
        Verb::Delete(named) => {
            let config = parse(named);
            desk.client.call("DELETE", &config.path(), None)?;
            desk.tell("Deleted", &config.path());
            Ok(())
        }
        Verb::Describe(named) => {
            let config = desk.client.call("GET", &parse(named).path(), None)?;
            Ok(show::item(&columns::shaped(config, false), desk.format.as_ref())?)
        }
        Verb::List(paging) => {
            let path = format!("projects/{}/configs", encoded(&desk.project, false));
            let configs = desk.list(&path, "configs", "", paging)?;
            let configs: Vec<_> = configs.into_iter().map(|config| columns::shaped(config, false)).collect();
            Ok(show::list(&configs, columns::CONFIG_COLUMNS, desk.format.as_ref())?)
        }
    }
}

/// Makes a config, and tells.
pub(super) fn create(
    desk: &Desk,
    config: &Config,
    description: Option<&str>,
) -> Result<(), RuntimeConfigError> {
    let body = json!({"name": config.full(), "description": description});
    let path = format!("projects/{}/configs", encoded(&config.project, false));
    let made = desk.client.call("POST", &path, Some(&body)).map_err(|error| match error {
        RuntimeConfigError::Refused(refusal) if refusal.status == "ALREADY_EXISTS" => {
            RuntimeConfigError::Conflict { project: config.project.clone(), message: refusal.message }
        }
        other => other,
    })?;
    desk.tell("Created", &config.path());
    shown_if_asked(desk, made)
}

/// Replaces a description, and tells.
pub(super) fn update(
    desk: &Desk,
    config: &Config,
    description: Option<&str>,
) -> Result<(), RuntimeConfigError> {
    let body = json!({"name": config.full(), "description": description});
    let made = desk.client.call("PUT", &config.path(), Some(&body))?;
    desk.tell("Updated", &config.path());
    shown_if_asked(desk, made)
}

/// What was made is printed only where a format is asked for.
fn shown_if_asked(desk: &Desk, made: serde_json::Value) -> Result<(), RuntimeConfigError> {
    match &desk.format {
        Some(format) => Ok(show::item(&columns::shaped(made, false), Some(format))?),
        None => Ok(()),
    }
}
