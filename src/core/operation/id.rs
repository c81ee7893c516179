//! The name of an operation: a UUID whose order is that of creation.

use std::fmt;

use uuid::{Builder, Uuid};

use crate::waiter::Moment;

/// Why a text names no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "operation id `{text}` is not valid, expected a UUID, for example `019ab5e6-3c1f-7a2b-8c3d-0123456789ab`"
)]
pub struct OperationIdError {
    /// What was found.
    pub text: String,
}

/// The id of an operation, a UUID.
///
/// # Shape
///
/// Version 7: milliseconds, then the fraction of the millisecond in twelve bits, then chance.  So ids that
/// are a microsecond apart sort by age; any other UUID is read, too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(Uuid);

impl OperationId {
    /// The id of an operation that is made now.
    pub fn new(now: Moment, chance: [u8; 8]) -> Self {
        const MILLISECOND: i128 = 1_000_000;
        let nanoseconds = now.nanoseconds().max(0);
        let millis = u64::try_from(nanoseconds / MILLISECOND).expect("before the year 10000");
        let fraction = u16::try_from((nanoseconds % MILLISECOND) * 4096 / MILLISECOND).expect("twelve bits");
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&fraction.to_be_bytes());
        rest[2..].copy_from_slice(&chance);
        Self(Builder::from_unix_timestamp_millis(millis, &rest).into_uuid())
    }

    /// Parses a UUID with hyphens.
    pub fn parse(text: &str) -> Result<Self, OperationIdError> {
        let error = || OperationIdError { text: text.chars().take(80).collect() };
        // The other forms of the crate are no text that we have ever written.
        if text.len() != 36 {
            return Err(error());
        }
        Uuid::try_parse(text).map(Self).map_err(|_| error())
    }

    /// Where it is served: `/1.0/operations/ID`.
    pub fn url(self) -> String {
        format!("/1.0/operations/{self}")
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for OperationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_sort_by_age() {
        let id = |micros, byte| OperationId::new(Moment::from_unix(Duration::from_micros(micros)), [byte; 8]);
        let (first, second, third) =
            (id(1_700_000_000_000_001, 255), id(1_700_000_000_000_002, 0), id(1_700_000_000_001_000, 0));
        assert!(first < second && second < third);
        assert!(first.to_string() < second.to_string() && second.to_string() < third.to_string());
        assert_eq!(first.to_string().as_bytes()[14], b'7', "version 7");
    }

    #[test]
    fn what_is_printed_is_read_and_nothing_else() {
        let id = OperationId::new(Moment::MAX, [7; 8]);
        assert_eq!(OperationId::parse(&id.to_string()), Ok(id));
        assert_eq!(id.url(), format!("/1.0/operations/{id}"));
        let braced = format!("{{{id}}}");
        for text in [
            "",
            "x",
            "019ab5e63c1f7a2b8c3d0123456789ab",
            braced.as_str(),
            "019ab5e6-3c1f-7a2b-8c3d-0123456789ag",
        ] {
            let error = OperationId::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("operation id `{text}` is not valid")), "{error}");
        }
    }
}
