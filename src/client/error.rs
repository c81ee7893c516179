//! Why a request came to nothing, and why an operation did.

use std::io;
use std::time::Duration;

use crate::operation::Operation;
use crate::response::Response;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens: nothing has been sent.
    #[error("cannot reach `{place}`")]
    Unreachable {
        /// Where the server should be.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// No answer in time.
    #[error("no answer from `{place}` in {}s", limit.as_secs_f64())]
    Silent {
        /// Where the server is.
        place: String,
        /// How long was waited.
        limit: Duration,
    },
    /// What came is no answer, or not all of one.
    #[error("cannot read the answer of `{place}`")]
    Strange {
        /// Where the server is.
        place: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request cannot be sent as it is.
    #[error("{0}")]
    Request(String),
    /// The server sends us elsewhere, again and again, or where we do not go.
    #[error("cannot follow `{place}` to `{to}`: {reason}")]
    Redirect {
        /// Where the server is.
        place: String,
        /// Where it sends us.
        to: String,
        /// Why we do not go there.
        reason: String,
    },
    /// The server says no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The operation failed.
    #[error("operation `{}` failed: {}", .0.id, .0.reason())]
    Failed(Box<Operation>),
    /// The operation was cancelled.
    #[error("operation `{}` was cancelled: {}", .0.id, .0.reason())]
    Cancelled(Box<Operation>),
    /// The operation is not over, and the time to wait for it is.
    #[error("operation `{}` is not over after {}s", operation.id, limit.as_secs_f64())]
    TimedOut {
        /// As it was then.
        operation: Box<Operation>,
        /// How long was waited.
        limit: Duration,
    },
}

impl ClientError {
    /// What the server refused; None where it did not.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether it is about the way to the server, and may be better in a moment.
    pub fn is_connection(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } => true,
            Self::Strange { source, .. } => source.is::<io::Error>(),
            _ => false,
        }
    }
}

/// What a server says no to.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{method} {url}: {code}{}{text}{}", if text.is_empty() { "" } else { ", " }, list(errors))]
pub struct Refusal {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The URL, without secrets.
    pub url: String,
    /// The status: 404.
    pub code: u16,
    /// What the server says.
    pub text: String,
    /// What it says in detail.
    pub errors: Vec<String>,
    /// All of its answer.
    pub response: Response,
}

fn list(errors: &[String]) -> String {
    errors.iter().flat_map(|error| ["; ", error]).collect()
}

/// What sort of no it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// 400: the request makes no sense, or not now.
    BadRequest,
    /// 401: nobody knows who asks.
    Unauthorized,
    /// 403: whoever asks may not.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 406
    NotAcceptable,
    /// 409: something is in the way.
    Conflict,
    /// 412: it is not any more what it was.
    PreconditionFailed,
    /// 413: it is too long.
    TooLarge,
    /// 415
    UnsupportedMediaType,
    /// 422
    Unprocessable,
    /// 429: too often.
    TooManyRequests,
    /// Another of 400 to 499.
    OtherClient,
    /// 500
    Internal,
    /// 501: the server knows the thing, and cannot do that with it.
    NotImplemented,
    /// 502
    BadGateway,
    /// 503: not now.
    Unavailable,
    /// Another one.
    OtherServer,
}

impl Refusal {
    /// What sort of no it is.
    pub fn kind(&self) -> RefusalKind {
        use RefusalKind as Kind;
        match self.code {
            400 => Kind::BadRequest,
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            404 => Kind::NotFound,
            405 => Kind::MethodNotAllowed,
            406 => Kind::NotAcceptable,
            409 => Kind::Conflict,
            412 => Kind::PreconditionFailed,
            413 => Kind::TooLarge,
            415 => Kind::UnsupportedMediaType,
            422 => Kind::Unprocessable,
            429 => Kind::TooManyRequests,
            402..=499 => Kind::OtherClient,
            // Older LXD: files of instances that are not there, or are folders.
            500 if self.text.contains("open: no such file or directory") => Kind::NotFound,
            500 if self.text.contains("open: is a directory") => Kind::BadRequest,
            500 => Kind::Internal,
            501 => Kind::NotImplemented,
            502 => Kind::BadGateway,
            503 => Kind::Unavailable,
            _ => Kind::OtherServer,
        }
    }
}
