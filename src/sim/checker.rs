//! Observers that look for what no charm should do, whatever it is for.
//!
//! They read what happens, as the transcript shows it, and share nothing with the model.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use charms_reactive_core::{ApplicationName, UnitName};
use charms_reactive_hookcmd::commands::Party;

use crate::event::{Event, party_name};
use crate::sim::Sim;

/// How long the text of a status may be: the table of `juju status` is read on one screen.
pub const STATUS_CHARS_MAX: usize = 200;

/// What the observers found, up to now.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    found: Rc<RefCell<Vec<String>>>,
}

impl Findings {
    /// The findings, one line each.
    pub fn lines(&self) -> Vec<String> {
        self.found.borrow().clone()
    }

    /// Nothing was found, or all that was as an error.
    pub fn none(&self) -> Result<(), String> {
        let found = self.found.borrow();
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    }

    fn add(&self, finding: String) {
        self.found.borrow_mut().push(finding);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.borrow().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Sim {
    /// Has everything watched from now on: [`Sim::check_leaders`], [`Sim::check_writes`] and
    /// [`Sim::check_statuses`].
    pub fn check_all(&mut self) -> Findings {
        let findings = Findings::default();
        self.observe(Box::new(leaders(findings.clone())));
        self.observe(Box::new(writes(findings.clone())));
        self.observe(Box::new(statuses(findings.clone())));
        findings
    }

    /// Finds units that act as the leader and are not: they write the application's data or status, or the
    /// leader's settings.
    pub fn check_leaders(&mut self) -> Findings {
        let findings = Findings::default();
        self.observe(Box::new(leaders(findings.clone())));
        findings
    }

    /// Finds hooks that write into databags what is there already.
    pub fn check_writes(&mut self) -> Findings {
        let findings = Findings::default();
        self.observe(Box::new(writes(findings.clone())));
        findings
    }

    /// Finds statuses that do not fit: long texts, several lines, words that Juju does not know.
    pub fn check_statuses(&mut self) -> Findings {
        let findings = Findings::default();
        self.observe(Box::new(statuses(findings.clone())));
        findings
    }
}

fn leaders(findings: Findings) -> impl FnMut(&Event) {
    let mut leaders: BTreeMap<ApplicationName, Option<UnitName>> = BTreeMap::new();
    move |event| match event {
        Event::LeaderChanged { application, leader } => {
            leaders.insert(application.clone(), leader.clone());
        }
        Event::CommandRun { unit, name, args, .. } => {
            let has = |flag: &str| args.iter().take_while(|arg| *arg != "--").any(|arg| arg == flag);
            let is_for_leaders = match name.as_str() {
                "leader-set" => true,
                "relation-set" => has("--app"),
                "status-set" => has("--application"),
                _ => false,
            };
            let leader = leaders.get(unit.application());
            // An application whose leader was never told of is not known well enough.
            let is_other = leader.is_some_and(|leader| leader.as_ref() != Some(unit));
            if is_for_leaders && is_other {
                let leader = leader.and_then(Option::as_ref);
                let leader = leader.map_or_else(|| "nobody".to_owned(), ToString::to_string);
                findings.add(format!("{unit} runs `{name} {}`, but {leader} leads", args.join(" ")));
            }
        }
        _ => {}
    }
}

fn writes(findings: Findings) -> impl FnMut(&Event) {
    /// Of a running hook: the writes, and whether a databag changed.
    #[derive(Default)]
    struct Writes {
        commands: Vec<String>,
        is_changed: bool,
    }
    let mut running = Writes::default();
    move |event| match event {
        Event::HookStarted { .. } => running = Writes::default(),
        Event::CommandRun { name, args, code: 0, .. } if name == "relation-set" => {
            running.commands.push(format!("{name} {}", args.join(" ")));
        }
        Event::DatabagChanged { .. } => running.is_changed = true,
        Event::HookEnded { unit, hook, committed: true, .. } if !running.is_changed => {
            for command in running.commands.drain(..) {
                findings.add(format!("{unit} {hook} runs `{command}`, which changes nothing"));
            }
        }
        _ => {}
    }
}

fn statuses(findings: Findings) -> impl FnMut(&Event) {
    const WORDS: [&str; 6] = ["active", "blocked", "maintenance", "terminated", "unknown", "waiting"];
    move |event| {
        let Event::StatusChanged { party, status, message } = event else { return };
        let whose = match party {
            Party::Unit(_) => party_name(party),
            Party::Application(_) => format!("application {}", party_name(party)),
        };
        if !WORDS.contains(&status.as_str()) {
            findings.add(format!("{whose} is `{status}`, which Juju does not know"));
        }
        if message.contains(['\n', '\r']) {
            findings.add(format!("the status of {whose} has several lines: {message:?}"));
        }
        let length = message.chars().count();
        if length > STATUS_CHARS_MAX {
            findings.add(format!(
                "the status of {whose} has {length} characters, {STATUS_CHARS_MAX} at most fit"
            ));
        }
    }
}
