//! Rounds of handlers: which of them run, in which order, and when it is enough.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use charms_reactive_core::{Flag, HookEvent};

use crate::Hook;
use crate::condition::in_words;
use crate::dispatch::{Dispatch, DispatchError, ROUNDS_MAX, caught};
use crate::handler::Handler;
use crate::log_buffer;
use crate::trace::{NotRun, PhaseKind, in_one_line, why_held_back};

/// Runs handlers: those of this hook first, then round after round, until none is due.
///
/// # Guarantees
///
/// - Handlers run in the order in which they were registered.
/// - Which handlers of a round run is decided before the first of them does.  A flag set during a
///   round makes handlers due in the *next* round.
/// - A flag cleared during a round keeps the handlers that need it from running in the rest of *this*
///   round.  When a handler clears one, all that are left are tested again; when an interface does, whose
///   flags follow what a handler published, those that look at it.
/// - In the first round a handler is due when its condition holds; later, when besides one of the flags
///   it looks at changed in the round before, or a file of it was planned.
/// - The same flags and handlers always give the same sequence.
///
/// # Cost
///
/// Before the hook's handlers and before the first round, one test of each condition.  After that only
/// conditions are tested that look at a flag which has changed.
///
/// # Errors
///
/// [`DispatchError::Handler`] when a handler fails, [`DispatchError::Panicked`] when it panics,
/// [`DispatchError::Unsettled`] after [`ROUNDS_MAX`] rounds, [`DispatchError::TriggerLoop`] when triggers
/// set each other off without end.  In all cases nothing may be committed.
pub(crate) fn settle(hook: &mut Hook, handlers: &[Handler]) -> Result<(), DispatchError> {
    let dispatch = hook.dispatch.clone();
    let rounds = Rounds::new(handlers, &dispatch);
    let event = hook.dispatch.context.event.clone();
    hook.dispatch.take_fault()?;
    hook.dispatch.is_hook_phase.set(true);
    let of_hook = rounds.all().filter(|at| rounds.is_of_hook(*at, &event));
    let due = rounds.holding(hook, of_hook);
    rounds.run(hook, PhaseKind::Hook, 1, due)?;
    hook.dispatch.is_hook_phase.set(false);
    if event.is_restricted() {
        return Ok(());
    }
    rounds.settle(hook, true)
}

/// Runs the handlers of the flags that changed, round after round, until none is due.
pub(crate) fn settle_changes(hook: &mut Hook, handlers: &[Handler]) -> Result<(), DispatchError> {
    let dispatch = hook.dispatch.clone();
    Rounds::new(handlers, &dispatch).settle(hook, false)
}

/// The handlers of a charm, by their place among them, and by the flags that they look at.
struct Rounds<'a> {
    dispatch: &'a Dispatch,
    /// Functions, then programs.
    handlers: Vec<&'a Handler>,
    /// Sorted pairs of a flag and the place of a handler that looks at it.  Made when a flag has changed:
    /// many a dispatch needs none.
    by_flag: OnceCell<Vec<(&'a str, usize)>>,
}

impl<'a> Rounds<'a> {
    fn new(handlers: &'a [Handler], dispatch: &'a Dispatch) -> Self {
        let handlers = handlers.iter().chain(&dispatch.programs).collect();
        Self { dispatch, handlers, by_flag: OnceCell::new() }
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.handlers.len()
    }

    /// Those of `places` whose condition holds.
    fn holding(&self, hook: &Hook, places: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let is_stalled = |at: &usize| self.dispatch.stalled.reason(self.handlers[*at]).is_some();
        let places = places.into_iter().filter(|at| !is_stalled(at));
        places.filter(|at| hook.dispatch.test(self.handlers[*at])).collect()
    }

    /// The places of the handlers that look at one of `flags`, in order.
    fn looking_at<'f>(&self, flags: impl IntoIterator<Item = &'f str>) -> Vec<usize> {
        let by_flag = self.by_flag.get_or_init(|| {
            let places = self.handlers.iter().enumerate();
            let pairs = places
                .flat_map(|(at, handler)| handler.condition.flags().map(move |flag| (flag.as_str(), at)));
            let mut by_flag: Vec<(&str, usize)> = pairs.collect();
            by_flag.sort_unstable();
            by_flag
        });
        let mut places = Vec::new();
        for flag in flags {
            let first = by_flag.partition_point(|(known, _)| *known < flag);
            let those = by_flag[first..].iter().take_while(|(known, _)| *known == flag);
            places.extend(those.map(|(_, at)| *at));
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Whether a handler runs among those of this hook.
    fn is_of_hook(&self, at: usize, event: &HookEvent) -> bool {
        let handler = self.handlers[at];
        let (condition, is_restricted) = (&handler.condition, event.is_restricted());
        let is_late = !condition.hooks().is_empty() && self.dispatch.stalled.is_due(handler);
        condition.hooks().contains(event) || ((is_late || condition.is_memory_alone()) && !is_restricted)
    }

    /// Whether a handler is one of the rounds, rather than of a hook.
    fn is_of_rounds(&self, at: usize) -> bool {
        self.handlers[at].condition.hooks().is_empty()
    }

    /// Runs the rounds.  Without `is_first_free`, the first round too needs a change of a flag.
    fn settle(&self, hook: &mut Hook, is_first_free: bool) -> Result<(), DispatchError> {
        for round in 0..ROUNDS_MAX {
            hook.dispatch.take_fault()?;
            hook.dispatch.flags.borrow_mut().end_round();
            let mut woken = if round == 0 && is_first_free {
                self.all().collect()
            } else {
                let mut woken =
                    self.looking_at(hook.dispatch.flags.borrow().changed().iter().map(String::as_str));
                let is_changing = !hook.dispatch.flags.borrow().changed().is_empty();
                woken.extend(self.all().filter(|at| {
                    let handler = self.handlers[*at];
                    (is_changing && handler.condition.program().is_some())
                        || hook.dispatch.has_planned_file(handler)
                }));
                woken.sort_unstable();
                woken.dedup();
                woken
            };
            woken.retain(|at| self.is_of_rounds(*at));
            let due = self.holding(hook, woken);
            if self.run(hook, PhaseKind::Round, round + 1, due)? == 0 {
                return Ok(());
            }
        }
        hook.dispatch.flags.borrow_mut().end_round();
        let changing = hook.dispatch.flags.borrow().changed().iter().cloned().collect();
        Err(DispatchError::Unsettled { changing })
    }

    /// Runs the handlers that are due, and tells how many were.
    fn run(
        &self,
        hook: &mut Hook,
        kind: PhaseKind,
        number: usize,
        due: Vec<usize>,
    ) -> Result<usize, DispatchError> {
        let dispatch = hook.dispatch.clone();
        // Programs may have failed when they were asked.
        dispatch.take_fault()?;
        self.record(&dispatch, kind, number, &due);
        let count = due.len();
        dispatch.is_retest_due.set(false);
        let mut tested = dispatch.journal.borrow().len();
        let mut turns = Vec::new();
        // The last is the next.
        let mut due: Vec<usize> = due.into_iter().rev().collect();
        while let Some(at) = due.pop() {
            let handler = self.handlers[at];
            turns.push((dispatch.journal.borrow().len(), handler.name));
            let cleared = match run_handler(hook, handler) {
                Ok(cleared) => cleared,
                Err(error) => {
                    for at in due {
                        let because = || format!("the dispatch ended before its turn: {error}");
                        dispatch.recorder.has_not_run(at, self.handlers[at], because);
                    }
                    return Err(error);
                }
            };
            let changed = if dispatch.is_retest_due.replace(false) {
                // What looks at none of the flags that changed holds as it did.
                let journal = dispatch.journal.borrow();
                let mut places = self.looking_at(journal[tested..].iter().map(|change| change.flag.as_str()));
                tested = journal.len();
                // What a program looks at is not known.
                places.extend(due.iter().filter(|at| self.handlers[**at].condition.program().is_some()));
                places
            } else {
                self.looking_at(cleared.iter().map(Flag::as_str))
            };
            for at in changed {
                let waiting = due.binary_search_by(|other| at.cmp(other));
                if let Ok(place) = waiting
                    && !dispatch.test(self.handlers[at])
                {
                    due.remove(place);
                    self.hold_back(&dispatch, at, kind, &turns);
                }
            }
        }
        Ok(count)
    }

    /// Tells that a handler that was due is not any more.
    fn hold_back(&self, dispatch: &Dispatch, at: usize, kind: PhaseKind, turns: &[(usize, &'static str)]) {
        let handler = self.handlers[at];
        let because = || {
            let flags = dispatch.flags.borrow();
            why_held_back(&handler.condition.unmet(&flags), kind, &dispatch.journal.borrow(), turns)
        };
        log::debug!("handler `{}` is held back: {}", handler.name, because());
        dispatch.recorder.has_not_run(at, self.handlers[at], because);
    }

    /// Has the beginning of a phase taken down, if somebody wants to know.
    fn record(&self, dispatch: &Dispatch, kind: PhaseKind, number: usize, due: &[usize]) {
        let changed = || match (kind, number) {
            (PhaseKind::Hook, _) => BTreeSet::new(),
            // Also what the framework changed wakes handlers now.
            (PhaseKind::Round, 1) => {
                let journal = dispatch.journal.borrow();
                journal.iter().map(|change| change.flag.as_str().to_owned()).collect()
            }
            (PhaseKind::Round, _) => dispatch.flags.borrow().changed().clone(),
        };
        let not_run = || {
            let is_of_phase = |at: &usize| match kind {
                PhaseKind::Round => self.is_of_rounds(*at),
                PhaseKind::Hook => !self.is_of_rounds(*at) || self.is_of_hook(*at, &dispatch.context.event),
            };
            let places = self.all().filter(|at| is_of_phase(at) && !due.contains(at));
            places.map(|at| self.not_run(dispatch, at)).collect()
        };
        dispatch.recorder.begin_phase(dispatch, (kind, number), changed, not_run);
    }

    fn not_run(&self, dispatch: &Dispatch, at: usize) -> NotRun {
        NotRun::new(at, self.handlers[at], why_not(dispatch, self.handlers[at]))
    }
}

/// Why a handler does not run in a phase.
fn why_not(dispatch: &Dispatch, handler: &Handler) -> String {
    if let Some(reason) = dispatch.stalled.reason(handler) {
        return format!("it met an obstacle: {reason}");
    }
    let (hooks, event) = (handler.condition.hooks(), &dispatch.context.event);
    if !hooks.is_empty() && !hooks.contains(event) {
        let hooks = hooks.iter().map(|hook| format!("`{hook}`")).collect::<Vec<_>>().join(" or ");
        return format!("for {hooks}, this is `{event}`");
    }
    let flags = dispatch.flags.borrow();
    let besides = dispatch.missing_besides_flags(handler);
    match handler.condition.unmet(&flags).as_slice() {
        [] if !besides.is_empty() => besides.join(", and "),
        [] => "its flags are as it wants them, but none of them changed in this round".to_owned(),
        unmet => in_words(unmet),
    }
}

/// Runs a handler for the hooks that it was late for, then for this one.
fn run_for_each_hook(hook: &mut Hook, handler: &Handler) -> Result<(), DispatchError> {
    let dispatch = hook.dispatch.clone();
    let mut result = Ok(());
    for context in dispatch.late_contexts(handler) {
        hook.late = Some(Box::new(context));
        result = result.and_then(|()| caught(handler.name, || (handler.run)(hook)));
    }
    hook.late = None;
    if dispatch.is_in_time(handler) {
        result = result.and_then(|()| caught(handler.name, || (handler.run)(hook)));
    }
    result
}

/// Runs a handler, and gives the flags that interfaces cleared in consequence.
fn run_handler(hook: &mut Hook, handler: &Handler) -> Result<BTreeSet<Flag>, DispatchError> {
    let dispatch = hook.dispatch.clone();
    dispatch.recorder.tell_automatic(&dispatch);
    let began = dispatch.journal.borrow().len();
    let line = log::log_enabled!(log::Level::Debug).then(log_buffer::next_line);
    log::debug!("running handler `{}`: {}", handler.name, handler.condition);
    let seen = dispatch.look_at_files(handler);
    let result = run_for_each_hook(hook, handler)
        .inspect_err(|error| dispatch.note_obstacle(handler, error))
        .inspect(|()| dispatch.has_run(handler, seen))
        .and_then(|()| dispatch.refresh_flags())
        .and_then(|cleared| dispatch.take_fault().map(|()| cleared));
    let journal = dispatch.journal.borrow();
    let changes = &journal[began..];
    if let Some(line) = line.filter(|_| !changes.is_empty()) {
        let text = in_one_line(changes);
        if !log_buffer::append(line, &format!(" => {text}")) {
            log::debug!("handler `{}` changed {text}", handler.name);
        }
    }
    dispatch.recorder.has_run(handler.name, &handler.condition, changes);
    result
}
