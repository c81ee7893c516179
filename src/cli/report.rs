//! How the program talks: errors with their causes and hints, progress, notes.

use anstyle::{AnsiColor, Style};

use crate::pack::PackError;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const STEP: Style = AnsiColor::Green.on_default().bold();

/// Shows what failed, why, and what may help.
pub(crate) fn error(error: &anyhow::Error) {
    anstream::eprintln!("{ERROR}error{ERROR:#}: {error}");
    for cause in error.chain().skip(1) {
        anstream::eprintln!("  because: {cause}");
    }
    if let Some(hint) = error.downcast_ref::<PackError>().and_then(PackError::hint) {
        anstream::eprintln!("{HINT}hint{HINT:#}: {hint}");
    }
}

/// Shows something that works and may surprise.
pub(crate) fn note(text: &str) {
    anstream::eprintln!("{NOTE}note{NOTE:#}: {text}");
}

/// Shows what is being worked on, aligned as cargo's own lines are.
pub(crate) fn step(verb: &str, what: &str) {
    anstream::eprintln!("{STEP}{verb:>12}{STEP:#} {what}");
}
