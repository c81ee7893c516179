//! A real etcd on loopback, and servers on it; everything ends with the test.

#![expect(clippy::disallowed_methods, reason = "starts etcd, and waits for it")]

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::charmd::Charmd;

/// How long etcd may take to be there.
const START: Duration = Duration::from_secs(30);

/// A port that nobody uses just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// The members of one etcd; killed when dropped.
pub(crate) struct Cluster {
    folder: TempDir,
    members: Vec<Member>,
    /// Clients have to use TLS, with a certificate.
    is_tls: bool,
}

struct Member {
    client: u16,
    peer: u16,
    child: Option<Child>,
}

impl Cluster {
    /// Starts an etcd of so many members, and waits until it answers.
    pub(crate) fn start(count: usize) -> Self {
        let cluster = Self::begin(count, tempfile::tempdir().expect("a folder"), false);
        cluster.wait();
        cluster
    }

    /// Starts an etcd of one member that takes nobody without a certificate; `folder` has `ca.pem`,
    /// `member.pem` and `member.key`.
    pub(crate) fn start_tls(folder: TempDir) -> Self {
        Self::begin(1, folder, true)
    }

    fn begin(count: usize, folder: TempDir, is_tls: bool) -> Self {
        let member = |_| Member { client: free_port(), peer: free_port(), child: None };
        let mut cluster = Self { folder, members: (0..count).map(member).collect(), is_tls };
        (0..count).for_each(|number| cluster.start_member(number));
        cluster
    }

    /// Where a file of it is.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Starts a member, with what it had when it was killed.
    pub(crate) fn start_member(&mut self, number: usize) {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let all: Vec<String> = self
            .members
            .iter()
            .enumerate()
            .map(|(number, member)| format!("m{number}={}", url(member.peer)))
            .collect();
        let data = self.file(&format!("m{number}"));
        let client = self.urls()[number].clone();
        let tls = [
            format!("--trusted-ca-file={}", self.file("ca.pem")),
            format!("--cert-file={}", self.file("member.pem")),
            format!("--key-file={}", self.file("member.key")),
            "--client-cert-auth".to_owned(),
        ];
        let tls = tls.into_iter().filter(|_| self.is_tls).collect::<Vec<_>>();
        let member = &mut self.members[number];
        let child = Command::new("etcd")
            .args(["--name", &format!("m{number}"), "--data-dir"])
            .arg(data)
            .args(tls)
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args([
                "--listen-peer-urls",
                &url(member.peer),
                "--initial-advertise-peer-urls",
                &url(member.peer),
            ])
            .args(["--initial-cluster", &all.join(","), "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd starts: tests/setup/debian.sh installs it");
        member.child = Some(child);
    }

    /// Waits until every member answers, and there is a leader.
    pub(crate) fn wait(&self) {
        for number in 0..self.members.len() {
            let begin = Instant::now();
            while self.ask(number, "/v3/kv/range", &json!({"key": "eA=="})).is_err() {
                assert!(begin.elapsed() < START, "etcd does not answer");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Kills a member with SIGKILL.
    pub(crate) fn kill_member(&mut self, number: usize) {
        if let Some(mut child) = self.members[number].child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Cuts a member off: it goes on later, as if nothing had happened.
    pub(crate) fn pause_member(&self, number: usize, is_paused: bool) {
        if let Some(child) = &self.members[number].child {
            pause(child, is_paused);
        }
    }

    /// Has etcd forget everything but what is now.
    pub(crate) fn compact(&self, number: usize) -> io::Result<()> {
        let answer = self.ask(number, "/v3/kv/range", &json!({"key": "eA=="}))?;
        self.ask(number, "/v3/kv/compaction", &json!({"revision": answer["header"]["revision"]})).map(drop)
    }

    pub(crate) fn ask(&self, number: usize, path: &str, body: &Value) -> io::Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.members[number].client))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let body = body.to_string();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(io::Error::other(answer));
        }
        Ok(serde_json::from_str(body)?)
    }

    /// The members, as `charmd` and the store take them.
    pub(crate) fn urls(&self) -> Vec<String> {
        let scheme = if self.is_tls { "https" } else { "http" };
        self.members.iter().map(|member| format!("{scheme}://127.0.0.1:{}", member.client)).collect()
    }

    /// Starts a server on this etcd.
    pub(crate) fn charmd(&self) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let charmd = Some(Charmd::start(folder.path(), &self.arguments()));
        Server { charmd, folder, arguments: self.arguments() }
    }

    fn arguments(&self) -> Vec<String> {
        vec!["--etcd".to_owned(), self.urls().join(",")]
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..self.members.len()).for_each(|number| self.kill_member(number));
    }
}

/// Stops a process, or has it go on.
fn pause(child: &Child, is_paused: bool) {
    let signal = if is_paused { "-STOP" } else { "-CONT" };
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill starts");
    assert!(status.success(), "the process is there");
}

/// A server that can be killed, and started again.
pub(crate) struct Server {
    charmd: Option<Charmd>,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Server {
    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("charmd.socket")
    }

    pub(crate) fn kill(&mut self) {
        self.charmd = None;
    }

    pub(crate) fn start(&mut self) {
        self.kill();
        self.charmd = Some(Charmd::start(self.folder.path(), &self.arguments));
    }

    pub(crate) fn pause(&self, is_paused: bool) {
        if let Some(charmd) = &self.charmd {
            pause(&charmd.child, is_paused);
        }
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("charmd.log")).expect("a log")
    }
}
