//! The end of a run: staged changes become part of the model, and the unit's own books are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use charms_reactive_core::{HookEvent, RelationEvent, StorageEvent, UnitName};
use charms_reactive_hookcmd::commands::Party;

use crate::event::Event;
use crate::model::{Hook, Life, Model, PodSpecKind, SeriesStep, StatusEntry};
use crate::run::{Purpose, Run};

/// How much state a unit may have.
///
/// # Source
///
/// Model setting `max-charm-state-size`.
const STATE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How much one databag may hold.
///
/// # Source
///
/// `juju/juju:core/quota`: the limit of a stored document.
const DATABAG_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Makes what `run` has staged part of the model: all of it, or nothing and the reason.
///
/// # Source
///
/// `U/runner/context/context.go`, `Flush`; leadership is checked here again, because it may have gone
/// since the command ran.
pub(crate) fn flush(model: &mut Model, run: &Run) -> Result<(), String> {
    check(model, run)?;
    let is_config_changed =
        matches!(&run.purpose, Purpose::Hook(Hook { event: HookEvent::ConfigChanged, .. }));
    for (number, view) in &run.views {
        let unit = Party::Unit(run.unit.clone());
        // One write: what the hook itself writes wins over what is refreshed.
        let mut changes =
            if is_config_changed { network_keys(model, &run.unit, *number) } else { BTreeMap::new() };
        changes.extend(view.own_unit.iter().map(|(key, value)| (key.clone(), value.clone())));
        model.write_databag(*number, &unit, &changes);
        let application = Party::Application(run.unit.application().clone());
        if model.write_databag(*number, &application, &view.own_application) {
            // The writer is not told about its own writing; in a peer relation it would be.
            let version = model.relations[number].application_version(run.unit.application());
            let is_peer = model.relations[number].is_peer();
            let membership = model.units.get_mut(&run.unit).and_then(|unit| unit.relations.get_mut(number));
            if let (true, Some(membership)) = (is_peer, membership) {
                membership.application_version = version;
            }
        }
    }
    flush_unit(model, run);
    for (name, count) in &run.staged.storage {
        model.add_storage(&run.unit, name, *count);
    }
    if let Some(application) = model.applications.get_mut(run.unit.application()) {
        application.pod_specs.extend(run.staged.pod_specs.clone());
    }
    for (id, secret) in &run.staged.secrets {
        match secret {
            Some(secret) => drop(model.secrets.insert(id.clone(), secret.clone())),
            None => drop(model.secrets.remove(id)),
        }
    }
    Ok(())
}

/// What keeps a run's changes from being made visible.
fn check(model: &Model, run: &Run) -> Result<(), String> {
    let writes_application = run.views.values().any(|view| !view.own_application.is_empty());
    if writes_application && !model.is_leader(&run.unit) {
        return Err("cannot write relation settings: permission denied".to_owned());
    }
    if !run.staged.pod_specs.is_empty() {
        if !model.is_leader(&run.unit) {
            return Err("cannot set k8s spec: this unit is not the leader".to_owned());
        }
        let application = model.applications.get(run.unit.application());
        let kept = application.into_iter().flat_map(|application| application.pod_specs.keys());
        let kinds: BTreeSet<PodSpecKind> = kept.chain(run.staged.pod_specs.keys()).copied().collect();
        if kinds.len() > 1 {
            return Err("cannot set k8s spec: either k8s-spec-set or k8s-raw-set, not both".to_owned());
        }
    }
    let Some(unit) = model.units.get(&run.unit) else { return Ok(()) };
    for (name, count) in &run.staged.storage {
        if let Some(reason) = model.storage_refusal(unit, name, *count) {
            return Err(format!("cannot add storage: {reason}"));
        }
    }
    let mut state: BTreeMap<&str, &str> =
        unit.state.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    for (key, value) in &run.staged.state {
        match value {
            Some(value) => drop(state.insert(key, value)),
            None => drop(state.remove(key.as_str())),
        }
    }
    let bytes: usize = state.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > STATE_BYTES_MAX {
        return Err(format!("max allowed size ({STATE_BYTES_MAX}) for charm state exceeded: {bytes}"));
    }
    for view in run.views.values() {
        for writes in [&view.own_unit, &view.own_application] {
            let bytes: usize = writes.iter().map(|(key, value)| key.len() + value.len()).sum();
            if bytes > DATABAG_BYTES_MAX {
                return Err(format!("relation settings of {bytes} bytes are larger than a document may be"));
            }
        }
    }
    Ok(())
}

/// The automatic keys, to be written again over what a charm may have put there.
///
/// # Source
///
/// `U/runner/context/context.go`: each `config-changed` refreshes the network information.
fn network_keys(model: &Model, unit: &UnitName, relation: u32) -> BTreeMap<String, String> {
    model.automatic_keys(unit, relation).into()
}

fn flush_unit(model: &mut Model, run: &Run) {
    let Some(unit) = model.units.get_mut(&run.unit) else { return };
    for (key, new) in &run.staged.state {
        let old = match new {
            Some(new) => unit.state.insert(key.clone(), new.clone()),
            None => unit.state.remove(key),
        };
        if old != *new {
            let (unit, key, new) = (run.unit.clone(), key.clone(), new.clone());
            model.journal.record(Event::StateChanged { unit, key, old, new });
        }
    }
    if let Some(ports) = &run.staged.ports {
        let unit_name = || run.unit.clone();
        for (port, _) in unit.ports.difference(ports) {
            model.journal.record(Event::PortClosed { unit: unit_name(), port: port.to_string() });
        }
        for (port, _) in ports.difference(&unit.ports) {
            model.journal.record(Event::PortOpened { unit: unit_name(), port: port.to_string() });
        }
        unit.ports.clone_from(ports);
    }
    unit.tracked.extend(run.staged.tracked.iter().map(|(id, tracked)| (id.clone(), tracked.clone())));
}

/// Keeps what the run has read of members' data for the next one.
pub(crate) fn keep_cache(model: &mut Model, run: &mut Run) {
    let Some(unit) = model.units.get_mut(&run.unit) else { return };
    for (number, view) in &mut run.views {
        let Some(membership) = unit.relations.get_mut(number) else { continue };
        let mut read = std::mem::take(&mut view.units);
        read.retain(|unit, _| view.members.contains(unit));
        // The run gives back what it shares, so that nothing is copied.
        view.cache = Rc::default();
        if !read.is_empty() {
            Rc::make_mut(&mut membership.cache).append(&mut read);
        }
    }
}

/// Books a hook as done: it was run well, is missing in the charm, or was given up by the operator.
///
/// # Source
///
/// `U/operation/runhook.go`, `Commit`, and `U/relation/state.go`, `UpdateStateForHook`.
pub(crate) fn done(model: &mut Model, name: &UnitName, hook: &Hook) {
    let Some(unit) = model.units.get(name) else { return };
    let digest = model.config_digest(unit);
    let leader_settings_version =
        model.applications.get(name.application()).map(|application| application.leader_settings_version);
    let is_leader = model.is_leader(name);
    let application = model.applications.get(name.application());
    let revision = application.map(|application| (application.charm_revision, application.charm_modified));
    let Some(unit) = model.units.get_mut(name) else { return };
    unit.failed = None;
    if unit.queued.as_ref() == Some(hook) {
        unit.queued = None;
    }
    match &hook.event {
        HookEvent::Install => unit.is_installed = true,
        HookEvent::LeaderElected => unit.is_leader_shown = is_leader,
        HookEvent::LeaderSettingsChanged => unit.leader_settings_shown = leader_settings_version,
        HookEvent::ConfigChanged => {
            unit.config_shown = Some(digest);
            if !unit.is_started {
                unit.queued = Some(Hook::plain(HookEvent::Start));
            }
        }
        HookEvent::UpgradeCharm => {
            (unit.charm_revision, unit.charm_modified) =
                revision.unwrap_or((unit.charm_revision, unit.charm_modified));
            unit.queued = Some(Hook::plain(HookEvent::ConfigChanged));
        }
        HookEvent::Start => {
            unit.is_started = true;
            unit.is_stopped = false;
            unit.is_rebooted = false;
            if !unit.is_status_said {
                model.set_status(name, StatusEntry::new("unknown", ""));
            }
            model.start_late_containers(name);
        }
        HookEvent::UpdateStatus => unit.is_update_status_due = false,
        HookEvent::Stop => {
            unit.is_stopped = true;
            if unit.pod.is_ending && unit.life == Life::Alive {
                model.replace_pod(name);
            }
        }
        HookEvent::Remove => {
            model.set_status(name, StatusEntry::new("terminated", ""));
            model.removed(name);
        }
        HookEvent::PreSeriesUpgrade => {
            if let SeriesStep::Prepare(target) = &unit.series {
                unit.series = SeriesStep::Prepared(target.clone());
            }
        }
        HookEvent::PostSeriesUpgrade => unit.series = SeriesStep::None,
        HookEvent::Relation { event, .. } => relation_done(model, name, hook, *event),
        HookEvent::Storage { event, .. } => storage_done(model, name, hook, *event),
        HookEvent::Secret(event) => {
            if let Some(secret) = &hook.secret {
                model.secret_told(name, *event, secret);
            }
        }
        HookEvent::Workload { .. } if unit.pod.news.front() == hook.workload.as_deref() => {
            unit.pod.news.pop_front();
        }
        _ => {}
    }
}

/// # Source
///
/// `U/storage/attachments.go`, `CommitHook`.
fn storage_done(model: &mut Model, name: &UnitName, hook: &Hook, event: StorageEvent) {
    let Some(id) = &hook.storage else { return };
    if event == StorageEvent::Detaching {
        model.detached(name, id);
    }
    let Some(unit) = model.units.get_mut(name) else { return };
    if event == StorageEvent::Attached {
        unit.storage_shown.insert(id.clone());
    } else if !unit.is_installed && unit.life != Life::Alive && unit.storage_shown.is_empty() {
        // Nothing but storage was ever there.
        model.drop_unit(name);
    }
}

fn relation_done(model: &mut Model, name: &UnitName, hook: &Hook, event: RelationEvent) {
    let Some(about) = &hook.relation else { return };
    let membership = model.units.get_mut(name).and_then(|unit| unit.relations.get_mut(&about.number));
    let Some(membership) = membership else { return };
    match (event, &about.remote_unit) {
        (RelationEvent::Created, _) => membership.is_created = true,
        (RelationEvent::Joined, Some(remote)) => {
            membership.members.insert(remote.clone(), about.version);
            membership.changed_pending = Some(remote.clone());
        }
        (RelationEvent::Changed, Some(remote)) => {
            membership.members.insert(remote.clone(), about.version);
            membership.changed_pending = None;
        }
        (RelationEvent::Changed, None) => membership.application_version = about.version,
        (RelationEvent::Departed, Some(remote)) => {
            membership.members.remove(remote);
            Rc::make_mut(&mut membership.cache).remove(remote);
            if membership.changed_pending.as_ref() == Some(remote) {
                membership.changed_pending = None;
            }
        }
        (RelationEvent::Broken, _) => model.leave_scope(name, about.number),
        (RelationEvent::Joined | RelationEvent::Departed, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use charms_reactive_core::ApplicationName;

    use super::*;
    use crate::metadata::Charm;
    use crate::version::JujuVersion;

    /// A model with two units of an application with peers, in their relation 0.
    fn peers() -> (Model, [UnitName; 2]) {
        let folder = tempfile::tempdir().unwrap();
        crate::agent::write_file(&folder.path().join("metadata.yaml"), b"name: web\npeers: {ring: ring}")
            .unwrap();
        let mut model = Model::new(JujuVersion::V3_6, "sim", 0);
        let name = ApplicationName::parse("web").unwrap();
        model.add_application(&name, Charm::read(folder.path()).unwrap()).unwrap();
        let units = [model.add_unit(&name).unwrap(), model.add_unit(&name).unwrap()];
        for unit in &units {
            done(&mut model, unit, &Hook::plain(HookEvent::Install));
            model.synchronize_scopes(unit);
        }
        (model, units)
    }

    fn staged(model: &mut Model, unit: &UnitName) -> Run {
        let mut run = Run::new(model, unit, Purpose::Exec);
        let view = run.views.get_mut(&0).unwrap();
        view.own_unit.insert("a".to_owned(), "1".to_owned());
        view.own_application.insert("b".to_owned(), "2".to_owned());
        run.staged.state.insert("c".to_owned(), Some("3".to_owned()));
        run
    }

    #[test]
    fn leadership_lost_since_the_command_fails_the_flush_as_a_whole() {
        let (mut model, [first, second]) = peers();
        let run = staged(&mut model, &first);
        model.set_leader(&second).unwrap();
        let before = model.journal.events().len();
        let error = flush(&mut model, &run).unwrap_err();
        assert_eq!(error, "cannot write relation settings: permission denied");
        assert_eq!(model.journal.events().len(), before, "something was changed");
    }

    #[test]
    fn a_flush_changes_versions_only_where_data_changes() {
        let (mut model, [first, _]) = peers();
        let run = staged(&mut model, &first);
        flush(&mut model, &run).unwrap();
        let version = |model: &Model| {
            let relation = &model.relations[&0];
            (relation.unit_bags[&first].version, relation.application_version(first.application()))
        };
        let before = version(&model);
        assert!(before.1 > 0);
        flush(&mut model, &run).unwrap();
        assert_eq!(version(&model), before);
        assert_eq!(model.units[&first].relations[&0].application_version, before.1, "the writer is told");
    }
}
