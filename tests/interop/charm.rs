//! The charms of the tests, laid out as Juju wants them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::model::Language;

/// The four charms that can be combined.
pub(crate) struct Charms {
    folder: PathBuf,
}

/// Lays the charms out, once for all tests.
pub(crate) fn charms() -> &'static Charms {
    static CHARMS: OnceLock<Charms> = OnceLock::new();
    CHARMS.get_or_init(Charms::lay_out)
}

impl Charms {
    /// The charm that registers jobs.
    pub(crate) fn provider(&self, language: Language) -> PathBuf {
        self.folder.join(match language {
            Language::Rust => "scrape-jobs",
            Language::Python => "python-provider",
        })
    }

    /// The charm that takes them.
    pub(crate) fn requirer(&self, language: Language) -> PathBuf {
        self.folder.join(match language {
            Language::Rust => "jobs-acceptor",
            Language::Python => "python-requirer",
        })
    }

    fn lay_out() -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let top = tests.parent().expect("the tests are in a workspace");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
        if let Err(error) = fs::remove_dir_all(&folder) {
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::NotFound,
                "cannot remove `{}`: {error}",
                folder.display()
            );
        }
        assert!(
            top.join(".venv/installed").is_file(),
            "Python's charms.reactive is not installed, run `tests/setup/python.sh` first"
        );
        for name in ["python-provider", "python-requirer"] {
            lay_out_python(tests, name, &folder.join(name));
        }
        let files = ["metadata.yaml", "config.yaml", "actions.yaml"];
        lay_out_rust(&folder.join("scrape-jobs"), top, &files, env!("CARGO_BIN_EXE_prometheus-scrape-jobs"));
        let acceptor = tests.join("charms/jobs-acceptor");
        let program = env!("CARGO_BIN_EXE_jobs-acceptor");
        lay_out_rust(&folder.join("jobs-acceptor"), &acceptor, &["metadata.yaml"], program);
        Self { folder }
    }
}

/// Links instead of copies: each unit gets a copy from the model.
fn lay_out_rust(folder: &Path, from: &Path, files: &[&str], program: &str) {
    fs::create_dir_all(folder).expect("a folder below the target folder");
    for file in files {
        symlink(from.join(file), folder.join(file)).expect("a link");
    }
    symlink(program, folder.join("dispatch")).expect("a link");
}

#[expect(clippy::disallowed_methods, reason = "a script of this repository lays out Python charms")]
fn lay_out_python(tests: &Path, name: &str, folder: &Path) {
    let script = tests.join("setup/lay-out-python-charm.sh");
    let output = Command::new(&script).arg(name).arg(folder).output().expect("a script that can be run");
    assert!(
        output.status.success(),
        "`{} {name}` failed: {}",
        script.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Writes a charm that is one script in bash, which sees the hook's name in `$hook`.
pub(crate) fn bash(folder: &Path, metadata: &str, body: &str) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    write(&folder.join("metadata.yaml"), metadata, 0o644);
    let head = "#!/bin/bash\nset -euo pipefail\nhook=${JUJU_DISPATCH_PATH##*/}\n";
    write(&folder.join("dispatch"), &format!("{head}{body}\n"), 0o755);
    folder.to_owned()
}

/// Writes a file of a test.
#[expect(clippy::disallowed_methods, reason = "a file of the test, no hook's")]
pub(crate) fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("a file that can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}
