//! All operations: what happens to each, and what follows for others.

mod family;
mod kept;
mod outbox;
mod start;

pub use kept::Differences;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use charms_reactive_core::operation as core;
use charms_reactive_core::operation::{End, Event, OperationId, Progress, Requestor, Status};
use charms_reactive_core::waiter::Moment;

use crate::filter::Query;
use crate::operation::{Metadata, Operation, Record, Sockets};
use crate::refused::Refused;
use crate::render::{Children, Rendered};

pub use outbox::OUTBOX_MAX;

/// For how long operations that ended are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// So long after their end.
    pub age: Duration,
    /// So many of them, the youngest; children do not count.
    pub count: usize,
}

impl Default for Retention {
    /// A day, ten thousand.
    fn default() -> Self {
        Self { age: Duration::from_hours(24), count: 10_000 }
    }
}

/// Somebody who waits for the end of an operation; the caller chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u64);

/// What a call of [`Registry::create`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is new, and about to run; or it waits for the one that it replaces.
    Started(OperationId),
    /// One with the same reference runs, and was to be taken.
    Joined(OperationId),
    /// It was made before, by the same call.
    Known(OperationId),
}

impl Created {
    /// Whichever it is.
    pub fn id(self) -> OperationId {
        match self {
            Self::Started(id) | Self::Joined(id) | Self::Known(id) => id,
        }
    }
}

/// What everybody may know.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// An operation is now like this.
    Operation(Arc<Operation>),
    /// Somebody told an operation to stop.
    Cancelled {
        /// Which.
        id: OperationId,
        /// Who.
        by: Option<Requestor>,
        /// The project of the operation.
        project: Option<String>,
    },
}

/// What follows from calls.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run the work of an operation.
    Run(OperationId),
    /// Tell the work of an operation to stop.
    Stop(OperationId),
    /// Tell everybody.
    Tell(Notice),
    /// Tell one who waits that this operation is over.
    Wake(WaitId, OperationId),
    /// Announce the end of an operation, until it is acknowledged.
    Announce(OperationId),
    /// The end of an operation need not be announced any more.
    Acknowledged(OperationId),
}

impl Effect {
    /// The operation that everybody is told of.
    pub fn told(&self) -> Option<OperationId> {
        match self {
            Self::Tell(Notice::Operation(operation)) => Some(operation.id()),
            _ => None,
        }
    }
}

/// What is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An operation is new, or other.
    Put(Box<Record>),
    /// An operation is forgotten.
    Drop(OperationId),
}

impl Change {
    /// Of which operation.
    pub fn id(&self) -> OperationId {
        match self {
            Self::Put(record) => record.id,
            Self::Drop(id) => *id,
        }
    }
}

/// A reference of a project.
type Key = (Option<String>, String);

/// All operations.
///
/// # Invariants
///
/// A parent ends when its last child does.  Of one project and reference, one operation runs or is about to stop,
/// and one may wait, pending, until it has.
#[derive(Debug)]
pub struct Registry {
    location: String,
    retention: Retention,
    /// Those who look share what is here; what changes is copied for them.
    operations: BTreeMap<OperationId, Arc<Operation>>,
    /// Those with a reference that have not ended, and do not wait.
    holders: BTreeMap<Key, OperationId>,
    /// Those that wait for the end of a holder.
    followers: BTreeMap<Key, OperationId>,
    /// Those whose end is announced, or will be.
    outbox: BTreeSet<OperationId>,
    /// Those without parents that have ended, and need not be announced, by when.
    ended: BTreeSet<(Moment, OperationId)>,
    waits: BTreeSet<(OperationId, WaitId)>,
    waited: BTreeMap<WaitId, OperationId>,
    /// Those that the store does not have in this form; whether it has none at all.
    unstored: BTreeMap<OperationId, bool>,
    dropped: BTreeSet<OperationId>,
    effects: Vec<Effect>,
    is_shutting_down: bool,
    is_restoring: bool,
    /// Stages are looked at once at a time, and not before everything is there.
    is_gathering: bool,
}

impl Registry {
    /// A registry on a server of this name, with what was kept; work that ran in a process that has gone is
    /// over, or runs again where it is durable.
    pub fn restore(
        location: &str,
        retention: Retention,
        records: Vec<Record>,
        interruption: &str,
        now: Moment,
    ) -> Self {
        let mut registry = Self {
            location: location.to_owned(),
            retention,
            operations: BTreeMap::new(),
            holders: BTreeMap::new(),
            followers: BTreeMap::new(),
            outbox: BTreeSet::new(),
            ended: BTreeSet::new(),
            waits: BTreeSet::new(),
            waited: BTreeMap::new(),
            unstored: BTreeMap::new(),
            dropped: BTreeSet::new(),
            effects: Vec::new(),
            is_shutting_down: false,
            is_restoring: true,
            is_gathering: true,
        };
        let links: Vec<_> = records.iter().filter_map(|record| Some((record.parent?, record.id))).collect();
        for record in records {
            if let Some(key) = record.key().filter(|_| !record.life.status.is_final()) {
                let waits = record.parent.is_none() && record.life.status == Status::Pending;
                let held = if waits { &mut registry.followers } else { &mut registry.holders };
                held.insert(key, record.id);
            }
            registry.insert(record);
        }
        for (parent, child) in links {
            if let Ok(parent) = registry.get_mut(parent) {
                parent.children.push(child);
            }
        }
        let all: Vec<OperationId> = registry.operations.keys().copied().collect();
        for id in all {
            let operation = &registry.operations[&id];
            // A parent ends with its children, if they have ever begun.
            if !operation.record.is_parent || operation.status() == Status::Pending {
                let event = Event::Interrupt(interruption.to_owned());
                registry.step(id, event, now).expect("every status can be interrupted");
            }
        }
        registry.is_gathering = false;
        let parents: Vec<OperationId> = registry
            .operations
            .values()
            .filter(|operation| operation.record.is_parent)
            .map(|operation| operation.id())
            .collect();
        for id in parents {
            registry.gather(id, now);
        }
        registry.is_restoring = false;
        for key in registry.followers.keys().cloned().collect::<Vec<_>>() {
            registry.follow(key, now);
        }
        registry.prune(now);
        registry
    }

    fn insert(&mut self, record: Record) {
        let id = record.id;
        if record.in_outbox {
            self.outbox.insert(id);
        }
        self.has_ended(&record);
        let operation = Operation { record, children: Vec::new(), sockets: Sockets::new() };
        self.operations.insert(id, Arc::new(operation));
    }

    /// An operation.
    pub fn get(&self, id: OperationId) -> Result<&Operation, Refused> {
        self.operations.get(&id).map(Arc::as_ref).ok_or(Refused::NotFound)
    }

    /// An operation as it is now, for those who look at it while others change.
    pub fn share(&self, id: OperationId) -> Option<Arc<Operation>> {
        self.operations.get(&id).cloned()
    }

    fn get_mut(&mut self, id: OperationId) -> Result<&mut Operation, Refused> {
        self.operations.get_mut(&id).map(Arc::make_mut).ok_or(Refused::NotFound)
    }

    /// All operations, children too, by age.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values().map(Arc::as_ref)
    }

    /// Those of a list, without children, by age.
    pub fn list(&self, query: &Query) -> Vec<&Operation> {
        query.list(&self.operations, Arc::as_ref).into_iter().map(Arc::as_ref).collect()
    }

    /// An operation as clients see it.
    pub fn render<'a>(&'a self, operation: &'a Operation, children: Children) -> Rendered<'a> {
        let children = match children {
            Children::Counted => Vec::new(),
            Children::Whole => {
                let children = operation.children.iter().filter_map(|id| self.operations.get(id));
                children.map(|child| Rendered::new(child, &self.location, Vec::new())).collect()
            }
        };
        Rendered::new(operation, &self.location, children)
    }

    /// The name of this server.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Says how far an operation has come; is not kept.
    pub fn progress(&mut self, id: OperationId, progress: &Progress, now: Moment) -> Result<(), Refused> {
        let operation = self.get_mut(id)?;
        let mut metadata = operation.record.metadata.clone();
        progress.write_to(&mut metadata);
        operation.replace(metadata, now)?;
        self.tell(id);
        Ok(())
    }

    /// Replaces what can be seen of an operation, but for what it is about; is kept with the next
    /// [`Registry::commit_metadata`], or when it ends.
    pub fn update_metadata(
        &mut self,
        id: OperationId,
        metadata: Metadata,
        now: Moment,
    ) -> Result<(), Refused> {
        self.get_mut(id)?.replace(metadata, now)?;
        self.tell(id);
        Ok(())
    }

    /// Adds to what can be seen of an operation, key by key; nothing to add changes nothing.
    pub fn extend_metadata(&mut self, id: OperationId, more: Metadata, now: Moment) -> Result<(), Refused> {
        let operation = self.get_mut(id)?;
        if more.is_empty() && !operation.is_finished() {
            return Ok(());
        }
        operation.extend(more, now)?;
        self.tell(id);
        Ok(())
    }

    /// Has an operation kept as it is: from here a durable one goes on.
    pub fn commit_metadata(&mut self, id: OperationId, now: Moment) -> Result<(), Refused> {
        let operation = self.get_mut(id)?;
        if operation.is_finished() {
            return Err(Refused::ReadOnly);
        }
        operation.record.life.updated = operation.record.life.updated.max(now);
        self.unstored.entry(id).or_insert(false);
        Ok(())
    }

    /// The work of an operation ended.
    pub fn end(&mut self, id: OperationId, end: End, now: Moment) -> Result<(), Refused> {
        self.step(id, Event::End(end), now)
    }

    /// Tells an operation to stop, and its children.
    pub fn cancel(
        &mut self,
        id: OperationId,
        by: Option<&Requestor>,
        reason: Option<&str>,
        now: Moment,
    ) -> Result<(), Refused> {
        let operation = self.get(id)?;
        if operation.is_fixed() && !operation.is_finished() {
            return Err(Refused::NotCancellable);
        }
        let was_running = operation.is_running();
        let project = operation.record.project.clone();
        let by_whom = by.map_or_else(String::new, |by| format!(" by {}", by.username));
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        let why = reason.map_or_else(String::new, |reason| format!(": {}", reason.trim()));
        self.step(id, Event::Cancel(format!("cancelled{by_whom}{why}")), now)?;
        if was_running {
            self.effects.push(Effect::Tell(Notice::Cancelled { id, by: by.cloned(), project }));
        }
        Ok(())
    }

    /// Opens a socket of an operation with its secret, once; gives its name.
    pub fn connect(&mut self, id: OperationId, secret: &str) -> Result<String, Refused> {
        self.get_mut(id)?.connect(secret)
    }

    /// Waits for the end of an operation; false: it is over, and nobody waits.
    pub fn wait(&mut self, id: OperationId, wait: WaitId) -> Result<bool, Refused> {
        let is_waiting = !self.get(id)?.is_finished();
        if is_waiting {
            self.waits.insert((id, wait));
            self.waited.insert(wait, id);
        }
        Ok(is_waiting)
    }

    /// Nobody waits any more.
    pub fn end_wait(&mut self, wait: WaitId) {
        if let Some(id) = self.waited.remove(&wait) {
            self.waits.remove(&(id, wait));
        }
    }

    /// Forgets operations that ended long ago, or are too many; children with their parents.
    pub fn prune(&mut self, now: Moment) {
        while let Some((at, id)) = self.ended.first().copied() {
            if now.since(at) <= self.retention.age && self.ended.len() <= self.retention.count {
                break;
            }
            self.ended.pop_first();
            let children = self.operations.get(&id).map(|operation| operation.children.clone());
            for id in children.into_iter().flatten().chain([id]) {
                self.operations.remove(&id);
                // What the store has never seen, it need not forget.
                if self.unstored.remove(&id) != Some(true) {
                    self.dropped.insert(id);
                }
            }
        }
    }

    /// The first moment at which something is to be forgotten.
    pub fn next_prune(&self) -> Option<Moment> {
        self.ended.first().map(|(at, _)| at.after(self.retention.age).next())
    }

    /// Starts nothing any more, and tells everything to stop that would not run again.
    pub fn shut_down(&mut self, now: Moment) {
        self.is_shutting_down = true;
        for id in self.unfinished_work() {
            let event = Event::Cancel("cancelled: charmd is shutting down".to_owned());
            // A child may have ended with one before it.
            let _ = self.step(id, event, now);
        }
    }

    /// Work that a shutdown waits for: neither durable nor without work, and not over.
    pub fn unfinished_work(&self) -> Vec<OperationId> {
        let is_waited_for = |operation: &&Arc<Operation>| {
            let life = &operation.record.life;
            !operation.record.is_parent
                && !life.status.is_final()
                && matches!(life.class, core::Class::Task | core::Class::Websocket)
        };
        self.operations.values().filter(is_waited_for).map(|operation| operation.id()).collect()
    }

    /// What follows from the calls so far, in their order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn tell(&mut self, id: OperationId) {
        if let Some(operation) = self.operations.get(&id) {
            self.effects.push(Effect::Tell(Notice::Operation(operation.clone())));
        }
    }

    /// Has one event happen to an operation, with all that follows.
    fn step(&mut self, id: OperationId, event: Event, now: Moment) -> Result<(), Refused> {
        let operation = self.operations.get(&id).ok_or(Refused::NotFound)?;
        if let (true, Status::Pending, Event::Cancel(text) | Event::Interrupt(text)) =
            (operation.record.is_parent, operation.status(), &event)
        {
            // Nothing of it has begun, and nothing will.
            for child in operation.children.clone() {
                // One that is over stays as it is.
                let _ = self.step(child, Event::Cancel(text.clone()), now);
            }
            if self.operations[&id].is_finished() {
                return Ok(());
            }
        }
        let operation = self.get_mut(id)?;
        let (life, effect) = operation.record.life.apply(event, now)?;
        if life == operation.record.life && effect == core::Effect::None {
            return Ok(());
        }
        operation.record.life = life;
        let is_parent = operation.record.is_parent;
        let cancel = operation.record.life.cancel.clone();
        let children = operation.children.clone();
        self.unstored.entry(id).or_insert(false);
        self.tell(id);
        match effect {
            core::Effect::None => {}
            core::Effect::Run if is_parent => {}
            core::Effect::Run => self.effects.push(Effect::Run(id)),
            core::Effect::Stop if is_parent => {
                let children = children.into_iter().filter(|id| !self.operations[id].will_run());
                for child in children.collect::<Vec<_>>() {
                    let event = Event::Cancel(cancel.clone().unwrap_or_default());
                    // One that is over stays as it is.
                    let _ = self.step(child, event, now);
                }
            }
            core::Effect::Stop => self.effects.push(Effect::Stop(id)),
            core::Effect::Over => self.over(id, now),
        }
        Ok(())
    }

    fn over(&mut self, id: OperationId, now: Moment) {
        let record = &self.operations[&id].record;
        let key = record.key();
        for held in [&mut self.holders, &mut self.followers] {
            if let Some(key) = &key
                && held.get(key) == Some(&id)
            {
                held.remove(key);
            }
        }
        let parent = record.parent;
        let record = record.clone();
        self.has_ended(&record);
        let waits: Vec<WaitId> =
            self.waits.range((id, WaitId(0))..=(id, WaitId(u64::MAX))).map(|(_, wait)| *wait).collect();
        for wait in waits {
            self.end_wait(wait);
            self.effects.push(Effect::Wake(wait, id));
        }
        if let Some(parent) = parent {
            self.gather(parent, now);
        }
        if let Some(key) = key {
            self.follow(key, now);
        }
    }
}
