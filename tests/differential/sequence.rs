//! What happens to both twins: a program, and events drawn from a seed.

use std::collections::BTreeMap;

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
    /// The next dispatch of a twin is killed when it asks for this hook command; for any where it is empty.
    Kill(String),
    /// Juju does not find the databags of partners in the next dispatch of a twin.
    Refuse,
    /// Juju cannot keep what the next hook of a twin did.
    FailCommit,
    /// This many hooks are run.
    Run(usize),
    Settle,
}

/// The endpoints of the twin that partners can be related to, with those of the partners.
pub(crate) const RELATIONS: [(&str, &str); 8] = [
    ("twin:db", "alpha:data"),
    ("twin:db", "beta:data"),
    ("twin:cache", "alpha:data"),
    ("twin:cache", "beta:data"),
    ("twin:ask", "answerer:job"),
    ("twin:ask", "other-answerer:job"),
    ("twin:tell", "asker:job"),
    ("twin:tell", "other-asker:job"),
];

pub(crate) const PARTNERS: [&str; 6] =
    ["alpha", "beta", "answerer", "other-answerer", "asker", "other-asker"];

/// The first unit of each partner, so that texts and numbers are ordered differently.
pub(crate) const FIRST_UNIT: u32 = 9;

const FLAGS: [&str; 6] = ["f.a", "f.b", "f.c", "f.d", "f.é", "f.f"];

impl Sequence {
    /// Draws a sequence.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut program = draw_program(&mut random);
        let mut world = World::new();
        let mut events: Vec<Event> = (0..=random.index(3)).map(|_| world.relate(&mut random)).collect();
        if random.index(4) == 0 {
            events.push(Event::Configure("keep-departed".to_owned(), "true".to_owned()));
        }
        let count = 8 + random.index(10);
        events.extend((0..count).map(|_| world.draw(&mut random, &program)));
        // Something that takes several steps, with other things in between.
        let mut at = 0;
        for event in draw_story(&mut random, &mut program) {
            at += random.index(events.len().saturating_sub(at).min(3) + 1);
            events.insert(at, event);
            at += 1;
        }
        Self { seed, program, events }
    }
}

/// Steps that come one after the other.
fn draw_story(random: &mut Random, program: &mut Program) -> Vec<Event> {
    let relate = |own: &str, other: &str| Event::Relate(own.to_owned(), other.to_owned());
    let add = |application: &str| Event::AddUnit(application.to_owned());
    let remove = |unit: &str| Event::RemoveUnit(unit.to_owned());
    let write = |unit: &str, key: &str, text: &str| {
        Event::Write(unit.to_owned(), "0".to_owned(), key.to_owned(), text.to_owned())
    };
    let configure = |option: &str, text: &str| Event::Configure(option.to_owned(), text.to_owned());
    let request = |data: &Value| json!({"request_id": "x_asker-9", "name": "x", "data": data}).to_string();
    match random.index(8) {
        // Data that becomes other, the same in other words, and none.
        0 => {
            let [one, other] = random.one(&SAME_TEXTS);
            let texts = [one, other, "", one, random.one(&TEXTS)];
            let mut story = vec![relate("twin:db", "alpha:data")];
            story.extend(texts.iter().flat_map(|text| [Event::Settle, write("alpha/9", "x", text)]));
            story
        }
        // Units that leave two applications in turn.
        1 => vec![
            configure("keep-departed", "true"),
            relate("twin:db", "alpha:data"),
            relate("twin:db", "beta:data"),
            add("alpha"),
            Event::Settle,
            remove("beta/9"),
            Event::Settle,
            remove("alpha/9"),
            Event::Settle,
            remove("alpha/10"),
        ],
        // A request that comes, changes and goes.
        2 => {
            let texts =
                [request(&draw_value(random)), request(&json!("other")), String::new(), request(&json!(1))];
            let mut story = vec![relate("twin:tell", "asker:job")];
            let key = "request_x_asker-9";
            story.extend(texts.iter().flat_map(|text| [Event::Settle, write("asker/9", key, text)]));
            story
        }
        // Two units that answer differently.
        3 => {
            program.handlers.push(ProgramHandler {
                name: "asks".to_owned(),
                hooks: Vec::new(),
                terms: vec![vec!["when".to_owned(), "config.changed.apply".to_owned()]],
                runs_max: 1,
                operations: vec![vec![json!("ask"), json!("p"), draw_value(random)]],
            });
            let answer = |value: &str| json!({ "value": value }).to_string();
            vec![
                relate("twin:ask", "answerer:job"),
                add("answerer"),
                Event::Settle,
                configure("apply", "+f.a"),
                Event::Settle,
                write("answerer/9", "response_p-RELATION", &answer("nine")),
                Event::Settle,
                write("answerer/10", "response_p-RELATION", &answer("ten")),
                Event::Settle,
                remove("answerer/9"),
            ]
        }
        // Nonsense, which is mended.
        4 if random.index(4) == 0 => vec![
            relate("twin:tell", "asker:job"),
            Event::Settle,
            write("asker/9", "request_x_asker-9", random.one(&["null", "[1]", "{}", "no JSON"])),
        ],
        _ => Vec::new(),
    }
}

/// What there is, roughly, so that most events are about something.
struct World {
    related: Vec<(&'static str, &'static str)>,
    /// The units of each application, and how many there were.
    units: BTreeMap<&'static str, (Vec<u32>, u32)>,
    /// What was written.
    writes: Vec<[String; 4]>,
}

/// Texts as they are found in databags: JSON, near JSON, no JSON.
const TEXTS: [&str; 22] = [
    "1",
    "1.0",
    "1.10",
    "\"1\"",
    "one",
    "\"one\"",
    "",
    "",
    "{\"b\": [1, {\"ü\": null}], \"a\": \"é\"}",
    "{\"a\":\"\\u00e9\",\"b\":[1,{\"\\u00fc\":null}]}",
    "größe",
    "\"gr\\u00f6\\u00dfe\"",
    "true",
    "null",
    "007",
    "1e5",
    "NaN",
    "-Infinity",
    "123456789012345678901234567890",
    "[]",
    " 7 ",
    "🦀",
];

/// Texts of which each says the same as the other, in JSON as Python reads it.
const SAME_TEXTS: [[&str; 2]; 4] = [
    ["one", "\"one\""],
    ["größe", "\"gr\\u00f6\\u00dfe\""],
    ["{\"b\": [1, {\"ü\": null}], \"a\": \"é\"}", "{\"a\":\"\\u00e9\",\"b\":[1,{\"\\u00fc\":null}]}"],
    [" 7 ", "7"],
];

fn draw_text(random: &mut Random) -> String {
    random.one(&TEXTS).to_owned()
}

impl World {
    fn new() -> Self {
        let first = |partner| (partner, (vec![FIRST_UNIT], FIRST_UNIT + 1));
        let mut units: BTreeMap<_, _> = PARTNERS.into_iter().map(first).collect();
        units.insert("twin", (vec![0], 1));
        Self { related: Vec::new(), units, writes: Vec::new() }
    }

    fn relate(&mut self, random: &mut Random) -> Event {
        let related = random.one(&RELATIONS);
        if !self.related.contains(&related) {
            self.related.push(related);
        }
        Event::Relate(related.0.to_owned(), related.1.to_owned())
    }

    fn unrelate(&mut self, random: &mut Random) -> Event {
        if self.related.is_empty() {
            return self.relate(random);
        }
        let (own, other) = self.related.remove(random.index(self.related.len()));
        Event::Unrelate(own.to_owned(), other.to_owned())
    }

    /// A partner, most often one that is related.
    fn partner(&self, random: &mut Random) -> &'static str {
        match self.related.as_slice() {
            [] => random.one(&PARTNERS),
            related => random.one(related).1.split(':').next().expect("an application and an endpoint"),
        }
    }

    fn unit(&self, application: &str, random: &mut Random) -> Option<String> {
        let (units, _) = &self.units[application];
        (!units.is_empty()).then(|| format!("{application}/{}", random.one(units)))
    }

    fn add_unit(&mut self, application: &'static str) -> Event {
        let (units, next) = self.units.get_mut(application).expect("every application is here");
        units.push(*next);
        *next += 1;
        Event::AddUnit(application.to_owned())
    }

    fn remove_unit(&mut self, application: &str, random: &mut Random) -> Option<String> {
        let unit = self.unit(application, random)?;
        let (units, _) = self.units.get_mut(application).expect("every application is here");
        units.retain(|number| !unit.ends_with(&format!("/{number}")));
        Some(unit)
    }

    fn draw(&mut self, random: &mut Random, program: &Program) -> Event {
        let nothing = Event::Run(1);
        let configure = |option: &str, text: &str| Event::Configure(option.to_owned(), text.to_owned());
        match random.index(100) {
            0..19 => Event::Run(1 + random.index(3)),
            19..27 => Event::Settle,
            27..33 => self.relate(random),
            33..37 => self.unrelate(random),
            37..39 if self.units["twin"].1 < 3 => self.add_unit("twin"),
            37..45 => {
                let partner = self.partner(random);
                self.add_unit(partner)
            }
            45..51 => {
                let partner = self.partner(random);
                self.remove_unit(partner, random).map_or(nothing, Event::RemoveUnit)
            }
            51 => {
                let partner = self.partner(random);
                self.remove_unit(partner, random).map_or(nothing, Event::LoseUnit)
            }
            52 if self.units["twin"].0.len() > 1 => {
                self.remove_unit("twin", random).map_or(nothing, Event::RemoveUnit)
            }
            52..62 => {
                let flags = (0..=random.index(3))
                    .map(|_| format!("{}{}", random.one(&["+", "+", "-"]), random.one(&FLAGS)));
                configure("apply", &flags.collect::<Vec<_>>().join(" "))
            }
            62..64 => configure("text", &draw_text(random)),
            64 => Event::Reset("number".to_owned()),
            65 => configure("number", random.one(&["0", "1", "7"])),
            // Never false again: in Python the handler that would clear the list does not run then.
            66..68 => configure("keep-departed", "true"),
            68..70 => {
                let mut handlers: Vec<&str> = vec!["observe", "apply", "greet"];
                handlers.extend(program.handlers.iter().map(|handler| handler.name.as_str()));
                configure("fail", random.one(&handlers))
            }
            70..72 => self.unit("twin", random).map_or(nothing, Event::SetLeader),
            72..75 => self.unit("twin", random).map_or(nothing, Event::UpdateStatus),
            75 => self.unit("twin", random).map_or(nothing, Event::Reboot),
            76 => self.unit(self.partner(random), random).map_or(nothing, Event::ChangeAddress),
            77 => Event::Upgrade,
            78 if random.index(6) == 0 => Event::Refuse,
            78 => Event::Kill(random.one(&["", "config-get"]).to_owned()),
            79 if random.index(4) == 0 => Event::FailCommit,
            79..=82 => {
                let key = random.one(&["x", "y"]).to_string();
                Event::WriteForApplication(self.partner(random).to_owned(), key, draw_text(random))
            }
            83..87 => self.write_again(random).unwrap_or(nothing),
            _ => {
                let Some(unit) = self.unit(self.partner(random), random) else { return nothing };
                let write = draw_write(unit, random);
                self.writes.push(write.clone());
                let [unit, position, key, text] = write;
                Event::Write(unit, position, key, text)
            }
        }
    }

    /// Something that was written is written again: as another text that says the same, or not at all.
    fn write_again(&self, random: &mut Random) -> Option<Event> {
        let [unit, position, key, text] = self.writes.get(random.index(self.writes.len()))?.clone();
        let same = SAME_TEXTS.iter().find(|same| same.contains(&text.as_str()));
        let text = match (random.index(2), same) {
            (0, Some([one, other])) => (if *one == text { other } else { one }).to_string(),
            _ => String::new(),
        };
        Some(Event::Write(unit, position, key, text))
    }
}

/// A unit, on which of its relations, a key and a text.
fn draw_write(unit: String, random: &mut Random) -> [String; 4] {
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
        Some("answerer" | "other-answerer") => {
            // The relation's number is filled in when it is written.
            let text = match random.index(4) {
                0 => String::new(),
                _ => json!({"value": data, "by": "hand"}).to_string(),
            };
            (format!("response_{}-RELATION", random.one(&["p", "q"])), text)
        }
        _ => (name, draw_text(random)),
    };
    [unit, random.one(&["0", "1"]).to_owned(), key, text]
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
    let mut handlers: Vec<ProgramHandler> =
        (0..4 + random.index(5)).map(|number| draw_handler(random, number)).collect();
    if random.index(60) == 0 {
        // One that wakes itself for ever.
        let operations = ["clear", "set"].map(|word| vec![json!(word), json!("f.f")]).to_vec();
        let terms = vec![vec!["when".to_owned(), "f.f".to_owned()]];
        let name = "endless".to_owned();
        handlers.push(ProgramHandler { name, hooks: Vec::new(), terms, runs_max: 1000, operations });
    }
    let triggers = (0..random.index(4)).map(|_| draw_trigger(random)).collect();
    Program { handlers, triggers }
}

/// A flag that handlers may look at: of the program, or of an endpoint where both twins have the same.
fn draw_flag(random: &mut Random) -> String {
    match random.index(8) {
        0 => format!("endpoint.{}.joined", random.one(&["db", "cache", "ring", "ask", "tell"])),
        1 => random.one(&["config.changed", "config.set.text", "config.changed.text"]).to_string(),
        _ => random.one(&FLAGS).to_owned(),
    }
}

fn draw_handler(random: &mut Random, number: usize) -> ProgramHandler {
    let is_hook = random.index(6) == 0;
    let hooks = if is_hook {
        (0..=random.index(2)).map(|_| random.one(&HOOKS).to_string()).collect()
    } else {
        Vec::new()
    };
    let terms = if is_hook { Vec::new() } else { (0..=random.index(2)).map(|_| draw_term(random)).collect() };
    let mut operations: Vec<Vec<Value>> =
        (0..=random.index(3)).map(|_| draw_operation(random, number)).collect();
    // In Python a request that was taken back is still there in the rounds that follow.
    operations.retain(|operation| !is_hook || operation[0] != "withdraw");
    let runs_max = 1 + random.index(3);
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
        (0..random.index(count)).map(|_| random.one(&FLAGS).to_owned()).collect()
    };
    let flag = match random.index(5) {
        0 => format!("endpoint.{}.joined", random.one(&["db", "ring"])),
        1 => "config.changed.text".to_owned(),
        _ => random.one(&FLAGS).to_owned(),
    };
    let edge = random.one(&["set", "cleared"]).to_string();
    let (mut set_flag, clear_flag) = (flags(random, 3), flags(random, 2));
    if set_flag.is_empty() && clear_flag.is_empty() {
        // A trigger without an effect is refused when the charm is made.
        set_flag.push(random.one(&FLAGS).to_owned());
    }
    ProgramTrigger { flag, edge, set_flag, clear_flag }
}
