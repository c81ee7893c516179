//! The charms, laid out as Juju wants them, and models to run them in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use charms_reactive_sim::{Builder, Event, Sim};
use tempfile::TempDir;

/// The settings of a model with the hook commands of this package.
pub(crate) fn builder() -> Builder {
    Sim::builder().seed(5).program(env!("CARGO_BIN_EXE_sim-hook-command"))
}

/// A charm of this package in a folder of its own, gone with the value.
pub(crate) struct Charm {
    folder: TempDir,
}

impl Charm {
    /// Copies the charm of this name; a `dispatch` in Python gets the interpreter with what it imports.
    pub(crate) fn lay_out(name: &str) -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(&tests.join("charms").join(name), folder.path());
        let dispatch = folder.path().join("dispatch");
        if let Ok(text) = fs::read_to_string(&dispatch) {
            let python = tests.parent().expect("the tests are in a workspace").join(".venv/bin/python");
            assert!(python.exists(), "ops is not installed, run `tests/setup/python.sh` first");
            let (_, rest) = text.split_once('\n').expect("a program of several lines");
            write(&dispatch, &format!("#!{} -IB\n{rest}", python.display()));
        }
        Self { folder }
    }

    /// The same with another file.
    pub(crate) fn with(self, name: &str) -> Self {
        write(&self.folder.path().join(name), "");
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests make the charms they run")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a charm of this package").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file of the charm");
            let mode = entry.metadata().expect("listed just now").permissions().mode();
            fs::set_permissions(&target, fs::Permissions::from_mode(mode)).expect("a mode");
        }
    }
}

/// Runs all that is due, and sees to it that no hook failed.
#[track_caller]
pub(crate) fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("a model that comes to rest");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

/// The hooks of a unit that ended well, from the `from`-th event on.
pub(crate) fn committed(sim: &Sim, unit: &str, from: usize) -> Vec<String> {
    let hooks = sim.events()[from..].iter().filter_map(|event| match event {
        Event::HookEnded { unit: ended, hook, committed: true, .. } if ended.to_string() == unit => {
            Some(hook.clone())
        }
        _ => None,
    });
    hooks.collect()
}
