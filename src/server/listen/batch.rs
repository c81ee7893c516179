//! Batches: many requests in one, as parts of a multipart message.
//!
//! # Source
//!
//! What `googleapiclient.http.BatchHttpRequest` writes and reads.

use crate::runtimeconfig::{ApiError, Incoming};

/// How many requests a batch may have: the limit of Google's client.
const PARTS_MAX: usize = 1000;
/// How long the boundary between two parts may be: RFC 2046.
const BOUNDARY_BYTES_MAX: usize = 70;

/// One request of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// What its answer is told by.
    id: &'a str,
    method: &'a str,
    /// Path and query.
    target: &'a str,
    body: &'a str,
}

impl<'a> Part<'a> {
    pub(super) fn incoming(&self) -> Incoming<'a> {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        Incoming { method: self.method, path, query, body: self.body.as_bytes() }
    }

    /// Its answer, as a part of the answer to the batch.
    pub(super) fn answer(&self, status: u16, text: &str) -> String {
        // The identifier comes back with `response-` in front, inside of its brackets if it has them.
        let id = match self.id.strip_prefix('<') {
            Some(rest) => format!("<response-{rest}"),
            None => format!("response-{}", self.id),
        };
        let reason = if status == 200 { "OK" } else { "Error" };
        format!(
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\nHTTP/1.1 {status} {reason}\r\n\
             Content-Type: application/json; charset=UTF-8\r\nContent-Length: {}\r\n\r\n{text}\r\n",
            text.len()
        )
    }
}

/// What stands between the parts of an answer: nothing that is in JSON at the begin of a line.
const BOUNDARY: &str = "batch_charmd";

/// The type of an answer.
pub(super) const CONTENT_TYPE: &str = "multipart/mixed; boundary=batch_charmd";

/// What ends an answer.
pub(super) const END: &str = "--batch_charmd--\r\n";

/// The requests of a batch.
pub(super) fn parse<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, ApiError> {
    let wrong = |why: &str| ApiError::invalid("batch", why);
    let boundary = boundary(content_type).ok_or_else(|| wrong("expected multipart/mixed with a boundary"))?;
    let text = std::str::from_utf8(body).map_err(|_| wrong("expected UTF-8"))?;
    let mark = format!("--{boundary}");
    // It begins a line; elsewhere it is content.
    let is_first = |at: &usize| *at == 0 || text.as_bytes()[at - 1] == b'\n';
    let begins: Vec<usize> = text.match_indices(&mark).map(|(at, _)| at).filter(is_first).collect();
    let mut parts = Vec::new();
    for (place, begin) in begins.iter().enumerate() {
        let end = begins.get(place + 1).copied().unwrap_or(text.len());
        let piece = &text[begin + mark.len()..end];
        if piece.starts_with("--") {
            return Ok(parts);
        }
        if parts.len() == PARTS_MAX {
            return Err(wrong("more than 1000 requests"));
        }
        parts.push(part(piece).ok_or_else(|| wrong("a part is no request"))?);
    }
    Err(wrong("it breaks off"))
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    let is_mixed = kind.trim().eq_ignore_ascii_case("multipart/mixed");
    let mut values = parameters.split(';').filter_map(|parameter| parameter.trim().strip_prefix("boundary="));
    let boundary = values.next().filter(|_| is_mixed)?.trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= BOUNDARY_BYTES_MAX).then_some(boundary)
}

fn part(text: &str) -> Option<Part<'_>> {
    let (headers, request) = head_and_body(text.trim_start_matches(['\r', '\n']))?;
    let id = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-id").then(|| value.trim())
    });
    // A request without body may end with its head.
    let (head, body) = head_and_body(request).unwrap_or((request, ""));
    let mut words = head.lines().next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    target.starts_with('/').then(|| Part { id: id.unwrap_or_default(), method, target, body: body.trim() })
}

/// What is in front of the first empty line, and what is behind it.
fn head_and_body(text: &str) -> Option<(&str, &str)> {
    let ends = ["\r\n\r\n", "\n\n"].into_iter().filter_map(|end| Some((text.find(end)?, end.len())));
    let (at, length) = ends.min()?;
    Some((&text[..at], &text[at + length..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = r#"multipart/mixed; boundary="===x==""#;

    #[test]
    fn a_batch_is_read_with_either_end_of_line() {
        let text = "--===x==\nContent-Type: application/http\nContent-ID: <u + 1>\n\n\
                    POST /v1beta1/a?alt=json HTTP/1.1\nContent-Type: application/json\n\n{\"name\": \"--===x==\"}\n\
                    --===x==\nContent-ID: <u + 2>\n\nGET /v1beta1/b HTTP/1.1\nHost: h\n\n\n--===x==--";
        let expected = [
            Part {
                id: "<u + 1>",
                method: "POST",
                target: "/v1beta1/a?alt=json",
                body: "{\"name\": \"--===x==\"}",
            },
            Part { id: "<u + 2>", method: "GET", target: "/v1beta1/b", body: "" },
        ];
        assert_eq!(parse(TYPE, text.as_bytes()).expect("a batch"), expected);
        let other = text.replace('\n', "\r\n");
        assert_eq!(parse(TYPE, other.as_bytes()).expect("a batch"), expected);
        assert!(expected[0].answer(200, "{}").contains("Content-ID: <response-u + 1>\r\n"));
        assert_eq!(expected[0].incoming().query, "alt=json");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_batch_makes_its_reader_panic(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "--===x==", "--", "\r", "\n", "\n\n", "\r\n\r\n", "GET /v1beta1/x?a=b", " HTTP/1.1", "content-id", ":", "<u + 1>",
                "ü", "{}", " ", "/",
            ]), 0..40),
        ) {
            if let Ok(parts) = parse(TYPE, pieces.concat().as_bytes()) {
                for part in parts {
                    prop_assert!(part.incoming().path.starts_with('/'));
                    let answer = part.answer(200, "{}");
                    prop_assert!(answer.ends_with("\r\n\r\n{}\r\n"), "{answer}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let error = |kind: &str, text: &str| {
            parse(kind, text.as_bytes()).expect_err("none").violation.expect("why").1
        };
        let form = "expected multipart/mixed with a boundary";
        for kind in
            ["", "application/json", "multipart/mixed", "multipart/mixed; boundary=", "text/x; boundary=x"]
        {
            assert_eq!(error(kind, "--x--"), form, "`{kind}`");
        }
        assert_eq!(error(TYPE, ""), "it breaks off");
        assert_eq!(error(TYPE, "--===x==\n\nGET / HTTP/1.1\n\n"), "a part is no request");
        assert_eq!(
            error(TYPE, "--===x==\na: b\n\nGET http://x HTTP/1.1\n\n--===x==--"),
            "a part is no request"
        );
        let many = "--===x==\na: b\n\nGET / HTTP/1.1\n\n".repeat(1001);
        assert_eq!(error(TYPE, &many), "more than 1000 requests");
    }
}
