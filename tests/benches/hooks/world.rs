//! The programs that are measured, built and laid out, and the Juju that they find: stubs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use charms_reactive::hookcmd::program::COMMANDS;
use tempfile::TempDir;

use super::duty::Duty;
use super::packed::{output, tests};

/// What the stub hook commands answer, and the programs that the dispatches of one duty find.
pub(crate) struct World {
    folder: TempDir,
    duty: Duty,
    variables: BTreeMap<&'static str, String>,
}

impl World {
    /// A unit with a duty, in this hook.
    pub(crate) fn new(duty: Duty, hook: &str, stub: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { folder, duty, variables: BTreeMap::new() };
        link_all(stub, &world.path("bin"));
        fs::create_dir(world.path("answers")).expect("a folder");
        let text = |path: &str| world.path(path).to_string_lossy().into_owned();
        let mut variables = BTreeMap::from([
            ("JUJU_UNIT_NAME", "web/0".to_owned()),
            ("JUJU_DISPATCH_PATH", format!("hooks/{hook}")),
            ("JUJU_HOOK_NAME", hook.to_owned()),
            ("JUJU_MODEL_NAME", "bench".to_owned()),
            ("JUJU_MODEL_UUID", "cdac5656-0423-4b28-8e4c-7e5b3a9a5b4b".to_owned()),
            ("JUJU_VERSION", "3.6.1".to_owned()),
            ("JUJU_CONTEXT_ID", "web/0-hook-0011".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", format!("{}:/usr/bin:/bin", text("bin"))),
            ("STUB_ANSWERS", text("answers")),
            ("BENCH_DUTY", duty.name().to_owned()),
        ]);
        if hook.contains("-relation-") {
            variables.extend([
                ("JUJU_RELATION", "db".to_owned()),
                ("JUJU_RELATION_ID", "db:1".to_owned()),
                ("JUJU_REMOTE_APP", "mysql".to_owned()),
                ("JUJU_REMOTE_UNIT", "mysql/0".to_owned()),
            ]);
        }
        let world = Self { variables, ..world };
        for (name, answer) in [
            ("state-get", "{}"),
            ("config-get", "{}"),
            ("is-leader", "true"),
            ("relation-ids", "[\"db:1\"]"),
            ("relation-list", "[\"mysql/0\"]"),
            ("relation-get", "{}"),
            ("relation-get.own", "{}"),
        ] {
            world.answer(name, answer);
        }
        world
    }

    /// Whether ops has something of the kind.
    pub(crate) fn is_for_ops(&self) -> bool {
        matches!(self.duty, Duty::Idle | Duty::Changed)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a hook command answers.
    #[expect(clippy::disallowed_methods, reason = "a bench makes the world it measures in")]
    pub(crate) fn answer(&self, name: &str, text: &str) {
        fs::write(self.path("answers").join(name), text).expect("a file");
    }

    /// The same world with other hook commands in `PATH`, and these variables.
    pub(crate) fn with_commands(mut self, program: &Path, variables: &[(&'static str, String)]) -> Self {
        link_all(program, &self.path("other-bin"));
        let path = format!("{}:/usr/bin:/bin", self.path("other-bin").display());
        self.variables.insert("PATH", path);
        self.variables.extend(variables.iter().cloned());
        self
    }

    /// The charm directory of a side, and what is started there.
    pub(crate) fn charm(&self, name: &str, program: &Path) -> Dispatch<'_> {
        let dir = self.path(name);
        fs::create_dir_all(&dir).expect("a folder");
        fs::copy(tests().join("benches/hooks/metadata.yaml"), dir.join("metadata.yaml")).expect("a file");
        Dispatch { world: self, dir, program: program.to_owned(), args: Vec::new(), variables: Vec::new() }
    }

    /// The charm on charms.reactive; `handlers` is added to its own.
    #[expect(clippy::disallowed_methods, reason = "a bench makes the charms it measures")]
    pub(crate) fn reactive(&self, handlers: &str) -> Dispatch<'_> {
        let from = tests().join("benches/hooks");
        let mut charm = self.charm("reactive", &python());
        let relations = charm.dir.join("reactive/relations/mysql");
        fs::create_dir_all(&relations).expect("a folder");
        fs::write(relations.join("__init__.py"), "").expect("a file");
        fs::copy(from.join("requires.py"), relations.join("requires.py")).expect("a file");
        let text = fs::read_to_string(from.join("reactive.py")).expect("the charm") + handlers;
        fs::write(charm.dir.join("reactive/bench.py"), text).expect("a file");
        fs::copy(tests().join("charms/python-base/dispatch"), charm.dir.join("dispatch.py")).expect("a file");
        // Compiled files are kept, as in a charm that has run before.
        charm.args = vec!["-I".to_owned(), charm.dir.join("dispatch.py").display().to_string()];
        charm
    }

    /// The charm on ops.
    pub(crate) fn ops(&self) -> Dispatch<'_> {
        let mut charm = self.charm("ops", &python());
        fs::create_dir_all(charm.dir.join("src")).expect("a folder");
        let program = charm.dir.join("src/charm.py");
        fs::copy(tests().join("benches/hooks/ops_charm.py"), &program).expect("a file");
        charm.args = vec!["-I".to_owned(), program.display().to_string()];
        charm
    }
}

fn python() -> PathBuf {
    let python = tests().parent().expect("the tests are in a workspace").join(".venv/bin/python");
    assert!(python.exists(), "charms.reactive and ops are not installed, run `tests/setup/python.sh` first");
    python
}

fn link_all(program: &Path, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for command in COMMANDS {
        symlink(program, folder.join(command.name)).expect("a link");
    }
}

/// A program that is started as Juju starts a charm.
pub(crate) struct Dispatch<'a> {
    world: &'a World,
    pub(crate) dir: PathBuf,
    program: PathBuf,
    args: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Dispatch<'_> {
    /// The same with another variable.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    #[expect(clippy::disallowed_methods, reason = "a bench starts programs")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir).env_clear().envs(&self.world.variables);
        let dir = self.dir.as_os_str();
        command.env("JUJU_CHARM_DIR", dir).env("CHARM_DIR", dir);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// One dispatch from what was kept: without it, only the first would have something to do.
    pub(crate) fn run_anew(&self) {
        let saved = self.dir.join("saved.db");
        if saved.exists() {
            fs::copy(saved, self.dir.join(".unit-state.db")).expect("a file");
        }
        self.run();
    }

    /// Keeps the state of charmhelpers for the dispatches that follow.
    pub(crate) fn keep_state(&self) {
        let state = self.dir.join(".unit-state.db");
        fs::copy(state, self.dir.join("saved.db")).expect("charms.reactive has run");
    }

    /// One dispatch, which has to end well.
    pub(crate) fn run(&self) {
        let output = self.command().output().expect("a program");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} in {:?}: {said}", self.program.display(), self.world.duty);
    }

    /// The hook commands of one dispatch.
    pub(crate) fn commands(&self) -> Vec<String> {
        let count = self.dir.join("count");
        let output = self.command().env("STUB_COUNT", &count).output().expect("a program");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} in {:?}: {said}", self.program.display(), self.world.duty);
        let counted = fs::read_to_string(&count).unwrap_or_default();
        let _ = fs::remove_file(&count);
        counted.lines().map(str::to_owned).collect()
    }
}

/// The stub hook command, and a program that does nothing: static, with musl where we are packed with it.
pub(crate) fn stubs(folder: &Path) -> [PathBuf; 2] {
    let empty = folder.join("empty.rs");
    #[expect(clippy::disallowed_methods, reason = "a bench makes the programs it measures against")]
    fs::write(&empty, "fn main() {}\n").expect("a file");
    let print = |what: &str| output("rustc", &["--print", what], folder).trim().to_owned();
    let musl = print("host-tuple").replace("-gnu", "-musl");
    let libraries = Path::new(&print("sysroot")).join("lib/rustlib").join(&musl).join("lib");
    let target = if libraries.is_dir() { musl } else { print("host-tuple") };
    [("stub", tests().join("benches/hooks/stub.rs")), ("empty", empty)].map(|(name, source)| {
        let program = folder.join(name);
        let (to, from) = (program.to_string_lossy(), source.to_string_lossy());
        let flags =
            ["-O", "--edition=2024", "-Ctarget-feature=+crt-static", "-Cpanic=abort", "-Cstrip=symbols"];
        let files = ["--target", &target, "-o", &to, &from];
        output("rustc", &[&flags[..], &files[..]].concat(), folder);
        program
    })
}
