//! Takes out of events what is secret, before they go into a page that may be shown to anybody.
//!
//! The simulator cannot know every secret.  It hides what Juju itself calls one (the content that
//! `secret-get`, `secret-add` and `secret-set` pass), and private keys in PEM wherever they turn up.

use std::collections::BTreeSet;
use std::path::Path;

use charms_reactive_core::UnitName;
use serde_json::Value;

use crate::event::{Event, Stream};

/// What stands for the content of a secret.
const SECRET: &str = "(secret hidden)";
/// What stands for a private key.
const KEY: &str = "(private key hidden)";
/// What stands for the folder of the simulation, which has another name in each run.
const FOLDER: &str = "(sim)";

/// Hides in one event after the other.
pub(super) struct Hider {
    folder: String,
    /// Who is in the middle of writing a private key, line by line.
    in_keys: BTreeSet<(UnitName, bool)>,
}

impl Hider {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.display().to_string(), in_keys: BTreeSet::new() }
    }

    /// The event as JSON, without what is secret.
    pub(super) fn hide(&mut self, event: &Event) -> Value {
        let mut event = self.without_keys_over_lines(&without_content(event));
        self.clean(&mut event);
        event
    }

    /// Each line of output is an event, so that a key is spread over many.
    fn without_keys_over_lines(&mut self, event: &Event) -> Value {
        let mut value = serde_json::to_value(event).expect("events become JSON");
        let Event::Output { unit, stream, line } = event else {
            if let Event::HookEnded { unit, .. } = event {
                self.in_keys.retain(|(writer, _)| writer != unit);
            }
            return value;
        };
        let writer = (unit.clone(), *stream == Stream::Stderr);
        if self.in_keys.contains(&writer) {
            let rest = line.split_once("-----END").map(|(_, rest)| rest);
            if rest.is_some() {
                self.in_keys.remove(&writer);
            }
            let after = rest.and_then(|rest| rest.split_once("-----")).map_or("", |(_, after)| after);
            value["line"] = format!("{KEY}{after}").into();
        } else if is_open(line) {
            self.in_keys.insert(writer);
        }
        value
    }

    fn clean(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(cleaned) = without_keys(text) {
                    *text = cleaned;
                }
                if self.folder.len() > 1 && text.contains(&self.folder) {
                    *text = text.replace(&self.folder, FOLDER);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.clean(value)),
            Value::Object(map) => map.values_mut().for_each(|value| self.clean(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The event without the content of secrets that its hook command passes.
fn without_content(event: &Event) -> Event {
    let mut event = event.clone();
    let Event::CommandRun { name, args, stdin, stdout, .. } = &mut event else { return event };
    match name.as_str() {
        "secret-get" if !stdout.is_empty() => *stdout = SECRET.into(),
        "secret-add" | "secret-set" => {
            // `key=value`, or `key#file=path`; options that take a value are no content.
            for arg in args.iter_mut().filter(|arg| !arg.starts_with('-')) {
                if let Some((key, _)) = arg.split_once('=') {
                    *arg = format!("{key}={SECRET}");
                }
            }
            *stdin = stdin.take().map(|_| SECRET.into());
        }
        _ => {}
    }
    event
}

/// Where a private key begins in a text, and where its first line ends.
fn begin(text: &str) -> Option<(usize, usize)> {
    const BEGIN: &str = "-----BEGIN ";
    text.match_indices(BEGIN).find_map(|(at, _)| {
        let name = at + BEGIN.len();
        let end = name + text[name..].find("-----")?;
        text[name..end].contains("PRIVATE KEY").then_some((at, end + 5))
    })
}

/// Where a private key ends that began before `text`.
fn end(text: &str) -> Option<usize> {
    const END: &str = "-----END ";
    let name = text.find(END)? + END.len();
    // A last line that is cut off is no reason to show what follows it.
    text[name..].find("-----").map(|end| name + end + 5)
}

/// Whether a private key begins in `text` that does not end there.
fn is_open(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, body)) = begin(rest) {
        let Some(end) = end(&rest[body..]) else { return true };
        rest = &rest[body + end..];
    }
    false
}

/// The text without private keys; nothing where it has none.
fn without_keys(text: &str) -> Option<String> {
    begin(text)?;
    let mut cleaned = String::new();
    let mut rest = text;
    while let Some((at, body)) = begin(rest) {
        cleaned.push_str(&rest[..at]);
        cleaned.push_str(KEY);
        rest = end(&rest[body..]).map_or("", |end| &rest[body + end..]);
    }
    Some(cleaned + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> UnitName {
        UnitName::parse("web/0").expect("a name")
    }

    #[track_caller]
    fn check_text(text: &str, expected: &str) {
        assert_eq!(without_keys(text).unwrap_or_else(|| text.to_owned()), expected);
    }

    #[test]
    fn private_keys_are_hidden_and_certificates_are_not() {
        check_text("a", "a");
        check_text(
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        );
        check_text(
            "a -----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY----- b",
            "a (private key hidden) b",
        );
        for kind in ["RSA ", "EC ", "ENCRYPTED ", "OPENSSH "] {
            let key = format!("-----BEGIN {kind}PRIVATE KEY-----\\nMII\\n-----END {kind}PRIVATE KEY-----");
            check_text(
                &format!(r#"{{"key":"{key}\n{key}"}}"#),
                r#"{"key":"(private key hidden)\n(private key hidden)"}"#,
            );
        }
        check_text(
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----",
            "(private key hidden)",
        );
        // Cut off.
        check_text("x -----BEGIN PRIVATE KEY-----\nMII", "x (private key hidden)");
        check_text("x -----BEGIN PRIVATE KEY-----\nMII\n-----END PRIV", "x (private key hidden)");
        let both = "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nB\n-----END PRIVATE KEY-----\nC";
        check_text(
            both,
            "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n(private key hidden)\nC",
        );
    }

    #[test]
    fn a_key_over_several_lines_of_output_is_hidden() {
        let mut hider = Hider::new(Path::new("/tmp/x"));
        let mut line = |stream, line: &str| {
            let event = Event::Output { unit: unit(), stream, line: line.to_owned() };
            hider.hide(&event)["line"].as_str().expect("a line").to_owned()
        };
        assert_eq!(line(Stream::Stdout, "k: -----BEGIN PRIVATE KEY-----"), "k: (private key hidden)");
        assert_eq!(line(Stream::Stderr, "MIIE"), "MIIE");
        assert_eq!(line(Stream::Stdout, "MIIE"), "(private key hidden)");
        assert_eq!(
            line(Stream::Stdout, "-----END PRIVATE KEY-----, said web"),
            "(private key hidden), said web"
        );
        assert_eq!(line(Stream::Stdout, "MIIE"), "MIIE");
    }

    #[track_caller]
    fn check_command(name: &str, args: &[&str], expected: &str) {
        let event = Event::CommandRun {
            unit: unit(),
            name: name.to_owned(),
            args: args.iter().map(ToString::to_string).collect(),
            stdin: Some(b"in".to_vec()),
            code: 0,
            stdout: b"out".to_vec(),
            stderr: Vec::new(),
        };
        let event = Hider::new(Path::new("/tmp/x")).hide(&event);
        assert_eq!(format!("{} {} {}", event["args"], event["stdin"], event["stdout"]), expected);
    }

    #[test]
    fn the_content_of_secrets_is_hidden() {
        check_command(
            "secret-get",
            &["secret:1", "--peek"],
            r#"["secret:1","--peek"] "in" "(secret hidden)""#,
        );
        check_command(
            "secret-add",
            &["--label=db", "password=hunter2", "a#file=b"],
            r#"["--label=db","password=(secret hidden)","a#file=(secret hidden)"] "(secret hidden)" "out""#,
        );
        check_command("secret-info-get", &["secret:1"], r#"["secret:1"] "in" "out""#);
    }

    #[test]
    fn the_folder_of_the_run_has_no_name() {
        let event = Event::Log {
            unit: unit(),
            level: "INFO".to_owned(),
            message: "/tmp/juju-abc/agents /tmp/juju-abc".to_owned(),
        };
        let event = Hider::new(Path::new("/tmp/juju-abc")).hide(&event);
        assert_eq!(event["message"], "(sim)/agents (sim)");
    }
}
