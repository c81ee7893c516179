//! Lays the twins out, and plays sequences with them.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::OnceLock;

use charms_reactive_sim::hookcmd::HookCommands;
use charms_reactive_sim::{CharmSource, Environment, InProcess};
use tempfile::TempDir;

use crate::compare::Mismatch;
use crate::difference::{Counts, Difference};
use crate::pair::{Pair, Seen, Side};
use crate::python::Server;
use crate::sequence::Sequence;
use crate::twin;

/// What came of a sequence.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) mismatch: Option<Mismatch>,
    pub(crate) counts: Counts,
    pub(crate) history: Vec<[Seen; 2]>,
    pub(crate) commands_of_python: Vec<String>,
    pub(crate) ended_by: Option<Difference>,
    /// What was said; only where there is a mismatch.
    pub(crate) transcripts: String,
}

/// How dispatches are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// In this process, and in a child of the server.
    Warm,
    /// As the programs that Juju would run.
    Cold,
}

/// Plays sequences, with a server for the twin in Python.
pub(crate) struct Player {
    server: Server,
}

impl Player {
    pub(crate) fn new() -> Self {
        Self { server: Server::start() }
    }

    pub(crate) fn play(&self, sequence: &Sequence) -> Played {
        self.play_with(sequence, Start::Warm)
    }

    pub(crate) fn play_with(&self, sequence: &Sequence, start: Start) -> Played {
        let folder = folder();
        let errors = Rc::new(RefCell::new(String::new()));
        let (python, rust) = (lay_out_python(&folder, sequence), lay_out_rust(&folder, sequence));
        let (python, rust) = match start {
            Start::Cold => (CharmSource::Folder(python), CharmSource::Folder(rust)),
            Start::Warm => {
                let run = |commands: Box<dyn HookCommands>, environment: &Environment| {
                    dispatch(commands, environment)
                };
                let rust = InProcess::from_folder(&rust, run).files(&rust);
                let python = self.server.charm(&python, Rc::clone(&errors));
                (CharmSource::InProcess(python), CharmSource::InProcess(rust))
            }
        };
        let python = Side::new(&folder.path().join("p"), true, python, errors, sequence.seed);
        let rust = Side::new(&folder.path().join("r"), false, rust, Rc::default(), sequence.seed);
        let mut pair = Pair::new(python, rust, sequence);
        let mismatch = pair.play(&sequence.events).err();
        // The folder has another name each time.
        let place = folder.path().to_string_lossy();
        let commands = pair.commands_of_python().iter().map(|text| text.replace(&*place, "FOLDER")).collect();
        Played {
            transcripts: mismatch.as_ref().map_or_else(String::new, |_| pair.transcripts()),
            mismatch,
            counts: pair.counts().clone(),
            commands_of_python: commands,
            ended_by: pair.ended_by,
            history: pair.history,
        }
    }
}

/// A folder in memory, where there is one: the store of a charm in Python waits for the disk at each change.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
        .expect("a temporary folder")
}

/// One dispatch of the twin in Rust, as its program would run it.
fn dispatch(commands: Box<dyn HookCommands>, environment: &Environment) -> i32 {
    let variable = |name: &str| environment.var(name).map(str::to_owned);
    let Ok(context) = charms_reactive::Context::read(variable, environment.seed()) else { return 1 };
    let app = twin::app(&context.charm_dir.join("program.json"));
    i32::from(charms_reactive::dispatch(&app, commands, context).is_err())
}

/// The folder of the twin in Python, with the program of a sequence.
pub(crate) fn lay_out_python(folder: &TempDir, sequence: &Sequence) -> PathBuf {
    static CHARM: OnceLock<PathBuf> = OnceLock::new();
    let charm = CHARM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twins/twin-python");
        // Nothing is there the first time.
        let _ = fs::remove_dir_all(&folder);
        lay_out_with_script(&folder);
        folder
    });
    let target = folder.path().join("twin-python");
    copy(charm, &target);
    write_program(&target, sequence);
    target
}

/// The folder of the twin in Rust, with the program of a sequence.
pub(crate) fn lay_out_rust(folder: &TempDir, sequence: &Sequence) -> PathBuf {
    let charm = Path::new(env!("CARGO_MANIFEST_DIR")).join("charms/twin-rust");
    let target = folder.path().join("twin-rust");
    fs::create_dir_all(&target).expect("a folder");
    for file in ["metadata.yaml", "config.yaml"] {
        fs::copy(charm.join(file), target.join(file)).expect("a file of the charm");
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_twin-charm"), target.join("dispatch")).expect("a link");
    write_program(&target, sequence);
    target
}

#[expect(clippy::disallowed_methods, reason = "a file of the test, no hook's")]
fn write_program(folder: &Path, sequence: &Sequence) {
    let text = serde_json::to_string_pretty(&sequence.program).expect("a program is JSON");
    fs::write(folder.join("program.json"), text).expect("a file that can be written");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file that can be copied");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a script of this repository lays out Python charms")]
fn lay_out_with_script(folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/lay-out-python-charm.sh");
    let output = Command::new(&script).arg("twin-python").arg(folder).output().expect("a script");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Compiled once, not in each dispatch; Python does not look whether the texts are newer.
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let compiled = Command::new(python)
        .args(["-Im", "compileall", "-q", "--invalidation-mode", "unchecked-hash"])
        .arg(folder)
        .status()
        .expect("Python");
    assert!(compiled.success());
}
