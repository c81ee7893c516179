//! Why a command of `operation` failed, and what may help.

use std::io;

use charms_reactive_client::{ClientError, RefusalKind};
use charms_reactive_remote::OptionsError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OperationError {
    /// The server, or the operation.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An option makes no sense.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An argument makes no sense.
    #[error("{0}")]
    Argument(String),
    /// What was found cannot be printed.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl OperationError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Options(_) | Self::Argument(_) => 2,
            Self::Client(ClientError::Failed(_)) => 3,
            Self::Client(ClientError::Cancelled(_)) => 4,
            Self::Client(ClientError::TimedOut { .. }) => 5,
            _ => 1,
        }
    }

    /// What lies behind it, outermost first.
    pub(super) fn causes(&self) -> Vec<String> {
        // What has failed is the last cause of that; `transparent` errors hand on their sources.
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.map(ToString::to_string).collect()
    }

    /// What may help.
    pub(super) fn hint(&self) -> Option<String> {
        let Self::Client(error) = self else { return None };
        let hint = match error {
            ClientError::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "the socket is for its owner and group: be one of them"
            }
            ClientError::Unreachable { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
                "whom to trust is said by `--ca-cert FILE`, `--server-cert FILE` or `--fingerprint DIGITS`"
            }
            ClientError::Unreachable { .. } => {
                "`--socket` or `--address` tells where the server is, or CHARMD_SOCKET or CHARMD_ADDRESS; \
                 `charmd serve --socket PATH` starts one"
            }
            ClientError::TimedOut { .. } => {
                "it goes on; `operation wait` waits again, `operation cancel` ends it"
            }
            ClientError::Refused(refusal) => match refusal.kind() {
                RefusalKind::NotFound if refusal.url.contains("/operations/") => {
                    "`operation list` shows which there are; LXD and Incus forget what is over after seconds"
                }
                RefusalKind::Unauthorized | RefusalKind::Forbidden => {
                    "`--client-cert` and `--client-key` say who you are, or a `--token-file`"
                }
                RefusalKind::Conflict => {
                    let holder = refusal.response.metadata()["operation"].as_str()?;
                    return Some(format!("`{holder}` is in the way: wait for it, or `--on-conflict join`"));
                }
                RefusalKind::NotImplemented if refusal.method == "POST" => {
                    "only `charmd` starts work by its kind; LXD and Incus do as part of other requests"
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
