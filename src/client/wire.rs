//! Requests and answers as bytes of HTTP: a connection for one of each.

use serde_json::Value;

use crate::Response;

/// How many headers an answer may have.
const HEADERS_MAX: usize = 64;

/// HTTP/1.0: the answer comes in one piece, and ends with the connection.
pub(crate) fn request(method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.0\r\nhost: charmd\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// An answer; one that breaks off is none.
pub(crate) fn parse(answer: &[u8]) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(begin) = response.parse(answer)? else {
        return Err("it breaks off".into());
    };
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.map(|(_, text)| text.trim().parse::<usize>()).transpose()?;
    let body = &answer[begin..];
    let body = match length {
        Some(length) => body.get(..length).ok_or("it breaks off")?,
        None => body,
    };
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(body)? };
    Ok(Response { status: response.code.unwrap_or_default(), headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        let whole = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
        let response = parse(whole).expect("whole");
        assert_eq!((response.status, response.body), (404, serde_json::json!({})));
        assert_eq!(parse(b"HTTP/1.0 204 No Content\r\n\r\n").expect("whole").body, Value::Null);
        for end in [0, 10, 30, whole.len() - 1] {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        assert!(parse(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n<html>").is_err());
    }
}
