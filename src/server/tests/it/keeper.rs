//! The keeper on stores that refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use charms_reactive_server::keeper::{Keeper, Reply};
use charms_reactive_server::runtimeconfig::{
    ApiError, Call, Change, Code, Incoming, Snapshot, Store, StoreError,
};
use serde_json::{Value, json};

use crate::desk::CONFIG;

/// Keeps nothing, and refuses what it is told to.
struct Refusing<F> {
    refuse: F,
}

impl<F: FnMut(&[Change]) -> Option<StoreError> + Send> Store for Refusing<F> {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::default())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        (self.refuse)(changes).map_or(Ok(()), Err)
    }
}

fn keeper(refuse: impl FnMut(&[Change]) -> Option<StoreError> + Send + 'static) -> Keeper {
    Keeper::start(Box::new(Refusing { refuse })).expect("started").0
}

async fn reply(keeper: &Keeper, method: &str, path: &str, body: &Value) -> Reply {
    let (path, body) = (format!("/v1beta1/{path}"), body.to_string());
    let body = if method == "GET" { "" } else { &body };
    let incoming = Incoming { method, path: &path, query: "", body: body.as_bytes() };
    keeper.call(Call::parse(incoming).1.expect("a call")).await
}

async fn ask(keeper: &Keeper, method: &str, path: &str, body: &Value) -> Result<Value, ApiError> {
    match reply(keeper, method, path, body).await {
        Reply::Done(result) => result,
        Reply::Watching(watching) => watching.wait(Duration::from_secs(20)).await,
    }
}

async fn write(keeper: &Keeper, path: &str) -> Result<Value, Code> {
    let body = json!({"name": format!("{CONFIG}/variables/{path}"), "text": "x"});
    ask(keeper, "POST", &format!("{CONFIG}/variables"), &body).await.map_err(|error| error.code)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

#[test]
fn what_cannot_be_kept_has_not_happened() {
    run(async {
        let commits = Arc::new(AtomicUsize::new(0));
        let counted = commits.clone();
        // The config, one variable, and from then on every other one.
        let keeper = keeper(move |changes| {
            let is_counted = !changes.is_empty();
            let number = counted.fetch_add(usize::from(is_counted), Ordering::Relaxed);
            (is_counted && number >= 2 && number.is_multiple_of(2))
                .then_some(StoreError::Refused("full".to_owned()))
        });
        ask(&keeper, "POST", "projects/p/configs", &json!({ "name": CONFIG })).await.expect("a config");
        let first = write(&keeper, "a").await.expect("written");
        let name = format!("{CONFIG}/variables/a");
        let Reply::Watching(watching) = reply(&keeper, "POST", &format!("{name}:watch"), &json!({})).await
        else {
            panic!("not watching");
        };
        let error = ask(&keeper, "PUT", &name, &json!({"text": "y"})).await.expect_err("refused");
        assert_eq!(error.code, Code::Unavailable);
        assert_eq!(
            watching.wait(Duration::from_secs(20)).await.map_err(|error| error.code),
            Err(Code::Unavailable)
        );
        assert_eq!(ask(&keeper, "GET", &name, &Value::Null).await, Ok(first));
        ask(&keeper, "PUT", &name, &json!({"text": "z"})).await.expect("kept");
        assert_eq!(ask(&keeper, "GET", &name, &Value::Null).await.expect("read")["text"], "z");
        assert_eq!(commits.load(Ordering::Relaxed), 4);
    });
}

#[test]
fn what_is_too_large_together_is_kept_one_by_one() {
    run(async {
        let keeper = keeper(|changes| {
            let names_large = |change: &Change| matches!(change, Change::PutVariable { path, .. } if path.as_str() == "large");
            let bytes = changes.len() + if changes.iter().any(names_large) { 100 } else { 0 };
            (bytes > 3).then_some(StoreError::TooLarge { bytes })
        });
        ask(&keeper, "POST", "projects/p/configs", &json!({ "name": CONFIG })).await.expect("a config");
        let names: Vec<String> = (0..50)
            .map(|number| if number == 20 { "large".to_owned() } else { format!("v{number}") })
            .collect();
        // All at once.
        let calls: Vec<_> = names
            .iter()
            .map(|name| {
                let (keeper, name) = (keeper.clone(), name.clone());
                tokio::spawn(async move { write(&keeper, &name).await })
            })
            .collect();
        for (call, name) in calls.into_iter().zip(&names) {
            let expected = if name == "large" { Err(Code::ResourceExhausted) } else { Ok(()) };
            assert_eq!(call.await.expect("ended").map(drop), expected, "{name}");
        }
    });
}

#[test]
fn a_server_that_is_always_overtaken_gives_up() {
    run(async {
        let keeper = keeper(|_| Some(StoreError::Overtaken));
        let answer = ask(&keeper, "GET", "projects/p/configs", &Value::Null).await;
        assert_eq!(answer.map_err(|error| error.code), Err(Code::Unavailable));
    });
}
