//! Logging through the `log` facade to Juju's log, gathered and written once.
//!
//! One `juju-log` is one process; a handler that writes twenty lines should not start twenty.  A dispatch
//! that changed nothing, and in which nobody but this crate said anything, starts none.

use std::cell::RefCell;

use charms_reactive_hookcmd::commands::LogLevel;
use charms_reactive_hookcmd::{Commands as _, HookCommands};

/// How many bytes of messages one dispatch may log; what is beyond is counted, not kept.
pub const LOG_BYTES_MAX: usize = 1024 * 1024;

/// What the names of this crate's modules begin with.
const OURS: &str = env!("CARGO_CRATE_NAME");

thread_local! {
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer::new()) };
}

/// Messages that wait to be written.
struct Buffer {
    lines: Vec<(log::Level, String)>,
    bytes: usize,
    left_out: usize,
    /// Whether there is more in it than the running commentary of this crate.
    is_worth_writing: bool,
}

impl Buffer {
    const fn new() -> Self {
        Self { lines: Vec::new(), bytes: 0, left_out: 0, is_worth_writing: false }
    }

    fn push(&mut self, level: log::Level, line: String) {
        self.bytes += line.len();
        if self.bytes > LOG_BYTES_MAX {
            self.left_out += 1;
        } else {
            self.lines.push((level, line));
        }
    }
}

struct Gatherer;

impl log::Log for Gatherer {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Debug
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let is_in_passing = record.level() == log::Level::Debug && record.target().starts_with(OURS);
            BUFFER.with_borrow_mut(|buffer| {
                buffer.is_worth_writing |= !is_in_passing;
                buffer.push(record.level(), record.args().to_string());
            });
        }
    }

    fn flush(&self) {}
}

/// Makes the `log` facade write into this thread's buffer, and forgets what an earlier dispatch left
/// there.  A logger that somebody else chose stays.
pub(crate) fn begin() {
    if log::set_logger(&Gatherer).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
    BUFFER.with_borrow_mut(|buffer| *buffer = Buffer::new());
}

/// Where the next line will be.
pub(crate) fn next_line() -> usize {
    BUFFER.with_borrow(|buffer| buffer.lines.len())
}

/// Adds to the line that is there since [`next_line`] said where, and tells whether there is one: a logger
/// that somebody else chose keeps none, and a full buffer neither.
pub(crate) fn append(line: usize, text: &str) -> bool {
    BUFFER.with_borrow_mut(|buffer| {
        let Some((_, kept)) = buffer.lines.get_mut(line) else { return false };
        buffer.bytes += text.len();
        kept.push_str(text);
        true
    })
}

/// What was gathered and somebody should know.
pub(crate) fn take_warnings() -> Vec<String> {
    let buffer = BUFFER.with_borrow_mut(|buffer| std::mem::replace(buffer, Buffer::new()));
    let lines = buffer.lines.into_iter().filter(|(level, _)| *level <= log::Level::Warn);
    lines.map(|(_, line)| line).collect()
}

/// Writes what was gathered: one `juju-log` for each run of messages of one level.
///
/// The running commentary of this crate is of interest only where `has_effects`.
///
/// A log that cannot be written is no reason for a hook to fail: what is left goes to standard error,
/// which Juju logs too.
pub(crate) fn write(commands: &mut dyn HookCommands, has_effects: bool) {
    write_or(commands, has_effects, print);
}

fn write_or(commands: &mut dyn HookCommands, has_effects: bool, otherwise: impl Fn(&str)) {
    let buffer = BUFFER.with_borrow_mut(|buffer| std::mem::replace(buffer, Buffer::new()));
    if !has_effects && !buffer.is_worth_writing {
        return;
    }
    let mut lines = buffer.lines;
    if buffer.left_out > 0 {
        lines.push((log::Level::Warn, format!("{} more messages were left out", buffer.left_out)));
    }
    for run in lines.chunk_by(|left, right| left.0 == right.0) {
        let level = match run[0].0 {
            log::Level::Error => LogLevel::Error,
            log::Level::Warn => LogLevel::Warning,
            log::Level::Info => LogLevel::Info,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Trace => LogLevel::Trace,
        };
        let text: Vec<&str> = run.iter().map(|(_, line)| line.as_str()).collect();
        let text = text.join("\n");
        if let Err(error) = commands.juju_log(level, &text) {
            otherwise(&format!("{error}\n{text}"));
        }
    }
}

/// Prints each record at once: where there is no hook, whose log it could be.
struct Printer;

impl log::Log for Printer {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            print(&format!("{}: {}", record.level().as_str().to_lowercase(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// Makes the `log` facade print.  A logger that somebody else chose stays.
pub(crate) fn print_all() {
    if log::set_logger(&Printer).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

#[expect(clippy::print_stderr, reason = "the way to Juju's log when `juju-log` does not work")]
pub(crate) fn print(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;

    use charms_reactive_hookcmd::{Answer, CommandError, Request};

    use super::*;

    /// A unit without `juju-log`.
    struct Without;

    impl HookCommands for Without {
        fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
            let command = request.name.to_owned();
            Err(CommandError::Start { command, source: io::ErrorKind::NotFound.into() })
        }
    }

    #[test]
    fn without_juju_log_messages_go_elsewhere_and_fail_nothing() {
        begin();
        BUFFER.with_borrow_mut(|buffer| {
            buffer.is_worth_writing = true;
            buffer.push(log::Level::Info, "one".to_owned());
            buffer.push(log::Level::Warn, "two".to_owned());
        });
        let printed = RefCell::new(Vec::new());
        write_or(&mut Without, true, |text| printed.borrow_mut().push(text.to_owned()));
        let start = "cannot start hook command `juju-log`";
        assert_eq!(printed.take(), [format!("{start}\none"), format!("{start}\ntwo")]);
    }
}
