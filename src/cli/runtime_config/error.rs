//! Why a command of `runtime-config` failed, and what may help.

use std::io;
use std::path::PathBuf;

use charms_reactive_client::ClientError;
use charms_reactive_remote::OptionsError;

const WAITERS_STAY: &str =
    "a waiter never changes, not even when it has ended: `waiters delete` it first, or take another name";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeConfigError {
    /// Nobody listens there.
    #[error("cannot reach `charmd` at `{place}`")]
    Unreachable {
        /// Where it should be.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// The connection is there, and nothing comes.
    #[error("`{place}` did not answer within {seconds} seconds")]
    Silent {
        /// Who did not answer.
        place: String,
        /// How long that was waited for.
        seconds: u64,
    },
    /// The other side is no Runtime Configurator.
    #[error("`{place}` does not answer as `charmd` does")]
    Strange {
        /// Who answered.
        place: String,
        /// What is odd about it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The service says no.
    #[error("{0}")]
    Refused(Refusal),
    /// A config that is to be made is there.
    #[error("Resource in projects [{project}] is the subject of a conflict: {message}")]
    Conflict {
        /// The project.
        project: String,
        /// What the service says.
        message: String,
    },
    /// A waiter failed, or its time is over.
    #[error("Waiter [{name}] finished with an error{}", if message.is_empty() { ".".to_owned() } else { format!(": {message}") })]
    WaiterFailed {
        /// Which.
        name: String,
        /// How it ended; nothing where the service does not tell.
        message: String,
    },
    /// A waiter that is to be made is there, and is another one.
    #[error("Waiter [{name}] exists, with another timeout or other conditions")]
    WaiterDiffers {
        /// Which.
        name: String,
    },
    /// A waiter still waits.
    #[error("Waiter [{name}] did not finish within {seconds} seconds.")]
    WaiterWaits {
        /// Which.
        name: String,
        /// How long that was waited for.
        seconds: String,
    },
    /// A watched variable is as it was.
    #[error("Variable did not change prior to timeout.")]
    NoChange,
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Standard input cannot be read.
    #[error("cannot read a value from standard input")]
    Input(#[source] io::Error),
    /// A file is no deployment of ours.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// A setting of the command line makes no sense.
    #[error("{0}")]
    Setting(String),
    /// What was found cannot be printed.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl From<ClientError> for RuntimeConfigError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable { place, source } => Self::Unreachable { place, source },
            ClientError::Silent { place, limit } => Self::Silent { place, seconds: limit.as_secs() },
            ClientError::Strange { place, source } => Self::Strange { place, source },
            other => Self::Setting(other.to_string()),
        }
    }
}

impl From<OptionsError> for RuntimeConfigError {
    fn from(error: OptionsError) -> Self {
        match error {
            OptionsError::File { path, reason } => Self::File { path, reason },
            other => Self::Setting(other.to_string()),
        }
    }
}

/// What the service says no to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Refusal {
    /// `GET`, `POST`, ...
    pub(super) method: String,
    /// The path of the request, from `projects` on.
    pub(super) path: String,
    /// For example `NOT_FOUND`.
    pub(super) status: String,
    /// What the service says.
    pub(super) message: String,
    /// Which fields are wrong, and why.
    pub(super) violations: Vec<String>,
}

impl RuntimeConfigError {
    /// The exit code of gcloud for it.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            // Mistyped commands are gcloud's 2, too.
            Self::WaiterFailed { .. } | Self::NoChange | Self::Setting(_) => 2,
            _ => 1,
        }
    }

    /// What lies behind it, outermost first.
    pub(super) fn causes(&self) -> Vec<String> {
        if let Self::Refused(refusal) = self {
            return refusal.violations.clone();
        }
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.map(ToString::to_string).collect()
    }

    /// What may help.
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => {
                "`charmd serve --socket PATH` starts it; `--socket` or `--address` tells this program where it \
                 is, or CHARMD_SOCKET or CHARMD_ADDRESS"
            }
            Self::Refused(refusal) => return refusal.hint(),
            Self::Conflict { .. } => "`configs update` changes its description, `configs delete` removes it",
            Self::WaiterFailed { .. } => {
                "`waiters describe` shows its conditions, `variables list` what there is"
            }
            Self::WaiterDiffers { .. } => WAITERS_STAY,
            Self::WaiterWaits { .. } => "it waits on; `waiters wait` asks again",
            Self::NoChange => "watch again; `--newer-than TIME` tells from when on a change counts",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl Refusal {
    fn hint(&self) -> Option<String> {
        let is_below = |list: &str| self.path.contains(&format!("/{list}"));
        let hint = match self.status.as_str() {
            "UNAUTHENTICATED" | "PERMISSION_DENIED" => {
                "`--token-file FILE`, or CHARMD_TOKEN_FILE, has the token that `charmd` was started with"
            }
            "ALREADY_EXISTS" if is_below("waiters") => WAITERS_STAY,
            "ALREADY_EXISTS" if is_below("variables") => "without `--fail-if-present` it is replaced",
            "FAILED_PRECONDITION" if self.method == "DELETE" => {
                "there are variables below it, none of that name: `--recursive` removes them"
            }
            "FAILED_PRECONDITION" if is_below("variables") => {
                "a variable cannot stand above another one: take another name, or `variables unset --recursive` \
                 those below"
            }
            "NOT_FOUND" if is_below("waiters/") => "`waiters list` shows which there are",
            "NOT_FOUND" if is_below("variables/") => "`variables list` shows which there are",
            "NOT_FOUND" => "`configs list` shows which configs there are, `configs create` makes one",
            "RESOURCE_EXHAUSTED" => "try again in a minute",
            "UNAVAILABLE" => "the server cannot reach its store: its log tells why",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
