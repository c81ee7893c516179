//! A simulation: what an operator can do, and what can be looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use charms_reactive_core::{ApplicationName, Databag, UnitName};
use charms_reactive_hookcmd::commands::Party;
use tempfile::TempDir;

use crate::agent::Agents;
use crate::builder::Builder;
use crate::charm::{CharmSource, InProcess, Yaml};
use crate::choose::Due;
use crate::clock::Clock;
use crate::error::{ModelError, SimError};
use crate::event::Event;
use crate::explore::Seen;
use crate::metadata::Charm;
use crate::model::{Life, Model, StatusEntry};
use crate::operator::{Operator, acted};
use crate::outside::Outside;
use crate::rule::{Boundary, Command, Fate, RuleGuard, Rules, Verdict};
use crate::status::{Status, open_ports};
use crate::step::Names;
use crate::transcript::transcript;

/// How processes are run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path_tail: String,
    pub(crate) hook_limit: Duration,
    pub(crate) connection_limit: Duration,
    pub(crate) retries_max: u32,
    pub(crate) hooks_max: usize,
    /// Whether charms are asked to trace their handlers.
    pub(crate) is_recording: bool,
    /// Where the page of a failing test goes.
    pub(crate) page: Option<PathBuf>,
    /// Where it goes when the test does not say.
    pub(crate) page_folder: Option<PathBuf>,
}

/// A simulated Juju model that runs real hook binaries.
///
/// Nothing happens by itself: the calls of an operator ([`Sim::deploy`], [`Sim::relate`] and so on)
/// change the model, and [`Sim::settle`] or [`Sim::step`] run the hooks that are due then.
///
/// # Guarantees
///
/// - The same seed, charms and calls give the same order of hooks.
/// - One process of a charm runs at a time, as under one machine lock for the whole model.
/// - A charm gets the environment that Juju documents, and nothing of the caller's; where a run is recorded
///   also the place for its trace ([`Builder::record`]).
/// - A test that panics while it has one says the seed, and the command that runs the test again; it leaves
///   the page of the run ([`Sim::page`]) where [`Builder::page_on_panic`] or [`crate::PAGE_VARIABLE`] say.
#[derive(Debug)]
pub struct Sim {
    pub(crate) seed: u64,
    pub(crate) model: Model,
    pub(crate) agents: Agents,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) rules: Rules,
    pub(crate) due: Due,
    /// What is asked for from outside of hooks.
    pub(crate) outside: Outside,
    /// The unit whose agent was interrupted in a hook, and comes back to it.
    pub(crate) interrupted: Option<UnitName>,
    /// What steps call by names of their own.
    pub(crate) names: Names,
    /// The states that were reached, where every order is gone through.
    pub(crate) seen: Option<Seen>,
    /// What rolled back hooks left behind, where somebody watches.
    pub(crate) traces: Option<String>,
    /// How many charms were given as texts.
    charms_written: usize,
    _temporary: Option<TempDir>,
}

/// What can be known of a unit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UnitView {
    /// Its name.
    pub name: UnitName,
    /// How far its life is.
    pub life: Life,
    /// Whether it leads.
    pub leader: bool,
    /// What the charm said about the workload.
    pub workload: StatusEntry,
    /// What the agent does: `allocating`, `idle` or `error`.
    pub agent: StatusEntry,
    /// The version of the workload.
    pub version: String,
    /// The open ports, for example `80/tcp`.
    pub ports: Vec<String>,
    /// Its address.
    pub address: String,
    /// The hook that failed and holds back all others, and why it failed.
    pub failed_hook: Option<FailedHook>,
}

/// A hook that failed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FailedHook {
    /// Its name.
    pub hook: String,
    /// How often it was run.
    pub attempts: u32,
    /// How it ended the last time.
    pub error: String,
}

impl Sim {
    /// The settings of a simulation to be made.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        seed: u64,
        model: Model,
        agents: Agents,
        settings: Settings,
        clock: Clock,
        temporary: Option<TempDir>,
    ) -> Self {
        Self {
            seed,
            model,
            agents,
            settings,
            clock,
            rules: Rules::default(),
            due: Due::default(),
            outside: Outside::default(),
            interrupted: None,
            names: Names::default(),
            seen: None,
            traces: None,
            charms_written: 0,
            _temporary: temporary,
        }
    }

    /// A simulation with this seed, for charms in process; [`Sim::builder`] has more to choose.
    ///
    /// # Panics
    ///
    /// When the system gives no temporary folder.
    pub fn from_seed(seed: u64) -> Self {
        Builder::default().seed(seed).build().expect("a temporary folder can be made")
    }

    /// The seed that decides what Juju leaves open.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Deploys a charm under a name, with some units; the first one leads.
    ///
    /// The charm is a folder, of which each unit gets a copy (the folder itself is needed again when a
    /// unit is added later), or a function of this program: [`InProcess`].
    pub fn deploy(&mut self, name: &str, charm: impl Into<CharmSource>, units: u32) -> Result<(), SimError> {
        let name = ApplicationName::parse(name)?;
        let charm = self.read(charm.into())?;
        self.act(format!("deploy {name}, {}", counted(units)), |sim| {
            sim.model.add_application(&name, charm)?;
            sim.warn_of(&name);
            (0..units).try_for_each(|_| sim.place_unit(&name).map(drop))
        })
    }

    /// Tells what Juju takes of a charm without a word.
    pub(crate) fn warn_of(&mut self, name: &ApplicationName) {
        let Ok(application) = self.model.application(name) else { return };
        let charm = &application.charm;
        let mut warnings = Vec::new();
        let has_hooks = || {
            let hooks = std::fs::read_dir(charm.folder.join("hooks"));
            hooks.is_ok_and(|mut entries| entries.next().is_some())
        };
        if charm.function.is_none() && !charm.folder.join("dispatch").exists() && !has_hooks() {
            let text = format!(
                "the charm of {name} has neither `dispatch` nor `hooks`, so that every hook is skipped"
            );
            warnings.push(text);
        }
        if charm.function.is_none() && self.model.juju.refuses_charms_without_bases() && !charm.has_bases {
            let version = self.model.juju;
            warnings.push(format!(
                "the charm of {name} has no bases in `manifest.yaml`, so that Juju {version} would refuse it"
            ));
        }
        for text in warnings {
            self.model.journal.record(Event::Warned { text });
        }
    }

    /// Reads a charm.
    pub(crate) fn read(&mut self, source: CharmSource) -> Result<Charm, SimError> {
        let InProcess { yaml, function, files } = match source {
            CharmSource::Folder(folder) => return Ok(Charm::read(&folder)?),
            CharmSource::InProcess(charm) => charm,
        };
        let folder = match yaml {
            Yaml::Folder(folder) => folder,
            Yaml::Texts(texts) => {
                self.charms_written += 1;
                self.agents.write_charm(self.charms_written, &texts)?
            }
        };
        let charm = Charm::read(&folder)?;
        let is_copied = files.is_some();
        Ok(Charm { function: Some(function), is_copied, folder: files.unwrap_or(folder), ..charm })
    }

    /// Adds a unit to an application.
    pub fn add_unit(&mut self, application: &str) -> Result<UnitName, SimError> {
        let name = ApplicationName::parse(application)?;
        self.act(format!("add a unit to {application}"), |sim| sim.place_unit(&name))
    }

    /// Adds a unit, as part of something that is told.
    pub(crate) fn place_unit(&mut self, application: &ApplicationName) -> Result<UnitName, SimError> {
        let unit = self.model.add_unit(application)?;
        let charm = Rc::clone(&self.model.unit(&unit)?.charm);
        self.agents.deploy(&unit, &charm, None)?;
        self.model.unit_mut(&unit)?.has_files = true;
        Ok(unit)
    }

    /// Relates two endpoints, each `application:endpoint`, or only `application` where one pair fits.
    ///
    /// Gives the number of the relation.
    pub fn relate(&mut self, one: &str, other: &str) -> Result<u32, SimError> {
        self.operator().relate(one, other)
    }

    /// Has a relation go.
    pub fn remove_relation(&mut self, relation: u32) -> Result<(), SimError> {
        self.operator().remove_relation(relation)
    }

    /// Has a unit go.
    pub fn remove_unit(&mut self, unit: &str) -> Result<(), SimError> {
        self.operator().remove_unit(unit)
    }

    /// Has an application go, with its units and relations.
    pub fn remove_application(&mut self, application: &str) -> Result<(), SimError> {
        let name = ApplicationName::parse(application)?;
        self.model.act(format!("remove {name}"), |model| Ok(model.remove_application(&name)?))
    }

    /// Sets options from texts, which are read by the options' types; all or none.
    pub fn configure(&mut self, application: &str, options: &[(&str, &str)]) -> Result<(), SimError> {
        self.operator().configure(application, options)
    }

    /// Gives options their defaults again; all or none.
    pub fn reset(&mut self, application: &str, options: &[&str]) -> Result<(), SimError> {
        let name = ApplicationName::parse(application)?;
        self.model.act(format!("reset {application} {}", options.join(" ")), |model| {
            Ok(model.application_mut(&name)?.reset(options)?)
        })
    }

    /// Has another unit lead its application.
    pub fn set_leader(&mut self, unit: &str) -> Result<(), SimError> {
        self.operator().set_leader(unit)
    }

    /// Gives an application another charm; each unit takes it over with its next hook.
    pub fn upgrade(&mut self, application: &str, charm: impl Into<CharmSource>) -> Result<(), SimError> {
        let name = ApplicationName::parse(application)?;
        let charm = Rc::new(self.read(charm.into())?);
        for relation in self.model.relations.values() {
            let end = relation.end(&name).filter(|_| !relation.is_implicit(&name));
            let is_kept = |end: &crate::model::End| {
                charm.metadata.endpoint(&end.endpoint).is_some_and(|endpoint| {
                    endpoint.role == end.role && endpoint.interface == relation.interface
                })
            };
            if let Some(end) = end.filter(|end| !is_kept(end)) {
                return Err(ModelError::UpgradeBreaks { endpoint: end.to_string() }.into());
            }
        }
        let is_left = self.model.juju.keeps_config_by_charm();
        self.model.act(format!("upgrade {name}"), |model| {
            model.application_mut(&name)?.upgrade(charm, is_left);
            model.add_peer_relations(&name);
            model.add_missing_storage(&name);
            model.roll_pods(&name);
            Ok(())
        })
    }

    /// Has something done to the model, and told before what follows from it; nothing when it is refused.
    pub(crate) fn act<T>(
        &mut self,
        what: String,
        act: impl FnOnce(&mut Self) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        self.model.journal.hold();
        let result = act(self);
        self.model.journal.release(result.is_ok().then(|| acted(what)));
        result
    }

    /// A hand on the model, for what happens to it besides hooks: reboots, other addresses, lost units.
    pub fn operator(&mut self) -> Operator<'_> {
        Operator::new(&mut self.model)
    }

    /// Loses a unit with its machine: no hook of it runs any more, others see it depart.
    pub fn lose_unit(&mut self, unit: &str) -> Result<(), SimError> {
        self.operator().lose_unit(unit)?;
        self.remove_agent(&UnitName::parse(unit)?);
        Ok(())
    }

    /// Has `judge` say of every hook command what becomes of it, until the guard is dropped.
    ///
    /// Of several rules, the first that says something else than [`Verdict::Run`] counts.
    pub fn rule(&mut self, judge: impl FnMut(&Command<'_>) -> Verdict + 'static) -> RuleGuard {
        self.rules.add_command(judge)
    }

    /// Has `judge` say of every hook what becomes of it, until the guard is dropped.
    pub fn hook_rule(&mut self, judge: impl FnMut(&Boundary<'_>) -> Fate + 'static) -> RuleGuard {
        self.rules.add_hook(judge)
    }

    /// Has the charm killed that asks for a hook command after `commands` more; once.
    pub fn kill_at(&mut self, commands: usize) {
        let at = self.commands_asked() + commands;
        self.rule(move |command| if command.total == at { Verdict::Kill } else { Verdict::Run }).keep();
    }

    /// Has every hook that does not end well looked at for what it left behind.
    pub(crate) fn watch_rollbacks(&mut self) {
        self.traces = Some(String::new());
    }

    /// What hooks left behind that did not end well.
    pub(crate) fn traces(&self) -> &str {
        self.traces.as_deref().unwrap_or_default()
    }

    /// How many hook commands were asked for so far.
    pub fn commands_asked(&self) -> usize {
        self.rules.commands_asked()
    }

    /// Has the timer of `update-status` fire for a unit; the hook runs when nothing else is due.
    pub fn update_status(&mut self, unit: &str) -> Result<(), SimError> {
        self.model.act(format!("let the timer of {unit} fire"), |model| {
            model.unit_mut(&UnitName::parse(unit)?)?.is_update_status_due = true;
            Ok(())
        })
    }

    /// A copy of a databag of a relation; an empty one for a party that is not in it.
    pub fn databag(&self, relation: u32, party: &Party) -> Result<Databag, SimError> {
        let relation = self.model.relation(relation)?;
        let bag = match party {
            Party::Unit(unit) => relation.unit_bags.get(unit),
            Party::Application(application) => relation.application_bags.get(application),
        };
        Ok(bag.map(|bag| bag.databag.clone()).unwrap_or_default())
    }

    /// The databag of a unit, by its name.
    pub fn unit_databag(&self, relation: u32, unit: &str) -> Result<Databag, SimError> {
        self.databag(relation, &Party::Unit(UnitName::parse(unit)?))
    }

    /// The databag of an application, by its name.
    pub fn application_databag(&self, relation: u32, application: &str) -> Result<Databag, SimError> {
        self.databag(relation, &Party::Application(ApplicationName::parse(application)?))
    }

    /// The state that a unit keeps with Juju.
    pub fn unit_state(&self, unit: &str) -> Result<BTreeMap<String, String>, SimError> {
        Ok(self.model.unit(&UnitName::parse(unit)?)?.state.clone())
    }

    /// What can be known of a unit.
    pub fn unit(&self, unit: &str) -> Result<UnitView, SimError> {
        let unit = self.model.unit(&UnitName::parse(unit)?)?;
        Ok(UnitView {
            name: unit.name.clone(),
            life: unit.life,
            leader: self.model.is_leader(&unit.name),
            workload: unit.workload.clone(),
            agent: unit.agent_status(),
            version: unit.workload_version.clone(),
            ports: open_ports(unit),
            address: unit.address.to_string(),
            failed_hook: unit.failed.as_ref().map(|failed| FailedHook {
                hook: failed.hook.event.to_string(),
                attempts: failed.attempts,
                error: failed.error.clone(),
            }),
        })
    }

    /// The folder with a unit's copy of its charm.
    pub fn charm_dir(&self, unit: &str) -> Result<PathBuf, SimError> {
        Ok(self.agents.charm(&self.model.unit(&UnitName::parse(unit)?)?.name))
    }

    /// The model as `juju status` would show it.
    pub fn status(&self) -> Status {
        Status::of(&self.model)
    }

    /// Has `observer` told about everything that happens from now on.
    pub fn observe(&mut self, observer: Box<dyn FnMut(&Event)>) {
        self.model.journal.observe(observer);
    }

    /// All that has happened.
    pub fn events(&self) -> &[Event] {
        self.model.journal.events()
    }

    /// All that has happened, as text.
    pub fn transcript(&self) -> String {
        transcript(self.events())
    }
}

/// How many units, in words.
pub(crate) fn counted(units: u32) -> String {
    if units == 1 { "1 unit".to_owned() } else { format!("{units} units") }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // The test that made it fails: its seed is what somebody needs who wants to see it again.
        if std::thread::panicking() {
            crate::seed::tell(self.seed);
            self.leave_page();
        }
    }
}
