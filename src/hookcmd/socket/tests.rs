//! Both codecs over real sockets.

use std::error::Error as _;
use std::process;
use std::thread;

use super::testing::{OneConnection, repeat_stdin, serve};
use super::*;

fn is_leader() -> Call {
    Call { command: "is-leader".to_owned(), dir: "/srv".to_owned(), ..Call::default() }
}

fn done(stdout: &str) -> Reply {
    Reply::Done(Answer { stdout: stdout.into(), ..Answer::default() })
}

/// A connection whose agent answers with `answer`, without an address.
fn connected(
    answer: impl FnMut(&Call) -> Reply + Send + 'static,
) -> (Connection, thread::JoinHandle<Vec<Call>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let thread = thread::spawn(move || serve(theirs, answer));
    (Connection { stream: ours, codec: ClientCodec::default(), calls: 0 }, thread)
}

fn agent(address: &str) -> Agent {
    Agent {
        network: "unix".to_owned(),
        address: address.to_owned(),
        context_id: "web/0-install-0011".to_owned(),
        token: String::new(),
    }
}

#[test]
fn one_connection_serves_many_calls() {
    let (mut connection, thread) = connected(|call| done(&call.args[0]));
    for number in 0..200 {
        let call = Call { args: vec![number.to_string()], ..is_leader() };
        assert_eq!(connection.call(&call).unwrap(), done(&number.to_string()));
    }
    drop(connection);
    assert_eq!(thread.join().unwrap().len(), 200);
}

#[test]
fn input_and_output_may_be_long() {
    let (mut connection, thread) = connected(repeat_stdin);
    let text = "relation data\n".repeat(100_000);
    let reply = connection.call_with_stdin(is_leader(), || Ok(text.clone().into_bytes())).unwrap();
    assert_eq!(reply, done(&text));
    drop(connection);
    assert_eq!(thread.join().unwrap().len(), 2, "first without input, then with it");
}

#[test]
fn input_given_at_once_is_not_asked_for() {
    let (mut connection, thread) = connected(repeat_stdin);
    let call = Call { stdin: Some(b"a: b".to_vec()), ..is_leader() };
    let reply = connection.call_with_stdin(call, || unreachable!("it is there already")).unwrap();
    assert_eq!(reply, done("a: b"));
    drop(connection);
    assert_eq!(thread.join().unwrap().len(), 1);
}

#[test]
fn both_forms_of_address_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.socket").to_str().unwrap().to_owned();
    for address in [file, format!("@charms-reactive-socket-{}", process::id())] {
        let listening = OneConnection::listen(&address, |_| done("true\n"));
        let mut connection = Connection::open("unix", &address).unwrap();
        assert_eq!(connection.call(&is_leader()).unwrap(), done("true\n"));
        drop(connection);
        assert_eq!(listening.calls(), [is_leader()]);
    }
}

#[test]
fn an_address_without_an_agent_is_named() {
    let long = format!("/{}", "x".repeat(200));
    for (network, address, expected, cause) in [
        (
            "unix",
            "/nowhere/agent.socket",
            "cannot connect to the unit agent at `/nowhere/agent.socket`",
            "No such file",
        ),
        (
            "unix",
            "@charms-reactive-nobody",
            "cannot connect to the unit agent at `@charms-reactive-nobody`",
            "refused",
        ),
        ("unix", &long, &format!("cannot connect to the unit agent at `{long}`"), "path must be shorter"),
        ("tcp", "10.0.0.1:30000", "cannot reach the unit agent over network `tcp`, expected `unix`", ""),
    ] {
        let error = Connection::open(network, address).unwrap_err();
        assert_eq!(error.to_string(), expected);
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(source.contains(cause), "{source}");
    }
}

#[test]
fn an_agent_that_goes_away_is_an_error() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection { stream: ours, codec: ClientCodec::default(), calls: 0 };
    let thread = thread::spawn(move || {
        let mut theirs = theirs;
        theirs.read_exact(&mut [0; 100]).unwrap();
    });
    let error = connection.call(&is_leader()).unwrap_err();
    assert_eq!(error.to_string(), "cannot talk to the unit agent about `is-leader`");
    thread.join().unwrap();
}

#[test]
fn an_agent_that_talks_nonsense_is_an_error() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection { stream: ours, codec: ClientCodec::default(), calls: 0 };
    theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    // `H` is 72, the length of a message that never ends.
    drop(theirs.shutdown(std::net::Shutdown::Write));
    let error = connection.call(&is_leader()).unwrap_err();
    assert_eq!(error.to_string(), "cannot talk to the unit agent about `is-leader`");

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection { stream: ours, codec: ClientCodec::default(), calls: 0 };
    theirs.write_all(b"\xffnonsense").unwrap();
    theirs.write_all(&[0x80; 300]).unwrap();
    let error = connection.call(&is_leader()).unwrap_err();
    assert_eq!(error.to_string(), "cannot understand the unit agent's reply to `is-leader`");
}

#[test]
fn a_reply_to_another_call_is_not_taken() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection { stream: ours, codec: ClientCodec::default(), calls: 0 };
    theirs.write_all(&crate::wire::ServerCodec::default().reply(3, &done("true\n"))).unwrap();
    let error = connection.call(&is_leader()).unwrap_err();
    assert_eq!(error.to_string(), "the unit agent replied to call 3 instead of call 0, `is-leader`");
}

#[test]
fn the_backend_answers_as_programs_do() {
    let address = format!("@charms-reactive-backend-{}", process::id());
    let listening = OneConnection::listen(&address, |call| match call.command.as_str() {
        "relation-set" => repeat_stdin(call),
        "secret-get" => Reply::Refused("bad request: unknown command: secret-get".to_owned()),
        "goal-state" => Reply::Refused("bad request: wrong context ID; got \"x\"".to_owned()),
        _ => Reply::Done(Answer { code: 2, stderr: b"ERROR no\n".to_vec(), ..Answer::default() }),
    });
    let mut socket = Socket::new(agent(&address), "/srv");

    // A program that is given no input reads an empty one.
    let answer = socket.call(&Request::new("relation-set", ["--file", "-"])).unwrap();
    assert_eq!(answer, Answer::default());
    let answer = socket.call(&Request::new("relation-set", ["--file", "-"]).stdin("a: b")).unwrap();
    assert_eq!(answer.stdout, b"a: b");

    let answer = socket.call(&Request::new("relation-list", ["-r", "9"])).unwrap();
    assert_eq!((answer.code, &answer.stderr[..]), (2, &b"ERROR no\n"[..]));

    let answer = socket.call(&Request::new("goal-state", [])).unwrap();
    assert_eq!(answer.code, 1);
    assert_eq!(answer.stderr, b"ERROR bad request: wrong context ID; got \"x\"\n");

    match socket.call(&Request::new("secret-get", ["x"])) {
        Err(CommandError::Start { command, source }) => {
            assert_eq!((command.as_str(), source.kind()), ("secret-get", io::ErrorKind::NotFound));
        }
        other => panic!("an old agent does not have the command: {other:?}"),
    }
    drop(socket);
    let calls = listening.calls();
    assert_eq!(calls.len(), 6);
    assert!(calls.iter().all(|call| call.dir == "/srv" && call.context_id == "web/0-install-0011"));
}

#[test]
fn the_first_variable_that_is_missing_is_named() {
    let variables = ["JUJU_CONTEXT_ID", "JUJU_AGENT_SOCKET_ADDRESS", "JUJU_AGENT_SOCKET_NETWORK"];
    for missing in variables {
        for value in [None, Some(String::new())] {
            let error =
                Agent::read(|name| if name == missing { value.clone() } else { Some("x".to_owned()) });
            assert_eq!(error.unwrap_err().to_string(), format!("{missing} not set"));
        }
    }
    let agent = Agent::read(|name| variables.contains(&name).then(|| name.to_lowercase())).unwrap();
    assert_eq!(agent.address, "juju_agent_socket_address");
    assert_eq!(agent.token, "");
}
