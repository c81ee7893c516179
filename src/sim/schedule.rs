//! Which hooks may come next for a unit.
//!
//! The newest state of the model is compared with what the unit has been shown; nothing is queued when
//! something changes.  So several changes make one hook, and what came and went is never seen.

use charms_reactive_core::{HookEvent, RelationEvent, SecretEvent, UnitName};

use crate::model::{
    Hook, HookRelation, Life, Membership, Model, Relation, SeriesStep, Substrate, Unit, compared_as_text,
};

/// The hooks of which one comes next for `unit`; several where Juju leaves the order open.
///
/// Empty for a unit in error: only the failed hook is run again there.
///
/// # Source
///
/// `U/resolver.go` for the order of the groups.
pub(crate) fn due(model: &Model, unit: &Unit) -> Vec<Hook> {
    if unit.failed.is_some() || unit.is_removed || unit.life == Life::Dead {
        return Vec::new();
    }
    if let Some(series) = series(unit) {
        return series;
    }
    if unit.is_rebooted && !is_coming_up_with_an_upgrade(model, unit) {
        return vec![Hook::plain(HookEvent::Start)];
    }
    let is_alive = unit.life == Life::Alive;
    let is_idle = unit.is_installed && unit.queued.is_none();
    if is_idle {
        if is_alive {
            let created = created(model, unit);
            if !created.is_empty() {
                return created;
            }
        }
        if let Some(hook) = leadership(model, unit) {
            return vec![hook];
        }
        if let Some(workload) = unit.pod.news.front() {
            let event = HookEvent::Workload { container: workload.container.clone(), event: workload.event };
            return vec![Hook { workload: Some(Box::new(workload.clone())), ..Hook::plain(event) }];
        }
        if is_alive && let Some((event, secret)) = crate::secret::due(model, unit) {
            return vec![Hook { secret: Some(secret), ..Hook::plain(HookEvent::Secret(event)) }];
        }
    }
    if is_storage_time(model, unit) {
        let hooks = model.storage_hooks(unit);
        // On machines nothing else is run before the storage that a unit was deployed with is there.
        if !hooks.is_empty() || (!unit.is_installed && is_alive && model.is_storage_awaited(unit)) {
            return hooks;
        }
    }
    if unit.pod.is_ending && unit.is_started && !unit.is_stopped {
        return vec![Hook::plain(HookEvent::Stop)];
    }
    if !unit.is_installed {
        return if is_alive { vec![Hook::plain(HookEvent::Install)] } else { Vec::new() };
    }
    if let Some(hook) = &unit.queued {
        return vec![hook.clone()];
    }
    if is_alive { alive(model, unit) } else { dying(model, unit) }
}

/// Whether a new pod takes an upgrade over before it starts.
///
/// # Source
///
/// Not settled in what we have read of Juju; its documentation of charms on Kubernetes has it so: `stop`, a new
/// pod, `upgrade-charm`, `config-changed`, `start`.
fn is_coming_up_with_an_upgrade(model: &Model, unit: &Unit) -> bool {
    let is_following = matches!(&unit.queued, Some(Hook { event: HookEvent::ConfigChanged, .. }));
    model.substrate == Substrate::Kubernetes && (is_following || model.is_upgrade_pending(unit))
}

/// The hooks around a machine's move to another series; between them nothing is run at all.
///
/// # Source
///
/// `U/upgradeseries/resolver.go` of Juju up to 3.
fn series(unit: &Unit) -> Option<Vec<Hook>> {
    match &unit.series {
        SeriesStep::Prepare(_) if unit.queued.is_none() => {
            Some(vec![Hook::plain(HookEvent::PreSeriesUpgrade)])
        }
        SeriesStep::Prepared(_) => Some(Vec::new()),
        SeriesStep::Complete => Some(vec![Hook::plain(HookEvent::PostSeriesUpgrade)]),
        SeriesStep::None | SeriesStep::Prepare(_) => None,
    }
}

/// Whether the hooks of storage are looked at: on machines from before `install` on, on Kubernetes only
/// after `start`, because there the pod comes first.
///
/// # Source
///
/// `U/storage/resolver.go`, `NextOp`.
fn is_storage_time(model: &Model, unit: &Unit) -> bool {
    match model.substrate {
        Substrate::Machine => !unit.is_installed || unit.queued.is_none(),
        Substrate::Kubernetes => unit.is_started,
    }
}

/// `-created` of relations that have not had it.
fn created(model: &Model, unit: &Unit) -> Vec<Hook> {
    let relations = unit.relations.iter().filter(|(_, membership)| !membership.is_created);
    let relations = relations.filter_map(|(number, _)| model.relations.get(number));
    relations
        .filter(|relation| !relation.is_ending() && !relation.is_implicit(unit.name.application()))
        .filter_map(|relation| hook(relation, unit, RelationEvent::Created, None, 0))
        .collect()
}

/// `leader-elected` for a new leader; up to Juju 3, `leader-settings-changed` for all others.
///
/// A unit that has led, or is about to go, is one of the others: it was never shown the settings.
///
/// # Source
///
/// `U/leadership/resolver.go`: between operations only, and no dying unit takes over.
fn leadership(model: &Model, unit: &Unit) -> Option<Hook> {
    if unit.life == Life::Alive && model.is_leader(&unit.name) {
        return (!unit.is_leader_shown).then(|| Hook::plain(HookEvent::LeaderElected));
    }
    let version = model.applications.get(unit.name.application())?.leader_settings_version;
    let is_due =
        model.juju.has_leader_settings() && !unit.is_stopped && unit.leader_settings_shown != Some(version);
    is_due.then(|| Hook::plain(HookEvent::LeaderSettingsChanged))
}

impl Model {
    /// Whether a hook has lost its reason between being chosen and being run: only a leader gets some.
    ///
    /// # Source
    ///
    /// `U/operation/runhook.go`, `Prepare`, and `U/op_callbacks.go` for the hooks of secrets' owners.
    pub(crate) fn is_void(&self, unit: &UnitName, hook: &Hook) -> bool {
        match (&hook.event, &hook.secret) {
            (HookEvent::LeaderElected, _) => !self.is_leader(unit),
            (
                HookEvent::Secret(SecretEvent::Expired | SecretEvent::Rotate | SecretEvent::Remove),
                Some(about),
            ) => {
                self.secrets.get(&about.id).is_none_or(|secret| !crate::secret::is_keeper(self, secret, unit))
            }
            _ => false,
        }
    }

    /// Whether a unit is to take over another charm, or new resources.
    pub(crate) fn is_upgrade_pending(&self, unit: &Unit) -> bool {
        let application = self.applications.get(unit.name.application());
        !unit.is_upgrade_held
            && application.is_some_and(|application| unit.charm_modified != application.charm_modified)
    }

    /// Whether an action is taken before the next hook of a unit, if that is one of `hooks`.
    ///
    /// # Source
    ///
    /// `U/resolver.go`, `NextOp`: actions stand between the hooks of secrets and those of storage.
    pub(crate) fn is_action_first(hooks: &[Hook]) -> bool {
        hooks.first().is_none_or(|hook| {
            !matches!(
                &hook.event,
                HookEvent::PreSeriesUpgrade
                    | HookEvent::PostSeriesUpgrade
                    | HookEvent::LeaderElected
                    | HookEvent::LeaderSettingsChanged
                    | HookEvent::Workload { .. }
                    | HookEvent::Secret(_)
                    | HookEvent::Relation { event: RelationEvent::Created, .. }
            )
        })
    }
}

fn alive(model: &Model, unit: &Unit) -> Vec<Hook> {
    if model.is_upgrade_pending(unit) {
        return vec![Hook::plain(HookEvent::UpgradeCharm)];
    }
    if unit.config_shown != Some(model.config_digest(unit)) {
        return vec![Hook::plain(HookEvent::ConfigChanged)];
    }
    let hooks = relations(model, unit);
    if hooks.is_empty() && unit.is_update_status_due {
        return vec![Hook::plain(HookEvent::UpdateStatus)];
    }
    hooks
}

fn dying(model: &Model, unit: &Unit) -> Vec<Hook> {
    let hooks = relations(model, unit);
    if !hooks.is_empty() {
        return hooks;
    }
    let event = if unit.is_started && !unit.is_stopped { HookEvent::Stop } else { HookEvent::Remove };
    vec![Hook::plain(event)]
}

/// The next hook of each relation that has one.  Juju takes them in the order of a Go map: any.
fn relations(model: &Model, unit: &Unit) -> Vec<Hook> {
    let known = unit.relations.iter().filter(|(_, membership)| membership.is_created);
    known
        .filter_map(|(number, membership)| relation(model, unit, model.relations.get(number)?, membership))
        .collect()
}

/// The next hook of one relation.
///
/// # Source
///
/// `U/relation/resolver.go`, `nextHookForRelation`.
fn relation(model: &Model, unit: &Unit, relation: &Relation, membership: &Membership) -> Option<Hook> {
    let is_broken = relation.is_ending() || unit.life != Life::Alive;
    let version_of = |other: &UnitName| {
        if is_broken { None } else { model.remote_version(relation, &unit.name, other) }
    };
    let about = |event, remote_unit: &UnitName, version| {
        hook(relation, unit, event, Some(remote_unit.clone()), version)
    };

    if let Some(pending) = &membership.changed_pending {
        return about(RelationEvent::Changed, pending, version_of(pending).unwrap_or_default());
    }
    // One look at each unit: a relation may have hundreds, and this is asked before every hook.
    let seen = if is_broken { Vec::new() } else { model.seen(relation, unit) };
    let mut seen = seen.into_iter().peekable();
    let (mut gone, mut new): (Option<&UnitName>, Option<&UnitName>) = (None, None);
    let mut changed: Option<(&UnitName, u64)> = None;
    for (member, shown) in &membership.members {
        while let Some((other, _)) = seen.next_if(|(other, _)| other.number() < member.number()) {
            new = first_as_text(new, other);
        }
        match seen.next_if(|(other, _)| other.number() == member.number()) {
            None => gone = first_as_text(gone, member),
            Some((_, version)) if version != *shown => {
                let first = first_as_text(changed.map(|(first, _)| first), member);
                changed = if first == Some(member) { Some((member, version)) } else { changed };
            }
            Some(_) => {}
        }
    }
    let new = seen.fold(new, |new, (other, _)| first_as_text(new, other));
    if let Some(member) = gone {
        return about(RelationEvent::Departed, member, 0);
    }
    if is_broken {
        return if relation.is_peer() { None } else { hook(relation, unit, RelationEvent::Broken, None, 0) };
    }
    let remote_application = &relation.remote_end(unit.name.application()).application;
    let version = relation.application_version(remote_application);
    if version != membership.application_version {
        return hook(relation, unit, RelationEvent::Changed, None, version);
    }
    if let Some(other) = new {
        return about(RelationEvent::Joined, other, version_of(other).unwrap_or_default());
    }
    changed.and_then(|(member, version)| about(RelationEvent::Changed, member, version))
}

/// Of two names the one that Juju sorts first: as texts, so that `web/10` comes before `web/2`.
fn first_as_text<'a>(first: Option<&'a UnitName>, other: &'a UnitName) -> Option<&'a UnitName> {
    let Some(first) = first else { return Some(other) };
    Some(if compared_as_text(first, other).is_le() { first } else { other })
}

fn hook(
    relation: &Relation,
    unit: &Unit,
    event: RelationEvent,
    remote_unit: Option<UnitName>,
    version: u64,
) -> Option<Hook> {
    let endpoint = relation.end(unit.name.application())?.endpoint.clone();
    Some(Hook {
        relation: Some(HookRelation { number: relation.number, remote_unit, version }),
        ..Hook::plain(HookEvent::relation(endpoint, event))
    })
}
