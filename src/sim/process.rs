//! Runs a file of the charm as a process, and answers its hook commands while it runs.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::commands::Reaction;
use crate::event::{Exit, Stream};
use crate::host::Host;
use crate::server::Message;
use crate::stray;

/// How long the streams may stay open after the process has ended.
///
/// # Source
///
/// `juju/juju:internal/worker/common/charmrunner/logger.go`.
const STREAMS_WAIT: Duration = Duration::from_millis(100);
/// Longer lines are split.
///
/// # Source
///
/// As above.
const LINE_BYTES_MAX: usize = 4096;
/// What a run writes to one stream beyond this is dropped, so that no charm can fill the memory.
const OUTPUT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Likewise: the shortest lines take most room.
const OUTPUT_LINES_MAX: usize = 100_000;
/// A file being copied by another thread at the moment a third one forks cannot be started for an
/// instant: the forked process holds it open for writing until it becomes its program.
const BUSY_TRIES_MAX: u32 = 50;

/// What the system calls the errors of `exec` that need another word.
const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;
const EACCES: i32 = 13;

/// The interpreter that a script names in its first line.
fn interpreter(path: &Path) -> Option<String> {
    let mut head = [0; 256];
    let count = File::open(path).ok()?.read(&mut head).ok()?;
    let line = head[..count].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let program = text.trim_matches([' ', '\t']).split([' ', '\t']).next()?;
    Some(program.to_owned())
}

/// The file that Juju would run.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// This one.
    File(PathBuf),
    /// There is none.
    Missing,
    /// There is something that cannot be run; the text says why.
    Wrong(String),
}

/// Finds the file for a hook (`folder` is `hooks`) or an action (`actions`).
///
/// # Source
///
/// `U/runner/runner.go`: `dispatch` is run for everything when it is there.
pub(crate) fn lookup(charm: &Path, folder: &str, name: &str) -> Lookup {
    if !charm.join("metadata.yaml").exists() {
        return Lookup::Wrong("charm missing from disk".to_owned());
    }
    let dispatch = charm.join("dispatch");
    let path = if dispatch.exists() { dispatch } else { charm.join(folder).join(name) };
    let shown = path.strip_prefix(charm).unwrap_or(&path).display();
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            Lookup::Wrong(format!("`{shown}` is a directory, expected a program"))
        }
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => {
            Lookup::Wrong(format!("`{shown}` is not executable, set its exec bit: permission denied"))
        }
        Ok(_) => Lookup::File(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Lookup::Missing,
        Err(error) => Lookup::Wrong(format!("cannot look at `{shown}`: {error}")),
    }
}

/// A process to be run.
#[derive(Debug)]
pub(crate) struct Program {
    /// The absolute path of the file: no shell, no search.
    pub(crate) path: PathBuf,
    pub(crate) args: &'static [&'static str],
    /// What it reads; nothing at all without.
    pub(crate) stdin: Option<Vec<u8>>,
    pub(crate) folder: PathBuf,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) limit: Duration,
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// A failure to start, as the reason why the hook failed, or to watch, as an error of the system.
#[derive(Debug)]
pub(crate) enum ProcessError {
    Start(String),
    Wait(io::Error),
}

impl Program {
    #[expect(clippy::disallowed_methods, reason = "the simulator runs real hook binaries")]
    fn spawn(&self) -> io::Result<Child> {
        // An absolute path and no hooks before exec: the standard library can use `posix_spawn`.
        let mut command = Command::new(&self.path);
        command.args(self.args).current_dir(&self.folder).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tries = 0;
        loop {
            match command.spawn() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES_MAX => {
                    tries += 1;
                    thread::sleep(Duration::from_millis(2));
                }
                other => return other,
            }
        }
    }

    /// What keeps the file from being started, in words: the system says `not found` of a file that is there
    /// when it means its interpreter.
    fn why_not_started(&self, error: &io::Error) -> String {
        let file = self.path.strip_prefix(&self.folder).unwrap_or(&self.path).display();
        let interpreter = interpreter(&self.path);
        let why = match (error.raw_os_error(), interpreter) {
            (Some(ENOENT), Some(program)) if program.ends_with('\r') => {
                format!("its first line ends with a carriage return, which makes the interpreter {program:?}")
            }
            (Some(ENOENT), Some(program)) => format!("its interpreter `{program}` is not there"),
            (Some(ENOEXEC), None) => {
                "it is neither a program of this machine nor a script with `#!` in its first line".to_owned()
            }
            (Some(EACCES), Some(program)) => format!("its interpreter `{program}` cannot be run"),
            _ => error.to_string(),
        };
        format!("cannot start `{file}`: {why}")
    }

    /// Runs the process to its end.
    pub(crate) fn run(
        &self,
        sender: &SyncSender<Message>,
        messages: &Receiver<Message>,
        host: &mut Host,
    ) -> Result<Ended, ProcessError> {
        let mut child = self.spawn().map_err(|error| ProcessError::Start(self.why_not_started(&error)))?;
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.stdin.clone()) {
            // A program that ends before it has read all breaks the pipe, as it may.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        if let Some(pipe) = child.stdout.take() {
            read(pipe, Stream::Stdout, sender.clone());
        }
        if let Some(pipe) = child.stderr.take() {
            read(pipe, Stream::Stderr, sender.clone());
        }
        let mut watch = Watch { host, stdout: Lines::default(), stderr: Lines::default(), streams_open: 2 };
        let exit = self.watch(&mut child, messages, &mut watch);
        let exit = exit.and_then(|end| match end {
            End::Ended(exit) => Ok(exit),
            End::Kill(exit) => {
                let context_id = watch.host.run.context_id.as_str();
                stray::end_run(child.id(), stray::Origin { charm: &self.folder, context_id });
                child.kill()?;
                child.wait().map(|_| exit)
            }
        });
        if exit.is_err() {
            // Whatever went wrong, nothing is left running.
            let _ = child.kill();
            let _ = child.wait();
        }
        let exit = exit.map_err(ProcessError::Wait)?;
        watch.drain(messages);
        let (stdout, stderr) = watch.finish();
        Ok(Ended { exit, stdout, stderr })
    }

    #[expect(clippy::disallowed_methods, reason = "a time limit for a real process")]
    fn watch(
        &self,
        child: &mut Child,
        messages: &Receiver<Message>,
        watch: &mut Watch<'_>,
    ) -> io::Result<End> {
        const PAUSE_MIN: Duration = Duration::from_micros(50);
        const PAUSE_MAX: Duration = Duration::from_millis(5);
        let start = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            // The end of a process closes its streams, which wakes this thread; only a process that
            // gave its streams away, or closed them, has to be looked at again and again.
            let wait = if watch.streams_open == 0 { pause } else { PAUSE_MAX };
            match messages.recv_timeout(wait) {
                Ok(message) => {
                    pause = PAUSE_MIN;
                    if let Next::Kill(exit) = watch.take(message) {
                        return Ok(End::Kill(exit));
                    }
                    // One that never stops talking is held to its time, too.
                    if watch.streams_open > 0 && start.elapsed() <= self.limit {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => pause = (pause * 2).min(PAUSE_MAX),
                Err(RecvTimeoutError::Disconnected) => thread::sleep(PAUSE_MAX),
            }
            if let Some(status) = child.try_wait()? {
                return Ok(End::Ended(exit(status)));
            }
            if start.elapsed() > self.limit {
                return Ok(End::Kill(Exit::TimedOut));
            }
        }
    }
}

/// How the watch over a process came to its end.
enum End {
    /// The process has ended.
    Ended(Exit),
    /// It is to be killed, with what it started, which counts as this.
    Kill(Exit),
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(-1),
    }
}

fn read(mut pipe: impl Read + Send + 'static, stream: Stream, messages: SyncSender<Message>) {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        // The receiver has gone when nobody waits for this output any more.
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if messages.send(Message::Chunk { stream, bytes: buffer[..count].to_vec() }).is_err() {
                return;
            }
        }
        let _ = messages.send(Message::Closed);
    });
}

enum Next {
    Go,
    Kill(Exit),
}

/// What is known of a running process.
struct Watch<'a> {
    host: &'a mut Host,
    stdout: Lines,
    stderr: Lines,
    streams_open: u8,
}

impl Watch<'_> {
    fn take(&mut self, message: Message) -> Next {
        match message {
            Message::Call { call, reply } => match self.host.call(&call) {
                // The client has gone when it was killed while it waited.
                Reaction::Reply(answer) => drop(reply.send(answer)),
                Reaction::Kill(exit) => return Next::Kill(exit),
            },
            Message::Refused { name, text } => self.host.refused(name, text),
            Message::Chunk { stream, bytes } => {
                let lines = match stream {
                    Stream::Stdout => &mut self.stdout,
                    Stream::Stderr => &mut self.stderr,
                };
                for line in lines.push(&bytes) {
                    self.host.line(stream, line);
                }
            }
            Message::Closed => self.streams_open -= 1,
        }
        Next::Go
    }

    /// Takes what is still on its way, for as long as Juju waits for it.
    #[expect(clippy::disallowed_methods, reason = "a time limit for a real process")]
    fn drain(&mut self, messages: &Receiver<Message>) {
        let start = Instant::now();
        while self.streams_open > 0 {
            let left = STREAMS_WAIT.saturating_sub(start.elapsed());
            match messages.recv_timeout(left) {
                Ok(message) => drop(self.take(message)),
                Err(_) => return,
            }
        }
    }

    fn finish(self) -> (Vec<u8>, Vec<u8>) {
        for (stream, lines) in [(Stream::Stdout, &self.stdout), (Stream::Stderr, &self.stderr)] {
            if let Some(line) = lines.rest() {
                self.host.line(stream, line);
            }
            if lines.dropped > 0 {
                self.host.dropped(stream, lines.dropped);
            }
        }
        (self.stdout.kept, self.stderr.kept)
    }
}

/// A stream, cut into lines.
#[derive(Default)]
struct Lines {
    kept: Vec<u8>,
    /// Where the line begins that has no end yet.
    start: usize,
    /// How many lines there were.
    count: usize,
    /// How many bytes were not kept.
    dropped: u64,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let room = if self.count < OUTPUT_LINES_MAX { OUTPUT_BYTES_MAX - self.kept.len() } else { 0 };
        let kept = &bytes[..bytes.len().min(room)];
        self.kept.extend_from_slice(kept);
        let mut lines = Vec::new();
        while self.count < OUTPUT_LINES_MAX
            && let Some(line) = self.next()
        {
            self.count += 1;
            lines.push(line);
        }
        let mut dropped = bytes.len() - kept.len();
        if self.count == OUTPUT_LINES_MAX {
            dropped += self.kept.len() - self.start;
            self.kept.truncate(self.start);
        }
        self.dropped += dropped as u64;
        lines
    }

    fn next(&mut self) -> Option<String> {
        let rest = &self.kept[self.start..];
        let window = &rest[..rest.len().min(LINE_BYTES_MAX)];
        let (line, skip) = match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&rest[..end], end + 1),
            None if rest.len() > LINE_BYTES_MAX => (window, LINE_BYTES_MAX),
            None => return None,
        };
        let line = String::from_utf8_lossy(line).into_owned();
        self.start += skip;
        Some(line)
    }

    fn rest(&self) -> Option<String> {
        let rest = &self.kept[self.start..];
        (!rest.is_empty()).then(|| String::from_utf8_lossy(rest).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_into_lines_wherever_the_chunks_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\n\nx\xff"), ["two", ""]);
        assert_eq!(lines.rest().as_deref(), Some("x\u{fffd}"));
        assert_eq!(lines.kept, b"one\ntwo\n\nx\xff");
    }

    #[test]
    fn what_is_too_much_is_counted_and_not_kept() {
        let mut lines = Lines::default();
        let count = lines.push(&b"y\n".repeat(OUTPUT_LINES_MAX + 7)).len() + lines.push(b"y\ny").len();
        assert_eq!((count, lines.kept.len()), (OUTPUT_LINES_MAX, OUTPUT_LINES_MAX * 2));
        assert_eq!((lines.dropped, lines.rest()), (17, None));
        let mut lines = Lines::default();
        for _ in 0..=OUTPUT_BYTES_MAX / 1024 {
            lines.push(&[b'a'; 1024]);
        }
        assert_eq!((lines.kept.len(), lines.dropped), (OUTPUT_BYTES_MAX, 1024));
    }

    #[test]
    fn a_long_line_is_split() {
        let mut lines = Lines::default();
        let cut = lines.push(&[b'a'; LINE_BYTES_MAX + 1]);
        assert_eq!(cut.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES_MAX]);
        assert_eq!(lines.rest().as_deref(), Some("a"));
    }
}
