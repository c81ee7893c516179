//! Logging through the `log` facade to Juju's log, gathered and written once.
//!
//! One `juju-log` is one process; a handler that writes twenty lines should not start twenty.  A dispatch
//! in which nobody but this crate said anything, and that only in passing, starts none.

use std::cell::RefCell;

use charms_reactive_hookcmd::commands::LogLevel;
use charms_reactive_hookcmd::{CommandError, Commands as _, HookCommands};

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

/// Makes the `log` facade write into this thread's buffer.  A logger that somebody else chose stays.
pub(crate) fn install() {
    if log::set_logger(&Gatherer).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
}

/// Forgets what an earlier dispatch of this thread did not write.
pub(crate) fn begin() {
    BUFFER.with_borrow_mut(|buffer| *buffer = Buffer::new());
}

/// Writes what was gathered: one `juju-log` for each run of messages of one level.
pub(crate) fn write(commands: &mut dyn HookCommands) -> Result<(), CommandError> {
    let buffer = BUFFER.with_borrow_mut(|buffer| std::mem::replace(buffer, Buffer::new()));
    let mut lines = if buffer.is_worth_writing { buffer.lines } else { Vec::new() };
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
        commands.juju_log(level, &text.join("\n"))?;
    }
    Ok(())
}
