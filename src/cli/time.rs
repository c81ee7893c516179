//! Times as people type them, and how long to wait between two questions.

use std::time::Duration;

use charms_reactive_core::waiter::Moment;

/// What a time looks like.
const FORM: &str = "expected a time like `90s`, `1.5s`, `15m` or `1h30m`";

/// The bounds of gcloud for waits.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_hours(12);
/// gcloud's for watches: no answer takes longer.
const WATCH_MAX: Duration = Duration::from_mins(1);

/// The pause between two questions grows to this, which is gcloud's.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// A time of at least a second and at most twelve hours: `90s`, `1.5s`, `15m`, `1h30m`, `90`.
pub(crate) fn parse_wait(text: &str) -> Result<Duration, String> {
    bounded(text, WAIT_MAX, "12h")
}

/// A time of at least a second and at most a minute.
pub(crate) fn parse_watch(text: &str) -> Result<Duration, String> {
    bounded(text, WATCH_MAX, "60s")
}

/// A time of any length: `0`, `90s`, `2d`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    parse(text).ok_or_else(|| FORM.to_owned())
}

/// A moment: RFC 3339.
pub(crate) fn parse_moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text).map_err(|error| error.to_string())
}

fn bounded(text: &str, max: Duration, max_text: &str) -> Result<Duration, String> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let time = parse(digits).ok_or(FORM)?;
    if is_negative || time < WAIT_MIN {
        return Err("expected at least 1s".to_owned());
    }
    if time > max { Err(format!("expected at most {max_text}")) } else { Ok(time) }
}

fn parse(text: &str) -> Option<Duration> {
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| letter != '.' && !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let unit_end = behind.find(|letter: char| letter.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let seconds: u128 = match unit {
            "s" => 1,
            // A number alone is seconds.
            "" if rest == text && behind.is_empty() => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return None,
        };
        total = total.checked_add(nanoseconds(number)?.checked_mul(seconds)?)?;
        rest = behind;
    }
    if text.is_empty() { None } else { Some(Duration::from_nanos(u64::try_from(total).unwrap_or(u64::MAX))) }
}

/// `1.5` in nanoseconds; digits beyond those are cut.
fn nanoseconds(number: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let padded: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    whole.parse::<u128>().ok()?.checked_mul(1_000_000_000)?.checked_add(padded.parse().ok()?)
}

/// Pauses that begin short, so that what is quick is quick, and grow to gcloud's five seconds.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(PAUSE_MIN)
    }

    /// The next pause, no longer than `left`.
    pub(crate) fn next(&mut self, left: Duration) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(PAUSE_MAX);
        pause.min(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_gcloud_reads_them() {
        for (text, milliseconds) in [
            ("360s", 360_000),
            ("360", 360_000),
            ("1.5s", 1_500),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("12h", 43_200_000),
            ("1.0000000001s", 1_000),
        ] {
            assert_eq!(parse_wait(text), Ok(Duration::from_millis(milliseconds)), "`{text}`");
        }
        for text in ["-1s", "0", "0s", "0.0000000001s", "0.999s"] {
            assert_eq!(parse_wait(text), Err("expected at least 1s".to_owned()), "`{text}`");
        }
        for text in ["43201s", "12h1s", "1d", "99999999999999999s"] {
            assert_eq!(parse_wait(text), Err("expected at most 12h".to_owned()), "`{text}`");
        }
        let form = "expected a time like `90s`, `1.5s`, `15m` or `1h30m`";
        for text in [
            "",
            "s",
            "1.s",
            ".5s",
            "+5s",
            "1e3s",
            " 5s",
            "5S",
            "1h30",
            "1x",
            "-",
            "--1s",
            "1..5s",
            "9".repeat(60).as_str(),
        ] {
            assert_eq!(parse_wait(text), Err(form.to_owned()), "`{text}`");
        }
        assert_eq!(parse_watch("61s"), Err("expected at most 60s".to_owned()));
    }

    #[test]
    fn pauses_grow_to_gclouds() {
        let mut pauses = Pauses::new();
        let long = Duration::from_hours(1);
        let taken: Vec<u128> = (0..9).map(|_| pauses.next(long).as_millis()).collect();
        assert_eq!(taken, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pauses.next(Duration::from_secs(1)), Duration::from_secs(1));
    }
}
