//! A charm in process: a function in place of a program.
//!
//! The same model answers its hook commands, without sockets, processes or copies of files, so that a
//! test can afford thousands of dispatches.  The function speaks the simulator's terms: a backend of
//! hook commands, and the environment that a program would have had.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use charms_reactive_core::waiter::Moment;
use charms_reactive_hookcmd::wire::{Call, Reply, STDIN_WANTED};
use charms_reactive_hookcmd::{Answer, CommandError, HookCommands, Request};

use crate::commands::{self, Reaction};
use crate::event::Exit;
use crate::host::Host;
use crate::process::Ended;
use crate::random::Random;

/// A charm as a function: it gets its hook commands and its environment, and gives its exit code.
pub(crate) type Function = Rc<dyn Fn(Box<dyn HookCommands>, &Environment) -> i32>;

/// Where a charm comes from: a folder with real files, or a function of this program.
///
/// Paths and [`InProcess`] become one by themselves: `sim.deploy("web", "charms/web", 1)`.
#[derive(Clone, Debug)]
pub enum CharmSource {
    /// A folder as `juju deploy` takes it.
    Folder(PathBuf),
    /// A function.
    InProcess(InProcess),
}

impl<P: AsRef<Path> + ?Sized> From<&P> for CharmSource {
    fn from(folder: &P) -> Self {
        Self::Folder(folder.as_ref().to_owned())
    }
}

impl From<PathBuf> for CharmSource {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

impl From<InProcess> for CharmSource {
    fn from(charm: InProcess) -> Self {
        Self::InProcess(charm)
    }
}

impl From<&InProcess> for CharmSource {
    fn from(charm: &InProcess) -> Self {
        Self::InProcess(charm.clone())
    }
}

/// A charm that is a function, with what its YAML files would say.
///
/// # Guarantees
///
/// - One seed gives the same bytes: the function is told its seed, and nothing else is left to chance.
/// - No unit sees another's files.  `JUJU_CHARM_DIR` is a path of the unit's own; the folder is there
///   once somebody writes into it, or from the start with [`InProcess::files`].
///
/// # Where it differs from a program
///
/// - A kill unwinds the function, as a panic does: destructors run, which SIGKILL would not let them.
/// - No time limit holds, and what the function prints is not caught.
/// - All units are in one program: what the function keeps in statics, they share.
#[derive(Clone)]
pub struct InProcess {
    pub(crate) yaml: Yaml,
    pub(crate) function: Function,
    pub(crate) files: Option<PathBuf>,
}

/// Where the YAML files of a charm in process are.
#[derive(Clone, Debug)]
pub(crate) enum Yaml {
    Folder(PathBuf),
    Texts(Vec<(&'static str, String)>),
}

impl InProcess {
    /// A function, with `metadata.yaml`, `config.yaml` and `actions.yaml` from a folder.
    pub fn from_folder(
        folder: impl Into<PathBuf>,
        function: impl Fn(Box<dyn HookCommands>, &Environment) -> i32 + 'static,
    ) -> Self {
        Self { yaml: Yaml::Folder(folder.into()), function: Rc::new(function), files: None }
    }

    /// A function, with the text of its `metadata.yaml`.
    ///
    /// ```
    /// use charms_reactive_sim::hookcmd::{Commands as _, WorkloadStatus};
    /// use charms_reactive_sim::{InProcess, Sim};
    ///
    /// let charm = InProcess::from_yaml("name: web", |mut commands, environment| {
    ///     let hook = environment.var("JUJU_HOOK_NAME").unwrap_or_default();
    ///     i32::from(commands.status_set(WorkloadStatus::Active, hook).is_err())
    /// });
    /// let mut sim = Sim::from_seed(7);
    /// sim.deploy("web", charm, 1).expect("a charm that Juju takes");
    /// sim.settle().expect("a model that comes to rest");
    /// assert_eq!(sim.unit("web/0").expect("deployed").workload.message, "start");
    /// ```
    pub fn from_yaml(
        metadata: impl Into<String>,
        function: impl Fn(Box<dyn HookCommands>, &Environment) -> i32 + 'static,
    ) -> Self {
        let yaml = Yaml::Texts(vec![("metadata.yaml", metadata.into())]);
        Self { yaml, function: Rc::new(function), files: None }
    }

    /// The same with this text as `config.yaml`; of [`InProcess::from_yaml`] only.
    #[must_use]
    pub fn config(self, text: impl Into<String>) -> Self {
        self.with("config.yaml", text.into())
    }

    /// The same with this text as `actions.yaml`; of [`InProcess::from_yaml`] only.
    #[must_use]
    pub fn actions(self, text: impl Into<String>) -> Self {
        self.with("actions.yaml", text.into())
    }

    /// The same with a copy of this folder as each unit's charm directory, for charms that read files.
    #[must_use]
    pub fn files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = Some(folder.into());
        self
    }

    fn with(mut self, name: &'static str, text: String) -> Self {
        if let Yaml::Texts(texts) = &mut self.yaml {
            texts.retain(|(known, _)| *known != name);
            texts.push((name, text));
        }
        self
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("yaml", &self.yaml).finish_non_exhaustive()
    }
}

/// What the clock says when a model is made: 2024-05-01, ten o'clock.
pub(crate) const BEGIN: Duration = Duration::from_hours(476_266);

/// What a charm in process is told about its run, in place of the environment of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    variables: Vec<(&'static str, String)>,
    seed: u128,
    now: Moment,
}

impl Environment {
    /// A variable that Juju sets.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// All variables.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Where the charm's own chance comes from: another one for each run, the same for the same seed.
    pub fn seed(&self) -> u128 {
        self.seed
    }

    /// What the clock of the model says.
    pub fn now(&self) -> Moment {
        self.now
    }

    pub(crate) fn new(variables: Vec<(&'static str, String)>, random: &mut Random, passed: Duration) -> Self {
        let mut half = || u128::from(random.next_u64());
        let now = Moment::from_unix(BEGIN + passed);
        Self { variables, seed: (half() << 64) | half(), now }
    }
}

/// What unwinds a function whose process would have been killed.
struct Killed;

/// What the function's backend works on, for as long as the function runs.
struct Desk {
    host: Host,
    names: Vec<&'static str>,
    folder: String,
    /// How the run ended, once it was killed.
    killed: Option<Exit>,
}

/// The backend of a charm in process.
///
/// A function that keeps it beyond its end finds nobody there.
struct Backend(Rc<RefCell<Option<Desk>>>);

impl HookCommands for Backend {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let start = |kind: io::ErrorKind| CommandError::Start {
            command: request.name.to_owned(),
            source: io::Error::from(kind),
        };
        let mut place = self.0.borrow_mut();
        let Some(desk) = place.as_mut() else { return Err(start(io::ErrorKind::NotConnected)) };
        if desk.killed.is_none() {
            if !desk.names.contains(&request.name) {
                return Err(start(io::ErrorKind::NotFound));
            }
            let mut call = Call {
                context_id: desk.host.run.context_id.clone(),
                dir: desk.folder.clone(),
                command: request.name.to_owned(),
                args: request.args.clone(),
                stdin: request.stdin.clone(),
                ..Call::default()
            };
            let mut reaction = desk.host.call(&call);
            if reaction == Reaction::Reply(Reply::Refused(STDIN_WANTED.to_owned())) {
                // Like the program, which reads its standard input when it is asked for it.
                call.stdin = Some(Vec::new());
                reaction = desk.host.call(&call);
            }
            match reaction {
                Reaction::Reply(Reply::Done(answer)) => return Ok(answer),
                Reaction::Reply(Reply::Refused(_)) => return Err(start(io::ErrorKind::InvalidInput)),
                Reaction::Kill(exit) => desk.killed = Some(exit),
            }
        }
        drop(place);
        if std::thread::panicking() {
            // A destructor asks, on the way out: a second panic would end the program.
            return Err(start(io::ErrorKind::NotConnected));
        }
        // No panic hook runs: nothing is wrong with the charm.
        resume_unwind(Box::new(Killed))
    }
}

/// Runs a function to its end, with `host` answering, and gives both back.
pub(crate) fn call(function: &Function, host: Host, environment: &Environment) -> (Host, Ended) {
    let names = commands::names(host.model.juju).collect();
    let folder = environment.var("JUJU_CHARM_DIR").unwrap_or("/").to_owned();
    let place = Rc::new(RefCell::new(Some(Desk { host, names, folder, killed: None })));
    let backend = Box::new(Backend(Rc::clone(&place)));
    let result = catch_unwind(AssertUnwindSafe(|| function(backend, environment)));
    let desk = place.borrow_mut().take().expect("nobody else takes it");
    let exit = match (desk.killed, result) {
        (Some(exit), _) => exit,
        (None, Ok(code)) => Exit::Code(code),
        // What a program written in Rust ends with when it panics.
        (None, Err(_)) => Exit::Code(101),
    };
    (desk.host, Ended { exit, stdout: Vec::new(), stderr: Vec::new() })
}
