//! Tools that change a flag.

use charms_reactive_core::Flag;
use serde::Serialize;

use super::{Found, Session, ToolError, lines};
use crate::automatic::{IS_LEADER, SERIES_UPGRADE, ends_with_dispatch};
use crate::plan::Plan;

pub(super) fn set(session: &Session<'_>, flag: Option<&str>) -> Result<Found, ToolError> {
    change(session, flag, true)
}

pub(super) fn clear(session: &Session<'_>, flag: Option<&str>) -> Result<Found, ToolError> {
    change(session, flag, false)
}

/// What became of a flag, and of others with it.
#[derive(Serialize)]
struct Changed<'a> {
    flag: &'a str,
    changes: &'a [String],
}

/// Changes a flag, with what follows from it, and saves the state.
fn change(session: &Session<'_>, flag: Option<&str>, is_set: bool) -> Result<Found, ToolError> {
    let dispatch = &session.dispatch;
    let flag = Flag::from(flag.unwrap_or_default().to_owned());
    if ends_with_dispatch(flag.as_str()) {
        return Err(ToolError::EndsWithDispatch { flag });
    }
    dispatch.change_flag(&flag, is_set);
    dispatch.take_fault()?;
    let changes: Vec<String> = dispatch.journal.borrow().iter().map(ToString::to_string).collect();
    if !changes.is_empty() {
        let state = &session.state;
        let next = state.next(dispatch, &Plan::default());
        let context = &dispatch.context;
        let mut commands = dispatch.model.commands();
        let unsaved =
            state.store.save(&mut **commands, &context.charm_dir, &context.id, &state.saved, next)?;
        if let Some(unsaved) = unsaved {
            unsaved.save()?;
        }
    }
    let word = if is_set { "set" } else { "not set" };
    let text = match changes.as_slice() {
        [] => format!("`{flag}` is {word} already\n"),
        changes => lines(changes),
    };
    let mut found = Found::new(text, &Changed { flag: flag.as_str(), changes: &changes });
    found.note = is_automatic(session, &flag).then(|| {
        format!("the framework sets and clears `{flag}` by itself, and may change it back in the next hook")
    });
    Ok(found)
}

/// Whether the framework goes by the model for this flag, whatever the charm does.
fn is_automatic(session: &Session<'_>, flag: &Flag) -> bool {
    let name = flag.as_str();
    let endpoints = &session.dispatch.metadata.endpoints;
    let is_of_endpoint = |family: &str| {
        endpoints.iter().any(|endpoint| name == format!("endpoint.{}.{family}", endpoint.name))
    };
    *flag == IS_LEADER
        || *flag == SERIES_UPGRADE
        || name.starts_with("config.set.")
        || name.starts_with("config.default.")
        || name.starts_with("operation.")
        || is_of_endpoint("joined")
        || is_of_endpoint("departed")
}
