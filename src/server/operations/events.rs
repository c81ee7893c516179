//! Events over a websocket: one line of frames, in order, for everybody who listens.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use charms_reactive_core::waiter::Moment;
use charms_reactive_operations::{Children, Notice, Registry};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
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

/// One event as it is sent.
#[derive(Debug)]
pub(super) struct Frame {
    kind: &'static str,
    /// None: for everybody.
    project: Option<String>,
    text: String,
}

impl Frame {
    /// A notice as LXD tells it.
    pub(super) fn new(notice: &Notice, registry: &Registry, now: Moment) -> Self {
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
            "{{\"type\":\"{kind}\",\"timestamp\":\"{now}\",\"metadata\":{metadata},\"location\":{location}{of_project}}}"
        );
        Self { kind, project, text }
    }
}

/// What somebody wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    kinds: Vec<String>,
    /// None: of all projects.
    project: Option<String>,
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
        Ok(Self { kinds, project })
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
pub(super) async fn send(mut socket: WebSocket, mut frames: Receiver<Arc<Frame>>, wanted: Wanted) {
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
        Frame { kind, project: project.map(str::to_owned), text: String::new() }
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
        let frame = Frame::new(&Notice::Cancelled { id, by: None, project: None }, &registry, now);
        let expected = json!({
            "type": "lifecycle", "timestamp": "1970-01-01T00:00:01Z", "location": "here",
            "metadata": {"action": "operation-cancelled", "source": id.url(), "requestor": {}},
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&frame.text).expect("JSON"), expected);
    }

    #[test]
    fn what_cannot_be_listened_to_is_refused() {
        let refused = |query| Wanted::parse(&Parameters::parse(query)).expect_err(query);
        assert_eq!(refused("type=operation,x"), Problem::new(400, "\"x\" is not a supported event type"));
        let both = Problem::new(400, "Cannot specify a project when requesting all projects");
        assert_eq!(refused("all-projects=true&project=a"), both);
    }
}
