//! The twin in Rust: handlers that every twin has, those of its endpoints, then those of its program.
//!
//! `tests/charms/twin-python/reactive` is the same in Python.  Handlers are in the order in which Python
//! registers them.

use std::path::Path;
use std::rc::Rc;

use charms_reactive::prelude::*;
use charms_reactive::trigger::Trigger;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kit::{self, AskProvides, Kit, TellRequires, note};

charms_reactive::charm!("metadata.yaml", ask: AskProvides, tell: TellRequires);

/// What a twin does besides what every twin does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) handlers: Vec<ProgramHandler>,
    pub(crate) triggers: Vec<ProgramTrigger>,
}

/// One handler of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProgramHandler {
    pub(crate) name: String,
    /// The hooks it is for; none where it is about flags.
    pub(crate) hooks: Vec<String>,
    /// Each a word (`when`, `when-all`, `when-any`, `when-not`, `when-none`, `when-not-all`) and flags.
    pub(crate) terms: Vec<Vec<String>>,
    /// How often its operations are done in a dispatch.
    pub(crate) runs_max: usize,
    /// Each a word and arguments, see [`Kit::operate`].
    pub(crate) operations: Vec<Vec<Value>>,
}

/// One trigger of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProgramTrigger {
    pub(crate) flag: String,
    /// `set` or `cleared`.
    pub(crate) edge: String,
    pub(crate) set_flag: Vec<String>,
    pub(crate) clear_flag: Vec<String>,
}

impl Program {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("the charm has its program");
        serde_json::from_str(&text).expect("a program")
    }
}

/// The whole charm, with the program in this file.
pub(crate) fn app(program: &Path) -> App {
    let program = Program::read(program);
    let kit = Rc::new(Kit::default());
    let mut app = App::new(metadata());
    for trigger in &program.triggers {
        app = app.trigger(registered(trigger));
    }
    app = app
        .handler(kit::observe, none([Flag::new("never.set")]))
        .handler(apply, when(Flag::new("config.changed.apply")))
        .handler(
            |hook| note(hook, "configured", json!({"options": flags_after(hook, "config.changed.")})),
            when(CONFIG_CHANGED),
        )
        .handler(has_number, any(["config.set.number", "config.default.number"].map(Flag::new)))
        .handler(
            hooked,
            kit::hooks(&["install", "config-changed", "start", "upgrade-charm", "update-status"])
                .and(kit::hooks(&["leader-elected", "stop", "remove"])),
        )
        .handler(hooked_by_relation, kit::hooks(&RELATION_HOOKS))
        .handler(greet, kit::hooks(&CREATED_HOOKS))
        .handler(
            |hook| note(hook, "hooked-with-flag", json!({})),
            on(HookEvent::ConfigChanged).and(Flag::new("f.a")),
        )
        .handler(|hook| note(hook, "leads", json!({})), when(IS_LEADER))
        .handler(|hook| note(hook, "follows", json!({})), none([IS_LEADER]));
    app = of_endpoints(app, &["cache", "db"], &[]);
    app = of_endpoints(app, &["ring"], &[]);
    app = of_endpoints(app, &["ask"], &[("has_responses", "answered"), ("all_responses", "all-answered")]);
    app = of_endpoints(app, &["tell"], &[("has_requests", "asked")]);
    app = app.handler(kit::answer, when(endpoints::TELL.flag("new_requests")));
    for handler in program.handlers {
        let (kit, condition) = (Rc::clone(&kit), condition(&handler));
        app = app.handler(move |hook| kit.run(hook, &handler), condition);
    }
    app
}

const RELATION_HOOKS: [&str; 7] = [
    "cache-relation-joined",
    "cache-relation-changed",
    "cache-relation-departed",
    "db-relation-joined",
    "db-relation-changed",
    "db-relation-departed",
    "ring-relation-joined",
];

const CREATED_HOOKS: [&str; 5] = [
    "ask-relation-created",
    "cache-relation-created",
    "db-relation-created",
    "ring-relation-created",
    "tell-relation-created",
];

/// The handlers that each of these endpoints has, and one more for each of these flags.
fn of_endpoints(mut app: App, endpoints: &[&'static str], more: &[(&str, &'static str)]) -> App {
    type Run = fn(&mut Hook, &str) -> Result<(), HandlerError>;
    let common: [(&str, Run); 4] = [
        ("joined", |hook, name| note(hook, &format!("{name}.joined"), json!({}))),
        ("alone", |hook, name| note(hook, &format!("{name}.alone"), json!({}))),
        ("changed", kit::changed),
        ("departed", kit::departed),
    ];
    for (word, run) in common {
        for &name in endpoints {
            let flag = |word: &str| Flag::from(format!("endpoint.{name}.{word}"));
            let condition = if word == "alone" { none([flag("joined")]) } else { when(flag(word)) };
            app = app.handler(move |hook| run(hook, name), condition);
        }
    }
    for &(flag, word) in more {
        for &name in endpoints {
            let run = move |hook: &mut Hook| note(hook, &format!("{name}.{word}"), json!({}));
            app = app.handler(run, when(Flag::from(format!("endpoint.{name}.{flag}"))));
        }
    }
    app
}

fn registered(trigger: &ProgramTrigger) -> Trigger {
    let flag = trigger.flag.clone();
    let mut registered = if trigger.edge == "set" { set(flag) } else { cleared(flag) };
    for flag in &trigger.set_flag {
        registered = registered.sets(flag.clone());
    }
    for flag in &trigger.clear_flag {
        registered = registered.clears(flag.clone());
    }
    registered
}

fn condition(handler: &ProgramHandler) -> Condition {
    let hooks: Vec<&str> = handler.hooks.iter().map(String::as_str).collect();
    let hooks = (!hooks.is_empty()).then(|| kit::hooks(&hooks));
    let terms = handler.terms.iter().map(|term| {
        let flags: Vec<Flag> = term[1..].iter().cloned().map(Flag::from).collect();
        match (term[0].as_str(), flags.as_slice()) {
            ("when" | "when-all", [a]) => when(a.clone()),
            ("when" | "when-all", [a, b]) => all([a.clone(), b.clone()]),
            ("when-any", [a]) => any([a.clone()]),
            ("when-any", [a, b]) => any([a.clone(), b.clone()]),
            ("when-not" | "when-none", [a]) => none([a.clone()]),
            ("when-not" | "when-none", [a, b]) => none([a.clone(), b.clone()]),
            ("when-not-all", [a]) => not_all([a.clone()]),
            ("when-not-all", [a, b]) => not_all([a.clone(), b.clone()]),
            (word, flags) => panic!("no term `{word}` of {} flags", flags.len()),
        }
    });
    hooks.into_iter().chain(terms).reduce(Condition::and).expect("a hook or a flag")
}

/// The names of the set flags that begin with `prefix`, without it.
pub(crate) fn flags_after(hook: &Hook, prefix: &str) -> Vec<String> {
    hook.flags().iter().filter_map(|flag| flag.strip_prefix(prefix)).map(str::to_owned).collect()
}

fn apply(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "apply", json!({}))?;
    let config: Config = hook.config()?;
    for word in config.apply.split_whitespace() {
        hook.toggle(word[1..].to_owned(), word.starts_with('+'));
    }
    Ok(())
}

fn has_number(hook: &mut Hook) -> Result<(), HandlerError> {
    let mut options = flags_after(hook, "config.set.");
    options.extend(flags_after(hook, "config.default."));
    note(hook, "has-number", json!({"options": options}))
}

fn hooked(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "hooked", json!({"hook": hook.event().to_string()}))?;
    if *hook.event() == HookEvent::UpdateStatus {
        kit::forget_departed(hook);
    }
    Ok(())
}

fn hooked_by_relation(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "hooked-by-relation", json!({"hook": hook.event().to_string()}))
}

fn greet(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "greet", json!({}))?;
    let config: Config = hook.config()?;
    let (endpoint, _) = hook.context().relation_event().expect("the hook of a relation");
    let endpoint = endpoint.to_string();
    kit::publish(hook, &endpoint, "greeting", &config.text.into())
}
