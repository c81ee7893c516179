//! The program against an agent on a real socket.

use std::process;

use super::*;
use crate::socket::testing::{OneConnection, repeat_stdin};

/// What a run of the program left behind.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    code: u8,
    stdout: String,
    stderr: String,
}

/// Runs the program with `stdin` and with these variables.
fn run_program(name: &str, args: &[&str], stdin: &str, variables: &[(&str, &str)]) -> Run {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let process = Process {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        dir: Ok("/srv".to_owned()),
        stdin: &mut stdin.as_bytes(),
        stdout: &mut stdout,
        stderr: &mut stderr,
    };
    let var = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let code = run_in(name, process, var);
    Run { code, stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

/// Runs the program against an agent that answers with `answer`; what was left and what was asked.
fn run_against(
    test: &str,
    (name, args, stdin): (&str, &[&str], &str),
    answer: impl FnMut(&Call) -> Reply + Send + 'static,
) -> (Run, Vec<Call>) {
    let address = format!("@charms-reactive-{test}-{}", process::id());
    let agent = OneConnection::listen(&address, answer);
    let variables = [
        ("JUJU_CONTEXT_ID", "web/0-install-0011"),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
        ("JUJU_AGENT_SOCKET_ADDRESS", &address),
        ("JUJU_AGENT_TOKEN", "token"),
    ];
    let run = run_program(name, args, stdin, &variables);
    (run, agent.calls())
}

#[test]
fn the_answer_is_repeated() {
    let (run, calls) = run_against("answer", ("relation-list", &["-r", "db:1"], "unread"), |_| {
        Reply::Done(Answer { code: 2, stdout: b"out\n".to_vec(), stderr: b"ERROR err\n".to_vec() })
    });
    assert_eq!(run, Run { code: 2, stdout: "out\n".to_owned(), stderr: "ERROR err\n".to_owned() });
    let expected = Call {
        context_id: "web/0-install-0011".to_owned(),
        dir: "/srv".to_owned(),
        command: "relation-list".to_owned(),
        args: vec!["-r".to_owned(), "db:1".to_owned()],
        stdin: None,
        token: "token".to_owned(),
    };
    assert_eq!(calls, [expected]);
}

#[test]
fn standard_input_is_read_when_the_agent_asks_for_it() {
    let (run, calls) = run_against("stdin", ("state-set", &["--file", "-"], "a: b\n"), repeat_stdin);
    assert_eq!(run, Run { code: 0, stdout: "a: b\n".to_owned(), stderr: String::new() });
    let stdins: Vec<_> = calls.into_iter().map(|call| call.stdin).collect();
    assert_eq!(stdins, [None, Some(b"a: b\n".to_vec())]);
}

#[test]
fn a_refusal_is_an_error_in_the_agents_words() {
    let (run, _) = run_against("refusal", ("leader-get", &[], ""), |_| {
        Reply::Refused("bad request: unknown command: leader-get".to_owned())
    });
    let stderr = "ERROR bad request: unknown command: leader-get\n".to_owned();
    assert_eq!(run, Run { code: 1, stdout: String::new(), stderr });
}

#[test]
fn what_prevents_the_call_is_an_error() {
    let nobody = [
        ("JUJU_CONTEXT_ID", "x"),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
        ("JUJU_AGENT_SOCKET_ADDRESS", "/nowhere/agent.socket"),
    ];
    for (variables, expected) in [
        (&nobody[..0], "ERROR JUJU_CONTEXT_ID not set\n"),
        (&nobody[..1], "ERROR JUJU_AGENT_SOCKET_ADDRESS not set\n"),
        (
            &nobody[..],
            "ERROR cannot connect to the unit agent at `/nowhere/agent.socket`: \
             No such file or directory (os error 2)\n",
        ),
    ] {
        let run = run_program("is-leader", &[], "", variables);
        assert_eq!(run, Run { code: 1, stdout: String::new(), stderr: expected.to_owned() });
    }
}

#[test]
fn a_failure_keeps_its_code_or_another_than_0() {
    for (code, expected) in [(0, 0), (1, 1), (2, 2), (255, 255), (256, 1), (257, 1), (-1, 255), (i32::MIN, 1)]
    {
        assert_eq!(exit_code(code), expected, "{code}");
    }
}

/// A stream that fails in the same way always.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn output_that_is_lost_is_an_error_unless_nobody_wants_it() {
    for (kind, expected) in [
        (io::ErrorKind::BrokenPipe, (0, "")),
        (
            io::ErrorKind::StorageFull,
            (1, "ERROR cannot write the output of `config-get`: no storage space\n"),
        ),
    ] {
        let address = format!("@charms-reactive-lost-{kind:?}-{}", process::id());
        let agent = OneConnection::listen(&address, |_| {
            Reply::Done(Answer { stdout: b"{}\n".to_vec(), ..Answer::default() })
        });
        let mut stderr = Vec::new();
        let process = Process {
            args: Vec::new(),
            dir: Ok("/srv".to_owned()),
            stdin: &mut io::empty(),
            stdout: &mut Broken(kind),
            stderr: &mut stderr,
        };
        let var =
            |name: &str| Some(if name.ends_with("ADDRESS") { address.clone() } else { "unix".to_owned() });
        let code = run_in("config-get", process, var);
        assert_eq!((code, String::from_utf8(stderr).unwrap().as_str()), expected);
        assert_eq!(agent.calls().len(), 1);
    }
}

#[test]
fn a_program_is_called_as_its_file() {
    for (argv0, expected) in [
        ("relation-get", Some("relation-get")),
        ("/var/lib/juju/tools/unit-web-0/unit-get", Some("unit-get")),
        ("./action-fail", Some("action-fail")),
        ("charms-reactive", None),
        ("relation-get2", None),
        ("relation-get/..", None),
        ("", None),
    ] {
        assert_eq!(command_name(OsStr::new(argv0)), expected, "`{argv0}`");
    }
}

#[test]
fn commands_are_sorted_and_none_is_there_twice() {
    assert!(COMMANDS.is_sorted_by(|one, next| one.name < next.name));
}

#[test]
fn each_line_of_juju_has_its_commands() {
    let count = |line| COMMANDS.iter().filter(|command| command.is_in(line)).count();
    assert_eq!([Line::V2, Line::V3, Line::V4].map(count), [41, 50, 38]);
    let is_in =
        |name, line| COMMANDS.iter().any(|command: &HookCommand| command.name == name && command.is_in(line));
    assert!(is_in("leader-set", Line::V3) && !is_in("leader-set", Line::V4));
    assert!(is_in("secret-add", Line::V3) && !is_in("secret-add", Line::V2));
}
