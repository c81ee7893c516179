//! The daemon as a process of its own session, where nobody looks after it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Place, ServiceError, file_error, put, wait_until};

/// From how many bytes on the log begins anew.
const LOG_BYTES_MAX: u64 = 1024 * 1024;

/// Starts it, or starts it anew where the program or its arguments are others.
pub(super) fn install(place: &Place, is_new: bool) -> Result<(), ServiceError> {
    let wanted = arguments(place);
    if is_new || running(place).is_some_and(|(_, command)| !command.ends_with(&wanted)) {
        stop(place)?;
    }
    start(place)
}

/// Starts it, if it does not run.
pub(super) fn start(place: &Place) -> Result<(), ServiceError> {
    if pid(place).is_some() {
        return Ok(());
    }
    let program = place.program();
    let log = || {
        let path = place.folder.join("log");
        let is_long = path.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX);
        let mut options = OpenOptions::new();
        options.create(true).append(!is_long).write(true).truncate(is_long).mode(0o600);
        let log: File = options.open(&path).map_err(file_error(&path))?;
        Ok::<_, ServiceError>(Stdio::from(log))
    };
    // Nothing of the hook: neither its streams, which Juju waits for, nor its variables.
    #[expect(clippy::disallowed_methods, reason = "the daemon itself, where nobody else starts it")]
    let mut command = Command::new(&program);
    command.args(arguments(place)).current_dir(&place.folder);
    command.env_clear().envs(place.environment());
    command.stdin(Stdio::null()).stdout(log()?).stderr(log()?);
    let child = command.spawn().map_err(file_error(&program))?;
    put(&place.folder.join("pid"), child.id().to_string().as_bytes(), 0o644)
}

/// Ends it, if it runs.
pub(super) fn stop(place: &Place) -> Result<(), ServiceError> {
    for signal in [Signal::TERM, Signal::KILL] {
        let Some(pid) = pid(place) else { return Ok(()) };
        // Held open, it is this process and no later one; looked at again, it is still the daemon.
        if let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
            && self::pid(place) == Some(pid)
        {
            // One that has just ended needs no signal.
            let _ = pidfd_send_signal(process, signal);
        }
        wait_until(|| self::pid(place).is_none());
    }
    pid(place).map_or(Ok(()), |pid| Err(ServiceError::Endless { pid: pid.as_raw_nonzero().get() }))
}

fn arguments(place: &Place) -> Vec<String> {
    place.arguments().into_iter().chain(["--own-session".to_owned()]).collect()
}

/// The process, if it runs.
fn pid(place: &Place) -> Option<Pid> {
    running(place).map(|(pid, _)| pid)
}

/// The process with its command line, if it runs.
fn running(place: &Place) -> Option<(Pid, Vec<String>)> {
    let number = std::fs::read_to_string(place.folder.join("pid")).ok()?;
    let pid = Pid::from_raw(number.trim().parse().ok()?)?;
    // A number that was given to another program since; one that has ended has no command line.
    let command = std::fs::read_to_string(format!("/proc/{number}/cmdline")).ok()?;
    let command: Vec<String> = command.split_terminator('\0').map(str::to_owned).collect();
    command.contains(&place.socket().to_string_lossy().into_owned()).then_some((pid, command))
}
