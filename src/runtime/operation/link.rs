//! The pipes between work and the daemon that started it.

use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

/// What the daemon says first.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Begin {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) input: Value,
    #[serde(default)]
    pub(super) kept: Value,
}

/// The way to the daemon.
pub(super) struct Link {
    /// Answers to what was to be kept: why it is not.
    answers: Receiver<Result<(), String>>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Link {
    /// Hears what the daemon says first, and listens from then on.
    pub(super) fn open() -> io::Result<(Self, Begin)> {
        let mut first = String::new();
        io::stdin().lock().read_line(&mut first)?;
        let begin = serde_json::from_str(&first)?;
        let (sender, answers) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let heard = stop.clone();
        std::thread::Builder::new().name("daemon".to_owned()).spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let message: Value = serde_json::from_str(&line).unwrap_or_default();
                if !message["stop"].is_null() {
                    heard.store(true, Ordering::Relaxed);
                } else if let Some(reason) = message["refused"].as_str() {
                    drop(sender.send(Err(reason.to_owned())));
                } else if !message["kept"].is_null() {
                    drop(sender.send(Ok(())));
                }
            }
            // The daemon has gone: its next process does this work, which nobody else may do meanwhile.
            #[expect(clippy::disallowed_methods, reason = "the work itself may not listen")]
            std::process::exit(1);
        })?;
        Ok((Self { answers, stop }, begin))
    }

    /// Says what is to be kept, and waits until it is.
    pub(super) fn keep(&self, value: &Value) -> io::Result<Result<(), String>> {
        say("keep", value)?;
        self.answers.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Says something to the daemon.
pub(super) fn say(key: &str, value: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", json!({ key: value }))?;
    stdout.flush()
}
