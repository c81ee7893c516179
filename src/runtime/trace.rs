//! What happened in a dispatch: which flags changed, which handlers ran, and why the others did not.
//!
//! Everything is told from one journal, the changes of flags in their order ([`Dispatch::journal`]): the
//! lines in Juju's log, and the file that somebody asked for in `CHARMS_REACTIVE_TRACE`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use charms_reactive_core::{Flag, HookEvent};
use serde::Serialize;

use crate::automatic::ends_with_dispatch;
use crate::condition::Unmet;
use crate::dispatch::Dispatch;
use crate::file::{FileEffect, FileError};
use crate::handler::Handler;

/// Which form [`Trace`] has.
const FORMAT: u32 = 1;

/// How many changes of flags one line of the log names; the file names all.
const CHANGES_SHOWN_MAX: usize = 40;

/// One change of a flag, and whether it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) flag: Flag,
    pub(crate) is_set: bool,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.is_set { '+' } else { '-' }, self.flag)
    }
}

/// Changes as one line of a log.
pub(crate) fn in_one_line(changes: &[Change]) -> String {
    let shown = changes.iter().take(CHANGES_SHOWN_MAX).map(ToString::to_string);
    let mut texts: Vec<String> = shown.collect();
    if changes.len() > texts.len() {
        texts.push(format!("and {} more", changes.len() - texts.len()));
    }
    texts.join(" ")
}

/// Which handlers a phase is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PhaseKind {
    /// Those of this hook; in an action, its function.
    Hook,
    /// Those that look at flags alone.
    Round,
}

/// A dispatch, as it is written for tools.
///
/// # Shape
///
/// `docs/debugging.md` shows one.  Tools must bear fields that they do not know.
#[derive(Debug, Serialize)]
struct Trace {
    format: u32,
    dispatch: String,
    /// The flags that the dispatch before saved.
    before: Vec<String>,
    /// What the framework itself changed before any handler ran.
    automatic: Vec<String>,
    phases: Vec<Phase>,
    /// How many conditions were tested; not counted what was only asked for the sake of this trace.
    conditions_tested: usize,
    /// The flags that the next dispatch finds: after a failure, those of before.
    after: Vec<String>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Phase {
    #[serde(rename = "phase")]
    kind: PhaseKind,
    number: usize,
    flags: Vec<String>,
    /// The flags whose change may wake handlers.
    changed: Vec<String>,
    ran: Vec<Ran>,
    not_run: Vec<NotRun>,
}

#[derive(Debug, Serialize)]
struct Ran {
    handler: String,
    condition: String,
    changed: Vec<String>,
}

/// A handler that does not run in a phase.
#[derive(Debug, Serialize)]
pub(crate) struct NotRun {
    #[serde(skip)]
    position: usize,
    handler: String,
    condition: String,
    because: String,
}

/// Takes a dispatch down, if somebody asked for it; otherwise every method does nothing.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    trace: Option<RefCell<Trace>>,
    tested: Cell<usize>,
    /// How many of the changes in the journal are automatic, until the log has told them.
    automatic: Cell<usize>,
}

impl Recorder {
    /// Takes the dispatch of `event` down, if it `is_wanted`.
    pub(crate) fn new(event: &HookEvent, is_wanted: bool) -> Self {
        let dispatch = match event {
            HookEvent::Action(name) => format!("actions/{name}"),
            event => event.to_string(),
        };
        let trace = is_wanted.then(|| {
            RefCell::new(Trace {
                format: FORMAT,
                dispatch,
                before: Vec::new(),
                automatic: Vec::new(),
                phases: Vec::new(),
                conditions_tested: 0,
                after: Vec::new(),
                error: None,
            })
        });
        Self { trace, ..Self::default() }
    }

    /// A condition was tested.
    pub(crate) fn has_tested(&self) {
        self.tested.set(self.tested.get() + 1);
    }

    /// The saved flags are known.
    pub(crate) fn begin(&self, dispatch: &Dispatch) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().before = dispatch.flags.borrow().names().map(str::to_owned).collect();
        }
    }

    /// The framework has changed what it changes.
    pub(crate) fn end_automatic(&self, dispatch: &Dispatch) {
        self.automatic.set(dispatch.journal.borrow().len());
        if let Some(trace) = &self.trace {
            trace.borrow_mut().automatic = texts(&dispatch.journal.borrow());
        }
    }

    /// A handler is about to run: tells before the first one what the framework changed.
    ///
    /// Where none runs, nothing is told: one line is not worth a hook command.
    pub(crate) fn tell_automatic(&self, dispatch: &Dispatch) {
        let count = self.automatic.take();
        if count > 0 && log::log_enabled!(log::Level::Debug) {
            let changes = &dispatch.journal.borrow()[..count];
            log::debug!("automatic flags of `{}`: {}", dispatch.context.event, in_one_line(changes));
        }
    }

    /// A phase begins, and these handlers will not run in it.
    pub(crate) fn begin_phase(
        &self,
        dispatch: &Dispatch,
        (kind, number): (PhaseKind, usize),
        changed: impl FnOnce() -> BTreeSet<String>,
        not_run: impl FnOnce() -> Vec<NotRun>,
    ) {
        if let Some(trace) = &self.trace {
            let flags = dispatch.flags.borrow().names().map(str::to_owned).collect();
            let changed = changed().into_iter().collect();
            let (ran, not_run) = (Vec::new(), not_run());
            trace.borrow_mut().phases.push(Phase { kind, number, flags, changed, ran, not_run });
        }
    }

    /// Something ran, and made these changes.
    pub(crate) fn has_run(&self, handler: &str, condition: &dyn std::fmt::Display, changes: &[Change]) {
        self.with_phase(|phase| {
            let condition = condition.to_string();
            phase.ran.push(Ran { handler: handler.to_owned(), condition, changed: texts(changes) });
        });
    }

    /// A handler that was due does not run.
    pub(crate) fn has_not_run(&self, position: usize, handler: &Handler, because: impl FnOnce() -> String) {
        self.with_phase(|phase| {
            let place = phase.not_run.partition_point(|other| other.position < position);
            phase.not_run.insert(place, NotRun::new(position, handler, because()));
        });
    }

    fn with_phase(&self, then: impl FnOnce(&mut Phase)) {
        if let Some(trace) = &self.trace
            && let Some(phase) = trace.borrow_mut().phases.last_mut()
        {
            then(phase);
        }
    }

    /// The dispatch failed, and nothing of it is kept.
    pub(crate) fn fail(&self, reasons: &[String]) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().error.get_or_insert_with(|| reasons.join(": "));
        }
    }

    /// Writes what was taken down.
    pub(crate) fn write(&self, dispatch: &Dispatch, path: &Path) -> Result<(), FileError> {
        let Some(trace) = &self.trace else { return Ok(()) };
        let mut trace = trace.borrow_mut();
        trace.conditions_tested = self.tested.get();
        trace.after = if trace.error.is_some() {
            trace.before.clone()
        } else {
            let flags = dispatch.flags.borrow();
            flags.names().filter(|name| !ends_with_dispatch(name)).map(str::to_owned).collect()
        };
        let mut content = serde_json::to_vec(&*trace).expect("texts are JSON");
        content.push(b'\n');
        FileEffect::Write { content, mode: 0o600 }.apply(path).map(drop)
    }
}

impl NotRun {
    pub(crate) fn new(position: usize, handler: &Handler, because: String) -> Self {
        let (name, condition) = (handler.name.to_owned(), handler.condition.to_string());
        Self { position, handler: name, condition, because }
    }
}

fn texts(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

/// Where the trace goes: only an absolute path, because to the shell helpers of charms.reactive the same
/// variable says `true`.
pub(crate) fn path_of(text: String) -> Option<PathBuf> {
    Some(PathBuf::from(text)).filter(|path| path.is_absolute())
}

/// Why a handler that was due when the phase began is not any more.
///
/// `turns` are the handlers that ran, with the place in the journal where each began.
pub(crate) fn why_held_back(
    unmet: &[Unmet<'_>],
    kind: PhaseKind,
    journal: &[Change],
    turns: &[(usize, &'static str)],
) -> String {
    let who = |at: usize| {
        let turn = turns.iter().rev().find(|(began, _)| *began <= at);
        turn.map_or("the framework", |(_, name)| name)
    };
    let mut causes = BTreeSet::new();
    for (flag, is_set) in unmet.iter().flat_map(Unmet::flags) {
        let last = journal.iter().rposition(|change| change.flag == *flag && change.is_set == is_set);
        if let Some(at) = last.filter(|at| turns.first().is_some_and(|(began, _)| began <= at)) {
            let verb = if is_set { "set" } else { "cleared" };
            causes.insert(format!("`{flag}` was {verb} by `{}`", who(at)));
        }
    }
    let began = match kind {
        PhaseKind::Hook => "hook",
        PhaseKind::Round => "round",
    };
    let causes = causes.into_iter().collect::<Vec<_>>().join(" and ");
    format!("it held when the {began} began, but {causes} before its turn")
}
