//! Prometheus' way to write a duration.

use std::time::Duration;

/// The units, from the largest to the smallest, in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1_000_000_000),
    ("w", 7 * 24 * 60 * 60 * 1_000_000_000),
    ("d", 24 * 60 * 60 * 1_000_000_000),
    ("h", 60 * 60 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Parses numbers with units, the largest unit first and each at most once: `30s`, `1h30m`, `0`.
///
/// None when the text is no such thing, or more than Go can count in nanoseconds (292 years).
///
/// # Source
///
/// `ParseDuration` in `model/time.go` of Prometheus' common library.  Up to Prometheus 2.20 it took
/// one number with one unit only.
pub(super) fn parse(text: &str) -> Option<Duration> {
    // The one number that needs no unit.
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        let unit_len = behind.bytes().take_while(|byte| !byte.is_ascii_digit()).count();
        let (unit, behind) = behind.split_at(unit_len);
        // Searching on, never back: a unit twice or out of order is not found.
        let (_, nanoseconds) = units.find(|(name, _)| *name == unit)?;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(*nanoseconds)?)?;
        rest = behind;
    }
    let is_countable = !text.is_empty() && i64::try_from(total).is_ok();
    is_countable.then(|| Duration::from_nanos(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_in_order_are_a_duration() {
        let cases: [(&str, u64); 9] = [
            ("0", 0),
            ("0s", 0),
            ("1ms", 1),
            ("030s", 30_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1w", 7 * 86_400_000),
            ("1y1w1d1h1m1s1ms", (365 + 7 + 1) * 86_400_000 + 3_661_001),
            ("292y", 292 * 365 * 86_400_000),
        ];
        for (text, ms) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "`{text}`");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            " ",
            "5",
            "s",
            "-5s",
            "+5s",
            "1.5h",
            "5S",
            "5 s",
            " 5s",
            "5s ",
            "5sec",
            "1m1h",
            "1s1s",
            "1ms1s",
            "00",
            "5s5",
            "٣s",
            "5µs",
            "5us",
            "5ns",
            "293y",
            "18446744073709551616s",
            "9223372036854775807s",
            "5é",
        ] {
            assert_eq!(parse(text), None, "`{text}`");
        }
    }
}
