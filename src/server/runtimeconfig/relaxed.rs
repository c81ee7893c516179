//! JSON as people write it, which Google's parser takes: keys without quotes, texts in single ones.

use serde_json::Value;

/// The value of such a text; None where it is nothing of that kind.
pub(super) fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(&strict(text)?).ok()
}

/// The same in strict JSON; whether it is JSON at all is for its parser to say.
fn strict(text: &str) -> Option<String> {
    let mut strict = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$';
        if first == '"' || first == '\'' {
            rest = quoted(first, &rest[1..], &mut strict)?;
        } else if is_word(first) && !first.is_ascii_digit() {
            let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            let is_key = behind.trim_start().starts_with(':');
            let quote = if is_key { "\"" } else { "" };
            strict.extend([quote, word, quote]);
            rest = behind;
        } else {
            strict.push(first);
            rest = &rest[first.len_utf8()..];
            // Numbers have letters in them that begin no word.
            if first.is_ascii_digit() && rest.starts_with(['e', 'E']) {
                strict.push('e');
                rest = &rest[1..];
            }
        }
    }
    Some(strict)
}

/// Copies a text up to its closing quote; gives what is behind it.
fn quoted<'a>(quote: char, text: &'a str, strict: &mut String) -> Option<&'a str> {
    strict.push('"');
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => {
                strict.push('"');
                return Some(&text[at + 1..]);
            }
            '\\' => match letters.next()?.1 {
                '\'' => strict.push('\''),
                escaped => strict.extend(['\\', escaped]),
            },
            '"' => strict.push_str("\\\""),
            _ => strict.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_without_quotes_and_single_quotes_are_read() {
        for (text, expected) in [
            (r#"{name: "a", text: 'it"s'}"#, json!({"name": "a", "text": "it\"s"})),
            (
                r"{'name': 'it\'s\n', done: true, none: null}",
                json!({"name": "it's\n", "done": true, "none": null}),
            ),
            (
                r#"{a_1 : [1, -2.5e3, 1E2, "x:y"], $b: {}}"#,
                json!({"a_1": [1, -2500.0, 100.0, "x:y"], "$b": {}}),
            ),
            (r#"{"a": "ü 'q' {b: c}"}"#, json!({"a": "ü 'q' {b: c}"})),
        ] {
            assert_eq!(parse(text), Some(expected), "`{text}`");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_json_means_the_same_here(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ":", ",", "\"", "'", "\\", "\\u0041", "a", "_b1", "true", "null", "1", "-2.5e3", "1E2", " ",
                "\n", "ü", "\"k\":", "\"v\"",
            ]), 0..30),
        ) {
            let text = pieces.concat();
            let found = parse(&text);
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(found, Some(value));
            }
        }
    }

    #[test]
    fn what_is_no_json_either_way_is_refused() {
        for text in
            ["{", "{a}", "{a: b}", "{a: 'b}", "{a: \"b'}", "{1: 2}", "{a: 'b\\", "{a: 1,}", "{a-b: 1}", "x"]
        {
            assert_eq!(parse(text), None, "`{text}`");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }
}
