//! Moments: points in time to the nanosecond, as RFC 3339 writes them.

use std::fmt;
use std::time::Duration;

use super::span::{fraction_text, nanoseconds};

/// Why a text is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time `{text}` is not valid, expected RFC 3339, for example `2016-04-12T18:02:13.316695490Z`")]
pub struct MomentError {
    /// What was found.
    pub text: String,
}

const SECOND: i128 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
/// From the beginning of the year 1.
const DAYS_TO_1970: i64 = 719_162;

/// A point in time, to the nanosecond, between the years 1 and 9999.
///
/// # Shape
///
/// As text RFC 3339 in UTC with `Z`, and 0, 3, 6 or 9 digits behind the point; read with any offset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(i128);

impl Moment {
    /// The first moment: `0001-01-01T00:00:00Z`.
    pub const MIN: Self = Self(-62_135_596_800 * SECOND);
    /// The last moment: `9999-12-31T23:59:59.999999999Z`.
    pub const MAX: Self = Self(253_402_300_800 * SECOND - 1);

    /// So long after the beginning of 1970, UTC.
    pub fn from_unix(since: Duration) -> Self {
        Self(i128::try_from(since.as_nanos()).unwrap_or(i128::MAX).min(Self::MAX.0))
    }

    /// Nanoseconds since the beginning of 1970, UTC; negative before.
    pub fn nanoseconds(self) -> i128 {
        self.0
    }

    /// The moment so many nanoseconds after the beginning of 1970; None beyond the years 1 and 9999.
    pub fn from_nanoseconds(nanoseconds: i128) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&nanoseconds).then_some(Self(nanoseconds))
    }

    /// `span` later; None beyond [`Moment::MAX`].
    pub fn checked_after(self, span: Duration) -> Option<Self> {
        Self::from_nanoseconds(self.0.checked_add(i128::try_from(span.as_nanos()).ok()?)?)
    }

    /// `span` later, at most [`Moment::MAX`].
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        self.checked_after(span).unwrap_or(Self::MAX)
    }

    /// The next nanosecond, at most [`Moment::MAX`].
    #[must_use]
    pub fn next(self) -> Self {
        Self((self.0 + 1).min(Self::MAX.0))
    }

    /// How long it is from `earlier` until this; none when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        let span = u128::try_from(self.0 - earlier.0).unwrap_or(0);
        let seconds = u64::try_from(span / 1_000_000_000).expect("less than ten thousand years");
        Duration::new(seconds, u32::try_from(span % 1_000_000_000).expect("less than a second"))
    }

    /// Parses RFC 3339 with `Z` or an offset, and up to nine digits behind the point.
    pub fn parse(text: &str) -> Result<Self, MomentError> {
        read(text).ok_or_else(|| MomentError { text: text.chars().take(80).collect() })
    }
}

fn read(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = &text[from..to];
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let is_mark = |at: usize, marks: &[u8]| marks.contains(&bytes[at]);
    let is_marked = is_mark(4, b"-") && is_mark(7, b"-") && is_mark(10, b"Tt") && is_mark(13, b":");
    if !is_marked || !is_mark(16, b":") {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_date = year >= 1 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = &text[19..];
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.bytes().position(|byte| !byte.is_ascii_digit())?;
            (nanoseconds(&rest[..end])?, &rest[end..])
        }
        None => (0, rest),
    };
    let offset = offset_seconds(zone)?;
    let seconds = days_before(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
    Moment::from_nanoseconds(i128::from(seconds) * SECOND + i128::from(fraction))
}

/// The seconds that a zone is ahead of UTC: `Z`, `+01:00`.
fn offset_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |digits: &str, max: i64| -> Option<i64> {
        let is_two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_two.then(|| digits.parse().ok())?.filter(|number| *number <= max)
    };
    Some(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// How many days lie between the beginning of 1970 and a date.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let earlier = year - 1;
    let leap_days = earlier / 4 - earlier / 100 + earlier / 400;
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    earlier * 365 + leap_days + months + day - 1 - DAYS_TO_1970
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.div_euclid(SECOND)).expect("within the years 1 to 9999");
        let nanoseconds = u32::try_from(self.0.rem_euclid(SECOND)).expect("less than a second");
        let (mut days, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        // Years of 365 days are too short, so this is not before the year that is looked for.
        let mut year = 1 + (days + DAYS_TO_1970) / 365;
        while days_before(year, 1, 1) > days {
            year -= 1;
        }
        days -= days_before(year, 1, 1);
        let mut month = 1;
        while days >= days_of(year, month) {
            days -= days_of(year, month);
            month += 1;
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let fraction = fraction_text(nanoseconds);
        write!(f, "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z", days + 1)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_printed_as_they_were_read() {
        for text in [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999999Z",
            "1970-01-01T00:00:00Z",
            "2000-02-29T12:00:00.500Z",
            "2016-04-12T18:02:13.316695490Z",
            "2100-02-28T23:59:59.000001Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            assert_eq!(Moment::parse(text).map(|moment| moment.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Moment::parse("0001-01-01T00:00:00Z"), Ok(Moment::MIN));
        assert_eq!(Moment::parse("9999-12-31T23:59:59.999999999Z"), Ok(Moment::MAX));
    }

    #[test]
    fn every_day_of_four_centuries_reads_back() {
        let day = Duration::from_hours(24);
        let mut moment = Moment::parse("1899-12-31T07:08:09Z").expect("a moment");
        for _ in 0..146_100 {
            let next = moment.after(day);
            assert_eq!(Moment::parse(&next.to_string()), Ok(next));
            assert!(next.to_string() > moment.to_string(), "{next}");
            moment = next;
        }
        assert_eq!(moment.to_string(), "2300-01-03T07:08:09Z");
    }

    #[test]
    fn known_moments_are_where_they_are() {
        // Left: as `date -u -d TEXT +%s` of GNU gives it.
        for (seconds, text) in [
            (1_460_484_133_i128, "2016-04-12T18:02:13Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Moment::parse(text).map(Moment::nanoseconds), Ok(seconds * SECOND), "{text}");
        }
    }

    #[test]
    fn offsets_and_short_fractions_are_read() {
        let expected = Moment::parse("2016-04-12T18:02:13.500Z");
        for text in
            ["2016-04-12T20:02:13.5+02:00", "2016-04-12t12:32:13.500000000-05:30", "2016-04-12T18:02:13.50z"]
        {
            assert_eq!(Moment::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "2016-04-12",
            "2016-04-12T18:02:13",
            "2016-04-12 18:02:13Z",
            "2016-13-12T18:02:13Z",
            "2016-02-30T18:02:13Z",
            "2015-02-29T18:02:13Z",
            "2016-04-12T24:00:00Z",
            "2016-04-12T18:02:60Z",
            "2016-04-12T18:02:13.Z",
            "2016-04-12T18:02:13.1234567890Z",
            "2016-04-12T18:02:13+2:00",
            "0001-01-01T00:00:00+01:00",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "2016-04-12T18:02:13Zx",
            "２016-04-12T18:02:13Z",
            "+016-04-12T18:02:13Z",
            "2016-04-12T18:02:13.5",
        ] {
            assert_eq!(Moment::parse(text), Err(MomentError { text: text.to_owned() }), "`{text}`");
        }
    }

    #[test]
    fn what_is_beyond_the_end_of_time_is_its_end() {
        assert_eq!(Moment::MAX.after(Duration::from_secs(1)), Moment::MAX);
        assert_eq!(Moment::MAX.checked_after(Duration::from_nanos(1)), None);
        assert_eq!(Moment::MIN.since(Moment::MAX), Duration::ZERO);
        assert_eq!(Moment::MAX.since(Moment::MIN).as_secs(), 315_537_897_599);
    }
}
