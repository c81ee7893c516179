//! What docs/debugging.md shows is what happens: each of its commands is run in a model, in order.

use serde_json::Value;

use super::unit_tools::Unit;

const PAGE: &str = include_str!("../../docs/debugging.md");

/// The page as it would be if every command printed there what it prints here.
fn rendered() -> String {
    let mut session = Session { unit: Unit::new(), is_debugged: false };
    let mut page = String::new();
    let mut rest = PAGE;
    while let Some((before, block)) = rest.split_once("```console\n") {
        let (block, after) = block.split_once("```\n").expect("a block ends");
        page.extend([before, "```console\n", &session.run(block), "```\n"]);
        rest = after;
    }
    page + rest
}

/// A person at a terminal.
struct Session {
    unit: Unit,
    /// Whether a hook of this block is debugged.
    is_debugged: bool,
}

impl Session {
    fn run(&mut self, block: &str) -> String {
        let mut lines = block.lines().peekable();
        let in_hook: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("% ")).collect();
        let mut told = String::new();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            let mut shown = String::new();
            while let Some(output) = lines.next_if(|line| !line.starts_with("$ ") && !line.starts_with("% "))
            {
                shown.extend([output, "\n"]);
            }
            told.extend([line, "\n", &self.command(command, &shown, &in_hook)]);
        }
        if std::mem::take(&mut self.is_debugged) {
            told += &self.unit.debugged();
        }
        told
    }

    /// What a command prints; `shown` is what the page says.
    fn command(&mut self, line: &str, shown: &str, in_hook: &[&str]) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["juju", "exec", "--unit", unit, "--", ..] => {
                let script = line.split_once(" -- ").expect("matched above").1;
                // The client's shell takes the quotes away.
                let printed = self.unit.exec(unit, script.trim_matches('\''), 0);
                if is_same_json(&printed, shown) { shown.to_owned() } else { printed }
            }
            ["juju", "integrate", one, other] => {
                self.unit.sim.relate(one, other).expect("related");
                self.settle()
            }
            ["juju", "config", application, ..] => {
                let (option, text) =
                    line.splitn(4, ' ').nth(3).and_then(|rest| rest.split_once('=')).expect("an option");
                self.unit
                    .sim
                    .configure(application, &[(option, text.trim_matches('\''))])
                    .expect("configured");
                self.settle()
            }
            ["juju", "debug-hooks", "jobs/0", _] => {
                let script: Vec<String> =
                    in_hook.iter().map(|command| format!("echo '% {command}'\n{command}\n")).collect();
                self.unit.debug(&script.concat());
                self.is_debugged = true;
                String::new()
            }
            // The model keeps every level.
            ["juju", "model-config", _] => String::new(),
            [
                "juju",
                "debug-log",
                "--replay",
                "--include",
                "unit-jobs-0",
                "--level",
                "DEBUG",
                "|",
                "tail",
                "-n",
                count,
            ] => {
                let log = self.unit.log();
                let first = log.lines().count() - count.parse::<usize>().expect("a number");
                let shown = shown.lines().map(Some).chain(std::iter::repeat(None));
                let lines = log.lines().skip(first).zip(shown).map(|(line, shown)| match shown {
                    // The time is any time.
                    Some(shown) if message(shown) == line => format!("{shown}\n"),
                    _ => format!("unit-jobs-0: 10:21:35 DEBUG unit.jobs/0.juju-log {line}\n"),
                });
                lines.collect()
            }
            _ => panic!("this test has no `{line}`"),
        }
    }

    fn settle(&mut self) -> String {
        self.unit.settle();
        String::new()
    }
}

/// A line of Juju's log without what Juju puts before it.
fn message(line: &str) -> &str {
    line.split_once(".juju-log ").map_or(line, |(_, message)| message)
}

/// Whether both are the same JSON: the page shows it over several lines.
fn is_same_json(printed: &str, shown: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    parsed(printed).is_some_and(|value| parsed(shown) == Some(value))
}

#[test]
fn the_page_shows_what_each_of_its_commands_prints() {
    let rendered = rendered();
    for (expected, found) in rendered.lines().zip(PAGE.lines()) {
        assert_eq!(expected, found, "docs/debugging.md is out of date; it should be:\n{rendered}");
    }
    assert_eq!(rendered.lines().count(), PAGE.lines().count(), "{rendered}");
    assert!(PAGE.matches("\n$ juju ").count() > 15, "the page has commands");
    assert!(PAGE.contains(".juju-log prometheus:0: automatic flags of "), "the page shows a log");
}
