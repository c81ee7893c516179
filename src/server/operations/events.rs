//! Events over a websocket: one line of frames, in order, for everybody who listens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{Children, Notice, Registry};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::answer::Problem;
use super::desk::json;
use super::query::Parameters;

/// How many frames a listener may be behind; then it is cut off.
pub(super) const LISTENER_FRAMES_MAX: usize = 16_384;
/// How often listeners are asked whether they are there.
const PING: Duration = Duration::from_secs(10);
/// How many times they may not answer.
const SILENCE_MAX: u32 = 2;
/// How long a frame may take to be sent.
const SEND_MAX: Duration = Duration::from_secs(5);
/// How long the name of a project may be.
const PROJECT_BYTES_MAX: usize = 63;
/// What can be listened to. Nothing is logged here, but clients ask for it.
const TYPES: [&str; 3] = ["operation", "lifecycle", "logging"];

/// How many events are there for those who were away, and how long they may be together.
const MISSED_FRAMES_MAX: usize = 4096;
const MISSED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Everything that is told, in one line, and the last of it for those who were away.
#[derive(Debug)]
pub(super) struct Line {
    frames: Sender<Arc<Frame>>,
    last: VecDeque<Arc<Frame>>,
    last_bytes: usize,
    /// The number of the next one.
    next: u64,
}

impl Line {
    /// A line whose numbers begin at this time in microseconds: none is one of an earlier process.
    pub(super) fn new(frames: Sender<Arc<Frame>>, now: Moment) -> Self {
        let next = u64::try_from(now.nanoseconds() / 1000).unwrap_or(0);
        Self { frames, last: VecDeque::new(), last_bytes: 0, next }
    }

    /// Tells everybody.
    pub(super) fn tell(&mut self, notice: &Notice, registry: &Registry, now: Moment) {
        let frame = Arc::new(Frame::new(notice, registry, now, self.next));
        self.next += 1;
        self.last_bytes += frame.text.len();
        self.last.push_back(frame.clone());
        while self.last.len() > MISSED_FRAMES_MAX || self.last_bytes > MISSED_BYTES_MAX {
            let Some(forgotten) = self.last.pop_front() else { break };
            self.last_bytes -= forgotten.text.len();
        }
        // Nobody may listen.
        drop(self.frames.send(frame));
    }

    /// What was told after an event, and whatever comes; None where some of it has been forgotten.
    pub(super) fn since(&self, number: u64) -> Option<Missed> {
        let first = self.last.front().map_or(self.next, |frame| frame.number);
        if number + 1 < first || number >= self.next {
            return None;
        }
        let missed = self.last.iter().filter(|frame| frame.number > number).cloned().collect();
        Some((missed, self.frames.subscribe()))
    }
}

/// What somebody has missed, and whatever comes.
pub(super) type Missed = (Vec<Arc<Frame>>, Receiver<Arc<Frame>>);

/// One event as it is sent.
#[derive(Debug)]
pub(super) struct Frame {
    number: u64,
    kind: &'static str,
    /// None: for everybody.
    project: Option<String>,
    text: String,
}

impl Frame {
    /// A notice as LXD tells it, with its number.
    fn new(notice: &Notice, registry: &Registry, now: Moment, number: u64) -> Self {
        let (kind, project, metadata) = match notice {
            Notice::Operation(operation) => {
                let rendered = registry.render(operation, Children::Counted);
                ("operation", operation.record().project.clone(), json(&rendered))
            }
            Notice::Cancelled { id, by, project } => {
                let requestor = by.as_ref().map_or_else(|| json!({}), |by| json!(by));
                let source = id.url();
                let metadata =
                    json!({"action": "operation-cancelled", "source": source, "requestor": requestor});
                ("lifecycle", project.clone(), metadata.to_string())
            }
        };
        let location = json(&registry.location());
        let of_project =
            project.as_ref().map_or_else(String::new, |name| format!(",\"project\":{}", json(name)));
        let text = format!(
            "{{\"type\":\"{kind}\",\"timestamp\":\"{now}\",\"sequence\":{number},\"metadata\":{metadata},\"location\":{location}{of_project}}}"
        );
        Self { number, kind, project, text }
    }
}

/// What somebody wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    kinds: Vec<String>,
    /// None: of all projects.
    project: Option<String>,
    /// What was heard last.
    pub(super) since: Option<u64>,
}

impl Wanted {
    /// What the parameters of a request ask for.
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, Problem> {
        let kinds: Vec<String> = match parameters.get("type") {
            None => TYPES.map(str::to_owned).to_vec(),
            Some(kinds) => kinds.split(',').map(str::to_owned).collect(),
        };
        if let Some(other) = kinds.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
            return Err(Problem::new(400, format!("\"{other}\" is not a supported event type")));
        }
        let project = project(parameters)?;
        let since = parameters.get("since").map(str::parse).transpose();
        let since = since
            .map_err(|_| Problem::new(400, "since is not valid, expected the `sequence` of an event"))?;
        Ok(Self { kinds, project, since })
    }

    fn has(&self, frame: &Frame) -> bool {
        let is_of_project = match (&self.project, &frame.project) {
            (Some(wanted), Some(project)) => wanted == project,
            _ => true,
        };
        is_of_project && self.kinds.iter().any(|kind| kind == frame.kind)
    }
}

/// The project that a request is about; None: all.
pub(super) fn project(parameters: &Parameters) -> Result<Option<String>, Problem> {
    match (parameters.is_true("all-projects"), parameters.get("project")) {
        (true, Some(_)) => Err(Problem::new(400, "Cannot specify a project when requesting all projects")),
        (true, None) => Ok(None),
        (false, None) => Ok(Some("default".to_owned())),
        (false, Some(project)) => {
            if project.len() > PROJECT_BYTES_MAX || project.contains(char::is_control) {
                let text =
                    format!("project is not valid, expected a name of up to {PROJECT_BYTES_MAX} bytes");
                return Err(Problem::new(400, text));
            }
            Ok(Some(project.to_owned()))
        }
    }
}

/// Sends what is wanted until the other side goes, does not answer, or is too slow.
pub(super) async fn send(mut socket: WebSocket, missed: Missed, wanted: Wanted) {
    let (missed, mut frames) = missed;
    for frame in missed.into_iter().filter(|frame| wanted.has(frame)) {
        let message = Message::Text(frame.text.as_str().into());
        if !matches!(timeout(SEND_MAX, socket.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silence = 0;
    loop {
        let message = tokio::select! {
            frame = frames.recv() => match frame {
                Ok(frame) if wanted.has(&frame) => Message::Text(frame.text.as_str().into()),
                Ok(_) => continue,
                Err(RecvError::Lagged(missed)) => {
                    // With a gap, what it hears would no longer be true.
                    log::warn!("a listener of events is {missed} events behind, and is cut off");
                    let frame = CloseFrame { code: 1013, reason: "too slow".into() };
                    drop(timeout(SEND_MAX, socket.send(Message::Close(Some(frame)))).await);
                    return;
                }
                Err(RecvError::Closed) => return,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {
                    silence = 0;
                    continue;
                }
            },
            _ = pings.tick() => {
                if silence > SILENCE_MAX {
                    return;
                }
                silence += 1;
                Message::Ping("keepalive".into())
            }
        };
        if !matches!(timeout(SEND_MAX, socket.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use charms_reactive_core::operation::OperationId;
    use charms_reactive_operations::Retention;

    use super::*;

    fn wanted(query: &str) -> Wanted {
        Wanted::parse(&Parameters::parse(query)).expect(query)
    }

    fn frame(kind: &'static str, project: Option<&str>) -> Frame {
        Frame { number: 0, kind, project: project.map(str::to_owned), text: String::new() }
    }

    #[test]
    fn listeners_hear_the_types_and_the_project_that_they_want() {
        let default = wanted("type=operation");
        assert!(default.has(&frame("operation", Some("default"))) && default.has(&frame("operation", None)));
        assert!(!default.has(&frame("operation", Some("other"))) && !default.has(&frame("lifecycle", None)));
        let all = wanted("all-projects=true");
        assert!(all.has(&frame("operation", Some("other"))) && all.has(&frame("lifecycle", Some("default"))));
    }

    #[test]
    fn a_notice_of_nobody_has_an_empty_requestor() {
        let now = Moment::from_unix(Duration::from_secs(1));
        let registry = Registry::restore("here", Retention::default(), Vec::new(), "", now);
        let id = OperationId::new(now, [0; 8]);
        let frame = Frame::new(&Notice::Cancelled { id, by: None, project: None }, &registry, now, 7);
        let expected = json!({
            "type": "lifecycle", "timestamp": "1970-01-01T00:00:01Z", "sequence": 7, "location": "here",
            "metadata": {"action": "operation-cancelled", "source": id.url(), "requestor": {}},
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&frame.text).expect("JSON"), expected);
    }

    #[test]
    fn who_was_away_hears_what_was_missed_unless_it_is_forgotten() {
        let now = Moment::from_unix(Duration::from_secs(1));
        let registry = Registry::restore("here", Retention::default(), Vec::new(), "", now);
        let (sender, _) = tokio::sync::broadcast::channel(8);
        let mut line = Line::new(sender, now);
        let notice = Notice::Cancelled { id: OperationId::new(now, [0; 8]), by: None, project: None };
        let missed = |line: &Line, number| {
            let numbers = |(missed, _): Missed| missed.iter().map(|frame| frame.number).collect::<Vec<_>>();
            line.since(number).map(numbers)
        };
        assert_eq!(
            (missed(&line, 999_999), missed(&line, 999_998)),
            (Some(vec![]), None),
            "nothing was told"
        );
        for _ in 0..3 {
            line.tell(&notice, &registry, now);
        }
        assert_eq!(missed(&line, 1_000_000), Some(vec![1_000_001, 1_000_002]));
        assert_eq!((missed(&line, 1_000_002), missed(&line, 1_000_003)), (Some(vec![]), None));
        assert_eq!((missed(&line, 999_999).map(|all| all.len()), missed(&line, 999_998)), (Some(3), None));
        for _ in 0..MISSED_FRAMES_MAX {
            line.tell(&notice, &registry, now);
        }
        assert_eq!((missed(&line, 1_000_001), line.last.len()), (None, MISSED_FRAMES_MAX));
        assert_eq!(missed(&line, 1_000_002).map(|all| all.len()), Some(MISSED_FRAMES_MAX));
        let bytes = line.last.iter().map(|frame| frame.text.len()).sum::<usize>();
        assert_eq!(line.last_bytes, bytes);
    }

    #[test]
    fn what_cannot_be_listened_to_is_refused() {
        let refused = |query| Wanted::parse(&Parameters::parse(query)).expect_err(query);
        assert_eq!(refused("type=operation,x"), Problem::new(400, "\"x\" is not a supported event type"));
        let both = Problem::new(400, "Cannot specify a project when requesting all projects");
        assert_eq!(refused("all-projects=true&project=a"), both);
        let since = Problem::new(400, "since is not valid, expected the `sequence` of an event");
        assert_eq!(refused("since=-1"), since);
    }
}
