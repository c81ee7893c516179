//! The agent's socket: takes calls of hook commands and hands them to the one thread that owns the model.
//!
//! A fresh server is opened for each run and closed after it; it knows one context id.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use charms_reactive_hookcmd::wire::{Call, Reply, ServerCodec};

use crate::error::RunError;
use crate::event::Stream;

/// How many messages may wait: a charm that writes faster than it is read has to wait, too.
pub(crate) const MESSAGES_MAX: usize = 64;

/// What reaches the thread that owns the model while a process runs.
pub(crate) enum Message {
    /// A hook command wants an answer.
    Call { call: Call, reply: SyncSender<Reply> },
    /// The socket refused a request by itself.
    Refused { name: String, text: String },
    /// The process wrote something.
    Chunk { stream: Stream, bytes: Vec<u8> },
    /// The process, and all that it started, closed a stream.
    Closed,
}

/// What a server lets through.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) context_id: String,
    /// The hook commands of the simulated Juju.
    pub(crate) names: Vec<&'static str>,
    /// Whether an unknown command is refused in the words of Juju 4.
    pub(crate) says_hook_command: bool,
}

impl Gate {
    /// The refusal of a call that does not get through.
    ///
    /// # Source
    ///
    /// `J/server.go`, `Jujuc.Main`, in its order.
    fn refusal(&self, call: &Call) -> Option<String> {
        let why = if call.command.is_empty() {
            "command not specified".to_owned()
        } else if !Path::new(&call.dir).is_absolute() {
            "Dir is not absolute".to_owned()
        } else if call.context_id != self.context_id {
            format!("wrong context ID; got {:?}", call.context_id)
        } else if !self.names.contains(&call.command.as_str()) {
            let kind = if self.says_hook_command { "hook command" } else { "command" };
            format!("unknown {kind}: {}", call.command)
        } else {
            return None;
        };
        Some(format!("bad request: {why}"))
    }
}

/// The connections that are open, each with a handle to end it.
#[derive(Default)]
struct Open {
    connections: Mutex<BTreeMap<u64, UnixStream>>,
    is_closed: Condvar,
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, UnixStream>> {
        // The map is whole after every statement, so a panic elsewhere does not spoil it.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server, listening.
pub(crate) struct Server {
    path: PathBuf,
    is_stopping: Arc<AtomicBool>,
    open: Arc<Open>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `path`; what comes goes to `messages`.
    pub(crate) fn open(path: &Path, gate: Gate, messages: SyncSender<Message>) -> Result<Self, RunError> {
        let wrong = |source| RunError::Listen { path: path.to_owned(), source };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(wrong)?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Open::default());
        let acceptor = {
            let (is_stopping, open) = (Arc::clone(&is_stopping), Arc::clone(&open));
            thread::spawn(move || accept(&listener, &Arc::new(gate), &messages, &is_stopping, &open))
        };
        Ok(Self { path: path.to_owned(), is_stopping, open, acceptor: Some(acceptor) })
    }

    /// Stops listening and waits for the clients to close their connections.
    ///
    /// # Errors
    ///
    /// The number of connections still open after `limit`; they are ended then.
    ///
    /// # Source
    ///
    /// `J/server.go`, `Close`, which waits without limit.
    pub(crate) fn close(mut self, limit: Duration) -> Result<(), usize> {
        self.stop();
        let (connections, _) = self
            .open
            .is_closed
            .wait_timeout_while(self.open.lock(), limit, |connections| !connections.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        if connections.is_empty() {
            return Ok(());
        }
        for connection in connections.values() {
            // Fails when the other side was quicker: then it is closed.
            let _ = connection.shutdown(Shutdown::Both);
        }
        Err(connections.len())
    }

    fn stop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        // The acceptor sleeps until somebody comes.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let (true, Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.acceptor.is_some() {
            self.stop();
        }
    }
}

fn accept(
    listener: &UnixListener,
    gate: &Arc<Gate>,
    messages: &SyncSender<Message>,
    is_stopping: &AtomicBool,
    open: &Arc<Open>,
) {
    for number in 0.. {
        let Ok((stream, _)) = listener.accept() else { return };
        if is_stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(handle) = stream.try_clone() else { continue };
        open.lock().insert(number, handle);
        let (gate, messages, open) = (Arc::clone(gate), messages.clone(), Arc::clone(open));
        thread::spawn(move || {
            // A broken connection ends like a closed one: the client has gone.
            let _ = serve(stream, &gate, &messages);
            open.lock().remove(&number);
            open.is_closed.notify_all();
        });
    }
}

/// Answers the calls of one connection, one after another, until the client closes it.
fn serve(mut stream: UnixStream, gate: &Gate, messages: &SyncSender<Message>) -> io::Result<()> {
    let mut codec = ServerCodec::default();
    let mut buffer = [0; 8192];
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        codec.push(&buffer[..count]);
        while let Some((seq, call)) = codec.next_call().map_err(io::Error::other)? {
            let reply = if let Some(text) = gate.refusal(&call) {
                let refused = Message::Refused { name: call.command, text: text.clone() };
                messages.send(refused).map_err(gone)?;
                Reply::Refused(text)
            } else {
                let (sender, answer) = sync_channel(1);
                messages.send(Message::Call { call, reply: sender }).map_err(gone)?;
                answer.recv().map_err(io::Error::other)?
            };
            stream.write_all(&codec.reply(seq, &reply))?;
        }
        stream.write_all(&codec.take_refusals())?;
    }
}
