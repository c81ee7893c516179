//! An agent on a socket of its own, that answers every hook command from what it was given.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use charms_reactive::hookcmd::Answer;
use charms_reactive::hookcmd::socket::Agent;
use charms_reactive::hookcmd::wire::{Call, Reply, ServerCodec};

/// What is answered.
#[derive(Clone)]
pub(crate) enum Answers {
    /// The same to all.
    Same(&'static str),
    /// What the stub answers from this folder.
    Files(PathBuf),
}

impl Answers {
    fn to(&self, call: &Call) -> Vec<u8> {
        match self {
            Self::Same(text) => text.as_bytes().to_vec(),
            Self::Files(folder) => {
                let suffix = if call.args.iter().any(|arg| arg == "web/0") { ".own" } else { "" };
                std::fs::read(folder.join(format!("{}{suffix}", call.command))).unwrap_or_default()
            }
        }
    }
}

/// Starts it, for as long as this program runs.
pub(crate) fn start(answers: &Answers) -> Agent {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("charms-reactive-bench-{}-{count}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let listener = UnixListener::bind_addr(&address).expect("an address of our own");
    let answers = answers.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answers) = (stream.expect("a connection"), answers.clone());
            thread::spawn(move || serve(stream, &answers));
        }
    });
    Agent {
        network: "unix".to_owned(),
        address: format!("@{name}"),
        context_id: "web/0-hook-0011".to_owned(),
        token: String::new(),
    }
}

fn serve(mut stream: UnixStream, answers: &Answers) {
    let mut codec = ServerCodec::default();
    let mut buffer = [0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        codec.push(&buffer[..count]);
        while let Some((seq, call)) = codec.next_call().expect("our own side talks sense") {
            let reply = Reply::Done(Answer { stdout: answers.to(&call), ..Answer::default() });
            if stream.write_all(&codec.reply(seq, &reply)).is_err() {
                return;
            }
        }
    }
}
