//! As much of Juju as one unit with one endpoint sees of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use charms_reactive_core::HookEvent;
use charms_reactive_hookcmd::{Answer, CommandError, HookCommands, Request};
use charms_reactive_runtime::charm::{App, Charm};
use charms_reactive_runtime::condition::on;
use charms_reactive_runtime::{Context, EndpointKey, HandlerError, Hook, Interface, dispatch};
use serde_json::{Value, json};

use super::recording::{Step, Texts};

/// What Juju keeps for the unit.
#[derive(Clone, Default)]
pub(crate) struct Juju {
    unit: String,
    state: Texts,
    /// By relation, then by unit: those that are there, or were.
    databags: BTreeMap<String, BTreeMap<String, Texts>>,
    /// By relation: the remote units that are there.
    members: BTreeMap<String, Vec<String>>,
    /// What the last dispatch logged.
    pub(crate) log: String,
}

impl Juju {
    pub(crate) fn new(unit: &str) -> Self {
        Self { unit: unit.to_owned(), ..Self::default() }
    }

    /// The other sides as they are before a hook; our own databags begin with what Juju puts there.
    pub(crate) fn receive(&mut self, received: &BTreeMap<String, BTreeMap<String, Texts>>, address: &Texts) {
        self.members.clear();
        for (relation, units) in received {
            self.members.insert(relation.clone(), units.keys().cloned().collect());
            let databags = self.databags.entry(relation.clone()).or_default();
            databags.entry(self.unit.clone()).or_insert_with(|| address.clone());
            databags.extend(units.clone());
        }
    }

    /// Our own databags, by relation.
    pub(crate) fn published(&self) -> BTreeMap<String, Texts> {
        let own = |units: &BTreeMap<String, Texts>| units.get(&self.unit).cloned().unwrap_or_default();
        self.databags.iter().map(|(relation, units)| (relation.clone(), own(units))).collect()
    }

    /// Runs the hook of a step with a charm that has one endpoint and one handler.
    pub(crate) fn run<T: Interface>(
        &mut self,
        endpoint: EndpointKey<T>,
        step: &Step,
        work: impl Fn(&mut Hook, T) -> Result<(), HandlerError> + 'static,
    ) {
        let charm = Charm::default().endpoint(endpoint);
        let handler = move |hook: &mut Hook| {
            let side = hook.endpoint(endpoint);
            work(hook, side)
        };
        let app = App::new(charm).handler(handler, on(HookEvent::from_hook_name(&step.hook)));
        let remote = step.remote_unit.clone().unwrap_or_default();
        let application = remote.split('/').next().unwrap_or_default();
        let variables = [
            ("JUJU_UNIT_NAME", self.unit.clone()),
            ("JUJU_DISPATCH_PATH", format!("hooks/{}", step.hook)),
            ("JUJU_RELATION_ID", step.relation.clone().unwrap_or_default()),
            ("JUJU_REMOTE_UNIT", remote.clone()),
            ("JUJU_REMOTE_APP", application.to_owned()),
        ];
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let context = Context::read(|name| variable(name).map(|(_, text)| text.clone()), 11);
        let kept = Rc::new(RefCell::new(Self { log: String::new(), ..self.clone() }));
        let result = dispatch(&app, Backend(kept.clone()), context.expect("a hook's environment"));
        let kept = kept.take();
        assert!(result.is_ok(), "hook `{}` failed:\n{}", step.hook, kept.log);
        *self = kept;
    }

    fn answer(&mut self, request: &Request) -> Option<Value> {
        let args: Vec<&str> = request.args.iter().map(String::as_str).collect();
        let stdin: Texts = request
            .stdin
            .as_ref()
            .map_or_else(Texts::new, |bytes| serde_json::from_slice(bytes).expect("JSON with texts"));
        Some(match (request.name, args.as_slice()) {
            ("state-get", _) => json!(self.state),
            ("state-set", _) => {
                self.state.extend(stdin);
                Value::Null
            }
            ("relation-ids", _) => json!(self.members.keys().collect::<Vec<_>>()),
            ("relation-list", [_, "-r", id]) => json!(self.members.get(*id)?),
            ("relation-get", [_, "-r", id, .., unit]) => {
                let databags = self.databags.get(*id)?;
                json!(databags.get(*unit).cloned().unwrap_or_default())
            }
            ("relation-set", ["-r", id, ..]) => {
                let own = self.databags.get_mut(*id)?.get_mut(&self.unit)?;
                own.extend(stdin);
                own.retain(|_, text| !text.is_empty());
                Value::Null
            }
            ("juju-log", _) => {
                self.log.push_str(&args.join(" "));
                self.log.push('\n');
                Value::Null
            }
            _ => panic!("this Juju has no `{request}`"),
        })
    }
}

struct Backend(Rc<RefCell<Juju>>);

impl HookCommands for Backend {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let Some(answer) = self.0.borrow_mut().answer(request) else {
            let stderr = b"ERROR invalid value for option -r: relation not found".to_vec();
            return Ok(Answer { code: 2, stdout: Vec::new(), stderr });
        };
        let stdout = if answer.is_null() { Vec::new() } else { answer.to_string().into_bytes() };
        Ok(Answer { code: 0, stdout, stderr: Vec::new() })
    }
}
