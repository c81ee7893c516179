//! A running `charmd`, and the program that talks to it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::charm::{comes_true, read, text};

/// The program `charmd`, built if need be: Cargo gives tests the programs of their own package only.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // What Cargo tells this test of its own package would have `ring` built anew.
        for (name, _) in std::env::vars_os().filter(|(name, _)| {
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.to_string_lossy().starts_with(own))
        }) {
            cargo.env_remove(name);
        }
        let output = cargo
            .args(["build", "--quiet", "--locked", "--package", "charms-reactive-server", "--bin", "charmd"])
            .arg("--message-format=json")
            .stderr(Stdio::inherit())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "charmd builds");
        let messages = text(&output.stdout);
        let program = messages.lines().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message["executable"].as_str()?))
        });
        program.expect("cargo tells where it is")
    })
}

/// A `charmd` of the test alone; killed when dropped.
pub(crate) struct Service {
    child: Running,
    folder: tempfile::TempDir,
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Service {
    /// On a unix socket.
    pub(crate) fn start() -> Self {
        let service = Self::with(&[]);
        assert!(comes_true(|| UnixStream::connect(service.socket()).is_ok()), "{}", service.log());
        service
    }

    /// On a unix socket, and with these arguments; `{}` is the folder of the test.
    pub(crate) fn with(args: &[&str]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), args)
    }

    pub(crate) fn within(folder: tempfile::TempDir, args: &[&str]) -> Self {
        let place = folder.path().display().to_string();
        let child = Command::new(program())
            .args(["serve", "--socket"])
            .arg(folder.path().join("socket"))
            .args(args.iter().map(|arg| arg.replace("{}", &place)))
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child: Running(child), folder }
    }

    /// Kills it, and starts it again where it was.
    pub(crate) fn killed_and_started(self, args: &[&str]) -> Self {
        drop(self.child);
        Self::within(self.folder, args)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    pub(crate) fn log(&self) -> String {
        read(&self.path("log"))
    }

    /// Where it listens on TCP.
    pub(crate) fn url(&self) -> String {
        let url = || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains("listening on http"))?;
            Some(line.rsplit(' ').next()?.to_owned())
        };
        assert!(comes_true(|| url().is_some()), "{}", self.log());
        url().unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        File::create(self.path(name)).unwrap().write_all(content.as_bytes()).unwrap();
    }

    /// `charms-reactive runtime-config`, to be started in the folder; nothing in the environment.
    pub(crate) fn bare(&self, args: &[&str]) -> Command {
        let mut command = client("runtime-config");
        command.args(args).current_dir(self.folder.path());
        command
    }

    /// The same, for this service.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare(args);
        command.env("CHARMD_SOCKET", self.socket());
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What a command printed where, and how it ended; times are blanked out.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        shown(&self.output(args))
    }

    /// The same of the words of a line.
    pub(crate) fn line(&self, line: &str) -> String {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Lines one after another, each with what came of it.
    pub(crate) fn lines(&self, lines: &[&str]) -> String {
        lines.iter().flat_map(|line| ["$ ", line, "\n", &self.line(line)].map(str::to_owned)).collect()
    }

    /// Runs what has to be fine.
    #[track_caller]
    pub(crate) fn fine(&self, line: &str) -> String {
        let output = self.output(&line.split_whitespace().collect::<Vec<_>>());
        assert!(output.status.success(), "{line}\n{}", shown(&output));
        text(&output.stdout)
    }
}

/// A subcommand that asks a server; nothing in the environment says which.
pub(crate) fn client(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_charms-reactive"));
    command.arg(subcommand).stdin(Stdio::null());
    for (variable, _) in charms_reactive_remote::VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// What a command shows at a terminal.
pub(crate) fn at_terminal(mut command: Command, during: impl FnOnce()) -> (ExitStatus, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let side = std::fs::OpenOptions::new().write(true).open(name).unwrap();
    let mut child = command.stderr(side).spawn().unwrap();
    // The command has the other side open, too.
    drop(command);
    during();
    // Read while it runs: a terminal takes only so much.  One whose other side is closed ends with an error.
    let mut shown = Vec::new();
    let _ = File::from(terminal).read_to_end(&mut shown);
    (child.wait().unwrap(), text(&shown))
}

/// What was printed where, and how it ended.
pub(crate) fn shown(output: &Output) -> String {
    let code = output.status.code().unwrap_or(-1);
    let printed = format!("{}{}", text(&output.stderr), text(&output.stdout));
    let end = if printed.is_empty() || printed.ends_with('\n') { "" } else { "\n" };
    let code = if code == 0 { String::new() } else { format!("[exit code {code}]\n") };
    // How many dots there are is a matter of time, too.
    let mut shown = timeless(&format!("{printed}{end}{code}"));
    while shown.contains("....") {
        shown = shown.replace("....", "...");
    }
    shown
}

/// A text in which all times are the same, down to the second; what is finer is left out.
pub(crate) fn timeless(text: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let is_like =
        |(found, shape): (u8, &u8)| if *shape == b'0' { found.is_ascii_digit() } else { found == *shape };
    let mut result = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if rest.len() >= SHAPE.len() && rest.bytes().zip(SHAPE).all(is_like) {
            result.push_str("2016-04-12T18:02:13");
            rest = &rest[SHAPE.len()..];
            let fraction =
                rest.strip_prefix('.').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            rest = fraction.unwrap_or(rest);
        } else {
            let first = rest.chars().next().unwrap_or_default();
            result.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    result
}
