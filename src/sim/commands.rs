//! Answers to hook commands: what the agent does when the charm asks.
//!
//! One room a family.  Each command reads its line, looks at the model through its run, stages or does
//! what it is for, and gives a value; formats, exit codes and error texts are the same for all and are
//! decided here.

mod action;
mod config;
pub(crate) mod flags;
mod goal_state;
mod leader;
mod log;
mod metric;
mod network;
pub(crate) mod output;
mod payload;
mod pod_spec;
mod port;
mod relation;
mod resource;
mod secret;
mod state;
mod status;
mod storage;

use std::fs;
use std::path::Path;

use charms_reactive_hookcmd::Answer;
use charms_reactive_hookcmd::program::{COMMANDS, Line as JujuLine};
use charms_reactive_hookcmd::wire::{Call, Reply, STDIN_WANTED};
use serde_json::Value;

use crate::event::Exit;
use crate::model::Model;
use crate::run::Run;
use crate::version::JujuVersion;
use flags::{Flag, Line};
use output::Format;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// It is answered.
    Reply(Reply),
    /// It is not answered: the process of the charm is killed, which counts as this end.
    Kill(Exit),
}

/// What a command gives when it ran well.
enum Done {
    Nothing,
    /// A text as it is, in no format.
    Text(String),
    Value(Value),
    /// A value that smart format shortens.
    Short {
        smart: Value,
        full: Value,
    },
    /// The process of the charm is to be killed.
    Kill,
}

/// Why a command did not run well.
enum Failure {
    /// The command line is not one: exit code 2.
    Usage(String),
    /// The command failed: exit code 1.
    Failed(String),
    /// The caller has to send standard input.
    StdinWanted,
}

type Outcome = Result<Done, Failure>;

fn usage<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(text.into()))
}

fn failed<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Failed(text.into()))
}

/// All that a command works on.
struct Asked<'a> {
    model: &'a mut Model,
    run: &'a mut Run,
    line: Line,
    call: &'a Call,
}

/// How a command treats `--format`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Formats {
    /// It has none.
    None,
    /// It takes `--format` and ignores it, with a warning.
    Deprecated,
    /// It has it, with this default.
    With(Format),
}

/// One hook command.
struct Command {
    name: &'static str,
    usage: &'static str,
    flags: &'static [Flag],
    formats: Formats,
    run: fn(&mut Asked<'_>) -> Outcome,
}

impl Command {
    const fn setter(
        name: &'static str,
        usage: &'static str,
        flags: &'static [Flag],
        run: fn(&mut Asked<'_>) -> Outcome,
    ) -> Self {
        Self { name, usage, flags, formats: Formats::None, run }
    }

    /// A setter that had `--format` once.
    const fn old_setter(
        name: &'static str,
        usage: &'static str,
        flags: &'static [Flag],
        run: fn(&mut Asked<'_>) -> Outcome,
    ) -> Self {
        Self { name, usage, flags, formats: Formats::Deprecated, run }
    }

    const fn getter(
        name: &'static str,
        usage: &'static str,
        flags: &'static [Flag],
        run: fn(&mut Asked<'_>) -> Outcome,
    ) -> Self {
        Self { name, usage, flags, formats: Formats::With(Format::Smart), run }
    }

    /// A getter that has no smart format.
    const fn yaml_getter(
        name: &'static str,
        usage: &'static str,
        flags: &'static [Flag],
        run: fn(&mut Asked<'_>) -> Outcome,
    ) -> Self {
        Self { name, usage, flags, formats: Formats::With(Format::Yaml), run }
    }
}

const FAMILIES: &[&[Command]] = &[
    relation::COMMANDS,
    config::COMMANDS,
    leader::COMMANDS,
    status::COMMANDS,
    log::COMMANDS,
    state::COMMANDS,
    action::COMMANDS,
    port::COMMANDS,
    network::COMMANDS,
    goal_state::COMMANDS,
    secret::COMMANDS,
    storage::COMMANDS,
    resource::COMMANDS,
    payload::COMMANDS,
    pod_spec::COMMANDS,
    metric::COMMANDS,
];

const FORMAT_FLAGS: &[Flag] = &[Flag::value(&["format"]), Flag::value(&["output", "o"])];

/// What a restricted hook is told when it asks for anything of the model.
///
/// # Source
///
/// `U/runner/jujuc/restricted.go` of Juju up to 3: the words come twice.
const RESTRICTED: &str = "not implemented for restricted context not implemented";

/// The names of the hook commands of a version of Juju.
pub(crate) fn names(juju: JujuVersion) -> impl Iterator<Item = &'static str> {
    let line = if juju < JujuVersion::new(3, 0, 0) {
        JujuLine::V2
    } else if juju < JujuVersion::new(4, 0, 0) {
        JujuLine::V3
    } else {
        JujuLine::V4
    };
    COMMANDS
        .iter()
        .filter(move |command| command.is_in(line))
        .map(|command| command.name)
        .filter(move |name| *name != "relation-model-get" || juju.has_relation_model())
}

/// Runs the hook command of `call`, which the server has checked, for `run`.
///
/// # Source
///
/// `J/server.go`, and `juju/cmd:cmd.go` for exit codes.
pub(crate) fn react(model: &mut Model, run: &mut Run, call: &Call) -> Reaction {
    let command = FAMILIES.iter().copied().flatten().find(|command| command.name == call.command);
    let Some(command) = command else {
        // In the list of names, so Juju has it; the model does not.
        let text = format!("ERROR hook command {} is not modelled by the simulator\n", call.command);
        return done(1, String::new(), text);
    };
    if call.args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h") {
        return done(0, help(command), String::new());
    }
    let mut flags = command.flags.to_vec();
    match command.formats {
        Formats::None => {}
        Formats::Deprecated => flags.push(FORMAT_FLAGS[0]),
        Formats::With(_) => flags.extend(FORMAT_FLAGS),
    }
    let line = match Line::parse(&call.args, &flags) {
        Ok(line) => line,
        Err(text) => return done(2, String::new(), error_line(&text)),
    };
    let format = match chosen_format(command.formats, &line) {
        Ok(format) => format,
        Err(text) => return done(2, String::new(), error_line(&text)),
    };
    let warning = match command.formats {
        Formats::Deprecated if line.value("format").is_some() => {
            format!("--format flag deprecated for command {:?}", command.name)
        }
        _ => String::new(),
    };
    if run.is_restricted() && !["juju-log", "add-metric"].contains(&command.name) {
        return done(1, String::new(), error_line(RESTRICTED));
    }
    let target = line.value("output").map(|file| Path::new(&call.dir).join(file));
    let outcome = (command.run)(&mut Asked { model, run, line, call });
    let stdout = match outcome {
        Ok(Done::Kill) => return Reaction::Kill(Exit::Rebooted),
        Ok(Done::Nothing) => String::new(),
        Ok(Done::Text(text)) => text,
        Ok(Done::Value(value)) => output::print(&value, format),
        Ok(Done::Short { smart, full }) => {
            output::print(if format == Format::Smart { &smart } else { &full }, format)
        }
        Err(Failure::Usage(text)) => return done(2, String::new(), warning + &error_line(&text)),
        Err(Failure::Failed(text)) => return done(1, String::new(), warning + &error_line(&text)),
        Err(Failure::StdinWanted) => return Reaction::Reply(Reply::Refused(STDIN_WANTED.to_owned())),
    };
    if let Some(target) = target {
        return match crate::agent::write_file(&target, stdout.as_bytes()) {
            Ok(()) => done(0, String::new(), warning),
            Err(error) => done(1, String::new(), error_line(&error.to_string())),
        };
    }
    done(0, stdout, warning)
}

pub(crate) fn done(code: i32, stdout: String, stderr: String) -> Reaction {
    Reaction::Reply(Reply::Done(Answer { code, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() }))
}

pub(crate) fn error_line(text: &str) -> String {
    format!("ERROR {text}\n")
}

fn chosen_format(formats: Formats, line: &Line) -> Result<Format, String> {
    let Formats::With(default) = formats else { return Ok(Format::Smart) };
    match line.value("format") {
        None => Ok(default),
        Some("json") => Ok(Format::Json),
        Some("yaml") => Ok(Format::Yaml),
        Some("smart") if default == Format::Smart => Ok(Format::Smart),
        Some(other) => Err(format!("invalid value {other:?} for option --format: unknown format {other:?}")),
    }
}

fn help(command: &Command) -> String {
    let formats = match command.formats {
        Formats::None => &FORMAT_FLAGS[..0],
        Formats::Deprecated => &FORMAT_FLAGS[..1],
        Formats::With(_) => FORMAT_FLAGS,
    };
    let dashed = |name: &&str| if name.len() == 1 { format!("-{name}") } else { format!("--{name}") };
    let flags = command.flags.iter().chain(formats).map(|flag| {
        let spellings: Vec<String> = flag.names.iter().map(dashed).collect();
        format!("    {}", spellings.join(", "))
    });
    let usage = format!("Usage: {} [options] {}\n\nOptions:", command.name, command.usage);
    let lines: Vec<String> = std::iter::once(usage).chain(flags).collect();
    lines.join("\n") + "\n"
}

impl Asked<'_> {
    /// The relation of `-r`, or of the running hook.
    ///
    /// # Source
    ///
    /// `J/context.go`: only what follows the last colon counts.
    fn relation(&self) -> Result<Option<u32>, Failure> {
        let Some(found) = self.line.found("r") else {
            return Ok(self.run.current.as_ref().map(|current| current.number));
        };
        let wrong =
            |why| usage(format!("invalid value {:?} for option {}: {why}", found.value, found.spelling));
        let number = found.value.rsplit(':').next().unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong("invalid relation id");
        }
        match number.parse() {
            Ok(number) if self.run.views.contains_key(&number) => Ok(Some(number)),
            _ => wrong("relation not found"),
        }
    }

    /// The relation of `-r`, or of the running hook; without one the command cannot do anything.
    fn some_relation(&self) -> Result<u32, Failure> {
        self.relation()?.ok_or_else(|| Failure::Usage("no relation id specified".to_owned()))
    }

    /// Refuses positional arguments from the `at`-th on.
    fn refuse_from(&self, at: usize) -> Result<(), Failure> {
        self.line.refuse_from(at).map_err(Failure::Usage)
    }

    /// The positional arguments as keys and values.
    fn pairs(&self) -> Result<Vec<(String, String)>, Failure> {
        self.line.pairs().map_err(Failure::Usage)
    }

    /// The positional argument `at`; `-` means none.
    fn key(&self, at: usize) -> Option<&str> {
        self.line.positional.get(at).map(String::as_str).filter(|key| *key != "-" && !key.is_empty())
    }

    /// The content of a file, relative to the caller's directory; `-` is standard input.
    fn bytes_of(&self, name: &str) -> Result<Vec<u8>, Failure> {
        if name == "-" {
            return self.call.stdin.clone().ok_or(Failure::StdinWanted);
        }
        let path = Path::new(&self.call.dir).join(name);
        fs::read(&path).or_else(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => error.to_string(),
            };
            failed(format!("open {}: {why}", path.display()))
        })
    }

    /// The keys and values of the file that `--file` names; `-` is standard input.
    ///
    /// Values are texts, whatever YAML would make of them; a value of null is an empty one.
    ///
    /// # Source
    ///
    /// `J/relation-set.go`: the agent opens the file, relative to the caller's directory.
    fn file(&self) -> Result<Vec<(String, String)>, Failure> {
        let Some(name) = self.line.value("file") else { return Ok(Vec::new()) };
        let bytes = self.bytes_of(name)?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        let texts: Option<indexmap::IndexMap<String, Option<String>>> = serde_yaml::from_slice(&bytes)
            .or_else(|error| failed(format!("yaml: unmarshal errors:\n  {error}")))?;
        let texts = texts.unwrap_or_default();
        Ok(texts.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect())
    }
}

/// One key of `map`, or all of it.
fn one_or_all<'a>(map: impl Iterator<Item = (&'a str, &'a str)>, key: Option<&str>) -> Done {
    let mut map = map;
    Done::Value(match key {
        Some(key) => {
            map.find(|(known, _)| *known == key).map_or(Value::Null, |(_, value)| Value::from(value))
        }
        None => Value::Object(map.map(|(key, value)| (key.to_owned(), Value::from(value))).collect()),
    })
}
