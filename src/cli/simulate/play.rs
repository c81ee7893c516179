//! One run of a scenario, with one seed.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use charms_reactive_sim::{
    ActionResult, Deployment, Done, Event, Findings, JujuVersion, ModelError, Sim, SimError, Step,
};
use serde::Serialize;
use tempfile::TempDir;

use super::charm::Charms;
use super::error::SimulateError;
use super::expect::{Difference, Expectation};
use super::scenario::{Application, Check, Entry, Scenario, What, is_path, storage_count};
use crate::report::{self, Live};

/// Where Juju has its agents; what a charm is told of its folder is shown so.
const ROOT: &str = "/var/lib/juju";

/// A scenario that can be run, with all that it is made of.
pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) charms: &'a Charms,
    /// The folder that paths in it are relative to.
    pub(super) folder: &'a Path,
    /// Overrides the scenario's.
    pub(super) juju: Option<JujuVersion>,
    /// Whether each step is told.
    pub(super) is_told: bool,
    /// Whether charms are asked why their handlers do not run.
    pub(super) is_recorded: bool,
    /// What is observed; the scenario's own choice without this.
    pub(super) checks: Vec<Check>,
}

/// A run, as far as it went.
pub(super) struct Played {
    pub(super) seed: u64,
    pub(super) sim: Sim,
    pub(super) problems: Vec<Problem>,
    pub(super) hooks: usize,
    findings: Vec<Findings>,
    action: Option<ActionResult>,
    /// The units that the scenario expects in error.
    errors: BTreeSet<String>,
    counted: Rc<Cell<usize>>,
    root: TempDir,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// The line of the scenario, where it is known.
    pub(super) line: Option<usize>,
    /// The step, as the scenario has it.
    pub(super) step: Option<String>,
    /// What is wrong.
    pub(super) reason: String,
    /// What differs from what was expected.
    pub(super) differences: Vec<Difference>,
    /// What may help.
    pub(super) hint: Option<String>,
}

impl Problem {
    fn new(reason: impl Into<String>) -> Self {
        Self { line: None, step: None, reason: reason.into(), differences: Vec::new(), hint: None }
    }

    /// What is wrong, with what differs.
    pub(super) fn text(&self) -> String {
        let lines = self.differences.iter().map(|difference| format!("\n{difference}"));
        std::iter::once(self.reason.clone()).chain(lines).collect()
    }
}

impl Stage<'_> {
    /// Runs the scenario from its beginning to its end, or to the first step that is not as it should be.
    pub(super) fn play(&self, seed: u64) -> Result<Played, SimulateError> {
        let mut played = self.begin(seed)?;
        played.enter(&self.scenario.steps, self.is_told);
        if played.problems.is_empty() {
            played.end();
        }
        Ok(played)
    }

    /// The model with all that the bundle deploys, and no hook run.
    pub(super) fn begin(&self, seed: u64) -> Result<Played, SimulateError> {
        let simulation = |source| SimulateError::Simulation { source: Box::new(source) };
        // Short, because a path of a socket must be.
        let root = tempfile::Builder::new()
            .prefix("juju-")
            .tempdir()
            .map_err(|source| SimulateError::Write { path: std::env::temp_dir(), source })?;
        let program = std::env::current_exe()
            .map_err(|source| SimulateError::Read { path: "charms-reactive".into(), source })?;
        let written = self.scenario.juju.as_deref().and_then(|text| text.parse().ok());
        let builder = Sim::builder()
            .seed(seed)
            .record(self.is_recorded)
            .juju_version(self.juju.or(written).unwrap_or_default())
            .program(program)
            .folder(root.path());
        let builder = if self.scenario.kubernetes { builder.kubernetes() } else { builder };
        let mut sim = builder.build().map_err(simulation)?;
        let findings = self.checks.iter().map(|check| match check {
            Check::Leaders => sim.check_leaders(),
            Check::Writes => sim.check_writes(),
            Check::Statuses => sim.check_statuses(),
        });
        let findings = findings.collect();
        let counted = Rc::new(Cell::new(0));
        watch(&mut sim, Rc::clone(&counted));
        for (name, charm) in &self.scenario.charms {
            sim.name_charm(name, self.charms.folder(charm));
        }
        for (name, application) in &self.scenario.applications {
            self.deploy(&mut sim, name, application)?;
        }
        for (one, other) in &self.scenario.relations {
            sim.relate(one, other).map_err(|source| SimulateError::Deploy {
                what: format!("{one} {other}"),
                source: Box::new(source),
            })?;
        }
        Ok(Played {
            seed,
            sim,
            problems: Vec::new(),
            hooks: 0,
            findings,
            action: None,
            errors: BTreeSet::new(),
            counted,
            root,
        })
    }

    fn deploy(&self, sim: &mut Sim, name: &str, application: &Application) -> Result<(), SimulateError> {
        let deployment = |units| -> Result<Deployment, SimulateError> {
            let mut deployment = Deployment::units(units);
            for (option, text) in &application.options {
                deployment = deployment.config(option, self.included(text)?);
            }
            for (storage, text) in &application.storage {
                deployment = deployment.storage(storage, storage_count(text).unwrap_or(1));
            }
            for (resource, text) in &application.resources {
                deployment = if is_path(text) {
                    deployment.resource(resource, read(&self.folder.join(text))?)
                } else {
                    deployment.resource(resource, text.as_bytes())
                };
            }
            Ok(if application.trust { deployment.trust() } else { deployment })
        };
        let charm = self.charms.folder(&application.charm);
        let deployed = match application.num_units {
            Some(units) => sim.deploy_with(name, charm, &deployment(units)?),
            // The units of a subordinate come with their principals.
            None => match sim.deploy_with(name, charm, &deployment(1)?) {
                Err(SimError::Model(ModelError::Subordinate { .. })) => {
                    sim.deploy_with(name, charm, &deployment(0)?)
                }
                other => other,
            },
        };
        deployed.map_err(|source| SimulateError::Deploy { what: name.to_owned(), source: Box::new(source) })
    }

    /// The text of an option, or of the file that it names.
    fn included(&self, text: &str) -> Result<String, SimulateError> {
        let Some(file) = text.strip_prefix("include-file://") else { return Ok(text.to_owned()) };
        let path = self.folder.join(file);
        fs::read_to_string(&path).map_err(|source| SimulateError::Read { path, source })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SimulateError> {
    fs::read(path).map_err(|source| SimulateError::Read { path: path.to_owned(), source })
}

/// Counts hooks, and shows them at a terminal while they run.
fn watch(sim: &mut Sim, counted: Rc<Cell<usize>>) {
    let live = Live::new();
    sim.observe(Box::new(move |event| {
        if let Event::HookStarted { unit, hook, .. } = event {
            counted.set(counted.get() + 1);
            live.show("Hook", &format!("{} {unit} {hook}", counted.get()));
        }
    }));
}

impl Played {
    /// Runs steps, up to the first that is not as it should be.
    pub(super) fn enter(&mut self, entries: &[Entry], is_told: bool) {
        for (index, entry) in entries.iter().enumerate() {
            let place = format!("{}/{}", index + 1, entries.len());
            let before = self.counted.get();
            let problem = match &entry.what {
                What::Step(step) => self.step(step),
                What::Expect(expectation) => self.expect(expectation),
            };
            if is_told {
                Live::clear();
                tell(entry, &place, self.counted.get() - before, problem.is_some());
            }
            if let Some(problem) = problem {
                let step = Some(format!("step {place}, `{}`", short(&entry.to_string())));
                self.problems.push(Problem { line: entry.line, step, ..problem });
                break;
            }
        }
        self.hooks = self.counted.get();
    }

    fn step(&mut self, step: &Step) -> Option<Problem> {
        match step.run(&mut self.sim) {
            Ok(Done::Action(action)) => {
                self.action = Some(action);
                None
            }
            Ok(_) => None,
            Err(error) => Some(Problem::new(with_causes(&error))),
        }
    }

    fn expect(&mut self, expectation: &Expectation) -> Option<Problem> {
        let differences = expectation.differences(&self.sim, self.action.as_ref());
        if differences.is_empty() {
            self.errors = expectation.errors().map(str::to_owned).collect();
            return None;
        }
        let hint = (!self.sim.is_at_rest()).then(|| "hooks are due: put `- settle` before it".to_owned());
        Some(Problem { differences, hint, ..Problem::new("not as expected") })
    }

    /// Has the model come to rest, and looks for what should be in no model.
    pub(super) fn end(&mut self) {
        if let Err(error) = self.sim.settle() {
            self.problems.push(Problem::new(with_causes(&error)));
        }
        self.hooks = self.counted.get();
        Live::clear();
        for unit in self.sim.status().units {
            let application = unit.name.split('/').next().unwrap_or_default();
            let is_expected = [unit.name.as_str(), &format!("{application}/*"), application]
                .iter()
                .any(|name| self.errors.contains(*name));
            let Ok(view) = self.sim.unit(&unit.name) else { continue };
            let Some(failed) = view.failed_hook.filter(|_| !is_expected) else { continue };
            let last = self.last_words(&unit.name);
            let reason =
                format!("{} is left in error: {} failed, {}{last}", unit.name, failed.hook, failed.error);
            let hint = "where that is meant, expect it: `- expect: {status: {UNIT: error}}`".to_owned();
            self.problems.push(Problem { hint: Some(hint), ..Problem::new(reason) });
        }
        let findings = self.findings.iter().flat_map(Findings::lines);
        self.problems.extend(findings.map(Problem::new));
    }

    /// The last line that a unit's charm wrote to standard error.
    fn last_words(&self, unit: &str) -> String {
        let said = self.sim.events().iter().rev().find_map(|event| match event {
            Event::Output { unit: other, stream: charms_reactive_sim::Stream::Stderr, line }
                if other.to_string() == unit =>
            {
                Some(line.clone())
            }
            _ => None,
        });
        said.map(|line| format!("; it said: {line}")).unwrap_or_default()
    }

    /// What of a whole expectation is not so now.
    pub(super) fn hold(&mut self, expectation: &Expectation) {
        let differences = expectation.differences(&self.sim, self.action.as_ref());
        if !differences.is_empty() {
            self.problems.push(Problem { differences, ..Problem::new("not as expected") });
        }
    }

    /// A text in which the folder of this run is where Juju has it.
    pub(super) fn shown(&self, text: &str) -> String {
        text.replace(&*self.root.path().to_string_lossy(), ROOT)
    }
}

fn tell(entry: &Entry, place: &str, hooks: usize, is_wrong: bool) {
    let hooks = if hooks == 0 { String::new() } else { format!(" ({})", counted(hooks, "hook")) };
    let (verb, what) = match &entry.what {
        What::Step(Step::Settle) => ("Settled", String::new()),
        What::Step(step) => ("Ran", format!(" {}", short(&step.to_string()))),
        What::Expect(expectation) => ("Checked", format!(" {}", short(&expectation.subject()))),
    };
    let verb = if is_wrong { "Failed" } else { verb };
    report::step(verb, &format!("{place}{what}{hooks}"));
}

/// A number of things, in words.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A text that fits on a line.
pub(super) fn short(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let line = text.split('\n').next().unwrap_or_default();
    let cut: String = line.chars().take(CHARS_MAX).collect();
    if cut.len() < text.len() { cut + "..." } else { cut }
}

/// An error with its causes, on one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
