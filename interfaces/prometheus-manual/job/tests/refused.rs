//! Jobs that are refused, and with which words.

use super::{MESSAGE_CHARS_MAX, check, job};

/// Two lines each: a job as JSON, and what is said about it.
const REFUSED: &str = include_str!("refused.txt");

#[test]
fn mistakes_are_refused_with_words_that_help() {
    for case in REFUSED.trim_end().split("\n\n") {
        let (text, expected) = case.split_once('\n').expect("two lines");
        let problem = check(&job(text)).expect_err(text);
        assert_eq!(problem.to_string(), expected, "{text}");
        assert!(expected.chars().count() <= MESSAGE_CHARS_MAX, "{expected}");
    }
}
