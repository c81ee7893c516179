//! Operations that run, as bars at a terminal, and as lines elsewhere.

use std::collections::BTreeMap;

use charms_reactive_client::Operation;

use crate::report::{self, Live};

/// How many bars are shown; of the others their number.
const BARS_MAX: usize = 12;
/// How many cells a bar has.
const CELLS: usize = 20;

/// Operations that run.
pub(super) struct Board {
    live: Live,
    /// By id, which is by age where ids are made so.
    running: BTreeMap<String, Operation>,
    /// How many lines are shown.
    drawn: usize,
    /// What was told last, where nobody looks at a terminal.
    told: BTreeMap<String, String>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { live: Live::new(), running: BTreeMap::new(), drawn: 0, told: BTreeMap::new() }
    }

    /// Shows how an operation is now.
    pub(super) fn show(&mut self, operation: &Operation) {
        if !self.live.is_on() {
            return self.tell(operation);
        }
        self.erase();
        if operation.is_final() {
            self.running.remove(&operation.id);
            report::step(operation.status.as_str(), &ended(operation));
        } else {
            self.running.insert(operation.id.clone(), operation.clone());
        }
        self.draw();
    }

    /// Nothing runs here any more.
    pub(super) fn end(&mut self) {
        if self.live.is_on() {
            self.erase();
        }
        self.running.clear();
    }

    /// A line for each change that a person would call one.
    fn tell(&mut self, operation: &Operation) {
        let line = if operation.is_final() { ended(operation) } else { Self::line(operation) };
        let line = format!("{:>10}  {line}", operation.status.as_str());
        if self.told.insert(operation.id.clone(), line.clone()).as_ref() != Some(&line) {
            report::plain(&format!("{line}\n"));
        }
        if operation.is_final() {
            self.told.remove(&operation.id);
        }
    }

    fn line(operation: &Operation) -> String {
        let progress = progress(operation);
        let gap = if progress.is_empty() { "" } else { ": " };
        format!("{}{gap}{progress}", Self::name(operation))
    }

    fn draw(&mut self) {
        for operation in self.running.values().take(BARS_MAX) {
            self.live
                .line(operation.status.as_str(), &format!("{} {}", bar(operation), Self::line(operation)));
        }
        let more = self.running.len().saturating_sub(BARS_MAX);
        if more > 0 {
            self.live.line("", &format!("and {more} more"));
        }
        self.drawn = self.running.len().min(BARS_MAX) + usize::from(more > 0);
    }

    fn erase(&mut self) {
        self.live.erase(self.drawn);
        self.drawn = 0;
    }

    /// What a person calls an operation.
    pub(super) fn name(operation: &Operation) -> String {
        let description = report::one_line(&operation.description);
        let gap = if description.is_empty() { "" } else { " " };
        format!("{description}{gap}{}", report::one_line(&operation.id))
    }
}

fn ended(operation: &Operation) -> String {
    let err = if operation.err.is_empty() { String::new() } else { format!(": {}", operation.err) };
    format!("{}{}", Board::name(operation), report::one_line(&err))
}

/// How far it is, in a word: `40%`, `Unpack: 40% (25MB/s)`; empty where it does not say.
pub(super) fn progress(operation: &Operation) -> String {
    let Some(progress) = operation.progress() else { return String::new() };
    let line = report::one_line(&progress.line);
    match (line.is_empty(), progress.percent, progress.processed) {
        (false, ..) => line,
        (true, Some(percent), _) => format!("{percent}%"),
        (true, None, Some(processed)) => processed.to_string(),
        (true, None, None) => String::new(),
    }
}

/// `[=======>            ]`; empty where nobody knows how far it is.
fn bar(operation: &Operation) -> String {
    let percent = operation.progress().and_then(|progress| progress.percent);
    let done = percent.map_or(0, |percent| usize::from(percent) * CELLS / 100);
    let head = if (1..CELLS).contains(&done) { ">" } else { "" };
    let filled = "=".repeat(done.saturating_sub(head.len()));
    format!("[{:<CELLS$}]", format!("{filled}{head}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn operation(metadata: &Value) -> Operation {
        let value =
            json!({"id": "x", "description": "Index\n\u{1b}[2J", "metadata": metadata, "err": "no\u{7}"});
        Operation::parse(&value).expect("an operation")
    }

    #[test]
    fn a_bar_is_as_long_as_the_work_that_is_done() {
        let bar = |percent: &str| bar(&operation(&json!({"progress": {"percent": percent}})));
        assert_eq!(bar("0"), "[                    ]");
        assert_eq!(bar("5"), "[>                   ]");
        assert_eq!(bar("50"), "[=========>          ]");
        assert_eq!(bar("99"), "[==================> ]");
        assert_eq!(bar("100"), "[====================]");
        assert_eq!(bar("1000"), "[                    ]");
    }

    #[test]
    fn servers_do_not_command_the_terminal() {
        let shown = operation(&json!({"x_progress": "a\u{1b}[31m 5%"}));
        assert_eq!(Board::line(&shown), "Index\\n\\u{1b}[2J x: a\\u{1b}[31m 5%");
        assert_eq!(ended(&shown), "Index\\n\\u{1b}[2J x: no\\u{7}");
        assert_eq!(progress(&operation(&json!({"progress": {"processed": "7"}}))), "7");
        assert_eq!(progress(&operation(&json!({}))), "");
    }
}
