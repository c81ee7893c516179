//! Relations and the units on their other side.

use std::rc::Rc;

use charms_reactive_core::{ApplicationName, Databag, EndpointName, RelationId, UnitName};
use charms_reactive_hookcmd::commands::Party;
use charms_reactive_hookcmd::{CommandError, Commands as _};

use crate::dispatch::Dispatch;
use crate::key_list::{KeyList, Keyed};
use crate::view::{Published, Received};

/// One relation of an endpoint.
#[derive(Clone)]
pub struct Relation {
    pub(crate) dispatch: Rc<Dispatch>,
    id: RelationId,
}

impl Keyed for Relation {
    type Key = RelationId;

    fn key(&self) -> &RelationId {
        &self.id
    }
}

impl std::fmt::Debug for Relation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relation({})", self.id)
    }
}

impl Relation {
    pub(crate) fn new(dispatch: Rc<Dispatch>, id: RelationId) -> Self {
        Self { dispatch, id }
    }

    /// Its id, for example `database:3`.
    pub fn relation_id(&self) -> &RelationId {
        &self.id
    }

    /// The endpoint on our side.
    pub fn endpoint_name(&self) -> &EndpointName {
        self.id.endpoint()
    }

    /// The application on the other side; None where Juju does not tell and no unit came yet.
    pub fn application_name(&self) -> Result<Option<ApplicationName>, CommandError> {
        let context = &self.dispatch.context;
        if context.relation.as_ref() == Some(&self.id)
            && let Some(application) = &context.remote_application
        {
            return Ok(Some(application.clone()));
        }
        if let Some(record) = self.dispatch.records.borrow().get(&self.id)
            && let Some(application) = &record.application
        {
            return Ok(Some(application.clone()));
        }
        match self.dispatch.model.members(&self.id)?.first() {
            Some(unit) => Ok(Some(unit.application().clone())),
            None => self.dispatch.model.commands().relation_application(&self.id),
        }
    }

    /// Whether a unit is there, by what is remembered: no hook command is run for it.
    pub fn has_members(&self) -> bool {
        self.dispatch.records.borrow().get(&self.id).is_some_and(|record| !record.members.is_empty())
    }

    /// The units on the other side, in order of their names.
    pub fn joined_units(&self) -> Result<KeyList<RelatedUnit>, CommandError> {
        let units = self.dispatch.model.members(&self.id)?;
        Ok(units.iter().map(|unit| RelatedUnit::new(self.clone(), unit.clone())).collect())
    }

    /// Our unit's databag: what is written here is published when the dispatch ends well.
    pub fn to_publish(&self) -> Published {
        Published::new(self.dispatch.clone(), self.id.clone(), false)
    }

    /// Our application's databag, which only the leader may read and write (a peer may read it).
    pub fn to_publish_app(&self) -> Published {
        Published::new(self.dispatch.clone(), self.id.clone(), true)
    }

    /// What the application on the other side published.
    pub fn received_app(&self) -> Result<Received, CommandError> {
        let whose = |name: &str| format!("application `{name}` on relation `{}`", self.id);
        let Some(application) = self.application_name()? else {
            return Ok(Received::new(Rc::default(), whose("unknown")));
        };
        let whose = whose(application.as_str());
        let databag = self.dispatch.model.databag(&self.id, &Party::Application(application))?;
        Ok(Received::new(databag, whose))
    }
}

/// A unit on the other side of a relation: there now, or departed with its last data.
#[derive(Clone)]
pub struct RelatedUnit {
    relation: Relation,
    name: UnitName,
    /// The last data of a unit that left.
    last: Option<Rc<Databag>>,
}

impl Keyed for RelatedUnit {
    type Key = UnitName;

    fn key(&self) -> &UnitName {
        &self.name
    }
}

impl std::fmt::Debug for RelatedUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RelatedUnit({} on {})", self.name, self.relation.id)
    }
}

impl RelatedUnit {
    pub(crate) fn new(relation: Relation, name: UnitName) -> Self {
        Self { relation, name, last: None }
    }

    pub(crate) fn departed(relation: Relation, name: UnitName, last: Databag) -> Self {
        Self { relation, name, last: Some(Rc::new(last)) }
    }

    /// The relation it is on.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// Its name, for example `mysql/0`.
    pub fn unit_name(&self) -> &UnitName {
        &self.name
    }

    /// Its application.
    pub fn application_name(&self) -> &ApplicationName {
        self.name.application()
    }

    /// What it published, or the last it published before it left.
    pub fn received(&self) -> Result<Received, CommandError> {
        let whose = format!("`{}` on relation `{}`", self.name, self.relation.id);
        Ok(Received::new(self.received_raw()?, whose))
    }

    /// The texts of its databag.
    pub fn received_raw(&self) -> Result<Rc<Databag>, CommandError> {
        match &self.last {
            Some(last) => Ok(last.clone()),
            None => self.relation.dispatch.model.databag(&self.relation.id, &Party::Unit(self.name.clone())),
        }
    }
}

/// The units of all relations of an endpoint, ordered by relation, then by unit.
///
/// A unit that is related twice occurs twice; it is found by its first occurrence.
#[derive(Clone, Debug, Default)]
pub struct CombinedUnitsView(KeyList<RelatedUnit>);

impl CombinedUnitsView {
    /// All databags in one: of each key the value of the first unit, in this order, that has it.
    ///
    /// Reads the databag of every unit.
    pub fn received(&self) -> Result<Received, CommandError> {
        Ok(Received::new(Rc::new(self.received_raw()?), "the units of an endpoint".to_owned()))
    }

    /// The texts of all databags in one.
    pub fn received_raw(&self) -> Result<Databag, CommandError> {
        let mut merged = Databag::new();
        for unit in &self.0 {
            for (key, text) in unit.received_raw()?.iter() {
                if merged.text(key).is_none() {
                    merged.set(key, text);
                }
            }
        }
        Ok(merged)
    }
}

impl std::ops::Deref for CombinedUnitsView {
    type Target = KeyList<RelatedUnit>;

    fn deref(&self) -> &KeyList<RelatedUnit> {
        &self.0
    }
}

impl FromIterator<RelatedUnit> for CombinedUnitsView {
    fn from_iter<I: IntoIterator<Item = RelatedUnit>>(units: I) -> Self {
        Self(units.into_iter().collect())
    }
}

impl IntoIterator for CombinedUnitsView {
    type Item = RelatedUnit;
    type IntoIter = std::vec::IntoIter<RelatedUnit>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a CombinedUnitsView {
    type Item = &'a RelatedUnit;
    type IntoIter = std::slice::Iter<'a, RelatedUnit>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
