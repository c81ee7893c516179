//! What is shown of units and applications, and how much a log says.

use std::collections::BTreeMap;

use charms_reactive_core::UnitName;
use serde::Deserialize;

/// How severe a message in Juju's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For the author of the framework.
    Trace,
    /// For the author of the charm.
    Debug,
    /// For the operator.
    Info,
    /// Something the operator should look at.
    Warning,
    /// The hook failed.
    Error,
}

impl LogLevel {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// A status as Juju shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ShownStatus {
    /// One of the four that a charm may say, or one of Juju's own, such as `unknown`.
    pub status: String,
    /// One line for the operator.
    #[serde(default)]
    pub message: String,
}

/// The status of an application and of its units, which its leader may read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ApplicationStatus {
    /// That of the application itself.
    #[serde(flatten)]
    pub whole: ShownStatus,
    /// Those of its units.
    #[serde(default)]
    pub units: BTreeMap<UnitName, ShownStatus>,
}

/// What `status-get --application` answers.
#[derive(Deserialize)]
pub(super) struct OfApplication {
    #[serde(rename = "application-status")]
    pub(super) status: ApplicationStatus,
}
