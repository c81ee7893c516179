//! Errors as clients see them.

use serde_json::{Value, json};

/// What kind of error it is.
///
/// # Source
///
/// `google.rpc.Code`, and what Google's front end makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is not one.
    InvalidArgument,
    /// A waiter's time is over.
    DeadlineExceeded,
    /// There is no such thing.
    NotFound,
    /// There is such a thing already.
    AlreadyExists,
    /// The token is another one.
    PermissionDenied,
    /// So much cannot be kept.
    ResourceExhausted,
    /// There is no token.
    Unauthenticated,
    /// Not in this state of things.
    FailedPrecondition,
    /// Somebody else was faster.
    Aborted,
    /// The method is none of ours.
    Unimplemented,
    /// The store cannot be written.
    Unavailable,
}

impl Code {
    /// Its number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::InvalidArgument => 3,
            Self::DeadlineExceeded => 4,
            Self::NotFound => 5,
            Self::AlreadyExists => 6,
            Self::PermissionDenied => 7,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::Aborted => 10,
            Self::Unimplemented => 12,
            Self::Unavailable => 14,
            Self::Unauthenticated => 16,
        }
    }

    /// The status of HTTP that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidArgument | Self::FailedPrecondition => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Aborted => 409,
            Self::ResourceExhausted => 429,
            Self::Unimplemented => 501,
            Self::Unavailable => 503,
            Self::DeadlineExceeded => 504,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::InvalidArgument => "badRequest",
            Self::NotFound => "notFound",
            Self::AlreadyExists => "alreadyExists",
            Self::PermissionDenied => "forbidden",
            Self::ResourceExhausted => "rateLimitExceeded",
            Self::Unauthenticated => "required",
            Self::FailedPrecondition => "failedPrecondition",
            Self::Aborted => "aborted",
            Self::Unimplemented => "notImplemented",
            Self::DeadlineExceeded | Self::Unavailable => "backendError",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::InvalidArgument => "Request contains an invalid argument.",
            Self::DeadlineExceeded => "Timeout expired.",
            Self::NotFound => "Requested entity was not found.",
            Self::AlreadyExists => "Requested entity already exists",
            Self::PermissionDenied => "The caller does not have permission",
            Self::ResourceExhausted => "More than the store can keep at once.",
            Self::Unauthenticated => "Request is missing required authentication credential.",
            Self::FailedPrecondition => "Precondition check failed.",
            Self::Aborted => "The operation was aborted.",
            Self::Unimplemented => "Operation is not implemented, or supported, or enabled.",
            Self::Unavailable => "The service is currently unavailable.",
        }
    }
}

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// What kind of error it is.
    pub code: Code,
    /// What Google's service would say.
    pub message: String,
    /// Which field is wrong, and why: for people.
    pub violation: Option<(String, String)>,
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self { code, message: code.message().to_owned(), violation: None }
    }
}

impl ApiError {
    /// A field that is not what it should be.
    pub fn invalid(field: &str, why: impl Into<String>) -> Self {
        Self { violation: Some((field.to_owned(), why.into())), ..Self::from(Code::InvalidArgument) }
    }

    /// A field that is not of its type.
    pub fn mistyped(field: &str, kind: &str, found: &Value) -> Self {
        let message = format!("Invalid value at '{field}' ({kind}), {found}");
        let violation = Some((field.to_owned(), message.clone()));
        Self { code: Code::InvalidArgument, message, violation }
    }

    /// A body that is no JSON, or has fields that nobody knows.
    pub fn body(why: &str) -> Self {
        let message = format!("Invalid JSON payload received. {why}");
        Self { message, ..Self::from(Code::InvalidArgument) }
    }

    /// The body of the answer.
    ///
    /// Both formats in one: old clients read `errors`, which `$.xgafv=2` leaves out.
    pub fn to_json(&self, has_errors: bool) -> Value {
        let Self { code, message, violation } = self;
        let mut error = json!({"code": code.status(), "message": message, "status": code.name()});
        if has_errors {
            error["errors"] = json!([{"message": message, "domain": "global", "reason": code.reason()}]);
        }
        if let Some((field, description)) = violation {
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": field, "description": description}],
            }]);
        }
        json!({ "error": error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_googles_service_says() {
        let error = ApiError::from(Code::NotFound);
        let expected = json!({"error": {
            "code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND",
            "errors": [{"message": "Requested entity was not found.", "domain": "global", "reason": "notFound"}],
        }});
        assert_eq!(error.to_json(true), expected);
        assert_eq!(error.to_json(false)["error"].get("errors"), None);
        assert_eq!(
            ApiError::invalid("name", "x").to_json(false)["error"]["details"][0]["fieldViolations"][0]["field"],
            "name"
        );
        let error = ApiError::mistyped("variable.text", "TYPE_STRING", &json!(45_873_492));
        assert_eq!(error.message, "Invalid value at 'variable.text' (TYPE_STRING), 45873492");
    }
}
