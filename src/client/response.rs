//! An answer, and what LXD's envelope says in it.

use serde_json::Value;

use crate::error::{ClientError, Refusal};
use crate::operation::Operation;
use crate::url::redacted;

/// How much of a text that is no envelope is told.
const SHOWN_CHARS_MAX: usize = 200;

/// An answer, whatever its status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The status of HTTP: 200, 404.
    pub status: u16,
    /// The headers, as they came.
    pub headers: Vec<(String, String)>,
    /// The body; null where there is none, a text where a refusal is no JSON.
    pub body: Value,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// What was asked for, out of the envelope.
    pub fn metadata(&self) -> &Value {
        &self.body["metadata"]
    }

    /// Whether it goes on in an operation.
    pub fn is_async(&self) -> bool {
        self.body["type"] == "async" || self.status == 202 && self.body["type"] != "sync"
    }

    /// The status that counts: that of HTTP, unless it is fine and the body says otherwise.
    ///
    /// Newer servers answer 200 before they know how it ends, and then write an error; and an operation
    /// that failed is told with 200, too.
    pub fn code(&self) -> u16 {
        if !(200..300).contains(&self.status) {
            return self.status;
        }
        if self.body["type"] == "error" {
            return number(&self.body["error_code"]).filter(|code| *code >= 400).unwrap_or(500);
        }
        let metadata = self.metadata();
        let is_operation = metadata["id"].is_string() && metadata["class"].is_string();
        let code = number(&metadata["status_code"]).filter(|code| is_operation && *code >= 400);
        code.unwrap_or(self.status)
    }

    /// The answer if the server did what was asked; what became of an operation is not looked at.
    pub(crate) fn checked(self, method: &str, url: &str) -> Result<Self, ClientError> {
        if self.status < 400 && self.body["type"] != "error" {
            return Ok(self);
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let said = text(&self.body["error"]).filter(|text| !text.is_empty());
        let said = said.or_else(|| text(&self.body["message"])).or_else(|| {
            let body = text(&self.body)?;
            Some(body.trim().chars().filter(|letter| !letter.is_control()).take(SHOWN_CHARS_MAX).collect())
        });
        let errors = self.body["errors"].as_array().into_iter().flatten();
        let errors = errors.map(|error| text(error).unwrap_or_else(|| error.to_string()));
        Err(ClientError::Refused(Box::new(Refusal {
            method: method.to_owned(),
            url: redacted(url),
            code: self.code(),
            text: said.unwrap_or_default(),
            errors: errors.collect(),
            response: self,
        })))
    }

    /// The operation in it.
    ///
    /// # Errors
    ///
    /// What it is instead.
    pub(crate) fn operation(&self) -> Result<Operation, String> {
        Operation::parse(self.metadata())
    }
}

fn number(value: &Value) -> Option<u16> {
    u16::try_from(value.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::RefusalKind;

    fn response(status: u16, body: Value) -> Response {
        Response { status, body, ..Response::default() }
    }

    fn refusal(status: u16, body: Value) -> Refusal {
        match response(status, body).checked("GET", "/x?secret=s").expect_err("refused") {
            ClientError::Refused(refusal) => *refusal,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_status_that_counts_may_be_in_the_body() {
        let operation = |code: u16| json!({"type": "sync", "metadata": {"id": "a", "class": "task", "status_code": code}});
        for (status, body, expected) in [
            (200, json!({"type": "sync", "status_code": 200, "metadata": {}}), 200),
            (404, json!({"type": "error", "error_code": 400}), 404),
            (200, json!({"type": "error", "error_code": 404}), 404),
            (200, json!({"type": "error", "error_code": 0}), 500),
            (200, json!({"type": "error"}), 500),
            (200, operation(400), 400),
            (200, operation(401), 401),
            (200, operation(103), 200),
            // What is no operation has numbers of its own.
            (200, json!({"type": "sync", "metadata": {"status_code": 400}}), 200),
            (202, json!({"type": "async", "status_code": 100}), 202),
        ] {
            assert_eq!(response(status, body.clone()).code(), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_says_what_was_asked_and_what_the_server_says() {
        let found = refusal(404, json!({"type": "error", "error": "Operation not found", "error_code": 404}));
        assert_eq!(found.to_string(), "GET /x?secret=[redacted]: 404, Operation not found");
        assert_eq!(found.kind(), RefusalKind::NotFound);
        let found = refusal(200, json!({"type": "error", "error": "boom", "error_code": 500}));
        assert_eq!((found.code, found.text.as_str(), found.kind()), (500, "boom", RefusalKind::Internal));
        let found = refusal(422, json!({"error": "", "message": "no", "errors": ["a", {"field": "b"}]}));
        assert_eq!(found.to_string(), "GET /x?secret=[redacted]: 422, no; a; {\"field\":\"b\"}");
        let found = refusal(502, json!("<html>\r\nBad\x1b[2J gateway</html>\n"));
        assert_eq!(found.text, "<html>Bad[2J gateway</html>");
        assert_eq!(refusal(503, Value::Null).to_string(), "GET /x?secret=[redacted]: 503");
    }

    #[test]
    fn every_status_has_a_kind() {
        use RefusalKind as Kind;
        let kind = |code, text: &str| refusal(code, json!({ "error": text })).kind();
        for (code, expected) in [
            (400, Kind::BadRequest),
            (401, Kind::Unauthorized),
            (403, Kind::Forbidden),
            (405, Kind::MethodNotAllowed),
            (406, Kind::NotAcceptable),
            (409, Kind::Conflict),
            (412, Kind::PreconditionFailed),
            (413, Kind::TooLarge),
            (415, Kind::UnsupportedMediaType),
            (418, Kind::OtherClient),
            (422, Kind::Unprocessable),
            (429, Kind::TooManyRequests),
            (500, Kind::Internal),
            (501, Kind::NotImplemented),
            (502, Kind::BadGateway),
            (503, Kind::Unavailable),
            (599, Kind::OtherServer),
        ] {
            assert_eq!(kind(code, "x"), expected, "{code}");
        }
        assert_eq!(kind(500, "open: no such file or directory"), Kind::NotFound);
        assert_eq!(kind(500, "open: is a directory"), Kind::BadRequest);
    }
}
