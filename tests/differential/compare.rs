//! Holds what came of a dispatch in Python against what came of it in Rust.
//!
//! Whatever differs is either a difference that is meant, and then exactly as it was foreseen, or a mismatch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use charms_reactive_sim::{DueHook, Outcome};
use serde_json::{Value, json};

use crate::difference::{Counts, Difference};
use crate::memory::Memory;
use crate::observation::compare_observations;
use crate::pair::Seen;
use crate::published::compare_bags;
use crate::sequence::Event;
use crate::shown::compare_statuses;
use crate::twin::Program;

pub(crate) const ENDPOINTS: [&str; 5] = ["ask", "cache", "db", "ring", "tell"];

/// After how many rounds we give up.
const ROUNDS_MAX: usize = 100;

/// Something that differs and is not meant to.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    hook: String,
    reason: String,
}

impl Mismatch {
    pub(crate) fn new(hook: &str, reason: &str) -> Self {
        Self { hook: hook.to_owned(), reason: reason.to_owned() }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.hook, self.reason)
    }
}

/// What is wrong, in words; the hook is added by who knows it.
pub(crate) type Check = Result<(), String>;

/// Compares the dispatches of one sequence.
pub(crate) struct Comparison {
    program: Program,
    counts: Counts,
    /// By unit.
    memories: BTreeMap<String, Memory>,
}

/// One dispatch on both sides.
pub(crate) struct Dispatch<'a> {
    pub(crate) due: &'a DueHook,
    pub(crate) is_leader: bool,
    pub(crate) python: &'a Seen,
    pub(crate) rust: &'a Seen,
    pub(crate) program: &'a Program,
    pub(crate) counts: &'a mut Counts,
}

impl Dispatch<'_> {
    pub(crate) fn count(&mut self, difference: Difference) {
        *self.counts.entry(difference).or_default() += 1;
    }

    /// Whether this is a hook of a relation of this endpoint, with this event; any event where it is empty.
    pub(crate) fn is_own(&self, endpoint: &str, event: &str) -> bool {
        let rest = self.due.hook.strip_prefix(endpoint).and_then(|rest| rest.strip_prefix("-relation-"));
        rest.is_some_and(|rest| event.is_empty() || rest == event)
    }

    pub(crate) fn is_committed(&self) -> bool {
        self.rust.outcome == Outcome::Committed
    }

    /// Whether a handler for hooks ran, before the first round, that does such an operation.
    pub(crate) fn has_run_in_hook(&self, operation: &str) -> bool {
        let of_hooks = self.program.handlers.iter().filter(|handler| !handler.hooks.is_empty());
        let mut ran = of_hooks.filter(|handler| entry(&self.rust.log, &handler.name).is_some());
        ran.any(|handler| handler.operations.iter().any(|done| done[0] == *operation))
    }

    /// Whether a handler of the program ran that does such an operation, or a handler of this name did.
    fn has_run(&self, handler: &str, operations: &[&str]) -> bool {
        self.rust.log.iter().any(|entry| {
            let name = entry["handler"].as_str().unwrap_or_default();
            let of_program = self.program.handlers.iter().find(|handler| handler.name == name);
            let mut done = of_program.iter().flat_map(|handler| &handler.operations);
            name == handler || done.any(|operation| operations.iter().any(|word| operation[0] == *word))
        })
    }
}

/// The entry of a handler in what was told.
pub(crate) fn entry<'a>(log: &'a [Value], handler: &str) -> Option<&'a Value> {
    log.iter().find(|entry| entry["handler"] == *handler)
}

impl Comparison {
    pub(crate) fn new(program: Program) -> Self {
        Self { program, counts: Counts::new(), memories: BTreeMap::new() }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Compares a dispatch; gives the difference that sets the twins apart from here on, if there is one.
    ///
    /// `fate` is what happened to it.
    pub(crate) fn compare(
        &mut self,
        due: &DueHook,
        is_leader: bool,
        fate: Option<&Event>,
        python: &Seen,
        rust: &Seen,
    ) -> Result<Option<Difference>, Mismatch> {
        let memory = self.memories.entry(due.unit.to_string()).or_default();
        let (program, counts) = (&self.program, &mut self.counts);
        let mut dispatch = Dispatch { due, is_leader, python, rust, program, counts };
        let result = compare_dispatch(&mut dispatch, memory, fate);
        result.map_err(|reason| {
            let about = due.remote_unit.as_ref().map_or(String::new(), |unit| format!(" about {unit}"));
            Mismatch::new(&format!("{} {}{about}", due.unit, due.hook), &reason)
        })
    }
}

fn compare_dispatch(
    dispatch: &mut Dispatch<'_>,
    memory: &mut Memory,
    fate: Option<&Event>,
) -> Result<Option<Difference>, String> {
    let (python, rust) = (dispatch.python, dispatch.rust);
    if is_unsettled(dispatch) {
        dispatch.count(Difference::Unsettled);
        return Ok(Some(Difference::Unsettled));
    }
    let is_python_alone = matches!(python.outcome, Outcome::Failed { .. }) && dispatch.is_committed();
    if is_python_alone && entry(&python.log, "observe").is_none() {
        // It did not come to its first round, or not through looking around.
        let difference = match fate {
            Some(Event::Refuse) => Some(Difference::JujuRefuses),
            _ => is_asked_nonsense(dispatch).then_some(Difference::Malformed),
        };
        if let Some(difference) = difference {
            dispatch.count(difference);
            return Ok(Some(difference));
        }
    }
    if python.outcome != rust.outcome {
        return Err(format!("ended {:?} in Python, {:?} in Rust", python.outcome, rust.outcome));
    }
    if !matches!(fate, Some(Event::Kill(_))) {
        // A kill comes to one of them earlier than to the other.
        compare_logs(dispatch, memory)?;
    }
    compare_bags(dispatch, memory)?;
    compare_statuses(dispatch)?;
    if fate == Some(&Event::FailCommit) {
        // What Python saved is saved.
        let is_apart = python.flags != memory.python_flags;
        if is_apart {
            dispatch.count(Difference::UnitState);
        }
        return Ok(Some(Difference::UnitState));
    }
    compare_flags(dispatch, memory)?;
    memory.learn(dispatch);
    Ok(None)
}

/// Whether Rust gave up after a number of rounds, at which Python ends as if all were well.
fn is_unsettled(dispatch: &Dispatch<'_>) -> bool {
    let is_apart = dispatch.python.outcome == Outcome::Committed
        && matches!(dispatch.rust.outcome, Outcome::Failed { .. });
    let runs = |name: &str| dispatch.python.log.iter().filter(|entry| entry["handler"] == *name).count();
    // Of handlers that wake each other, each runs in every other round at least.
    is_apart && dispatch.program.handlers.iter().any(|handler| runs(&handler.name) >= ROUNDS_MAX / 4)
}

/// Whether somebody published what looks like a request and is none.
fn is_asked_nonsense(dispatch: &Dispatch<'_>) -> bool {
    let observation = entry(&dispatch.rust.log, "observe").cloned().unwrap_or_default();
    let units = observation["endpoints"]["tell"]["units"].as_array().cloned().unwrap_or_default();
    let mut entries = units.iter().flat_map(|unit| unit["raw"].as_object().into_iter().flatten());
    entries.any(|(key, text)| {
        let request = serde_json::from_str::<Value>(text.as_str().unwrap_or_default()).unwrap_or_default();
        key.starts_with("request_") && !request["request_id"].is_string()
    })
}

/// The handlers in order, with what they saw.
fn compare_logs(dispatch: &mut Dispatch<'_>, memory: &Memory) -> Check {
    let mut python = dispatch.python.log.clone();
    let mut rust = dispatch.rust.log.clone();
    match (entry(&python, "observe").cloned(), entry(&rust, "observe").cloned()) {
        (Some(of_python), Some(of_rust)) => {
            compare_observations(dispatch, &of_python, &of_rust)?;
            for endpoint in ENDPOINTS {
                changed(dispatch, memory, endpoint, [&of_python, &of_rust], [&mut python, &mut rust])?;
                departed(dispatch, memory, endpoint, [&of_python, &of_rust], [&mut python, &mut rust])?;
            }
            leadership(dispatch, &of_python, [&mut python, &mut rust])?;
            requests(dispatch, [&of_python, &of_rust], [&mut python, &mut rust])?;
        }
        (None, None) => {}
        _ => return Err("only one of the twins came to its first round".to_owned()),
    }
    if let Some(position) = rust.iter().position(|entry| entry["handler"] == "hooked-with-flag") {
        if dispatch.due.hook != "config-changed" || !memory.rust_flags.contains("f.a") {
            // `f.a` may have been set in this dispatch too.
            let flags = rust[position]["flags"].as_array().cloned().unwrap_or_default();
            if !flags.contains(&json!("f.a")) {
                return Err("a handler for a hook and a flag ran without the flag".to_owned());
            }
        }
        dispatch.count(Difference::HooksAndFlags);
        rust.remove(position);
    }
    for log in [&mut python, &mut rust] {
        log.retain(|entry| entry["handler"] != "observe");
    }
    if python != rust {
        let position = python.iter().zip(&rust).take_while(|(python, rust)| python == rust).count();
        let at = |log: &[Value]| log.get(position).map_or("nothing".to_owned(), Value::to_string);
        return Err(format!("handler {position} is {} in Python, {} in Rust", at(&python), at(&rust)));
    }
    Ok(())
}

/// Removes the entry of a handler.
fn remove(log: &mut Vec<Value>, handler: &str) -> Option<Value> {
    let position = log.iter().position(|entry| entry["handler"] == *handler)?;
    Some(log.remove(position))
}

/// Removes a field from the entry of a handler.
fn strip(log: &mut [Value], handler: &str, field: &str) {
    if let Some(entry) = log.iter_mut().find(|entry| entry["handler"] == *handler) {
        entry.as_object_mut().expect("entries are maps").remove(field);
    }
}

/// What changed: foreseen for each side from what it has seen before and what it saw now.
fn changed(
    dispatch: &mut Dispatch<'_>,
    memory: &Memory,
    endpoint: &str,
    observations: [&Value; 2],
    logs: [&mut Vec<Value>; 2],
) -> Check {
    let handler = format!("{endpoint}.changed");
    let foreseen = [
        memory.changed_in_python(dispatch, endpoint, observations[0]),
        memory.changed_in_rust(dispatch, endpoint, observations[1]),
    ];
    let [python, rust] = logs;
    for (side, log, keys) in [("Python", &*python, &foreseen[0]), ("Rust", &*rust, &foreseen[1])] {
        match entry(log, &handler) {
            Some(entry) if entry["keys"] != json!(keys) => {
                return Err(format!("{side}: {handler} has keys {}, foreseen {keys:?}", entry["keys"]));
            }
            None if !keys.is_empty() && dispatch.is_committed() => {
                return Err(format!("{side}: {handler} did not run, foreseen keys {keys:?}"));
            }
            Some(_) | None => {}
        }
    }
    for key in foreseen[1].difference(&foreseen[0]) {
        let why = memory.why_changed_in_rust(dispatch, endpoint, key, observations[1]);
        let difference = why.ok_or_else(|| format!("`{key}` of {endpoint} has changed in Rust only"))?;
        dispatch.count(difference);
    }
    if let Some(key) = foreseen[0].difference(&foreseen[1]).next() {
        return Err(format!("`{key}` of {endpoint} has changed in Python only"));
    }
    if foreseen[0].is_empty() || foreseen[1].is_empty() {
        remove(python, &handler);
        remove(rust, &handler);
    }
    strip(python, &handler, "keys");
    strip(rust, &handler, "keys");
    Ok(())
}

/// Whether Python has `departed` set once its endpoints are up to date.
fn is_departed_in_python(dispatch: &Dispatch<'_>, memory: &Memory, endpoint: &str, is_joined: bool) -> bool {
    let flag = format!("endpoint.{endpoint}.departed");
    dispatch.is_own(endpoint, "departed") || (!is_joined && memory.python_flags.contains(&flag))
}

fn departed(
    dispatch: &mut Dispatch<'_>,
    memory: &Memory,
    endpoint: &str,
    observations: [&Value; 2],
    logs: [&mut Vec<Value>; 2],
) -> Check {
    let handler = format!("{endpoint}.departed");
    let of = |side: usize| &observations[side]["endpoints"][endpoint];
    let is_joined = of(0)["is_joined"] == true;
    let foreseen = [
        is_departed_in_python(dispatch, memory, endpoint, is_joined),
        of(1)["departed"].as_array().is_some_and(|units| !units.is_empty()),
    ];
    let [python, rust] = logs;
    for (side, log, is_foreseen) in [("Python", &*python, foreseen[0]), ("Rust", &*rust, foreseen[1])] {
        let is_there = entry(log, &handler).is_some();
        if is_there != is_foreseen && (is_there || dispatch.is_committed()) {
            return Err(format!("{side}: {handler} was {}foreseen", if is_foreseen { "" } else { "not " }));
        }
    }
    if foreseen[0] != foreseen[1] {
        dispatch.count(Difference::DepartedFlag);
        remove(python, &handler);
        remove(rust, &handler);
    }
    // The units are those of the observation, which is compared.
    strip(python, &handler, "units");
    strip(rust, &handler, "units");
    Ok(())
}

fn leadership(dispatch: &mut Dispatch<'_>, observation: &Value, logs: [&mut Vec<Value>; 2]) -> Check {
    let [python, rust] = logs;
    let is_leading = observation["is_leader"] == true;
    let (leads, follows) = if is_leading { ("leads", "follows") } else { ("follows", "leads") };
    if entry(python, follows).is_some() || (dispatch.is_committed() && entry(python, leads).is_none()) {
        return Err(format!("Python: {leads} was foreseen"));
    }
    if entry(rust, leads).is_none() && entry(rust, follows).is_some() {
        dispatch.count(Difference::LeadershipWhenAsked);
        remove(python, leads);
        remove(rust, follows);
    }
    Ok(())
}

/// The handlers about requests, and the flags that they go by.
fn requests(dispatch: &mut Dispatch<'_>, observations: [&Value; 2], logs: [&mut Vec<Value>; 2]) -> Check {
    let [python, rust] = logs;
    let flags = |side: usize| -> BTreeSet<&str> {
        observations[side]["pattern_flags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let (of_python, of_rust) = (flags(0), flags(1));
    let stale = answered(observations[0]).difference(&answered(observations[1])).cloned().collect::<Vec<_>>();
    let outdated: BTreeSet<String> = observations.into_iter().flat_map(outdated).chain(stale).collect();
    for flag in of_python.symmetric_difference(&of_rust) {
        let is_vacuous = is_without_requests(observations[1]) && *flag == "endpoint.ask.all_responses";
        let difference = match *flag {
            _ if is_vacuous && of_python.contains(flag) => Difference::Vacuous,
            "endpoint.ask.all_responses" | "endpoint.ask.has_responses" if is_dropped(dispatch).is_some() => {
                is_dropped(dispatch).expect("asked above")
            }
            "endpoint.ask.all_responses" | "endpoint.ask.has_responses"
                if dispatch.has_run_in_hook("ask") =>
            {
                Difference::FlagsFollow
            }
            "endpoint.tell.new_requests" if !outdated.is_empty() => Difference::AnswersCurrent,
            _ => return Err(format!("`{flag}` is set at the start in one only")),
        };
        dispatch.count(difference);
    }
    // Once something was asked or answered, flags follow in Rust, and only in the next dispatch in Python.
    let is_followed = dispatch.has_run("tell.answer", &["ask", "withdraw"]);
    for handler in ["ask.answered", "ask.all-answered", "tell.asked"] {
        let runs = |log: &[Value]| log.iter().filter(|entry| entry["handler"] == *handler).count();
        if runs(python) == runs(rust) && of_python == of_rust && !is_followed {
            continue;
        }
        if runs(python) != runs(rust) && of_python == of_rust {
            dispatch.count(Difference::FlagsFollow);
        }
        python.retain(|entry| entry["handler"] != *handler);
        rust.retain(|entry| entry["handler"] != *handler);
    }
    let ids = |log: &[Value]| -> Vec<String> {
        let ids = entry(log, "tell.answer").map(|entry| entry["ids"].clone()).unwrap_or_default();
        serde_json::from_value(ids).unwrap_or_default()
    };
    let (mut of_python, mut of_rust) = (ids(python), ids(rust));
    if of_python != of_rust && sorted(&of_python) == sorted(&of_rust) {
        dispatch.count(Difference::RequestOrder);
        of_rust.sort();
        of_python.sort();
    }
    if of_python != of_rust {
        of_rust.retain(|id| !outdated.contains(id));
        of_python.retain(|id| !outdated.contains(id));
        if of_python != of_rust {
            return Err(format!("answered are {of_python:?} in Python, {of_rust:?} in Rust"));
        }
        dispatch.count(Difference::AnswersCurrent);
    }
    if ids(python).is_empty() != ids(rust).is_empty() {
        remove(python, "tell.answer");
        remove(rust, "tell.answer");
    }
    strip(python, "tell.answer", "ids");
    strip(rust, "tell.answer", "ids");
    Ok(())
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

fn is_without_requests(observation: &Value) -> bool {
    observation["own_requests"].as_array().is_some_and(Vec::is_empty)
}

/// Why the requests of a relation may count on one side only: it is there for Python or for us alone.
fn is_dropped(dispatch: &Dispatch<'_>) -> Option<Difference> {
    let relations = |log: &[Value]| -> BTreeSet<String> {
        let observation = entry(log, "observe").cloned().unwrap_or_default();
        let relations = observation["endpoints"]["ask"]["relations"].as_array().cloned().unwrap_or_default();
        relations.iter().filter_map(|relation| relation["id"].as_str().map(str::to_owned)).collect()
    };
    if relations(&dispatch.python.log) == relations(&dispatch.rust.log) {
        return None;
    }
    let is_departed = dispatch.is_own("ask", "departed");
    Some(if is_departed { Difference::LastUnit } else { Difference::Broken })
}

/// The ids of requests that have an answer; in Python also of those that were gone in between.
fn answered(observation: &Value) -> BTreeSet<String> {
    let requests = observation["requests"].as_array().into_iter().flatten();
    let answered = requests.filter(|request| !request["answer"].is_null());
    answered.filter_map(|request| request["id"].as_str().map(str::to_owned)).collect()
}

/// The ids of requests that say something else than when they were answered.
fn outdated(observation: &Value) -> BTreeSet<String> {
    let requests = observation["requests"].as_array().into_iter().flatten();
    let outdated = requests.filter(|request| {
        !request["answer"].is_null() && request["answer"] != json!([request["name"], request["data"]])
    });
    outdated.filter_map(|request| request["id"].as_str().map(str::to_owned)).collect()
}

/// The flags that are saved.
fn compare_flags(dispatch: &mut Dispatch<'_>, memory: &Memory) -> Check {
    let (python, rust) = (&dispatch.python.flags, &dispatch.rust.flags);
    if !dispatch.is_committed() {
        return match (*python == memory.python_flags, *rust == memory.rust_flags) {
            (true, true) => Ok(()),
            _ => Err("flags changed in a hook that was not kept".to_owned()),
        };
    }
    let is_followed = dispatch.has_run("tell.answer", &["ask", "withdraw"]);
    let observation = entry(&dispatch.rust.log, "observe").cloned().unwrap_or_default();
    let apart: Vec<String> = python.symmetric_difference(rust).cloned().collect();
    for flag in apart {
        let is_python = python.contains(&flag);
        let parts: Vec<&str> = flag.split('.').collect();
        let difference = match parts.as_slice() {
            ["config", "set" | "default", _] if !is_python => Difference::ConfigFlagsStay,
            ["leadership", "is_leader"] if is_python == dispatch.is_leader => Difference::LeadershipWhenAsked,
            ["endpoint", endpoint, "departed"] => {
                let is_joined = observation["endpoints"][endpoint]["is_joined"] == true;
                let is_foreseen = is_departed_in_python(dispatch, memory, endpoint, is_joined);
                if is_python != is_foreseen || dispatch.rust.departed.contains(*endpoint) == is_python {
                    return Err(format!("`{flag}` is not as foreseen"));
                }
                Difference::DepartedFlag
            }
            ["endpoint", "tell", "removed_requests"] if !is_python => Difference::RemovedRequests,
            ["endpoint", "ask" | "tell", _] if is_followed => Difference::FlagsFollow,
            ["endpoint", "ask", _] if is_dropped(dispatch).is_some() => {
                is_dropped(dispatch).expect("asked above")
            }
            ["endpoint", "ask", "all_responses"] if is_python && is_without_requests(&observation) => {
                Difference::Vacuous
            }
            _ => {
                let side = if is_python { "Python" } else { "Rust" };
                return Err(format!("flag `{flag}` is set in {side} only"));
            }
        };
        dispatch.count(difference);
    }
    for flag in rust.iter().filter(|flag| flag.ends_with(".departed")) {
        let endpoint = flag.split('.').nth(1).unwrap_or_default();
        if !dispatch.rust.departed.contains(endpoint) {
            return Err(format!("`{flag}` is set in Rust without departed units"));
        }
    }
    if dispatch.python.departed != dispatch.rust.departed {
        return Err("units that left are remembered on one side only".to_owned());
    }
    Ok(())
}
