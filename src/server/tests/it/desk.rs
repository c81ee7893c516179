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
    /// An empty service that keeps nothing, without a config.
    pub(crate) fn alone() -> Self {
        let now = Moment::parse("2024-05-01T10:00:00Z").expect("a moment");
        let service = Service::load(Snapshot::default());
        Self { service, store: Box::new(Memory), now, keeps: true, told: Vec::new() }
    }

    /// The service of a store that is empty, with one config.
    pub(crate) fn on(mut store: Box<dyn Store>) -> Self {
        let service = Service::load(store.load().expect("read"));
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

/// A number below `bound`, drawn from `state`.
pub(crate) fn draw(state: &mut u64, bound: u32) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*state >> 33).expect("31 bits") % bound
}

/// One of three texts.
fn pick(state: &mut u64, texts: [&'static str; 3]) -> &'static str {
    texts[usize::try_from(draw(state, 3)).expect("small")]
}

/// One random request.
pub(crate) fn step(desk: &mut Desk, state: &mut u64) {
    let path = format!("{}/{}", pick(state, ["a", "ab", "b"]), draw(state, 6));
    let name = format!("w{}", draw(state, 5));
    desk.pass(Duration::from_millis(draw(state, 900).into()));
    // Most of these are refused now and then, which is fine: then nothing may change.
    let _ = match draw(state, 12) {
        0..=3 => desk.write(&path),
        4 => desk.ask("PUT", &format!("{CONFIG}/variables/{path}"), &json!({"value": "aGkK"})),
        5 => desk.ask("DELETE", &format!("{CONFIG}/variables/{path}"), &json!({})),
        6 => desk.ask("DELETE", &format!("{CONFIG}/variables/a?recursive=true"), &json!({})),
        7 | 8 => desk.wait(&name, pick(state, ["/a", "b", "/"]), 1 + draw(state, 8), "2.5s"),
        9 => desk.ask("DELETE", &format!("{CONFIG}/waiters/{name}"), &json!({})),
        10 => desk.ask("PUT", CONFIG, &json!({"description": path})),
        _ => desk.ask(
            "POST",
            &format!("{CONFIG}:setIamPolicy"),
            &json!({"policy": {"bindings": [{"role": path}]}}),
        ),
    };
}
