//! The kind of work that is always there: it takes its time, and ends as it is told.

use std::pin::Pin;
use std::time::Duration;

use axum::extract::ws::Message;
use charms_reactive_core::operation::{Class, End, Fault, Progress};
use charms_reactive_operations::{Draft, Metadata};
use serde_json::{Value, json};

use super::kind::{Kind, Work};

/// Work that takes its time, and ends as it is told: for people who try things out, and for tests.
#[derive(Clone, Copy, Debug)]
pub struct Demo;

const SECONDS_MAX: f64 = 86_400.0;
const STEPS_MAX: u32 = 10_000;
const CHILDREN_MAX: usize = 1000;

#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Inputs {
    /// Seconds, in all.
    duration: f64,
    /// After each of which it says how far it has come.
    steps: u32,
    /// How it ends.
    outcome: Outcome,
    /// What it says when it fails.
    error: String,
    /// Whether it does not listen when it is told to stop.
    stubborn: bool,
    /// Of a child: when its turn comes.
    stage: u32,
    /// Of a child: whether its turn comes whatever became of those before.
    must_run: bool,
    /// What it consists of.
    children: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Success,
    Failure,
    Cancelled,
    Panic,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            duration: 1.0,
            steps: 1,
            outcome: Outcome::Success,
            error: "failed as it was told".to_owned(),
            stubborn: false,
            stage: 0,
            must_run: false,
            children: Vec::new(),
        }
    }
}

impl Inputs {
    fn parse(inputs: &Value) -> Result<Self, String> {
        if inputs.is_null() {
            return Ok(Self::default());
        }
        if !inputs.is_object() {
            return Err("input is not valid, expected a map".to_owned());
        }
        let inputs: Self = serde_json::from_value(inputs.clone()).map_err(|error| error.to_string())?;
        if !(0.0..=SECONDS_MAX).contains(&inputs.duration) {
            return Err(format!(
                "duration {} is not valid, expected seconds up to {SECONDS_MAX}",
                inputs.duration
            ));
        }
        if !(1..=STEPS_MAX).contains(&inputs.steps) {
            return Err(format!("steps {} are not valid, expected 1 to {STEPS_MAX}", inputs.steps));
        }
        if inputs.children.len() > CHILDREN_MAX {
            return Err(format!(
                "{} children are too many, expected {CHILDREN_MAX} at most",
                inputs.children.len()
            ));
        }
        Ok(inputs)
    }
}

impl Kind for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn draft(&self, class: Option<Class>, inputs: Value) -> Result<Draft, String> {
        let class = class.unwrap_or(Class::Task);
        let Inputs { children, stage, must_run, .. } = Inputs::parse(&inputs)?;
        let mut draft = Draft::new(self.name(), class, "Demonstration");
        draft.inputs = inputs;
        (draft.stage, draft.must_run) = (stage, must_run);
        if class == Class::Websocket {
            draft.sockets.insert("0".to_owned(), String::new());
        }
        for child in children {
            draft.children.push(self.draft(Some(class), child)?);
        }
        Ok(draft)
    }

    fn run(&self, work: Work) -> Pin<Box<dyn Future<Output = End> + Send>> {
        Box::pin(run(work))
    }
}

async fn run(mut work: Work) -> End {
    let inputs = match Inputs::parse(&work.inputs) {
        Ok(inputs) => inputs,
        Err(text) => return End::Failure(Fault::new(400, text)),
    };
    if !work.sockets().is_empty() {
        return match echo(&mut work).await {
            End::Success => end(inputs),
            other => other,
        };
    }
    let pause = Duration::from_secs_f64(inputs.duration / f64::from(inputs.steps));
    let done = work.metadata.get("step").and_then(Value::as_u64).unwrap_or(0);
    for step in done + 1..=u64::from(inputs.steps) {
        if inputs.stubborn {
            tokio::time::sleep(pause).await;
        } else {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = work.stopped() => return End::Cancelled(None),
            }
        }
        let total = Some(u64::from(inputs.steps));
        let text = format!("Step {step} of {}", inputs.steps);
        work.progress(Progress { stage: "demo".to_owned(), text, done: step, total, rate: 0 });
        if let Err(fault) = work.keep(Metadata::from_iter([("step".to_owned(), json!(step))])).await {
            return End::Failure(fault);
        }
    }
    end(inputs)
}

/// Sends back whatever the client of socket `0` says, until it closes.
async fn echo(work: &mut Work) -> End {
    let Some(mut connection) = work.connection(work.attach).await else {
        if work.is_stopped() {
            return End::Cancelled(None);
        }
        return End::Failure(Fault::new(504, "Timed out waiting for websockets to connect"));
    };
    let mut echoed = 0_u64;
    loop {
        let said = tokio::select! {
            said = connection.socket.recv() => said,
            () = work.stopped() => return End::Cancelled(None),
        };
        let echo = match said {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
        };
        if connection.socket.send(echo).await.is_err() {
            break;
        }
        echoed += 1;
    }
    match work.keep(Metadata::from_iter([("echoed".to_owned(), json!(echoed))])).await {
        Ok(()) => End::Success,
        Err(fault) => End::Failure(fault),
    }
}

fn end(inputs: Inputs) -> End {
    match inputs.outcome {
        Outcome::Success => End::Success,
        Outcome::Failure => End::Failure(Fault::new(500, inputs.error)),
        Outcome::Cancelled => End::Cancelled(Some("cancelled itself as it was told".to_owned())),
        Outcome::Panic => panic!("panicked as it was told"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_checked_before_anything_is_made() {
        let check = |inputs: Value, expected: &str| {
            let error = Demo.draft(None, inputs).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        check(json!({"steps": 0}), "steps 0 are not valid, expected 1 to 10000");
        check(json!({"duration": -1}), "duration -1 is not valid");
        check(json!({"duration": "1s"}), "invalid type: string \"1s\", expected f64");
        check(json!({"size": 1}), "unknown field `size`");
        check(json!({"children": [{"steps": 0}]}), "steps 0 are not valid");
        check(json!([]), "expected a map");
    }
}
