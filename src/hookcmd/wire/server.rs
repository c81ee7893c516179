//! The agent's side of a connection.

use std::mem;

use super::gob::{self, builtin};
use super::inbox::Inbox;
use super::types::Value;
use super::{Call, METHOD, Reply, WireError};

/// Numbers of the types we define, as an agent has them that served a call before a refusal.
mod id {
    pub(super) const HEADER: i64 = 65;
    pub(super) const ANSWER: i64 = 66;
    pub(super) const NOTHING: i64 = 67;
}

/// Turns bytes into calls, and replies into bytes.
///
/// # Example
///
/// One turn of a server, after it has read `arrived`:
///
/// ```
/// use charms_reactive_hookcmd::Answer;
/// use charms_reactive_hookcmd::wire::{Call, ClientCodec, Reply, ServerCodec, WireError};
///
/// fn turn(codec: &mut ServerCodec, arrived: &[u8]) -> Result<Vec<u8>, WireError> {
///     let mut out = Vec::new();
///     codec.push(arrived);
///     while let Some((seq, call)) = codec.next_call()? {
///         let answer = Answer { stdout: call.command.into_bytes(), ..Answer::default() };
///         out.extend(codec.reply(seq, &Reply::Done(answer)));
///     }
///     out.extend(codec.take_refusals());
///     Ok(out)
/// }
///
/// let mut client = ClientCodec::default();
/// let call = Call { command: "is-leader".to_owned(), ..Call::default() };
/// let out = turn(&mut ServerCodec::default(), &client.call(&call))?;
/// client.push(&out);
/// let answer = Answer { stdout: b"is-leader".to_vec(), ..Answer::default() };
/// assert_eq!(client.next_reply()?, Some((0, Reply::Done(answer))));
/// # Ok::<(), WireError>(())
/// ```
#[derive(Debug, Default)]
pub struct ServerCodec {
    inbox: Inbox,
    /// The header of the call whose body has not arrived.
    header: Option<Header>,
    /// Replies to calls that never become one.
    refusals: Vec<u8>,
    defined: Defined,
}

/// Which of our types the other side knows.
#[derive(Debug, Default)]
struct Defined {
    header: bool,
    answer: bool,
    nothing: bool,
}

#[derive(Debug, Default)]
struct Header {
    method: String,
    seq: u64,
}

impl ServerCodec {
    /// Takes bytes that arrived, in pieces of any size.
    pub fn push(&mut self, bytes: &[u8]) {
        self.inbox.push(bytes);
    }

    /// The next call and its number, which [`Self::reply`] wants; `None` when more bytes are needed.
    ///
    /// A call of a method that does not exist, or with a body that cannot be read, is not given out:
    /// the reply to it waits in [`Self::take_refusals`].
    pub fn next_call(&mut self) -> Result<Option<(u64, Call)>, WireError> {
        loop {
            if self.header.is_none() {
                self.header = self.inbox.next(read_header)?.transpose()?;
            }
            if self.header.is_none() {
                return Ok(None);
            }
            let Some(call) = self.inbox.next(read_call)? else { return Ok(None) };
            let Some(header) = self.header.take() else { return Ok(None) };
            let refusal = match (method_error(&header.method), call) {
                (None, Ok(call)) => return Ok(Some((header.seq, call))),
                (Some(text), _) => text,
                (None, Err(error)) => format!("gob: {error}"),
            };
            let bytes = self.put_reply(&header.method, header.seq, &Reply::Refused(refusal));
            self.refusals.extend(bytes);
        }
    }

    /// The bytes of the reply to the call with the number `seq`.
    pub fn reply(&mut self, seq: u64, reply: &Reply) -> Vec<u8> {
        self.put_reply(METHOD, seq, reply)
    }

    /// The bytes of the replies to calls that [`Self::next_call`] refused by itself; mostly none.
    ///
    /// To be sent whenever `next_call` gave `None`: the other side waits for them.
    #[must_use]
    pub fn take_refusals(&mut self) -> Vec<u8> {
        mem::take(&mut self.refusals)
    }

    fn put_reply(&mut self, method: &str, seq: u64, reply: &Reply) -> Vec<u8> {
        let error = match reply {
            Reply::Done(_) => "",
            // Without a text it would not be a refusal.
            Reply::Refused(text) if text.is_empty() => "refused without a reason",
            Reply::Refused(text) => text,
        };
        let mut out = Vec::new();
        if !mem::replace(&mut self.defined.header, true) {
            let fields = [("ServiceMethod", builtin::TEXT), ("Seq", builtin::UINT), ("Error", builtin::TEXT)];
            gob::put_struct_definition(&mut out, id::HEADER, "Response", &fields);
        }
        gob::put_value(&mut out, id::HEADER, |header| {
            header.text(1, method).uint(2, seq).text(3, error).end();
        });
        match reply {
            Reply::Done(answer) => {
                if !mem::replace(&mut self.defined.answer, true) {
                    let fields =
                        [("Code", builtin::INT), ("Stdout", builtin::BYTES), ("Stderr", builtin::BYTES)];
                    gob::put_struct_definition(&mut out, id::ANSWER, "ExecResponse", &fields);
                }
                gob::put_value(&mut out, id::ANSWER, |body| {
                    let code = i64::from(answer.code);
                    body.int(1, code).bytes(2, &answer.stdout).bytes(3, &answer.stderr).end();
                });
            }
            Reply::Refused(_) => {
                if !mem::replace(&mut self.defined.nothing, true) {
                    gob::put_struct_definition(&mut out, id::NOTHING, "", &[]);
                }
                gob::put_empty_value(&mut out, id::NOTHING);
            }
        }
        out
    }
}

/// What Go says to the call of a method that is not the one we have.
///
/// # Source
///
/// `readRequestHeader` in `net/rpc/server.go`.
fn method_error(method: &str) -> Option<String> {
    if method == METHOD {
        return None;
    }
    let (service, _) = METHOD.split_once('.').expect("the method has a service");
    Some(match method.rsplit_once('.') {
        None => format!("rpc: service/method request ill-formed: {method}"),
        Some((found, _)) if found == service => format!("rpc: can't find method {method}"),
        Some(_) => format!("rpc: can't find service {method}"),
    })
}

fn read_header(value: Value<'_, '_>) -> Result<Header, WireError> {
    let mut header = Header::default();
    value.fields(|name, value| {
        match name {
            "ServiceMethod" => header.method = value.text()?,
            "Seq" => header.seq = value.uint()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(header)
}

fn read_call(value: Value<'_, '_>) -> Result<Call, WireError> {
    let mut call = Call::default();
    let (mut is_stdin_set, mut stdin) = (false, Vec::new());
    value.fields(|name, value| {
        match name {
            "ContextId" => call.context_id = value.text()?,
            "Dir" => call.dir = value.text()?,
            "CommandName" => call.command = value.text()?,
            "Args" => call.args = value.texts()?,
            "StdinSet" => is_stdin_set = value.bool()?,
            "Stdin" => stdin = value.bytes()?,
            "Token" => call.token = value.text()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    call.stdin = is_stdin_set.then_some(stdin);
    Ok(call)
}
