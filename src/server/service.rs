//! `charmd` as a service of its unit: `charmd service install`, and what keeps it running.
//!
//! ```text
//!   systemd    a machine            a unit file, enabled: back after a kill and after a reboot
//!   pebble     a charm container    a layer with the service: back after a kill
//!   process    anywhere else        a process of its own session: back with the next hook that needs it
//! ```
//!
//! All of it is in one folder beside that of the charm, so an upgrade of the charm leaves it alone: the program (a
//! copy, as Juju writes over the other one while it runs), the socket, the data.  Whatever is asked for may be asked
//! for again.

mod pebble;
mod process;
mod systemd;

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use charms_reactive_client::{Client, ClientError};
use charms_reactive_core::UnitName;

use pebble::Pebble;
use systemd::Systemd;

/// Where Juju keeps the folders of its unit agents.
const AGENTS: &str = "/var/lib/juju/agents";
/// How long a server may take until it answers, or until it has ended.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How long it may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How often it is looked whether it does.
const LOOK: Duration = Duration::from_millis(20);

/// Where the daemon of a unit is.
#[derive(Clone, Debug)]
pub struct Place {
    unit: UnitName,
    charm_dir: PathBuf,
    folder: PathBuf,
    /// The folders with programs.
    path: String,
}

/// What looks after the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// systemd on a unit's machine, Pebble in a unit's container, else a process
    Auto,
    /// A unit file, started and watched by systemd
    Systemd,
    /// A service of the Pebble of this container
    Pebble,
    /// A process of its own session that nobody watches
    Process,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Deed {
    /// Install and start it; restart it where program or settings are new
    Install,
    /// Start it, if it does not run
    Start,
    /// End it, until it is started again
    Stop,
    /// End it and remove all that belongs to it, data included
    Remove,
    /// Say whether it answers
    Status,
}

/// The daemon of a unit as a service
#[derive(Clone, Debug, clap::Args)]
pub struct ServiceArgs {
    /// What is to be done
    deed: Deed,
    /// The unit; without it, as Juju says in `JUJU_UNIT_NAME`
    #[arg(long, value_name = "UNIT", value_parser = UnitName::parse)]
    unit: Option<UnitName>,
    /// The directory of its charm; without it, as Juju says in `JUJU_CHARM_DIR`
    #[arg(long, value_name = "DIR")]
    charm_dir: Option<PathBuf>,
    /// What looks after it
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    supervisor: Kind,
    /// Where systemd looks for unit files
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system", hide = true)]
    systemd_units: PathBuf,
    /// Where the Pebble of this container listens
    #[arg(long, value_name = "PATH", default_value = pebble::SOCKET, hide = true)]
    pebble_socket: PathBuf,
}

/// Why the service is not as it was to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Nobody says which unit.
    #[error("no {what}, expected `{flag}`, or to be run in a hook, where Juju sets {variable}")]
    Unsaid {
        /// What is missing.
        what: &'static str,
        /// The flag.
        flag: &'static str,
        /// The variable.
        variable: &'static str,
    },
    /// A file of it cannot be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another program is needed and does not do it.
    #[error("`{command}` failed: {why}")]
    Program {
        /// As it was called.
        command: String,
        /// What it said.
        why: String,
    },
    /// Pebble does not answer.
    #[error("cannot ask Pebble")]
    Pebble(#[from] ClientError),
    /// Pebble answers, and does not do it.
    #[error("Pebble refuses: {0}")]
    Refused(String),
    /// It was started, and does not answer.
    #[error("charmd does not answer on `{}` after {WAIT_MAX:?}", socket.display())]
    Silent {
        /// Its socket.
        socket: PathBuf,
    },
    /// It was told to end, and did not.
    #[error("charmd, process {pid}, does not end")]
    Endless {
        /// Its process.
        pid: i32,
    },
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ServiceError {
    |source| ServiceError::File { path: path.to_owned(), source }
}

impl Place {
    /// Where the daemon is of the unit with this charm directory.
    pub fn new(unit: UnitName, charm_dir: &Path, path: &str) -> Self {
        let folder = charm_dir.parent().unwrap_or(charm_dir).join("charmd");
        Self { unit, charm_dir: charm_dir.to_owned(), folder, path: path.to_owned() }
    }

    /// `charmd-web-0`
    fn name(&self) -> String {
        format!("charmd-{}-{}", self.unit.application(), self.unit.number())
    }

    fn program(&self) -> PathBuf {
        self.folder.join("charmd")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn arguments(&self) -> Vec<String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (data, socket) = (text(self.folder.join("data")), text(self.socket()));
        let (unit, charm) = (self.unit.to_string(), text(self.charm_dir.clone()));
        let own = ["serve", "--unit", &unit, "--charm", &charm, "--data", &data, "--socket", &socket];
        // What the charm wants besides, an argument a line.
        let options = fs::read_to_string(self.folder.join("options")).unwrap_or_default();
        own.into_iter().chain(options.lines()).map(str::to_owned).collect()
    }

    /// All that is handed on of the environment of a hook.
    fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("JUJU_CHARM_DIR", self.charm_dir.to_string_lossy().into_owned()),
            ("JUJU_UNIT_NAME", self.unit.to_string()),
            ("PATH", self.path.clone()),
        ]
    }

    fn answers(&self) -> bool {
        let client = Client::unix(self.socket()).timeout(ANSWER_MAX);
        client.request("GET", "/1.0/wake-ups", None).is_ok()
    }

    fn wait_for_answer(&self) -> Result<(), ServiceError> {
        if wait_until(|| self.answers()) {
            Ok(())
        } else {
            Err(ServiceError::Silent { socket: self.socket() })
        }
    }

    /// Puts the program beside its data; tells whether it is another one than before.
    fn put_program(&self, from: &Path) -> Result<bool, ServiceError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&self.folder)
            .map_err(file_error(&self.folder))?;
        let bytes = fs::read(from).map_err(file_error(from))?;
        let program = self.program();
        if fs::read(&program).is_ok_and(|there| there == bytes) {
            return Ok(false);
        }
        put(&program, &bytes, 0o755)?;
        Ok(true)
    }
}

/// Writes a file beside and renames it: who runs or reads the old one keeps it.
fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ServiceError> {
    let beside = path.with_extension("new");
    let write = || {
        io::Write::write_all(&mut fs::File::create(&beside)?, bytes)?;
        fs::set_permissions(&beside, Permissions::from_mode(mode))?;
        fs::rename(&beside, path)
    };
    write().map_err(file_error(path))
}

fn remove_file(path: &Path) -> Result<bool, ServiceError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(file_error(path)(error)),
    }
}

/// Waits until something is so; tells whether it is.
#[expect(clippy::disallowed_methods, reason = "a time limit for another program")]
fn wait_until(is_so: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > WAIT_MAX {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

/// What looks after the daemon, found.
#[derive(Debug)]
enum Supervisor {
    Systemd(Systemd),
    Pebble(Pebble),
    Process,
}

impl ServiceArgs {
    fn supervisor(&self, place: &Place) -> Supervisor {
        // Elsewhere is a simulated model, or somebody who tries it: nothing is installed on the machine then.
        let is_unit = place.charm_dir.starts_with(AGENTS);
        let kind = match self.supervisor {
            Kind::Auto if is_unit && Path::new("/run/systemd/system").is_dir() => Kind::Systemd,
            Kind::Auto if is_unit && self.pebble_socket.exists() => Kind::Pebble,
            Kind::Auto => Kind::Process,
            kind => kind,
        };
        match kind {
            Kind::Systemd => Supervisor::Systemd(Systemd::new(&self.systemd_units)),
            Kind::Pebble => Supervisor::Pebble(Pebble::new(&self.pebble_socket)),
            Kind::Auto | Kind::Process => Supervisor::Process,
        }
    }

    /// Does it; `variable` reads the environment, and `program` is the one that runs.
    ///
    /// Tells what there is to say, and whether the daemon answers now.
    pub fn run(
        self,
        variable: impl Fn(&str) -> Option<String>,
        program: &Path,
    ) -> Result<(String, bool), ServiceError> {
        let deed = self.deed;
        let unsaid = |what, flag, variable| ServiceError::Unsaid { what, flag, variable };
        let unit = self.unit.clone().or_else(|| UnitName::parse(&variable("JUJU_UNIT_NAME")?).ok());
        let unit = unit.ok_or(unsaid("unit", "--unit", "JUJU_UNIT_NAME"))?;
        let charm_dir = self.charm_dir.clone().or_else(|| Some(variable("JUJU_CHARM_DIR")?.into()));
        let charm_dir = charm_dir.ok_or(unsaid("directory", "--charm-dir", "JUJU_CHARM_DIR"))?;
        let charm_dir = std::path::absolute(&charm_dir).map_err(file_error(&charm_dir))?;
        let place = Place::new(unit, &charm_dir, &variable("PATH").unwrap_or_default());
        let supervisor = self.supervisor(&place);
        match deed {
            Deed::Install => {
                let is_new = place.put_program(program)?;
                match &supervisor {
                    Supervisor::Systemd(systemd) => systemd.install(&place, is_new)?,
                    Supervisor::Pebble(pebble) => pebble.install(&place, is_new)?,
                    Supervisor::Process => process::install(&place, is_new)?,
                }
                place.wait_for_answer()?;
            }
            Deed::Start => {
                match &supervisor {
                    Supervisor::Systemd(_) => Systemd::start(&place)?,
                    Supervisor::Pebble(pebble) => pebble.act("start", &place)?,
                    Supervisor::Process => process::start(&place)?,
                }
                place.wait_for_answer()?;
            }
            Deed::Stop => match &supervisor {
                Supervisor::Systemd(_) => Systemd::stop(&place)?,
                Supervisor::Pebble(pebble) => pebble.act("stop", &place)?,
                Supervisor::Process => process::stop(&place)?,
            },
            Deed::Remove => {
                match &supervisor {
                    Supervisor::Systemd(systemd) => systemd.remove(&place)?,
                    Supervisor::Pebble(pebble) => pebble.remove(&place)?,
                    Supervisor::Process => process::stop(&place)?,
                }
                match fs::remove_dir_all(&place.folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(file_error(&place.folder)(error));
                    }
                    _ => {}
                }
            }
            Deed::Status => {}
        }
        let answers = place.answers();
        let by = match supervisor {
            Supervisor::Systemd(_) => "systemd",
            Supervisor::Pebble(_) => "Pebble",
            Supervisor::Process => "no supervisor",
        };
        let state = if answers { "answers" } else { "does not answer" };
        let text = format!("{} ({by}) {state} on {}", place.name(), place.socket().display());
        Ok((text, answers || !matches!(deed, Deed::Status)))
    }
}
