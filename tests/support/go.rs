//! Programs in Go, built once for a run of tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Builds the program in `tests/go/NAME`, static as Juju's own are.
#[expect(clippy::disallowed_methods, reason = "starts the Go compiler")]
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join("go").join(name);
    if built.contains(name) {
        return program;
    }
    // Built beside and renamed: another run of tests may have started the one that is there.
    let fresh = folder.join("go").join(format!("{name}.{}", std::process::id()));
    let output = Command::new("go")
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(&fresh)
        .arg(format!("./{name}"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("go"))
        // No modules, no network, nothing of the user's.
        .envs([("GO111MODULE", "off"), ("GOFLAGS", ""), ("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local")])
        .env("GOPATH", folder.join("go-path"))
        .env("GOCACHE", folder.join("go-cache"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start `go`, run `tests/setup/debian.sh` first: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&fresh, &program).expect("it is in the same folder");
    built.insert(name.to_owned());
    program
}
