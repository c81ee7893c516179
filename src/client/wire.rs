//! HTTP/1.1 on one connection: a request goes out, an answer comes in, all of it within a time.

use std::io;
use std::time::{Duration, Instant};

use crate::place::Stream;

/// How long the head of an answer may be.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How many headers it may have.
const HEADERS_MAX: usize = 96;
/// How long the body of an answer may be: a list of a hundred thousand operations has less.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long the line in front of a piece of a body may be.
const CHUNK_LINE_BYTES_MAX: usize = 1024;
/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// An answer as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The time is over.
    Silent,
    /// The connection broke, or ended in the middle.
    Broken(io::Error),
    /// It is no HTTP, or more than we take.
    Strange(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Broken(error),
        }
    }
}

fn strange(text: impl Into<String>) -> Fault {
    Fault::Strange(text.into())
}

/// The moment until which all has to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "whoever waits for an answer needs a clock")]
    pub(crate) fn after(limit: Duration) -> Self {
        const FAR: Duration = Duration::from_hours(24 * 365);
        Self(Instant::now() + limit.min(FAR))
    }

    /// How long it is until then; zero when it is over.
    #[expect(clippy::disallowed_methods, reason = "whoever waits for an answer needs a clock")]
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// The bytes of a request.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    // Servers take a POST without a length for a mistake.
    if body.is_some() || method != "GET" && method != "HEAD" {
        head.extend(["Content-Length: ", &body.map_or(0, <[u8]>::len).to_string(), "\r\n"]);
    }
    head.push_str("Connection: close\r\n\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

/// Sends a request, and reads the answer.
pub(crate) fn exchange(
    stream: &mut dyn Stream,
    method: &str,
    request: &[u8],
    deadline: Deadline,
) -> Result<Raw, Fault> {
    let sent = write(stream, request, deadline);
    // A server that does not want to hear all of it may have said why before it hung up.
    if let Err(Fault::Silent) = sent {
        return Err(Fault::Silent);
    }
    let read = Reader { stream, deadline, buffer: Vec::new() }.answer(method);
    match (sent, read) {
        (_, Ok(raw)) => Ok(raw),
        (Err(fault), Err(_)) | (Ok(()), Err(fault)) => Err(fault),
    }
}

fn write(stream: &mut dyn Stream, mut bytes: &[u8], deadline: Deadline) -> Result<(), Fault> {
    while !bytes.is_empty() {
        limit(stream, deadline)?;
        match stream.write(bytes) {
            Ok(0) => return Err(Fault::Broken(io::ErrorKind::WriteZero.into())),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(stream.flush()?)
}

fn limit(stream: &mut dyn Stream, deadline: Deadline) -> Result<(), Fault> {
    let left = deadline.left();
    if left.is_zero() {
        return Err(Fault::Silent);
    }
    Ok(stream.set_limit(Some(left))?)
}

/// What has come, and has not been looked at.
struct Reader<'a> {
    stream: &'a mut dyn Stream,
    deadline: Deadline,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    /// Reads more; whether there was any.
    fn fill(&mut self) -> Result<bool, Fault> {
        let begin = self.buffer.len();
        self.buffer.resize(begin + READ_BYTES, 0);
        let count = loop {
            limit(self.stream, self.deadline)?;
            match self.stream.read(&mut self.buffer[begin..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // TLS says that it ends, or does not; the length of the body tells whether it is whole.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break 0,
                other => break other?,
            }
        };
        self.buffer.truncate(begin + count);
        Ok(count > 0)
    }

    /// Reads more, of which there has to be some.
    fn need(&mut self) -> Result<(), Fault> {
        if self.fill()? {
            return Ok(());
        }
        Err(Fault::Broken(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer breaks off")))
    }

    fn answer(&mut self, method: &str) -> Result<Raw, Fault> {
        let (mut raw, length) = loop {
            let (raw, length) = self.head()?;
            // What is said in between is not the answer; nobody asked for another protocol.
            if raw.status == 101 || raw.status >= 200 {
                break (raw, length);
            }
        };
        raw.body = match length {
            _ if method == "HEAD" || matches!(raw.status, 101 | 204 | 304) => Vec::new(),
            Length::Bytes(length) => self.bytes(length)?,
            Length::Pieces => self.pieces()?,
            Length::Rest => self.rest()?,
        };
        Ok(raw)
    }

    fn head(&mut self) -> Result<(Raw, Length), Fault> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut response = httparse::Response::new(&mut headers);
            match response.parse(&self.buffer) {
                Ok(httparse::Status::Complete(end)) => {
                    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
                    let headers =
                        response.headers.iter().map(|header| (header.name.to_owned(), text(header.value)));
                    let raw = Raw {
                        status: response.code.unwrap_or_default(),
                        headers: headers.collect(),
                        body: Vec::new(),
                    };
                    let length = Length::of(&raw.headers)?;
                    self.buffer.drain(..end);
                    return Ok((raw, length));
                }
                Ok(httparse::Status::Partial) if self.buffer.len() > HEAD_BYTES_MAX => {
                    return Err(strange(format!("its head is longer than {HEAD_BYTES_MAX} bytes")));
                }
                Ok(httparse::Status::Partial) => self.need()?,
                Err(httparse::Error::TooManyHeaders) => {
                    return Err(strange(format!("it has more than {HEADERS_MAX} headers")));
                }
                Err(error) => return Err(strange(format!("it is no HTTP: {error}"))),
            }
        }
    }

    /// So many bytes.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        while self.buffer.len() < length {
            self.need()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// All that comes until the other side hangs up.
    fn rest(&mut self) -> Result<Vec<u8>, Fault> {
        while self.fill()? {
            bounded(self.buffer.len())?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// A body in pieces, each with its length in front.
    fn pieces(&mut self) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        loop {
            let length = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete((end, length))) => {
                        self.buffer.drain(..end);
                        break usize::try_from(length).unwrap_or(usize::MAX);
                    }
                    Ok(httparse::Status::Partial) if self.buffer.len() <= CHUNK_LINE_BYTES_MAX => {
                        self.need()?;
                    }
                    _ => return Err(strange("the length of a piece of its body is no number")),
                }
            };
            if length == 0 {
                // What may follow the last piece is of no use to us.
                return Ok(body);
            }
            bounded(body.len().saturating_add(length))?;
            body.extend(self.bytes(length)?);
            if self.bytes(2)? != b"\r\n" {
                return Err(strange("a piece of its body does not end where it should"));
            }
        }
    }
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Pieces,
    Rest,
}

impl Length {
    fn of(headers: &[(String, String)]) -> Result<Self, Fault> {
        let all = |name: &str| {
            let found = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        match (all("transfer-encoding").as_slice(), all("content-length").as_slice()) {
            ([], []) => Ok(Self::Rest),
            ([], [first, others @ ..]) if others.iter().all(|other| other == first) => {
                let length = first.parse().map_err(|_| strange(format!("its length is `{first}`")))?;
                bounded(length)?;
                Ok(Self::Bytes(length))
            }
            ([encoding], []) if encoding.eq_ignore_ascii_case("chunked") => Ok(Self::Pieces),
            // Two opinions on where a body ends are how answers are forged.
            _ => Err(strange("it says in more than one way how long it is")),
        }
    }
}

fn bounded(length: usize) -> Result<(), Fault> {
    if length > BODY_BYTES_MAX {
        return Err(strange(format!("its body is longer than {BODY_BYTES_MAX} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use proptest::prelude::*;

    use super::*;

    /// What a server sends, in pieces of this many bytes; nobody reads what it is told.
    struct Script {
        bytes: Vec<u8>,
        piece: usize,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.piece.min(buffer.len()).min(self.bytes.len());
            buffer[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes.drain(..count);
            Ok(count)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Script {
        fn set_limit(&mut self, _limit: Option<Duration>) -> io::Result<()> {
            Ok(())
        }
    }

    fn read(method: &str, bytes: &[u8], piece: usize) -> Result<Raw, Fault> {
        let mut script = Script { bytes: bytes.to_vec(), piece };
        exchange(&mut script, method, b"", Deadline::after(Duration::from_mins(1)))
    }

    fn body(bytes: &str) -> String {
        let raw = read("GET", bytes.as_bytes(), 3).unwrap_or_else(|fault| panic!("{bytes}: {fault:?}"));
        String::from_utf8(raw.body).expect("text")
    }

    fn fault(bytes: &str) -> String {
        match read("GET", bytes.as_bytes(), 100_000).expect_err(bytes) {
            Fault::Silent => "silent".to_owned(),
            Fault::Broken(error) => error.to_string(),
            Fault::Strange(text) => text,
        }
    }

    #[test]
    fn a_body_ends_by_its_length_in_pieces_or_with_the_connection() {
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}rest"), "{}");
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\n{}"), "{}");
        let pieces = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nA;x=y\r\n\"a\": 123 }\r\n0\r\n\r\n";
        assert_eq!(body(pieces), "{\"a\": 123 }");
        assert_eq!(body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1"), "1");
        assert_eq!(body("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), "");
        let head = read("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n", 1);
        let head = head.expect("a head");
        assert_eq!((head.body.len(), head.headers[1].clone()), (0, ("ETag".to_owned(), "\"a\"".to_owned())));
    }

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..whole.len() {
            assert_eq!(fault(&whole[..end]), "the answer breaks off", "{end}");
        }
        let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        for end in 0..whole.len() - 4 {
            assert_eq!(fault(&whole[..end]), "the answer breaks off", "{end}");
        }
    }

    #[test]
    fn what_is_no_answer_is_told_from_one() {
        for (bytes, expected) in [
            ("SSH-2.0-x\r\n\r\n", "it is no HTTP"),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "its length is `x`"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "its length is `-1`"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                "its body is longer than 67108864 bytes",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "in more than one way"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                "in more than one way",
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}", "in more than one way"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "is no number"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "longer than"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "longer than"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", "is no number"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
                "does not end where",
            ),
        ] {
            let found = fault(bytes);
            assert!(found.contains(expected), "{bytes}: {found}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(fault(&many), "it has more than 96 headers");
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(HEAD_BYTES_MAX + READ_BYTES));
        assert_eq!(fault(&long), "its head is longer than 65536 bytes");
    }

    #[test]
    fn a_request_says_how_long_it_is() {
        let text =
            |method, body| String::from_utf8(request(method, "/1.0", &[("Host", "x")], body)).expect("text");
        assert_eq!(text("GET", None), "GET /1.0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(text("POST", None).contains("\r\nContent-Length: 0\r\n"));
        assert!(
            text("DELETE", Some(b"{}")).ends_with("\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        );
    }

    proptest! {
        /// Any bytes, in pieces of any length: an answer or a fault, the same however they are cut.
        #[test]
        fn no_bytes_make_it_panic(
            head in prop::sample::select(&[
                "", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 ",
            ][..]),
            rest in "[0-9a-f\r\n{};: ]{0,60}",
            piece in 1..20_usize,
        ) {
            let bytes = format!("{head}{rest}");
            let whole = read("GET", bytes.as_bytes(), usize::MAX).ok();
            prop_assert_eq!(read("GET", bytes.as_bytes(), piece).ok(), whole);
        }
    }
}
