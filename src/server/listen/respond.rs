//! Answers as bytes: JSON with the headers of Google's front end, packed for those who unpack.

use std::io::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::runtimeconfig::{ApiError, Presentation};

/// Answers up to this fit into one packet as they are.
const PLAIN_BYTES_MAX: usize = 512;

/// The status of an answer, and its text.
pub(super) fn written(presentation: &Presentation, result: Result<Value, ApiError>) -> (u16, String) {
    let (status, body) = match result {
        Ok(value) => (200, presentation.masked(value)),
        Err(error) => (error.code.status(), error.to_json(presentation.has_errors)),
    };
    let written = if presentation.is_pretty {
        serde_json::to_string_pretty(&body)
    } else {
        serde_json::to_string(&body)
    };
    (status, written.unwrap_or_else(|_| json!({}).to_string()) + "\n")
}

pub(super) fn respond(
    presentation: &Presentation,
    result: Result<Value, ApiError>,
    is_packed: bool,
) -> Response<Body> {
    let (status, text) = written(presentation, result);
    send(status, text, "application/json; charset=UTF-8", is_packed)
}

/// An answer with the headers that all have.
pub(super) fn send(status: u16, text: String, kind: &'static str, is_packed: bool) -> Response<Body> {
    let packed = if is_packed && text.len() > PLAIN_BYTES_MAX { pack(text.as_bytes()) } else { None };
    let encoding = packed.is_some().then_some((header::CONTENT_ENCODING, "gzip"));
    let mut response = Response::new(Body::from(packed.unwrap_or_else(|| text.into_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // As Google's front end sends them, but for its name.
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::VARY, "X-Origin, Referer, Origin,Accept-Encoding"),
        (header::CACHE_CONTROL, "private"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::X_XSS_PROTECTION, "0"),
        (header::SERVER, "charmd"),
    ];
    for (name, value) in headers.into_iter().chain(encoding) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a client takes answers in gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        ["gzip", "x-gzip", "*"].contains(&name.trim().to_ascii_lowercase().as_str()) && weight != Some(0.0)
    })
}

fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        let takes = |said: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(said))]))
        };
        for said in ["gzip", "gzip, deflate", "br;q=1.0, GZIP;q=0.5", "*", "x-gzip"] {
            assert!(takes(said), "`{said}`");
        }
        for said in ["", "identity", "deflate", "gzip;q=0", "gzip; q=0.0", "gzipped"] {
            assert!(!takes(said), "`{said}`");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
