//! What keeps the charm from its work until an operator mends it.

/// What an operator must mend; the text is the message of the unit's status.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Obstacle {
    /// A program is missing.
    #[error("`{program}` not found on PATH, expected the package `prometheus` to be installed")]
    Missing {
        /// Which.
        program: &'static str,
    },
    /// Option `port` is no port.
    #[error("option `port` is `{found}`, expected 1 to 65535")]
    Port {
        /// What it is.
        found: i64,
    },
    /// Somebody else listens there.
    #[error("port {port} is taken by another program, expected a free one in option `port`")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// Prometheus refuses the configuration even without jobs.
    #[error("option `scrape-interval`: {reason}")]
    Interval {
        /// What it says.
        reason: String,
    },
}
