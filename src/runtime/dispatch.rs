//! One dispatch: what every part of it shares; triggers fire.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use charms_reactive_core::{EndpointName, Flag, FlagSet, Metadata, RelationEvent, RelationId};
use charms_reactive_hookcmd::CommandError;
use serde_json::{Map, Value};

use crate::charm::App;
use crate::context::Context;
use crate::daemon::Reach;
use crate::file::FileError;
use crate::handler::{Handler, HandlerError};
use crate::import::{Import, Imported};
use crate::interface::Manage;
use crate::memory::{FilesRead, Memory};
use crate::model::Model;
use crate::obstacle::Stalled;
use crate::operation::{Engines, Records};
use crate::plan::Plan;
use crate::record::RelationRecord;
use crate::store::StoreError;
use crate::trace::{Change, Recorder};
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
    /// Data and files as they were seen last, and what was done.
    pub(crate) memory: RefCell<Memory>,
    pub(crate) files_read: FilesRead,
    pub(crate) plan: RefCell<Plan>,
    /// What knows the framework that the charm was written in before.
    pub(crate) import: Option<Rc<dyn Import>>,
    /// The daemon of the unit.
    pub(crate) daemon: Reach,
    /// What the charm has of operations, and what is remembered of them.
    pub(crate) engine: Engines,
    pub(crate) operations: RefCell<Records>,
    pub(crate) outbox: OnceCell<Option<Vec<Value>>>,
    /// Whether it keeps the waiters.
    pub(crate) has_waiter_service: bool,
    /// What was taken over in this dispatch.
    pub(crate) imported: RefCell<Option<Imported>>,
    /// Handlers that are programs of the charm.
    pub(crate) programs: Vec<Handler>,
    /// Whether the handlers of the hook run, rather than the rounds after them.
    pub(crate) is_hook_phase: Cell<bool>,
    /// What manages the flags of each endpoint.
    pub(crate) managers: RefCell<Vec<(EndpointName, Rc<dyn Manage>)>>,
    /// The endpoints whose flags may have to change before the next handler runs.
    stale: RefCell<BTreeSet<EndpointName>>,
    /// The handlers that met an obstacle.
    pub(crate) stalled: Stalled,
    /// The options as the last dispatch that ended well had them, where the charm keeps them.
    pub(crate) options_before: RefCell<Option<Map<String, Value>>>,
    /// Every change of a flag, in order.
    pub(crate) journal: RefCell<Vec<Change>>,
    /// What is told of this dispatch.
    pub(crate) recorder: Recorder,
    /// Whether a flag was cleared since a batch of handlers was last tested.
    pub(crate) is_retest_due: Cell<bool>,
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
    pub(crate) fn new(context: Context, metadata: Rc<Metadata>, model: Model) -> Self {
        Self {
            model,
            recorder: Recorder::new(&context.event, context.trace.is_some()),
            context,
            metadata,
            flags: RefCell::default(),
            triggers: RefCell::default(),
            records: RefCell::default(),
            kept: RefCell::default(),
            memory: RefCell::default(),
            files_read: FilesRead::default(),
            plan: RefCell::default(),
            import: None,
            daemon: Reach::new(None),
            engine: None,
            operations: RefCell::default(),
            outbox: OnceCell::new(),
            has_waiter_service: false,
            imported: RefCell::default(),
            programs: Vec::new(),
            is_hook_phase: Cell::new(false),
            managers: RefCell::default(),
            stale: RefCell::default(),
            stalled: Stalled::default(),
            options_before: RefCell::default(),
            journal: RefCell::default(),
            is_retest_due: Cell::new(false),
            refreshed: RefCell::default(),
            fault: RefCell::default(),
            drawn: Cell::new(0),
            warned: RefCell::default(),
        }
    }

    /// The same, for a charm with a daemon, or with operations.
    pub(crate) fn reach_daemon(&mut self, app: &App) {
        self.daemon = Reach::new(app.daemon.clone());
        self.engine.clone_from(&app.engine);
        self.has_waiter_service = app.has_waiter_service;
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
        self.journal.borrow_mut().push(Change { flag: flag.clone(), is_set });
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

    /// Whether the condition of a handler holds.
    pub(crate) fn test(&self, handler: &Handler) -> bool {
        self.recorder.has_tested();
        self.is_ready(handler)
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

    /// Whether what is remembered of a relation of `endpoint` is so.
    pub(crate) fn has_record(
        &self,
        endpoint: &EndpointName,
        is_so: impl Fn(&RelationRecord) -> bool,
    ) -> bool {
        let records = self.records.borrow();
        records.iter().any(|(id, record)| id.endpoint() == endpoint && is_so(record))
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

    /// Notes that a handler cannot even be asked; the first such fault ends the dispatch.
    pub(crate) fn set_fault(&self, name: &str, source: HandlerError) {
        let fault = DispatchError::Handler { name: name.to_owned(), source };
        self.fault.borrow_mut().get_or_insert(fault);
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
