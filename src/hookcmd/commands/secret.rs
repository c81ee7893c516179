//! Secrets: which one, what is said of it, who may read it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use charms_reactive_core::{ApplicationName, RelationId, UnitName};
use serde::Deserialize;

use super::text::or_default;
use crate::Request;

/// Which secret is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretName {
    /// By its id: `secret:ID`, `ID` or `secret://MODEL/ID`.
    Id(String),
    /// By its label: that of an owner, or the one that this unit gave it as a reader.
    Label(String),
    /// By its id, and from now on also by a label of this unit's own.
    Labelled {
        /// The id.
        id: String,
        /// The label.
        label: String,
    },
}

impl SecretName {
    /// The same command line with this secret.
    pub(super) fn name_in(&self, request: Request) -> Request {
        match self {
            Self::Id(id) => request.arg(id),
            Self::Label(label) => request.arg("--label").arg(label),
            Self::Labelled { id, label } => request.arg(id).arg("--label").arg(label),
        }
    }
}

/// Which revision of a secret a reader is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRevision {
    /// The one that this unit tracks: the newest at its first reading.
    #[default]
    Tracked,
    /// The newest, without tracking it.
    Peek,
    /// The newest, which is tracked from now on.
    Refresh,
}

impl SecretRevision {
    /// The same command line with its flag.
    pub(super) fn ask_in(self, request: Request) -> Request {
        match self {
            Self::Tracked => request,
            Self::Peek => request.arg("--peek"),
            Self::Refresh => request.arg("--refresh"),
        }
    }
}

/// Who owns a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretOwner {
    /// The application: its leader changes it, all its units read it.
    #[default]
    Application,
    /// The unit alone.
    Unit,
}

/// How often the owner is told to make a new revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// Never.
    #[default]
    Never,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Every week.
    Weekly,
    /// Every month.
    Monthly,
    /// Every three months.
    Quarterly,
    /// Every year.
    Yearly,
}

impl Rotation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Yearly => "yearly",
        }
    }
}

/// What is said of a secret besides its content; what is None stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretOptions {
    /// What its owner calls it.
    pub label: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// When its newest revision expires: a duration such as `24h`, or a moment as in RFC 3339.
    pub expire: Option<String>,
    /// How often its owner is told to make a new revision.
    pub rotate: Option<Rotation>,
    /// Who owns it; only a new secret takes this.
    pub owner: Option<SecretOwner>,
}

impl SecretOptions {
    /// The same command line with these flags, and with the content of files.
    pub(super) fn say_in(&self, mut request: Request, files: &BTreeMap<String, PathBuf>) -> Request {
        let flags = [
            ("--label", self.label.as_deref()),
            ("--description", self.description.as_deref()),
            ("--expire", self.expire.as_deref()),
            ("--rotate", self.rotate.map(Rotation::as_str)),
            (
                "--owner",
                self.owner.map(|owner| match owner {
                    SecretOwner::Application => "application",
                    SecretOwner::Unit => "unit",
                }),
            ),
        ];
        for (flag, text) in flags.into_iter().filter_map(|(flag, text)| Some((flag, text?))) {
            request = request.arg(flag).arg(text);
        }
        let pairs = files.iter().map(|(key, path)| format!("{key}#file={}", path.display()));
        pairs.fold(request, Request::arg)
    }
}

/// Whose right to read a secret is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReader {
    /// All that a relation gave.
    Relation(RelationId),
    /// An application's, over whatever relation.
    Application(ApplicationName),
    /// One unit's.
    Unit(UnitName),
}

/// What the owner of a secret is told about it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SecretInfo {
    /// Its id, without `secret:` before it.
    #[serde(skip)]
    pub id: String,
    /// Its newest revision.
    pub revision: u32,
    /// What its owner calls it; empty for nothing.
    #[serde(default)]
    pub label: String,
    /// Who owns it.
    #[serde(default)]
    pub owner: SecretOwner,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// How often its owner is told to make a new revision.
    #[serde(default)]
    pub rotation: Rotation,
    /// When its newest revision expires, as Juju writes it.
    pub expiry: Option<String>,
    /// When its owner will be told to make a new revision, as Juju writes it.
    pub rotates: Option<String>,
    /// Who else may read it.
    #[serde(default, deserialize_with = "or_default")]
    pub access: Vec<SecretAccess>,
}

/// Who may read a secret, and through what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SecretAccess {
    /// Who, as Juju writes it: `application-web`, `unit-web-0`.
    pub target: String,
    /// Through what, as Juju writes it: `relation-web.db#mysql.server`.
    #[serde(default)]
    pub scope: String,
    /// As what: `view`.
    #[serde(default)]
    pub role: String,
}
