//! What a run is shown as: status tables, JSON, a transcript, a page.

use std::path::Path;

use serde_json::{Value, json};

use super::SimulateArgs;
use super::error::SimulateError;
use super::play::Played;

/// All that is to be shown of the runs of one scenario.
pub(super) struct Report<'a> {
    args: &'a SimulateArgs,
    runs: Vec<Value>,
    /// Whether something is wrong.
    pub(super) is_failed: bool,
    /// The run that is shown in full: the first one with problems, else the last.
    shown: Option<Played>,
    /// The scenario that was found to fail.
    pub(super) failing: Option<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(args: &'a SimulateArgs) -> Self {
        Self { args, runs: Vec::new(), is_failed: false, shown: None, failing: None }
    }

    /// Adds a run.
    pub(super) fn add(&mut self, played: Played) {
        if self.args.json {
            self.runs.push(document(&played));
        }
        let is_fine = played.problems.is_empty();
        if self.shown.as_ref().is_none_or(|shown| shown.problems.is_empty()) {
            self.shown = Some(played);
        }
        self.is_failed |= !is_fine;
    }

    /// Prints everything, and tells whether all is as expected.
    pub(super) fn print(self) -> anyhow::Result<bool> {
        let is_fine = !self.is_failed;
        if let (Some(path), Some(played)) = (&self.args.html, &self.shown) {
            write(path, &played.sim.page())?;
        }
        if self.args.json {
            let scenario = self.args.scenario.display().to_string();
            let document =
                json!({"scenario": scenario, "ok": is_fine, "runs": self.runs, "failing": self.failing});
            anstream::println!("{document}");
            return Ok(is_fine);
        }
        if let Some(text) = &self.failing {
            anstream::println!("{text}");
        }
        let Some(played) = &self.shown else { return Ok(is_fine) };
        if self.args.transcript {
            anstream::println!("{}", played.shown(&played.sim.transcript()));
        }
        anstream::print!("{}", played.sim.status());
        Ok(is_fine)
    }
}

/// A run as JSON.
fn document(played: &Played) -> Value {
    let document = json!({
        "seed": played.seed,
        "ok": played.problems.is_empty(),
        "hooks": played.hooks,
        "seconds": played.sim.now().as_secs_f64(),
        "status": played.sim.status(),
        "problems": played.problems,
        "events": played.sim.public_events(),
    });
    shown(played, document)
}

/// A value whose texts have the folder of the run where Juju has it.
fn shown(played: &Played, value: Value) -> Value {
    match value {
        Value::String(text) => played.shown(&text).into(),
        Value::Array(list) => list.into_iter().map(|value| shown(played, value)).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, shown(played, value))).collect(),
        other => other,
    }
}

/// Writes a result that was asked for.
#[expect(clippy::disallowed_methods, reason = "a file that the caller named, at the end of the program")]
pub(super) fn write(path: &Path, text: &str) -> Result<(), SimulateError> {
    std::fs::write(path, text).map_err(|source| SimulateError::Write { path: path.to_owned(), source })
}
