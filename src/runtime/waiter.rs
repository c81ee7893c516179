//! Waiters in a charm, without any server: units of a peer relation check in, the leader decides.
//!
//! ```text
//!   each unit     check_in ─────► its own databag    {"/ready": "10.0.0.7"}
//!   the leader    counts, decides, latches ─────► the application's databag
//!   each unit     mirrors what is latched there ─────► flags waiter.NAME.success, ...
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use charms_reactive_core::Role;
//! use charms_reactive_runtime::EndpointKey;
//! use charms_reactive_runtime::prelude::*;
//! use charms_reactive_runtime::waiter::{WaiterKey, Waiters};
//!
//! const CLUSTER: EndpointKey<Waiters> = EndpointKey::new("cluster", Role::Peer, "waiters");
//! const BOOTSTRAP: WaiterKey = WaiterKey::new("bootstrap");
//!
//! fn app() -> App {
//!     App::new(Charm::default().endpoint(CLUSTER))
//!         .handler(prepare, on(HookEvent::Start))
//!         .handler(declare, when(IS_LEADER))
//!         .handler(go, when(BOOTSTRAP.success()))
//! }
//!
//! fn prepare(hook: &mut Hook) -> Result<(), HandlerError> {
//!     Ok(hook.endpoint(CLUSTER).check_in("/ready", "10.0.0.7")?)
//! }
//!
//! fn declare(hook: &mut Hook) -> Result<(), HandlerError> {
//!     let waiters = hook.endpoint(CLUSTER);
//!     let bootstrap = waiters.waiter(BOOTSTRAP).success("/ready", 3).failure("/failed", 2);
//!     Ok(bootstrap.timeout(Duration::from_mins(6)).declare()?)
//! }
//!
//! fn go(hook: &mut Hook) -> Result<(), HandlerError> {
//!     Ok(hook.status(Active("three units are ready")))
//! }
//! ```
//!
//! # Guarantees
//!
//! - A waiter ends once, the same way for all units: its outcome is latched in the application's databag,
//!   which Juju lets the leader alone write, and commits with the dispatch that decided.
//! - A new leader goes on with the same waiter and the same deadline.
//! - A unit that left counts no more; an outcome that is latched stays.
//!
//! # What it costs
//!
//! Nothing where nobody waits.  While a waiter waits, each dispatch of the leader reads the databags of all
//! units, and each dispatch of another unit that of the application.
//!
//! # What it does not promise
//!
//! A charm cannot wake itself: a deadline is noticed by the leader's next dispatch, at the latest by
//! `update-status`; with a daemon ([`crate::App::daemon`]) that wakes the unit, at once.  What was checked in when
//! the leader looks is counted, even past the deadline.

mod check_in;
mod declaration;
mod key;
mod record;
mod service;

use std::collections::BTreeMap;
use std::time::Duration;

use charms_reactive_core::waiter::{Moment, Outcome, PathError, VariablePath};
use charms_reactive_core::{Databag, HookEvent, RelationEvent, Role, UnitName, json};
use charms_reactive_hookcmd::CommandError;
use charms_reactive_hookcmd::commands::Party;
use charms_reactive_waiters::Tree;

use crate::endpoint::Endpoint;
use crate::handler::HandlerError;
use crate::interface::{Interface, Manage};
use crate::relation::Relation;
use crate::wake::{self, When};

pub use check_in::{CHECK_IN_BYTES_MAX, UNIT_KEY};
pub use declaration::{Declaration, TIMEOUT_DEFAULT};
pub use key::WaiterKey;
pub use record::{APPLICATION_KEY, RECORDS_BYTES_MAX};

use check_in::CheckIns;
use record::{Record, Records};
use service::Service;

/// Why a waiter could not be declared, or a unit not check in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaiterError {
    /// Juju gave no answer.
    #[error("cannot reach Juju")]
    Command(#[from] CommandError),
    /// The path is none.
    #[error("path `{text}` cannot be used")]
    Path {
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: PathError,
    },
    /// The text is too long.
    #[error("text of {bytes} bytes under `{path}` is too long, expected at most {CHECK_IN_BYTES_MAX}")]
    Text {
        /// Where it was to be.
        path: VariablePath,
        /// How long it is.
        bytes: usize,
    },
    /// A waiter without a condition of success.
    #[error("waiter `{name}` has no condition of success, expected `success` or `success_of_all`")]
    NoSuccess {
        /// Which.
        name: &'static str,
    },
    /// A waiter whose time is over at once, or never.
    #[error("waiter `{name}` waits {timeout:?}, expected more than none, and an end before the year 10000")]
    Timeout {
        /// Which.
        name: &'static str,
        /// How long it was to wait.
        timeout: Duration,
    },
    /// So many waiters that Juju would not take them.
    #[error(
        "waiters of {bytes} bytes are too many, expected at most {RECORDS_BYTES_MAX}; forget some that ended"
    )]
    Full {
        /// How long they are.
        bytes: usize,
    },
}

/// How far a waiter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many units have checked in under the path of success.
    pub count: u32,
    /// How many have to.
    pub number: u32,
    /// How much time is left; none when it is over.
    pub remaining: Duration,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl std::fmt::Display for Progress {
    /// For a status: `2/3, 4m10s left`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.count, self.number)?;
        if let Some(outcome) = self.outcome {
            return write!(f, ", {}", outcome.as_str());
        }
        let seconds = self.remaining.as_secs();
        write!(f, ", {}m{:02}s left", seconds / 60, seconds % 60)
    }
}

/// Whose turn it is, where units go one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This unit's.
    Ours,
    /// Not before this unit has checked in.
    After(UnitName),
}

/// Waiters on a peer relation.
#[derive(Clone, Debug)]
pub struct Waiters {
    endpoint: Endpoint,
}

impl Interface for Waiters {
    /// Any: a charm may have other things to say on the same relation.
    const INTERFACE: &'static str = "";
    const ROLE: Option<Role> = Some(Role::Peer);

    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }
}

impl Waiters {
    /// Checks this unit in: puts `text` under `path` into its databag.
    ///
    /// The variable that counts is `path/UNIT`, so that a unit counts once under a path however often it
    /// checks in.  Before the relation is there, what is said is kept and published as soon as it is.
    ///
    /// # Errors
    ///
    /// [`WaiterError::Path`] and [`WaiterError::Text`].
    pub fn check_in(&self, path: &str, text: &str) -> Result<(), WaiterError> {
        let path = parsed(path)?;
        if text.len() > CHECK_IN_BYTES_MAX {
            return Err(WaiterError::Text { path, bytes: text.len() });
        }
        self.say(path, Some(text))
    }

    /// Takes a check-in back.
    pub fn check_out(&self, path: &str) -> Result<(), WaiterError> {
        self.say(parsed(path)?, None)
    }

    /// Begins to declare a waiter; nothing happens before [`Declaration::declare`].
    pub fn waiter(&self, key: WaiterKey) -> Declaration<'_> {
        Declaration::new(self, key)
    }

    /// Removes a waiter, so that it can be declared anew: its flags are cleared, on all units.
    ///
    /// Only the leader can; of another unit it does nothing.
    pub fn forget(&self, key: WaiterKey) -> Result<(), WaiterError> {
        let Some(relation) = self.led_relation()? else { return Ok(()) };
        let Some(mut records) = self.records(&relation)? else { return Ok(()) };
        if records.0.remove(key.name()).is_some() {
            self.write(&relation, &records)?;
            if let Some(service) = self.service() {
                service.forget(key.name());
            }
        }
        Ok(())
    }

    /// What each unit said under a path, this one included.
    pub fn texts(&self, path: &str) -> Result<BTreeMap<UnitName, String>, WaiterError> {
        let path = parsed(path)?;
        let Some(relation) = self.relation()? else { return Ok(BTreeMap::new()) };
        let said = self.all_check_ins(&relation)?.into_iter();
        Ok(said.filter_map(|(unit, check_ins)| Some((unit, check_ins.text(&path)?.to_owned()))).collect())
    }

    /// How far a waiter is; None where it is not declared, or not known here yet.
    pub fn progress(&self, key: WaiterKey) -> Result<Option<Progress>, WaiterError> {
        let Some(relation) = self.relation()? else { return Ok(None) };
        let Some(records) = self.records(&relation)? else { return Ok(None) };
        let Some(record) = records.0.get(key.name()) else { return Ok(None) };
        let tree = self.tree(&relation)?;
        let waiter = record.waiter();
        Ok(Some(Progress {
            count: tree.count(&waiter.success.path),
            number: waiter.success.number,
            remaining: waiter.deadline().since(self.now()),
            outcome: record.outcome,
        }))
    }

    /// Whose turn it is, where units do something one after another, in order of their numbers: a rolling
    /// start or restart.
    ///
    /// A unit that has had its turn checks in under `path` with `text`; with another text, all go again.
    /// Goes by the units that Juju plans to have, so that nobody goes first because others are late.
    ///
    /// ```
    /// # use charms_reactive_runtime::prelude::*;
    /// # use charms_reactive_runtime::waiter::{Turn, Waiters};
    /// fn restart(hook: &mut Hook, cluster: &Waiters, revision: &str) -> Result<(), HandlerError> {
    ///     match cluster.turn("/restarted", revision)? {
    ///         Turn::After(unit) => hook.status(Waiting(format!("restarting after {unit}"))),
    ///         Turn::Ours => cluster.check_in("/restarted", revision)?,
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn turn(&self, path: &str, text: &str) -> Result<Turn, WaiterError> {
        let path = parsed(path)?;
        let dispatch = &self.endpoint.dispatch;
        let own = &dispatch.context.unit;
        let mut before = dispatch.model.goal_state()?.planned_units();
        before.retain(|unit| unit.application() == own.application() && unit < own);
        before.sort();
        let relation = self.relation()?;
        let in_service = self.service().map(|service| service.check_ins());
        for unit in before {
            let said = match (&in_service, &relation) {
                (Some(all), _) => all.get(&unit).cloned().unwrap_or_default(),
                (None, Some(relation))
                    if relation.joined_units()?.iter().any(|there| *there.unit_name() == unit) =>
                {
                    self.check_ins_of(relation, &unit)?
                }
                _ => CheckIns::default(),
            };
            if said.text(&path) != Some(text) {
                return Ok(Turn::After(unit));
            }
        }
        Ok(Turn::Ours)
    }

    /// Publishes a text once for the whole application, and gives what is published: what `make` made in
    /// the first call of all, for good.  None where it is not known here yet.
    ///
    /// Only the leader makes it.  The text is under `key` in the application's databag.
    pub fn once(&self, key: &str, make: impl FnOnce() -> String) -> Result<Option<String>, WaiterError> {
        let Some(relation) = self.relation()? else { return Ok(None) };
        let published = relation.to_publish_app();
        if let Some(text) = published.read()?.text(key) {
            return Ok(Some(text.to_owned()));
        }
        if !self.endpoint.dispatch.model.is_leader()? {
            return Ok(None);
        }
        let text = make();
        published.set_text(key, &text)?;
        Ok(Some(text))
    }

    /// The endpoint itself.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn now(&self) -> Moment {
        self.endpoint.dispatch.context.now
    }

    /// The one relation of a peer endpoint; None before it is there, and when it is gone.
    fn relation(&self) -> Result<Option<Relation>, CommandError> {
        Ok(self.endpoint.relations()?.iter().next().cloned())
    }

    /// The relation, when this unit leads.
    fn led_relation(&self) -> Result<Option<Relation>, CommandError> {
        let Some(relation) = self.relation()? else { return Ok(None) };
        Ok(self.endpoint.dispatch.model.is_leader()?.then_some(relation))
    }

    /// The waiters of the application; None when they cannot be read: then nothing is decided.
    fn records(&self, relation: &Relation) -> Result<Option<Records>, CommandError> {
        let published = relation.to_publish_app().read()?;
        let Some(text) = published.text(APPLICATION_KEY) else { return Ok(Some(Records::default())) };
        match Records::parse(text) {
            Ok(records) => Ok(Some(records)),
            Err(error) => {
                let warning = format!("cannot read the waiters of `{}`: {error}", relation.relation_id());
                self.endpoint.dispatch.warn_once(warning);
                Ok(None)
            }
        }
    }

    fn write(&self, relation: &Relation, records: &Records) -> Result<(), CommandError> {
        relation.to_publish_app().set_text(APPLICATION_KEY, &records.to_text())?;
        self.endpoint.dispatch.flags_are_stale(self.endpoint.endpoint_name());
        Ok(())
    }

    /// What all units have checked in, counted.
    fn tree(&self, relation: &Relation) -> Result<Tree, CommandError> {
        let said = self.all_check_ins(relation)?;
        Ok(Tree::of(said.iter().flat_map(|(unit, check_ins)| check_ins.variables(unit))))
    }

    fn all_check_ins(&self, relation: &Relation) -> Result<BTreeMap<UnitName, CheckIns>, CommandError> {
        if let Some(service) = self.service() {
            return Ok(service.check_ins());
        }
        let own = self.endpoint.dispatch.context.unit.clone();
        let mut said = BTreeMap::from([(own, CheckIns::of(relation.to_publish().read()?.raw()))]);
        for unit in &relation.joined_units()? {
            said.insert(unit.unit_name().clone(), self.check_ins_of(relation, unit.unit_name())?);
        }
        Ok(said)
    }

    fn check_ins_of(&self, relation: &Relation, unit: &UnitName) -> Result<CheckIns, CommandError> {
        let model = &self.endpoint.dispatch.model;
        Ok(CheckIns::of(&*model.databag(relation.relation_id(), &Party::Unit(unit.clone()))?))
    }

    /// Puts a text into our databag, or takes it away; where there is no relation yet, keeps it.
    fn say(&self, path: VariablePath, text: Option<&str>) -> Result<(), WaiterError> {
        let dispatch = &self.endpoint.dispatch;
        if let Some(service) = self.service() {
            service.say(&path, text);
            return Ok(());
        }
        if let Some(relation) = self.relation()? {
            let published = relation.to_publish();
            let mut said = CheckIns::of(published.read()?.raw());
            said.set(path, text);
            published.set_text(UNIT_KEY, &said.to_text())?;
            dispatch.flags_are_stale(self.endpoint.endpoint_name());
        } else {
            let mut pending = self.pending();
            pending.set(path, text);
            dispatch.kept.borrow_mut().insert(self.kept_key("pending"), pending.to_text());
        }
        Ok(())
    }

    /// What was said before there was a relation.
    fn pending(&self) -> CheckIns {
        let kept = self.endpoint.dispatch.kept.borrow();
        let text = kept.get(&self.kept_key("pending")).map_or("", String::as_str);
        CheckIns::of(&Databag::from([(UNIT_KEY, text)]))
    }

    fn publish_pending(&self, relation: &Relation) -> Result<(), CommandError> {
        let pending = self.pending();
        if !pending.is_empty() {
            let published = relation.to_publish();
            let mut said = CheckIns::of(published.read()?.raw());
            said.extend(pending);
            published.set_text(UNIT_KEY, &said.to_text())?;
        }
        self.endpoint.dispatch.kept.borrow_mut().remove(&self.kept_key("pending"));
        Ok(())
    }

    fn kept_key(&self, what: &str) -> String {
        format!("waiters/{}/{what}", self.endpoint.endpoint_name())
    }

    /// The waiters whose flags are on this unit.
    fn known_names(&self) -> Vec<String> {
        let kept = self.endpoint.dispatch.kept.borrow();
        let text = kept.get(&self.kept_key("names"));
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn keep_names(&self, names: &[&str]) {
        let (mut kept, key) = (self.endpoint.dispatch.kept.borrow_mut(), self.kept_key("names"));
        if names.is_empty() {
            kept.remove(&key);
        } else {
            kept.insert(key, json::to_text(&names.into()));
        }
    }

    /// Whether something may have changed that concerns waiters.
    fn is_due(&self, known: &[String]) -> bool {
        let dispatch = &self.endpoint.dispatch;
        let is_own_hook =
            dispatch.context.relation_event().is_some_and(|(name, _)| name == self.endpoint.endpoint_name());
        let is_sweep = matches!(
            dispatch.context.event,
            HookEvent::LeaderElected | HookEvent::Start | HookEvent::UpgradeCharm
        );
        let is_waiting =
            || known.iter().any(|name| dispatch.flags.borrow().is_set(&key::flag(name, "waiting")));
        // A handler said or declared something in this very dispatch.
        let is_touched = || {
            dispatch.records_of(self.endpoint.endpoint_name()).any(|(relation, _)| {
                dispatch.model.has_own(&relation) || dispatch.model.has_own_application(&relation)
            })
        };
        is_own_hook || is_sweep || !self.pending().is_empty() || is_waiting() || is_touched()
    }

    /// The service that keeps the waiters of this endpoint, where one does.
    fn service(&self) -> Option<Service<'_>> {
        Service::of(&self.endpoint.dispatch, self.endpoint.endpoint_name())
    }

    /// What a unit said that is gone, the leader takes out of the service: it may not have had the time to.
    fn forget_departed(&self) -> Result<(), CommandError> {
        let dispatch = &self.endpoint.dispatch;
        let (context, own) = (&dispatch.context, &dispatch.context.unit);
        let is_departed = context.relation_event().is_some_and(|(name, event)| {
            name == self.endpoint.endpoint_name() && event == RelationEvent::Departed
        });
        // The one that leaves sees the others leave.
        let gone = context.departing_unit.as_ref().filter(|gone| is_departed && *gone != own);
        if let (Some(gone), Some(service)) = (gone, self.service())
            && dispatch.model.is_leader()?
        {
            service.take_back(gone);
        }
        Ok(())
    }

    /// Takes over from the service how waiters have ended; the leader latches it.
    fn learn(
        &self,
        service: &Service<'_>,
        relation: &Relation,
        records: &mut Records,
    ) -> Result<(), CommandError> {
        let mut has_ended = false;
        for (name, record) in records.0.iter_mut().filter(|(_, record)| record.is_waiting()) {
            if let Some(outcome) = service.outcome(name, record) {
                log::info!("waiter `{name}` ended: {}", outcome.as_str());
                (record.outcome, record.end_time) = (Some(outcome), Some(self.now()));
                has_ended = true;
            }
        }
        if has_ended && self.endpoint.dispatch.model.is_leader()? {
            relation.to_publish_app().set_text(APPLICATION_KEY, &records.to_text())?;
        }
        Ok(())
    }

    /// Decides, as the leader, how waiters end that wait.
    fn decide(&self, relation: &Relation, records: &mut Records) -> Result<(), CommandError> {
        let dispatch = &self.endpoint.dispatch;
        // A unit on its way out sees the others leave, though it is itself that leaves.
        let is_leaving = dispatch.context.departing_unit.as_ref() == Some(&dispatch.context.unit);
        let is_waiting = records.0.values().any(Record::is_waiting);
        if !is_waiting || is_leaving || !dispatch.model.is_leader()? {
            return Ok(());
        }
        let tree = self.tree(relation)?;
        let mut has_ended = false;
        for (name, record) in records.0.iter_mut().filter(|(_, record)| record.is_waiting()) {
            if let Some(outcome) = record.waiter().judge(|path| tree.count(path), self.now()) {
                log::info!("waiter `{name}` ended: {}", outcome.as_str());
                (record.outcome, record.end_time) = (Some(outcome), Some(self.now()));
                has_ended = true;
            }
        }
        if has_ended {
            relation.to_publish_app().set_text(APPLICATION_KEY, &records.to_text())?;
        }
        Ok(())
    }

    /// Sets and clears the flags of each waiter, as its record says.
    fn mirror(&self, known: &[String], records: &Records) {
        let dispatch = &self.endpoint.dispatch;
        for name in known.iter().filter(|name| !records.0.contains_key(*name)) {
            key::clear(dispatch, name);
            wake::plan(dispatch, name, None);
        }
        for (name, record) in &records.0 {
            key::show(dispatch, name, record.outcome);
            let when = || match self.service() {
                Some(service) => When::Ended { waiter: service.waiter(name) },
                None => When::At { at: record.waiter().deadline() },
            };
            wake::plan(dispatch, name, record.is_waiting().then(when));
        }
        self.keep_names(&records.0.keys().map(String::as_str).collect::<Vec<_>>());
    }
}

impl Manage for Waiters {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        let known = self.known_names();
        if !self.is_due(&known) {
            return Ok(());
        }
        let Some(relation) = self.relation()? else {
            let event = self.endpoint.context().relation_event();
            if event.is_some_and(|(_, event)| event == RelationEvent::Broken) {
                // Outcomes stay; nobody waits any more.
                for name in &known {
                    self.endpoint.dispatch.change_flag(&key::flag(name, "waiting"), false);
                    wake::plan(&self.endpoint.dispatch, name, None);
                }
            }
            return Ok(());
        };
        self.publish_pending(&relation)?;
        self.forget_departed()?;
        if let Some(mut records) = self.records(&relation)? {
            match self.service() {
                Some(service) => self.learn(&service, &relation, &mut records)?,
                None => self.decide(&relation, &mut records)?,
            }
            self.mirror(&known, &records);
        }
        Ok(())
    }

    fn commit(&self) {
        if let Some(service) = self.service() {
            // In a relation, what a unit said goes with it.
            let context = self.endpoint.context();
            if context.event == HookEvent::Remove {
                service.take_back(&context.unit);
            }
            service.tell();
        }
    }

    fn problem(&self, key: &str, text: &str) -> Option<String> {
        if key == UNIT_KEY { CheckIns::problem(text) } else { None }
    }
}

fn parsed(text: &str) -> Result<VariablePath, WaiterError> {
    VariablePath::parse_variable(text).map_err(|source| WaiterError::Path { text: text.to_owned(), source })
}
