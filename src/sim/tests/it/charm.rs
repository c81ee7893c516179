//! Charms in bash, and models to run them in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use charms_reactive_sim::{Builder, Event, JujuVersion, Sim};
use tempfile::TempDir;

/// Folders of charms, gone at the end of the test.
pub(crate) struct Charms {
    folder: TempDir,
    count: usize,
}

impl Charms {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), count: 0 }
    }

    /// A charm of these files; those that begin with `#!` are programs.
    pub(crate) fn files(&mut self, files: &[(&str, &str)]) -> PathBuf {
        self.count += 1;
        let folder = self.folder.path().join(self.count.to_string());
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
            write(&path, text);
        }
        folder
    }

    /// A charm with this metadata and one `dispatch`, whose body sees the hook's name in `$hook`.
    pub(crate) fn dispatch(&mut self, metadata: &str, body: &str) -> PathBuf {
        self.files(&[("metadata.yaml", metadata), ("dispatch", &script(body))])
    }
}

/// A program in bash that stops at the first command that fails.
pub(crate) fn script(body: &str) -> String {
    format!("#!/bin/bash\nset -euo pipefail\nhook=${{JUJU_DISPATCH_PATH##*/}}\n{body}\n")
}

#[expect(clippy::disallowed_methods, reason = "the tests make the charms they run")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A model with the hook-command program of this package.
pub(crate) fn builder() -> Builder {
    Sim::builder().seed(1).program(env!("CARGO_BIN_EXE_hook-command"))
}

/// A model of Juju 3.6.
pub(crate) fn sim() -> Sim {
    builder().build().expect("a simulation")
}

/// A model of another Juju.
pub(crate) fn sim_of(version: JujuVersion) -> Sim {
    builder().juju_version(version).build().expect("a simulation")
}

/// The body of a charm that does what tests put into its folder: `do/HOOK`, or `do/all` without one.
pub(crate) const DOES: &str = "if [ -e do/$hook ]; then . do/$hook; elif [ -e do/all ]; then . do/all; fi";

/// Has a unit whose charm is [`DOES`] run this in a hook.
pub(crate) fn on(sim: &Sim, unit: &str, hook: &str, body: &str) {
    let folder = sim.charm_dir(unit).expect("a unit").join("do");
    fs::create_dir_all(&folder).expect("a folder");
    write(&folder.join(hook), body);
}

/// Runs command lines of a unit one by one, and writes down what they say.
pub(crate) fn ask(sim: &mut Sim, unit: &str, lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let result = sim.exec(unit, line).expect("a unit that can run");
        text += &format!("$ {line}\n{}{}", result.stdout, result.stderr);
        if result.code != 0 {
            text += &format!("[{}]\n", result.code);
        }
    }
    text
}

/// The hooks of a unit from the `from`-th event on, in order, with what they were about.
pub(crate) fn hooks(sim: &Sim, from: usize) -> String {
    let hooks = sim.events()[from..].iter().filter_map(|event| match event {
        Event::HookStarted { unit, hook, about } | Event::HookSkipped { unit, hook, about } => {
            Some(format!("{unit} {hook} {}\n", about.as_deref().unwrap_or_default()).replace(" \n", "\n"))
        }
        _ => None,
    });
    hooks.collect()
}
