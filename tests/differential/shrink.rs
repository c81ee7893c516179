//! Makes a sequence that shows a mismatch as short as it gets, and a test of it.

use std::fmt::Write as _;

use crate::layout::{Played, Player};
use crate::sequence::Sequence;

/// How many runs it may take.
const RUNS_MAX: usize = 150;

/// The shortest sequence that was found, as the text of a test, and what is wrong with it.
pub(crate) fn shrink(player: &Player, sequence: Sequence) -> String {
    let mut runs = 0;
    let mut fails = |sequence: &Sequence| {
        runs += 1;
        runs <= RUNS_MAX && player.play(sequence).mismatch.is_some()
    };
    let mut best = sequence;
    loop {
        let before = best.clone();
        best.events =
            fewer(best.events.clone(), |events| fails(&Sequence { events: events.to_vec(), ..best.clone() }));
        let with_handlers = |handlers: &[_]| {
            let mut sequence = best.clone();
            sequence.program.handlers = handlers.to_vec();
            sequence
        };
        let handlers = fewer(best.program.handlers.clone(), |handlers| fails(&with_handlers(handlers)));
        best = with_handlers(&handlers);
        for position in 0..best.program.handlers.len() {
            let with_operations = |operations: &[_]| {
                let mut sequence = best.clone();
                sequence.program.handlers[position].operations = operations.to_vec();
                sequence
            };
            let operations = best.program.handlers[position].operations.clone();
            let operations = fewer(operations, |operations| fails(&with_operations(operations)));
            best = with_operations(&operations);
        }
        let with_triggers = |triggers: &[_]| {
            let mut sequence = best.clone();
            sequence.program.triggers = triggers.to_vec();
            sequence
        };
        let triggers = fewer(best.program.triggers.clone(), |triggers| fails(&with_triggers(triggers)));
        best = with_triggers(&triggers);
        if best == before {
            break;
        }
    }
    told(&best, &player.play(&best))
}

fn told(sequence: &Sequence, played: &Played) -> String {
    let mut told = String::new();
    let text = serde_json::to_string(sequence).expect("a sequence is JSON");
    let reason = played.mismatch.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let _ = writeln!(told, "{}\n{reason}\n", played.transcripts);
    let _ = writeln!(told, "#[test]\nfn seed_{}() {{", sequence.seed);
    let _ = writeln!(told, "    // {reason}\n    replay(\n        r#\"{text}\"#,\n    );\n}}");
    told
}

/// Leaves out halves, then quarters, down to single elements, for as long as it fails.
fn fewer<T: Clone>(mut elements: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut size = elements.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < elements.len() {
            let end = (at + size).min(elements.len());
            let rest: Vec<T> = elements[..at].iter().chain(&elements[end..]).cloned().collect();
            if fails(&rest) {
                elements = rest;
            } else {
                at = end;
            }
        }
        if size == 1 {
            return elements;
        }
        size /= 2;
    }
}
