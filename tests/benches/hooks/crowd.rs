//! A Juju in process with one relation of many units, to make states that stubs can show, and to measure
//! dispatches without processes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use charms_reactive::hookcmd::{Answer, CommandError, HookCommands, Request};
use charms_reactive::{App, Context};

use super::duty::Duty;

#[derive(Clone, Default)]
pub(crate) struct Crowd {
    units: usize,
    requests: Option<usize>,
    value: String,
    state: BTreeMap<String, String>,
    charm_dir: Rc<Option<tempfile::TempDir>>,
}

impl Crowd {
    /// So many units, whose databags have ten keys each.
    pub(crate) fn new(units: usize) -> Self {
        let charm_dir = Rc::new(Some(tempfile::tempdir().expect("a folder")));
        Self { units, value: "value".to_owned(), charm_dir, ..Self::default() }
    }

    /// The same, the first unit with so many requests.
    pub(crate) fn asking(mut self, requests: usize) -> Self {
        self.requests = Some(requests);
        self
    }

    /// The same, with these values in all keys of the first unit.
    pub(crate) fn saying(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    /// The names of the units, as JSON.
    pub(crate) fn units(&self) -> String {
        let units: Vec<String> = (0..self.units).map(|unit| format!("mysql/{unit}")).collect();
        serde_json::to_string(&units).expect("texts are JSON")
    }

    /// A databag whose values are this one, as JSON; with requests where there are any.
    pub(crate) fn databag(&self, value: &str) -> String {
        let mut databag: BTreeMap<String, String> =
            (0..10).map(|key| (format!("key{key}"), format!("{value}{key}"))).collect();
        for number in 0..self.requests.unwrap_or(0) {
            let id = format!("{number:08}-7d1c-4f0e-9c7a-5a6e0c9ab0f3");
            let request = serde_json::json!({"request_id": id, "text": "what is the time?"});
            databag.insert(format!("request_{id}"), request.to_string());
        }
        serde_json::to_string(&databag).expect("texts are JSON")
    }

    /// The same after these hooks of the first unit.
    pub(crate) fn after(mut self, duty: Duty, hooks: &[&str]) -> Self {
        for hook in hooks {
            self.state = self.clone().run(&duty.app(), hook);
        }
        self
    }

    /// The unit's state after these hooks, as JSON.
    pub(crate) fn state_after(&self, duty: Duty, hooks: &[&str]) -> String {
        let after = self.clone().after(duty, hooks);
        serde_json::to_string(&after.state).expect("texts are JSON")
    }

    /// Runs a hook of the first unit, and gives the unit's state.
    pub(crate) fn run(self, app: &App, hook: &str) -> BTreeMap<String, String> {
        let folder = self.charm_dir.clone();
        let variable = |name: &str| {
            let value = match name {
                "JUJU_UNIT_NAME" => "web/0",
                "JUJU_DISPATCH_PATH" => hook,
                "JUJU_RELATION_ID" => "db:1",
                "JUJU_REMOTE_APP" => "mysql",
                "JUJU_REMOTE_UNIT" => "mysql/0",
                "JUJU_CHARM_DIR" => folder.as_ref().as_ref()?.path().to_str()?,
                _ => return None,
            };
            Some(value.to_owned())
        };
        let context = Context::read(variable, 1).expect("a hook's environment");
        let shared = Shared(Rc::new(RefCell::new(self)));
        charms_reactive::dispatch(app, shared.clone(), context).expect("a dispatch that ends well");
        shared.0.take().state
    }
}

/// The crowd while a dispatch asks it.
#[derive(Clone)]
struct Shared(Rc<RefCell<Crowd>>);

impl HookCommands for Shared {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let mut crowd = self.0.borrow_mut();
        let told = request.stdin.as_deref().unwrap_or_default();
        let is_of = |unit: &str| request.args.last().is_some_and(|last| last == unit);
        let json = match request.name {
            "state-get" => serde_json::to_string(&crowd.state).expect("texts are JSON"),
            "state-set" => {
                let changes: BTreeMap<String, String> = serde_json::from_slice(told).expect("JSON");
                crowd.state.extend(changes);
                String::new()
            }
            "relation-ids" => r#"["db:1"]"#.to_owned(),
            "relation-list" => crowd.units(),
            "relation-get" if is_of("web/0") => "{}".to_owned(),
            "relation-get" if is_of("mysql/0") => crowd.databag(&crowd.value),
            "relation-get" => Crowd { requests: None, ..crowd.clone() }.databag("value"),
            _ => String::new(),
        };
        Ok(Answer { stdout: json.into_bytes(), ..Answer::default() })
    }
}
