//! An agent for tests: answers calls on a socket, in a thread of its own.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::thread::{self, JoinHandle};

use crate::wire::{Call, Reply, ServerCodec};

/// An agent that serves one connection.
pub(crate) struct OneConnection {
    thread: JoinHandle<Vec<Call>>,
}

impl OneConnection {
    /// Listens on `address`, in Juju's spelling, and answers every call with `answer`.
    pub(crate) fn listen(address: &str, answer: impl FnMut(&Call) -> Reply + Send + 'static) -> Self {
        let listener = match address.strip_prefix('@') {
            Some(name) => UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()),
            None => UnixListener::bind(address),
        };
        let listener = listener.unwrap();
        Self { thread: thread::spawn(move || serve(listener.accept().unwrap().0, answer)) }
    }

    /// Waits until the other side has closed the connection; all calls it made.
    pub(crate) fn calls(self) -> Vec<Call> {
        self.thread.join().unwrap()
    }
}

/// Answers the calls on a connection until it is closed.
pub(crate) fn serve(mut stream: UnixStream, mut answer: impl FnMut(&Call) -> Reply) -> Vec<Call> {
    let (mut codec, mut calls) = (ServerCodec::default(), Vec::new());
    // Small, so that longer messages come in several pieces.
    let mut buffer = [0; 700];
    loop {
        while let Some((seq, call)) = codec.next_call().unwrap() {
            let bytes = codec.reply(seq, &answer(&call));
            calls.push(call);
            stream.write_all(&bytes).unwrap();
        }
        stream.write_all(&codec.take_refusals()).unwrap();
        match stream.read(&mut buffer).unwrap() {
            0 => return calls,
            count => codec.push(&buffer[..count]),
        }
    }
}

/// An agent's `relation-set --file -`: wants standard input, and repeats it.
pub(crate) fn repeat_stdin(call: &Call) -> Reply {
    match &call.stdin {
        None => Reply::Refused(crate::wire::STDIN_WANTED.to_owned()),
        Some(stdin) => Reply::Done(crate::Answer { stdout: stdin.clone(), ..crate::Answer::default() }),
    }
}
