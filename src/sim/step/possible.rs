//! What can happen to a model: steps are drawn from it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Step;
use crate::random::Random;

/// How many hook commands a fault waits for at most: as many as a hook usually has.
const COMMANDS_MAX: usize = 12;

/// What can happen to a model: steps are drawn from it.
///
/// ```
/// use charms_reactive_sim::Possible;
///
/// let possible = Possible::new().application("web", 3).option("web", "port", &["80", "0"]).faults();
/// assert_eq!(possible.draw(7, 20), possible.draw(7, 20));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
#[expect(clippy::struct_excessive_bools, reason = "each allows a kind of steps, apart from the others")]
pub struct Possible {
    applications: Vec<(String, u32)>,
    relations: Vec<(String, String)>,
    options: Vec<(String, String, Vec<String>)>,
    charms: Vec<(String, String)>,
    actions: Vec<(String, String, Map<String, Value>)>,
    storage: Vec<(String, String)>,
    secrets: Vec<String>,
    is_killing: bool,
    is_faulty: bool,
    gives_up: bool,
    is_kubernetes: bool,
}

/// One kind of step, how often it is drawn in comparison, and how it is made.
type Kind = (u32, fn(&Possible, &mut Random) -> Step);

impl Possible {
    /// Nothing but hooks and time.
    pub fn new() -> Self {
        Self::default()
    }

    /// An application whose units come and go, lead, are restarted and cut off; `units` are numbered at most.
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

    /// An application may get the charm of this name: see [`Sim::name_charm`](crate::Sim::name_charm).
    pub fn upgrade(mut self, application: &str, charm: &str) -> Self {
        self.charms.push((application.to_owned(), charm.to_owned()));
        self
    }

    /// An action that is run on any unit of an application, with these parameters.
    pub fn action(mut self, application: &str, action: &str, parameters: Value) -> Self {
        let parameters = match parameters {
            Value::Object(parameters) => parameters,
            _ => Map::new(),
        };
        self.actions.push((application.to_owned(), action.to_owned(), parameters));
        self
    }

    /// Storage that units of an application get more of, give up and take back.
    pub fn storage(mut self, application: &str, storage: &str) -> Self {
        self.storage.push((application.to_owned(), storage.to_owned()));
        self
    }

    /// A secret, by its label, that rotates, expires and is revoked.
    pub fn secret(mut self, label: &str) -> Self {
        self.secrets.push(label.to_owned());
        self
    }

    /// Units are pods, which are replaced and lost.
    pub fn kubernetes(mut self) -> Self {
        self.is_kubernetes = true;
        self
    }

    /// The charm may be killed at any hook command.
    pub fn kills(mut self) -> Self {
        self.is_killing = true;
        self
    }

    /// At any hook command the charm may be killed, be refused, lose leadership or have another address, and
    /// at the end of any hook Juju may fail or lose its changes.
    pub fn faults(mut self) -> Self {
        self.is_killing = true;
        self.is_faulty = true;
        self
    }

    /// The operator may give up failed hooks: `resolved --no-retry`.  A charm then goes on as if they had
    /// succeeded, which few charms promise to survive.
    pub fn gives_up(mut self) -> Self {
        self.gives_up = true;
        self
    }

    /// Draws steps from a seed.
    pub fn draw(&self, seed: u64, count: usize) -> Vec<Step> {
        let mut random = Random::new(seed ^ 0x5157_4550_5320_2020);
        let kinds = self.kinds();
        let total: u32 = kinds.iter().map(|(weight, _)| weight).sum();
        (0..count).map(|_| self.one(&kinds, total, &mut random)).collect()
    }

    fn one(&self, kinds: &[Kind], total: u32, random: &mut Random) -> Step {
        let mut left = random.index(total as usize);
        for (weight, make) in kinds {
            match left.checked_sub(*weight as usize) {
                Some(rest) => left = rest,
                None => return make(self, random),
            }
        }
        Step::Settle
    }

    /// All kinds of steps that are possible.
    ///
    /// # Weights
    ///
    /// As many steps let hooks run as change something, so that changes meet models at rest as well as
    /// models in the middle of something; what ends a unit is rarer than what it may live through.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = vec![
            (4, |_, _| Step::Settle),
            (5, |_, _| Step::Hook),
            (2, |_, random| Step::Advance(Duration::from_secs([1, 60, 600][random.index(3)]))),
        ];
        if !self.applications.is_empty() {
            kinds.extend([
                (2, |possible, random| Step::AddUnit(possible.application_of(random))),
                (3, |possible, random| Step::SetLeader(possible.unit(random))),
                (2, |possible, random| Step::RemoveUnit(possible.unit(random))),
                (1, |possible, random| Step::LoseUnit(possible.unit(random))),
                (2, |possible, random| Step::UpdateStatus(possible.unit(random))),
                (2, |possible, random| Step::Reboot(possible.unit(random))),
                (1, |possible, random| Step::StopAgent(possible.unit(random))),
                (2, |possible, random| Step::StartAgent(possible.unit(random))),
                (1, |possible, random| Step::Resolved(possible.unit(random))),
                (1, |possible, random| Step::ChangeAddress(possible.unit(random))),
            ] as [Kind; 10]);
        }
        if self.is_kubernetes && !self.applications.is_empty() {
            kinds.extend([
                (2, |possible, random| Step::ReplacePod(possible.unit(random))),
                (1, |possible, random| Step::LosePod(possible.unit(random))),
                (2, |possible, random| {
                    let (name, units) = &possible.applications[random.index(possible.applications.len())];
                    Step::Scale(name.clone(), random.index(*units as usize + 1))
                }),
            ] as [Kind; 3]);
        }
        if !self.relations.is_empty() {
            kinds.extend([
                (2, |possible, random| {
                    let (one, other) = pick(&possible.relations, random);
                    Step::Relate(one, other)
                }),
                (1, |possible, random| {
                    let (one, other) = pick(&possible.relations, random);
                    Step::Unrelate(one, other)
                }),
            ] as [Kind; 2]);
        }
        if !self.options.is_empty() {
            kinds.push((3, |possible, random| {
                let (application, option, values) = pick(&possible.options, random);
                let value = values.get(random.index(values.len().max(1))).cloned().unwrap_or_default();
                Step::configure(application, option, value)
            }));
        }
        if !self.charms.is_empty() {
            kinds.extend([
                (2, |possible, random| {
                    let (application, charm) = pick(&possible.charms, random);
                    Step::Upgrade(application, charm)
                }),
                (1, |possible, random| {
                    let (application, charm) = pick(&possible.charms, random);
                    Step::UpgradeForced(application, charm)
                }),
            ] as [Kind; 2]);
        }
        if !self.actions.is_empty() {
            kinds.extend([
                (2, |possible, random| {
                    let (application, action, parameters) = pick(&possible.actions, random);
                    Step::RunAction(possible.unit_of(&application, random), action, parameters)
                }),
                (1, |possible, random| {
                    let (application, action, parameters) = pick(&possible.actions, random);
                    Step::EnqueueAction(possible.unit_of(&application, random), action, parameters)
                }),
            ] as [Kind; 2]);
        }
        kinds.extend(self.rare_kinds());
        kinds
    }

    fn rare_kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = Vec::new();
        if !self.storage.is_empty() {
            kinds.extend([
                (2, |possible, random| {
                    let (application, storage) = pick(&possible.storage, random);
                    Step::AddStorage(possible.unit_of(&application, random), storage, 1)
                }),
                (1, |possible, random| Step::DetachStorage(possible.instance(random))),
                (1, |possible, random| {
                    let (application, _) = pick(&possible.storage, random);
                    Step::AttachStorage(possible.unit_of(&application, random), possible.instance(random))
                }),
                (1, |possible, random| Step::RemoveStorage(possible.instance(random))),
            ] as [Kind; 4]);
        }
        if !self.secrets.is_empty() {
            kinds.extend([
                (2, |possible, random| Step::RotateSecret(pick(&possible.secrets, random))),
                (1, |possible, random| Step::ExpireSecret(pick(&possible.secrets, random))),
                (1, |possible, random| Step::RevokeSecret(pick(&possible.secrets, random))),
            ] as [Kind; 3]);
        }
        if self.is_killing {
            kinds.push((3, |_, random| Step::KillAt(random.index(COMMANDS_MAX))));
        }
        if self.is_faulty {
            kinds.extend([
                (2, |_, random| Step::RefuseAt(random.index(COMMANDS_MAX))),
                (2, |_, random| Step::LoseLeadershipAt(random.index(COMMANDS_MAX))),
                (1, |_, random| Step::ChangeAddressAt(random.index(COMMANDS_MAX))),
                (1, |_, _| Step::FailCommit("the controller is not there".to_owned())),
                (2, |_, _| Step::LoseCommit),
            ] as [Kind; 5]);
        }
        if self.is_faulty && !self.secrets.is_empty() {
            kinds.push((1, |possible, random| {
                Step::RevokeSecretAt(pick(&possible.secrets, random), random.index(COMMANDS_MAX))
            }));
        }
        if self.gives_up && !self.applications.is_empty() {
            kinds.push((1, |possible, random| Step::ResolvedNoRetry(possible.unit(random))));
        }
        kinds
    }

    fn application_of(&self, random: &mut Random) -> String {
        pick(&self.applications, random).0
    }

    fn unit(&self, random: &mut Random) -> String {
        let (name, units) = pick(&self.applications, random);
        format!("{name}/{}", random.index(units as usize))
    }

    /// A unit of this application; of those beyond its number, when it is not described.
    fn unit_of(&self, application: &str, random: &mut Random) -> String {
        let known = self.applications.iter().find(|(name, _)| name == application);
        format!("{application}/{}", random.index(known.map_or(1, |(_, units)| *units as usize)))
    }

    /// One of the first instances of a storage.
    fn instance(&self, random: &mut Random) -> String {
        let (_, storage) = pick(&self.storage, random);
        format!("{storage}/{}", random.index(8))
    }
}

fn pick<T: Clone>(list: &[T], random: &mut Random) -> T {
    list[random.index(list.len())].clone()
}
