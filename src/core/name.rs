//! What things are called in a model: units, applications, endpoints, relations.
//!
//! Every id is a type of its own, so that no call can be made with two of them swapped.

use std::fmt;
use std::str::FromStr;

/// Why a text is not the name it was taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not `application/number`.
    #[error("unit name `{text}` has no number, expected `application/number`, for example `web/0`")]
    Unit {
        /// What was found.
        text: String,
    },
    /// Not an application's name.
    #[error("application name `{text}` is not valid, expected letters, digits and dashes, for example `web`")]
    Application {
        /// What was found.
        text: String,
    },
    /// Not an endpoint's name.
    #[error(
        "endpoint name `{text}` is not valid, expected letters, digits, dashes and underscores, for example `database`"
    )]
    Endpoint {
        /// What was found.
        text: String,
    },
    /// Not `endpoint:number`.
    #[error("relation id `{text}` is not valid, expected `endpoint:number`, for example `database:3`")]
    Relation {
        /// What was found.
        text: String,
    },
}

/// The name of an application, for example `web`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationName(String);

impl ApplicationName {
    /// Parses letters, digits and dashes; the first character is a letter.
    ///
    /// # Source
    ///
    /// Juju's names package; across models an offer's remote side is `remote-<32 hex>`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut bytes = text.bytes();
        let valid = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(NameError::Application { text: text.to_owned() }) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a unit, for example `web/0`.
///
/// Units are ordered by application, then by number: `web/2` comes before `web/10`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitName {
    application: ApplicationName,
    number: u32,
}

impl UnitName {
    /// Parses `application/number`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::Unit { text: text.to_owned() };
        let (application, number) = text.split_once('/').ok_or_else(wrong)?;
        let application = ApplicationName::parse(application).map_err(|_| wrong())?;
        // `u32::from_str` takes `+1`, Juju does not.
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(Self { application, number: number.parse().map_err(|_| wrong())? })
    }

    /// The unit of `application` with this number.
    pub fn new(application: ApplicationName, number: u32) -> Self {
        Self { application, number }
    }

    /// The application that the unit belongs to.
    pub fn application(&self) -> &ApplicationName {
        &self.application
    }

    /// The number behind the slash.
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// The name of an endpoint, for example `database`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointName(String);

impl EndpointName {
    /// Parses letters, digits, dashes and underscores.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let valid = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if valid { Ok(Self(text.to_owned())) } else { Err(NameError::Endpoint { text: text.to_owned() }) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a relation as hook commands write it, for example `database:3`.
///
/// Relations are ordered by endpoint, then by number: `database:2` comes before
/// `database:10`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationId {
    endpoint: EndpointName,
    number: u32,
}

impl RelationId {
    /// Parses `endpoint:number`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::Relation { text: text.to_owned() };
        let (endpoint, number) = text.rsplit_once(':').ok_or_else(wrong)?;
        let endpoint = EndpointName::parse(endpoint).map_err(|_| wrong())?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(Self { endpoint, number: number.parse().map_err(|_| wrong())? })
    }

    /// The relation with this number, as seen from `endpoint`.
    pub fn new(endpoint: EndpointName, number: u32) -> Self {
        Self { endpoint, number }
    }

    /// The endpoint on our side.
    pub fn endpoint(&self) -> &EndpointName {
        &self.endpoint
    }

    /// The number behind the colon.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl fmt::Display for ApplicationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.application, self.number)
    }
}

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.endpoint, self.number)
    }
}

/// Text forms for `str::parse` and serde, and comparison with text for tests and lookups.
macro_rules! text_forms {
    ($($name:ident),*) => {$(
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}
text_forms!(ApplicationName, EndpointName, UnitName, RelationId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_name_needs_an_application_and_a_number() {
        for text in
            ["", "web", "web/", "/0", "web/-1", "web/+1", "web/1/2", "we b/0", "web/99999999999", "0web/1"]
        {
            assert_eq!(UnitName::parse(text), Err(NameError::Unit { text: text.to_owned() }), "`{text}`");
        }
        let unit = UnitName::parse("remote-3f2a/12").expect("a valid name");
        assert_eq!((unit.application().as_str(), unit.number()), ("remote-3f2a", 12));
        assert_eq!(unit.to_string(), "remote-3f2a/12");
    }

    #[test]
    fn a_relation_id_needs_an_endpoint_and_a_number() {
        for text in ["", "db", "db:", ":1", "db:x", "d b:1", "db:-1"] {
            assert_eq!(
                RelationId::parse(text),
                Err(NameError::Relation { text: text.to_owned() }),
                "`{text}`"
            );
        }
        assert_eq!(RelationId::parse("db_2:7").expect("a valid id").to_string(), "db_2:7");
    }

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let unit = |text| UnitName::parse(text).expect("a valid name");
        let relation = |text| RelationId::parse(text).expect("a valid id");
        assert!(unit("u/2") < unit("u/10"));
        assert!(relation("db:2") < relation("db:10"));
    }

    #[test]
    fn the_message_says_what_was_expected() {
        let error = UnitName::parse("prometheus").expect_err("no number");
        assert_eq!(
            error.to_string(),
            "unit name `prometheus` has no number, expected `application/number`, for example `web/0`"
        );
    }
}
