//! What one value of a job may be, and how the fields of a map are checked.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

use super::place::Place;
use super::problem::{Hint, JobProblem};

/// Checks one value.
pub(super) type Check = fn(&Place<'_>, &Value) -> Result<(), JobProblem>;

/// Fields of a map, and what may stand in each.
pub(super) type Fields = &'static [(&'static str, Check)];

/// Checks that `map` has no field but those of `tables`, and each of its fields.
///
/// A null counts as not given, as it does for Prometheus.  Unknown fields come first: a misspelt
/// name explains the problems that follow from it.  They come in alphabetical order, so that one job
/// always has one message; known fields come in the order of the tables.
pub(super) fn check_fields(
    place: &Place<'_>,
    map: &Map<String, Value>,
    tables: &[Fields],
) -> Result<(), JobProblem> {
    let known = || tables.iter().copied().flatten();
    if let Some(key) = map.keys().filter(|key| !known().any(|(name, _)| name == key)).min() {
        let names = known().map(|(name, _)| *name);
        let hint = most_similar(key, names).map_or(Hint::None, Hint::Similar);
        return Err(JobProblem::Unknown { path: place.key(key).to_string(), hint });
    }
    for (name, check) in known() {
        if let Some(value) = given(map, name) {
            check(&place.key(name), value)?;
        }
    }
    Ok(())
}

/// The value of a field, unless it is null.
pub(super) fn given<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).filter(|value| !value.is_null())
}

/// The text of a field, unless it is null or empty: Prometheus does not tell these apart.
pub(super) fn filled<'a>(map: &'a Map<String, Value>, name: &str) -> Option<Cow<'a, str>> {
    given(map, name).and_then(as_text).filter(|text| !text.is_empty())
}

/// Refuses two filled fields of one map.
pub(super) fn at_most_one(
    place: &Place<'_>,
    map: &Map<String, Value>,
    [one, other]: [&'static str; 2],
) -> Result<(), JobProblem> {
    if filled(map, one).is_some() && filled(map, other).is_some() {
        return Err(JobProblem::conflict(&place.key(one), other));
    }
    Ok(())
}

/// What Prometheus reads where it wants text: numbers and booleans are taken as they are written.
pub(super) fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The map that stands here.
pub(super) fn as_map<'a>(
    place: &Place<'_>,
    value: &'a Value,
    expected: &'static str,
) -> Result<&'a Map<String, Value>, JobProblem> {
    value.as_object().ok_or_else(|| JobProblem::value(place, value, expected))
}

/// The list that stands here.
pub(super) fn as_list<'a>(
    place: &Place<'_>,
    value: &'a Value,
    expected: &'static str,
) -> Result<&'a [Value], JobProblem> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| JobProblem::value(place, value, expected))
}

/// A whole number that is not negative, also when it is written as `1e3`.
pub(super) fn as_count(value: &Value) -> Option<u64> {
    /// Above it, a floating point number stands for several whole ones.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
        (0.0..=EXACT_MAX).contains(&number).then_some(number as u64)
    })
}

/// The duration that stands here.
pub(super) fn as_duration(value: &Value) -> Option<Duration> {
    as_text(value).and_then(|text| super::duration::parse(&text))
}

/// Accepts anything.
#[expect(clippy::unnecessary_wraps, reason = "it stands in tables of checks")]
pub(super) fn anything(_: &Place<'_>, _: &Value) -> Result<(), JobProblem> {
    Ok(())
}

/// A text.
pub(super) fn text(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    accept(as_text(value).is_some(), place, value, "a text")
}

/// A boolean, not a text like `yes`.
pub(super) fn boolean(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    accept(value.is_boolean(), place, value, "`true` or `false`, without quotes")
}

/// A whole number that is not negative.
pub(super) fn count(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    accept(as_count(value).is_some(), place, value, "a whole number, without quotes")
}

/// A number.
pub(super) fn number(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    accept(value.is_number(), place, value, "a number, without quotes")
}

/// A duration.
pub(super) fn duration(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    accept(as_duration(value).is_some(), place, value, "a number and a unit, for example `30s`")
}

/// One of a few words.
pub(super) fn one_of(
    place: &Place<'_>,
    value: &Value,
    words: &[&str],
    expected: &'static str,
) -> Result<(), JobProblem> {
    accept(as_text(value).is_some_and(|text| words.contains(&&*text)), place, value, expected)
}

/// A list of texts.
pub(super) fn texts(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    items(place, value, "a list of texts", text)
}

/// A map of texts.
pub(super) fn text_map(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    members(place, value, "a map of texts", text)
}

/// A map of lists of texts.
pub(super) fn texts_map(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    members(place, value, "a map of lists of texts", texts)
}

/// A map of anything.
pub(super) fn map(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    accept(value.is_object(), place, value, "a map")
}

/// A list with `check` on each item.
pub(super) fn items(
    place: &Place<'_>,
    value: &Value,
    expected: &'static str,
    check: impl Fn(&Place<'_>, &Value) -> Result<(), JobProblem>,
) -> Result<(), JobProblem> {
    let list = as_list(place, value, expected)?;
    list.iter().enumerate().try_for_each(|(index, item)| check(&place.item(index), item))
}

/// A map with `check` on each value that is not null, in alphabetical order.
pub(super) fn members(
    place: &Place<'_>,
    value: &Value,
    expected: &'static str,
    check: impl Fn(&Place<'_>, &Value) -> Result<(), JobProblem>,
) -> Result<(), JobProblem> {
    sorted(as_map(place, value, expected)?)
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .try_for_each(|(key, value)| check(&place.key(key), value))
}

/// The members of a map in alphabetical order, however the map keeps them.
pub(super) fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = map.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    members
}

/// A problem unless `is_right`.
pub(super) fn accept(
    is_right: bool,
    place: &Place<'_>,
    value: &Value,
    expected: &'static str,
) -> Result<(), JobProblem> {
    if is_right { Ok(()) } else { Err(JobProblem::value(place, value, expected)) }
}

/// The name that `key` is most likely a misspelling of.
pub(super) fn most_similar(key: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let key = key.to_ascii_lowercase().replace(['-', ' '], "_");
    // A third of the letters may be wrong, three at most; the first of equally similar names wins.
    let most = (key.len() / 3).min(3);
    names
        .map(|name| (distance(&key, name, most), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, left out or replaced to make one name of the other.
///
/// Where the lengths tell that it is more than `most`, it is not counted.
fn distance(one: &str, other: &str, most: usize) -> usize {
    if one.len().abs_diff(other.len()) > most {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (left, candidate) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != candidate);
            diagonal = row[left + 1];
            row[left + 1] = replaced.min(diagonal + 1).min(row[left] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised() {
        let names = ["scrape_interval", "scrape_timeout", "scheme", "params"];
        for (key, expected) in [
            ("scrap_interval", Some("scrape_interval")),
            ("scrape-interval", Some("scrape_interval")),
            ("Scrape_Timeout", Some("scrape_timeout")),
            ("schema", Some("scheme")),
            ("param", Some("params")),
            ("x", None),
            ("", None),
            ("something_else", None),
        ] {
            assert_eq!(most_similar(key, names.into_iter()), expected, "`{key}`");
        }
    }

    #[test]
    fn a_count_is_whole_and_not_negative() {
        let count = |text: &str| as_count(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(count("0"), Some(0));
        assert_eq!(count("18446744073709551615"), Some(u64::MAX));
        assert_eq!(count("1e3"), Some(1000));
        for text in ["-1", "1.5", "1e300", "\"1\"", "true", "null", "[1]"] {
            assert_eq!(count(text), None, "`{text}`");
        }
    }
}
