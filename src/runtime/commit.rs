//! Applying the plan and saving the flags: the only part of a dispatch that changes anything.

use charms_reactive_core::HookEvent;
use charms_reactive_hookcmd::{CommandError, Commands as _};

use crate::daemon;
use crate::dispatch::{Dispatch, DispatchError};
use crate::exchange;
use crate::plan::Plan;
use crate::secret;
use crate::shown::Shown;
use crate::state::State;
use crate::store::Unsaved;
use crate::wake;

/// What came of a commit.
pub(crate) struct Committed {
    /// Whether anything changed.
    pub(crate) has_effects: bool,
    /// What has to be saved when Juju has been told everything, the log included.
    pub(crate) unsaved: Option<Unsaved>,
}

impl Committed {
    /// Nothing was done besides what was told to Juju.
    pub(crate) fn told() -> Self {
        Self { has_effects: true, unsaved: None }
    }
}

/// Does everything that the dispatch planned, in an order that can be done again.
///
/// First files, and what follows from them, and what the daemon is told; then what Juju holds back until the
/// dispatch ends well (secrets, relation data, ports, storage, state); last what Juju does not hold back (statuses,
/// the workload's version, settings of the leader, the action's result), and a restart of the machine, which waits
/// for the end.
///
/// Tells whether anything changed, and what has to be saved last of all.
///
/// # Guarantees
///
/// Nothing is written that did not change.  A kill in the middle leaves no trace in relation data,
/// ports and state; files and statuses are the same after Juju's retry.
pub(crate) fn commit(dispatch: &Dispatch, state: &State) -> Result<Committed, DispatchError> {
    let mut plan = std::mem::take(&mut *dispatch.plan.borrow_mut());
    let mut has_effects = !plan.ports.is_empty() || !plan.results.is_empty();
    let options = daemon::options(&dispatch.context.charm_dir);
    let mut has_new_options = false;
    for (path, effect) in &plan.files {
        let has_changed = effect.apply(path)?;
        has_effects |= has_changed;
        has_new_options |= has_changed && *path == options;
    }
    for (name, work) in plan.after_files.drain(..) {
        crate::dispatch::caught(&name, work)?;
    }
    wake::see_to_daemon(dispatch, has_new_options);
    for (_, manager) in &*dispatch.managers.borrow() {
        manager.commit();
    }
    let wake_ups = wake::commit(dispatch, &plan);
    has_effects |= wake_ups.has_effects;
    exchange::commit_secrets(dispatch, &plan)?;
    has_effects |= !plan.secrets.is_empty() || !plan.secret_deeds.is_empty();
    secret::commit(dispatch, &mut plan)?;
    if let Some(engine) = dispatch.engine.as_ref().filter(|_| dispatch.context.event != HookEvent::Remove) {
        engine.ask(dispatch);
    }
    let next = state.next(dispatch, &plan);
    has_effects |= next != state.saved;
    for (relation, is_application, changes) in dispatch.model.unwritten() {
        has_effects = true;
        match dispatch.model.commands().relation_set(&relation, is_application, &changes) {
            Err(error) if error.is_relation_not_found() => {
                log::warn!("publishing nothing on `{relation}`: {error}");
            }
            result => result?,
        }
    }
    commit_ports(dispatch, &plan)?;
    for (name, count) in &plan.storage {
        has_effects = true;
        dispatch.model.commands().storage_add(name, *count)?;
    }
    let context = &dispatch.context;
    let unsaved = state.store.save(
        &mut *dispatch.model.commands(),
        &context.charm_dir,
        &context.id,
        &state.saved,
        next,
    )?;
    has_effects |= commit_unheld(dispatch, &plan, state)?;
    wake::commit_last(dispatch, &wake_ups);
    Ok(Committed { has_effects, unsaved })
}

fn commit_ports(dispatch: &Dispatch, plan: &Plan) -> Result<(), CommandError> {
    if plan.ports.is_empty() {
        return Ok(());
    }
    let mut commands = dispatch.model.commands();
    let open = commands.opened_ports()?;
    for ((port, endpoint), is_open) in &plan.ports {
        let listed = listed_port(port);
        let opened = open.iter().find(|opened| opened.port == listed);
        let has_all = opened.is_some_and(|opened| opened.is_open_for(endpoint.as_ref()));
        let has_any = match endpoint {
            None => opened.is_some(),
            Some(_) => has_all,
        };
        let endpoints = endpoint.as_slice();
        match is_open {
            true if !has_all => commands.open_port(port, endpoints)?,
            false if has_any => commands.close_port(port, endpoints)?,
            _ => {}
        }
    }
    Ok(())
}

/// A port as Juju lists it: with its protocol, which it takes without.
fn listed_port(port: &str) -> String {
    let port = port.to_lowercase();
    if port.contains('/') || port == "icmp" { port } else { format!("{port}/tcp") }
}

/// What Juju shows at once, whatever becomes of the dispatch; tells whether there was any of it.
fn commit_unheld(dispatch: &Dispatch, plan: &Plan, state: &State) -> Result<bool, CommandError> {
    let mut shown = Shown::read(&dispatch.context);
    let mut has_shown = false;
    // Without a new status, the one of before: a dispatch that failed may have shown another.  But what
    // Juju itself has just shown stays.
    let status = plan.status().cloned().or_else(|| state.status().filter(|_| !shown.is_by_juju()));
    let status = dispatch.stalled.shown(status, shown.is_by_juju());
    if let Some(status) = status {
        has_shown |= shown.show_unit(&mut **dispatch.model.commands(), &status)?;
    }
    if let Some(status) = &plan.application_status {
        has_shown |= shown.show_application(&mut **dispatch.model.commands(), status)?;
    }
    if let Some(version) = &plan.workload_version {
        has_shown |= shown.tell_version(&mut **dispatch.model.commands(), version)?;
    }
    let mut commands = dispatch.model.commands();
    if !plan.leader_settings.is_empty() {
        commands.leader_set(&plan.leader_settings)?;
        has_shown = true;
    }
    if !plan.results.is_empty() {
        commands.action_set(&plan.results)?;
    }
    if let Some(message) = &plan.failure {
        commands.action_fail(message)?;
    }
    if plan.is_reboot_due {
        commands.juju_reboot()?;
        has_shown = true;
    }
    Ok(has_shown)
}
