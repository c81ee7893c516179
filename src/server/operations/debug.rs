//! What is said, in the log: requests and answers with their bodies, without secrets.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use serde_json::Value;

use super::answer::failed;
use super::body;
use super::routes::{Api, respond};
use crate::listen::BODY_BYTES_MAX;

/// How much of a body is written down.
const SHOWN_LETTERS_MAX: usize = 4096;
/// Keys whose values are nobody's business.
const SECRETS: [&str; 4] = ["secret", "password", "trust_token", "fds"];

/// Answers a request, and writes both down.
pub(super) async fn logged(api: &Api, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let what = format!("{} {}", head.method, hidden_in_query(&head.uri.to_string()));
    let body = match body::read(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(problem) => {
            log::debug!("{what}: the body cannot be read");
            return failed(&problem);
        }
    };
    log::debug!("{what} {}", shown(&body));
    let (head, body) = respond(api, Request::from_parts(head, Body::from(body))).await.into_parts();
    if body.size_hint().exact().is_none() {
        log::debug!("{what}: {}, and a body that comes later", head.status);
        return Response::from_parts(head, body);
    }
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    log::debug!("{what}: {} {}", head.status, shown(&body));
    Response::from_parts(head, Body::from(body))
}

/// A body as it may be seen: what is no JSON, by its length.
fn shown(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            hide(&mut value);
            value.to_string().chars().take(SHOWN_LETTERS_MAX).collect()
        }
        Err(_) => format!("({} bytes)", body.len()),
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Object(values) => {
            for (key, value) in values {
                if SECRETS.contains(&key.as_str()) {
                    *value = "(hidden)".into();
                } else {
                    hide(value);
                }
            }
        }
        _ => {}
    }
}

fn hidden_in_query(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let parts = query.split('&').map(|part| match part.split_once('=') {
        Some((name, _)) if SECRETS.contains(&name) => format!("{name}=(hidden)"),
        _ => part.to_owned(),
    });
    format!("{path}?{}", parts.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_written_down() {
        let body =
            br#"{"metadata": {"fds": {"0": "abc"}, "list": [{"secret": "abc"}], "x": 1}, "password": "abc"}"#;
        let expected =
            r#"{"metadata":{"fds":"(hidden)","list":[{"secret":"(hidden)"}],"x":1},"password":"(hidden)"}"#;
        assert_eq!(shown(body), expected);
        assert_eq!((shown(b"abc").as_str(), shown(b"").as_str()), ("(3 bytes)", "(0 bytes)"));
        assert_eq!(hidden_in_query("/a?timeout=0&secret=abc"), "/a?timeout=0&secret=(hidden)");
        assert_eq!(hidden_in_query("/a"), "/a");
    }
}
