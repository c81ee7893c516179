//! How long a waiter waits, as text: `360s`, `2.500s`.

use std::time::Duration;

/// How many seconds a span may have: about ten thousand years.
pub const SPAN_SECONDS_MAX: u64 = 315_576_000_000;

/// Why a text is no span of time that a waiter can wait.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "timeout `{text}` is not valid, expected seconds with up to nine digits behind the point, for example `360s` or `2.5s`"
)]
pub struct SpanError {
    /// What was found.
    pub text: String,
}

/// Parses a span of time that is not zero.
///
/// ```
/// use charms_reactive_core::waiter::parse_span;
///
/// assert_eq!(parse_span("2.5s"), Ok(std::time::Duration::from_millis(2500)));
/// assert!(parse_span("0s").is_err());
/// ```
///
/// # Source
///
/// JSON form of `google.protobuf.Duration`.
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    read(text)
        .filter(|span| !span.is_zero())
        .ok_or_else(|| SpanError { text: text.chars().take(80).collect() })
}

fn read(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (seconds, fraction) = match number.split_once('.') {
        Some((seconds, fraction)) => (seconds, nanoseconds(fraction)?),
        None => (number, 0),
    };
    let is_digits = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if is_digits { seconds.parse().ok()? } else { return None };
    let span = Duration::new(seconds, fraction);
    (span <= Duration::from_secs(SPAN_SECONDS_MAX)).then_some(span)
}

/// The nanoseconds of the digits behind a point: one to nine of them.
pub(super) fn nanoseconds(digits: &str) -> Option<u32> {
    let is_fine = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = if is_fine { digits.parse().ok()? } else { return None };
    let missing = u32::try_from(9 - digits.len()).ok()?;
    Some(number * 10_u32.pow(missing))
}

/// The digits of a fraction of a second with the point in front: none, three, six or nine.
pub(super) fn fraction_text(nanoseconds: u32) -> String {
    if nanoseconds == 0 {
        String::new()
    } else if nanoseconds.is_multiple_of(1_000_000) {
        format!(".{:03}", nanoseconds / 1_000_000)
    } else if nanoseconds.is_multiple_of(1_000) {
        format!(".{:06}", nanoseconds / 1_000)
    } else {
        format!(".{nanoseconds:09}")
    }
}

/// A span as text, with as few of 0, 3, 6 or 9 digits behind the point as it takes.
pub fn span_text(span: Duration) -> String {
    format!("{}{}s", span.as_secs(), fraction_text(span.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_seconds_with_up_to_nine_digits() {
        for (text, printed) in [
            ("360s", "360s"),
            ("2.500s", "2.500s"),
            ("3.5s", "3.500s"),
            ("0.000000001s", "0.000000001s"),
            ("0.0000010s", "0.000001s"),
            ("007s", "7s"),
            ("315576000000s", "315576000000s"),
        ] {
            assert_eq!(parse_span(text).map(span_text).as_deref(), Ok(printed), "`{text}`");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "0s",
            "0.0s",
            "-5s",
            "-0.1s",
            "360",
            "360S",
            "6m",
            "",
            "s",
            ".5s",
            "1.s",
            "+5s",
            "1e3s",
            " 5s",
            "5s ",
            "1.0000000001s",
            "315576000001s",
            "315576000000.1s",
            "99999999999999999999s",
            "1.5.5s",
            "५s",
        ] {
            assert_eq!(parse_span(text), Err(SpanError { text: text.to_owned() }), "`{text}`");
        }
    }
}
