//! What is wrong with a scenario file, in words for the person who wrote it.

use crate::simulate::error::{SimulateError, nearest};

/// How many names are listed in an error.
const NAMES_MAX: usize = 12;

/// What the parser's words are for somebody who does not know Rust.
const WORDS: [(&str, &str); 14] = [
    ("unknown variant", "unknown word"),
    ("unknown field", "unknown key"),
    ("missing field", "missing key"),
    ("expected usize", "expected a number"),
    ("expected u32", "expected a number"),
    ("expected u64", "expected a number"),
    ("expected a sequence", "expected a list"),
    ("invalid type: sequence", "invalid type: a list"),
    ("expected unit variant", "expected nothing after its name"),
    ("expected map with a single key", "expected one step after each `-`"),
    ("expected map containing 1 entry", "expected one step after each `-`"),
    ("expected null", "expected nothing after its name"),
    ("expected struct Scenario", "expected a bundle: `applications:`, `relations:`, `steps:`"),
    ("expected a tuple of size 2", "expected two endpoints, `[web:db, db:server]`"),
];

/// An error of the parser, with its place, in words, and with a hint.
pub(super) fn explained(error: &serde_yaml::Error, place: &str) -> SimulateError {
    let text = error.to_string();
    let location = error.location();
    let place = location.as_ref().map_or_else(
        || place.to_owned(),
        |location| format!("{place}:{}:{}", location.line(), location.column()),
    );
    let text = text.split(" at line ").next().unwrap_or_default();
    let (begin, known) = match text.split_once(", expected one of ").or(text.split_once(", expected `")) {
        Some((begin, known)) => (begin, known.split('`').filter(|name| is_name(name)).collect()),
        None => (text, Vec::new()),
    };
    let unknown = begin.rsplit('`').nth(1).unwrap_or_default();
    let hint = match nearest(unknown, known.iter().copied()) {
        Some(meant) => Some(format!("did you mean `{meant}`?")),
        None if (1..=NAMES_MAX).contains(&known.len()) => Some(format!("known: {}", known.join(", "))),
        None if known.len() > NAMES_MAX => {
            Some("`charms-reactive simulate --help` lists the steps, with an example of each".to_owned())
        }
        None => None,
    };
    let mut problem = if known.is_empty() { text } else { begin }.to_owned();
    for (theirs, ours) in WORDS {
        problem = problem.replace(theirs, ours);
    }
    SimulateError::Scenario { place, problem: without_types(&problem), hint }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', ','])
}

/// `tuple variant Step::Relate with 2 elements` is a list of 2.
fn without_types(text: &str) -> String {
    let Some((begin, rest)) = text.split_once("tuple variant ") else { return text.to_owned() };
    match rest.split_once(" with ") {
        Some((_, count)) => format!("{begin}a list of {}", count.trim_end_matches(" elements")),
        None => format!("{begin}a list"),
    }
}

/// The first line that begins with a key, or has the word.
pub(super) fn line_of(text: &str, word: &str) -> Option<usize> {
    let is_key = |line: &str| line.trim_start().starts_with(&format!("{word}:"));
    let position =
        text.lines().position(is_key).or_else(|| text.lines().position(|line| line.contains(word)));
    position.map(|index| index + 1)
}
