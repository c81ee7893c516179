//! What handlers of the twin in Rust do, and how they tell it: one line of JSON each, in `twin.log`.
//!
//! `tests/charms/twin-python/twin_kit.py` is the same in Python.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;

use charms_reactive::exchange::{
    RequestId, Requester, Responder, Response, note_request, note_response, request_problem, response_problem,
};
use charms_reactive::prelude::*;
use charms_reactive::relation::{RelatedUnit, Relation};
use charms_reactive::{Endpoint, Interface, Manage, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::twin::{Config, ProgramHandler, endpoints};

const ENDPOINTS: [&str; 5] = ["ask", "cache", "db", "ring", "tell"];

/// Tells that a handler runs, with the flags of the program that are set.
pub(crate) fn note(hook: &mut Hook, handler: &str, facts: Value) -> Result<(), HandlerError> {
    let flags: Vec<String> = hook.flags().into_iter().filter(|flag| flag.starts_with("f.")).collect();
    let mut line = json!({"handler": handler, "flags": flags});
    if let (Value::Object(line), Value::Object(facts)) = (&mut line, facts) {
        line.extend(facts);
    }
    let path = hook.context().charm_dir.join("twin.log");
    let mut log = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(log, "{line}")?;
    let config: Config = hook.config()?;
    if config.fail == handler { Err(format!("{handler} is to fail").into()) } else { Ok(()) }
}

/// The hooks of these names, any of them.
pub(crate) fn hooks(names: &[&str]) -> Condition {
    let hooks = names.iter().map(|name| on(HookEvent::from_hook_name(name)));
    hooks.reduce(Condition::and).expect("at least one")
}

// Everything that can be seen.

pub(crate) fn observe(hook: &mut Hook) -> Result<(), HandlerError> {
    let mut seen_endpoints = Map::new();
    for name in ENDPOINTS {
        seen_endpoints.insert(name.to_owned(), seen(&endpoint(hook, name))?);
    }
    let (ask, tell) = (hook.endpoint(endpoints::ASK), hook.endpoint(endpoints::TELL));
    let mut requests = Vec::new();
    for request in tell.requests()? {
        let answer = tell.response(&request)?.map(|answer| answer.value);
        requests.push(
            json!({"id": request.id.as_str(), "name": request.name, "data": request.data, "answer": answer}),
        );
    }
    let (mut own_requests, responses) = (Vec::new(), ask.responses()?);
    for request in ask.requests()? {
        let answers: Vec<&Value> = responses
            .iter()
            .filter(|response| {
                response.id == request.id && response.relation.relation_id() == request.relation.relation_id()
            })
            .map(|response| &response.value.value)
            .collect();
        own_requests.push(json!({
            "id": request.id.as_str(), "name": request.name, "data": request.data,
            "answer": answers.first(), "answers": answers,
        }));
    }
    let patterns = ["has_responses", "all_responses", "has_requests", "new_requests"];
    let flags = hook.flags();
    let pattern_flags: Vec<&String> =
        flags.iter().filter(|flag| patterns.iter().any(|pattern| flag.ends_with(pattern))).collect();
    let config: Config = hook.config()?;
    let facts = json!({
        "hook": hook.event().to_string(),
        "is_leader": hook.is_leader()?,
        "config": {
            "apply": config.apply, "fail": config.fail, "keep-departed": config.keep_departed,
            "number": config.number, "text": config.text,
        },
        "endpoints": seen_endpoints,
        "requests": requests,
        "own_requests": own_requests,
        "pattern_flags": pattern_flags,
    });
    note(hook, "observe", facts)
}

fn endpoint(hook: &Hook, name: &str) -> Endpoint {
    Endpoint::from_name(hook, name).expect("an endpoint of the charm")
}

fn seen(endpoint: &Endpoint) -> Result<Value, HandlerError> {
    let mut relations = Vec::new();
    for relation in &endpoint.relations()? {
        relations.push(seen_relation(relation)?);
    }
    let all = endpoint.all_joined_units()?;
    let mut units = Vec::new();
    for unit in &all {
        let received: Map<String, Value> =
            unit.received()?.iter().map(|(key, value)| (key.to_owned(), value)).collect();
        units.push(json!({
            "relation": unit.relation().relation_id().to_string(),
            "unit": unit.unit_name().to_string(),
            "raw": *unit.received_raw()?,
            "received": received,
        }));
    }
    let merged: Map<String, Value> =
        all.received()?.iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(json!({
        "is_joined": endpoint.is_joined(),
        "relations": relations,
        "units": units,
        "merged": merged,
        "departed": departed_units(endpoint)?,
    }))
}

fn seen_relation(relation: &Relation) -> Result<Value, HandlerError> {
    let units = relation.joined_units()?;
    let names: Vec<String> = units.iter().map(|unit| unit.unit_name().to_string()).collect();
    Ok(json!({
        "id": relation.relation_id().to_string(),
        "application": relation.application_name()?.map(|name| name.to_string()),
        "units": names,
        "received_app": relation.received_app()?.raw(),
    }))
}

fn departed_units(endpoint: &Endpoint) -> Result<Vec<Value>, HandlerError> {
    let units = endpoint.all_departed_units().list();
    let seen = |unit: &RelatedUnit| {
        Ok(json!({
            "relation": unit.relation().relation_id().to_string(),
            "unit": unit.unit_name().to_string(),
            "raw": *unit.received_raw()?,
        }))
    };
    units.iter().map(seen).collect()
}

// Handlers of endpoints.

pub(crate) fn changed(hook: &mut Hook, name: &str) -> Result<(), HandlerError> {
    let keys = crate::twin::flags_after(hook, &format!("endpoint.{name}.changed."));
    note(hook, &format!("{name}.changed"), json!({"keys": keys}))?;
    endpoint(hook, name).clear_changed();
    Ok(())
}

pub(crate) fn departed(hook: &mut Hook, name: &str) -> Result<(), HandlerError> {
    let endpoint = endpoint(hook, name);
    note(hook, &format!("{name}.departed"), json!({"units": departed_units(&endpoint)?}))?;
    let config: Config = hook.config()?;
    if !config.keep_departed {
        endpoint.all_departed_units().clear();
    }
    Ok(())
}

pub(crate) fn forget_departed(hook: &Hook) {
    for name in ENDPOINTS {
        endpoint(hook, name).all_departed_units().clear();
    }
}

pub(crate) fn answer(hook: &mut Hook) -> Result<(), HandlerError> {
    let tell = hook.endpoint(endpoints::TELL);
    let requests = tell.new_requests()?;
    let ids: Vec<&str> = requests.iter().map(|request| request.id.as_str()).collect();
    note(hook, "tell.answer", json!({"ids": ids}))?;
    for request in &requests {
        tell.respond(request, &Reply { value: json!([request.name, request.data]) })?;
    }
    Ok(())
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    name: String,
    data: Value,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    value: Value,
}

impl Response for Reply {}

/// The side of `twin-job` that asks.
pub struct AskProvides(Endpoint);

impl Interface for AskProvides {
    const INTERFACE: &'static str = "twin-job";
    const ROLE: Option<Role> = Some(Role::Provides);

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Requester for AskProvides {
    type Request = Job;
    type Response = Reply;

    fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Manage for AskProvides {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        Ok(self.manage_requester_flags()?)
    }

    fn note(&self, key: &str, text: &str) -> Option<String> {
        note_response::<Reply>(key, text)
    }

    fn problem(&self, key: &str, text: &str) -> Option<String> {
        response_problem::<Reply>(key, text)
    }
}

/// The side of `twin-job` that answers.
pub struct TellRequires(Endpoint);

impl Interface for TellRequires {
    const INTERFACE: &'static str = "twin-job";
    const ROLE: Option<Role> = Some(Role::Requires);

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Responder for TellRequires {
    type Request = Job;
    type Response = Reply;

    fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Manage for TellRequires {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        Ok(self.manage_responder_flags()?)
    }

    fn note(&self, key: &str, text: &str) -> Option<String> {
        note_request::<Job>(key, text)
    }

    fn problem(&self, key: &str, text: &str) -> Option<String> {
        request_problem::<Job>(key, text)
    }
}

// Operations of the program.

/// What the handlers of a program share in one dispatch.
#[derive(Debug, Default)]
pub(crate) struct Kit {
    /// How often each handler has run.
    runs: RefCell<BTreeMap<String, usize>>,
}

impl Kit {
    /// Runs a handler of the program.
    pub(crate) fn run(&self, hook: &mut Hook, handler: &ProgramHandler) -> Result<(), HandlerError> {
        note(hook, &handler.name, json!({}))?;
        let runs = {
            let mut runs = self.runs.borrow_mut();
            let runs = runs.entry(handler.name.clone()).or_default();
            *runs += 1;
            *runs
        };
        if runs <= handler.runs_max {
            for operation in &handler.operations {
                operate(hook, operation)?;
            }
        }
        Ok(())
    }
}

fn operate(hook: &mut Hook, operation: &[Value]) -> Result<(), HandlerError> {
    let word = |at: usize| operation[at].as_str().expect("a text").to_owned();
    match word(0).as_str() {
        "set" => hook.set(word(1)),
        "clear" => hook.clear(word(1)),
        "toggle" => {
            let flag = Flag::from(word(1));
            let is_set = hook.is_set(&flag);
            hook.toggle(flag, !is_set);
        }
        "publish" => publish(hook, &word(1), &word(2), &operation[3])?,
        "publish-text" => {
            for relation in &endpoint(hook, &word(1)).relations()? {
                relation.to_publish().set_text(&word(2), &word(3))?;
            }
        }
        "publish-for-application" => {
            if hook.is_leader()? {
                for relation in &endpoint(hook, &word(1)).relations()? {
                    relation.to_publish_app().set(&word(2), &operation[3])?;
                }
            }
        }
        "unpublish" => {
            for relation in &endpoint(hook, &word(1)).relations()? {
                relation.to_publish().remove(&word(2))?;
            }
        }
        "ask" => {
            let ask = hook.endpoint(endpoints::ASK);
            for relation in &endpoint(hook, "ask").relations()? {
                let id = RequestId::parse(&format!("{}-{}", word(1), number(relation)))?;
                ask.create_with_id(relation, id, Job { name: word(1), data: operation[2].clone() })?;
            }
        }
        "withdraw" => {
            let ask = hook.endpoint(endpoints::ASK);
            for request in ask.requests()?.iter().filter(|request| request.name == word(1)) {
                ask.withdraw(request)?;
            }
        }
        "status" => {
            let message = word(2);
            match word(1).as_str() {
                "active" => hook.status(Active(message)),
                "waiting" => hook.status(Waiting(message)),
                "maintenance" => hook.status(Maintenance(message)),
                _ => hook.status(Blocked(message)),
            }
        }
        other => panic!("no operation `{other}`"),
    }
    Ok(())
}

/// Publishes a value on every relation of an endpoint.
pub(crate) fn publish(hook: &Hook, name: &str, key: &str, value: &Value) -> Result<(), HandlerError> {
    for relation in &endpoint(hook, name).relations()? {
        relation.to_publish().set(key, value)?;
    }
    Ok(())
}

/// The number of a relation, as text.
fn number(relation: &Relation) -> String {
    relation.relation_id().to_string().rsplit(':').next().unwrap_or_default().to_owned()
}
