//! The desk in process: work that panics or does not listen, and a disk that is full.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use charms_reactive_core::operation::{Class, OperationId, Requestor, Status};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{Change, Differences, Draft, Record, Refused};
use charms_reactive_server::operations::{
    Demo, Kept, Kind as _, Kinds, Memory, Operations, Settings, Store, StoreError, Unavailable,
};
use serde_json::{Value, json};

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn demo(input: Value) -> Draft {
    let requestor = Requestor { username: "root".into(), protocol: "unix".into(), address: "@".into() };
    Demo.draft(None, input).expect("a draft").requestor(requestor)
}

async fn start(operations: &Operations, input: Value) -> Result<OperationId, Unavailable> {
    let draft = demo(input);
    Ok(operations.act(move |turn| turn.create(draft)).await?.expect("made").id())
}

/// The operation at its end.
pub(super) async fn end(operations: &Operations, id: OperationId) -> Value {
    let shown = match operations.wait(id).await.expect("a desk").expect("known") {
        Ok(over) => over,
        Err(waiting) => waiting.end(None).await,
    };
    serde_json::from_str(&shown).expect("JSON")
}

#[test]
fn work_that_does_not_listen_is_ended_after_a_while() {
    let runtime = runtime();
    let settings = Settings { grace: Duration::from_millis(50), ..Settings::default() };
    let operations =
        Operations::start(Box::new(Memory), Kinds::standard(), &settings, runtime.handle().clone())
            .expect("started");
    runtime.block_on(async {
        let id = start(&operations, json!({"duration": 600, "stubborn": true})).await.expect("kept");
        let cancelled = operations.act(move |turn| turn.registry.cancel(id, None, None, turn.now)).await;
        assert_eq!(cancelled, Ok(Ok(())));
        let ended = end(&operations, id).await;
        let told = (&ended["status"], &ended["err"]);
        assert_eq!(told, (&json!("Cancelled"), &json!("did not stop within 0.05s, and was ended")));
    });
}

#[test]
fn work_that_panics_has_failed() {
    let runtime = runtime();
    let operations = Operations::start(
        Box::new(Memory),
        Kinds::standard(),
        &Settings::default(),
        runtime.handle().clone(),
    )
    .expect("started");
    runtime.block_on(async {
        let id = start(&operations, json!({"duration": 0, "outcome": "panic"})).await.expect("kept");
        let ended = end(&operations, id).await;
        let told = (&ended["status"], &ended["err"], &ended["err_code"]);
        assert_eq!(told, (&json!("Failure"), &json!("the work panicked"), &json!(500)));
        let next = start(&operations, json!({"duration": 0})).await.expect("kept");
        assert_eq!(end(&operations, next).await["status"], "Success", "others go on");
    });
}

#[test]
fn an_operation_that_nobody_connects_to_has_failed() {
    let runtime = runtime();
    let settings = Settings { attach: Duration::from_millis(50), ..Settings::default() };
    let operations =
        Operations::start(Box::new(Memory), Kinds::standard(), &settings, runtime.handle().clone())
            .expect("started");
    runtime.block_on(async {
        let draft = Demo.draft(Some(Class::Websocket), Value::Null).expect("a draft");
        let id = operations.act(move |turn| turn.create(draft)).await.expect("kept").expect("made").id();
        let ended = end(&operations, id).await;
        let told = (&ended["status"], &ended["err"]);
        assert_eq!(told, (&json!("Failure"), &json!("Timed out waiting for websockets to connect")));
    });
}

/// A disk that is full while the switch is on.
struct Full(Arc<AtomicBool>);

impl Store for Full {
    fn load(&mut self) -> Result<Kept, StoreError> {
        Ok(Kept::new())
    }

    fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(StoreError::Open(std::io::Error::other("disk full").into()));
        }
        Ok(())
    }
}

/// A store that can be looked at, and changed behind the desk's back.
#[derive(Clone, Default)]
struct Open {
    records: Arc<Mutex<BTreeMap<OperationId, Record>>>,
    /// While it is on, what was kept is said not to be.
    is_lying: Arc<AtomicBool>,
}

impl Open {
    fn ids(&self) -> Vec<OperationId> {
        self.records.lock().expect("a lock").keys().copied().collect()
    }
}

impl Store for Open {
    fn load(&mut self) -> Result<Kept, StoreError> {
        Ok(self.records.lock().expect("a lock").values().cloned().collect())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut records = self.records.lock().expect("a lock");
        for change in changes {
            match change {
                Change::Put(record) => drop(records.insert(record.id, (**record).clone())),
                Change::Drop(id) => drop(records.remove(id)),
            }
        }
        if self.is_lying.load(Ordering::SeqCst) {
            return Err(StoreError::Open(std::io::Error::other("no answer from the disk").into()));
        }
        Ok(())
    }
}

#[test]
fn a_store_that_is_not_as_it_should_be_is_put_right() {
    let runtime = runtime();
    let store = Open::default();
    let kinds = Kinds::standard();
    let started =
        Operations::start(Box::new(store.clone()), kinds, &Settings::default(), runtime.handle().clone());
    let operations = started.expect("started");
    runtime.block_on(async {
        let running = start(&operations, json!({"duration": 600, "steps": 6000})).await.expect("kept");
        let ended = start(&operations, json!({"duration": 0})).await.expect("kept");
        end(&operations, ended).await;
        let synchronize = async || operations.synchronize().await.expect("a desk").expect("a store");
        assert_eq!(synchronize().await, Differences::default(), "progress is not kept, and need not be");
        let ghost = OperationId::new(Moment::MIN, [7; 8]);
        {
            let mut records = store.records.lock().expect("a lock");
            let mut record = records.remove(&running).expect("kept");
            record.id = ghost;
            records.insert(ghost, record);
            records.get_mut(&ended).expect("kept").life.status = Status::Running;
        }
        assert_eq!(synchronize().await, Differences { unknown: 1, missing: 1, other: 1 });
        // That is one commit, and over before the next turn.
        operations.read(|_| ()).await.expect("a desk");
        let mut expected = [running, ended];
        expected.sort_unstable();
        assert_eq!(store.ids(), expected);
        assert_eq!(synchronize().await, Differences::default());
    });
}

#[test]
fn what_was_refused_is_not_there_after_a_restart_although_the_disk_had_it() {
    let runtime = runtime();
    let store = Open::default();
    let started = Operations::start(
        Box::new(store.clone()),
        Kinds::standard(),
        &Settings::default(),
        runtime.handle().clone(),
    );
    let operations = started.expect("started");
    runtime.block_on(async {
        store.is_lying.store(true, Ordering::SeqCst);
        assert_eq!(start(&operations, json!({"duration": 0})).await, Err(Unavailable));
        assert_eq!(store.ids().len(), 1, "nobody knows of it, and a restart would run it");
        store.is_lying.store(false, Ordering::SeqCst);
        let id = start(&operations, json!({"duration": 600})).await.expect("kept");
        operations.read(|_| ()).await.expect("a desk");
        assert_eq!(store.ids(), [id]);
    });
}

#[test]
fn while_the_disk_is_full_nothing_is_acknowledged_and_no_end_is_lost() {
    let runtime = runtime();
    let is_full = Arc::new(AtomicBool::new(false));
    let store = Box::new(Full(is_full.clone()));
    let operations =
        Operations::start(store, Kinds::standard(), &Settings::default(), runtime.handle().clone())
            .expect("started");
    runtime.block_on(async {
        let id = start(&operations, json!({"duration": 600})).await.expect("kept");
        is_full.store(true, Ordering::SeqCst);
        assert_eq!(start(&operations, json!({"duration": 0})).await, Err(Unavailable));
        let count = operations.read(|registry| registry.operations().count()).await;
        assert_eq!(count, Ok(1), "one can look, and the refused one has never been");
        let cancelled = operations.act(move |turn| turn.registry.cancel(id, None, None, turn.now)).await;
        assert_eq!(cancelled, Err(Unavailable));
        is_full.store(false, Ordering::SeqCst);
        assert_eq!(end(&operations, id).await["status"], "Cancelled", "as soon as it can be kept");
        let again = operations.act(move |turn| turn.registry.cancel(id, None, None, turn.now)).await;
        assert!(matches!(again, Ok(Err(Refused::Move(_)))), "{again:?}");
    });
}
