//! One run of a charm: what it sees, and what it has staged.
//!
//! A run is made when its process starts and is dropped when it has ended; a hook that is run again
//! gets a new one.  What it stages becomes part of the model in [`crate::commit`], all of it or none.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use charms_reactive_core::{ApplicationName, Databag, HookEvent, RelationEvent, RelationId, UnitName};
use serde_json::{Map, Value};

use crate::model::{Hook, Life, Model, OpenPort, PodSpecKind, sorted_as_text};
use crate::secret::Secret;

/// Why the charm is run.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// For a hook.
    Hook(Hook),
    /// For an action.
    Action { id: u32, name: String, parameters: Map<String, Value> },
    /// For a script in a hook context.
    Exec,
}

/// The relation that a run is about.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) number: u32,
    pub(crate) remote_unit: Option<UnitName>,
    pub(crate) remote_application: ApplicationName,
    pub(crate) departing: Option<UnitName>,
}

/// A relation as this run sees it, with the names that its unit knows others by.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) id: RelationId,
    /// What `relation-list` answers, in its order.
    pub(crate) members: Vec<UnitName>,
    /// Whether `relation-ids` leaves it out.
    pub(crate) is_hidden: bool,
    /// Databags of members as earlier runs have read them: shared, a relation may have hundreds.
    pub(crate) cache: Rc<BTreeMap<UnitName, Databag>>,
    /// Databags of other units as first read.
    pub(crate) units: BTreeMap<UnitName, Databag>,
    /// Databags of applications as first read.
    pub(crate) applications: BTreeMap<ApplicationName, Databag>,
    /// What was written into the unit's own databag.
    pub(crate) own_unit: BTreeMap<String, String>,
    /// What was written into the application's databag.
    pub(crate) own_application: BTreeMap<String, String>,
}

/// What the charm wants changed when the run has ended well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Staged {
    /// Keys of the unit state; an absent value removes the key.
    pub(crate) state: BTreeMap<String, Option<String>>,
    /// The ports that will be open, once a command has touched them.
    pub(crate) ports: Option<BTreeSet<OpenPort>>,
    /// Secrets as they will be; absent for those that will be removed.
    pub(crate) secrets: BTreeMap<String, Option<Secret>>,
    /// Revisions and labels that the unit will track.
    pub(crate) tracked: BTreeMap<String, crate::model::Tracked>,
    /// How many more instances of each storage the unit will have.
    pub(crate) storage: BTreeMap<String, u32>,
    /// What the application's pods are to be.
    pub(crate) pod_specs: BTreeMap<PodSpecKind, String>,
}

/// What a running action has said about its result.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActionOutcome {
    pub(crate) results: Map<String, Value>,
    pub(crate) failure: Option<String>,
    pub(crate) log: Vec<String>,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) unit: UnitName,
    pub(crate) purpose: Purpose,
    /// Of `juju-exec`: the hook that the script makes the charm run.
    pub(crate) own_hook: Option<String>,
    /// The hook's or action's name; `juju-exec` for a script.
    pub(crate) hook: String,
    pub(crate) context_id: String,
    pub(crate) current: Option<Current>,
    pub(crate) views: BTreeMap<u32, View>,
    pub(crate) staged: Staged,
    pub(crate) action: ActionOutcome,
    /// Whether the machine is to be restarted after a good end.
    pub(crate) is_reboot_asked: bool,
    /// How many hook commands were run.
    pub(crate) commands: usize,
}

impl Run {
    /// The context of a run of `unit`, fresh.
    ///
    /// # Source
    ///
    /// `U/runner/context/contextfactory.go`.
    pub(crate) fn new(model: &mut Model, unit: &UnitName, purpose: Purpose) -> Self {
        let digits = model.ids.hex(32);
        let name = match &purpose {
            Purpose::Hook(hook) => hook.event.to_string(),
            Purpose::Action { name, .. } => name.clone(),
            Purpose::Exec => "run-commands".to_owned(),
        };
        let hook = if matches!(purpose, Purpose::Exec) { "juju-exec".to_owned() } else { name.clone() };
        let mut run = Self {
            unit: unit.clone(),
            hook,
            context_id: format!("{unit}-{name}-{digits}"),
            current: None,
            views: BTreeMap::new(),
            staged: Staged::default(),
            action: ActionOutcome::default(),
            is_reboot_asked: false,
            commands: 0,
            own_hook: None,
            purpose,
        };
        run.view_relations(model);
        run.enter_relation(model);
        run
    }

    /// The hook's or action's name; `juju-exec` for a script.
    pub(crate) fn name(&self) -> String {
        self.hook.clone()
    }

    /// Whether what is staged besides relation data is of interest to nobody but the unit.
    pub(crate) fn stages_only_for_itself(&self) -> bool {
        let Staged { state: _, ports: _, secrets, tracked, storage, pod_specs } = &self.staged;
        secrets.is_empty() && tracked.is_empty() && storage.is_empty() && pod_specs.is_empty()
    }

    /// Whether the hook sees nothing of the model.
    pub(crate) fn is_restricted(&self) -> bool {
        matches!(&self.purpose, Purpose::Hook(hook) if hook.event.is_restricted())
    }

    /// What a hook is about, in words: `db:3 wordpress/1`.
    pub(crate) fn about(&self) -> Option<String> {
        if let Purpose::Hook(Hook { storage: Some(storage), .. }) = &self.purpose {
            return Some(storage.to_string());
        }
        let current = self.current.as_ref()?;
        let id = &self.views.get(&current.number)?.id;
        Some(match &current.remote_unit {
            Some(unit) => format!("{id} {unit}"),
            None => format!("{id} {}", current.remote_application),
        })
    }

    fn view_relations(&mut self, model: &Model) {
        if self.is_restricted() {
            return;
        }
        let Some(unit) = model.units.get(&self.unit) else { return };
        for (number, membership) in &unit.relations {
            let Some(relation) = model.relations.get(number) else { continue };
            let own = unit.name.application();
            let Some(id) = relation.id(own) else { continue };
            let view = View {
                id,
                members: sorted_as_text(
                    membership.members.keys().map(|member| relation.shown_unit(own, member)),
                ),
                is_hidden: false,
                cache: Rc::clone(&membership.cache),
                units: BTreeMap::new(),
                applications: BTreeMap::new(),
                own_unit: BTreeMap::new(),
                own_application: BTreeMap::new(),
            };
            self.views.insert(*number, view);
        }
    }

    /// Makes the hook's relation the current one, and its members those of the moment.
    fn enter_relation(&mut self, model: &mut Model) {
        let Purpose::Hook(Hook { event: HookEvent::Relation { event, .. }, relation: Some(about), .. }) =
            &self.purpose
        else {
            return;
        };
        let (Some(relation), Some(view)) =
            (model.relations.get(&about.number), self.views.get_mut(&about.number))
        else {
            return;
        };
        let own = self.unit.application();
        let remote_application = relation.shown(own, &relation.remote_end(own).application);
        let remote_unit = about.remote_unit.as_ref().map(|remote| relation.shown_unit(own, remote));
        let departing = match (event, &remote_unit) {
            (RelationEvent::Departed, Some(remote)) => {
                Some(if is_leaving(model, &self.unit) { self.unit.clone() } else { remote.clone() })
            }
            _ => None,
        };
        if let Some(remote) = &remote_unit {
            view.members.retain(|member| member != remote);
            if *event != RelationEvent::Departed {
                view.members.push(remote.clone());
                view.members = sorted_as_text(std::mem::take(&mut view.members));
            }
            let membership =
                model.units.get_mut(&self.unit).and_then(|unit| unit.relations.get_mut(&about.number));
            if let Some(membership) = membership {
                view.cache = Rc::default();
                Rc::make_mut(&mut membership.cache).remove(remote);
                view.cache = Rc::clone(&membership.cache);
            }
        }
        view.is_hidden = *event == RelationEvent::Broken && model.juju.hides_broken_relation();
        self.current = Some(Current { number: about.number, remote_unit, remote_application, departing });
    }
}

/// Whether the unit, or its whole application, is on its way out: then it is the one that departs.
///
/// # Source
///
/// `U/relation/resolver.go`, `LocalUnitAndApplicationLife`.
fn is_leaving(model: &Model, unit: &UnitName) -> bool {
    let is_unit_alive = model.units.get(unit).is_some_and(|unit| unit.life == Life::Alive);
    let application = model.applications.get(unit.application());
    !is_unit_alive || application.is_none_or(|application| application.life != Life::Alive)
}
