//! The charms whose dispatches are measured; `reactive.py` and `ops_charm.py` are their counterparts.

use charms_reactive::exchange::{Responder, Response, note_request, request_problem};
use charms_reactive::prelude::*;
use charms_reactive::relation::RelatedUnit;
use charms_reactive::{Endpoint, EndpointKey, Interface, Manage, Role};
use serde::{Deserialize, Serialize};

pub(crate) const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");
const ANSWERING: EndpointKey<Answering> = EndpointKey::new("db", Role::Requires, "mysql");

/// How many handlers a charm with many handlers has.
pub(crate) const HANDLERS: usize = 200;
/// How many flags one of them sets.
pub(crate) const FLAGS: usize = 50;

/// What a dispatch has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nothing.
    Idle,
    /// Read the ten keys of the unit that the hook is about.
    Changed,
    /// Set flags in one of many handlers.
    Handlers,
    /// Answer the requests of a unit.
    Requests,
}

impl Duty {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Changed => "changed",
            Self::Handlers => "handlers",
            Self::Requests => "requests",
        }
    }

    /// The charm that has it.
    pub(crate) fn app(self) -> App {
        match self {
            Self::Idle => App::new(Charm::default().endpoint(DB)).handler(install, on(HookEvent::Install)),
            Self::Changed => App::new(Charm::default().endpoint(DB)).handler(read, when(DB.changed())),
            Self::Handlers => handlers(HANDLERS, FLAGS),
            Self::Requests => {
                App::new(Charm::default().endpoint(ANSWERING)).handler(answer, when(DB.changed()))
            }
        }
    }
}

fn install(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("ready"));
    Ok(())
}

fn read(hook: &mut Hook) -> Result<(), HandlerError> {
    let db = hook.endpoint(DB);
    let named = hook.context().remote_unit.clone();
    for relation in db.relations()? {
        let units = relation.joined_units()?;
        let unit = named.as_ref().and_then(|name| units.iter().find(|unit| unit.unit_name() == name));
        for (key, text) in
            unit.map(RelatedUnit::received_raw).transpose()?.iter().flat_map(|data| data.iter())
        {
            assert!(key.starts_with("key") && !text.is_empty(), "as the other side wrote it");
        }
    }
    db.clear_changed();
    Ok(())
}

/// A charm with so many handlers, of which the first sets so many flags that others wait for.
pub(crate) fn handlers(handlers: usize, flags: usize) -> App {
    let flag = |number: usize| Flag::from(format!("work.{number}"));
    let begin = move |hook: &mut Hook| {
        (0..flags).for_each(|number| hook.set(flag(number)));
        Ok(())
    };
    let done = |_: &mut Hook| Ok(());
    let app = App::new(Charm::default()).handler(begin, on(HookEvent::ConfigChanged));
    (0..handlers - 1).fold(app, |app, number| app.handler(done, when(flag(number))))
}

/// What is asked.
#[derive(Serialize, Deserialize)]
pub(crate) struct Question {
    text: String,
}

/// What is answered.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reply {
    text: String,
}

impl Response for Reply {}

/// The side that answers.
pub(crate) struct Answering(Endpoint);

impl Responder for Answering {
    type Request = Question;
    type Response = Reply;

    fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Interface for Answering {
    const INTERFACE: &'static str = "mysql";
    const ROLE: Option<Role> = Some(Role::Requires);

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

fn answer(hook: &mut Hook) -> Result<(), HandlerError> {
    let side = hook.endpoint(ANSWERING);
    for request in side.new_requests()? {
        side.respond(&request, &Reply { text: request.text.clone() })?;
        // As a charm does that looks before it answers.
        side.response(&request)?;
    }
    hook.endpoint(DB).clear_changed();
    Ok(())
}
