//! Answers in LXD's envelopes.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Response, StatusCode, header};
use charms_reactive_operations::Refused;
use http_body::{Frame, SizeHint};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::desk::Unavailable;

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    code: u16,
    text: String,
    metadata: Value,
}

impl Problem {
    /// An HTTP status, and a text for a person.
    pub(crate) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), metadata: Value::Null }
    }

    /// Nothing is there.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// There is something, but not for this method.
    pub(crate) fn not_implemented() -> Self {
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
pub(crate) type Answer = Result<Response<Body>, Problem>;

/// The envelope of an answer whose metadata is this JSON.
///
/// The keys `error`, `error_code` and `operation` are left out: Hyperkit would take an empty `error` for the
/// text of an operation that failed.
pub(crate) fn sync_text(metadata: &str) -> String {
    format!("{{\"type\":\"sync\",\"status\":\"Success\",\"status_code\":200,\"metadata\":{metadata}}}\n")
}

/// It is done.
pub(crate) fn sync(metadata: &str) -> Response<Body> {
    respond(200, sync_text(metadata))
}

/// How long lists are in all that are being sent, in KiB; further ones wait until others have been read.
const SENT_KIB_MAX: u32 = 64 * 1024;
static SENT_KIB: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(usize::try_from(SENT_KIB_MAX).unwrap_or(usize::MAX))));
/// How long the last list was: the next is about as long.
static LAST_KIB: AtomicU32 = AtomicU32::new(1);

/// A list that is made when there is room for it, so that clients who do not read do not fill the memory.
pub(super) async fn sync_when_there_is_room(
    metadata: impl AsyncFnOnce() -> Result<String, Problem>,
) -> Answer {
    let kib = LAST_KIB.load(Ordering::Relaxed).clamp(1, SENT_KIB_MAX);
    let room = Arc::clone(&SENT_KIB).acquire_many_owned(kib).await;
    let text = sync_text(&metadata().await?);
    LAST_KIB.store(u32::try_from(text.len() / 1024).unwrap_or(u32::MAX), Ordering::Relaxed);
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    Ok(respond(200, Body::new(Sent { text: Some(text.into()), length, _room: room.ok() })))
}

/// A text that takes up its room until it has been sent.
struct Sent {
    text: Option<Bytes>,
    length: u64,
    _room: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // In pieces: what has been handed over has not been read yet.
        let Some(text) = &mut self.text else { return Poll::Ready(None) };
        let mut piece = text.split_to(text.len().min(PIECE_BYTES));
        if text.is_empty() {
            // The last one does not keep all of them.
            piece = Bytes::copy_from_slice(&piece);
            self.text = None;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// How much of a list is handed over at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// It is done when this is known; head and status are sent now, so that clients see that they are heard.
pub(crate) fn sync_later(metadata: impl Future<Output = String> + Send + 'static) -> Response<Body> {
    let text = async move { sync_text(&metadata.await) };
    respond(200, Body::new(Later { text: Some(Box::pin(text)) }))
}

/// It is done, and there is something new.
pub(super) fn created(url: &str) -> Response<Body> {
    located(respond(201, sync_text("{}")), url)
}

/// It goes on in an operation.
pub(crate) fn started(url: &str, operation: &str) -> Response<Body> {
    let text = format!(
        "{{\"type\":\"async\",\"status\":\"Operation created\",\"status_code\":100,\"operation\":\"{url}\",\
         \"error_code\":0,\"error\":\"\",\"metadata\":{operation}}}\n"
    );
    located(respond(202, text), url)
}

fn located(mut response: Response<Body>, url: &str) -> Response<Body> {
    if let Ok(location) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// It is not done.
pub(crate) fn failed(problem: &Problem) -> Response<Body> {
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
