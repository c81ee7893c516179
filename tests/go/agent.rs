//! An agent in Go that answers by itself: long answers, refusals, both forms of a request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{Child, Command, Stdio};

use charms_reactive::hookcmd::socket::{Agent, Connection, Socket};
use charms_reactive::hookcmd::wire::{Call, ClientCodec, Reply};
use charms_reactive::hookcmd::{Answer, HookCommands as _, Request};

use super::go;

/// An agent that runs until it is dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "starts an agent in Go")]
    fn start(address: String) -> Self {
        let mut child = Command::new(go::program("agent"))
            .arg(&address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("built just now");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it tells when it listens");
        assert_eq!(line, "listening\n");
        Self { child, address }
    }

    fn agent(&self, token: &str) -> Agent {
        Agent {
            network: "unix".to_owned(),
            address: self.address.clone(),
            context_id: "web/0-install-0011".to_owned(),
            token: token.to_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends when its standard input does; should it not, it is ended.
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn call(command: &str, args: &[&str]) -> Call {
    Call {
        context_id: "web/0-install-0011".to_owned(),
        dir: "/srv".to_owned(),
        command: command.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        ..Call::default()
    }
}

fn abstract_address(test: &str) -> String {
    format!("@charms-reactive-agent-{test}-{}", std::process::id())
}

#[test]
fn one_connection_takes_answers_of_all_lengths() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("agent.socket").to_string_lossy().into_owned();
    for address in [file, abstract_address("lengths")] {
        let running = Running::start(address);
        let mut socket = Socket::new(running.agent("secret"), "/srv");
        let mut ask = |request: Request| {
            let answer = socket.call(&request).expect("an answer");
            (answer.code, answer.stdout)
        };
        for length in [0, 1, 127, 128, 255, 256, 16_384, 65_536, 1_000_000, 16_000_000] {
            let (code, stdout) = ask(Request::new("bytes", []).arg(length.to_string()));
            assert_eq!((code, stdout.len()), (0, length));
            assert!(stdout.iter().all(|byte| *byte == b'x'));
            let (_, counted) = ask(Request::new("count", []).stdin(vec![b'y'; length]));
            assert_eq!(String::from_utf8_lossy(&counted), length.to_string());
        }
        let text = "\u{e9}\u{1F980} \"quoted\" two\nlines";
        assert_eq!(ask(Request::new("echo", [text, "", "-"])).1, format!("{text}\n\n-").into_bytes());
        assert_eq!(ask(Request::new("count", [])).1, b"0", "no input is an empty one");
        assert_eq!(ask(Request::new("token", [])).1, b"secret");
        for code in [1, 2, 127, 128, 255, -1] {
            assert_eq!(ask(Request::new("code", []).arg(code.to_string())).0, code);
        }
        let long: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
        let request = long.iter().fold(Request::new("echo", []), Request::arg);
        assert_eq!(ask(request).1, long.join("\n").into_bytes());
    }
}

#[test]
fn refusals_come_between_answers() {
    let running = Running::start(abstract_address("refusals"));
    let mut socket = Socket::new(running.agent(""), "/srv");
    for round in 0..50 {
        let text = format!("bad request: {round}");
        let answer = socket.call(&Request::new("refuse", [&text])).expect("an answer");
        assert_eq!((answer.code, answer.stderr), (1, format!("ERROR {text}\n").into_bytes()));
        let error = socket.call(&Request::new("secret-get", [])).expect_err("there is none");
        assert_eq!(error.to_string(), "cannot start hook command `secret-get`");
        let answer = socket.call(&Request::new("echo", ["still there"])).expect("an answer");
        assert_eq!(answer.stdout, b"still there");
    }
}

#[test]
fn input_is_asked_for_and_given() {
    let running = Running::start(abstract_address("stdin"));
    let mut connection = Connection::open("unix", &running.address).expect("it listens");
    let mut asked = false;
    let reply = connection.call_with_stdin(call("count", &[]), || {
        asked = true;
        Ok(vec![0; 300_000])
    });
    let Reply::Done(answer) = reply.expect("a reply") else { panic!("a refusal") };
    assert_eq!((answer.stdout.as_slice(), asked), (&b"300000"[..], true));
}

#[test]
fn a_request_without_the_field_for_a_token_is_read() {
    let running = Running::start(abstract_address("no-token"));
    let name = running.address.trim_start_matches('@');
    let address = SocketAddr::from_abstract_name(name).expect("a name");
    let mut stream = UnixStream::connect_addr(&address).expect("it listens");
    let mut codec = ClientCodec::without_token();
    for number in 0..3_u64 {
        let call = Call { token: "not sent".to_owned(), ..call("token", &[]) };
        stream.write_all(&codec.call(&call)).expect("it reads");
        let mut buffer = [0; 100];
        let reply = loop {
            if let Some(reply) = codec.next_reply().expect("a reply") {
                break reply;
            }
            let count = stream.read(&mut buffer).expect("it writes");
            assert!(count > 0, "the agent closed the connection");
            codec.push(&buffer[..count]);
        };
        assert_eq!(reply, (number, Reply::Done(Answer::default())));
    }
}
