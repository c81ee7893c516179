//! Paths and parameters of requests.

use std::fmt::Write as _;

/// A part of a path, or the value of a parameter, with percent signs for all that means something there.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A path with parameters.
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = path.to_owned();
    for (name, value) in parameters {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.extend([name, "=", &encoded(value)]);
    }
    url
}

/// Where operations are.
pub fn operations_path() -> &'static str {
    "/1.0/operations"
}

/// Where one operation is; its own path is taken for its id.
pub fn operation_path(id: &str) -> String {
    let is_path = id.strip_prefix(operations_path()).is_some_and(|rest| rest.starts_with('/'));
    format!("{}/{}", operations_path(), encoded(if is_path { id_of(id) } else { id }))
}

/// The id at the end of a path of an operation.
pub(crate) fn id_of(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// A URL as it may be shown: without its secrets.
pub(crate) fn redacted(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let shown = |parameter: &str| match parameter.split_once('=') {
        Some((name @ ("secret" | "token" | "password"), _)) => format!("{name}=[redacted]"),
        _ => parameter.to_owned(),
    };
    format!("{path}?{}", query.split('&').map(shown).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_operation_is_encoded() {
        assert_eq!(operation_path("a-1"), "/1.0/operations/a-1");
        assert_eq!(operation_path("/1.0/operations/a-1?project=x"), "/1.0/operations/a-1");
        assert_eq!(operation_path("../a b?c%é"), "/1.0/operations/..%2Fa%20b%3Fc%25%C3%A9");
        assert_eq!(
            with_query("/1.0/events", &[("type", "operation,lifecycle"), ("project", "a&b")]),
            "/1.0/events?type=operation%2Clifecycle&project=a%26b"
        );
        assert_eq!((id_of("/1.0/operations/a?b=/c"), id_of("a"), id_of("")), ("a", "a", ""));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(redacted("/x?a=b&secret=c&d"), "/x?a=b&secret=[redacted]&d");
        assert_eq!(redacted("/x/secret=c"), "/x/secret=c");
    }
}
