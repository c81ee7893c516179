//! An agent that answers every hook command with the same text, on a socket of its own.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::thread;

use charms_reactive::hookcmd::Answer;
use charms_reactive::hookcmd::socket::Agent;
use charms_reactive::hookcmd::wire::{Reply, ServerCodec};

/// Starts it, for as long as this program runs.
pub(crate) fn start(answer: &'static str) -> Agent {
    let name = format!("charms-reactive-bench-{}-{}", std::process::id(), answer.len());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let listener = UnixListener::bind_addr(&address).expect("an address of our own");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            thread::spawn(move || serve(stream, answer));
        }
    });
    Agent {
        network: "unix".to_owned(),
        address: format!("@{name}"),
        context_id: "web/0-hook-0011".to_owned(),
        token: String::new(),
    }
}

fn serve(mut stream: UnixStream, answer: &str) {
    let mut codec = ServerCodec::default();
    let mut buffer = [0; 16 * 1024];
    let reply = Reply::Done(Answer { stdout: answer.into(), ..Answer::default() });
    loop {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        codec.push(&buffer[..count]);
        while let Some((seq, _)) = codec.next_call().expect("our own side talks sense") {
            if stream.write_all(&codec.reply(seq, &reply)).is_err() {
                return;
            }
        }
    }
}
