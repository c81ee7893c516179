//! A relation: two endpoints, or one of peers, and the databags between them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use charms_reactive_core::{ApplicationName, Databag, EndpointName, RelationId, Role, UnitName};

use charms_reactive_hookcmd::commands::Party;

use super::unit::Life;
use super::{Model, Unit};
use crate::metadata::JUJU_INFO;

/// One side of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) application: ApplicationName,
    pub(crate) endpoint: EndpointName,
    pub(crate) role: Role,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.application, self.endpoint)
    }
}

/// A databag with the count of its changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bag {
    pub(crate) databag: Databag,
    /// Another number after each real change; zero for an application's bag never written.
    pub(crate) version: u64,
}

/// A relation of the model.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub(crate) number: u32,
    /// Requirer and provider in this order, or the one end of peers.
    pub(crate) ends: Vec<End>,
    pub(crate) interface: String,
    pub(crate) life: Life,
    /// Every unit that has ever entered, with its last data: it stays readable.
    pub(crate) unit_bags: BTreeMap<UnitName, Bag>,
    pub(crate) application_bags: BTreeMap<ApplicationName, Bag>,
    /// The units that take part now.
    pub(crate) scope: BTreeSet<UnitName>,
    /// Whether units see only those beside them on their machine.
    pub(crate) is_container: bool,
    pub(crate) is_suspended: bool,
    /// The consumer of an offer, and the name that the offering side knows it by.
    pub(crate) alias: Option<(ApplicationName, ApplicationName)>,
}

impl Relation {
    /// The relation as Juju writes it: `wordpress:db mysql:server`, or one end for peers.
    ///
    /// # Source
    ///
    /// `juju/juju:state/relation.go`: the requirer comes first.
    pub(crate) fn key(&self) -> String {
        let ends: Vec<String> = self.ends.iter().map(ToString::to_string).collect();
        ends.join(" ")
    }

    pub(crate) fn is_peer(&self) -> bool {
        self.ends.len() == 1
    }

    /// The side of `application`.
    pub(crate) fn end(&self, application: &ApplicationName) -> Option<&End> {
        self.ends.iter().find(|end| end.application == *application)
    }

    /// The side that units of `application` see; their own for peers.
    pub(crate) fn remote_end(&self, application: &ApplicationName) -> &End {
        let other = self.ends.iter().find(|end| end.application != *application);
        other.unwrap_or(&self.ends[0])
    }

    /// The id as units of `application` write it.
    pub(crate) fn id(&self, application: &ApplicationName) -> Option<RelationId> {
        self.end(application).map(|end| RelationId::new(end.endpoint.clone(), self.number))
    }

    /// Whether this side of the relation is `juju-info`, of which the charm is told nothing.
    ///
    /// # Source
    ///
    /// `juju/juju:core/relation`, `Endpoint.IsImplicit`.
    pub(crate) fn is_implicit(&self, application: &ApplicationName) -> bool {
        self.end(application)
            .is_some_and(|end| end.endpoint.as_str() == JUJU_INFO && end.role == Role::Provides)
    }

    /// Whether units leave it, or do not enter it: it ends, for good or for now.
    pub(crate) fn is_ending(&self) -> bool {
        self.life != Life::Alive || self.is_suspended
    }

    /// The name that units of `viewer` know an application by.
    ///
    /// # Source
    ///
    /// `juju/juju:apiserver/facades/controller/crossmodelrelations`: the offering model knows its
    /// consumers by a token.
    pub(crate) fn shown(&self, viewer: &ApplicationName, application: &ApplicationName) -> ApplicationName {
        match &self.alias {
            Some((consumer, alias)) if application == consumer && viewer != consumer => alias.clone(),
            _ => application.clone(),
        }
    }

    /// The name that units of `viewer` know a unit by.
    pub(crate) fn shown_unit(&self, viewer: &ApplicationName, unit: &UnitName) -> UnitName {
        UnitName::new(self.shown(viewer, unit.application()), unit.number())
    }

    /// The application that units of `viewer` mean by a name.
    pub(crate) fn meant(&self, viewer: &ApplicationName, name: &ApplicationName) -> ApplicationName {
        match &self.alias {
            Some((consumer, alias)) if viewer != consumer && name == alias => consumer.clone(),
            // The offering side knows nothing of that name: it means nobody in the relation.
            Some((consumer, alias)) if viewer != consumer && name == consumer => alias.clone(),
            _ => name.clone(),
        }
    }

    /// The unit that units of `viewer` mean by a name.
    pub(crate) fn meant_unit(&self, viewer: &ApplicationName, unit: &UnitName) -> UnitName {
        UnitName::new(self.meant(viewer, unit.application()), unit.number())
    }

    /// The version of an application's data.
    pub(crate) fn application_version(&self, application: &ApplicationName) -> u64 {
        self.application_bags.get(application).map_or(0, |bag| bag.version)
    }

    /// The databag of a unit that is in the relation, or was.
    pub(crate) fn unit_databag(&self, unit: &UnitName) -> Option<&Databag> {
        self.unit_bags.get(unit).map(|bag| &bag.databag)
    }
}

/// Names in the order in which Juju sorts them: as texts, so that `web/10` comes before `web/2`.
///
/// # Source
///
/// `U/relation/resolver.go` and `U/runner/context/cache.go` sort names as strings.
pub(crate) fn sorted_as_text(names: impl IntoIterator<Item = UnitName>) -> Vec<UnitName> {
    let mut names: Vec<UnitName> = names.into_iter().collect();
    names.sort_by(compared_as_text);
    names
}

/// The order of two names as texts, without making the texts.
pub(crate) fn compared_as_text(left: &UnitName, right: &UnitName) -> Ordering {
    if left.application() != right.application() {
        return left.to_string().cmp(&right.to_string());
    }
    // The shorter number, filled up with zeros, compares as its text does; of equal ones the shorter is first.
    let digits = |number: u32| number.checked_ilog10().unwrap_or(0);
    let filled = |number: u32| u64::from(number) * 10_u64.pow(10 - digits(number));
    filled(left.number()).cmp(&filled(right.number())).then(left.number().cmp(&right.number()))
}

impl Model {
    /// The units that `unit` can see in a relation, by number, with the versions of their data: those for which
    /// [`Model::remote_version`] has one.
    ///
    /// They are of one application, so that they stand together in every map, and their numbers say which is
    /// which: nothing is looked up.
    pub(crate) fn seen<'a>(&'a self, relation: &'a Relation, unit: &Unit) -> Vec<(&'a UnitName, u64)> {
        let application = &relation.remote_end(unit.name.application()).application;
        let ends = [0, u32::MAX].map(|number| UnitName::new(application.clone(), number));
        let range = || (Bound::Included(&ends[0]), Bound::Included(&ends[1]));
        let mut units = self.units.range::<UnitName, _>(range()).peekable();
        let mut bags = relation.unit_bags.range::<UnitName, _>(range()).peekable();
        let seen = relation.scope.range::<UnitName, _>(range()).filter_map(|other| {
            let number = other.number();
            while units.next_if(|(name, _)| name.number() < number).is_some() {}
            while bags.next_if(|(name, _)| name.number() < number).is_some() {}
            let (_, known) = units.next_if(|(name, _)| name.number() == number)?;
            let version = bags.next_if(|(name, _)| name.number() == number).map_or(0, |(_, bag)| bag.version);
            let is_beside = || !relation.is_container || known.group() == unit.group();
            (known.life == Life::Alive && *other != unit.name && is_beside()).then_some((other, version))
        });
        let seen: Vec<(&UnitName, u64)> = seen.collect();
        debug_assert!(
            seen.iter()
                .all(|(other, version)| self.remote_version(relation, &unit.name, other) == Some(*version))
                && seen.len()
                    == relation
                        .scope
                        .iter()
                        .filter(|other| self.remote_version(relation, &unit.name, other).is_some())
                        .count(),
            "{} sees others in {} than it can",
            unit.name,
            relation.key()
        );
        seen
    }

    /// The units that read a databag of a relation, and may be told of it: those of the other side.
    pub(crate) fn readers(&self, number: u32, party: &Party) -> impl Iterator<Item = UnitName> {
        let owner = match party {
            Party::Unit(unit) => unit.application(),
            Party::Application(application) => application,
        };
        let relation = self.relations.get(&number);
        let reader = relation.map(|relation| relation.remote_end(owner).application.clone());
        let scope = relation.into_iter().flat_map(|relation| &relation.scope);
        scope.filter(move |unit| reader.as_ref() == Some(unit.application())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_their_texts() {
        let names = [
            "web/0",
            "web/1",
            "web/2",
            "web/9",
            "web/10",
            "web/100",
            "web/21",
            "web/4294967295",
            "wax/5",
            "web-a/1",
        ];
        for left in names {
            for right in names {
                let parse = |name| UnitName::parse(name).unwrap();
                assert_eq!(compared_as_text(&parse(left), &parse(right)), left.cmp(right), "{left}, {right}");
            }
        }
    }
}
