//! A service without sockets: requests as a client would send them, time as the test wants it.

use std::time::Duration;

use charms_reactive_core::waiter::Moment;
use charms_reactive_server::runtimeconfig::{
    Answer, ApiError, Call, Change, Incoming, Memory, Service, Snapshot, Store, WatchId,
};
use serde_json::{Value, json};

pub(crate) const CONFIG: &str = "projects/p/configs/c";

/// A service, its store, and the time.
pub(crate) struct Desk {
    pub(crate) service: Service,
    pub(crate) store: Box<dyn Store>,
    pub(crate) now: Moment,
    /// Whether changes are kept at once; otherwise they can be taken back.
    pub(crate) keeps: bool,
    /// What another server is to be told.
    pub(crate) told: Vec<Change>,
}

impl Desk {
    /// An empty service that keeps nothing, with one config.
    pub(crate) fn new() -> Self {
        Self::with(Box::new(Memory), Service::load(Snapshot::default()))
    }

    /// An empty service that keeps nothing, without a config.
    pub(crate) fn alone() -> Self {
        let now = Moment::parse("2024-05-01T10:00:00Z").expect("a moment");
        let service = Service::load(Snapshot::default());
        Self { service, store: Box::new(Memory), now, keeps: true, told: Vec::new() }
    }

    /// A service on a store, with one config.
    pub(crate) fn with(store: Box<dyn Store>, service: Service) -> Self {
        let mut desk = Self { service, store, ..Self::alone() };
        desk.ask("POST", "projects/p/configs", &json!({ "name": CONFIG })).expect("a config");
        desk
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> Result<Answer, ApiError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (path, body) = (format!("/v1beta1/{path}"), body.to_string());
        let body = if method == "GET" || method == "DELETE" { "" } else { &body };
        let (_, call) = Call::parse(Incoming { method, path: &path, query, body: body.as_bytes() });
        let answer = self.service.call(call?, self.now);
        if self.keeps {
            let changes = self.service.take_changes();
            self.store.commit(&changes).expect("kept");
            self.told.extend(changes);
        }
        answer
    }

    /// Asks, and has the answer at once.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, ApiError> {
        match self.call(method, path, body)? {
            Answer::Done(value) => Ok(value),
            Answer::Watching(id) => panic!("watch {id} is not answered at once"),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Value, ApiError> {
        self.ask("GET", path, &Value::Null)
    }

    /// Begins to watch.
    pub(crate) fn watch(&mut self, path: &str) -> WatchId {
        match self.call("POST", &format!("{CONFIG}/variables/{path}:watch"), &json!({})) {
            Ok(Answer::Watching(id)) => id,
            other => panic!("not watching: {other:?}"),
        }
    }

    pub(crate) fn write(&mut self, path: &str) -> Result<Value, ApiError> {
        let body = json!({"name": format!("{CONFIG}/variables/{path}"), "text": path});
        self.ask("POST", &format!("{CONFIG}/variables"), &body)
    }

    pub(crate) fn wait(
        &mut self,
        name: &str,
        path: &str,
        number: u32,
        timeout: &str,
    ) -> Result<Value, ApiError> {
        let body = json!({"name": format!("{CONFIG}/waiters/{name}"), "timeout": timeout,
                          "success": {"cardinality": {"path": path, "number": number}}});
        self.ask("POST", &format!("{CONFIG}/waiters"), &body)
    }

    /// How a waiter is: `waiting`, `success`, or the message of its error.
    pub(crate) fn outcome(&mut self, name: &str) -> String {
        let waiter = self.get(&format!("{CONFIG}/waiters/{name}")).expect("a waiter");
        match (&waiter["done"], &waiter["error"]["message"]) {
            (Value::Null, Value::Null) => "waiting".to_owned(),
            (Value::Bool(true), Value::Null) => "success".to_owned(),
            (Value::Bool(true), Value::String(message)) => message.clone(),
            _ => panic!("{waiter}"),
        }
    }

    /// Everything that a client can see.
    pub(crate) fn all(&mut self) -> Vec<Value> {
        let mut all = Vec::new();
        let configs = self.get("projects/p/configs").expect("a list");
        for config in configs["configs"].as_array().into_iter().flatten() {
            let name = config["name"].as_str().expect("a name");
            all.push(config.clone());
            for path in ["variables?returnValues=true", "waiters"] {
                all.push(self.get(&format!("{name}/{path}")).expect("a list"));
            }
            all.push(self.get(&format!("{name}:getIamPolicy")).expect("a policy"));
        }
        all
    }
}
