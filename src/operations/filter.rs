//! Lists, and their filters: `status eq Running and kind eq demo`.

use std::collections::BTreeMap;
use std::ops::Bound;

use charms_reactive_core::operation::OperationId;

use crate::operation::Operation;

/// What a list has.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of one project; None: of all.
    pub project: Option<String>,
    /// And only these.
    pub filter: Filter,
    /// Older than this one.
    pub before: Option<OperationId>,
    /// So many at most, the youngest.
    pub limit: Option<usize>,
}

impl Query {
    /// What of all is in the list, without children, by age.
    ///
    /// Operations of the whole server belong to the project `default`.
    pub fn list<'a, T>(
        &self,
        all: &'a BTreeMap<OperationId, T>,
        operation: impl Fn(&'a T) -> &'a Operation,
    ) -> Vec<&'a T> {
        let before = self.before.map_or(Bound::Unbounded, Bound::Excluded);
        let older = all.range((Bound::Unbounded, before)).map(|(_, item)| item).rev();
        let wanted = older.filter(|item| {
            let operation = operation(item);
            let project = operation.record.project.as_deref().unwrap_or("default");
            !operation.is_child()
                && self.project.as_ref().is_none_or(|wanted| wanted == project)
                && self.filter.is_met(operation)
        });
        let mut youngest: Vec<&T> = wanted.take(self.limit.unwrap_or(usize::MAX)).collect();
        youngest.reverse();
        youngest
    }
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter `{text}` is not valid: {reason}")]
pub struct FilterError {
    /// What was found.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Id,
    Class,
    Status,
    Kind,
    Description,
    Project,
}

const FIELDS: [(&str, Field); 6] = [
    ("id", Field::Id),
    ("class", Field::Class),
    ("status", Field::Status),
    ("kind", Field::Kind),
    ("description", Field::Description),
    ("project", Field::Project),
];

/// Which operations a list has: all conditions hold.
///
/// # Shape
///
/// `FIELD eq VALUE`, `FIELD ne VALUE`, joined by `and`; a value with spaces stands in double quotes.
/// Upper and lower case are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<(Field, bool, String)>);

impl Filter {
    /// Parses a filter; an empty one has everything.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let error = |reason: String| FilterError { text: text.chars().take(80).collect(), reason };
        let words = words(text).ok_or_else(|| error("a quote is not closed".to_owned()))?;
        let mut conditions = Vec::new();
        let mut rest = words.as_slice();
        while let [field, operator, value, more @ ..] = rest {
            let field =
                FIELDS.iter().find(|(name, _)| field.eq_ignore_ascii_case(name)).ok_or_else(|| {
                    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                    error(format!("no field `{field}`, expected one of {}", names.join(", ")))
                })?;
            let is_equal = match operator.to_ascii_lowercase().as_str() {
                "eq" => true,
                "ne" => false,
                other => return Err(error(format!("no operator `{other}`, expected `eq` or `ne`"))),
            };
            conditions.push((field.1, is_equal, value.clone()));
            rest = match more {
                [] => return Ok(Self(conditions)),
                [and, more @ ..] if and.eq_ignore_ascii_case("and") && !more.is_empty() => more,
                [other, ..] => return Err(error(format!("expected `and` and a condition at `{other}`"))),
            };
        }
        if words.is_empty() {
            Ok(Self::default())
        } else {
            Err(error("expected `FIELD eq VALUE`".to_owned()))
        }
    }

    /// Whether an operation is in the list.
    pub fn is_met(&self, operation: &Operation) -> bool {
        let record = operation.record();
        self.0.iter().all(|(field, is_equal, value)| {
            let found = match field {
                Field::Id => &record.id.to_string(),
                Field::Class => record.life.class.as_str(),
                Field::Status => record.life.status.as_str(),
                Field::Kind => &record.kind,
                Field::Description => &record.description,
                Field::Project => record.project.as_deref().unwrap_or_default(),
            };
            (found.to_lowercase() == value.to_lowercase()) == *is_equal
        })
    }
}

/// The words of a text; None where a quote is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, more) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = more.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_filter_is_refused_with_the_place() {
        let check = |text: &str, expected: &str| {
            let error = Filter::parse(text).expect_err(text).to_string();
            assert_eq!(error, format!("filter `{text}` is not valid: {expected}"));
        };
        check("status", "expected `FIELD eq VALUE`");
        check("size eq 3", "no field `size`, expected one of id, class, status, kind, description, project");
        check("status like x", "no operator `like`, expected `eq` or `ne`");
        check("status eq x or kind eq y", "expected `and` and a condition at `or`");
        check("status eq x and", "expected `and` and a condition at `and`");
        check("kind eq \"a", "a quote is not closed");
        check("kind eq x; DROP TABLE operation", "expected `and` and a condition at `DROP`");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_its_reader_panic_and_what_is_read_is_all_there(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "id", "status", "Kind", "description", " ", "  ", "\t", "\"", "eq", "NE", "and", "x", "ü", "'; --", "\u{a0}", "\0",
            ]), 0..24),
        ) {
            let text = pieces.concat();
            match Filter::parse(&text) {
                Ok(Filter(conditions)) => {
                    // Written again, it is read as the same.
                    let name = |field| FIELDS.iter().find(|(_, other)| *other == field).map_or("", |(name, _)| name);
                    let again = conditions.iter().map(|(field, is_equal, value)| {
                        format!("{} {} \"{value}\"", name(*field), if *is_equal { "eq" } else { "ne" })
                    });
                    let again = again.collect::<Vec<_>>().join(" and ");
                    // A quote in the middle of a bare word cannot be written in quotes.
                    if conditions.iter().all(|(_, _, value)| !value.contains('"')) {
                        prop_assert_eq!(Filter::parse(&again), Ok(Filter(conditions)));
                    }
                }
                Err(error) => prop_assert!(error.text.len() <= 320, "{error}"),
            }
        }
    }

    #[test]
    fn an_empty_filter_has_everything() {
        assert_eq!(Filter::parse("  "), Ok(Filter::default()));
    }
}
