//! How the program talks: errors with their causes and hints, progress, notes.

use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use crate::pack::PackError;
use crate::simulate::SimulateError;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const STEP: Style = AnsiColor::Green.on_default().bold();

/// Shows what failed, why, and what may help.
pub(crate) fn error(error: &anyhow::Error) {
    let pack_hint = error.downcast_ref::<PackError>().and_then(PackError::hint);
    let hint = pack_hint.or_else(|| error.downcast_ref::<SimulateError>().and_then(SimulateError::hint));
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    failure(&error.to_string(), &causes, hint.as_deref());
}

/// Shows what is not as it should be, why, and what may help.
pub(crate) fn failure(text: &str, causes: &[String], hint: Option<&str>) {
    anstream::eprintln!("{ERROR}error{ERROR:#}: {text}");
    for cause in causes {
        anstream::eprintln!("  because: {cause}");
    }
    if let Some(hint) = hint {
        anstream::eprintln!("{HINT}hint{HINT:#}: {hint}");
    }
}

/// Shows something that works and may surprise.
pub(crate) fn note(text: &str) {
    anstream::eprintln!("{NOTE}note{NOTE:#}: {text}");
}

/// Shows what is being worked on, aligned as cargo's own lines are.
pub(crate) fn step(verb: &str, what: &str) {
    Live::clear();
    anstream::eprintln!("{STEP}{verb:>12}{STEP:#} {what}");
}

/// Shows a text as it is: what other programs print, word for word.
pub(crate) fn plain(text: &str) {
    anstream::eprint!("{text}");
    // What cannot be shown is no reason to stop.
    let _ = std::io::stderr().flush();
}

/// Text without what would break a line, or command a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_control() { letter.escape_default().collect() } else { letter.to_string() }
    };
    text.chars().map(plain).collect()
}

/// A line at the terminal that shows what is going on this moment; nothing where nobody looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    is_on: bool,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { is_on: std::io::stderr().is_terminal() }
    }

    /// Shows the line in place of the one before.
    pub(crate) fn show(self, verb: &str, what: &str) {
        const CHARS_MAX: usize = 60;
        if self.is_on {
            let what: String = what.chars().take(CHARS_MAX).collect();
            anstream::eprint!("\r\x1b[2K{STEP}{verb:>12}{STEP:#} {what}");
            // What cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    /// Shows a line that stays until it is erased.
    pub(crate) fn line(self, verb: &str, what: &str) {
        if self.is_on {
            // One that goes on in the next row could not be erased.
            let columns = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col);
            let columns = if columns == 0 { 80 } else { usize::from(columns) };
            let what: String = what.chars().take(columns.saturating_sub(14)).collect();
            anstream::eprintln!("{STEP}{verb:>12}{STEP:#} {what}");
        }
    }

    /// Takes this many lines away.
    pub(crate) fn erase(self, lines: usize) {
        if self.is_on && lines > 0 {
            anstream::eprint!("\r\x1b[{lines}A\x1b[0J");
        }
    }

    /// Whether somebody looks.
    pub(crate) fn is_on(self) -> bool {
        self.is_on
    }

    /// Takes the line away.
    pub(crate) fn clear() {
        if std::io::stderr().is_terminal() {
            anstream::eprint!("\r\x1b[2K");
        }
    }
}
