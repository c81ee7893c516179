//! The command `charms.reactive` of a program's `PATH`: the charm's own binary under that name.
//!
//! It speaks with the dispatch that started the program, through the folder of [`super::exchange`].
//! Predicates print nothing: code 0 is yes, 1 is no.  Lists are one name a line, or JSON with `-j`.
//!
//! # Source
//!
//! `charms/reactive/cli.py`.  What is not here: `relation_call` and `render_template`, and output
//! as `py`, `yaml`, `csv` and `tab`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use charms_reactive_core::Flag;
use charms_reactive_core::digest::digest_of_bytes;

use super::exchange::{Change, FOLDER_VARIABLE, HELPER, View};
use crate::context::own_variable;
use crate::log_buffer;

/// The exit code of a command line that cannot be understood.
const USAGE_CODE: u8 = 2;

const USAGE: &str = "\
usage: charms.reactive [-r | -j | --format raw|json] COMMAND ARGUMENT...

  set_flag FLAG                    clear_flag FLAG            toggle_flag FLAG YES|NO
  register_trigger --when FLAG | --when_not FLAG --set_flag FLAG --clear_flag FLAG
  is_flag_set FLAG                 all_flags_set FLAG...      any_flags_set FLAG...
  hook|any_hook PATTERN...         only_once ID               mark_invoked ID...
  when|when_all|when_any|when_not|when_none|when_not_all FLAG...
  when_file_changed FILE...        test FUNCTION...
  get_flags                        get_unset_flags FLAG...

in handlers of a charm that runs them with `App::external_handlers`";

/// What a command comes to.
enum Outcome {
    /// It is done.
    Done,
    /// Yes or no.
    Is(bool),
    /// A list of names.
    Names(Vec<String>),
    /// One line, and whether there is anything in it.
    Line(String),
    /// The command line is not one, and why.
    Usage(String),
}

/// The helper, where this process was started under its name.
pub(crate) fn main() -> Option<ExitCode> {
    let mut args = std::env::args();
    let name = args.next()?;
    (Path::new(&name).file_name()? == HELPER).then(|| run(&args.collect::<Vec<_>>()))
}

fn run(args: &[String]) -> ExitCode {
    let (is_json, args) = match args {
        [flag, rest @ ..] if flag == "-j" => (true, rest),
        [flag, rest @ ..] if flag == "-r" => (false, rest),
        [flag, format, rest @ ..] if flag == "--format" && (format == "json" || format == "raw") => {
            (format == "json", rest)
        }
        all => (false, all),
    };
    let Some(folder) = own_variable(FOLDER_VARIABLE) else {
        return refuse("not started by a charm's dispatch: on the unit, use the charm's own commands");
    };
    let mut view = match View::read(Path::new(&folder)) {
        Ok(view) => view,
        Err(error) => return refuse(&format!("cannot read what the dispatch says: {error}")),
    };
    let outcome = match args {
        [command, args @ ..] => {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            command_of(&mut view, command, &args)
        }
        [] => Ok(Outcome::Usage("no command".to_owned())),
    };
    match outcome {
        Ok(Outcome::Done | Outcome::Is(true)) => ExitCode::SUCCESS,
        Ok(Outcome::Is(false)) => ExitCode::FAILURE,
        Ok(Outcome::Names(names)) if is_json => print(&format!("{}\n", serde_json::json!(names))),
        // Without a last line break, as in Python.
        Ok(Outcome::Names(names)) => print(&names.join("\n")),
        Ok(Outcome::Line(line)) if line.is_empty() => ExitCode::FAILURE,
        Ok(Outcome::Line(line)) => print(&line),
        Ok(Outcome::Usage(reason)) => refuse(&reason),
        Err(error) => refuse(&format!("cannot tell the dispatch: {error}")),
    }
}

fn refuse(reason: &str) -> ExitCode {
    log_buffer::print(&format!("{HELPER}: {reason}\n{USAGE}"));
    ExitCode::from(USAGE_CODE)
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn command_of(view: &mut View, command: &str, args: &[&str]) -> std::io::Result<Outcome> {
    let needs = |what: &str| Ok(Outcome::Usage(format!("`{command}` needs {what}")));
    Ok(match (command, args) {
        ("set_flag" | "set_state", [flag] | [flag, "--value", _]) => {
            said(view, Change::Flag((*flag).into(), true))?
        }
        ("clear_flag" | "remove_state", [flag]) => said(view, Change::Flag((*flag).into(), false))?,
        ("toggle_flag" | "toggle_state", [flag, text]) => {
            let is_set = is_yes(text);
            said(view, Change::Flag((*flag).into(), is_set))?
        }
        ("register_trigger", args) => match trigger_of(args) {
            Ok(trigger) => said(view, trigger)?,
            Err(reason) => Outcome::Usage(reason),
        },
        ("mark_invoked", ids) => {
            for id in ids {
                view.say(Change::Done((*id).to_owned()))?;
            }
            Outcome::Done
        }
        ("is_flag_set" | "is_state", [flag]) => Outcome::Is(is_set(view, flag)),
        ("get_flags" | "get_states", []) => Outcome::Names(view.flags.names().map(str::to_owned).collect()),
        ("get_unset_flags", flags) => {
            let mut unset: Vec<String> =
                flags.iter().filter(|flag| !is_set(view, flag)).map(ToString::to_string).collect();
            unset.sort();
            unset.dedup();
            Outcome::Names(unset)
        }
        ("all_flags_set" | "all_states", flags) => Outcome::Is(flags.iter().all(|flag| is_set(view, flag))),
        ("any_flags_set" | "any_states", flags) => Outcome::Is(flags.iter().any(|flag| is_set(view, flag))),
        ("any_hook", patterns) => Outcome::Is(is_hook(view, patterns)),
        ("when_file_changed", files) => {
            let looked = look(view, &view.snapshot.program.clone(), files);
            let is_changed = looked.iter().any(|(_, is_changed)| *is_changed);
            for (seen, _) in looked {
                view.say(seen)?;
            }
            Outcome::Is(is_changed)
        }
        ("test", functions) => Outcome::Line(wanted(view, functions)?),
        ("relation_call", _) => Outcome::Usage(
            "`relation_call` is not there: methods of interfaces are Rust; use `relation-get`".into(),
        ),
        ("set_flag" | "clear_flag" | "is_flag_set", _) => return needs("one flag"),
        ("toggle_flag", _) => return needs("a flag, and yes or no"),
        (predicate, args) => match holds(view, predicate, args) {
            Some(holds) => Outcome::Is(holds),
            None => Outcome::Usage(format!("`{predicate}` is no command")),
        },
    })
}

fn said(view: &mut View, change: Change) -> std::io::Result<Outcome> {
    view.say(change).map(|()| Outcome::Done)
}

/// Whether a text means yes.  In Python every text but the empty one does, `False` among them.
fn is_yes(text: &str) -> bool {
    !["", "0", "false", "no", "off", "none", "null"].contains(&text.to_lowercase().as_str())
}

fn is_set(view: &View, flag: &str) -> bool {
    view.flags.is_set(&Flag::from(flag.to_owned()))
}

fn trigger_of(args: &[&str]) -> Result<Change, String> {
    let mut given: BTreeMap<&str, &str> = BTreeMap::new();
    for pair in args.chunks(2) {
        let [option, flag] = pair else { return Err(format!("`{}` needs a flag", pair[0])) };
        let known = ["--when", "--when_not", "--set_flag", "--clear_flag"];
        if !known.contains(option) {
            return Err(format!("`{option}` is no option of register_trigger"));
        }
        given.insert(option, flag);
    }
    let (flag, is_set) = match (given.get("--when"), given.get("--when_not")) {
        (Some(flag), None) => (flag, true),
        (None, Some(flag)) => (flag, false),
        (None, None) => return Err("register_trigger needs one of --when and --when_not".to_owned()),
        (Some(_), Some(_)) => {
            return Err("register_trigger takes only one of --when and --when_not".to_owned());
        }
    };
    let effect = |option: &str| given.get(option).map(|flag| vec![(*flag).to_owned()]).unwrap_or_default();
    let (sets, clears) = (effect("--set_flag"), effect("--clear_flag"));
    if sets.is_empty() && clears.is_empty() {
        return Err("register_trigger needs --set_flag, --clear_flag, or both".to_owned());
    }
    Ok(Change::Trigger(((*flag).to_owned(), is_set, sets, clears)))
}

/// Whether a predicate holds in this phase; None for what is none.
fn holds(view: &View, predicate: &str, args: &[&str]) -> Option<bool> {
    let mut flags = args.iter().map(|flag| is_set(view, flag));
    let is_round = !view.snapshot.is_hook_phase;
    Some(match predicate {
        "hook" => view.snapshot.is_hook_phase && is_hook(view, args),
        "when" | "when_all" => is_round && flags.all(|is_set| is_set),
        "when_any" => is_round && flags.any(|is_set| is_set),
        "when_not" | "when_none" => is_round && !flags.any(|is_set| is_set),
        "when_not_all" => is_round && !flags.all(|is_set| is_set),
        "only_once" => args.iter().all(|id| !view.snapshot.done.contains(*id)),
        _ => return None,
    })
}

/// The names of the functions whose tests hold, joined by commas; empty for none.
///
/// Each function is a text of lines: its name, then one test a line, its words apart by tabs.
fn wanted(view: &mut View, functions: &[&str]) -> std::io::Result<String> {
    let mut names = Vec::new();
    let mut seen = Vec::new();
    for function in functions {
        let mut lines = function.lines();
        let name = lines.next().unwrap_or_default();
        let id = format!("{}:{name}", view.snapshot.program);
        let mut looked = Vec::new();
        let is_wanted = lines.all(|line| {
            let mut words = line.split('\t');
            let (test, args) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
            match test {
                "when_file_changed" => {
                    let files = look(view, &id, &args);
                    let is_changed = files.iter().any(|(_, is_changed)| *is_changed);
                    looked.extend(files.into_iter().map(|(seen, _)| seen));
                    is_changed
                }
                "only_once" => !view.snapshot.done.contains(&id),
                _ => holds(view, test, &args).unwrap_or_default(),
            }
        });
        if is_wanted {
            names.push(name);
            seen.append(&mut looked);
        }
    }
    for change in seen {
        view.say(change)?;
    }
    Ok(names.join(","))
}

/// The files as they are, each with whether it is other than `function` saw it last.
fn look(view: &View, function: &str, files: &[&str]) -> Vec<(Change, bool)> {
    let known = view.snapshot.files.get(function);
    let look = |file: &&str| {
        let path = PathBuf::from(file);
        let digest = fs::read(view.snapshot.charm_dir.join(&path)).ok().map(|bytes| digest_of_bytes(&bytes));
        let is_changed = known.and_then(|files| files.get(&path)).cloned().flatten() != digest;
        (Change::Seen(function.to_owned(), path, digest), is_changed)
    };
    files.iter().map(look).collect()
}

/// Whether the hook is one of those that the patterns name.
fn is_hook(view: &View, patterns: &[&str]) -> bool {
    patterns.iter().flat_map(|pattern| expanded(view, pattern)).any(|hook| hook == view.snapshot.hook)
}

/// The hooks that a pattern names: `{a,b}` is either, `{role:interface}` each endpoint of that kind.
fn expanded(view: &View, pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let Some((group, after)) = rest.split_once('}') else { return vec![pattern.to_owned()] };
    let choices: Vec<&str> = match group.split_once(':') {
        Some((role, interface)) => {
            let endpoints = view.snapshot.endpoints.iter();
            let matching = endpoints.filter(|(_, known, of)| known == role && of == interface);
            matching.map(|(name, _, _)| name.as_str()).collect()
        }
        None => group.split(',').collect(),
    };
    let rests = expanded(view, after);
    let combined =
        choices.iter().flat_map(|choice| rests.iter().map(move |rest| format!("{before}{choice}{rest}")));
    combined.collect()
}
