//! Shows what happens in the model as it happens: hooks, flags, relation data, statuses.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use anstyle::{AnsiColor, Style};
use charms_reactive_hookcmd::commands::Party;
use charms_reactive_sim::{Event, Exit, Sim};

use super::query::TargetState;

const COMMAND: Style = AnsiColor::Cyan.on_default().bold();
const UNIT: Style = Style::new().bold();
const NEW: Style = AnsiColor::Green.on_default();
const OLD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// How much of a value is shown.
const VALUE_CHARS_MAX: usize = 80;

/// Shows a command that an operator would type.
pub(super) fn command(text: &str) {
    anstream::println!("\n{COMMAND}$ {text}{COMMAND:#}");
}

/// Shows the hooks of a model from now on, until `is_over`.
pub(super) fn begin(sim: &mut Sim, is_over: Rc<Cell<bool>>) {
    let mut hook = RunningHook::default();
    sim.observe(Box::new(move |event| {
        if is_over.get() {
            return;
        }
        match event {
            Event::HookStarted { .. } => hook = RunningHook { is_running: true, commands: 0 },
            Event::CommandRun { .. } => hook.commands += 1,
            _ => {}
        }
        show(event, &hook);
        if let Event::HookEnded { .. } = event {
            hook.is_running = false;
        }
    }));
}

/// The hook that runs now.
#[derive(Default)]
struct RunningHook {
    is_running: bool,
    commands: usize,
}

fn show(event: &Event, hook: &RunningHook) {
    match event {
        Event::HookStarted { unit, hook: name, about } => {
            let about = about.as_deref().map(|about| format!(" ({about})")).unwrap_or_default();
            anstream::println!("{UNIT}{unit}{UNIT:#} {name}{DIM}{about}{DIM:#}");
        }
        Event::HookEnded { exit, error, .. } => {
            if let Some(error) = error {
                anstream::println!("    {OLD}{error}{OLD:#}");
            } else if !matches!(exit, Some(Exit::Code(0))) {
                anstream::println!("    {OLD}did not end well{OLD:#}");
            }
            let plural = if hook.commands == 1 { "" } else { "s" };
            anstream::println!("    {DIM}{} hook command{plural}{DIM:#}", hook.commands);
        }
        Event::StateChanged { key, old, new, .. } if key == "flags" => {
            show_flags(old.as_deref(), new.as_deref());
        }
        Event::DatabagChanged { relation, party, key, old, new } => {
            let party = match party {
                Party::Unit(unit) => unit.to_string(),
                Party::Application(application) => application.to_string(),
            };
            let place = format!("relation {relation}, {party}:");
            match (old, new) {
                (_, Some(new)) => anstream::println!("    {NEW}{place} {key} = {}{NEW:#}", clipped(key, new)),
                (Some(_), None) => anstream::println!("    {OLD}{place} {key} removed{OLD:#}"),
                (None, None) => {}
            }
        }
        Event::StatusChanged { party: Party::Unit(_), status, message } if hook.is_running => {
            anstream::println!("    status {status}: {message}");
        }
        // Juju itself says it, before the first hook and around the last.
        Event::StatusChanged { party: Party::Unit(unit), status, message } => {
            anstream::println!("{UNIT}{unit}{UNIT:#} {DIM}status {status}: {message}{DIM:#}");
        }
        Event::Log { level, message, .. } if matches!(level.as_str(), "WARNING" | "ERROR") => {
            for line in message.lines() {
                anstream::println!("    {OLD}{level} {line}{OLD:#}");
            }
        }
        _ => {}
    }
}

fn show_flags(old: Option<&str>, new: Option<&str>) {
    let names = |text: Option<&str>| -> BTreeSet<String> {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (old, new) = (names(old), names(new));
    for name in new.difference(&old) {
        anstream::println!("    {NEW}+ {name}{NEW:#}");
    }
    for name in old.difference(&new) {
        anstream::println!("    {OLD}- {name}{OLD:#}");
    }
}

/// A value on one line, without keys: the terminal of a demo may be seen by many.
fn clipped(key: &str, value: &str) -> String {
    let mut shown = value.to_owned();
    if key.starts_with("request_")
        && let Ok(serde_json::Value::Object(mut request)) = serde_json::from_str(value)
    {
        for (field, text) in &mut request {
            if field.starts_with("client_key") && !text.is_null() {
                *text = "(hidden)".into();
            } else if text.as_str().is_some_and(|text| text.contains("-----BEGIN")) {
                *text = "(PEM)".into();
            }
        }
        // The name first: it is what a reader looks for.
        let name = request.get("job_name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
        shown = format!("job `{name}` {}", serde_json::Value::Object(request));
    }
    let one_line = shown.replace('\n', " ");
    match one_line.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &one_line[..end]),
        None => one_line,
    }
}

/// Shows where everything ended up.
pub(super) fn end(sim: &Sim, config: &str, port: &str, states: &[TargetState]) {
    command("juju status");
    anstream::println!("{}", sim.status());
    command("juju run prometheus/0 show-config");
    anstream::println!("{}", config.trim_end());
    command(&format!("curl 127.0.0.1:{port}/api/v1/targets"));
    for state in states {
        let (style, value) = if state.is_up() { (NEW, 1) } else { (OLD, 0) };
        anstream::println!("{style}up {value}{style:#}  {}  {}", state.job, state.url);
        if !state.last_error.is_empty() {
            anstream::println!("      {OLD}{}{OLD:#}", state.last_error);
        }
    }
}
