//! Queries, and text that is percent-encoded.

use super::error::ApiError;
use super::mask::Mask;

/// The longest page, and the one that comes when none is asked for.
const PAGE_MAX: usize = 1000;

/// How long a request id may be.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// How an answer is to be written.
#[derive(Clone, Debug)]
pub struct Presentation {
    /// Over several lines.
    pub is_pretty: bool,
    /// Errors in the old format, too.
    pub has_errors: bool,
    /// Which fields; all without.
    pub(super) mask: Option<Mask>,
}

impl Default for Presentation {
    fn default() -> Self {
        Self { is_pretty: true, has_errors: true, mask: None }
    }
}

impl Presentation {
    /// The fields of `value` that were asked for.
    pub fn masked(&self, value: serde_json::Value) -> serde_json::Value {
        match &self.mask {
            Some(mask) => mask.apply(value),
            None => value,
        }
    }
}

/// The parameters of a query that mean something.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let read = |text: &str| {
                decoded(&text.replace('+', " "))
                    .ok_or_else(|| ApiError::invalid("query", "not percent-encoded UTF-8"))
            };
            pairs.push((read(name)?, read(value)?));
        }
        Ok(Self { pairs })
    }

    /// The last value of a parameter; an empty one is none.
    fn value(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().rev().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    pub(super) fn truth(&self, name: &str) -> Result<bool, ApiError> {
        match self.value(name) {
            None | Some("false" | "False") => Ok(false),
            Some("true" | "True") => Ok(true),
            Some(other) => Err(ApiError::mistyped(name, "TYPE_BOOL", &other.into())),
        }
    }

    pub(super) fn page_size(&self) -> Result<usize, ApiError> {
        let Some(text) = self.value("pageSize") else { return Ok(PAGE_MAX) };
        let number: i32 =
            text.parse().map_err(|_| ApiError::mistyped("page_size", "TYPE_INT32", &text.into()))?;
        match usize::try_from(number) {
            Ok(0) => Ok(PAGE_MAX),
            Ok(number) => Ok(number.min(PAGE_MAX)),
            Err(_) => Err(ApiError::invalid("page_size", "must not be negative")),
        }
    }

    pub(super) fn request_id(&self) -> Result<Option<String>, ApiError> {
        match self.text("requestId") {
            Some(id) if id.len() > REQUEST_ID_BYTES_MAX => {
                Err(ApiError::invalid("request_id", format!("longer than {REQUEST_ID_BYTES_MAX} characters")))
            }
            id => Ok(id),
        }
    }

    pub(super) fn presentation(&self) -> Result<Presentation, ApiError> {
        if let Some(alt) = self.value("alt").filter(|alt| *alt != "json") {
            return Err(ApiError::invalid("alt", format!("`{alt}` is not offered, expected `json`")));
        }
        Ok(Presentation {
            is_pretty: !matches!(self.value("prettyPrint"), Some("false" | "False" | "0")),
            has_errors: self.value("$.xgafv") != Some("2"),
            mask: self.value("fields").map(Mask::parse).transpose()?,
        })
    }
}

/// The text behind percent signs; None where that is no text.
pub(super) fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let digits = behind.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_in_any_order_and_unknown_ones_are_ignored() {
        let query = Query::parse("alt=json&returnValues=True&x=y&pageToken=a+b%2Fc%2B%3D&pageSize=7&")
            .expect("a query");
        assert_eq!(query.truth("returnValues"), Ok(true));
        assert_eq!(query.truth("recursive"), Ok(false));
        assert_eq!(query.text("pageToken").as_deref(), Some("a b/c+="));
        assert_eq!(query.page_size(), Ok(7));
        assert!(Query::parse("returnValues=yes").expect("a query").truth("returnValues").is_err());
    }

    #[test]
    fn pages_are_bounded() {
        let size = |text: &str| Query::parse(text).expect("a query").page_size();
        assert_eq!((size(""), size("pageSize=0"), size("pageSize=100000")), (Ok(1000), Ok(1000), Ok(1000)));
        assert!(size("pageSize=-1").is_err() && size("pageSize=x").is_err());
    }

    #[test]
    fn text_is_decoded_once() {
        assert_eq!(decoded("a%2520b").as_deref(), Some("a%20b"));
        assert_eq!(decoded("a+b%C3%BC").as_deref(), Some("a+bü"));
        for wrong in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decoded(wrong), None, "`{wrong}`");
        }
    }
}
