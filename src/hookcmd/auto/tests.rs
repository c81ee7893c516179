//! Agents that behave, and agents that do not.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process;
use std::rc::Rc;
use std::sync::Once;
use std::thread::{self, JoinHandle};

use super::*;
use crate::socket::Agent;
use crate::socket::testing::{OneConnection, serve};

/// Programs that only note that they were started.
#[derive(Clone, Debug, Default)]
struct Noted(Rc<RefCell<Vec<&'static str>>>);

impl HookCommands for Noted {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        self.0.borrow_mut().push(request.name);
        Ok(Answer { stdout: b"\"program\"".to_vec(), ..Answer::default() })
    }
}

thread_local! {
    static LOGGED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Gathers what this thread logs.
struct Gatherer;

impl log::Log for Gatherer {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOGGED.with_borrow_mut(|logged| logged.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// An auto backend for an agent at `address`, and the programs that it starts.
fn auto(address: &str) -> (Auto<Noted>, Noted) {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        log::set_logger(&Gatherer).expect("no other logger in these tests");
        log::set_max_level(log::LevelFilter::Debug);
    });
    LOGGED.take();
    let agent = Agent { network: "unix".to_owned(), address: address.to_owned(), ..Agent::default() };
    let programs = Noted::default();
    (Auto::new(Socket::new(agent, "/srv"), programs.clone()), programs)
}

fn address(test: &str) -> String {
    format!("@charms-reactive-auto-{test}-{}", process::id())
}

/// An agent whose one connection `talk` has all of.
fn agent<T: Send + 'static>(
    address: &str,
    talk: impl FnOnce(UnixStream) -> T + Send + 'static,
) -> JoinHandle<T> {
    let name = SocketAddr::from_abstract_name(address.strip_prefix('@').unwrap()).unwrap();
    let listener = UnixListener::bind_addr(&name).unwrap();
    thread::spawn(move || talk(listener.accept().unwrap().0))
}

fn done() -> Reply {
    Reply::Done(Answer { stdout: b"\"socket\"".to_vec(), ..Answer::default() })
}

const READ: fn() -> Request = || Request::new("relation-get", ["-"]);
const WRITE: fn() -> Request = || Request::new("relation-set", ["a=b"]);

/// Who answered.
fn answered(auto: &mut Auto<Noted>, request: &Request) -> String {
    match auto.call(request) {
        Ok(answer) => String::from_utf8(answer.stdout).unwrap().trim_matches('"').to_owned(),
        Err(error) => chain(&error),
    }
}

#[test]
fn while_the_agent_answers_no_program_is_started() {
    let address = address("answers");
    let listening = OneConnection::listen(&address, |call| match call.command.as_str() {
        "leader-get" => Reply::Refused("bad request: unknown command: leader-get".to_owned()),
        "relation-list" => Reply::Done(Answer { code: 2, ..Answer::default() }),
        _ => done(),
    });
    let (mut auto, programs) = auto(&address);
    assert_eq!(answered(&mut auto, &READ()), "socket");
    assert_eq!(auto.call(&Request::new("relation-list", [])).unwrap().code, 2);
    assert!(matches!(auto.call(&Request::new("leader-get", [])), Err(CommandError::Start { .. })));
    assert_eq!(answered(&mut auto, &WRITE()), "socket");
    assert!(auto.is_on_socket());
    drop(auto);
    assert_eq!(listening.calls().len(), 4);
    assert_eq!(*programs.0.borrow(), [""; 0]);
    assert_eq!(LOGGED.take(), [""; 0]);
}

#[test]
fn without_an_agent_programs_are_started_and_it_is_told_once() {
    let (mut auto, programs) = auto("@charms-reactive-nobody-at-all");
    for _ in 0..3 {
        assert_eq!(answered(&mut auto, &WRITE()), "program");
    }
    assert!(!auto.is_on_socket());
    assert_eq!(programs.0.borrow().len(), 3);
    assert_eq!(
        LOGGED.take(),
        ["hook commands are started as programs from here on: cannot connect to the unit agent at \
          `@charms-reactive-nobody-at-all`: Connection refused (os error 111)"]
    );
}

#[test]
fn a_command_that_was_refused_before_it_ran_is_run_as_a_program() {
    for text in [
        "rpc: can't find service Jujuc.Main",
        "gob: type mismatch",
        "bad request: token does not match",
        "bad request: wrong context ID; got \"x\"",
    ] {
        let address = address("refuses");
        let listening = OneConnection::listen(&address, |_| Reply::Refused(text.to_owned()));
        let (mut auto, programs) = auto(&address);
        assert_eq!(answered(&mut auto, &WRITE()), "program", "{text}");
        assert_eq!(answered(&mut auto, &READ()), "program", "{text}");
        assert_eq!(listening.calls().len(), 1, "the connection is closed at once");
        assert_eq!(*programs.0.borrow(), ["relation-set", "relation-get"]);
        let expected = format!(
            "hook commands are started as programs from here on: the unit agent refused `relation-set`: {text}"
        );
        assert_eq!(LOGGED.take(), [expected]);
    }
}

#[test]
fn a_refusal_of_unknown_origin_is_taken_for_an_answer() {
    let address = address("words");
    let listening = OneConnection::listen(&address, |_| Reply::Refused("no room".to_owned()));
    let (mut auto, programs) = auto(&address);
    let answer = auto.call(&WRITE()).unwrap();
    assert_eq!((answer.code, &answer.stderr[..]), (1, &b"ERROR no room\n"[..]));
    assert!(auto.is_on_socket());
    drop(auto);
    assert_eq!(listening.calls().len(), 1);
    assert_eq!(*programs.0.borrow(), [""; 0]);
}

#[test]
fn a_command_that_may_have_run_is_run_again_only_if_it_reads() {
    type Talk = fn(UnixStream);
    let talks: [(Talk, &str); 3] = [
        (
            |mut stream| assert!(stream.read(&mut [0; 4096]).unwrap() > 0),
            "cannot talk to the unit agent about `relation-set`: unexpected end of file",
        ),
        (
            |mut stream| {
                assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
                stream.write_all(b"\x80 nonsense").unwrap();
            },
            "cannot understand the unit agent's reply to `relation-set`: byte `0x80` does not begin a number",
        ),
        (
            |mut stream| {
                assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
                let reply = crate::wire::ServerCodec::default().reply(7, &done());
                stream.write_all(&reply).unwrap();
            },
            "the unit agent replied to call 7 instead of call 0, `relation-set`",
        ),
    ];
    for (talk, reason) in talks {
        let address = address("breaks");
        let thread = agent(&address, talk);
        let (mut reading, programs) = auto(&address);
        assert_eq!(answered(&mut reading, &READ()), "program");
        thread.join().unwrap();
        assert_eq!(*programs.0.borrow(), ["relation-get"]);

        let thread = agent(&address, talk);
        let (mut writing, programs) = auto(&address);
        let expected = format!("cannot tell whether `relation-set a=b` was run: {reason}");
        assert_eq!(answered(&mut writing, &WRITE()), expected);
        thread.join().unwrap();
        assert_eq!(*programs.0.borrow(), [""; 0], "it may have run");
        // The dispatch has failed; what it has to say goes through programs.
        assert_eq!(answered(&mut writing, &Request::new("juju-log", ["x"])), "program");
        assert_eq!(LOGGED.take(), [format!("hook commands are started as programs from here on: {reason}")]);
    }
}

#[test]
fn a_request_that_could_not_be_sent_was_not_run() {
    let address = address("deaf");
    // Answers once and closes.
    let thread = agent(&address, |mut stream| {
        let mut codec = crate::wire::ServerCodec::default();
        let mut buffer = [0; 4096];
        let call = loop {
            let count = stream.read(&mut buffer).unwrap();
            codec.push(&buffer[..count]);
            if let Some(call) = codec.next_call().unwrap() {
                break call;
            }
        };
        stream.write_all(&codec.reply(call.0, &done())).unwrap();
    });
    let (mut auto, programs) = auto(&address);
    assert_eq!(answered(&mut auto, &READ()), "socket");
    thread.join().unwrap();
    // Longer than what the kernel holds for a reader.
    let long = WRITE().stdin("x".repeat(4 * 1024 * 1024));
    assert_eq!(answered(&mut auto, &long), "program");
    assert_eq!(*programs.0.borrow(), ["relation-set"]);
    assert_eq!(
        LOGGED.take(),
        [
            "hook commands are started as programs from here on: cannot ask the unit agent for `relation-set`: \
          Broken pipe (os error 32)"
        ]
    );
}

#[test]
fn a_connection_that_breaks_later_is_a_surprise_too() {
    let address = address("later");
    let thread = agent(&address, |stream| {
        let mut left = 3;
        let talker = stream.try_clone().unwrap();
        serve(stream, |_| {
            left -= 1;
            if left == 0 {
                talker.shutdown(std::net::Shutdown::Read).unwrap();
            }
            done()
        })
        .len()
    });
    let (mut auto, programs) = auto(&address);
    for _ in 0..3 {
        assert_eq!(answered(&mut auto, &WRITE()), "socket");
    }
    assert_eq!(thread.join().unwrap(), 3);
    assert_eq!(answered(&mut auto, &WRITE()), "program", "it could not be sent");
    assert_eq!(programs.0.borrow().len(), 1);
    assert_eq!(LOGGED.take().len(), 1);
}

#[test]
fn the_list_of_commands_that_read_is_sorted_and_of_commands() {
    assert!(READ_ONLY.is_sorted_by(|one, next| one < next));
    for name in READ_ONLY {
        assert!(crate::program::COMMANDS.iter().any(|command| command.name == name), "{name}");
        assert!(is_read_only(name));
    }
    for name in ["relation-set", "state-set", "secret-get", "resource-get", "juju-log", ""] {
        assert!(!is_read_only(name), "{name}");
    }
}
