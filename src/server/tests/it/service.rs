//! `charmd service`: as a process, with systemd's own checker of unit files, and before a stand-in for Pebble.

#![expect(clippy::disallowed_methods, reason = "starts programs, and waits for them")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use charms_reactive_client::Client;
use expect_test::expect;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_charmd");

/// The folder of a unit's agent, with a charm that has `charmd`.
struct Agent {
    _root: tempfile::TempDir,
    root: PathBuf,
    charm: PathBuf,
}

impl Agent {
    fn below(deep: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join(deep);
        let charm = root.join("unit-web-0/charm");
        fs::create_dir_all(&charm).expect("made");
        fs::create_dir_all(root.join("bin")).expect("made");
        fs::copy(PROGRAM, charm.join("charmd")).expect("copied");
        Self { _root: folder, root, charm }
    }

    fn folder(&self) -> PathBuf {
        self.charm.with_file_name("charmd")
    }

    fn run(&self, deed: &str, more: &[&str]) -> Output {
        let mut command = Command::new(self.charm.join("charmd"));
        command.args(["service", deed]).args(more);
        command.env("JUJU_UNIT_NAME", "web/0").env("JUJU_CHARM_DIR", &self.charm);
        command.env("JUJU_CONTEXT_ID", "web/0-install-1").env("PATH", self.root.join("bin"));
        command.output().expect("charmd starts")
    }

    #[track_caller]
    fn done(&self, deed: &str, more: &[&str]) -> String {
        let output = self.run(deed, more);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{deed}: {} {told}", output.status);
        String::from_utf8(output.stdout).expect("text").replace(&self.root.display().to_string(), "ROOT")
    }

    fn process(&self) -> Option<u64> {
        let client = Client::unix(self.folder().join("socket"));
        let answer = client.request("GET", "/1.0", None).ok()?;
        answer.body["metadata"]["environment"]["server_pid"].as_u64()
    }

    /// A program of this name that writes down its arguments.
    fn stand_in(&self, name: &str) {
        let path = self.root.join("bin").join(name);
        let calls = self.root.join("calls");
        fs::write(&path, format!("#!/bin/sh\necho \"$@\" >> '{}'\n", calls.display())).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    fn take_calls(&self) -> String {
        let path = self.root.join("calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text
    }

    /// As Juju does it: another program takes the place of the first.
    fn upgrade(&self) {
        let path = self.charm.join("charmd");
        let mut program = fs::read(&path).expect("read");
        program.extend_from_slice(b"another one");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, program).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.run("remove", &["--supervisor", "process"]);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn a_process_is_installed_started_again_upgraded_and_removed() {
    // A path that no system takes for a socket.
    let agent = Agent::below(&"deep".repeat(30));
    let status = agent.run("status", &[]);
    assert_eq!(status.status.code(), Some(3));
    let told = agent.done("install", &[]);
    assert_eq!(told, "charmd-web-0 (no supervisor) answers on ROOT/unit-web-0/charmd/socket\n");
    let first = agent.process().expect("a process");
    let folder = agent.folder();
    let modes = [("socket", 0o660), ("data", 0o700), ("charmd", 0o755), ("log", 0o600)];
    assert_eq!(modes.map(|(name, _)| (name, mode(&folder.join(name)))), modes);
    // It is of no hook, in a session of its own, and belongs to the unit.
    let environment = fs::read_to_string(format!("/proc/{first}/environ")).expect("its environment");
    assert!(!environment.contains("JUJU_CONTEXT_ID"), "{environment}");
    assert!(environment.contains("JUJU_CHARM_DIR"), "{environment}");
    let stat = fs::read_to_string(format!("/proc/{first}/stat")).expect("its state");
    let session = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3));
    assert_eq!(session, Some(first.to_string().as_str()));

    // Nothing is new, so it goes on.
    agent.done("install", &[]);
    assert_eq!(agent.process(), Some(first));
    let client = Client::unix(folder.join("socket"));
    let body = json!({"at": "2999-01-01T00:00:00Z"});
    assert_eq!(client.request("PUT", "/1.0/wake-ups/a", Some(&body)).expect("an answer").status, 200);
    // Killed without warning, it comes back with all that it knew.
    Command::new("/bin/kill").args(["-9", &first.to_string()]).status().expect("killed");
    let second = wait_for(|| {
        agent.done("install", &[]);
        agent.process().filter(|process| *process != first)
    });
    let listed = client.request("GET", "/1.0/wake-ups", None).expect("an answer");
    assert_eq!(listed.body["metadata"][0]["name"], "a");

    agent.upgrade();
    agent.done("install", &[]);
    let third = agent.process().expect("a process");
    assert_ne!(third, second);
    agent.done("stop", &[]);
    assert_eq!((agent.process(), folder.join("data").exists()), (None, true));
    agent.done("start", &[]);
    let last = agent.process().expect("a process");
    agent.done("remove", &[]);
    assert!(!folder.exists());
    // One that nobody waits for has no command line any more.
    assert_eq!(fs::read(format!("/proc/{last}/cmdline")).unwrap_or_default(), b"");
    agent.done("remove", &[]);
}

#[track_caller]
fn wait_for<T>(look: impl Fn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_is_no_hook_says_which_unit() {
    let run = |arguments: &[&str]| {
        let output = Command::new(PROGRAM).args(["service", "status"]).args(arguments).env_clear().output();
        let output = output.expect("charmd starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).trim().to_owned())
    };
    let told = |what: &str| (Some(1), what.to_owned());
    assert_eq!(
        run(&[]),
        told(
            "charmd: cannot see to the service: no unit, expected `--unit`, or to be run in a hook, where Juju sets \
             JUJU_UNIT_NAME"
        )
    );
    assert_eq!(run(&["--unit", "web"]).0, Some(2));
    assert_eq!(run(&["--unit", "web/0", "--charm-dir", "/nonexistent/charm"]).0, Some(3));
}

#[test]
fn systemd_takes_the_unit_file() {
    // Names with what has a meaning in unit files.
    let agent = Agent::below("a b%n$HOME");
    agent.stand_in("systemctl");
    let units = agent.root.join("units");
    fs::create_dir(&units).expect("made");
    let place = units.display().to_string();
    let more = ["--supervisor", "systemd", "--systemd-units", &place];
    // The stand-in starts nothing: this one does, in its place.
    agent.done("install", &["--supervisor", "process"]);
    agent.done("install", &more);
    expect![[r"
        daemon-reload
        enable --now charmd-web-0.service
    "]]
    .assert_eq(&agent.take_calls());
    let file = units.join("charmd-web-0.service");
    let verify = || {
        let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output();
        let output = output.expect("`systemd-analyze` of Debian's package `systemd` starts");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(verify(), (true, String::new()));
    let text = fs::read_to_string(&file).expect("a unit file");
    let escaped = agent.root.display().to_string().replace('%', "%%");
    let shown = text.replace(&escaped.replace('$', "$$"), "ROOT").replace(&escaped, "ROOT");
    assert!(shown.contains("\nExecStart=\"ROOT/unit-web-0/charmd/charmd\" \"serve\" \"--unit\" \"web/0\" \"--charm\" \"ROOT/unit-web-0/charm\" \"--data\" \"ROOT/unit-web-0/charmd/data\" \"--socket\" \"ROOT/unit-web-0/charmd/socket\"\n"), "{shown}");
    assert!(shown.contains("\nWorkingDirectory=ROOT/unit-web-0/charmd\n"), "{shown}");
    // The checker does check.
    fs::write(&file, text.replace("Type=exec", "Type=whatever")).expect("written");
    assert!(!verify().1.is_empty());

    // Somebody has changed it: as it was, and restarted. Then nothing is new.
    agent.done("install", &more);
    expect![[r"
        daemon-reload
        enable --now charmd-web-0.service
        restart charmd-web-0.service
    "]]
    .assert_eq(&agent.take_calls());
    agent.done("install", &more);
    agent.upgrade();
    agent.done("install", &more);
    agent.done("stop", &more);
    agent.done("start", &more);
    expect![[r"
        enable --now charmd-web-0.service
        enable --now charmd-web-0.service
        restart charmd-web-0.service
        stop charmd-web-0.service
        reset-failed charmd-web-0.service
        start charmd-web-0.service
    "]]
    .assert_eq(&agent.take_calls());
    agent.done("stop", &["--supervisor", "process"]);
    agent.done("remove", &more);
    expect![[r"
        disable --now charmd-web-0.service
        daemon-reload
    "]]
    .assert_eq(&agent.take_calls());
    assert!(!file.exists() && !agent.folder().exists());
    // What is gone is gone.
    agent.done("remove", &more);
    assert_eq!(agent.take_calls(), "");
}

/// A Pebble that has the services of its layers, and starts none.
#[derive(Clone, Default)]
struct Pebble(Arc<Mutex<(Vec<String>, Value)>>);

impl Pebble {
    fn listen(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("bound");
        let pebble = Self::default();
        let answers = pebble.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a client");
                let mut request = Vec::new();
                let mut bytes = [0; 4096];
                let (head, body) = loop {
                    let count = stream.read(&mut bytes).expect("read");
                    request.extend_from_slice(&bytes[..count]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                    // A request without a body need not say so.
                    if Ok(body.len()) == length.unwrap_or("0").parse() {
                        break (head.to_owned(), body.to_owned());
                    }
                };
                let answer = answers.answer(head.split(" HTTP").next().expect("a line"), &body).to_string();
                let length = answer.len();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{answer}")
                    .expect("written");
            }
        });
        pebble
    }

    fn answer(&self, line: &str, body: &str) -> Value {
        let (calls, layer) = &mut *self.0.lock().expect("whole");
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        calls.push(format!("{line} {} {}", body["action"], body["services"]));
        match line {
            "POST /v1/layers" => {
                assert_eq!((&body["combine"], &body["label"]), (&json!(true), &json!("charmd-web-0")));
                *layer = serde_json::from_str(body["layer"].as_str().expect("a text")).expect("JSON");
                json!({"type": "sync", "status-code": 200, "result": true})
            }
            "POST /v1/services" => json!({"type": "async", "status-code": 202, "change": "7"}),
            "GET /v1/services?names=charmd-web-0" => {
                let known = if layer.is_null() { json!([]) } else { json!([{"name": "charmd-web-0"}]) };
                json!({"type": "sync", "status-code": 200, "result": known})
            }
            "GET /v1/changes/7/wait?timeout=30s" => {
                json!({"type": "sync", "status-code": 200, "result": {"id": "7", "ready": true}})
            }
            other => panic!("{other}"),
        }
    }

    fn take_calls(&self) -> String {
        std::mem::take(&mut self.0.lock().expect("whole").0).join("\n").replace(" null", "") + "\n"
    }

    fn service(&self) -> Value {
        self.0.lock().expect("whole").1["services"]["charmd-web-0"].clone()
    }
}

#[test]
fn pebble_is_told_of_the_service() {
    let agent = Agent::below("it's");
    let socket = agent.root.join("pebble.socket");
    let pebble = Pebble::listen(&socket);
    let path = socket.display().to_string();
    let more = ["--supervisor", "pebble", "--pebble-socket", &path];
    agent.done("remove", &more);
    assert_eq!(pebble.take_calls(), "GET /v1/services?names=charmd-web-0\n");
    // The stand-in starts nothing: this one does, in its place.
    agent.done("install", &["--supervisor", "process"]);
    agent.done("install", &more);
    let installed =
        "POST /v1/layers \"add\"\nPOST /v1/services \"replan\" []\nGET /v1/changes/7/wait?timeout=30s\n";
    assert_eq!(pebble.take_calls(), installed);
    let root = agent.root.display().to_string().replace('\'', r"'\''");
    let service = pebble.service();
    let command = service["command"].as_str().expect("a command").replace(&root, "ROOT");
    assert_eq!(
        command,
        "'ROOT/unit-web-0/charmd/charmd' 'serve' '--unit' 'web/0' '--charm' 'ROOT/unit-web-0/charm' '--data' 'ROOT/unit-web-0/charmd/data' \
         '--socket' 'ROOT/unit-web-0/charmd/socket'"
    );
    assert_eq!((&service["override"], &service["startup"]), (&json!("replace"), &json!("enabled")));
    agent.upgrade();
    agent.done("install", &more);
    let restarted = "POST /v1/services \"restart\" [\"charmd-web-0\"]\nGET /v1/changes/7/wait?timeout=30s\n";
    assert_eq!(pebble.take_calls(), format!("{installed}{restarted}"));
    agent.done("stop", &["--supervisor", "process"]);
    agent.done("remove", &more);
    assert_eq!(pebble.service()["startup"], "disabled");
    assert!(!agent.folder().exists());
}
