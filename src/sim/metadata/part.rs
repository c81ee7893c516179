//! What a charm asks its unit to have: storage and resources.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::CharmError;

/// What a storage instance is to the charm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StorageKind {
    /// A mounted folder.
    Filesystem,
    /// A raw device.
    Block,
}

impl StorageKind {
    /// The word in `metadata.yaml` and in `JUJU_STORAGE_KIND`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Filesystem => "filesystem",
            Self::Block => "block",
        }
    }
}

/// A storage of a charm.
///
/// # Invariants
///
/// `least <= most`, where there is a most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StorageSpec {
    pub(crate) kind: StorageKind,
    /// How many instances a unit has at least.
    pub(crate) least: u32,
    /// How many it has at most; any number without.
    pub(crate) most: Option<u32>,
}

impl StorageSpec {
    /// What keeps a unit from having `count` instances of this storage.
    ///
    /// # Source
    ///
    /// `juju/juju:state/storage.go`, `validateCharmStorageCount`.
    pub(crate) fn refusal(&self, count: u32) -> Option<String> {
        if (self.least, self.most) == (1, Some(1)) && count != 1 {
            Some(format!("storage is singular, {count} specified"))
        } else if count < self.least {
            Some(format!("{} instances required, {count} specified", self.least))
        } else {
            let most = self.most.filter(|most| count > *most)?;
            Some(format!("at most {most} instances supported, {count} specified"))
        }
    }
}

/// What a resource of a charm is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    /// A file, kept under this name.
    File { filename: String },
    /// A container image; the charm gets a YAML file that tells where it is.
    Image,
}

/// A resource of a charm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceSpec {
    pub(crate) kind: ResourceKind,
}

impl ResourceSpec {
    /// The name of the file that `resource-get` gives.
    ///
    /// # Source
    ///
    /// `juju/juju:internal/charm/resource/meta.go`, and `content.yaml` for images.
    pub(crate) fn filename(&self) -> &str {
        match &self.kind {
            ResourceKind::File { filename } => filename,
            ResourceKind::Image => "content.yaml",
        }
    }
}

#[derive(Deserialize)]
pub(super) struct StorageFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    shared: bool,
    multiple: Option<RangeFile>,
    location: Option<String>,
}

#[derive(Deserialize)]
struct RangeFile {
    range: Value,
}

#[derive(Deserialize)]
pub(super) struct ResourceFile {
    #[serde(rename = "type")]
    kind: String,
    filename: Option<String>,
}

/// # Source
///
/// `juju/juju:internal/charm/meta.go`, `parseStorage`; `juju/juju:state/storage.go` for `shared`.
pub(super) fn storage(
    file: Option<IndexMap<String, StorageFile>>,
) -> Result<BTreeMap<String, StorageSpec>, CharmError> {
    let read = |(name, storage): (String, StorageFile)| {
        let wrong = |part: &str, reason: String| {
            Err(CharmError::Part { part: format!("storage.{name}.{part}"), reason })
        };
        let kind = match storage.kind.as_str() {
            "filesystem" => StorageKind::Filesystem,
            "block" => StorageKind::Block,
            other => return wrong("type", format!("unexpected value \"{other}\"")),
        };
        if storage.location.is_some() && kind == StorageKind::Block {
            return wrong("location", "may not be specified for \"type: block\"".to_owned());
        }
        if storage.shared {
            return wrong("shared", "shared storage support not implemented".to_owned());
        }
        let (least, most) = match storage.multiple {
            None => (1, Some(1)),
            Some(RangeFile { range }) => {
                let text = range.as_str().map_or_else(|| range.to_string(), str::to_owned);
                let Some(range) = parse_range(&text) else {
                    let reason = format!("value \"{text}\" does not match 'm', 'm-n', or 'm+'");
                    return wrong("multiple.range", reason);
                };
                range
            }
        };
        Ok((name, StorageSpec { kind, least, most }))
    };
    file.unwrap_or_default().into_iter().map(read).collect()
}

/// Reads `m`, `m-n`, `m+` or `m-`: least and most.
fn parse_range(text: &str) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    if let Some(least) = text.strip_suffix(['+', '-']) {
        return Some((number(least)?, None));
    }
    match text.split_once('-') {
        None => number(text).map(|exact| (exact, Some(exact))),
        Some((least, most)) => {
            let (least, most) = (number(least)?, number(most)?);
            (least <= most).then_some((least, Some(most)))
        }
    }
}

/// # Source
///
/// `juju/juju:internal/charm/resource/meta.go`, `Validate`.
pub(super) fn resources(
    file: Option<IndexMap<String, ResourceFile>>,
) -> Result<BTreeMap<String, ResourceSpec>, CharmError> {
    let read = |(name, resource): (String, ResourceFile)| {
        let wrong = |part: &str, reason: String| {
            Err(CharmError::Part { part: format!("resources.{name}.{part}"), reason })
        };
        let kind = match (resource.kind.as_str(), resource.filename) {
            ("file", Some(filename)) if filename.contains('/') => {
                return wrong("filename", format!("filename cannot contain \"/\" (got {filename:?})"));
            }
            ("file", Some(filename)) if !filename.is_empty() => ResourceKind::File { filename },
            ("file", _) => return wrong("filename", "resource missing filename".to_owned()),
            ("oci-image", _) => ResourceKind::Image,
            (other, _) => return wrong("type", format!("unsupported resource type \"{other}\"")),
        };
        Ok((name, ResourceSpec { kind }))
    };
    file.unwrap_or_default().into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_says_how_many_at_least_and_at_most() {
        for (text, expected) in [
            ("2", Some((2, Some(2)))),
            ("0-3", Some((0, Some(3)))),
            ("1+", Some((1, None))),
            ("1-", Some((1, None))),
            ("3-1", None),
            ("-1", None),
            ("+", None),
            ("", None),
            ("1-2-3", None),
        ] {
            assert_eq!(parse_range(text), expected, "`{text}`");
        }
    }

    #[test]
    fn a_count_outside_the_range_is_refused_in_the_words_of_juju() {
        let spec = |least, most| StorageSpec { kind: StorageKind::Filesystem, least, most };
        let check = |spec: StorageSpec, count, expected: &str| {
            assert_eq!(spec.refusal(count).unwrap_or_default(), expected, "{count}");
        };
        check(spec(1, Some(1)), 1, "");
        check(spec(1, Some(1)), 0, "storage is singular, 0 specified");
        check(spec(2, None), 1, "2 instances required, 1 specified");
        check(spec(0, Some(3)), 4, "at most 3 instances supported, 4 specified");
        check(spec(0, None), 40, "");
    }
}
