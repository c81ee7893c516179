//! An endpoint of the charm: its relations, the units on their other sides, its flags.

use std::marker::PhantomData;
use std::rc::Rc;

use charms_reactive_core::{
    EndpointName, EndpointSpec, Flag, HookEvent, RelationEvent, RelationId, Role, UnitName,
};
use charms_reactive_hookcmd::CommandError;

use crate::Hook;
use crate::context::Context;
use crate::dispatch::Dispatch;
use crate::interface::{Interface, Manage};
use crate::key_list::KeyList;
use crate::relation::{CombinedUnitsView, RelatedUnit, Relation};

/// An endpoint of the charm.
///
/// Automatic flags, `NAME` being the endpoint:
///
/// | Flag | Set | Cleared |
/// |---|---|---|
/// | `endpoint.NAME.joined` | a remote unit is there | the last one left |
/// | `endpoint.NAME.changed` | a key of a remote databag is new, other or gone | by the charm |
/// | `endpoint.NAME.changed.KEY` | the same, of one key | by the charm |
/// | `endpoint.NAME.departed` | a unit left | [`Endpoint::all_departed_units`] is empty again |
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) dispatch: Rc<Dispatch>,
    name: EndpointName,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({})", self.name)
    }
}

impl Endpoint {
    pub(crate) fn new(dispatch: Rc<Dispatch>, name: EndpointName) -> Self {
        Self { dispatch, name }
    }

    /// The endpoint of this name, if the charm has one.
    pub fn from_name(hook: &Hook, name: &str) -> Option<Self> {
        let name = EndpointName::parse(name).ok()?;
        hook.dispatch.metadata.endpoint(&name)?;
        Some(Self::new(hook.dispatch.clone(), name))
    }

    /// The endpoint that a flag is about, if the flag is set: `endpoint.NAME.joined`, or `NAME.ready`.
    pub fn from_flag(hook: &Hook, flag: &Flag) -> Option<Self> {
        let mut parts = flag.as_str().split('.');
        let first = parts.next()?;
        let second = parts.next()?;
        let name = if first == "endpoint" { second } else { first };
        hook.is_set(flag).then(|| Self::from_name(hook, name))?
    }

    /// Its name, for example `database`.
    pub fn endpoint_name(&self) -> &EndpointName {
        &self.name
    }

    /// Its relations, in order of their ids.  The one that a `-broken` hook is about is not among them.
    pub fn relations(&self) -> Result<KeyList<Relation>, CommandError> {
        let broken = self.dispatch.broken_relation();
        let ids = self.dispatch.model.relations(&self.name)?;
        let there = ids.iter().filter(|id| Some(*id) != broken);
        Ok(there.map(|id| Relation::new(self.dispatch.clone(), id.clone())).collect())
    }

    /// Whether a unit is there, on any relation.
    pub fn is_joined(&self) -> bool {
        self.dispatch.has_record(&self.name, |record| !record.members.is_empty())
    }

    /// Whether a unit is there, on any relation.
    #[deprecated(since = "0.1.0", note = "use `is_joined`")]
    pub fn joined(&self) -> bool {
        self.is_joined()
    }

    /// The units that are there, ordered by relation, then by unit.
    pub fn all_joined_units(&self) -> Result<CombinedUnitsView, CommandError> {
        let mut units = Vec::new();
        for relation in &self.relations()? {
            units.extend(relation.joined_units()?);
        }
        Ok(units.into_iter().collect())
    }

    /// The units that are there, ordered by relation, then by unit.
    #[deprecated(since = "0.1.0", note = "use `all_joined_units`")]
    pub fn all_units(&self) -> Result<CombinedUnitsView, CommandError> {
        self.all_joined_units()
    }

    /// The units that left, in order of their leaving, until they are removed from this list.
    ///
    /// A unit counts as departed as soon as its departed hook is entered; its last data can still be
    /// read, in later hooks too (less what the interface declares secret).
    pub fn all_departed_units(&self) -> DepartedUnits {
        DepartedUnits { endpoint: self.clone() }
    }

    /// Clears `changed` and every `changed.KEY`: the charm is done with what changed.
    pub fn clear_changed(&self) {
        let changed = self.expand_name("changed");
        let prefix = format!("{changed}.");
        let names: Vec<String> = self.dispatch.flags.borrow().names().map(str::to_owned).collect();
        for name in names.into_iter().filter(|name| *name == changed || name.starts_with(&prefix)) {
            self.dispatch.change_flag(&name.into(), false);
        }
    }

    /// The name of a flag of this endpoint.
    ///
    /// `{endpoint_name}` is replaced; a name without it is put behind `endpoint.NAME.`.
    pub fn expand_name(&self, name: &str) -> String {
        if name.contains("{endpoint_name}") {
            name.replace("{endpoint_name}", self.name.as_str())
        } else {
            format!("endpoint.{}.{name}", self.name)
        }
    }

    /// The flag of this endpoint with this name, expanded.
    pub fn flag(&self, name: &str) -> Flag {
        Flag::from(self.expand_name(name))
    }

    /// Sets or clears a flag of this endpoint, expanded.
    pub fn toggle_flag(&self, name: &str, is_set: bool) {
        self.dispatch.change_flag(&self.flag(name), is_set);
    }

    /// What Juju told this dispatch about itself.
    pub fn context(&self) -> &Context {
        &self.dispatch.context
    }

    /// Whether a flag of this endpoint, expanded, is set.
    pub fn is_flag_set(&self, name: &str) -> bool {
        self.dispatch.flags.borrow().is_set(&self.flag(name))
    }
}

/// The units that left an endpoint: a list that survives the dispatch, until its elements are removed.
#[derive(Clone, Debug)]
pub struct DepartedUnits {
    endpoint: Endpoint,
}

impl DepartedUnits {
    /// The units, in order of their leaving within each relation.
    pub fn list(&self) -> KeyList<RelatedUnit> {
        let dispatch = &self.endpoint.dispatch;
        let mut units = Vec::new();
        for (id, record) in dispatch.records_of(&self.endpoint.name) {
            let relation = Relation::new(dispatch.clone(), id);
            units.extend(
                record
                    .departed
                    .into_iter()
                    .map(|departed| RelatedUnit::departed(relation.clone(), departed.unit, departed.data)),
            );
        }
        units.into()
    }

    /// Whether nobody left, or all who did were removed from the list.
    pub fn is_empty(&self) -> bool {
        !self.endpoint.dispatch.has_record(&self.endpoint.name, |record| !record.departed.is_empty())
    }

    /// Removes a unit from the list: the charm is done with it.
    pub fn remove(&self, unit: &RelatedUnit) {
        self.retain(|relation, name| relation != unit.relation().relation_id() || name != unit.unit_name());
    }

    /// Removes all units from the list.
    pub fn clear(&self) {
        self.retain(|_, _| false);
    }

    fn retain(&self, keep: impl Fn(&RelationId, &UnitName) -> bool) {
        let dispatch = &self.endpoint.dispatch;
        for (id, record) in dispatch.records.borrow_mut().iter_mut() {
            if *id.endpoint() == self.endpoint.name {
                record.departed.retain(|departed| keep(id, &departed.unit));
            }
        }
        self.endpoint.toggle_flag("departed", !self.is_empty());
    }
}

impl Interface for Endpoint {
    const INTERFACE: &'static str = "";
    const ROLE: Option<Role> = None;

    fn new(endpoint: Endpoint) -> Self {
        endpoint
    }
}

impl Manage for Endpoint {}

/// An endpoint of a charm as a constant, with the type that implements its interface.
///
/// `charm!` makes one for each endpoint of `metadata.yaml`.  A role or an interface that the type is
/// not made for does not compile.
pub struct EndpointKey<T> {
    name: &'static str,
    role: Role,
    interface: &'static str,
    implementation: PhantomData<fn() -> T>,
}

impl<T> Clone for EndpointKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for EndpointKey<T> {}

impl<T: Interface> EndpointKey<T> {
    /// The endpoint with this name, role and interface.
    ///
    /// # Panics
    ///
    /// When `T` is made for another role or interface; in a constant, that is a compile error.
    pub const fn new(name: &'static str, role: Role, interface: &'static str) -> Self {
        let (wanted, given) = (T::INTERFACE.as_bytes(), interface.as_bytes());
        if !wanted.is_empty() {
            let mut is_same = wanted.len() == given.len();
            let mut at = 0;
            while is_same && at < wanted.len() {
                is_same = wanted[at] == given[at];
                at += 1;
            }
            assert!(is_same, "the type implements another interface than the endpoint has in metadata.yaml");
        }
        match (T::ROLE, role) {
            (None, _)
            | (Some(Role::Provides), Role::Provides)
            | (Some(Role::Requires), Role::Requires)
            | (Some(Role::Peer), Role::Peer) => {}
            _ => panic!("the type implements the other side of the interface than metadata.yaml says"),
        }
        Self { name, role, interface, implementation: PhantomData }
    }

    /// What `metadata.yaml` says of it.
    pub fn spec(&self) -> EndpointSpec {
        EndpointSpec { name: self.name(), role: self.role, interface: self.interface.to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> EndpointName {
        EndpointName::parse(self.name).expect("checked when the constant was made")
    }

    /// Set while a remote unit is there.
    pub fn joined(&self) -> Flag {
        self.flag("joined")
    }

    /// Set when something in a remote databag changed, until the charm clears it.
    pub fn changed(&self) -> Flag {
        self.flag("changed")
    }

    /// Set when this key of a remote databag changed, until the charm clears it.
    pub fn changed_key(&self, key: &str) -> Flag {
        self.flag(&format!("changed.{key}"))
    }

    /// Set while a unit that left is in the list of departed units.
    pub fn departed(&self) -> Flag {
        self.flag("departed")
    }

    /// A flag of this endpoint: `endpoint.NAME.` and `name`.
    pub fn flag(&self, name: &str) -> Flag {
        Flag::from(format!("endpoint.{}.{name}", self.name))
    }

    /// A relation hook of this endpoint.
    pub fn hook(&self, event: RelationEvent) -> HookEvent {
        HookEvent::relation(self.name(), event)
    }
}
