//! What a charm is to Juju: its endpoints, options and actions, as values.

use crate::name::EndpointName;

/// The part an endpoint plays in a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Offers the interface.
    Provides,
    /// Uses the interface.
    Requires,
    /// Both sides are units of the same application.
    Peer,
}

impl Role {
    /// The word in `metadata.yaml`: `provides`, `requires`, `peers`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provides => "provides",
            Self::Requires => "requires",
            Self::Peer => "peers",
        }
    }
}

/// One endpoint of a charm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Its name, for example `prometheus`.
    pub name: EndpointName,
    /// Its part.
    pub role: Role,
    /// Its protocol, for example `prometheus-manual`.
    pub interface: String,
}

/// The type of an option in `config.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// True or false.
    Boolean,
    /// The id of a user secret.
    Secret,
}

/// One option of a charm.
#[derive(Clone, Debug, PartialEq)]
pub struct OptionSpec {
    /// Its name, for example `scrape-interval`.
    pub name: String,
    /// Its type.
    pub kind: OptionKind,
    /// Its default; null where there is none.
    pub default: serde_json::Value,
}

/// What a charm is to Juju.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The charm's name.
    pub name: String,
    /// Its endpoints, in the order of `metadata.yaml`.
    pub endpoints: Vec<EndpointSpec>,
    /// Its options, in the order of `config.yaml`.
    pub options: Vec<OptionSpec>,
    /// The names of its actions, in the order of `actions.yaml`.
    pub actions: Vec<String>,
}

impl Metadata {
    /// The endpoint of this name.
    pub fn endpoint(&self, name: &EndpointName) -> Option<&EndpointSpec> {
        self.endpoints.iter().find(|endpoint| endpoint.name == *name)
    }
}
