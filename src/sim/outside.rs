//! Programs outside of hooks that want one: what `juju-exec` asks for, in the real time in which it does.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use charms_reactive_core::UnitName;
use charms_reactive_hookcmd::program::exec::{Asked, SOCKET, Told};

use crate::dispatch::{HookRun, Outcome};
use crate::error::{RunError, SimError};
use crate::model::Model;
use crate::run::{Purpose, Run};
use crate::schedule;
use crate::sim::Sim;

/// How often [`Sim::wait_for`] looks when nothing happens.
const LOOK: Duration = Duration::from_millis(5);

/// A script that somebody waits for.
#[derive(Debug)]
struct Request {
    unit: UnitName,
    script: String,
    stream: UnixStream,
}

impl Request {
    fn answer(mut self, told: &Told) {
        let text = serde_json::to_string(told).expect("texts are JSON");
        // Who asked may have gone.
        let _ = self.stream.write_all(text.as_bytes());
    }
}

/// The sockets of the agents, and what was asked on them.
#[derive(Debug)]
pub(crate) struct Outside {
    inbox: Receiver<Request>,
    sender: Sender<Request>,
    doors: BTreeMap<UnitName, Door>,
    queue: VecDeque<Request>,
}

impl Default for Outside {
    fn default() -> Self {
        let (sender, inbox) = channel();
        Self { inbox, sender, doors: BTreeMap::new(), queue: VecDeque::new() }
    }
}

impl Outside {
    /// Listens in the folder of a unit's agent, from its first hook on.
    pub(crate) fn open(&mut self, unit: &UnitName, folder: &Path) -> Result<(), RunError> {
        if self.doors.contains_key(unit) && folder.join(SOCKET).exists() {
            return Ok(());
        }
        let door = Door::open(unit, folder, self.sender.clone());
        let door = door.map_err(|source| RunError::Listen { path: folder.join(SOCKET), source })?;
        self.doors.insert(unit.clone(), door);
        Ok(())
    }
}

/// A socket that is listened on.
#[derive(Debug)]
struct Door {
    folder: File,
    is_closed: Arc<AtomicBool>,
}

impl Door {
    fn open(unit: &UnitName, folder: &Path, requests: Sender<Request>) -> io::Result<Self> {
        let door = Self { folder: File::open(folder)?, is_closed: Arc::default() };
        let _ = fs::remove_file(folder.join(SOCKET));
        let listener = UnixListener::bind(door.path())?;
        let (unit, is_closed) = (unit.clone(), Arc::clone(&door.is_closed));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if is_closed.load(Ordering::SeqCst) {
                    return;
                }
                let (unit, requests) = (unit.clone(), requests.clone());
                // One that says nothing is nobody's business.
                thread::spawn(move || {
                    let mut line = String::new();
                    let read = BufReader::new(&stream).read_line(&mut line);
                    if let (Ok(_), Ok(Asked { script })) = (read, serde_json::from_str(&line)) {
                        let _ = requests.send(Request { unit, script, stream });
                    }
                });
            }
        });
        Ok(door)
    }

    /// The socket, however long the path of its folder is.
    fn path(&self) -> std::path::PathBuf {
        Path::new(&format!("/proc/self/fd/{}", self.folder.as_raw_fd())).join(SOCKET)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::SeqCst);
        // Who listens sleeps until somebody comes.
        let _ = UnixStream::connect(self.path());
    }
}

impl Sim {
    /// Takes away everything of a unit that is gone.
    pub(crate) fn remove_agent(&mut self, unit: &UnitName) {
        self.outside.doors.remove(unit);
        self.agents.remove(unit);
    }

    /// Runs the first script that a program outside of hooks has asked for and whose unit is at a gap.
    ///
    /// # Source
    ///
    /// `U/runcommands`; priorities as for actions.
    pub(crate) fn run_outside(&mut self) -> Result<Option<HookRun>, SimError> {
        self.outside.queue.extend(self.outside.inbox.try_iter());
        for index in 0..self.outside.queue.len() {
            let name = &self.outside.queue[index].unit;
            let unit = self.model.units.get(name).filter(|unit| !unit.is_removed);
            let is_due = unit
                .map(|unit| unit.is_installed && Model::is_action_first(&schedule::due(&self.model, unit)));
            if is_due == Some(false) {
                continue;
            }
            let Some(request) = self.outside.queue.remove(index) else { break };
            if is_due.is_none() {
                let stderr = format!("ERROR unit \"{}\" not found on this machine\n", request.unit);
                request.answer(&Told { code: 1, stdout: String::new(), stderr });
                return self.run_outside();
            }
            let run = Run::new(&mut self.model, &request.unit, Purpose::Exec);
            let (unit, hook) = (request.unit.clone(), run.name());
            let (result, commands) = self.exec_run(run, &request.script)?;
            let outcome = match &result.flush_error {
                None => Outcome::Committed,
                Some(error) => Outcome::Failed { error: error.clone() },
            };
            let stderr = result
                .flush_error
                .map_or(result.stderr.clone(), |error| format!("{}ERROR {error}\n", result.stderr));
            let code = if outcome == Outcome::Committed { result.code } else { 1 };
            request.answer(&Told { code, stdout: result.stdout, stderr });
            return Ok(Some(HookRun { unit, hook, about: None, outcome, commands }));
        }
        Ok(None)
    }

    /// Runs hooks, and what programs outside of hooks ask for (`juju-exec`), until something is so, or so much
    /// real time is over; tells whether it is so.
    ///
    /// For charms that are programs and start others, which go on between hooks: their time is the real one.  What
    /// they do when, no seed decides.
    ///
    /// # Errors
    ///
    /// As for [`Sim::settle`].
    #[expect(clippy::disallowed_methods, reason = "programs outside of hooks have real time")]
    pub fn wait_for(
        &mut self,
        limit: Duration,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Result<bool, SimError> {
        let begin = Instant::now();
        loop {
            self.settle()?;
            if is_so(self) {
                return Ok(true);
            }
            if begin.elapsed() > limit {
                return Ok(false);
            }
            thread::sleep(LOOK);
        }
    }
}
