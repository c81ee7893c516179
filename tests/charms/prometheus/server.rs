//! The program Prometheus: started, told to read its configuration again, stopped.
//!
//! All of it lives in one folder below the charm's, which tells our Prometheus from any other one:
//!
//! ```text
//! prometheus/
//!   prometheus.yml    the configuration
//!   certificates/     what jobs brought along; keys are 0600
//!   data/             the time series
//!   pid               the process, written by itself before it becomes Prometheus
//!   log               what it says, since it was started last
//! ```

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use charms_reactive::{Context, HandlerError};

use crate::obstacle::Obstacle;

/// Between two looks at something that will come about soon.
const PAUSE: Duration = Duration::from_millis(20);

/// How many looks until Prometheus must be ready: thirty seconds, as it may have to read its journal.
const READY_LOOKS_MAX: u32 = 1_500;

/// How many looks until Prometheus must have stopped by itself: ten seconds.
const STOP_LOOKS_MAX: u32 = 500;

/// How many looks until a killed process must be gone: two seconds.
const KILL_LOOKS_MAX: u32 = 100;

/// How long Prometheus may take for an answer; a reload waits for it.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Writes its process id, then becomes the program: no process is ever without its file.
const BECOME: &str = r#"echo "$$" > "$0" && exec "$@""#;

/// Why Prometheus does not run as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// A program or a file of ours cannot be used.
    #[error("cannot {verb}")]
    Io {
        /// What was attempted.
        verb: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It ended at once.
    #[error("`prometheus` ended with {status}: {last_line}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it said last.
        last_line: String,
    },
    /// It runs and does not answer.
    #[error("`prometheus` does not get ready, expected an answer of port {port} in 30 s")]
    NotReady {
        /// The port it was to listen on.
        port: u16,
    },
    /// It does not go, even when killed.
    #[error("process {pid} does not end, even when killed")]
    Immortal {
        /// The process.
        pid: u32,
    },
}

/// Our Prometheus, whether it runs or not.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    folder: PathBuf,
}

impl Server {
    /// The Prometheus of this charm directory.
    pub(crate) fn new(context: &Context) -> Result<Self, ServerError> {
        let folder = std::path::absolute(context.charm_dir.join("prometheus"));
        Ok(Self { folder: folder.map_err(failed("find the charm directory"))? })
    }

    /// Its configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("prometheus.yml")
    }

    /// The folder for the certificate files of jobs.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    /// Whether the process is there.
    pub(crate) fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// The port of the option, when it is one that our Prometheus can listen on.
    pub(crate) fn port(&self, option: i64) -> Result<u16, Obstacle> {
        let port = u16::try_from(option).ok().filter(|port| *port != 0);
        let port = port.ok_or(Obstacle::Port { found: option })?;
        let is_ours = self.process().is_some_and(|process| process.arguments == self.arguments(port));
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && !is_ours => {
                Err(Obstacle::PortTaken { port })
            }
            _ => Ok(port),
        }
    }

    /// Makes it run with its configuration as it is now: reloads it, starts it, or starts it anew.
    pub(crate) fn run(&self, port: u16) -> Result<(), ServerError> {
        if let Some(process) = self.process() {
            if process.arguments == self.arguments(port) && ask(port, "POST", "/-/reload").is_ok_and(is_ok) {
                log::info!("Prometheus read its configuration again");
                return Ok(());
            }
            // It listens elsewhere, or hangs, or has a job whose certificates it cannot read: when it
            // is started, it goes on without that job.
            self.stop()?;
        }
        self.start(port)
    }

    /// Stops it, if it runs.
    pub(crate) fn stop(&self) -> Result<(), ServerError> {
        for (signal, looks_max) in [("TERM", STOP_LOOKS_MAX), ("KILL", KILL_LOOKS_MAX)] {
            let Some(process) = self.process() else { break };
            signal_process(signal, process.pid)?;
            for _ in 0..looks_max {
                if !self.is_running() {
                    break;
                }
                sleep(PAUSE);
            }
        }
        if let Some(Process { pid, .. }) = self.process() {
            return Err(ServerError::Immortal { pid });
        }
        // One that is not there is as good.
        let _ = fs::remove_file(self.pid_file());
        Ok(())
    }

    fn start(&self, port: u16) -> Result<(), ServerError> {
        fs::create_dir_all(&self.folder).map_err(failed("make the folder of Prometheus"))?;
        let log = File::create(self.log_file()).map_err(failed("make the log of Prometheus"))?;
        let log_too = log.try_clone().map_err(failed("make the log of Prometheus"))?;
        let mut command = shell(BECOME);
        command.arg(self.pid_file()).args(self.arguments(port)).current_dir(&self.folder);
        // Juju waits until nobody has the hook's output open; a group of its own outlives the hook's.
        command.stdin(Stdio::null()).stdout(log).stderr(log_too).process_group(0);
        for (name, _) in std::env::vars_os() {
            // The way to Juju is the hook's alone.
            if name.to_string_lossy().starts_with("JUJU_") {
                command.env_remove(name);
            }
        }
        let child = command.spawn().map_err(failed("start `prometheus`"))?;
        self.wait_until_ready(child, port)?;
        log::info!("started Prometheus on port {port}");
        Ok(())
    }

    fn wait_until_ready(&self, mut child: Child, port: u16) -> Result<(), ServerError> {
        for _ in 0..READY_LOOKS_MAX {
            if let Some(status) = child.try_wait().map_err(failed("watch `prometheus`"))? {
                return Err(ServerError::Ended { status, last_line: self.last_line() });
            }
            if ask(port, "GET", "/-/ready").is_ok_and(is_ok) {
                return Ok(());
            }
            sleep(PAUSE);
        }
        Err(ServerError::NotReady { port })
    }

    /// The command line; it is how a process is known to be ours.
    fn arguments(&self, port: u16) -> Vec<String> {
        vec![
            "prometheus".to_owned(),
            self.configuration_argument(),
            format!("--storage.tsdb.path={}", self.folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--web.enable-lifecycle".to_owned(),
            "--log.level=warn".to_owned(),
        ]
    }

    fn configuration_argument(&self) -> String {
        format!("--config.file={}", self.configuration().display())
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The process of the pid file, if it is ours: numbers are used again.
    fn process(&self) -> Option<Process> {
        let pid: u32 = fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        // Empty for a process that ended and was not yet collected.
        let line = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let arguments: Vec<String> = line.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
        arguments.contains(&self.configuration_argument()).then_some(Process { pid, arguments })
    }

    fn last_line(&self) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

/// A process of ours.
struct Process {
    pid: u32,
    arguments: Vec<String>,
}

/// The version of the program on PATH.
pub(crate) fn version() -> Result<String, HandlerError> {
    #[expect(clippy::disallowed_methods, reason = "this charm's work is to run Prometheus")]
    let output = Command::new("prometheus").arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => HandlerError::from(Obstacle::Missing { program: "prometheus" }),
        _ => failed("start `prometheus`")(error).into(),
    })?;
    // `prometheus, version 2.42.0+ds (branch: ...`; old ones write it to standard error.
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok(text.split_whitespace().nth(2).unwrap_or_default().to_owned())
}

/// Sends a signal; a process that is gone by now is fine.
fn signal_process(signal: &str, pid: u32) -> Result<(), ServerError> {
    let mut command = shell(r#"kill -s "$0" "$1""#);
    command.args([signal, &pid.to_string()]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop).map_err(failed("send a signal to `prometheus`"))
}

fn shell(script: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this charm's work is to run Prometheus")]
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Asks our Prometheus something over HTTP, and tells the status of its answer.
fn ask(port: u16, method: &str, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    // `HTTP/1.0 200 OK`
    let line = String::from_utf8_lossy(&answer).into_owned();
    let status = line.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn is_ok(status: u16) -> bool {
    status == 200
}

fn failed(verb: &'static str) -> impl Fn(io::Error) -> ServerError {
    move |source| ServerError::Io { verb, source }
}
