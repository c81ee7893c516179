//! What keeps a handler from going on until somebody outside of the charm acts.
//!
//! A handler that returns an [`Obstacle`] is *stalled*: the dispatch begins again without it, so nothing of
//! what it did is left, and everything else happens as ever.  The status of the obstacle is shown, for
//! example `blocked` with the command that an operator has to run; no hook fails.  In every dispatch from
//! then on the handler is tried again, whatever hook it is for, until it gets through or its flags are other
//! than it wants them; then the unit shows the status that it had.
//!
//! # Guarantees
//!
//! What a stalled handler waits for is not lost meanwhile: `config.changed.*` and `leadership.changed.*` stay
//! set for it, and a handler for hooks runs late, once for each of those that came meanwhile, where
//! [`Hook::context`](crate::Hook::context) tells which one.  Other handlers that look at such flags run again
//! too.
//!
//! In an action, an obstacle that the action itself meets is a failure of the action with that message.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;

use charms_reactive_core::{ApplicationName, Flag, HookEvent, RelationId, UnitName};
use charms_reactive_hookcmd::CommandError;
use serde::{Deserialize, Serialize};

use crate::automatic::ends_with_dispatch;
use crate::context::Context;
use crate::dispatch::{Dispatch, DispatchError};
use crate::handler::{Handler, HandlerError};
use crate::leader;
use crate::plan::{Active, Status};

/// What keeps a handler from going on: somebody outside of the charm must act.
///
/// ```
/// use charms_reactive_runtime::prelude::*;
///
/// fn check(hook: &mut Hook) -> Result<(), HandlerError> {
///     if hook.kept("licence").is_none() {
///         return Err(Obstacle::new(Blocked("give a licence: juju run UNIT set-licence")).into());
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", status.message)]
pub struct Obstacle {
    status: Status,
}

impl Obstacle {
    /// An obstacle that is shown like this: [`Blocked`](crate::plan::Blocked) with what an operator must do,
    /// or [`Waiting`](crate::plan::Waiting) when another application must act.
    pub fn new(status: impl Into<Status>) -> Self {
        Self { status: status.into() }
    }

    /// What the unit shows while it is there.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The obstacle among an error and its causes.
    pub(crate) fn of(error: &HandlerError) -> Option<&Self> {
        let first: &(dyn Error + 'static) = &**error;
        std::iter::successors(Some(first), |error| (*error).source()).find_map(|error| error.downcast_ref())
    }
}

/// Why Juju does not give what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Somebody outside of the charm must act first.  A handler that returns this is tried again.
    #[error("cannot go on for now")]
    Obstacle(#[from] Obstacle),
    /// Juju gave no answer.
    #[error("cannot reach Juju")]
    Command(#[from] CommandError),
}

/// How many hooks of one handler may wait; the oldest go first.
const LATE_HOOKS_MAX: usize = 1000;

/// What is remembered of a handler that met an obstacle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StalledRecord {
    /// What is to be done.
    message: String,
    /// The hooks in which it should have run, oldest first; none for a handler that looks at flags alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<Subject>,
}

/// A hook and what it was about: the part of a [`Context`] that is another in each hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relation: Option<RelationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_application: Option<ApplicationName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_unit: Option<UnitName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    departing_unit: Option<UnitName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_revision: Option<u32>,
}

impl Subject {
    fn of(context: &Context) -> Self {
        let context = context.clone();
        Self {
            name: context.event.to_string(),
            relation: context.relation,
            remote_application: context.remote_application,
            remote_unit: context.remote_unit,
            departing_unit: context.departing_unit,
            storage_id: context.storage_id,
            secret_id: context.secret_id,
            secret_label: context.secret_label,
            secret_revision: context.secret_revision,
        }
    }

    /// The context of another dispatch, about this.
    fn within(self, context: &Context) -> Context {
        Context {
            event: HookEvent::from_hook_name(&self.name),
            relation: self.relation,
            remote_application: self.remote_application,
            remote_unit: self.remote_unit,
            departing_unit: self.departing_unit,
            storage_id: self.storage_id,
            secret_id: self.secret_id,
            secret_label: self.secret_label,
            secret_revision: self.secret_revision,
            ..context.clone()
        }
    }
}

/// The handlers that met an obstacle.
#[derive(Debug, Default)]
pub(crate) struct Stalled {
    /// In this dispatch, by their keys: they do not run in it.
    pub(crate) now: BTreeMap<String, Obstructed>,
    /// In the dispatch before.
    pub(crate) before: RefCell<BTreeMap<String, StalledRecord>>,
    /// Whether all of those of before have had their turn.
    pub(crate) is_tried: Cell<bool>,
    /// The one that has just met an obstacle.
    met: RefCell<Option<(String, Obstructed)>>,
}

/// How a handler is stalled.
#[derive(Clone, Debug)]
pub(crate) struct Obstructed {
    status: Status,
    hooks: Vec<Subject>,
}

impl Stalled {
    /// For an attempt without these handlers.
    pub(crate) fn without(now: BTreeMap<String, Obstructed>) -> Self {
        Self { now, ..Self::default() }
    }

    /// Whether the handler does not run in this dispatch any more, and why.
    pub(crate) fn reason(&self, handler: &Handler) -> Option<&str> {
        self.now.get(&handler.key).map(|stalled| stalled.status.message.as_str())
    }

    /// Whether the handler was stalled in the dispatch before, and is to be tried again.
    pub(crate) fn is_due(&self, handler: &Handler) -> bool {
        self.before.borrow().contains_key(&handler.key)
    }

    /// What the handler met in the dispatch before.
    pub(crate) fn obstacle_before(&self, handler: &Handler) -> Option<String> {
        self.before.borrow().get(&handler.key).map(|record| record.message.clone())
    }

    /// Whether any handler is to be tried again.
    pub(crate) fn is_any_due(&self) -> bool {
        !self.before.borrow().is_empty()
    }

    /// The handler that has met one, with those that had before it: what the next attempt goes without.
    pub(crate) fn with_met(&self) -> Option<BTreeMap<String, Obstructed>> {
        let met = self.met.take()?;
        let mut stalled = self.now.clone();
        stalled.extend([met]);
        Some(stalled)
    }

    /// What the next dispatch finds, by handler.
    pub(crate) fn left(&self) -> BTreeMap<String, StalledRecord> {
        let mut left = if self.is_tried.get() { BTreeMap::new() } else { self.before.borrow().clone() };
        left.extend(self.now.iter().map(|(key, stalled)| {
            let message = stalled.status.message.clone();
            (key.clone(), StalledRecord { message, hooks: stalled.hooks.clone() })
        }));
        left
    }

    /// What the unit shows in place of `status`: the most severe obstacle.
    ///
    /// With the last obstacle out of the way it shows what it would without: `status`, else that nobody need
    /// act, unless Juju itself has just shown something.
    pub(crate) fn shown(&self, status: Option<Status>, is_by_juju: bool) -> Option<Status> {
        // Of equals the last, as for statuses.
        let statuses = self.now.values().map(|stalled| &stalled.status);
        let worst = statuses.max_by_key(|status| status.status);
        match (worst, status) {
            (Some(worst), Some(status)) if worst.status < status.status => Some(status),
            (Some(worst), _) => Some(worst.clone()),
            (None, None) if self.is_any_due() && self.is_tried.get() && !is_by_juju => {
                Some(Active("").into())
            }
            (None, status) => status,
        }
    }
}

impl Dispatch {
    /// Whether a handler that is stalled now looks at such a flag.
    pub(crate) fn is_stalled_on(&self, handlers: &[Handler], is_meant: impl Fn(&Flag) -> bool) -> bool {
        let stalled = handlers.iter().filter(|handler| self.stalled.now.contains_key(&handler.key));
        stalled.flat_map(|handler| handler.condition.flags()).any(is_meant)
    }

    /// Whether a handler that is to be tried again looks at such a flag.
    pub(crate) fn is_due_on(&self, handlers: &[Handler], is_meant: impl Fn(&Flag) -> bool) -> bool {
        let due = handlers.iter().filter(|handler| self.stalled.is_due(handler));
        due.flat_map(|handler| handler.condition.flags()).any(is_meant)
    }

    /// Notes that a handler has met an obstacle, if that is its error.
    pub(crate) fn note_obstacle(&self, handler: &Handler, error: &DispatchError) {
        if let DispatchError::Handler { source, .. } = error
            && let Some(obstacle) = Obstacle::of(source)
            && !self.context.event.is_restricted()
        {
            let mut hooks = self.late_hooks(handler);
            if self.is_in_time(handler) && !handler.condition.hooks().is_empty() {
                hooks.push(Subject::of(&self.context));
            }
            if hooks.len() > LATE_HOOKS_MAX {
                log::warn!(
                    "handler `{}` will not run for `{}`: too many hooks wait",
                    handler.key,
                    hooks[0].name
                );
                hooks.remove(0);
            }
            let stalled = Obstructed { status: obstacle.status.clone(), hooks };
            *self.stalled.met.borrow_mut() = Some((handler.key.clone(), stalled));
        }
    }

    /// Whether the handler is for this hook, or for flags alone.
    pub(crate) fn is_in_time(&self, handler: &Handler) -> bool {
        let hooks = handler.condition.hooks();
        hooks.is_empty() || hooks.contains(&self.context.event)
    }

    /// The hooks in which the handler should have run, but for this one.
    fn late_hooks(&self, handler: &Handler) -> Vec<Subject> {
        let before = self.stalled.before.borrow();
        let mut hooks = before.get(&handler.key).map(|record| record.hooks.clone()).unwrap_or_default();
        hooks.retain(|hook| *hook != Subject::of(&self.context));
        hooks
    }

    /// The contexts in which the handler runs late: those of the hooks in which it should have.
    pub(crate) fn late_contexts(&self, handler: &Handler) -> Vec<Context> {
        self.late_hooks(handler).into_iter().map(|hook| hook.within(&self.context)).collect()
    }

    /// Tells of what is new: what to do for handlers that are stalled now and were not before.
    pub(crate) fn tell_stalled(&self) {
        let before = self.stalled.before.borrow();
        for (key, Obstructed { status, .. }) in &self.stalled.now {
            if before.get(key).is_none_or(|known| known.message != status.message) {
                log::warn!("handler `{key}` is tried again in the next hook: {}", status.message);
            }
        }
    }
}

/// Whether a flag says that an option changed.
pub(crate) fn is_about_options(flag: &Flag) -> bool {
    ends_with_dispatch(flag.as_str())
}

/// Whether a flag says that a setting of the leader changed.
pub(crate) fn is_about_leader(flag: &Flag) -> bool {
    leader::is_change(flag.as_str())
}
