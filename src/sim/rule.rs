//! Faults as values: a rule sees each hook command, or each hook, and says what becomes of it.
//!
//! ```
//! use charms_reactive_sim::hookcmd::{Commands as _, WorkloadStatus};
//! use charms_reactive_sim::{InProcess, Sim, Verdict};
//!
//! let charm = InProcess::from_yaml("name: web", |mut commands, _| {
//!     i32::from(commands.status_set(WorkloadStatus::Active, "").is_err())
//! });
//! let mut sim = Sim::from_seed(7);
//! sim.deploy("web", charm, 1).expect("deployed");
//! let guard = sim.rule(|command| match (command.name, command.total) {
//!     ("status-set", 0) => Verdict::Kill,
//!     _ => Verdict::Run,
//! });
//! sim.settle().expect("settled");
//! assert!(sim.transcript().contains("-- rolled back, killed by signal 9"));
//! drop(guard); // the rule is gone
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use charms_reactive_core::UnitName;

use crate::charm::CharmSource;
use crate::operator::Operator;

/// A hook command that a charm asks for, before it reaches the model.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The unit that asks.
    pub unit: &'a UnitName,
    /// The hook or action it runs; `juju-exec` for a script.
    pub hook: &'a str,
    /// The name of the command, for example `relation-get`.
    pub name: &'a str,
    /// Its arguments.
    pub args: &'a [String],
    /// How many commands this run had answered before.
    pub index: usize,
    /// How many commands the simulation was asked for before.
    pub total: usize,
}

/// What becomes of one hook command.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It runs as Juju would run it.
    Run,
    /// Juju refuses it.
    Refuse {
        /// The text on standard error, after `ERROR `.
        text: String,
        /// The exit code.
        code: i32,
    },
    /// The process dies (SIGKILL) before the command reaches Juju; a function unwinds.
    Kill,
    /// Something else happens first, then it runs as Juju would run it.
    Change(Change),
}

impl Verdict {
    /// Juju refuses the command with this text, and exit code 1.
    pub fn refuse(text: impl Into<String>) -> Self {
        Self::Refuse { text: text.into(), code: 1 }
    }

    /// Another unit leads, or nobody where there is no other, then the command runs.
    pub fn lose_leadership() -> Self {
        Self::Change(Change::LoseLeadership)
    }

    /// `change` is done to the model, then the command runs.
    pub fn change(change: impl Fn(&mut Operator<'_>) + 'static) -> Self {
        Self::Change(Change::new(change))
    }
}

/// Something that happens to the model while a charm runs, or before it does.
#[derive(Clone)]
#[non_exhaustive]
pub enum Change {
    /// The unit does not lead any more; another one does, or nobody where there is no other.
    LoseLeadership,
    /// Nobody outside its owner may read the secret any more.
    RevokeSecret(String),
    /// The unit has another address.
    ChangeAddress,
    /// Whatever an operator can do.
    Any(Rc<dyn Fn(&mut Operator<'_>)>),
}

impl Change {
    /// Whatever an operator can do.
    pub fn new(change: impl Fn(&mut Operator<'_>) + 'static) -> Self {
        Self::Any(Rc::new(change))
    }

    /// Has it happen, where a unit is running.
    pub(crate) fn apply(&self, operator: &mut Operator<'_>, unit: &UnitName) {
        match self {
            Self::LoseLeadership => operator.lose_leadership(unit),
            Self::RevokeSecret(id) => operator.revoke_secret(id),
            Self::ChangeAddress => operator.change_address(unit),
            Self::Any(change) => change(operator),
        }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoseLeadership => f.write_str("LoseLeadership"),
            Self::RevokeSecret(id) => f.debug_tuple("RevokeSecret").field(id).finish(),
            Self::ChangeAddress => f.write_str("ChangeAddress"),
            Self::Any(_) => f.write_str("Any(..)"),
        }
    }
}

/// A hook that is about to be run.
#[derive(Clone, Copy, Debug)]
pub struct Boundary<'a> {
    /// The unit.
    pub unit: &'a UnitName,
    /// The hook.
    pub hook: &'a str,
    /// How many hooks the simulation has begun before.
    pub total: usize,
}

/// What becomes of one hook, besides what its charm does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fate {
    /// It runs, and ends as its charm ends it.
    Run,
    /// It runs; when it ended well, Juju cannot make its changes visible, for this reason.
    FailCommit(String),
    /// It runs; when it ended well, the agent dies before anything becomes visible, and runs it again.
    LoseCommit,
    /// The machine restarts first: `start` comes again, then whatever is due.
    Reboot,
    /// The application's charm is upgraded first.
    Upgrade(CharmSource),
    /// The unit is lost first, with its machine: no hook of it runs any more.
    LoseUnit,
    /// Something else happens first, then whatever is due.
    Change(Change),
}

/// A rule in force; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "the rule ends when this is dropped; `keep` has it stay"]
pub struct RuleGuard {
    is_on: Rc<Cell<bool>>,
}

impl RuleGuard {
    /// Has the rule stay as long as the simulation.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        self.is_on.set(false);
    }
}

struct Entry<F: ?Sized> {
    is_on: Rc<Cell<bool>>,
    judge: Box<F>,
}

type CommandJudge = dyn FnMut(&Command<'_>) -> Verdict;
type HookJudge = dyn FnMut(&Boundary<'_>) -> Fate;

/// The rules of a simulation; copies share them.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    commands: Rc<RefCell<Vec<Entry<CommandJudge>>>>,
    hooks: Rc<RefCell<Vec<Entry<HookJudge>>>>,
    commands_asked: Rc<Cell<usize>>,
    hooks_begun: Rc<Cell<usize>>,
}

impl Rules {
    pub(crate) fn add_command(&self, judge: impl FnMut(&Command<'_>) -> Verdict + 'static) -> RuleGuard {
        let is_on = Rc::new(Cell::new(true));
        self.commands.borrow_mut().push(Entry { is_on: Rc::clone(&is_on), judge: Box::new(judge) });
        RuleGuard { is_on }
    }

    pub(crate) fn add_hook(&self, judge: impl FnMut(&Boundary<'_>) -> Fate + 'static) -> RuleGuard {
        let is_on = Rc::new(Cell::new(true));
        self.hooks.borrow_mut().push(Entry { is_on: Rc::clone(&is_on), judge: Box::new(judge) });
        RuleGuard { is_on }
    }

    /// The first verdict that is not [`Verdict::Run`], in the order in which rules were made.
    pub(crate) fn judge_command(&self, command: &Command<'_>) -> Verdict {
        let mut rules = self.commands.borrow_mut();
        rules.retain(|rule| rule.is_on.get());
        for rule in rules.iter_mut() {
            match (rule.judge)(command) {
                Verdict::Run => {}
                verdict => return verdict,
            }
        }
        Verdict::Run
    }

    /// The first fate that is not [`Fate::Run`], in the order in which rules were made.
    pub(crate) fn judge_hook(&self, unit: &UnitName, hook: &str) -> Fate {
        let boundary = Boundary { unit, hook, total: self.hooks_begun.get() };
        let mut rules = self.hooks.borrow_mut();
        rules.retain(|rule| rule.is_on.get());
        for rule in rules.iter_mut() {
            match (rule.judge)(&boundary) {
                Fate::Run => {}
                fate => return fate,
            }
        }
        Fate::Run
    }

    /// Whether a rule may change the model behind a hook's back.
    pub(crate) fn is_empty(&self) -> bool {
        self.commands.borrow().is_empty() && self.hooks.borrow().is_empty()
    }

    pub(crate) fn commands_asked(&self) -> usize {
        self.commands_asked.get()
    }

    /// Counts one more, and tells how many there were before.
    pub(crate) fn count_command(&self) -> usize {
        self.commands_asked.replace(self.commands_asked.get() + 1)
    }

    pub(crate) fn count_hook(&self) {
        self.hooks_begun.set(self.hooks_begun.get() + 1);
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("commands", &self.commands.borrow().len()).finish_non_exhaustive()
    }
}
