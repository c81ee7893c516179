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

use std::fmt;
use std::fmt::Write as _;

use crate::event::{Event, Exit, Stream, party_name};

/// Writes events down.
pub(crate) fn transcript(events: &[Event]) -> String {
    let mut text = String::new();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Output { stream: Stream::Stdout, .. } => stdout.push(event),
            Event::Output { stream: Stream::Stderr, .. } => stderr.push(event),
            _ => {
                if matches!(event, Event::HookEnded { .. }) {
                    for line in stdout.drain(..).chain(stderr.drain(..)) {
                        push_line(&mut text, line);
                    }
                }
                push_line(&mut text, event);
            }
        }
    }
    text
}

fn push_line(text: &mut String, event: &Event) {
    if matches!(
        event,
        Event::OperatorActed { .. }
            | Event::TimePassed { .. }
            | Event::ActionStarted { .. }
            | Event::Traced { .. }
    ) {
        // A transcript tells what the model did; the page has the rest.
        return;
    }
    // Writing into a text cannot fail.
    let _ = writeln!(text, "{event}");
}

impl fmt::Display for Event {
    /// Writes the lines of the event in a transcript, without the end of the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = lines(self).iter().map(|line| line.trim_end().to_owned()).collect();
        f.write_str(&lines.join("\n"))
    }
}

fn lines(event: &Event) -> Vec<String> {
    let about =
        |about: &Option<String>| about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
    match event {
        Event::HookStarted { unit, hook, about: relation } => {
            vec![format!("== {unit} {hook}{}", about(relation))]
        }
        Event::HookSkipped { unit, hook, about: relation } => {
            vec![format!("== {unit} {hook}{}: missing, skipped", about(relation))]
        }
        Event::HookEnded { exit, committed, error, .. } => {
            let end = if *committed { "committed" } else { "rolled back" };
            let why = match (error, exit) {
                (Some(error), _) => format!(", {error}"),
                (None, Some(exit)) if *exit != Exit::Code(0) => format!(", {exit}"),
                (None, _) => String::new(),
            };
            vec![format!("-- {end}{why}")]
        }
        Event::CommandRun { name, args, code, stdout, stderr, .. } => {
            let words: Vec<String> =
                std::iter::once(name.clone()).chain(args.iter().map(|arg| shown(arg))).collect();
            let stderr = String::from_utf8_lossy(stderr);
            let complaint = match code {
                0 => stderr.into_owned(),
                code => format!("{} (exit code {code})", stderr.trim_end()),
            };
            let mut lines = vec![format!("   > {}", words.join(" "))];
            lines.extend(String::from_utf8_lossy(stdout).lines().map(|line| format!("   < {line}")));
            lines.extend(complaint.lines().map(|line| format!("   ! {line}")));
            lines
        }
        Event::CallRefused { name, text, .. } => vec![format!("   > {name} refused: {text}")],
        Event::Output { stream: Stream::Stdout, line, .. } => vec![format!("   | {line}")],
        Event::Output { stream: Stream::Stderr, line, .. } => vec![format!("   E {line}")],
        other => vec![format!("   * {}", fact(other))],
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
        Event::OutputDropped { unit, stream, bytes } => {
            let name = if *stream == Stream::Stdout { "output" } else { "error" };
            format!("{unit} wrote {bytes} more bytes to standard {name}, which are not kept")
        }
        Event::Warned { text } => format!("warning: {text}"),
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
        Event::UnitWaits { unit } => format!("{unit} waits for its subordinates"),
        Event::StorageAdded { unit, storage } => format!("{unit} is to have storage {storage}"),
        Event::StorageDetached { unit, storage, is_removed: false } => {
            format!("{unit} has storage {storage} no more")
        }
        Event::StorageDetached { storage, is_removed: true, .. } => format!("storage {storage} is gone"),
        Event::MetricAdded { unit, key, value } => format!("{unit} measures {key}: {value}"),
        Event::CharmReplaced { unit } => format!("{unit} has the files of another charm"),
        Event::UnitRemoved { unit } => format!("{unit} is gone"),
        Event::OperatorActed { what } => format!("operator: {what}"),
        Event::TimePassed { now } => format!("it is {now:?}"),
        Event::ActionStarted { unit, id, action, .. } => format!("action {id} of {unit} is {action}"),
        Event::Traced { unit, .. } => format!("{unit} traced its handlers"),
        Event::HookStarted { .. }
        | Event::HookSkipped { .. }
        | Event::HookEnded { .. }
        | Event::CommandRun { .. }
        | Event::CallRefused { .. }
        | Event::Output { .. } => String::new(),
    }
}
