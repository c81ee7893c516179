//! One child, from its start to its end.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use charms_reactive_core::operation::{End, Fault, Progress};
use charms_reactive_operations::Metadata;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::kind::Work;
use super::line::{Line, Lines};
use super::{DIRECTORY, OPERATION, Place};

/// How long a result may be, as JSON.
pub const RESULT_BYTES_MAX: usize = 16 * 1024;
/// How long a child that hears that it is to stop has for it before it is sent SIGTERM.
pub const TERMINATE_AFTER: Duration = Duration::from_secs(5);
/// How long is waited for what a child said last, where others have its pipes.
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// How often it is told how far the work is.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How many lines of output are logged.
const LOGGED_LINES_MAX: usize = 10_000;
/// How much of a line is logged.
const LOGGED_BYTES_MAX: usize = 1000;
/// How much of the output is in the text of an error.
const TAIL_BYTES_MAX: usize = 2000;

/// What is to be run.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) input: Value,
    pub(super) place: Place,
    /// How often the unit is woken, at most, for what it says of how far it is.
    pub(super) wake_every: Option<Duration>,
    /// Whether it listens on stdin, so that it can stop by itself.
    pub(super) is_told_on_stdin: bool,
}

/// The process group of a child: killed when this is dropped.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // Mostly nobody is left in it.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// Runs a child; how it ended.
pub(super) async fn run(work: Work, program: Program) -> End {
    let name = program.path.display().to_string();
    match start(&work, &program) {
        Ok((child, group)) => follow(work, &program, child, group).await,
        Err(error) => End::Failure(Fault::new(500, format!("cannot run `{name}`: {error}"))),
    }
}

fn start(work: &Work, program: &Program) -> std::io::Result<(Child, Group)> {
    #[expect(clippy::disallowed_methods, reason = "the programs that work for operations are started here")]
    let mut command = std::process::Command::new(&program.path);
    command.args(&program.arguments).current_dir(&program.place.charm);
    // It is no part of a hook, even if `charmd` was started by one.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        // Proxies are the charm's to honour, wherever it runs.
        if name.starts_with("JUJU_") && !name.starts_with("JUJU_CHARM_") {
            command.env_remove(&variable);
        }
    }
    command
        .env("CHARM_DIR", &program.place.charm)
        .env("JUJU_CHARM_DIR", &program.place.charm)
        .envs(program.place.unit.iter().map(|unit| ("JUJU_UNIT_NAME", unit.to_string())))
        .env(OPERATION, work.id.to_string())
        .env(DIRECTORY, &program.place.data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut command = tokio::process::Command::from(command);
    let child = command.process_group(0).kill_on_drop(true).spawn()?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("it has no number"))?;
    Ok((child, Group(pid)))
}

/// What a child is told, in order; its stdin stays open as long as this lives.
fn say_to(stdin: Option<ChildStdin>) -> mpsc::UnboundedSender<String> {
    let (sender, mut messages) = mpsc::unbounded_channel::<String>();
    tokio::spawn(async move {
        let Some(mut stdin) = stdin else { return };
        while let Some(message) = messages.recv().await {
            // One that does not listen need not.
            if stdin.write_all(message.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    sender
}

/// Everything that is known of a child.
struct Following {
    id: String,
    result: Value,
    error: Option<String>,
    tail: VecDeque<String>,
    tail_bytes: usize,
    logged: usize,
    /// What is to be told, and when it was told last.
    progress: Option<Progress>,
    told: Option<Instant>,
    wake_every: Option<Duration>,
    /// Since when the unit has not been woken for it; whether there is something to see.
    woken: Instant,
    is_news: bool,
}

async fn follow(mut work: Work, program: &Program, mut child: Child, group: Group) -> End {
    let say = say_to(child.stdin.take());
    let kept = work.metadata.get("kept").cloned().unwrap_or_default();
    // Whoever does not listen any more has ended, or is about to.
    let tell = |message: Value| drop(say.send(format!("{message}\n")));
    tell(json!({"id": work.id, "input": program.input, "kept": kept}));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else { unreachable!("both are pipes") };
    let (mut said, mut errors) = (Lines::new(stdout), Lines::new(stderr));
    let mut following = Following::new(&work, program.wake_every);
    let (mut is_said, mut is_errors_over) = (false, false);
    let mut exit: Option<ExitStatus> = None;
    // When the child is sent SIGTERM; when nothing more is expected of its pipes.
    let (mut terminate, mut give_up) = (None::<Instant>, None::<Instant>);
    let (mut is_told, mut is_terminated) = (false, false);
    while exit.is_none() || !(is_said && is_errors_over) {
        let deadline =
            [terminate.filter(|_| !is_terminated), give_up, following.due()].into_iter().flatten().min();
        tokio::select! {
            line = said.next(), if !is_said => match line.map(|line| Line::parse(&line)) {
                None => is_said = true,
                Some(Line::Keep(kept)) => {
                    let kept = Metadata::from_iter([("kept".to_owned(), kept)]);
                    tell(match work.keep(kept).await {
                        Ok(()) => json!({"kept": true}),
                        Err(fault) => json!({"refused": fault.text}),
                    });
                }
                Some(Line::KeepTooMuch) => tell(json!({"refused": "it is too long"})),
                Some(line) => following.take(line),
            },
            line = errors.next(), if !is_errors_over => match line {
                None => is_errors_over = true,
                Some(line) => following.take(Line::Output(String::from_utf8_lossy(&line).into_owned())),
            },
            status = child.wait(), if exit.is_none() => {
                exit = Some(status.unwrap_or_default());
                give_up = Some(Instant::now() + DRAIN_MAX);
            }
            () = work.stopped(), if !is_told => {
                is_told = true;
                tell(json!({"stop": true}));
                let patience = if program.is_told_on_stdin { TERMINATE_AFTER } else { Duration::ZERO };
                terminate = Some(Instant::now() + patience);
            }
            () = sleep_until(deadline) => {}
        }
        if !is_terminated && exit.is_none() && terminate.is_some_and(|at| at <= Instant::now()) {
            is_terminated = true;
            let _ = kill_process_group(group.0, Signal::TERM);
        }
        following.tell_progress(&work);
        if give_up.is_some_and(|at| at <= Instant::now()) {
            break;
        }
    }
    drop(group);
    following.end(work, exit.unwrap_or_default()).await
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

impl Following {
    fn new(work: &Work, wake_every: Option<Duration>) -> Self {
        Self {
            id: work.id.to_string(),
            result: Value::Null,
            error: None,
            tail: VecDeque::new(),
            tail_bytes: 0,
            logged: 0,
            progress: None,
            told: None,
            wake_every,
            woken: Instant::now(),
            is_news: false,
        }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Progress(progress) => self.progress = Some(progress),
            Line::Result(result) => self.result = result,
            Line::Error(text) => self.error = Some(cut(&text, TAIL_BYTES_MAX)),
            Line::Output(text) => self.log(&text),
            Line::Keep(_) | Line::KeepTooMuch => {}
        }
    }

    fn log(&mut self, text: &str) {
        let text = cut(text, LOGGED_BYTES_MAX);
        self.logged += 1;
        match self.logged {
            ..LOGGED_LINES_MAX => log::info!("operation {}: {text}", self.id),
            LOGGED_LINES_MAX => log::warn!("operation {} says more than is logged", self.id),
            _ => {}
        }
        self.tail_bytes += text.len();
        self.tail.push_back(text);
        while self.tail_bytes > TAIL_BYTES_MAX {
            self.tail_bytes -= self.tail.pop_front().map_or(self.tail_bytes, |line| line.len());
        }
    }

    /// When there is something to be told of how far the work is.
    fn due(&self) -> Option<Instant> {
        [self.progress_due(), self.wake_due()].into_iter().flatten().min()
    }

    fn progress_due(&self) -> Option<Instant> {
        self.progress.as_ref()?;
        Some(self.told.map_or_else(Instant::now, |told| told + PROGRESS_EVERY))
    }

    fn wake_due(&self) -> Option<Instant> {
        self.wake_every.filter(|_| self.is_news).map(|every| self.woken + every)
    }

    fn tell_progress(&mut self, work: &Work) {
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= Instant::now());
        if is_due(self.progress_due())
            && let Some(progress) = self.progress.take()
        {
            self.told = Some(Instant::now());
            self.is_news = true;
            work.progress(progress);
        }
        if is_due(self.wake_due()) {
            (self.woken, self.is_news) = (Instant::now(), false);
            work.announce();
        }
    }

    async fn end(self, work: Work, exit: ExitStatus) -> End {
        let is_success = exit.success() && self.error.is_none();
        if !is_success && work.is_stopped() {
            return End::Cancelled(None);
        }
        if !is_success {
            return End::Failure(Fault::new(500, self.reason(exit)));
        }
        let length = self.result.to_string().len();
        if length > RESULT_BYTES_MAX {
            let text = format!("the result has {length} bytes, expected at most {RESULT_BYTES_MAX}");
            return End::Failure(Fault::new(500, text));
        }
        let result = Metadata::from_iter([("result".to_owned(), self.result)]);
        match work.keep(result).await {
            Ok(()) => End::Success,
            Err(fault) => End::Failure(fault),
        }
    }

    fn reason(self, exit: ExitStatus) -> String {
        if let Some(error) = self.error.filter(|error| !error.trim().is_empty()) {
            return error;
        }
        let how = match (exit.code(), exit.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended, and nobody knows how".to_owned(),
        };
        let tail = Vec::from(self.tail).join("\n");
        if tail.trim().is_empty() { how } else { format!("{how}: {}", tail.trim()) }
    }
}

/// The beginning of a text.
fn cut(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}
