//! One dispatch, from `main` to the exit code.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::rc::Rc;

use charms_reactive_core::{EndpointName, Flag, HookEvent};
use charms_reactive_hookcmd::spawn::Spawn;
use charms_reactive_hookcmd::{Backend, CommandError, Commands as _, HookCommands};

use crate::Hook;
use crate::automatic;
use crate::charm::App;
use crate::commit::{Committed, commit};
use crate::context::{Context, variable};
use crate::dispatch::{Dispatch, DispatchError, caught, panic_message};
use crate::endpoint::Endpoint;
use crate::external;
use crate::import;
use crate::interface::Manage;
use crate::leader;
use crate::log_buffer;
use crate::model::Model;
use crate::obstacle::{Stalled, is_about_leader, is_about_options};
use crate::plan::Plan;
use crate::settle::{settle, settle_changes};
use crate::state::State;
use crate::store::Unsaved;
use crate::tool::tool;
use crate::trace::PhaseKind;

/// Runs one dispatch of a charm, as Juju started it: the whole of a charm's `main`.
///
/// Juju gives no arguments.  With some, the program is a [tool](crate::tool()) for whoever debugs the unit.
pub fn run(app: &App) -> ExitCode {
    if let Some(code) = external::helper_main() {
        return code;
    }
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            log::error!("panic in {}, line {}", place.file(), place.line());
        }
    }));
    let arguments = Context::arguments();
    if let [command, name] = arguments.as_slice()
        && command == "work"
        && let Some(engine) = &app.engine
    {
        return ExitCode::from(engine.work(name));
    }
    if !arguments.is_empty() {
        return tool(app, &arguments, Spawn, Context::from_environment()).print();
    }
    let context = match Context::from_environment() {
        Ok(context) => context,
        Err(error) => {
            // There is no Juju to log to.
            log_buffer::print(&chain(&error).join("\n  because: "));
            return ExitCode::FAILURE;
        }
    };
    let backend = app.backend.or_overruled(variable).unwrap_or_else(|error| {
        log_buffer::print(&format!("`{}` is ignored: {error}", Backend::VARIABLE));
        app.backend
    });
    let commands = match backend.open(variable, std::env::current_dir()) {
        Ok(commands) => commands,
        Err(error) => {
            log_buffer::print(&chain(&error).join("\n  because: "));
            return ExitCode::FAILURE;
        }
    };
    match dispatch(app, commands, context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs one dispatch of a charm, given the way to Juju and what Juju says about the dispatch.
///
/// # Guarantees
///
/// The same charm, answers and context give the same hook commands in the same order.  When it fails,
/// nothing of the plan was done (unless an effect itself failed, which Juju's retry repeats), and the
/// reason is in Juju's log.
///
/// # Errors
///
/// [`DispatchError`]; an action that fails is not one: it is told to Juju, and the dispatch ends well.
pub fn dispatch(
    app: &App,
    commands: impl HookCommands + 'static,
    context: Context,
) -> Result<(), DispatchError> {
    let mut context = context;
    let mut model = Model::new(context.unit.clone(), Box::new(commands));
    let mut stalled = Stalled::default();
    let (dispatch, result) = loop {
        let (dispatch, result) = attempt(app, context, model, stalled);
        // Nothing was done yet: it begins again, without the handler that cannot go on.
        let Some(now) = dispatch.stalled.with_met().filter(|_| result.is_err()) else {
            break (dispatch, result);
        };
        context = dispatch.context.clone();
        model = dispatch.model.again();
        stalled = Stalled::without(now);
    };
    if let Err(error) = &result {
        log_failure(&dispatch, error);
    }
    let has_effects = result.as_ref().is_ok_and(|committed| committed.has_effects);
    log_buffer::write(&mut *dispatch.model.commands(), has_effects);
    let saved = result.and_then(|committed| {
        let saved = committed.unsaved.map_or(Ok(()), Unsaved::save).map_err(DispatchError::Store);
        if let Err(error) = &saved {
            log_failure(&dispatch, error);
            log_buffer::write(&mut *dispatch.model.commands(), true);
        }
        saved
    });
    if let Err(error) = &saved {
        dispatch.recorder.fail(&chain(error));
    }
    write_trace(&dispatch);
    saved
}

/// Runs one dispatch up to its commit, or to the first handler that fails.
fn attempt(
    app: &App,
    context: Context,
    model: Model,
    stalled: Stalled,
) -> (Rc<Dispatch>, Result<Committed, DispatchError>) {
    log_buffer::begin();
    let mut dispatch = Dispatch::new(context, app.metadata.clone(), model);
    dispatch.reach_daemon(app);
    dispatch.stalled = stalled;
    if app.has_programs && !dispatch.context.event.is_restricted() {
        dispatch.programs = external::discover(&dispatch.context.charm_dir);
    }
    dispatch.import.clone_from(&app.import);
    let dispatch = Rc::new(dispatch);
    // Handlers are guarded by themselves; this is for interfaces, and for ourselves.
    let result = catch_unwind(AssertUnwindSafe(|| through(app, &dispatch)));
    // They hold the dispatch, which holds them.
    dispatch.managers.borrow_mut().clear();
    let result = result.unwrap_or_else(|payload| {
        let name = "the framework, or an interface".to_owned();
        Err(DispatchError::Panicked { name, message: panic_message(&*payload) })
    });
    (dispatch, result)
}

/// Writes what happened, if somebody asked for it; that this does not work is no reason to fail.
fn write_trace(dispatch: &Dispatch) {
    if let Some(path) = &dispatch.context.trace
        && let Err(error) = dispatch.recorder.write(dispatch, path)
    {
        log_buffer::print(&chain(&error).join(": "));
    }
}

/// A dispatch from the saved flags to the commit.
fn through(app: &App, dispatch: &Rc<Dispatch>) -> Result<Committed, DispatchError> {
    let mut hook = Hook { dispatch: dispatch.clone(), late: None };
    let event = dispatch.context.event.clone();
    if event.is_restricted() {
        // No state, no model: Juju runs little more than `juju-log` here.
        settle(&mut hook, &app.handlers)?;
        if !dispatch.plan.borrow().is_empty() {
            log::warn!("`{event}` is a restricted hook: statuses, files and ports are not changed in it");
        }
        return Ok(Committed::told());
    }
    let mut state = prepare(app, dispatch)?;
    if state.is_first() && event == HookEvent::UpgradeCharm {
        import::take_over(app, dispatch, &mut state)?;
    }
    if let HookEvent::Action(name) = &event {
        return run_action(app, &mut hook, &state, name);
    }

    // Whatever happened before the first dispatch, or while the charm was another one, has to be asked.
    let is_sweep = matches!(event, HookEvent::UpgradeCharm | HookEvent::Start)
        || (state.is_first() && event != HookEvent::Install);
    // Juju runs `update-status` only when nothing else waits, `config-changed` among it.
    let is_config_due =
        event != HookEvent::UpdateStatus || dispatch.is_due_on(&app.handlers, is_about_options);
    let digests_before = state.config.clone();
    if is_config_due && depends_on(app, dispatch, |flag| flag.as_str().starts_with("config.")) {
        state.config = Some(automatic::raise_config(dispatch, state.config.as_ref())?);
    }
    if app.keeps_options && event != HookEvent::UpdateStatus {
        state.options = Some((*dispatch.model.config()?).clone());
    }
    if depends_on(app, dispatch, |flag| *flag == automatic::IS_LEADER) {
        automatic::raise_leadership(dispatch, is_sweep)?;
    }
    if !dispatch.is_due_on(&app.handlers, is_about_leader) {
        leader::clear_changes(dispatch);
    }
    if event != HookEvent::UpdateStatus && depends_on(app, dispatch, leader::is_about_settings) {
        leader::raise_settings(dispatch)?;
    }
    automatic::raise_series(dispatch);
    if is_sweep {
        automatic::clear_unknown_endpoints(dispatch);
        dispatch.forget_unknown_handlers(&app.handlers);
    }
    let managers = dispatch.managers.borrow().clone();
    for (name, manager) in &managers {
        automatic::raise_endpoint(dispatch, name, &**manager, is_sweep)?;
    }
    if let Some(engine) = &dispatch.engine {
        engine.learn(dispatch);
    }
    dispatch.flags.borrow_mut().begin();
    dispatch.recorder.end_automatic(dispatch);
    settle(&mut hook, &app.handlers)?;
    dispatch.stalled.is_tried.set(true);
    if dispatch.is_stalled_on(&app.handlers, is_about_options) {
        // For that handler they have still to change.
        state.config = digests_before;
        state.options = None;
    }
    dispatch.tell_stalled();
    commit(dispatch, &state)
}

/// Fills `dispatch` with all that is there before the first flag changes: state, interfaces, triggers.
pub(crate) fn prepare(app: &App, dispatch: &Rc<Dispatch>) -> Result<State, DispatchError> {
    let state = State::load(app.store, dispatch)?;
    if let Some(engine) = &dispatch.engine {
        engine.load(dispatch, &state.saved);
    }
    dispatch.recorder.begin(dispatch);
    let managers: Vec<(EndpointName, Rc<dyn Manage>)> = app
        .bindings
        .iter()
        .map(|binding| {
            let endpoint = Endpoint::new(dispatch.clone(), binding.name.clone());
            (binding.name.clone(), (binding.make)(endpoint))
        })
        .collect();
    for trigger in &app.triggers {
        dispatch.triggers.borrow_mut().add(trigger.clone());
    }
    for (_, manager) in &managers {
        manager.register_triggers(&mut dispatch.triggers.borrow_mut());
    }
    *dispatch.managers.borrow_mut() = managers;
    Ok(state)
}

/// Whether a handler or a trigger looks at such a flag.
fn depends_on(app: &App, dispatch: &Dispatch, is_wanted: impl Fn(&Flag) -> bool) -> bool {
    let handled = app.handlers.iter().flat_map(|handler| handler.condition.flags());
    handled.chain(dispatch.triggers.borrow().watched()).any(is_wanted)
}

/// Runs an action, then the handlers of the flags that it changed.
fn run_action(app: &App, hook: &mut Hook, state: &State, name: &str) -> Result<Committed, DispatchError> {
    let dispatch = hook.dispatch.clone();
    let result = match app.actions.iter().find(|(known, _)| *known == name) {
        Some((_, run)) => {
            dispatch.recorder.begin_phase(&dispatch, (PhaseKind::Hook, 1), BTreeSet::new, Vec::new);
            let result = caught(name, || run(hook)).and_then(|()| dispatch.refresh_flags().map(drop));
            dispatch.recorder.has_run(name, &"action", &dispatch.journal.borrow());
            result.and_then(|()| settle_changes(hook, &app.handlers))
        }
        None => Err(DispatchError::NoAction { name: name.to_owned() }),
    };
    if let Err(error) = result {
        // The first line would only repeat the name of the action.
        let mut reasons = chain(&error);
        if matches!(error, DispatchError::Handler { .. }) {
            reasons.remove(0);
        }
        log_failure(&dispatch, &error);
        dispatch.recorder.fail(&reasons);
        let failure = Some(reasons.join(": "));
        *dispatch.plan.borrow_mut() = Plan { failure, ..Plan::default() };
        report_action(&dispatch)?;
        return Ok(Committed::told());
    }
    commit(&dispatch, state)
}

/// Tells Juju that the action failed; nothing else is done.
fn report_action(dispatch: &Dispatch) -> Result<(), CommandError> {
    let plan = dispatch.plan.borrow();
    let message = plan.failure.as_deref().unwrap_or_default();
    dispatch.model.commands().action_fail(message)
}

fn log_failure(dispatch: &Dispatch, error: &DispatchError) {
    let kind = if dispatch.context.event.action().is_some() { "action" } else { "hook" };
    log::error!("cannot finish {kind} `{}`", dispatch.context.event);
    for reason in chain(error) {
        log::error!("  because: {reason}");
    }
    if kind == "hook" {
        log::error!("hint: nothing is kept of this dispatch; Juju runs a failed hook again");
    }
}

/// What an error and its causes say, outermost first.
pub(crate) fn chain(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}
