//! LXD's own clients, unchanged, against `charmd` over a unix socket: `lxc`, pylxd, and `incus`; and LXD itself
//! beside it.
//!
//! Needs `lxc` and LXD (`tests/setup/debian.sh`, and root), pylxd in `.venv` (`tests/setup/python.sh`), and Incus
//! (`tests/setup/incus.sh`).

#![expect(clippy::disallowed_methods, reason = "starts the server and the clients")]

#[expect(dead_code, reason = "shared with other tests")]
#[path = "../it/charmd.rs"]
mod charmd;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "../it/operations/client.rs"]
mod client;
mod compared;
mod incus;
#[expect(dead_code, reason = "shared with the bench")]
#[path = "../../../../tests/support/lxd.rs"]
mod lxd;
mod remote;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use client::Client;

/// A running `charmd`; killed when dropped.
struct Charmd {
    client: Client,
    folder: tempfile::TempDir,
}

impl Charmd {
    fn start() -> Self {
        let (folder, client) = Client::start();
        Self { client, folder }
    }

    fn socket(&self) -> PathBuf {
        self.client.socket()
    }

    /// `lxc`, with a configuration of its own.
    fn lxc(&self) -> Command {
        let mut lxc = Command::new("lxc");
        lxc.env("LXD_SOCKET", self.socket()).env("LXD_CONF", self.folder.path().join("conf"));
        lxc
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        self.lxc().args(arguments).output().expect("lxc runs: tests/setup/debian.sh installs it")
    }

    /// What `lxc` prints.
    #[track_caller]
    fn print(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What `lxc` says is wrong.
    #[track_caller]
    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).expect("text");
        stderr.lines().last().unwrap_or_default().to_owned()
    }

    /// Starts `demo` through `lxc query`; gives the id.
    #[track_caller]
    fn demo(&self, input: &str) -> String {
        let body = format!("{{\"kind\": \"demo\", \"input\": {input}}}");
        let shown = self.print(&["query", "-X", "POST", "-d", &body, "/1.0/operations"]);
        let line = shown.lines().find(|line| line.trim_start().starts_with("\"id\": "));
        let line = line.unwrap_or_else(|| panic!("no operation: {shown}"));
        line.trim().trim_start_matches("\"id\": \"").trim_end_matches("\",").to_owned()
    }

    /// Lists until there is a text.
    fn list_until(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let list = self.print(&["operation", "list", "-f", "csv"]);
            if list.contains(text) {
                return list;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "no {text} in {list}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a function of `clients.py`.
    #[track_caller]
    fn python(&self, function: &str) {
        let output = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lxd/clients.py"))
            .arg(function)
            .arg(self.socket())
            .output()
            .expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The interpreter that has pylxd.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let installed = Command::new(top.join("tests/setup/python.sh")).status().expect("the script runs");
        assert!(installed.success(), "tests/setup/python.sh installs pylxd");
        top.join(".venv/bin/python")
    })
}

#[test]
fn lxc_lists_and_shows_operations() {
    let charmd = Charmd::start();
    let header = "ID | TYPE | DESCRIPTION | STATUS | CANCELABLE | CREATED";
    let empty = charmd.print(&["operation", "list"]);
    assert!(empty.contains(header), "{empty}");
    let id = charmd.demo(r#"{"duration": 60}"#);
    let list = charmd.print(&["operation", "list", "-f", "csv"]);
    assert!(list.starts_with(&format!("{id},TASK,Demonstration,RUNNING,YES,2")), "{list}");
    assert_eq!(charmd.print(&["operation", "list", "--project", "foo", "-f", "csv"]), "");
    let json = charmd.print(&["operation", "list", "-f", "json"]);
    assert!(json.contains(&id) && json.contains("\"status_code\":103"), "{json}");
    let shown = charmd.print(&["operation", "show", &id]);
    for line in ["class: task", "status: Running", "status_code: 103", "may_cancel: true", "err: \"\""] {
        assert!(shown.lines().any(|found| found == line), "no `{line}` in\n{shown}");
    }
    assert!(shown.starts_with(&format!("id: {id}\n")), "{shown}");
    assert_eq!(charmd.fail(&["operation", "show", "nothing"]), "Error: Operation not found");
}

#[test]
fn lxc_cancels_operations() {
    let charmd = Charmd::start();
    let id = charmd.demo(r#"{"duration": 60}"#);
    assert_eq!(charmd.print(&["operation", "delete", &id]), format!("Operation {id} deleted\n"));
    charmd.list_until(&format!("{id},TASK,Demonstration,CANCELLED,NO"));
    let shown = charmd.print(&["operation", "show", &id]);
    assert!(shown.contains("status_code: 401\n") && shown.contains("err: cancelled by "), "{shown}");
    let refused = "Error: Only running operations can be cancelled";
    assert_eq!(charmd.fail(&["operation", "delete", &id]), refused);
    assert_eq!(charmd.fail(&["operation", "delete", "nothing"]), "Error: Operation not found");
}

#[test]
fn lxc_waits_for_a_whole_asynchronous_request() {
    let charmd = Charmd::start();
    let query = |outcome: &str| {
        let body =
            format!("{{\"kind\": \"demo\", \"input\": {{\"duration\": 0.3, \"outcome\": \"{outcome}\"}}}}");
        charmd.run(&["query", "--wait", "-X", "POST", "-d", &body, "/1.0/operations"])
    };
    let done = query("success");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && text.contains("\"status\": \"Success\""), "{text}");
    for (outcome, error) in
        [("failure", "Error: failed as it was told"), ("cancelled", "Error: cancelled itself as it was told")]
    {
        let output = query(outcome);
        assert_eq!(output.status.code(), Some(1), "{outcome}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).trim(), error);
    }
}

#[test]
fn lxc_monitors_operations() {
    let charmd = Charmd::start();
    // Writes its configuration first, so that the first event is not missed meanwhile.
    charmd.print(&["operation", "list"]);
    let mut monitor = charmd
        .lxc()
        .args(["monitor", "--type", "operation", "--format", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("lxc runs");
    let mut lines = BufReader::new(monitor.stdout.take().expect("piped")).lines().map_while(Result::ok);
    // Nobody says when it listens: operations are started until it hears of one.
    let socket = charmd.socket();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let starter = std::thread::spawn(move || {
        let mut started = 0;
        while stopped.recv_timeout(Duration::from_millis(300)).is_err() && started < 60 {
            use std::io::Write as _;
            let body = r#"{"kind": "demo", "input": {"duration": 0.1}}"#;
            let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("connected");
            write!(
                stream,
                "POST /1.0/operations HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .expect("sent");
            std::io::Read::read_to_string(&mut stream, &mut String::new()).expect("answered");
            started += 1;
        }
    });
    let seen = lines.find(|line| line.contains("\"status\":\"Success\""));
    stop.send(()).ok();
    starter.join().expect("a starter");
    monitor.kill().expect("killed");
    monitor.wait().expect("ended");
    let seen = seen.expect("an event");
    assert!(seen.contains("\"type\":\"operation\"") && seen.contains("demo_progress"), "{seen}");
}

#[test]
fn pylxd_gets_and_waits() {
    Charmd::start().python("gets_and_waits");
}

#[test]
fn pylxd_is_told_why_an_operation_did_not_succeed() {
    Charmd::start().python("failures");
}

#[test]
fn pylxd_hears_events() {
    Charmd::start().python("events");
}

#[test]
fn pylxd_works_in_projects() {
    Charmd::start().python("projects");
}
