//! The wake-ups of a unit: what its waiters want, and what its daemon knows.
//!
//! The unit state says which there are to be; each commit that has any holds the daemon's own list against it.  So a
//! daemon that was killed comes back, and one that has lost its data is told again.

use std::collections::BTreeMap;

use charms_reactive_core::waiter::Moment;
use charms_reactive_core::{HookEvent, json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::daemon::{Answer, Daemon, DaemonError, Deed};
use crate::dispatch::Dispatch;
use crate::plan::Plan;
use crate::run::chain;

/// When the daemon is to wake the unit, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum When {
    /// At a moment.
    At { at: Moment },
    /// When a waiter of its service ends, by its full name.
    Ended { waiter: String },
}

/// Where the state has the wake-ups that there are to be: a JSON object, name to [`When`].
const KEY: &str = "daemon/wake-ups";
/// What the names of those of waiters begin with.
const OF_WAITER: &str = "waiter-";
/// Where the daemon has them.
const PATH: &str = "/1.0/wake-ups";

/// Plans that the unit is woken for a waiter, or no longer is.
pub(crate) fn plan(dispatch: &Dispatch, waiter: &str, when: Option<When>) {
    dispatch.plan.borrow_mut().wake_ups.insert(format!("{OF_WAITER}{waiter}"), when);
}

/// What came of the wake-ups of a plan.
#[derive(Default)]
pub(crate) struct WakeUps {
    pub(crate) has_effects: bool,
    /// Those that the daemon is to forget when all else is done: a dispatch that fails before may be all there is
    /// until `update-status`.
    cleared: Vec<String>,
}

/// Whether the daemon is to be seen to: machines start again, and pods are replaced.
fn is_due(dispatch: &Dispatch) -> bool {
    matches!(dispatch.context.event, HookEvent::Install | HookEvent::Start | HookEvent::UpgradeCharm)
}

/// Has the daemon run, where it is due, or has other options; before anything is asked of it.
pub(crate) fn see_to_daemon(dispatch: &Dispatch, has_new_options: bool) {
    if let Some(daemon) = dispatch.daemon.get(&dispatch.context)
        && (is_due(dispatch) || has_new_options)
    {
        tell(daemon.service(Deed::Install), "there is no daemon now");
    }
}

/// Tells the daemon when to wake the unit; sees to it, where it is needed and does not answer.
///
/// That it cannot be had is no reason to fail.
pub(crate) fn commit(dispatch: &Dispatch, plan: &Plan) -> WakeUps {
    let Some(daemon) = dispatch.daemon.get(&dispatch.context) else { return WakeUps::default() };
    let event = &dispatch.context.event;
    if *event == HookEvent::Remove {
        return WakeUps { has_effects: true, ..WakeUps::default() };
    }
    let before = wanted(dispatch);
    let mut wanted = before.clone();
    for (name, when) in &plan.wake_ups {
        match when {
            Some(when) => wanted.insert(name.clone(), when.clone()),
            None => wanted.remove(name),
        };
    }
    let mut cleared: Vec<String> =
        before.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
    let is_due = is_due(dispatch);
    let has_effects = is_due || wanted != before;
    if !wanted.is_empty() || *event == HookEvent::WakeUp {
        match known(daemon).or_else(|error| {
            // It was just seen to, or does not answer though it is needed.
            if is_due { Err(error) } else { daemon.service(Deed::Install).and_then(|()| known(daemon)) }
        }) {
            Ok(known) => {
                let of_nobody = |name: &&String| name.starts_with(OF_WAITER) && !wanted.contains_key(*name);
                cleared.extend(known.keys().filter(of_nobody).cloned());
                for (name, when) in wanted.iter().filter(|(name, when)| known.get(*name) != Some(when)) {
                    let set = daemon.request("PUT", &path(name), Some(&json!(when)));
                    tell(set.and_then(|answer| ok(&answer)), "the unit is not woken when a waiter ends");
                }
            }
            Err(error) => tell(Err(error), "waiters go by `update-status`"),
        }
    }
    keep(dispatch, &wanted);
    WakeUps { has_effects, cleared }
}

/// Has the daemon forget what is over; in the last hook of a unit, has it go.
pub(crate) fn commit_last(dispatch: &Dispatch, WakeUps { cleared, .. }: &WakeUps) {
    let Some(daemon) = dispatch.daemon.get(&dispatch.context) else { return };
    for name in cleared {
        // One that is left wakes the unit once more, and is found then.
        if let Err(error) = daemon.request("DELETE", &path(name), None) {
            log::debug!("cannot clear wake-up `{name}`: {error}");
        }
    }
    if dispatch.context.event == HookEvent::Remove {
        tell(daemon.service(Deed::Remove), "the daemon may be left");
    }
}

fn path(name: &str) -> String {
    format!("{PATH}/{name}")
}

fn tell(result: Result<(), DaemonError>, what: &str) {
    if let Err(error) = result {
        log::warn!("{what}: {}", chain(&error).join(": "));
    }
}

fn ok(answer: &Answer) -> Result<(), DaemonError> {
    match answer.status {
        200 => Ok(()),
        status => Err(DaemonError(format!("{status} {}", answer.body["error"]).into())),
    }
}

/// The wake-ups that the daemon has.
fn known(daemon: &dyn Daemon) -> Result<BTreeMap<String, When>, DaemonError> {
    let answer = daemon.request("GET", PATH, None)?;
    ok(&answer)?;
    let listed = answer.body["metadata"].as_array().into_iter().flatten();
    let read = |one: &Value| {
        let when = When::deserialize(one).unwrap_or(When::At { at: Moment::MIN });
        Some((one["name"].as_str()?.to_owned(), when))
    };
    Ok(listed.filter_map(read).collect())
}

/// Those that there are to be, as the last dispatch left it.
fn wanted(dispatch: &Dispatch) -> BTreeMap<String, When> {
    let kept = dispatch.kept.borrow();
    kept.get(KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn keep(dispatch: &Dispatch, wanted: &BTreeMap<String, When>) {
    let mut kept = dispatch.kept.borrow_mut();
    if wanted.is_empty() {
        kept.remove(KEY);
    } else {
        kept.insert(KEY.to_owned(), json::to_text(&json!(wanted)));
    }
}
