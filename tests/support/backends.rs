//! One life of a charm that runs every kind of hook command, and what each of them answered: the same,
//! whatever backend it goes through.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use charms_reactive_testkit::{InProcess, Sim};
use tempfile::TempDir;

#[path = "command_list.rs"]
mod command_list;

/// The charm's own program, which opens the backend that a variable names.
const PROGRAM: &str = env!("CARGO_BIN_EXE_every-command");

/// What is seen from outside of a life.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Every command of `web/0` and its answer.
    pub(crate) answers: String,
    /// The model at the end.
    pub(crate) snapshot: String,
    /// Every hook and hook command, in the model's own words.
    pub(crate) commands: String,
}

/// How the charm reaches the model.
pub(crate) enum Way<'a> {
    /// As a function of this program.
    InProcess,
    /// As a program, started by this shell script with the program in `$SUITE`, and with these hook
    /// commands in `PATH`.
    Program { script: &'a str, hook_commands: Option<&'a Path> },
}

/// A charm that starts its program with a backend of this name.
pub(crate) fn script(backend: &str) -> String {
    format!("export CHARMS_REACTIVE_BACKEND={backend}\nexec \"$SUITE\"\n")
}

/// Installs two peers, configures them, runs an action, removes one; whatever was asked and answered.
pub(crate) fn live(way: &Way<'_>) -> Record {
    let folder = tempfile::tempdir().expect("a folder");
    let mut builder = Sim::builder().seed(11);
    if let Way::Program { hook_commands: Some(program), .. } = way {
        builder = builder.program(program);
    }
    let mut sim = builder.build().expect("a model");
    lay_out(&folder, way);
    match way {
        Way::InProcess => {
            let charm = InProcess::from_folder(folder.path(), |mut commands, environment| {
                let dir = PathBuf::from(environment.var("JUJU_CHARM_DIR").expect("Juju sets it"));
                let variable = |name: &str| environment.var(name).map(str::to_owned);
                command_list::run_all(&mut *commands, variable, &dir);
                0
            });
            sim.deploy("web", charm.files(folder.path()), 2).expect("deployed");
        }
        Way::Program { .. } => sim.deploy("web", folder.path(), 2).expect("deployed"),
    }
    settle(&mut sim);
    sim.configure("web", &[("title", "\u{e9}t\u{e9}")]).expect("configured");
    settle(&mut sim);
    sim.run_action("web/0", "report", serde_json::json!({"depth": 3})).expect("an action");
    let answers = sim.charm_dir("web/0").expect("a unit").join(command_list::REPORT);
    let answers = fs::read_to_string(answers).expect("every hook writes into it");
    sim.remove_unit("web/1").expect("removed");
    settle(&mut sim);
    // Without the report, which has secret ids in it; the folder of this run; and the command that does
    // not exist, of which a model hears only where it is asked for it.
    let root = sim.charm_dir("web/0").expect("a unit");
    let root = root.ancestors().nth(3).expect("the model's own folder").to_string_lossy().into_owned();
    let is_compared = |line: &&str| {
        ![command_list::REPORT, &root, "no-such-command"].iter().any(|left_out| line.contains(left_out))
    };
    let comparable = |text: &str| text.lines().filter(is_compared).collect::<Vec<_>>().join("\n");
    let snapshot = comparable(&sim.snapshot().to_string());
    let texts = without_chance([answers, snapshot, comparable(&sim.transcript())]);
    let [answers, snapshot, commands] = texts;
    Record { answers, snapshot, commands }
}

/// Secrets with numbers for their ids, which a model draws.
fn without_chance<const N: usize>(mut texts: [String; N]) -> [String; N] {
    const ID_CHARS: usize = 20;
    let mut ids: Vec<String> = Vec::new();
    for text in &texts {
        for (_, rest) in text.match_indices("secret:").map(|(at, word)| text.split_at(at + word.len())) {
            let id: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            if id.len() == ID_CHARS && !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    for (number, id) in ids.iter().enumerate() {
        texts = texts.map(|text| text.replace(id.as_str(), &number.to_string()));
    }
    texts
}

impl Record {
    /// Holds this life against another, and shows where they part.
    #[track_caller]
    pub(crate) fn assert_same(&self, expected: &Self) {
        for (found, expected) in [
            (&self.answers, &expected.answers),
            (&self.snapshot, &expected.snapshot),
            (&self.commands, &expected.commands),
        ] {
            let lines = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
            let common = lines.unwrap_or_else(|| found.lines().count().min(expected.lines().count()));
            let around = |text: &str| {
                let from = common.saturating_sub(4);
                text.lines().skip(from).take(8).collect::<Vec<_>>().join("\n")
            };
            let (shown, wanted) = (around(found), around(expected));
            assert!(found == expected, "line {common}, found:\n{shown}\nexpected:\n{wanted}");
        }
    }
}

#[track_caller]
fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("a model that comes to rest");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

#[expect(clippy::disallowed_methods, reason = "the tests make the charms they run")]
pub(crate) fn lay_out(folder: &TempDir, way: &Way<'_>) {
    let charm = Path::new(env!("CARGO_MANIFEST_DIR")).join("charms/every-command");
    for name in ["metadata.yaml", "config.yaml", "actions.yaml", "settings.yaml"] {
        fs::copy(charm.join(name), folder.path().join(name)).expect("a file of the charm");
    }
    if let Way::Program { script, .. } = way {
        let dispatch = folder.path().join("dispatch");
        fs::write(&dispatch, format!("#!/bin/sh\nSUITE={PROGRAM}\n{script}")).expect("a program");
        fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
}
