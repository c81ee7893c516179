//! A registry with a made-up clock, and a store that is a map.

use std::collections::BTreeMap;
use std::time::Duration;

use charms_reactive_core::operation::{Class, End, OperationId, Requestor, Status};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{
    Change, Children, Created, Draft, Effect, Metadata, Notice, Record, Refused, Registry, Retention,
};
use serde_json::Value;

/// A registry, its clock, and a store that is a map.
pub(crate) struct Desk {
    pub(crate) registry: Registry,
    pub(crate) second: u64,
    made: u64,
    pub(crate) store: BTreeMap<OperationId, Record>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::of(BTreeMap::new(), 100, 0)
    }

    fn of(store: BTreeMap<OperationId, Record>, second: u64, made: u64) -> Self {
        let retention = Retention { age: Duration::from_secs(1000), count: 5 };
        let records = store.values().cloned().collect();
        let registry = Registry::restore("here", retention, records, "charmd ended", moment(second));
        Self { registry, second, made, store }
    }

    /// The process dies, and another starts.
    pub(crate) fn restart(self) -> Self {
        Self::of(self.store, self.second, self.made)
    }

    pub(crate) fn now(&self) -> Moment {
        moment(self.second)
    }

    #[track_caller]
    pub(crate) fn start(&mut self, draft: Draft) -> OperationId {
        match self.create(draft).expect("made") {
            Created::Started(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn create(&mut self, draft: Draft) -> Result<Created, Refused> {
        let (now, mut made) = (self.now(), self.made);
        let new_id = || {
            made += 1;
            OperationId::new(now, made.to_be_bytes())
        };
        let created = self.registry.create(draft, new_id, now);
        self.made = made;
        created
    }

    pub(crate) fn end(&mut self, id: OperationId, end: End) {
        self.registry.end(id, end, self.now()).expect("it ends");
    }

    pub(crate) fn cancel(&mut self, id: OperationId) -> Result<(), Refused> {
        self.registry.cancel(id, Some(&root()), Some("enough"), self.now())
    }

    pub(crate) fn status(&self, id: OperationId) -> Status {
        self.registry.get(id).expect("known").status()
    }

    pub(crate) fn shown(&self, id: OperationId) -> Value {
        let operation = self.registry.get(id).expect("known");
        serde_json::to_value(self.registry.render(operation, Children::Whole)).expect("JSON")
    }

    /// Writes down what changed; gives what follows.
    pub(crate) fn commit(&mut self) -> Vec<Effect> {
        for change in self.registry.changes() {
            match change {
                Change::Put(record) => drop(self.store.insert(record.id, *record)),
                Change::Drop(id) => drop(self.store.remove(&id)),
            }
        }
        self.registry.stored();
        self.registry.take_effects()
    }

    /// The statuses that were told, in order.
    pub(crate) fn told(&mut self) -> Vec<(OperationId, Status)> {
        let told = self.commit().into_iter().filter_map(|effect| match effect {
            Effect::Tell(Notice::Operation(operation)) => Some((operation.id(), operation.status())),
            _ => None,
        });
        told.collect()
    }
}

pub(crate) fn moment(second: u64) -> Moment {
    Moment::from_unix(Duration::from_secs(second))
}

pub(crate) fn root() -> Requestor {
    Requestor { username: "root".into(), protocol: "unix".into(), address: "@".into() }
}

pub(crate) fn task() -> Draft {
    Draft::new("demo", Class::Task, "Demo")
}

pub(crate) fn durable() -> Draft {
    Draft::new("demo", Class::Durable, "Demo")
}

pub(crate) fn token() -> Draft {
    Draft::new("demo", Class::Token, "Demo")
}

pub(crate) fn metadata(value: Value) -> Metadata {
    match value {
        Value::Object(metadata) => metadata,
        other => panic!("no map: {other}"),
    }
}
