//! Texts as arguments: what no program takes is taken out, what is too long is cut.

use std::collections::BTreeMap;

use crate::{CommandError, Request};

/// Arguments longer than this are cut: one argument of a program may have 128 KiB on Linux.
const ARG_BYTES_MAX: usize = 100_000;

/// How long a status may be: `juju status` shows one line.
const STATUS_CHARS_MAX: usize = 500;

/// `request` with positional texts; `--` comes before them only where one could be taken for a flag.
pub(super) fn with_text(request: Request, texts: &[&str]) -> Request {
    let is_like_flag = texts.iter().any(|text| text.starts_with('-'));
    let request = if is_like_flag { request.arg("--") } else { request };
    texts.iter().fold(request, |request, text| request.arg(printable(text)))
}

/// A text on one line, of a length that can be read.
pub(super) fn one_line(text: &str) -> String {
    let parts = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    let line = parts.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(STATUS_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// A text without control characters: no program takes a NUL as part of an argument, and no terminal
/// should be told what to do by a databag.
pub(super) fn printable(text: &str) -> String {
    let is_wanted = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    text.chars().map(|character| if is_wanted(character) { character } else { '\u{fffd}' }).collect()
}

/// The first part of `text` that fits into one argument, cut between characters.
pub(super) fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(ARG_BYTES_MAX)]
}

pub(super) fn json_bytes(map: &BTreeMap<String, String>) -> Vec<u8> {
    serde_json::to_vec(map).expect("a map of texts is JSON")
}

/// Parses each text of a list, as the answer of `request`.
pub(super) fn parse_names<T, E: std::fmt::Display>(
    texts: &[String],
    request: &Request,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, CommandError> {
    let wrong = |error: E| CommandError::Answer {
        command: request.to_string(),
        source: serde::de::Error::custom(error),
    };
    texts.iter().map(|text| parse(text).map_err(wrong)).collect()
}

/// Reads null as what is there when nothing is said: Go writes an empty list so.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}
