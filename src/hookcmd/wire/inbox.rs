//! What has arrived on a connection: bytes in pieces, and the values in them.

use std::ops::Range;

use super::gob::{Reader, leading_uint};
use super::types::{Types, Value};
use super::{MESSAGE_BYTES_MAX, WireError};

/// Cuts the stream into messages, keeps the definitions among them and hands out the values.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    /// How much of the buffer has been read.
    start: usize,
    types: Types,
}

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Reads the next value with `read`; `None` when it has not arrived in full.
    pub(super) fn next<T>(&mut self, read: impl FnOnce(Value<'_, '_>) -> T) -> Result<Option<T>, WireError> {
        loop {
            let Some(message) = self.next_message()? else { return Ok(None) };
            let bytes = message.len();
            let mut reader = Reader::new(&self.buffer[message]);
            let id = reader.int()?;
            if id >= 0 {
                return Ok(Some(read(Value::new(&self.types, id, &mut reader))));
            }
            let id = id.checked_neg().ok_or(WireError::UnknownType { id })?;
            self.types.define(id, &mut reader, bytes)?;
        }
    }

    /// Where the next message lies in the buffer; it counts as read.
    fn next_message(&mut self) -> Result<Option<Range<usize>>, WireError> {
        let unread = &self.buffer[self.start..];
        let Some((announced, prefix)) = leading_uint(unread)? else { return Ok(None) };
        let bytes = usize::try_from(announced).unwrap_or(usize::MAX);
        if bytes > MESSAGE_BYTES_MAX {
            return Err(WireError::Limit {
                what: "bytes in a message",
                found: announced,
                max: MESSAGE_BYTES_MAX,
            });
        }
        if unread.len() - prefix < bytes {
            return Ok(None);
        }
        let begin = self.start + prefix;
        self.start = begin + bytes;
        Ok(Some(begin..self.start))
    }
}
