//! The caller's side of a connection.

use super::gob::{self, builtin};
use super::inbox::Inbox;
use super::types::Value;
use super::{Call, METHOD, Reply, WireError};
use crate::Answer;

/// Numbers of the types we define: our own choice, Go's would be the same.
mod id {
    pub(super) const HEADER: i64 = 65;
    pub(super) const CALL: i64 = 66;
    pub(super) const TEXTS: i64 = 67;
}

/// Turns calls into bytes, and bytes into replies.
///
/// The definitions of our types go out once, with the first call.
#[derive(Debug, Default)]
pub struct ClientCodec {
    inbox: Inbox,
    /// The header of the reply whose body has not arrived.
    header: Option<Header>,
    /// How many calls were made; the next one's sequence number.
    calls: u64,
    is_without_token: bool,
}

#[derive(Debug, Default)]
struct Header {
    seq: u64,
    error: String,
}

impl ClientCodec {
    /// The side of a caller whose call has no field for a token, as from Juju 4.0 on.
    ///
    /// Agents take either form; [`ClientCodec::default`] has the field.
    pub fn without_token() -> Self {
        Self { is_without_token: true, ..Self::default() }
    }

    /// The bytes of a call.  Calls are numbered from 0; [`Self::next_reply`] gives the number back.
    pub fn call(&mut self, call: &Call) -> Vec<u8> {
        let seq = self.calls;
        self.calls += 1;

        let mut out = Vec::new();
        if seq == 0 {
            let fields = [("ServiceMethod", builtin::TEXT), ("Seq", builtin::UINT)];
            gob::put_struct_definition(&mut out, id::HEADER, "Request", &fields);
        }
        gob::put_value(&mut out, id::HEADER, |header| header.text(1, METHOD).uint(2, seq).end());
        if seq == 0 {
            self.put_call_definition(&mut out);
        }
        gob::put_value(&mut out, id::CALL, |body| {
            let put_text = |out: &mut Vec<u8>, text: &String| gob::put_bytes(out, text.as_bytes());
            let body = body
                .text(1, &call.context_id)
                .text(2, &call.dir)
                .text(3, &call.command)
                .list(4, &call.args, put_text)
                .bool(5, call.stdin.is_some())
                .bytes(6, call.stdin.as_deref().unwrap_or_default());
            if self.is_without_token { body.end() } else { body.text(7, &call.token).end() }
        });
        out
    }

    /// Takes bytes that arrived, in pieces of any size.
    pub fn push(&mut self, bytes: &[u8]) {
        self.inbox.push(bytes);
    }

    /// The next reply and the number of the call it is for; `None` when more bytes are needed.
    pub fn next_reply(&mut self) -> Result<Option<(u64, Reply)>, WireError> {
        if self.header.is_none() {
            self.header = self.inbox.next(read_header)?.transpose()?;
        }
        let Some(header) = &self.header else { return Ok(None) };
        // The body of a refusal is an empty struct, whatever it says.
        let is_refused = !header.error.is_empty();
        let read = |value: Value<'_, '_>| if is_refused { Ok(Answer::default()) } else { read_answer(value) };
        let Some(answer) = self.inbox.next(read)? else { return Ok(None) };
        let Some(Header { seq, error }) = self.header.take() else { return Ok(None) };
        Ok(Some((seq, if is_refused { Reply::Refused(error) } else { Reply::Done(answer?) })))
    }

    fn put_call_definition(&self, out: &mut Vec<u8>) {
        let fields = [
            ("ContextId", builtin::TEXT),
            ("Dir", builtin::TEXT),
            ("CommandName", builtin::TEXT),
            ("Args", id::TEXTS),
            ("StdinSet", builtin::BOOL),
            ("Stdin", builtin::BYTES),
            ("Token", builtin::TEXT),
        ];
        let count = if self.is_without_token { fields.len() - 1 } else { fields.len() };
        gob::put_struct_definition(out, id::CALL, "Request", &fields[..count]);
        gob::put_list_definition(out, id::TEXTS, "[]string", builtin::TEXT);
    }
}

fn read_header(value: Value<'_, '_>) -> Result<Header, WireError> {
    let mut header = Header::default();
    value.fields(|name, value| {
        match name {
            "Seq" => header.seq = value.uint()?,
            "Error" => header.error = value.text()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(header)
}

fn read_answer(value: Value<'_, '_>) -> Result<Answer, WireError> {
    let mut answer = Answer::default();
    value.fields(|name, value| {
        match name {
            "Code" => {
                let code = value.int()?;
                answer.code = i32::try_from(code).map_err(|_| WireError::ExitCode { code })?;
            }
            "Stdout" => answer.stdout = value.bytes()?,
            "Stderr" => answer.stderr = value.bytes()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(answer)
}
