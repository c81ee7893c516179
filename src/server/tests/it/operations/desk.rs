//! The desk in process: work that panics or does not listen, and a disk that is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use charms_reactive_core::operation::{Class, OperationId, Requestor};
use charms_reactive_operations::{Change, Draft, Refused};
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
