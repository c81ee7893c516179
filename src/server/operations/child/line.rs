//! What a child says, line by line.

use charms_reactive_core::operation::Progress;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// How long a line may be: more than may be kept.  Of a longer one, the rest is dropped.
pub(super) const LINE_BYTES_MAX: usize = 128 * 1024;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// How far the work is.
    Progress(Progress),
    /// What is to be kept: from there it goes on after a restart.
    Keep(Value),
    /// The same, too long to be read.
    KeepTooMuch,
    /// What came of it.
    Result(Value),
    /// Why nothing came of it.
    Error(String),
    /// Something for the log.
    Output(String),
}

/// How far work is, as a child says it.
#[derive(serde::Deserialize)]
#[serde(default)]
struct Said {
    stage: String,
    text: String,
    done: u64,
    total: Option<u64>,
    rate: u64,
}

impl Default for Said {
    fn default() -> Self {
        Self { stage: "work".to_owned(), text: String::new(), done: 0, total: None, rate: 0 }
    }
}

impl Line {
    /// A line without its end; one that is no message is output.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        if bytes.len() == LINE_BYTES_MAX && bytes.starts_with(b"{\"keep\"") {
            return Self::KeepTooMuch;
        }
        Self::message(bytes).unwrap_or_else(|| Self::Output(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn message(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"{") {
            return None;
        }
        let Ok(Value::Object(message)) = serde_json::from_slice(bytes) else { return None };
        let mut entries = message.into_iter();
        match (entries.next()?, entries.next()) {
            ((key, value), None) => match (key.as_str(), value) {
                ("progress", value) => {
                    let Said { stage, text, done, total, rate } = serde_json::from_value(value).ok()?;
                    Some(Self::Progress(Progress { stage, text, done, total, rate }))
                }
                ("keep", value) => Some(Self::Keep(value)),
                ("result", value) => Some(Self::Result(value)),
                ("error", Value::String(text)) => Some(Self::Error(text)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Lines of a stream, bounded.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    is_over: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { reader: BufReader::new(stream), line: Vec::new(), is_over: false }
    }

    /// The next line; None at the end.  What was read is not lost when this is dropped.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        while !self.is_over {
            // A stream that breaks is over.
            let bytes = self.reader.fill_buf().await.unwrap_or_default();
            if bytes.is_empty() {
                self.is_over = true;
                break;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Some(std::mem::take(&mut self.line));
            }
        }
        if self.line.is_empty() { None } else { Some(std::mem::take(&mut self.line)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_message_is_output() {
        assert_eq!(Line::parse(b"{\"result\": [1]}"), Line::Result(json!([1])));
        assert_eq!(Line::parse(b"{\"keep\": null}"), Line::Keep(Value::Null));
        assert_eq!(Line::parse(b"{\"error\": \"x\"}"), Line::Error("x".to_owned()));
        let progress = Progress { stage: "work".into(), text: "a".into(), done: 1, total: Some(2), rate: 0 };
        let said = b"{\"progress\": {\"text\": \"a\", \"done\": 1, \"total\": 2}}";
        assert_eq!(Line::parse(said), Line::Progress(progress));
        for other in [
            "",
            "hello",
            "{",
            "{}",
            "[1]",
            "{\"error\": 1}",
            "{\"progress\": 1}",
            "{\"result\": 1, \"error\": \"x\"}",
            "{\"stop\": 1}",
        ] {
            assert_eq!(Line::parse(other.as_bytes()), Line::Output(other.to_owned()));
        }
        assert!(matches!(Line::parse(b"\xff"), Line::Output(_)));
    }

    #[tokio::test]
    async fn a_line_without_end_does_not_fill_the_memory() {
        let long = vec![b'x'; LINE_BYTES_MAX * 3];
        let text = [b"a\n\n".as_slice(), &long, b"\nlast"].concat();
        let mut lines = Lines::new(text.as_slice());
        let mut lengths = Vec::new();
        while let Some(line) = lines.next().await {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 0, LINE_BYTES_MAX, 4]);
    }
}
