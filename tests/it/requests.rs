//! Answering many requests: twice as many are twice the work, counted and not timed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use charms_reactive::exchange::{Responder, Response, note_request, request_problem};
use charms_reactive::hookcmd::{Answer, CommandError, HookCommands, Request};
use charms_reactive::prelude::*;
use charms_reactive::{Context, Endpoint, EndpointKey, Interface, Manage, Role};
use serde::{Deserialize, Deserializer, Serialize};

thread_local! {
    /// How often a request was read from its text.
    static READ: Cell<usize> = const { Cell::new(0) };
}

#[derive(Serialize)]
struct Question(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Question {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READ.set(READ.get() + 1);
        BTreeMap::deserialize(deserializer).map(Self)
    }
}

#[derive(Serialize, Deserialize)]
struct Reply {
    text: String,
}

impl Response for Reply {}

struct Answering(Endpoint);

impl Responder for Answering {
    type Request = Question;
    type Response = Reply;

    fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Interface for Answering {
    const INTERFACE: &'static str = "questions";
    const ROLE: Option<Role> = Some(Role::Provides);

    fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }
}

impl Manage for Answering {
    fn manage_flags(&self) -> Result<(), HandlerError> {
        Ok(self.manage_responder_flags()?)
    }

    fn note(&self, key: &str, text: &str) -> Option<String> {
        note_request::<Question>(key, text)
    }

    fn problem(&self, key: &str, text: &str) -> Option<String> {
        request_problem::<Question>(key, text)
    }
}

const QUESTIONS: EndpointKey<Answering> = EndpointKey::new("ask", Role::Provides, "questions");

fn app() -> App {
    App::new(Charm::default().endpoint(QUESTIONS)).handler(answer, when(QUESTIONS.changed()))
}

fn answer(hook: &mut Hook) -> Result<(), HandlerError> {
    let side = hook.endpoint(QUESTIONS);
    for request in side.new_requests()? {
        assert!(side.response(&request)?.is_none());
        side.respond(&request, &Reply { text: "yes".to_owned() })?;
        assert!(side.response(&request)?.is_some());
    }
    side.endpoint().clear_changed();
    Ok(())
}

/// A Juju in which one unit asks so many things.
struct Juju {
    requests: usize,
    commands: Rc<RefCell<Vec<&'static str>>>,
}

impl HookCommands for Juju {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        self.commands.borrow_mut().push(request.name);
        let is_of = |unit: &str| request.args.last().is_some_and(|last| last == unit);
        let json = match request.name {
            "state-get" => r#"{"flags":"[]"}"#.to_owned(),
            "relation-ids" => r#"["ask:1"]"#.to_owned(),
            "relation-list" => r#"["asker/0"]"#.to_owned(),
            "relation-get" if is_of("asker/0") => {
                let entry = |number| {
                    let text = serde_json::json!({"request_id": format!("id{number}"), "a": "b"}).to_string();
                    (format!("request_id{number}"), text)
                };
                let databag: BTreeMap<String, String> = (0..self.requests).map(entry).collect();
                serde_json::to_string(&databag).expect("texts are JSON")
            }
            "relation-get" => "{}".to_owned(),
            _ => String::new(),
        };
        Ok(Answer { stdout: json.into_bytes(), ..Answer::default() })
    }
}

/// How often requests were read in a dispatch that answers so many, and its hook commands.
fn answered(requests: usize) -> (usize, Vec<&'static str>) {
    let folder = tempfile::tempdir().expect("a folder");
    let variable = |name: &str| {
        let value = match name {
            "JUJU_UNIT_NAME" => "web/0",
            "JUJU_DISPATCH_PATH" => "hooks/ask-relation-changed",
            "JUJU_RELATION_ID" => "ask:1",
            "JUJU_REMOTE_APP" => "asker",
            "JUJU_REMOTE_UNIT" => "asker/0",
            "JUJU_CHARM_DIR" => folder.path().to_str()?,
            _ => return None,
        };
        Some(value.to_owned())
    };
    let context = Context::read(variable, 1).expect("a hook's environment");
    let commands = Rc::default();
    READ.set(0);
    let juju = Juju { requests, commands: Rc::clone(&commands) };
    charms_reactive::dispatch(&app(), juju, context).expect("a dispatch that ends well");
    (READ.get(), commands.take())
}

#[test]
fn twice_as_many_requests_are_read_twice_as_often() {
    let (one, commands) = answered(1);
    assert!(commands.contains(&"relation-set"), "{commands:?}");
    assert!(one > 0 && one < 10, "{one}");
    for requests in [100, 200, 1000] {
        let (read, same) = answered(requests);
        assert_eq!(read, one * requests, "{requests} requests");
        assert_eq!(same, commands, "{requests} requests");
    }
}
