//! What a charm with operations does in each dispatch: sees ends, asks for what is to be done.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use charms_reactive_core::json;
use serde_json::{Value, json};

use super::key::{OperationKey, Shown, show};
use super::link::Link;
use super::record::{Current, End, Outcome, Record, Stage, load, save};
use super::work::{Work, perform};
use crate::daemon::{Answer, Daemon, DaemonError, Deed};
use crate::dispatch::Dispatch;
use crate::handler::HandlerError;

/// A function that does the work of an operation.
pub(crate) type Function = Box<dyn Fn(&mut Work) -> Result<Value, HandlerError>>;

/// What is run for an operation.
pub(crate) enum Doing {
    /// A function of the charm, in a process of its own.
    Function(Function),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// The operations of a charm: behind a trait, so that charms without have none of it in their program.
pub(crate) trait Engine {
    /// One more operation; it replaces one of its name.
    fn add(&self, key: OperationKey, doing: Doing);

    /// Has the unit woken when an operation says how far it is, at most so often.
    fn wake_for_progress(&self, key: OperationKey, every: Duration);

    /// Whether there is one of this name.
    fn has(&self, name: &str) -> bool;

    /// The one of this name.
    fn key(&self, name: &str) -> Option<OperationKey>;

    /// Takes the records from the unit state.
    fn load(&self, dispatch: &Dispatch, saved: &BTreeMap<String, String>);

    /// Sees what ended, and tells the daemon what was seen by a dispatch that ended well.
    fn learn(&self, dispatch: &Dispatch);

    /// Asks the daemon for what is to be done.
    fn ask(&self, dispatch: &Dispatch);

    /// Puts the records into the unit state.
    fn save(&self, dispatch: &Dispatch, next: &mut BTreeMap<String, String>);

    /// How far an operation is.
    fn progress(&self, dispatch: &Dispatch, id: &str) -> Option<Progress>;

    /// Each operation in a line for a person.
    fn lines(&self, dispatch: &Dispatch) -> Vec<(String, String)>;

    /// Does the work of an operation, in a process that the daemon started; the exit code.
    fn work(&self, name: &str) -> u8;
}

/// What an [`App`](crate::App) has of operations.
pub(crate) type Engines = Option<Rc<dyn Engine>>;

/// How far an operation is, as it said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// For a person: `Indexing: 40%`.
    pub text: String,
    /// How much of a hundred, where that is known.
    pub percent: Option<u8>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The operations of a charm.
#[derive(Default)]
pub(crate) struct Operations {
    all: RefCell<BTreeMap<&'static str, (OperationKey, Doing)>>,
    /// For whose progress the unit is woken, and how often at most.
    wakes: RefCell<BTreeMap<&'static str, Duration>>,
}

impl Engine for Operations {
    fn add(&self, key: OperationKey, doing: Doing) {
        self.all.borrow_mut().insert(key.name(), (key, doing));
    }

    fn wake_for_progress(&self, key: OperationKey, every: Duration) {
        self.wakes.borrow_mut().insert(key.name(), every);
    }

    fn has(&self, name: &str) -> bool {
        self.all.borrow().contains_key(name)
    }

    fn key(&self, name: &str) -> Option<OperationKey> {
        self.all.borrow().get(name).map(|(key, _)| *key)
    }

    fn load(&self, dispatch: &Dispatch, saved: &BTreeMap<String, String>) {
        *dispatch.operations.borrow_mut() = load(saved);
    }

    fn learn(&self, dispatch: &Dispatch) {
        let is_woken = dispatch.context.event == charms_reactive_core::HookEvent::WakeUp;
        let is_open = dispatch.operations.borrow().values().any(Record::is_open);
        if !is_open && !is_woken {
            return;
        }
        let Some(outbox) = outbox(dispatch) else { return };
        let Some(daemon) = dispatch.daemon.get(&dispatch.context) else { return };
        let mut records = dispatch.operations.borrow_mut();
        let mut ended = Vec::new();
        for (name, record) in records.iter_mut() {
            let Some(current) = &mut record.current else { continue };
            let found = outbox.iter().find(|operation| operation["id"] == *current.id);
            if current.is_over() {
                acknowledge_committed(daemon, current);
            } else if let Some(end) = end_of(current, found) {
                log::info!("operation `{name}` ended: {}", end.outcome.as_str());
                ended.push((name.clone(), end.outcome));
                current.finish(end);
            } else {
                // A daemon that does not know it has lost what it knew, and is asked again.
                current.stage = if found.is_some() { Stage::Running } else { Stage::Asked };
            }
        }
        for operation in outbox.iter().filter(|operation| is_final(operation)) {
            let id = operation["id"].as_str().unwrap_or_default();
            let is_current =
                |record: &Record| record.current.as_ref().is_some_and(|current| current.id == id);
            if !records.values().any(is_current) {
                // Of a dispatch that was never kept, or replaced: nobody waits for it.
                acknowledge(daemon, id);
            }
        }
        drop(records);
        for (name, outcome) in ended {
            show(dispatch, &name, Shown::Ended(outcome));
        }
    }

    fn ask(&self, dispatch: &Dispatch) {
        let is_due = |current: &Current| current.stage == Stage::Asked || current.cancel.is_some();
        let mut records = dispatch.operations.borrow_mut();
        let due = records.iter_mut().filter_map(|(name, record)| Some((name, record.current.as_mut()?)));
        for (name, current) in due.filter(|(_, current)| is_due(current) && !current.is_over()) {
            let Some(daemon) = dispatch.daemon.get(&dispatch.context) else { return };
            if let Err(error) = self.ask_for(daemon, name, current) {
                log::warn!("operation `{name}` is asked for in the next hook: {error}");
                // The others would wait as long for no answer.
                return;
            }
        }
    }

    fn save(&self, dispatch: &Dispatch, next: &mut BTreeMap<String, String>) {
        save(&dispatch.operations.borrow(), next);
    }

    fn progress(&self, dispatch: &Dispatch, id: &str) -> Option<Progress> {
        let outbox = outbox(dispatch)?;
        let metadata = &outbox.iter().find(|operation| operation["id"] == id)?["metadata"];
        let mut lines = metadata.as_object()?.iter().filter(|(key, _)| key.ends_with("_progress"));
        let text = lines.find_map(|(_, line)| line.as_str())?.to_owned();
        let percent = metadata["progress"]["percent"].as_str().and_then(|text| text.parse().ok());
        Some(Progress { text, percent })
    }

    fn lines(&self, dispatch: &Dispatch) -> Vec<(String, String)> {
        let names = self.all.borrow().keys().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let line = |name: &str| {
            let records = dispatch.operations.borrow();
            let Some(current) = records.get(name).and_then(|record| record.current.as_ref()) else {
                return "not started".to_owned();
            };
            let word = match &current.stage {
                Stage::Asked => "about to run".to_owned(),
                Stage::Refused(text) => format!("refused: {text}"),
                Stage::Running => match self.progress(dispatch, &current.id) {
                    Some(progress) => format!("running: {progress}"),
                    None => "running".to_owned(),
                },
                Stage::Ended(End { outcome, error, .. }) if error.is_empty() => outcome.as_str().to_owned(),
                Stage::Ended(End { outcome, error, .. }) => format!("{}: {error}", outcome.as_str()),
            };
            let stop = if current.cancel.is_some() { ", to be cancelled" } else { "" };
            format!("{word}{stop} ({})", current.id)
        };
        names.into_iter().map(|name| (name.clone(), line(&name))).collect()
    }

    fn work(&self, name: &str) -> u8 {
        let all = self.all.borrow();
        let function = all.get(name).and_then(|(_, doing)| match doing {
            Doing::Function(function) => Some(function),
            Doing::Command(_) => None,
        });
        match Link::open() {
            Err(error) => {
                crate::log_buffer::print(&format!("`dispatch work` is started by charmd alone: {error}"));
                2
            }
            Ok((link, begin)) => perform(name, function, link, begin),
        }
    }
}

impl Operations {
    /// Has an operation run, and stop where it is to; also one that is to stop at once takes the place of the one
    /// before it.
    fn ask_for(&self, daemon: &dyn Daemon, name: &str, current: &mut Current) -> Result<(), String> {
        if current.stage == Stage::Asked {
            current.stage = self.start(daemon, name, current)?;
        }
        match &current.cancel {
            Some(reason) if current.stage == Stage::Running => cancel(daemon, &current.id, reason),
            _ => Ok(()),
        }
    }

    fn start(&self, daemon: &dyn Daemon, name: &str, current: &Current) -> Result<Stage, String> {
        let mut inputs = json!({"name": name, "input": current.input});
        if let Some(every) = self.wakes.borrow().get(name) {
            inputs["wake_every"] = json!(every.as_secs().max(1));
        }
        let kind = match self.all.borrow().get(name) {
            Some((_, Doing::Command(command))) => {
                inputs["command"] = json!(command);
                "command"
            }
            // Of one that the charm does not have any more, the work says so.
            _ => "work",
        };
        let body = json!({
            "id": current.id, "kind": kind, "class": "durable", "input": inputs, "wake": true,
            "reference": format!("operation/{name}"), "on_conflict": "replace",
        });
        let answer = request(daemon, "POST", "/1.0/operations", Some(&body));
        match answer.map_err(|error| in_words(&error))? {
            Answer { status: 200..300, .. } => Ok(Stage::Running),
            Answer { status: 429 | 500.., body } => Err(said(&body)),
            Answer { body, .. } => {
                log::error!("operation `{name}` cannot be started: {}", said(&body));
                Ok(Stage::Refused(said(&body)))
            }
        }
    }
}

/// What the daemon has, asked once in a dispatch; None where it does not answer.
fn outbox(dispatch: &Dispatch) -> Option<&[Value]> {
    let ask = || {
        let daemon = dispatch.daemon.get(&dispatch.context)?;
        let answer = accepted(request(daemon, "GET", "/1.0/outbox", None));
        let mut answer =
            answer.inspect_err(|error| log::warn!("cannot look after operations: {error}")).ok()?;
        match answer.body["metadata"].take() {
            Value::Array(all) => Some(all),
            _ => None,
        }
    };
    dispatch.outbox.get_or_init(ask).as_deref()
}

/// Tells an operation to stop; of one that is over already, the next dispatch sees the end.
fn cancel(daemon: &dyn Daemon, id: &str, reason: &str) -> Result<(), String> {
    let path = format!("/1.0/operations/{id}");
    let answer = daemon.request("DELETE", &path, Some(&json!({ "reason": reason })));
    answer.map(drop).map_err(|error| in_words(&error))
}

/// The end of an operation, as the daemon has it, or as follows from that it has none.
fn end_of(current: &Current, found: Option<&Value>) -> Option<End> {
    if let Stage::Refused(text) = &current.stage {
        return Some(End::new(Outcome::Failure, text, Value::Null));
    }
    let Some(operation) = found else {
        // The daemon has lost it: what it was to do it does not do any more.
        let reason = current.cancel.as_ref().filter(|_| current.stage == Stage::Running)?;
        return Some(End::new(Outcome::Cancelled, &format!("cancelled: {reason}"), Value::Null));
    };
    let outcome = match operation["status"].as_str()? {
        "Success" => Outcome::Success,
        "Failure" => Outcome::Failure,
        "Cancelled" => Outcome::Cancelled,
        _ => return None,
    };
    let error = operation["err"].as_str().unwrap_or_default();
    Some(End::new(outcome, error, operation["metadata"]["result"].clone()))
}

fn is_final(operation: &Value) -> bool {
    operation["status_code"].as_u64().is_some_and(|code| code >= 200)
}

/// The end is in the state that Juju gave us, so a dispatch that saw it was kept.
fn acknowledge_committed(daemon: &dyn Daemon, current: &mut Current) {
    if let Stage::Ended(end) = &mut current.stage
        && !end.is_acknowledged
    {
        end.is_acknowledged = acknowledge(daemon, &current.id);
    }
}

/// Tells the daemon that an end was seen; whether it knows now, or never knew.
fn acknowledge(daemon: &dyn Daemon, id: &str) -> bool {
    let answer = daemon.request("DELETE", &format!("/1.0/outbox/{id}"), None);
    answer.is_ok_and(|answer| matches!(answer.status, 200..300 | 404))
}

/// Asks the daemon; one that does not answer though it is needed is seen to first.
fn request(
    daemon: &dyn Daemon,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Answer, DaemonError> {
    daemon.request(method, path, body).or_else(|error| {
        log::info!("seeing to the daemon: {}", in_words(&error));
        daemon.service(Deed::Install)?;
        daemon.request(method, path, body)
    })
}

/// An answer that is none of a failure.
fn accepted(answer: Result<Answer, DaemonError>) -> Result<Answer, String> {
    match answer {
        Ok(answer) if answer.status < 300 => Ok(answer),
        Ok(answer) => Err(said(&answer.body)),
        Err(error) => Err(in_words(&error)),
    }
}

/// What a refusal says.
fn said(body: &Value) -> String {
    body["error"].as_str().map_or_else(|| json::to_text(body), str::to_owned)
}

fn in_words(error: &dyn std::error::Error) -> String {
    crate::run::chain(error).join(": ")
}
