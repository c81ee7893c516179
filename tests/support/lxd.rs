//! A real LXD in a folder of its own.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running LXD; killed when dropped, and nothing of it is left.
///
/// It is on a unix socket, and on a port of loopback, without which it gives no tokens. Only root can start it.
pub(crate) struct Lxd {
    child: Child,
    folder: tempfile::TempDir,
}

impl Lxd {
    /// Starts one, and waits until it is ready.
    #[expect(clippy::disallowed_methods, reason = "starts LXD")]
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        DirBuilder::new().mode(0o711).create(folder.path().join("lxd")).expect("a folder");
        let log = File::create(folder.path().join("log")).expect("a log");
        // It mounts things: in a namespace of its own, they go with it.
        let child = Command::new("unshare")
            .args(["--mount", "lxd", "--group", "root"])
            .env("LXD_DIR", folder.path().join("lxd"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("unshare starts");
        let lxd = Self { child, folder };
        lxd.run("lxd", &["waitready", "--timeout=60"]);
        lxd.run("lxc", &["config", "set", "core.https_address", "127.0.0.1:0"]);
        lxd
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("lxd/unix.socket")
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs one of its own programs.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "starts programs of LXD")]
    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program)
            .args(arguments)
            .env("LXD_DIR", self.folder.path().join("lxd"))
            .env("LXD_CONF", self.folder.path().join("conf"))
            .output()
            .unwrap_or_else(|error| panic!("cannot start `{program}`, run `tests/setup/debian.sh`: {error}"));
        let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?} (as root?): {said}\n{}", log());
    }
}

impl Drop for Lxd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
