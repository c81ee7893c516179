//! The twin in Python, run without starting Python for each dispatch.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use charms_reactive_sim::hookcmd::{HookCommands, Request};
use charms_reactive_sim::{Environment, InProcess};
use serde::Deserialize;
use serde_json::json;

/// The hook commands that charmhelpers runs for this charm.
const COMMANDS: [&str; 8] = [
    "config-get",
    "is-leader",
    "juju-log",
    "relation-get",
    "relation-ids",
    "relation-list",
    "relation-set",
    "status-set",
];

/// A process of Python that forks a child for each dispatch; it ends with this value.
pub(crate) struct Server {
    process: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

/// What a child says: that it wants a hook command run, or how its dispatch ended.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Command { command: Vec<String>, stdin: Option<String> },
    End { exit: i32, stderr: String },
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a program of the tests")]
    pub(crate) fn start() -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("socket");
        let mut process = Command::new(tests.join("../.venv/bin/python"))
            .arg("-IB")
            .arg(tests.join("differential/server.py"))
            .arg(&socket)
            .args(COMMANDS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python in `.venv`, which `tests/setup/python.sh` makes");
        let mut ready = String::new();
        let stdout = process.stdout.take().expect("piped above");
        BufReader::new(stdout).read_line(&mut ready).expect("a line");
        assert_eq!(ready, "ready\n");
        Self { process, socket, _folder: folder }
    }

    /// A laid-out charm as a function: each dispatch is one of a child of this process.
    ///
    /// What dispatches print goes to `errors`.
    pub(crate) fn charm(&self, folder: &Path, errors: Rc<RefCell<String>>) -> InProcess {
        let socket = self.socket.clone();
        let run = move |commands: Box<dyn HookCommands>, environment: &Environment| {
            dispatch(&socket, commands, environment, &errors)
        };
        InProcess::from_folder(folder, run).files(folder)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its standard input does.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The connection to a child, which has ended when this is gone.
struct Connection(BufReader<UnixStream>);

impl Connection {
    fn say(&mut self, message: &serde_json::Value) {
        writeln!(self.0.get_mut(), "{message}").expect("the child listens");
    }

    fn hear(&mut self) -> Message {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the child answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A child that waits for an answer has been killed: it hears of it, and we wait until it is dead.
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
        let _ = self.0.read_to_end(&mut Vec::new());
    }
}

fn dispatch(
    socket: &Path,
    mut commands: Box<dyn HookCommands>,
    environment: &Environment,
    errors: &RefCell<String>,
) -> i32 {
    let stream = UnixStream::connect(socket).expect("the server runs");
    let mut connection = Connection(BufReader::new(stream));
    let variables: serde_json::Map<_, _> =
        environment.vars().map(|(name, value)| (name.to_owned(), value.into())).collect();
    connection.say(&json!({"folder": environment.var("JUJU_CHARM_DIR"), "variables": variables}));
    loop {
        match connection.hear() {
            Message::End { exit, stderr } => {
                errors.borrow_mut().push_str(&stderr);
                return exit;
            }
            Message::Command { command, stdin } => {
                let name = COMMANDS.iter().find(|name| **name == command[0]);
                let request = Request {
                    name: name.expect("the server was told these names"),
                    args: command[1..].to_vec(),
                    stdin: stdin.map(String::into_bytes),
                };
                let answer = commands.call(&request).expect("the model answers");
                connection.say(&json!({
                    "code": answer.code,
                    "stdout": String::from_utf8_lossy(&answer.stdout),
                    "stderr": String::from_utf8_lossy(&answer.stderr),
                }));
            }
        }
    }
}
