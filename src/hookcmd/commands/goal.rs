//! What the model is to become: the units and relations that are there or coming.

use std::collections::BTreeMap;

use charms_reactive_core::{ApplicationName, EndpointName, UnitName};
use serde::{Deserialize, Serialize};

/// What the model is to become, as far as this application sees it.
///
/// Relations of peers are not in it: Juju leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoalState {
    /// The units of this application, this one among them, those that go too.
    pub units: BTreeMap<UnitName, Goal>,
    /// The other side of each endpoint's relations.
    pub relations: BTreeMap<EndpointName, RelationGoal>,
}

impl GoalState {
    /// The units that this application is to have: all but those that go.
    pub fn planned_units(&self) -> Vec<UnitName> {
        let stays = self.units.iter().filter(|(_, goal)| !goal.is_dying());
        stays.map(|(name, _)| name.clone()).collect()
    }
}

/// The other side of an endpoint's relations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelationGoal {
    /// Each remote application, with the status of the relation: `joining`, `joined`, `suspended`.
    pub applications: BTreeMap<ApplicationName, Goal>,
    /// Their units.
    pub units: BTreeMap<UnitName, Goal>,
}

/// How a unit or a relation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// For example `active`, `dying`, `joined`.
    #[serde(default)]
    pub status: String,
    /// Since when, as Juju writes it: `2024-05-01 10:00:00Z`.
    #[serde(default)]
    pub since: Option<String>,
}

impl Goal {
    /// Whether it is about to go.
    pub fn is_dying(&self) -> bool {
        self.status == "dying"
    }
}

/// What `goal-state` answers: applications and units are in one map there.
#[derive(Deserialize)]
pub(super) struct Answered {
    #[serde(default)]
    units: BTreeMap<UnitName, Goal>,
    #[serde(default)]
    relations: BTreeMap<EndpointName, BTreeMap<String, Goal>>,
}

impl Answered {
    /// Applications and units apart; a name that is neither is left out.
    pub(super) fn sorted(self) -> GoalState {
        let sort = |all: BTreeMap<String, Goal>| {
            let mut sorted = RelationGoal::default();
            for (name, goal) in all {
                if let Ok(unit) = UnitName::parse(&name) {
                    sorted.units.insert(unit, goal);
                } else if let Ok(application) = ApplicationName::parse(&name) {
                    sorted.applications.insert(application, goal);
                }
            }
            sorted
        };
        let relations = self.relations.into_iter().map(|(endpoint, all)| (endpoint, sort(all)));
        GoalState { units: self.units, relations: relations.collect() }
    }
}
