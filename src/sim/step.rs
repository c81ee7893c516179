//! What an operator does, as values: lists of steps can be drawn from a seed, run, and made shorter.

use std::fmt;
use std::time::Duration;

use charms_reactive_core::UnitName;

use crate::error::SimError;
use crate::random::Random;
use crate::sim::Sim;

/// One thing that happens to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// An application gets one more unit.
    AddUnit(String),
    /// A unit goes, through its last hooks.
    RemoveUnit(String),
    /// A unit is lost with its machine.
    LoseUnit(String),
    /// Two endpoints are related.
    Relate(String, String),
    /// Two endpoints are not related any more.
    Unrelate(String, String),
    /// An option of an application gets a value.
    Configure(String, String, String),
    /// Another unit leads.
    SetLeader(String),
    /// The timer of `update-status` fires for a unit.
    UpdateStatus(String),
    /// A unit's machine restarts.
    Reboot(String),
    /// The charm is killed at one of the next hook commands, counted from 0.
    KillAt(usize),
    /// One hook is run.
    Hook,
    /// Hooks are run until none is due.
    Settle,
    /// Time passes.
    Advance(Duration),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddUnit(application) => write!(f, "add a unit to {application}"),
            Self::RemoveUnit(unit) => write!(f, "remove {unit}"),
            Self::LoseUnit(unit) => write!(f, "lose {unit}"),
            Self::Relate(one, other) => write!(f, "relate {one} with {other}"),
            Self::Unrelate(one, other) => write!(f, "unrelate {one} and {other}"),
            Self::Configure(application, option, value) => {
                write!(f, "configure {application} {option}={value:?}")
            }
            Self::SetLeader(unit) => write!(f, "let {unit} lead"),
            Self::UpdateStatus(unit) => write!(f, "let the timer of {unit} fire"),
            Self::Reboot(unit) => write!(f, "reboot {unit}"),
            Self::KillAt(commands) => write!(f, "kill the charm after {commands} more hook commands"),
            Self::Hook => f.write_str("run one hook"),
            Self::Settle => f.write_str("settle"),
            Self::Advance(time) => write!(f, "let {time:?} pass"),
        }
    }
}

impl Step {
    /// Has it happen to a model.
    ///
    /// A step that the model refuses (the unit is not there, the endpoints are related already) does
    /// nothing: so a list of steps stays one when some are left out.
    ///
    /// # Errors
    ///
    /// What keeps the simulation from going on: [`SimError::Run`].
    pub fn apply(&self, sim: &mut Sim) -> Result<(), SimError> {
        let result = match self {
            Self::AddUnit(application) => sim.add_unit(application).map(drop),
            Self::RemoveUnit(unit) => sim.remove_unit(unit),
            Self::LoseUnit(unit) => sim.lose_unit(unit),
            Self::Relate(one, other) => sim.relate(one, other).map(drop),
            Self::Unrelate(one, other) => match sim.relation_between(one, other) {
                Some(relation) => sim.remove_relation(relation),
                None => Ok(()),
            },
            Self::Configure(application, option, value) => {
                sim.configure(application, &[(option.as_str(), value.as_str())])
            }
            Self::SetLeader(unit) => sim.set_leader(unit),
            Self::UpdateStatus(unit) => sim.update_status(unit),
            Self::Reboot(unit) => sim.operator().reboot(unit),
            Self::KillAt(commands) => {
                sim.kill_at(*commands);
                Ok(())
            }
            Self::Hook => sim.step().map(drop),
            Self::Settle => sim.settle().map(drop),
            Self::Advance(time) => sim.advance(*time).map(drop),
        };
        match result {
            Err(SimError::Model(_)) => Ok(()),
            other => other,
        }
    }

    /// The same kind of step, but less of it; simplest first.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        match self {
            Self::KillAt(commands) => (0..*commands).map(Self::KillAt).collect(),
            Self::Advance(time) => [Duration::from_secs(1), Duration::from_mins(1), Duration::from_mins(6)]
                .into_iter()
                .filter(|less| less < time)
                .map(Self::Advance)
                .collect(),
            Self::LoseUnit(unit) => vec![Self::RemoveUnit(unit.clone())],
            _ => vec![],
        }
    }
}

/// What can happen to a model: steps are drawn from it.
///
/// ```
/// use charms_reactive_sim::Possible;
///
/// let possible = Possible::new().application("web", 3).option("web", "port", &["80", "0"]).kills();
/// assert_eq!(possible.draw(7, 20), possible.draw(7, 20));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Possible {
    applications: Vec<(String, u32)>,
    relations: Vec<(String, String)>,
    options: Vec<(String, String, Vec<String>)>,
    is_killing: bool,
}

impl Possible {
    /// Nothing but hooks and time.
    pub fn new() -> Self {
        Self::default()
    }

    /// An application whose units come and go, lead and are restarted; `units` are numbered at most.
    pub fn application(mut self, name: &str, units: u32) -> Self {
        self.applications.push((name.to_owned(), units.max(1)));
        self
    }

    /// Two endpoints that are related or not.
    pub fn relation(mut self, one: &str, other: &str) -> Self {
        self.relations.push((one.to_owned(), other.to_owned()));
        self
    }

    /// An option and the values that it has.
    pub fn option(mut self, application: &str, option: &str, values: &[&str]) -> Self {
        let values = values.iter().map(ToString::to_string).collect();
        self.options.push((application.to_owned(), option.to_owned(), values));
        self
    }

    /// The charm may be killed at any hook command.
    pub fn kills(mut self) -> Self {
        self.is_killing = true;
        self
    }

    /// Draws steps from a seed.
    pub fn draw(&self, seed: u64, count: usize) -> Vec<Step> {
        let mut random = Random::new(seed ^ 0x5157_4550_5320_2020);
        (0..count).map(|_| self.one(&mut random)).collect()
    }

    fn one(&self, random: &mut Random) -> Step {
        const KILL_COMMANDS_MAX: usize = 12;
        let mut kinds: Vec<fn(&Self, &mut Random) -> Step> = vec![
            |_, _| Step::Settle,
            |_, _| Step::Settle,
            |_, _| Step::Hook,
            |_, _| Step::Hook,
            |_, random| Step::Advance(Duration::from_secs([1, 60, 600][random.index(3)])),
        ];
        if !self.applications.is_empty() {
            kinds.extend([
                |possible: &Self, random: &mut Random| {
                    let (name, _) = &possible.applications[random.index(possible.applications.len())];
                    Step::AddUnit(name.clone())
                },
                |possible: &Self, random: &mut Random| Step::SetLeader(possible.unit(random)),
                |possible: &Self, random: &mut Random| Step::SetLeader(possible.unit(random)),
                |possible: &Self, random: &mut Random| Step::RemoveUnit(possible.unit(random)),
                |possible: &Self, random: &mut Random| Step::UpdateStatus(possible.unit(random)),
                |possible: &Self, random: &mut Random| Step::Reboot(possible.unit(random)),
                |possible: &Self, random: &mut Random| Step::LoseUnit(possible.unit(random)),
            ] as [fn(&Self, &mut Random) -> Step; 7]);
        }
        if !self.relations.is_empty() {
            kinds.extend([
                |possible: &Self, random: &mut Random| {
                    let (one, other) = possible.relations[random.index(possible.relations.len())].clone();
                    Step::Relate(one, other)
                },
                |possible: &Self, random: &mut Random| {
                    let (one, other) = possible.relations[random.index(possible.relations.len())].clone();
                    Step::Unrelate(one, other)
                },
            ] as [fn(&Self, &mut Random) -> Step; 2]);
        }
        if !self.options.is_empty() {
            kinds.push(|possible, random| {
                let (application, option, values) = &possible.options[random.index(possible.options.len())];
                let value = values.get(random.index(values.len().max(1))).cloned().unwrap_or_default();
                Step::Configure(application.clone(), option.clone(), value)
            });
        }
        if self.is_killing {
            kinds.push(|_, random| Step::KillAt(random.index(KILL_COMMANDS_MAX)));
        }
        kinds[random.index(kinds.len())](self, random)
    }

    fn unit(&self, random: &mut Random) -> String {
        let (name, units) = &self.applications[random.index(self.applications.len())];
        format!("{name}/{}", random.index(usize::try_from(*units).unwrap_or(usize::MAX)))
    }
}

impl Sim {
    /// The relation between two endpoints, each `application:endpoint`.
    pub fn relation_between(&self, one: &str, other: &str) -> Option<u32> {
        let mut wanted = [one, other];
        wanted.sort_unstable();
        self.model.relations.values().find_map(|relation| {
            let mut ends: Vec<String> = relation.ends.iter().map(ToString::to_string).collect();
            ends.sort_unstable();
            (ends == wanted).then_some(relation.number)
        })
    }

    /// The names of the units of an application, by number.
    pub fn units(&self, application: &str) -> Vec<UnitName> {
        let of_it = self.model.units.keys().filter(|name| name.application().as_str() == application);
        of_it.cloned().collect()
    }
}
