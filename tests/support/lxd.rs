//! A real LXD, or a real Incus, in a folder of its own.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running LXD, or Incus; killed when dropped, and nothing of it is left.
///
/// It is on a unix socket, and on a port of loopback, without which it gives no tokens. Only root can start it.
pub(crate) struct Lxd {
    child: Child,
    folder: tempfile::TempDir,
    programs: Programs,
}

/// The programs of one of the two.
struct Programs {
    server: PathBuf,
    client: PathBuf,
    /// What the names of their variables begin with.
    prefix: &'static str,
    /// Where libraries are that the system has not.
    libraries: PathBuf,
}

impl Programs {
    fn lxd() -> Self {
        Self { server: "lxd".into(), client: "lxc".into(), prefix: "LXD", libraries: PathBuf::new() }
    }

    #[expect(clippy::disallowed_methods, reason = "starts the script that unpacks them")]
    fn incus() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .find(|folder| folder.join("Cargo.lock").exists());
        let top = top.expect("a workspace");
        let unpacked = Command::new(top.join("tests/setup/incus.sh")).status().expect("the script runs");
        assert!(unpacked.success(), "tests/setup/incus.sh unpacks Incus");
        let root = top.join("target/tools/incus/usr");
        let machine = std::env::consts::ARCH;
        Self {
            server: root.join("libexec/incus/incusd"),
            client: root.join("bin/incus"),
            prefix: "INCUS",
            libraries: root.join(format!("lib/{machine}-linux-gnu")),
        }
    }

    /// One of them, at the server in this folder.
    #[expect(clippy::disallowed_methods, reason = "starts programs of LXD")]
    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env(format!("{}_DIR", self.prefix), folder.join("data"));
        command.env(format!("{}_CONF", self.prefix), folder.join("conf"));
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }
}

/// The client of Incus, unpacked from Debian's packages, for a server on a socket.
pub(crate) fn incus(socket: &Path, conf: &Path) -> Command {
    let programs = Programs::incus();
    let mut command = programs.command(&programs.client, conf);
    command.env("INCUS_SOCKET", socket).env("INCUS_CONF", conf);
    command
}

impl Lxd {
    /// Starts an LXD, and waits until it is ready.
    pub(crate) fn start() -> Self {
        Self::start_with(Programs::lxd())
    }

    /// Starts an Incus, and waits until it is ready.
    pub(crate) fn start_incus() -> Self {
        Self::start_with(Programs::incus())
    }

    fn start_with(programs: Programs) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        DirBuilder::new().mode(0o711).create(folder.path().join("data")).expect("a folder");
        let log = File::create(folder.path().join("log")).expect("a log");
        // It mounts things: in a namespace of its own, they go with it.
        let child = programs
            .command(Path::new("unshare"), folder.path())
            .arg("--mount")
            .arg(&programs.server)
            .args(["--group", "root"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("unshare starts");
        let lxd = Self { child, folder, programs };
        lxd.run(&lxd.programs.server, &["waitready", "--timeout=60"]);
        lxd.run(&lxd.programs.client, &["config", "set", "core.https_address", "127.0.0.1:0"]);
        lxd
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("data/unix.socket")
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs one of its own programs.
    #[track_caller]
    fn run(&self, program: &Path, arguments: &[&str]) {
        let output = self.programs.command(program, self.folder.path()).args(arguments).output();
        let output = output.unwrap_or_else(|error| {
            panic!("cannot start `{}`, run `tests/setup/debian.sh`: {error}", program.display())
        });
        let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {arguments:?} (as root?): {said}\n{}", program.display(), log());
    }
}

impl Drop for Lxd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
