//! The settings of a simulation.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charms_reactive_hookcmd::program::exec;
use tempfile::TempDir;

use crate::agent::Agents;
use crate::clock::{Clock, UPDATE_STATUS_INTERVAL};
use crate::commands;
use crate::error::{RunError, SimError};
use crate::model::{Model, Substrate};
use crate::page;
use crate::sim::{Settings, Sim};
use crate::version::JujuVersion;

/// What an agent has in `PATH` after its hook commands, on a machine with systemd.
const PATH_TAIL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The settings of a simulation; [`Sim::builder`] makes one.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    seed: u64,
    juju: JujuVersion,
    model_name: String,
    substrate: Substrate,
    program: Option<PathBuf>,
    folder: Option<PathBuf>,
    settings: Settings,
    events_max: usize,
    update_status_interval: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            seed: 0,
            juju: JujuVersion::default(),
            model_name: "sim".to_owned(),
            substrate: Substrate::default(),
            program: None,
            folder: None,
            settings: Settings {
                path_tail: PATH_TAIL.to_owned(),
                hook_limit: Duration::from_mins(1),
                connection_limit: Duration::from_secs(5),
                retries_max: 3,
                hooks_max: 10_000,
                is_recording: false,
                page: None,
                page_folder: None,
            },
            events_max: usize::MAX,
            update_status_interval: UPDATE_STATUS_INTERVAL,
        }
    }
}

impl Builder {
    /// The seed of every choice that Juju leaves open; the same one gives the same order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Which Juju is simulated; 3.6 without this.
    pub fn juju_version(mut self, version: JujuVersion) -> Self {
        self.juju = version;
        self
    }

    /// The name of the model, `JUJU_MODEL_NAME`.
    pub fn model_name(mut self, name: impl Into<String>) -> Self {
        self.model_name = name.into();
        self
    }

    /// A model on Kubernetes, with a pod for each unit; without this, one of machines.
    pub fn kubernetes(mut self) -> Self {
        self.substrate = Substrate::Kubernetes;
        self
    }

    /// The program that is all hook commands: `charms-reactive`, or any that calls
    /// [`charms_reactive_hookcmd::program::run`] with the name it was started under.
    ///
    /// Without one, charms find no hook commands; they can still use the socket.
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// What follows the hook commands in `PATH`; nothing of the caller's own environment is used.
    pub fn path_tail(mut self, path: impl Into<String>) -> Self {
        self.settings.path_tail = path.into();
        self
    }

    /// A folder for the agents that is kept; a temporary one, removed at the end, without this.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// How long a hook may take before it is killed and counts as failed; a minute without this.
    pub fn hook_time_limit(mut self, limit: Duration) -> Self {
        self.settings.hook_limit = limit;
        self
    }

    /// How long connections to the agent may stay open after their hook; five seconds without this.
    pub fn connection_time_limit(mut self, limit: Duration) -> Self {
        self.settings.connection_limit = limit;
        self
    }

    /// How often a failed hook is run again before its unit is left in error; three times without this.
    pub fn retries_max(mut self, retries: u32) -> Self {
        self.settings.retries_max = retries;
        self
    }

    /// How many hooks [`Sim::settle`] runs before it gives up; ten thousand without this.
    pub fn hooks_max(mut self, hooks: usize) -> Self {
        self.settings.hooks_max = hooks;
        self
    }

    /// How many events are kept at least, the newest; all without this.
    ///
    /// For long runs: observers are told of every event, but the transcript then begins in the middle.
    pub fn events_max(mut self, events: usize) -> Self {
        self.events_max = events;
        self
    }

    /// How often `update-status` comes while time passes, with twenty per cent more or less; never for zero,
    /// every five minutes without this.
    pub fn update_status_interval(mut self, interval: Duration) -> Self {
        self.update_status_interval = interval;
        self
    }

    /// Asks charms to trace their handlers in each run, so that [`Sim::page`] tells why one did not run; off
    /// without this.
    ///
    /// Charms on `charms-reactive` find the variable `CHARMS_REACTIVE_TRACE` in their environment then, and
    /// write what their dispatch did into the file that it names; it becomes an [`crate::Event::Traced`].
    pub fn record(mut self, is_recording: bool) -> Self {
        self.settings.is_recording = is_recording;
        self
    }

    /// Has the run recorded, and its page ([`Sim::page`]) written to this file when the test that made it
    /// panics.
    ///
    /// Without it, the variable [`crate::PAGE_VARIABLE`] may name a folder for the pages of all tests that
    /// fail.
    pub fn page_on_panic(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.page = Some(path.into());
        self.record(true)
    }

    /// Makes the simulation.
    ///
    /// # Errors
    ///
    /// [`RunError::NoProgram`] when there is no program at the path given, [`RunError::Files`] when
    /// the folder for the agents cannot be made.
    pub fn build(self) -> Result<Sim, SimError> {
        let temporary =
            match &self.folder {
                Some(_) => None,
                None => Some(temporary(self.program.is_some()).map_err(|source| RunError::Files {
                    path: PathBuf::from("a temporary folder"),
                    source,
                })?),
            };
        let root = match (&self.folder, &temporary) {
            (Some(folder), _) => absolute(folder)?,
            (None, Some(temporary)) => absolute(temporary.path())?,
            (None, None) => unreachable!("one of the two was made above"),
        };
        let mut model = Model::new(self.juju, &self.model_name, self.seed);
        model.substrate = self.substrate;
        model.root.clone_from(&root);
        let agents = match &self.program {
            Some(program) => {
                if !program.is_file() {
                    return Err(RunError::NoProgram { path: program.clone() }.into());
                }
                {
                    let exec = exec::NAMES[usize::from(self.juju < JujuVersion::new(3, 0, 0))];
                    Agents::new(root, &absolute(program)?, commands::names(self.juju).chain([exec]))?
                }
            }
            None => Agents::new(root, Path::new(""), std::iter::empty())?,
        };
        model.journal.keep(self.events_max);
        let clock = Clock::new(self.seed, self.update_status_interval);
        let mut settings = self.settings;
        settings.page_folder = page::chosen_folder();
        settings.is_recording |= settings.page_folder.is_some();
        Ok(Sim::new(self.seed, model, agents, settings, clock, temporary))
    }
}

/// A folder that is gone with the simulation.
///
/// Charms in process write a small file or two a unit, which memory takes twenty times as fast as a disk; copies
/// of programs belong on a disk.  Who chose another place for temporary files gets it.
fn temporary(has_program: bool) -> io::Result<TempDir> {
    const MEMORY: &str = "/dev/shm";
    let mut folder = tempfile::Builder::new();
    folder.prefix("juju-");
    if !has_program
        && std::env::temp_dir() == Path::new("/tmp")
        && let Ok(made) = folder.tempdir_in(MEMORY)
    {
        return Ok(made);
    }
    folder.tempdir()
}

fn absolute(path: &Path) -> Result<PathBuf, RunError> {
    std::path::absolute(path).map_err(|source| RunError::Files { path: path.to_owned(), source })
}
