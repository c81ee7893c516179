//! How the unit is woken.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use charms_reactive_core::UnitName;

/// How long a dispatch may take, with the wait for the hooks before it.
const DISPATCH_MAX: Duration = Duration::from_mins(10);
/// How much of what a dispatch said is logged, when it failed.
const OUTPUT_BYTES_MAX: usize = 2000;

/// What runs a script between two hooks of a unit: of Juju 3 and later, and of 2.9.
const PROGRAMS: [&str; 2] = ["juju-exec", "juju-run"];
/// Where it is, when it is not on the `PATH`.
const FOLDER: &str = "/usr/bin";

/// What wakes a unit.
///
/// # Source
///
/// A script that Juju runs in a hook context is a hook to the charm when it says so in these variables.  Juju
/// refuses those who are in a hook themselves, which it knows by `JUJU_CONTEXT_ID`.
const SCRIPT: &str = "JUJU_DISPATCH_PATH=hooks/wake-up JUJU_HOOK_NAME=wake-up ./dispatch";

/// The way to Juju, for one unit.
#[derive(Clone, Debug)]
pub struct Juju {
    unit: UnitName,
    path: Vec<PathBuf>,
}

impl Juju {
    /// For this unit; `path` are the folders with programs.
    pub fn new(unit: UnitName, path: &str) -> Self {
        Self { unit, path: std::env::split_paths(path).collect() }
    }

    fn program(&self) -> Option<PathBuf> {
        let folders = || self.path.iter().cloned().chain([PathBuf::from(FOLDER)]);
        let all = PROGRAMS.iter().flat_map(|name| folders().map(move |folder| folder.join(name)));
        all.into_iter().find(|path| path.is_file())
    }

    /// Has the unit dispatch once, and waits for it; tells whether that ended well.
    pub(super) async fn wake(&self) -> bool {
        let Some(program) = self.program() else {
            log::warn!("cannot wake {}: there is no `juju-exec`", self.unit);
            return false;
        };
        #[expect(clippy::disallowed_methods, reason = "the one program that wakes a unit")]
        let mut command = std::process::Command::new(&program);
        command.arg(self.unit.to_string()).arg(SCRIPT);
        command.env_remove("JUJU_CONTEXT_ID").stdin(Stdio::null());
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        let problem = match tokio::time::timeout(DISPATCH_MAX, output).await {
            Ok(Ok(output)) if output.status.success() => return true,
            Ok(Ok(output)) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.trim();
                let cut = said.ceil_char_boundary(said.len().saturating_sub(OUTPUT_BYTES_MAX));
                format!("{}: {}", output.status, &said[cut..])
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not done after {DISPATCH_MAX:?}"),
        };
        log::warn!("cannot wake {}: `{}`: {problem}", self.unit, program.display());
        false
    }
}
