//! Paths of variables, and the names of configs and waiters.

use std::fmt;

/// How long a segment of a path may be.
pub const SEGMENT_BYTES_MAX: usize = 64;
/// How long a path may be, without its outer slashes.
pub const PATH_BYTES_MAX: usize = 255;
/// How many segments a path may have: more do not fit into one transaction of etcd.
pub const PATH_SEGMENTS_MAX: usize = 120;
/// How long the name of a config or a waiter may be.
pub const CONFIG_BYTES_MAX: usize = 63;

/// Why a text is no path, or no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Nothing but slashes, or nothing at all.
    #[error("path `{text}` is empty, expected at least one segment, for example `/ready`")]
    Empty {
        /// What was found.
        text: String,
    },
    /// A segment has other characters, or is too long.
    #[error(
        "segment `{segment}` is not valid, expected 1 to {SEGMENT_BYTES_MAX} letters, digits, `-`, `_` and `.`, \
         with a letter or digit first and no `-` last"
    )]
    Segment {
        /// What was found.
        segment: String,
    },
    /// The path is too long.
    #[error("path of {bytes} bytes is too long, expected at most {PATH_BYTES_MAX}")]
    Long {
        /// How long it is.
        bytes: usize,
    },
    /// The path has too many segments.
    #[error("path of {segments} segments is too deep, expected at most {PATH_SEGMENTS_MAX}")]
    Deep {
        /// How many it has.
        segments: usize,
    },
    /// The name is too long, or no segment.
    #[error("name `{text}` is not valid, expected 1 to {CONFIG_BYTES_MAX} letters, digits, `-`, `_` and `.`")]
    Name {
        /// What was found.
        text: String,
    },
}

/// Whether `text` may be one segment of a path: letters, digits, `-`, `_`, `.`; a letter or digit first, and
/// no `-` last.
pub fn is_segment(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= SEGMENT_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(|last| *last != b'-')
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// A path in a tree of variables, for example `ready/web-0`; or the root, above all of them.
///
/// # Invariants
///
/// Segments that are valid, joined by single slashes, none at the ends; empty for the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariablePath(String);

impl VariablePath {
    /// The root: the whole tree.
    pub const ROOT: Self = Self(String::new());

    /// Parses a path; slashes at its ends, and repeated ones, do not matter.  `/` is the root.
    ///
    /// ```
    /// use charms_reactive_core::waiter::VariablePath;
    ///
    /// let path = VariablePath::parse("//ready/web-0/").expect("a path");
    /// assert_eq!(path.as_str(), "ready/web-0");
    /// assert!(VariablePath::parse("/").expect("the root").is_root());
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut path = String::with_capacity(text.len().min(PATH_BYTES_MAX));
        let mut count = 0;
        for segment in text.split('/').filter(|segment| !segment.is_empty()) {
            if !is_segment(segment) {
                let segment = segment.chars().take(SEGMENT_BYTES_MAX + 1).collect();
                return Err(PathError::Segment { segment });
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(segment);
            count += 1;
        }
        match (path.len(), count) {
            (0, _) if text.is_empty() => Err(PathError::Empty { text: String::new() }),
            (bytes, _) if bytes > PATH_BYTES_MAX => Err(PathError::Long { bytes }),
            (_, segments) if segments > PATH_SEGMENTS_MAX => Err(PathError::Deep { segments }),
            _ => Ok(Self(path)),
        }
    }

    /// Parses the path of a variable: not the root.
    pub fn parse_variable(text: &str) -> Result<Self, PathError> {
        match Self::parse(text) {
            Ok(path) if path.is_root() => Err(PathError::Empty { text: text.chars().take(80).collect() }),
            other => other,
        }
    }

    /// The path as text, without slashes at its ends.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Its segments; none for the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// Whether `other` is this path, or below it; whole segments count.
    pub fn covers(&self, other: &Self) -> bool {
        let Some(rest) = other.0.strip_prefix(&self.0) else { return false };
        self.is_root() || rest.is_empty() || rest.starts_with('/')
    }

    /// The path one segment below.
    pub fn child(&self, segment: &str) -> Result<Self, PathError> {
        Self::parse(&format!("{}/{segment}", self.0))
    }
}

impl fmt::Display for VariablePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

/// The name of a waiter, or of a config.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterName(String);

impl WaiterName {
    /// Parses one segment of at most [`CONFIG_BYTES_MAX`] bytes.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if is_segment(text) && text.len() <= CONFIG_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        Err(PathError::Name { text: text.chars().take(CONFIG_BYTES_MAX + 1).collect() })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for WaiterName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WaiterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VariablePath {
        VariablePath::parse(text).expect("a path")
    }

    #[test]
    fn slashes_at_the_ends_and_repeated_ones_do_not_matter() {
        for text in ["foo/b", "/foo/b", "foo/b/", "//foo///b//"] {
            assert_eq!(path(text).as_str(), "foo/b", "`{text}`");
        }
        assert!(path("/").is_root());
        assert!(path("//").is_root());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = "a".repeat(65);
        for segment in ["-a", "a-", "_a", ".", "..", ".a", "a b", "a%", "é", "a:b", long.as_str()] {
            assert!(
                matches!(VariablePath::parse(&format!("x/{segment}")), Err(PathError::Segment { .. })),
                "`{segment}`"
            );
        }
        assert_eq!(VariablePath::parse(""), Err(PathError::Empty { text: String::new() }));
        assert!(VariablePath::parse_variable("//").is_err());
        let fits = format!("{}/{}", vec!["a".repeat(63); 3].join("/"), "b".repeat(63));
        assert_eq!(fits.len(), PATH_BYTES_MAX);
        assert!(VariablePath::parse(&fits).is_ok());
        assert_eq!(VariablePath::parse(&format!("{fits}b")), Err(PathError::Long { bytes: 256 }));
        let deep = ["a"; 121].join("/");
        assert_eq!(VariablePath::parse(&deep), Err(PathError::Deep { segments: 121 }));
    }

    #[test]
    fn segments_of_one_character_and_with_inner_marks_are_fine() {
        for text in ["a", "0", "A.b_c-d", "a_", "a.", "status/success/n-1"] {
            assert!(VariablePath::parse(text).is_ok(), "`{text}`");
        }
    }

    #[test]
    fn a_path_covers_whole_segments() {
        assert!(path("foo").covers(&path("foo")));
        assert!(path("foo").covers(&path("foo/b/c")));
        assert!(!path("foo").covers(&path("foobar/x")));
        assert!(!path("foo").covers(&path("foo-1")));
        assert!(!path("foo/b").covers(&path("foo")));
        assert!(VariablePath::ROOT.covers(&path("foo")));
    }

    #[test]
    fn a_name_is_one_segment_of_63_bytes() {
        assert!(WaiterName::parse("c2d-sql-01_waiter").is_ok());
        assert!(WaiterName::parse(&"a".repeat(63)).is_ok());
        for text in ["", "a/b", "-a", "a-", &"a".repeat(64)] {
            assert!(WaiterName::parse(text).is_err(), "`{text}`");
        }
    }
}
