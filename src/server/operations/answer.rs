//! Answers in LXD's envelopes.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Response, StatusCode, header};
use charms_reactive_operations::Refused;
use http_body::Frame;
use serde_json::{Value, json};

use super::desk::Unavailable;

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    code: u16,
    text: String,
    metadata: Value,
}

impl Problem {
    /// An HTTP status, and a text for a person.
    pub(super) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), metadata: Value::Null }
    }

    /// Whether the client can do something about it.
    #[cfg(test)]
    pub(super) fn is_of_client(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Nothing is there.
    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// There is something, but not for this method.
    pub(super) fn not_implemented() -> Self {
        Self::new(501, "Not Implemented")
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        // Who is in the way can be waited for.
        let metadata = match &refused {
            Refused::Conflict { holder } => json!({ "operation": holder.url() }),
            _ => Value::Null,
        };
        Self { metadata, ..Self::new(refused.code(), refused.to_string()) }
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        Self::new(503, unavailable.to_string())
    }
}

/// What a request comes to.
pub(super) type Answer = Result<Response<Body>, Problem>;

/// The envelope of an answer, with metadata written into it as JSON.
///
/// The keys `error`, `error_code` and `operation` are left out: Hyperkit would take an empty `error` for the
/// text of an operation that failed.
fn sync_text(write: impl FnOnce(&mut String)) -> String {
    let mut text = "{\"type\":\"sync\",\"status\":\"Success\",\"status_code\":200,\"metadata\":".to_owned();
    write(&mut text);
    text.push_str("}\n");
    text
}

/// It is done.
pub(super) fn sync(metadata: &str) -> Response<Body> {
    sync_written(|text| text.push_str(metadata))
}

/// It is done, with metadata that is written where it is sent from.
pub(super) fn sync_written(write: impl FnOnce(&mut String)) -> Response<Body> {
    respond(200, sync_text(write))
}

/// It is done, and the answer is for programs that know no envelopes.
pub(super) fn bare(value: &Value) -> Response<Body> {
    respond(200, format!("{value:#}\n"))
}

/// It is done when this is known; head and status are sent now, so that clients see that they are heard.
pub(super) fn sync_later(metadata: impl Future<Output = String> + Send + 'static) -> Response<Body> {
    let text = async move {
        let metadata = metadata.await;
        sync_text(|text| text.push_str(&metadata))
    };
    respond(200, Body::new(Later { text: Some(Box::pin(text)) }))
}

/// It goes on in an operation.
pub(super) fn started(url: &str, operation: &str) -> Response<Body> {
    let text = format!(
        "{{\"type\":\"async\",\"status\":\"Operation created\",\"status_code\":100,\"operation\":\"{url}\",\
         \"error_code\":0,\"error\":\"\",\"metadata\":{operation}}}\n"
    );
    let mut response = respond(202, text);
    if let Ok(location) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// It is not done.
pub(super) fn failed(problem: &Problem) -> Response<Body> {
    let body = json!({
        "type": "error", "status": "", "status_code": 0, "operation": "",
        "error_code": problem.code, "error": problem.text, "metadata": problem.metadata,
    });
    respond(problem.code, format!("{body}\n"))
}

fn respond(status: u16, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A body that is there later, in one piece.
struct Later {
    text: Option<Pin<Box<dyn Future<Output = String> + Send>>>,
}

impl HttpBody for Later {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(text) = &mut self.text else { return Poll::Ready(None) };
        let Poll::Ready(text) = text.as_mut().poll(context) else { return Poll::Pending };
        self.text = None;
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}
