//! Everything that was said in a simulation, as text.
//!
//! # Shape
//!
//! ```text
//! == web/0 db-relation-changed (db:1 mysql/0)
//!    > relation-get - mysql/0
//!    < host: 10.1.0.1
//!    ! ERROR permission denied (exit code 1)
//!    * web/0 is active: ready
//!    | a line on standard output
//!    E a line on standard error
//! -- committed
//! ```
//!
//! Lines of output stand at the end of their hook: at which command they came depends on the system.

use std::fmt::Write as _;

use crate::event::{Event, Exit, Stream, party_name};

/// Writes events down.
pub(crate) fn transcript(events: &[Event]) -> String {
    let mut text = Transcript::default();
    for event in events {
        text.event(event);
    }
    text.text
}

#[derive(Default)]
struct Transcript {
    text: String,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

impl Transcript {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Lines of one thing, each after `mark`.
    fn block(&mut self, mark: &str, text: &str) {
        for line in text.lines() {
            self.line(&format!("   {mark} {line}"));
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::HookStarted { unit, hook, about } => {
                let about = about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
                self.line(&format!("== {unit} {hook}{about}"));
            }
            Event::HookSkipped { unit, hook, about } => {
                let about = about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
                self.line(&format!("== {unit} {hook}{about}: missing, skipped"));
            }
            Event::HookEnded { exit, committed, error, .. } => {
                self.ended(*exit, *committed, error.as_deref());
            }
            Event::CommandRun { name, args, code, stdout, stderr, .. } => {
                let words: Vec<String> =
                    std::iter::once(name.clone()).chain(args.iter().map(|arg| shown(arg))).collect();
                self.line(&format!("   > {}", words.join(" ")));
                self.block("<", &String::from_utf8_lossy(stdout));
                let stderr = String::from_utf8_lossy(stderr);
                match code {
                    0 => self.block("!", &stderr),
                    code => self.block("!", &format!("{} (exit code {code})", stderr.trim_end())),
                }
            }
            Event::CallRefused { name, text, .. } => self.line(&format!("   > {name} refused: {text}")),
            Event::Output { stream: Stream::Stdout, line, .. } => self.stdout.push(line.clone()),
            Event::Output { stream: Stream::Stderr, line, .. } => self.stderr.push(line.clone()),
            other => {
                let line = fact(other);
                self.line(&format!("   * {line}"));
            }
        }
    }

    fn ended(&mut self, exit: Option<Exit>, committed: bool, error: Option<&str>) {
        for line in std::mem::take(&mut self.stdout) {
            self.line(&format!("   | {line}"));
        }
        for line in std::mem::take(&mut self.stderr) {
            self.line(&format!("   E {line}"));
        }
        let end = if committed { "committed" } else { "rolled back" };
        let mut line = format!("-- {end}");
        // Writing into a text cannot fail.
        let _ = match (error, exit) {
            (Some(error), _) => write!(line, ", {error}"),
            (None, Some(exit)) if exit != Exit::Code(0) => write!(line, ", {exit}"),
            (None, _) => Ok(()),
        };
        self.line(&line);
    }
}

/// An argument, quoted where a reader could not see its ends, and cut where it is long.
fn shown(arg: &str) -> String {
    const CHARS_MAX: usize = 200;
    let cut: String = arg.chars().take(CHARS_MAX).collect();
    let is_plain =
        !cut.is_empty() && !cut.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    let text = if is_plain { cut } else { format!("{cut:?}") };
    if arg.chars().nth(CHARS_MAX).is_some() { text + "..." } else { text }
}

/// A fact that is not part of a hook's dialogue.
fn fact(event: &Event) -> String {
    let value = |value: &Option<String>| {
        value.as_deref().map_or_else(|| "nothing".to_owned(), |text| format!("{text:?}"))
    };
    match event {
        Event::Log { unit, level, message } => format!("{unit} logs {level}: {message}"),
        Event::DatabagChanged { relation, party, key, old, new } => {
            format!(
                "databag {relation} of {}: {key} was {}, is {}",
                party_name(party),
                value(old),
                value(new)
            )
        }
        Event::StateChanged { unit, key, old, new } => {
            format!("state of {unit}: {key} was {}, is {}", value(old), value(new))
        }
        Event::StatusChanged { party, status, message } if message.is_empty() => {
            format!("{} is {status}", party_name(party))
        }
        Event::StatusChanged { party, status, message } => {
            format!("{} is {status}: {message}", party_name(party))
        }
        Event::VersionChanged { unit, version } => format!("{unit} runs version {version}"),
        Event::PortOpened { unit, port } => format!("{unit} opens {port}"),
        Event::PortClosed { unit, port } => format!("{unit} closes {port}"),
        Event::LeaderChanged { application, leader: Some(leader) } => format!("{leader} leads {application}"),
        Event::LeaderChanged { application, leader: None } => format!("nobody leads {application}"),
        Event::LeaderSettingsChanged { application } => format!("leader settings of {application} changed"),
        Event::ActionLogged { unit, message } => format!("{unit} says {message}"),
        Event::Related { relation, key } => format!("relation {relation} is {key}"),
        Event::Unrelated { relation } => format!("relation {relation} is gone"),
        Event::UnitAdded { unit } => format!("{unit} is added"),
        Event::UnitRemoved { unit } => format!("{unit} is gone"),
        Event::HookStarted { .. }
        | Event::HookSkipped { .. }
        | Event::HookEnded { .. }
        | Event::CommandRun { .. }
        | Event::CallRefused { .. }
        | Event::Output { .. } => String::new(),
    }
}
