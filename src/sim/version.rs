//! Which Juju is simulated.

use std::fmt;
use std::str::FromStr;

/// A version of Juju; where its lines differ, the model follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JujuVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl JujuVersion {
    /// The last line of Juju 2.
    pub const V2_9: Self = Self::new(2, 9, 52);
    /// The long-term line of Juju 3, the default.
    pub const V3_6: Self = Self::new(3, 6, 8);
    /// Juju 4.
    pub const V4_0: Self = Self::new(4, 0, 1);

    /// The version `major.minor.patch`.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// A bound on versions, of one to three numbers; those left out are zero.
    pub(crate) fn bound(text: &str) -> Option<Self> {
        let numbers: Vec<u16> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        match numbers.as_slice() {
            [major] => Some(Self::new(*major, 0, 0)),
            [major, minor] => Some(Self::new(*major, *minor, 0)),
            [major, minor, patch] => Some(Self::new(*major, *minor, *patch)),
            _ => None,
        }
    }

    /// Whether the leader has settings of its own, outside relations.
    pub(crate) fn has_leader_settings(self) -> bool {
        self.major <= 3
    }

    /// Whether metrics, payloads and meter status are still there.
    pub(crate) fn has_metrics(self) -> bool {
        self.major <= 3
    }

    /// Whether a machine can be moved to another series under its units.
    pub(crate) fn has_series_upgrade(self) -> bool {
        self.major <= 3
    }

    /// Whether operators have secrets of their own.
    ///
    /// # Source
    ///
    /// Juju 3.3 brought `juju add-secret`.
    pub(crate) fn has_user_secrets(self) -> bool {
        self >= Self::new(3, 3, 0)
    }

    /// Whether custom notices of Pebble are told.
    pub(crate) fn has_notices(self) -> bool {
        self >= Self::new(3, 4, 0)
    }

    /// Whether checks of Pebble are told.
    pub(crate) fn has_checks(self) -> bool {
        self >= Self::new(3, 6, 0)
    }

    /// Whether a machine's target is told as a base, beside its series.
    pub(crate) fn has_bases(self) -> bool {
        self.major >= 3
    }

    /// Whether `relation-model-get` is there.
    pub(crate) fn has_relation_model(self) -> bool {
        self >= Self::new(3, 6, 2)
    }

    /// Whether `relation-ids` leaves out a relation while its `-broken` hook runs.
    ///
    /// # Source
    ///
    /// `U/runner/context/contextfactory.go`; 2.9 and some builds of 4.0 list it.
    pub(crate) fn hides_broken_relation(self) -> bool {
        self.major == 3
    }

    /// Whether an action takes parameters that its schema does not name, when the schema is silent.
    ///
    /// # Source
    ///
    /// `internal/charm/actions.go`: closed in current lines, open in older ones.
    pub(crate) fn opens_action_parameters(self) -> bool {
        self.major == 2
    }

    /// Whether a charm has to say which bases it runs on.
    ///
    /// # Source
    ///
    /// `internal/charm/computedbases.go`: a charm without a manifest is of the old kind, which 4 has not.
    pub(crate) fn refuses_charms_without_bases(self) -> bool {
        self.major >= 4
    }

    /// Whether units that wait for an upgrade see the options of their own charm.
    ///
    /// # Source
    ///
    /// `juju/juju:state/unit.go`, `ConfigSettings`; from 4 on an application has one configuration.
    pub(crate) fn keeps_config_by_charm(self) -> bool {
        self.major < 4
    }

    /// Whether the agent speaks of "hook commands" in its refusals.
    pub(crate) fn says_hook_command(self) -> bool {
        self.major >= 4
    }
}

/// The text is not a version of Juju.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Juju version `{text}` is not valid, expected two or three numbers from 2.9 on, for example `3.6`")]
pub struct VersionError {
    /// What was found.
    pub text: String,
}

impl FromStr for JujuVersion {
    type Err = VersionError;

    /// Parses `major.minor` or `major.minor.patch`; a line alone means its release that we know best.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError { text: text.to_owned() };
        let numbers: Vec<u16> =
            text.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let version = match numbers.as_slice() {
            [major, minor] => [Self::V2_9, Self::V3_6, Self::V4_0]
                .into_iter()
                .find(|known| (known.major, known.minor) == (*major, *minor))
                .unwrap_or(Self::new(*major, *minor, 0)),
            [major, minor, patch] => Self::new(*major, *minor, *patch),
            _ => return Err(wrong()),
        };
        if version < Self::new(2, 9, 0) { Err(wrong()) } else { Ok(version) }
    }
}

impl Default for JujuVersion {
    fn default() -> Self {
        Self::V3_6
    }
}

impl fmt::Display for JujuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_or_a_release_is_read() {
        let read = |text: &str| text.parse::<JujuVersion>().map(|version| version.to_string());
        assert_eq!(read("3.6"), Ok("3.6.8".to_owned()));
        assert_eq!(read("3.5"), Ok("3.5.0".to_owned()));
        assert_eq!(read("2.9.1"), Ok("2.9.1".to_owned()));
        for text in ["", "3", "2.8.1", "3.6.1.2", "3.x", "-3.6"] {
            assert_eq!(read(text), Err(VersionError { text: text.to_owned() }));
        }
    }
}
