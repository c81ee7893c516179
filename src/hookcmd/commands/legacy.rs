//! What Juju 4 has no more: payloads, metrics, and specifications of pods.

/// Which specification of a Kubernetes application is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodSpec {
    /// In Juju's own form.
    Juju,
    /// The same, by the name that it had in Juju 2.6.
    Old,
    /// In the form of Kubernetes.
    Raw,
}

/// How a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadStatus {
    /// Not yet there.
    Starting,
    /// There: that of a new payload.
    Running,
    /// About to go.
    Stopping,
    /// Gone.
    Stopped,
}

impl PayloadStatus {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}
