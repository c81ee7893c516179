//! `juju-log`, `juju-reboot`.

use super::flags::Flag;
use super::{Asked, Command, Done, Outcome, failed, usage};
use crate::event::Event;
use crate::run::Purpose;

pub(super) const COMMANDS: &[Command] = &[
    Command::old_setter(
        "juju-log",
        "<message>",
        &[Flag::value(&["l", "log-level"]), Flag::switch(&["debug"])],
        juju_log,
    ),
    Command::setter("juju-reboot", "", &[Flag::switch(&["now"])], juju_reboot),
];

const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/// # Source
///
/// `J/juju-log.go`: words are joined, hooks of relations say which one.
fn juju_log(asked: &mut Asked<'_>) -> Outcome {
    if asked.line.positional.is_empty() {
        return usage("no message specified");
    }
    let unit = asked.run.unit.clone();
    let asked_level =
        if asked.line.is_on("debug") { "DEBUG" } else { asked.line.value("l").unwrap_or("INFO") };
    let level = asked_level.to_ascii_uppercase();
    let level = if LEVELS.contains(&level.as_str()) {
        level
    } else {
        let message = format!("Specified log level of {asked_level:?} is not valid, using INFO");
        let level = "WARNING".to_owned();
        asked.model.journal.record(Event::Log { unit: unit.clone(), level, message });
        "INFO".to_owned()
    };
    let current = asked.run.current.as_ref().and_then(|current| asked.run.views.get(&current.number));
    let prefix = current.map(|view| format!("{}: ", view.id)).unwrap_or_default();
    let message = prefix + &asked.line.positional.join(" ");
    asked.model.journal.record(Event::Log { unit, level, message });
    Ok(Done::Nothing)
}

/// # Source
///
/// `J/reboot.go`, and `U/runner/context/context.go`, `handleReboot`.
fn juju_reboot(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    if matches!(asked.run.purpose, Purpose::Action { .. }) {
        return failed("juju-reboot is not supported when running an action.");
    }
    asked.run.is_reboot_asked = true;
    Ok(if asked.line.is_on("now") { Done::Kill } else { Done::Nothing })
}
