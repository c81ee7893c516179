//! Moments of virtual time as dates, for what Juju counts in months and shows as a date.

use std::time::Duration;

const DAY: i64 = 86_400;
/// When every simulation begins: 2024-05-01T10:00:00Z.
const BEGIN: i64 = 19_844 * DAY + 36_000;

/// A moment as RFC 3339 writes it, to the second.
pub(crate) fn shown(at: Duration) -> String {
    let seconds = BEGIN + i64::try_from(at.as_secs()).unwrap_or(i64::MAX / 2);
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The moment that a text of RFC 3339 means; the begin for all that was before it.
pub(crate) fn read(text: &str) -> Option<Duration> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let is_marked = marks.iter().all(|(at, mark)| text.as_bytes().get(*at) == Some(mark));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !is_marked || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let rest = text.get(19..)?.trim_start_matches(|letter: char| letter == '.' || letter.is_ascii_digit());
    let ahead = match rest.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let at = text.len() - 5;
            let minutes = number(at, at + 2)? * 60 + number(at + 3, at + 5)?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * DAY + hour * 3600 + (minute - ahead) * 60 + second - BEGIN;
    Some(Duration::from_secs(seconds.try_into().unwrap_or(0)))
}

/// So many months later, on the same day of the month; on the days after it where the month is too short.
pub(crate) fn months_later(at: Duration, months: i64) -> Duration {
    let seconds = BEGIN + i64::try_from(at.as_secs()).unwrap_or(i64::MAX / 2);
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let month = month - 1 + months;
    let there = days(year + month.div_euclid(12), month.rem_euclid(12) + 1, day);
    let more = there * DAY + seconds.rem_euclid(DAY) - seconds;
    at + Duration::from_secs(more.try_into().unwrap_or(0))
}

/// A duration as Go reads it: `24h`, `1h30m`, `1.5s`.
///
/// # Source
///
/// Go's `time.ParseDuration`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] =
        [("ms", 1e-3), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest[end..].starts_with(unit))?;
        seconds += number * factor;
        rest = &rest[end + unit.len()..];
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

/// The number of a day, counted from 1970.
///
/// Years begin in March here, so that the leap day is the last one of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Year, month and day of a day counted from 1970.
fn date(number: i64) -> (i64, i64, i64) {
    let mut year = (number + 719_468).div_euclid(366);
    while days(year + 1, 3, 1) <= number {
        year += 1;
    }
    let left = number - days(year, 3, 1);
    let month = (left * 5 + 2) / 153;
    let day = left - (month * 153 + 2) / 5 + 1;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_as_a_date_and_read_again() {
        for (seconds, expected) in [
            (0, "2024-05-01T10:00:00Z"),
            (50_399, "2024-05-01T23:59:59Z"),
            (50_400, "2024-05-02T00:00:00Z"),
            (304 * 86_400, "2025-03-01T10:00:00Z"),
            (303 * 86_400, "2025-02-28T10:00:00Z"),
            (1399 * 86_400, "2028-02-29T10:00:00Z"),
        ] {
            let at = Duration::from_secs(seconds);
            assert_eq!((shown(at).as_str(), read(expected)), (expected, Some(at)));
        }
        assert_eq!(read("2024-05-01T12:30:00.25+02:00"), Some(Duration::from_mins(30)));
        assert_eq!(read("2020-01-01T00:00:00Z"), Some(Duration::ZERO));
        for text in
            ["", "24h", "2024-05-01", "2024-13-01T00:00:00Z", "2024-05-01T00:00:00", "2024-05-01T00:0x:00Z"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn months_differ_in_length() {
        let shown_after = |from: &str, months| shown(months_later(read(from).expect("a date"), months));
        assert_eq!(shown_after("2024-05-31T10:00:00Z", 1), "2024-07-01T10:00:00Z");
        assert_eq!(shown_after("2024-12-01T10:00:00Z", 3), "2025-03-01T10:00:00Z");
        assert_eq!(shown_after("2024-06-15T23:00:00Z", 12), "2025-06-15T23:00:00Z");
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, expected) in [
            ("24h", Some(Duration::from_hours(24))),
            ("1h30m", Some(Duration::from_mins(90))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("300ms", Some(Duration::from_millis(300))),
            ("1", None),
            ("h", None),
            ("-1h", None),
            ("1d", None),
            ("", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}
