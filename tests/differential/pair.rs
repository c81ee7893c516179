//! Two models in which the same happens, one with the twin in Python and one with that in Rust.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

use charms_reactive_sim::hookcmd::Databag;
use charms_reactive_sim::{
    CharmSource, DueHook, Fate, HookRun, InProcess, JujuVersion, Outcome, Party, Sim, SimError, Verdict,
};
use serde::Deserialize;
use serde_json::Value;

use crate::compare::{Comparison, Mismatch};
use crate::difference::{Counts, Difference};
use crate::random::Random;
use crate::sequence::{Event, FIRST_UNIT, PARTNERS, RELATIONS, Sequence};

/// How often a hook that failed is run again before something else happens.
const RETRIES_MAX: usize = 2;

/// How many hooks of twins a model may need to come to rest.
const SETTLE_MAX: usize = 200;

/// The versions of Juju; which one it is comes from the seed.
const VERSIONS: [JujuVersion; 3] = [JujuVersion::V2_9, JujuVersion::V3_6, JujuVersion::V4_0];

/// What came of a dispatch on one side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    /// What the handlers told, in order.
    pub(crate) log: Vec<Value>,
    pub(crate) flags: BTreeSet<String>,
    /// The endpoints with departed units.
    pub(crate) departed: BTreeSet<String>,
    /// By relation, what the unit published and what its application did.
    pub(crate) bags: BTreeMap<u32, [Databag; 2]>,
    pub(crate) status: (String, String),
}

/// A model with one of the twins.
pub(crate) struct Side {
    pub(crate) sim: Sim,
    is_python: bool,
    charm: CharmSource,
    /// What Python printed.
    errors: Rc<RefCell<String>>,
}

/// What is saved, as the twin in Python tells it.
#[derive(Default, Deserialize)]
struct Told {
    flags: BTreeSet<String>,
    departed: BTreeSet<String>,
}

impl Side {
    pub(crate) fn new(
        folder: &Path,
        is_python: bool,
        charm: CharmSource,
        errors: Rc<RefCell<String>>,
        seed: u64,
    ) -> Self {
        let mut sim = Sim::builder()
            .seed(seed)
            .juju_version(VERSIONS[usize::try_from(seed).unwrap_or_default() % VERSIONS.len()])
            .program(env!("CARGO_BIN_EXE_sim-hook-command"))
            .folder(folder)
            .build()
            .expect("a simulation");
        let idle = |metadata: &str| InProcess::from_yaml(metadata, |_, _| 0);
        for partner in PARTNERS {
            let endpoint = match partner {
                "alpha" | "beta" => "provides: {data: twin-data}",
                "answerer" | "other-answerer" => "requires: {job: twin-job}",
                _ => "provides: {job: twin-job}",
            };
            sim.deploy(partner, idle(&format!("name: {partner}\n{endpoint}")), 0).expect("a charm");
            for _ in 0..FIRST_UNIT {
                let unit = sim.add_unit(partner).expect("an application");
                sim.lose_unit(&unit.to_string()).expect("the unit added above");
            }
            sim.add_unit(partner).expect("an application");
        }
        sim.deploy("left", idle("name: left\nprovides: {link: link}"), 0).expect("a charm");
        sim.deploy("right", idle("name: right\nrequires: {link: link}"), 0).expect("a charm");
        for _ in 0..8 {
            let relation = sim.relate("left", "right").expect("endpoints that fit");
            sim.remove_relation(relation).expect("the relation made above");
        }
        sim.deploy("twin", charm.clone(), 1).expect("the charm");
        Self { sim, is_python, charm, errors }
    }

    /// The number of the relation between a partner and the twin, of several the one at `position`.
    fn relation_of(&self, partner: &str, position: &str) -> Option<u32> {
        let of_partner = RELATIONS.iter().filter(|(_, other)| other.split(':').next() == Some(partner));
        let all: Vec<u32> =
            of_partner.filter_map(|(own, other)| self.sim.relation_between(own, other)).collect();
        let position: usize = position.parse().expect("a number");
        all.get(position % all.len().max(1)).copied()
    }

    fn write(
        &mut self,
        party: &Party,
        partner: &str,
        position: &str,
        key: &str,
        text: &str,
    ) -> Result<(), SimError> {
        let Some(relation) = self.relation_of(partner, position) else { return Ok(()) };
        let key = key.replace("RELATION", &relation.to_string());
        self.sim.operator().write_databag(relation, party, &key, text)
    }

    /// Has an event happen, but for those that are about hooks.
    fn apply(&mut self, event: &Event) {
        let sim = &mut self.sim;
        let partner_of = |unit: &str| unit.split('/').next().unwrap_or_default().to_owned();
        let result = match event {
            Event::AddUnit(application) => sim.add_unit(application).map(drop),
            Event::RemoveUnit(unit) => sim.remove_unit(unit),
            Event::LoseUnit(unit) => sim.lose_unit(unit),
            Event::Relate(own, other) => sim.relate(own, other).map(drop),
            Event::Unrelate(own, other) => match sim.relation_between(own, other) {
                Some(relation) => sim.remove_relation(relation),
                None => Ok(()),
            },
            Event::Configure(option, text) => sim.configure("twin", &[(option, text)]),
            Event::Reset(option) => sim.reset("twin", &[option]),
            Event::SetLeader(unit) => sim.set_leader(unit),
            Event::UpdateStatus(unit) => sim.update_status(unit),
            Event::Reboot(unit) => sim.operator().reboot(unit),
            Event::ChangeAddress(unit) => {
                sim.operator().change_address(&unit.parse().expect("the name of a unit"));
                Ok(())
            }
            Event::Upgrade => sim.upgrade("twin", self.charm.clone()),
            Event::Write(unit, position, key, text) => {
                let party = Party::Unit(unit.parse().expect("the name of a unit"));
                self.write(&party, &partner_of(unit), position, key, text)
            }
            Event::WriteForApplication(partner, key, text) => {
                let party = Party::Application(partner.parse().expect("a name"));
                self.write(&party, partner, "0", key, text)
            }
            Event::Kill(_) | Event::Refuse | Event::FailCommit | Event::Run(_) | Event::Settle => Ok(()),
        };
        if let Err(error) = result {
            assert!(matches!(error, SimError::Model(_)), "{event:?}: {error}");
        }
    }

    fn run(&mut self, due: &DueHook) -> HookRun {
        self.sim.run_due(due).expect("a hook can be run").expect("it is due")
    }

    /// What came of a dispatch of the twin; what it told is taken away.
    fn seen(&mut self, run: HookRun) -> Seen {
        let unit = run.unit.to_string();
        let mut seen = Seen {
            outcome: run.outcome,
            log: Vec::new(),
            flags: BTreeSet::new(),
            departed: BTreeSet::new(),
            bags: BTreeMap::new(),
            status: (String::new(), String::new()),
        };
        let Ok(folder) = self.sim.charm_dir(&unit) else { return seen };
        let log = folder.join("twin.log");
        let lines = fs::read_to_string(&log).unwrap_or_default();
        // Nothing was told where it is not there.
        let _ = fs::remove_file(&log);
        seen.log = lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        let told = if self.is_python { told_by_python(&folder) } else { self.told_by_rust(&unit) };
        (seen.flags, seen.departed) = (told.flags, told.departed);
        for relation in self.relations() {
            let databags = [
                self.sim.unit_databag(relation, &unit).expect("a relation"),
                self.sim.application_databag(relation, "twin").expect("a relation"),
            ];
            seen.bags.insert(relation, databags);
        }
        let status = self.sim.unit(&unit).expect("it has a folder").workload;
        seen.status = (status.status, status.message);
        seen
    }

    fn told_by_rust(&self, unit: &str) -> Told {
        let state = self.sim.unit_state(unit).expect("it has a folder");
        let flags = state.get("flags").map_or("[]", String::as_str);
        let records = state.iter().filter_map(|(key, text)| Some((key.strip_prefix("relation/")?, text)));
        let with_departed = records.filter(|(_, text)| text.contains("\"departed\":["));
        let endpoints = with_departed.map(|(id, _)| id.split(':').next().unwrap_or_default().to_owned());
        Told { flags: serde_json::from_str(flags).expect("flags"), departed: endpoints.collect() }
    }

    /// The numbers of all relations of the twin.
    fn relations(&self) -> Vec<u32> {
        let related = RELATIONS.iter().filter_map(|(own, other)| self.sim.relation_between(own, other));
        related.chain(self.sim.relation_between("twin:ring", "twin:ring")).collect()
    }
}

fn told_by_python(folder: &Path) -> Told {
    match fs::read_to_string(folder.join("twin-state.json")) {
        Ok(text) => serde_json::from_str(&text).expect("what the twin tells"),
        Err(_) => Told::default(),
    }
}

/// Both models.
pub(crate) struct Pair {
    python: Side,
    rust: Side,
    random: Random,
    comparison: Comparison,
    retries: BTreeMap<String, usize>,
    /// What happens to the next dispatch of a twin.
    fate: Option<Event>,
    /// What came of each dispatch, in Python and in Rust.
    pub(crate) history: Vec<[Seen; 2]>,
    /// What ended the comparison early: from here on the twins are apart.
    pub(crate) ended_by: Option<Difference>,
}

impl Pair {
    pub(crate) fn new(python: Side, rust: Side, sequence: &Sequence) -> Self {
        Self {
            python,
            rust,
            random: Random::new(sequence.seed),
            comparison: Comparison::new(sequence.program.clone()),
            retries: BTreeMap::new(),
            fate: None,
            history: Vec::new(),
            ended_by: None,
        }
    }

    /// The differences that were recognised, and how often.
    pub(crate) fn counts(&self) -> &Counts {
        self.comparison.counts()
    }

    /// The hook commands that the twin in Python ran, with their answers.
    pub(crate) fn commands_of_python(&self) -> Vec<String> {
        let commands = self.python.sim.events().iter().filter_map(|event| match event {
            charms_reactive_sim::Event::CommandRun { name, args, code, stdout, .. } => {
                // Temporary files have other names each time.
                let is_path = |arg: &&String| !arg.starts_with("/tmp");
                let args: Vec<&String> = args.iter().filter(is_path).collect();
                Some(format!("{name} {args:?} {code} {}", String::from_utf8_lossy(stdout)))
            }
            _ => None,
        });
        commands.collect()
    }

    /// What was said on both sides.
    pub(crate) fn transcripts(&self) -> String {
        let (python, rust) = (self.python.sim.transcript(), self.rust.sim.transcript());
        let errors = self.python.errors.borrow();
        format!("--- Python\n{python}\n--- Rust\n{rust}\n--- printed by Python\n{errors}")
    }

    /// Has everything happen, then all hooks run.
    pub(crate) fn play(&mut self, events: &[Event]) -> Result<(), Mismatch> {
        for event in events.iter().chain([&Event::Settle]) {
            self.python.apply(event);
            self.rust.apply(event);
            self.retries.clear();
            let hooks = match event {
                Event::Run(hooks) => *hooks,
                Event::Settle => SETTLE_MAX,
                Event::Kill(_) | Event::Refuse | Event::FailCommit => {
                    self.fate = Some(event.clone());
                    continue;
                }
                _ => continue,
            };
            let mut is_settled = false;
            for _ in 0..hooks {
                is_settled = !self.run_twin()?;
                if is_settled || self.ended_by.is_some() {
                    break;
                }
            }
            if self.ended_by.is_some() {
                return Ok(());
            }
            if *event == Event::Settle && !is_settled {
                return Err(Mismatch::new("", "the models do not come to rest"));
            }
        }
        Ok(())
    }

    /// Runs hooks up to one of a twin, and compares what came of that; false when nothing is due.
    fn run_twin(&mut self) -> Result<bool, Mismatch> {
        loop {
            let (python, rust) = (self.python.sim.due(), self.rust.sim.due());
            // What twins publish may differ, and partners are told: they do nothing.
            let is_partner = |due: &&DueHook| due.unit.application().as_str() != "twin";
            if let Some(due) = python.iter().filter(is_partner).find(|due| !rust.contains(due)) {
                self.python.run(due);
                continue;
            }
            if let Some(due) = rust.iter().filter(is_partner).find(|due| !python.contains(due)) {
                self.rust.run(due);
                continue;
            }
            if python != rust {
                let reason = format!("other hooks are due, in Python {python:?}, in Rust {rust:?}");
                return Err(Mismatch::new("", &reason));
            }
            let mut due: Vec<&DueHook> = python.iter().filter(|due| !due.is_retry).collect();
            if due.is_empty() {
                due = python.iter().filter(|due| self.is_retried(due)).collect();
            }
            if due.is_empty() {
                return Ok(false);
            }
            let due = self.random.one(&due).clone();
            if due.is_retry {
                *self.retries.entry(due.unit.to_string()).or_default() += 1;
            }
            if is_partner(&&due) {
                self.python.run(&due);
                self.rust.run(&due);
                continue;
            }
            self.compare(&due)?;
            return Ok(true);
        }
    }

    fn is_retried(&self, due: &DueHook) -> bool {
        self.retries.get(&due.unit.to_string()).copied().unwrap_or_default() < RETRIES_MAX
    }

    fn compare(&mut self, due: &DueHook) -> Result<(), Mismatch> {
        let fate = self.fate.take();
        let mut seen = Vec::new();
        for side in [&mut self.python, &mut self.rust] {
            let mut guards = Vec::new();
            match fate.clone() {
                Some(Event::Kill(at)) => guards.push(side.sim.rule(move |command| {
                    if at.is_empty() || command.name == at { Verdict::Kill } else { Verdict::Run }
                })),
                Some(Event::Refuse) => guards.push(side.sim.rule(|command| {
                    let is_of_partner = |arg: &String| arg.contains('/') && !arg.starts_with("twin/");
                    if command.name == "relation-get" && command.args.iter().any(is_of_partner) {
                        Verdict::refuse("cannot read settings: settings not found")
                    } else {
                        Verdict::Run
                    }
                })),
                Some(_) => {
                    let fate = || Fate::FailCommit("the controller is away".to_owned());
                    guards.push(side.sim.hook_rule(move |_| fate()));
                }
                None => {}
            }
            let run = side.run(due);
            drop(guards);
            seen.push(side.seen(run));
        }
        let [python, rust] = <[Seen; 2]>::try_from(seen).expect("two sides");
        let is_leader = self.rust.sim.unit(&due.unit.to_string()).is_ok_and(|unit| unit.leader);
        let compared = self.comparison.compare(due, is_leader, fate.as_ref(), &python, &rust);
        self.history.push([python, rust]);
        self.ended_by = compared?;
        Ok(())
    }
}
