//! Waiting for a waiter, and showing that.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Client;
use super::error::RuntimeConfigError;
use super::name::Name;
use crate::report::{self, Live};
use crate::time::Pauses;

/// A wait that is shown: a line at a terminal, a dot from time to time elsewhere.
pub(super) struct Progress {
    what: String,
    live: Live,
    began: Instant,
}

impl Progress {
    /// Begins to show it: `for waiter [w] to finish`.
    pub(super) fn begin(what: String) -> Self {
        let live = Live::new();
        if !live.is_on() {
            report::plain(&format!("Waiting {what}..."));
        }
        Self { what, live, began: now() }
    }

    /// Sleeps, while the seconds go on at the terminal.
    fn sleep(&self, pause: Duration, note: &str) {
        const SECOND: Duration = Duration::from_secs(1);
        if !self.live.is_on() {
            if pause >= SECOND {
                report::plain(".");
            }
            std::thread::sleep(pause);
            return;
        }
        let mut left = pause;
        while !left.is_zero() {
            self.live.show("Waiting", &format!("{}, {}s{note}", self.what, self.elapsed().as_secs()));
            let slice = left.min(SECOND);
            std::thread::sleep(slice);
            left -= slice;
        }
    }

    /// It is over: `done.` or `failed.`
    pub(super) fn end(self, word: &str) {
        if self.live.is_on() {
            Live::clear();
            report::plain(&format!("Waiting {}...", self.what));
        }
        report::plain(&format!("{word}\n"));
    }

    fn elapsed(&self) -> Duration {
        now().duration_since(self.began)
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that waits needs a clock")]
fn now() -> Instant {
    Instant::now()
}

/// Waits until a waiter has ended, at most for `limit`; gives it as it is then.
pub(super) fn wait(client: &Client, name: &Name, limit: Duration) -> Result<Value, RuntimeConfigError> {
    let progress = Progress::begin(format!("for waiter [{}] to finish", name.id));
    let mut pauses = Pauses::new();
    loop {
        let waiter = match client.call("GET", &name.path(), None) {
            Ok(waiter) => waiter,
            Err(error) => {
                progress.end("failed.");
                return Err(error);
            }
        };
        if waiter["done"] == true {
            return judge(waiter, name, progress);
        }
        let left = limit.saturating_sub(progress.elapsed());
        if left.is_zero() {
            progress.end("failed.");
            let seconds = format!("{}", limit.as_secs_f64());
            return Err(RuntimeConfigError::WaiterWaits { name: name.id.clone(), seconds });
        }
        let pause = pauses.next(left);
        progress.sleep(pause, &wanted(&waiter));
    }
}

fn judge(waiter: Value, name: &Name, progress: Progress) -> Result<Value, RuntimeConfigError> {
    if waiter["error"].is_null() {
        progress.end("done.");
        return Ok(waiter);
    }
    progress.end("failed.");
    let message = waiter["error"]["message"].as_str().unwrap_or_default().to_owned();
    Err(RuntimeConfigError::WaiterFailed { name: name.id.clone(), message })
}

/// What a waiter waits for, in few words.
fn wanted(waiter: &Value) -> String {
    let cardinality = &waiter["success"]["cardinality"];
    let path = cardinality["path"].as_str().unwrap_or_default();
    format!(": {} under {path}, of {}", cardinality["number"], waiter["timeout"].as_str().unwrap_or_default())
}
