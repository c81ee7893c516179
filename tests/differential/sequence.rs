//! What happens to both twins: a program, and events drawn from a seed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::random::Random;
use crate::twin::{Program, ProgramHandler, ProgramTrigger};

/// A program and what happens to the models of those who run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sequence {
    /// Decides which hook comes next where Juju leaves it open.
    pub(crate) seed: u64,
    pub(crate) program: Program,
    pub(crate) events: Vec<Event>,
}

/// One thing that happens to both models.
///
/// One that is refused by a model does nothing, so a sequence stays one when some are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    AddUnit(String),
    RemoveUnit(String),
    LoseUnit(String),
    /// An endpoint of the twin, and one of a partner.
    Relate(String, String),
    Unrelate(String, String),
    Configure(String, String),
    Reset(String),
    SetLeader(String),
    UpdateStatus(String),
    Reboot(String),
    ChangeAddress(String),
    Upgrade,
    /// A unit of a partner writes a key; an empty text removes it.
    Write(String, String, String, String),
    /// A partner writes a key for the whole application.
    WriteForApplication(String, String, String),
    /// The twin is killed when it asks for its first hook command, once.
    Kill,
    /// Juju cannot keep what the next hook of a twin did.
    FailCommit,
    /// This many hooks are run.
    Run(usize),
    Settle,
}

/// The endpoints of the twin that partners can be related to, with those of the partners.
pub(crate) const RELATIONS: [(&str, &str); 7] = [
    ("twin:db", "alpha:data"),
    ("twin:db", "beta:data"),
    ("twin:cache", "alpha:data"),
    ("twin:cache", "beta:data"),
    ("twin:ask", "answerer:job"),
    ("twin:tell", "asker:job"),
    ("twin:tell", "other-asker:job"),
];

pub(crate) const PARTNERS: [&str; 5] = ["alpha", "beta", "answerer", "asker", "other-asker"];

/// The first unit of each partner, so that texts and numbers are ordered differently.
pub(crate) const FIRST_UNIT: u32 = 9;

const FLAGS: [&str; 6] = ["f.a", "f.b", "f.c", "f.d", "f.é", "f.f"];

impl Sequence {
    /// Draws a sequence.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let program = draw_program(&mut random);
        let mut events: Vec<Event> = (0..random.index(4)).map(|_| draw_relate(&mut random)).collect();
        let count = 6 + random.index(10);
        events.extend((0..count).map(|_| draw_event(&mut random, &program)));
        Self { seed, program, events }
    }
}

fn draw_relate(random: &mut Random) -> Event {
    let (own, other) = random.one(&RELATIONS);
    Event::Relate((*own).to_owned(), (*other).to_owned())
}

fn draw_unit(random: &mut Random) -> String {
    let number = FIRST_UNIT + u32::try_from(random.index(3)).expect("small");
    format!("{}/{number}", random.one(&PARTNERS))
}

fn draw_twin(random: &mut Random) -> String {
    format!("twin/{}", random.index(3))
}

/// Texts as they are found in databags: JSON, near JSON, no JSON.
const TEXTS: [&str; 22] = [
    "1", "1.0", "1.10", "\"1\"", "one", "\"one\"", "", "", "{\"b\": [1, {\"ü\": null}], \"a\": \"é\"}",
    "{\"a\":\"\\u00e9\",\"b\":[1,{\"\\u00fc\":null}]}", "größe", "\"gr\\u00f6\\u00dfe\"", "true", "null", "007",
    "1e5", "NaN", "-Infinity", "123456789012345678901234567890", "[]", " 7 ", "🦀",
];

fn draw_event(random: &mut Random, program: &Program) -> Event {
    let texts = |random: &mut Random| (*random.one(&TEXTS)).to_owned();
    match random.index(100) {
        0..18 => Event::Run(1 + random.index(3)),
        18..24 => Event::Settle,
        24..34 => draw_relate(random),
        34..38 => {
            let (own, other) = random.one(&RELATIONS);
            Event::Unrelate((*own).to_owned(), (*other).to_owned())
        }
        38..41 => Event::AddUnit("twin".to_owned()),
        41..47 => Event::AddUnit((*random.one(&PARTNERS)).to_owned()),
        47..52 => Event::RemoveUnit(draw_unit(random)),
        52..54 => Event::LoseUnit(draw_unit(random)),
        54..56 => Event::RemoveUnit(draw_twin(random)),
        56..66 => {
            let flags = (0..=random.index(3)).map(|_| {
                format!("{}{}", random.one(&["+", "+", "-"]), random.one(&FLAGS))
            });
            Event::Configure("apply".to_owned(), flags.collect::<Vec<_>>().join(" "))
        }
        66..68 => Event::Configure("text".to_owned(), texts(random)),
        68..70 => match random.index(2) {
            0 => Event::Reset("number".to_owned()),
            _ => Event::Configure("number".to_owned(), random.one(&["0", "1", "7"]).to_string()),
        },
        70..72 => Event::Configure("keep-departed".to_owned(), random.one(&["true", "false"]).to_string()),
        72..74 => {
            let mut handlers = vec!["observe", "apply", "greet", "db.changed", "cache.departed", "tell.answer"];
            handlers.extend(program.handlers.iter().map(|handler| handler.name.as_str()));
            Event::Configure("fail".to_owned(), (*random.one(&handlers)).to_owned())
        }
        74..77 => Event::SetLeader(draw_twin(random)),
        77..80 => Event::UpdateStatus(draw_twin(random)),
        80 => Event::Reboot(draw_twin(random)),
        81 => Event::ChangeAddress(draw_unit(random)),
        82 => Event::Upgrade,
        83 => Event::Kill,
        84 => Event::FailCommit,
        85..87 => {
            let (_, other) = random.one(&RELATIONS);
            let partner = other.split(':').next().unwrap_or_default();
            let key = random.one(&["x", "y"]).to_string();
            Event::WriteForApplication(partner.to_owned(), key, texts(random))
        }
        _ => draw_write(random),
    }
}

fn draw_write(random: &mut Random) -> Event {
    let unit = draw_unit(random);
    let name = random.one(&["x", "y"]).to_string();
    let data = draw_value(random);
    let (key, text) = match unit.split('/').next() {
        Some("asker" | "other-asker") => {
            let id = format!("{name}_{}", unit.replace('/', "-"));
            let request = json!({"request_id": id, "name": name, "data": data, "port": 7});
            let text = match random.index(4) {
                0 => String::new(),
                1 => format!("{request:#}"),
                _ => request.to_string(),
            };
            (format!("request_{id}"), text)
        }
        Some("answerer") => {
            // The relation's number is filled in when it is written.
            let text = match random.index(4) {
                0 => String::new(),
                _ => json!({"value": data, "by": "hand"}).to_string(),
            };
            (format!("response_{}-RELATION", random.one(&["p", "q"])), text)
        }
        _ => (name, (*random.one(&TEXTS)).to_owned()),
    };
    Event::Write(unit, random.one(&["0", "1"]).to_string(), key, text)
}

fn draw_value(random: &mut Random) -> Value {
    match random.index(6) {
        0 => json!(random.index(3)),
        1 => json!("größe 🦀"),
        2 => json!({"b": [1, 2.5, null], "a": {"é": "\u{7}"}}),
        3 => json!([]),
        4 => json!(true),
        _ => json!("1.10"),
    }
}

fn draw_program(random: &mut Random) -> Program {
    let handlers = (0..4 + random.index(5)).map(|number| draw_handler(random, number)).collect();
    let triggers = (0..random.index(4)).map(|_| draw_trigger(random)).collect();
    Program { handlers, triggers }
}

/// A flag that handlers may look at: of the program, or of an endpoint where both twins have the same.
fn draw_flag(random: &mut Random) -> String {
    match random.index(8) {
        0 => format!("endpoint.{}.joined", random.one(&["db", "cache", "ring", "ask", "tell"])),
        1 => random.one(&["config.changed", "config.set.text", "config.changed.text"]).to_string(),
        _ => (*random.one(&FLAGS)).to_owned(),
    }
}

fn draw_handler(random: &mut Random, number: usize) -> ProgramHandler {
    let is_hook = random.index(6) == 0;
    let hooks = match is_hook {
        true => (0..=random.index(2)).map(|_| random.one(&HOOKS).to_string()).collect(),
        false => Vec::new(),
    };
    let terms = match is_hook {
        true => Vec::new(),
        false => (0..=random.index(2)).map(|_| draw_term(random)).collect(),
    };
    let operations = (0..1 + random.index(3)).map(|_| draw_operation(random, number)).collect();
    // One in a hundred goes on for ever.
    let runs_max = if random.index(100) == 0 { 1000 } else { 1 + random.index(3) };
    ProgramHandler { name: format!("h{number}"), hooks, terms, runs_max, operations }
}

const HOOKS: [&str; 9] = [
    "install",
    "config-changed",
    "start",
    "update-status",
    "leader-elected",
    "db-relation-changed",
    "db-relation-departed",
    "cache-relation-broken",
    "ring-relation-joined",
];

fn draw_term(random: &mut Random) -> Vec<String> {
    let words = ["when", "when", "when-all", "when-any", "when-not", "when-none", "when-not-all"];
    let word = random.one(&words).to_string();
    let mut term = vec![word, draw_flag(random)];
    if random.index(2) == 0 {
        term.push(draw_flag(random));
    }
    term
}

fn draw_operation(random: &mut Random, handler: usize) -> Vec<Value> {
    let flag = |random: &mut Random| json!(random.one(&FLAGS));
    let endpoint = |random: &mut Random| json!(random.one(&["db", "cache", "ring", "ask", "tell"]));
    // Of those with few relations to other twins: what is lost in Python would be heard of there.
    let partner = |random: &mut Random| json!(random.one(&["db", "cache", "tell"]));
    let key = |random: &mut Random| json!(random.one(&["k", "l"]));
    match random.index(20) {
        0..5 => vec![json!("set"), flag(random)],
        5..9 => vec![json!("clear"), flag(random)],
        9 | 10 => vec![json!("toggle"), flag(random)],
        11 | 12 => vec![json!("publish"), endpoint(random), key(random), draw_value(random)],
        13 => vec![json!("publish-text"), endpoint(random), key(random), json!(random.one(&TEXTS))],
        14 => vec![json!("publish-for-application"), endpoint(random), key(random), draw_value(random)],
        15 => vec![json!("unpublish"), partner(random), key(random)],
        16 | 17 => vec![json!("ask"), json!(random.one(&["p", "q"])), draw_value(random)],
        18 => vec![json!("withdraw"), json!(random.one(&["p", "q"]))],
        _ => {
            let word = random.one(&["active", "waiting", "maintenance", "blocked"]);
            vec![json!("status"), json!(word), json!(format!("by h{handler}"))]
        }
    }
}

fn draw_trigger(random: &mut Random) -> ProgramTrigger {
    let flags = |random: &mut Random, count: usize| -> Vec<String> {
        (0..random.index(count)).map(|_| (*random.one(&FLAGS)).to_owned()).collect()
    };
    let flag = match random.index(5) {
        0 => format!("endpoint.{}.joined", random.one(&["db", "ring"])),
        1 => "config.changed.text".to_owned(),
        _ => (*random.one(&FLAGS)).to_owned(),
    };
    let edge = random.one(&["set", "cleared"]).to_string();
    ProgramTrigger { flag, edge, set_flag: flags(random, 3), clear_flag: flags(random, 2) }
}
