//! One dispatch: what every part of it shares, and the rounds of handlers.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use charms_reactive_core::{EndpointName, Flag, FlagSet, Metadata, RelationEvent, RelationId};
use charms_reactive_hookcmd::{CommandError, HookCommands};

use crate::Hook;
use crate::context::Context;
use crate::file::FileError;
use crate::handler::{Handler, HandlerError};
use crate::interface::Manage;
use crate::model::Model;
use crate::plan::Plan;
use crate::record::RelationRecord;
use crate::store::StoreError;
use crate::trigger::Triggers;

/// After how many rounds without rest a dispatch gives up.
pub const ROUNDS_MAX: usize = 100;

/// How deep triggers may set off triggers.
pub const TRIGGER_DEPTH_MAX: usize = 100;

/// Why a dispatch did not end well.  Nothing of its plan was done, unless an effect itself failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// A handler gave up.
    #[error("handler `{name}` failed")]
    Handler {
        /// The handler.
        name: String,
        /// Why.
        source: HandlerError,
    },
    /// A handler panicked, or an interface.
    #[error("`{name}` panicked: {message}")]
    Panicked {
        /// Who.
        name: String,
        /// What it said.
        message: String,
    },
    /// Handlers keep changing flags.
    #[error("handlers did not settle in {ROUNDS_MAX} rounds, still changing: {}", changing.join(", "))]
    Unsettled {
        /// The flags that changed in the last round.
        changing: Vec<String>,
    },
    /// Triggers keep setting each other off.
    #[error("triggers set each other off {TRIGGER_DEPTH_MAX} times over, still changing: `{flag}`")]
    TriggerLoop {
        /// The flag that changed last.
        flag: Flag,
    },
    /// An interface could not work out its flags.
    #[error("endpoint `{endpoint}` could not work out its flags")]
    Interface {
        /// The endpoint.
        endpoint: EndpointName,
        /// Why.
        source: HandlerError,
    },
    /// Juju gave no answer.
    #[error("cannot reach Juju")]
    Command(#[from] CommandError),
    /// The state could not be read or saved.
    #[error("cannot keep the state of the unit")]
    Store(#[from] StoreError),
    /// A file of the plan could not be written or removed.
    #[error("cannot carry out the plan")]
    File(#[from] FileError),
    /// The charm has no such action.
    #[error("action `{name}` has no handler")]
    NoAction {
        /// The action.
        name: String,
    },
}

/// What every part of one dispatch shares.
pub(crate) struct Dispatch {
    pub(crate) context: Context,
    pub(crate) metadata: Rc<Metadata>,
    pub(crate) model: Model,
    pub(crate) flags: RefCell<FlagSet>,
    pub(crate) triggers: RefCell<Triggers>,
    pub(crate) records: RefCell<BTreeMap<RelationId, RelationRecord>>,
    /// What the charm itself keeps between dispatches.
    pub(crate) kept: RefCell<BTreeMap<String, String>>,
    pub(crate) plan: RefCell<Plan>,
    /// What manages the flags of each endpoint.
    pub(crate) managers: RefCell<Vec<(EndpointName, Rc<dyn Manage>)>>,
    /// The endpoints whose flags may have to change before the next handler runs.
    stale: RefCell<BTreeSet<EndpointName>>,
    /// Whether a flag was cleared since a batch of handlers was last tested.
    is_retest_due: Cell<bool>,
    /// While interfaces bring their flags up to date: those that they cleared.
    refreshed: RefCell<Option<BTreeSet<Flag>>>,
    /// What went wrong where nothing could be returned.
    fault: RefCell<Option<DispatchError>>,
    /// How many random ids were drawn.
    drawn: Cell<u64>,
    /// The warnings that were logged.
    warned: RefCell<BTreeSet<String>>,
}

impl Dispatch {
    pub(crate) fn new(context: Context, metadata: Rc<Metadata>, commands: Box<dyn HookCommands>) -> Self {
        Self {
            model: Model::new(context.unit.clone(), commands),
            context,
            metadata,
            flags: RefCell::default(),
            triggers: RefCell::default(),
            records: RefCell::default(),
            kept: RefCell::default(),
            plan: RefCell::default(),
            managers: RefCell::default(),
            stale: RefCell::default(),
            is_retest_due: Cell::new(false),
            refreshed: RefCell::default(),
            fault: RefCell::default(),
            drawn: Cell::new(0),
            warned: RefCell::default(),
        }
    }

    /// Sets or clears a flag, and runs the triggers that follow from it.
    pub(crate) fn change_flag(&self, flag: &Flag, is_set: bool) {
        self.change(flag, is_set, 0);
    }

    fn change(&self, flag: &Flag, is_set: bool, depth: usize) {
        let is_change = {
            let mut flags = self.flags.borrow_mut();
            if is_set { flags.set(flag) } else { flags.clear(flag) }
        };
        if !is_set {
            match &mut *self.refreshed.borrow_mut() {
                // Even when it was not set: charms.reactive tests again after every call that clears.
                None => self.is_retest_due.set(true),
                Some(cleared) if is_change => drop(cleared.insert(flag.clone())),
                Some(_) => {}
            }
        }
        if !is_change || self.fault.borrow().is_some() {
            return;
        }
        if depth == TRIGGER_DEPTH_MAX {
            *self.fault.borrow_mut() = Some(DispatchError::TriggerLoop { flag: flag.clone() });
            return;
        }
        let (sets, clears) = self.triggers.borrow().effects(flag, is_set);
        for followed in sets {
            self.change(&followed, true, depth + 1);
        }
        for followed in clears {
            self.change(&followed, false, depth + 1);
        }
    }

    /// Notes that the flags of an endpoint's interface may have to change.
    pub(crate) fn flags_are_stale(&self, endpoint: &EndpointName) {
        self.stale.borrow_mut().insert(endpoint.clone());
    }

    /// Lets interfaces bring their flags up to date where something of theirs changed, and gives the flags
    /// that they cleared.
    pub(crate) fn refresh_flags(&self) -> Result<BTreeSet<Flag>, DispatchError> {
        let stale = std::mem::take(&mut *self.stale.borrow_mut());
        *self.refreshed.borrow_mut() = Some(BTreeSet::new());
        let managers = self.managers.borrow().clone();
        for (endpoint, manager) in managers.iter().filter(|(endpoint, _)| stale.contains(endpoint)) {
            manager
                .manage_flags()
                .map_err(|source| DispatchError::Interface { endpoint: endpoint.clone(), source })?;
        }
        // What they published themselves they have taken into account.
        self.stale.borrow_mut().clear();
        Ok(self.refreshed.take().unwrap_or_default())
    }

    /// The relation that this hook says is gone.
    pub(crate) fn broken_relation(&self) -> Option<&RelationId> {
        match self.context.relation_event() {
            Some((_, RelationEvent::Broken)) => self.context.relation.as_ref(),
            _ => None,
        }
    }

    /// What is remembered of the relations of `endpoint`, in order of their ids.
    pub(crate) fn records_of(
        &self,
        endpoint: &EndpointName,
    ) -> impl Iterator<Item = (RelationId, RelationRecord)> + use<> {
        let records = self.records.borrow();
        let of_endpoint = records.iter().filter(|(id, _)| id.endpoint() == endpoint);
        of_endpoint.map(|(id, record)| (id.clone(), record.clone())).collect::<Vec<_>>().into_iter()
    }

    /// Logs a warning, once in a dispatch however often its cause is met.
    pub(crate) fn warn_once(&self, warning: String) {
        if !self.warned.borrow().contains(&warning) {
            log::warn!("{warning}");
            self.warned.borrow_mut().insert(warning);
        }
    }

    /// Sixteen random bytes, the same for the same seed.
    pub(crate) fn random_bytes(&self) -> [u8; 16] {
        let drawn = self.drawn.replace(self.drawn.get() + 1);
        let step = drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut bytes = self.context.seed.to_be_bytes();
        for half in bytes.as_chunks_mut::<8>().0 {
            *half = mixed(u64::from_be_bytes(*half).wrapping_add(step)).to_be_bytes();
        }
        bytes
    }

    /// What went wrong where nothing could be returned.
    pub(crate) fn take_fault(&self) -> Result<(), DispatchError> {
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }
}

/// The mixing step of `SplitMix64`.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Runs handlers: those of this hook first, then round after round, until none is due.
///
/// # Guarantees
///
/// - Handlers run in the order in which they were registered.
/// - Which handlers of a round run is decided before the first of them does.  A flag set during a
///   round makes handlers due in the *next* round.
/// - A flag cleared during a round keeps the handlers that need it from running in the rest of *this*
///   round.  When a handler clears one, all that are left are tested again; when an interface does, whose
///   flags follow what a handler published, those that look at it.
/// - In the first round a handler is due when its condition holds; later, when besides one of the flags
///   it looks at changed in the round before.
/// - The same flags and handlers always give the same sequence.
///
/// # Errors
///
/// [`DispatchError::Handler`] when a handler fails, [`DispatchError::Panicked`] when it panics,
/// [`DispatchError::Unsettled`] after [`ROUNDS_MAX`] rounds, [`DispatchError::TriggerLoop`] when triggers
/// set each other off without end.  In all cases nothing may be committed.
pub(crate) fn settle(hook: &mut Hook, handlers: &[Handler]) -> Result<(), DispatchError> {
    let event = hook.dispatch.context.event.clone();
    let is_due = |hook: &Hook, handler: &&Handler| {
        handler.condition.hooks().contains(&event) && handler.condition.holds(&hook.dispatch.flags.borrow())
    };
    run_round(hook, handlers, is_due)?;
    if event.is_restricted() {
        return Ok(());
    }
    settle_rounds(hook, handlers, true)
}

/// Runs the rounds.  Without `is_first_free`, the first round too needs a change of a flag.
pub(crate) fn settle_rounds(
    hook: &mut Hook,
    handlers: &[Handler],
    is_first_free: bool,
) -> Result<(), DispatchError> {
    for round in 0..ROUNDS_MAX {
        hook.dispatch.flags.borrow_mut().end_round();
        let is_due = |hook: &Hook, handler: &&Handler| {
            let flags = hook.dispatch.flags.borrow();
            let is_wanted = (round == 0 && is_first_free)
                || handler.condition.flags().any(|flag| flags.changed().contains(flag.as_str()));
            handler.condition.hooks().is_empty() && is_wanted && handler.condition.holds(&flags)
        };
        if run_round(hook, handlers, is_due)? == 0 {
            return Ok(());
        }
    }
    hook.dispatch.flags.borrow_mut().end_round();
    let changing = hook.dispatch.flags.borrow().changed().iter().cloned().collect();
    Err(DispatchError::Unsettled { changing })
}

/// Runs the handlers that are due, and tells how many were.
fn run_round<'a>(
    hook: &mut Hook,
    handlers: &'a [Handler],
    is_due: impl Fn(&Hook, &&'a Handler) -> bool,
) -> Result<usize, DispatchError> {
    hook.dispatch.take_fault()?;
    let mut due: Vec<&Handler> = handlers.iter().filter(|handler| is_due(hook, handler)).collect();
    due.reverse();
    let count = due.len();
    hook.dispatch.is_retest_due.set(false);
    while let Some(handler) = due.pop() {
        let cleared = run_handler(hook, handler)?;
        let is_all = hook.dispatch.is_retest_due.replace(false);
        let flags = hook.dispatch.flags.borrow();
        due.retain(|handler| {
            let is_concerned = is_all || handler.condition.flags().any(|flag| cleared.contains(flag));
            !is_concerned || handler.condition.holds(&flags)
        });
    }
    Ok(count)
}

/// Runs a handler, and gives the flags that interfaces cleared in consequence.
fn run_handler(hook: &mut Hook, handler: &Handler) -> Result<BTreeSet<Flag>, DispatchError> {
    log::debug!("running handler `{}`: {}", handler.name, handler.condition);
    caught(handler.name, || (handler.run)(hook))?;
    let cleared = hook.dispatch.refresh_flags()?;
    hook.dispatch.take_fault()?;
    Ok(cleared)
}

/// Calls a function of the charm; a panic in it is an error with its message.
pub(crate) fn caught(
    name: &str,
    run: impl FnOnce() -> Result<(), HandlerError>,
) -> Result<(), DispatchError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|source| DispatchError::Handler { name: name.to_owned(), source }),
        Err(payload) => {
            Err(DispatchError::Panicked { name: name.to_owned(), message: panic_message(&*payload) })
        }
    }
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
    message.unwrap_or_else(|| "no message".to_owned())
}
