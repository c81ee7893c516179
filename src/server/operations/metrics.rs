//! Numbers for Prometheus: how requests came out, and what operations there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use charms_reactive_core::operation::Status;
use charms_reactive_operations::{Operation, Registry};

/// How a request came out: LXD's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    ErrorClient,
    ErrorServer,
    Succeeded,
}

/// How requests came out since the start.
///
/// A request that started an operation comes out when that ends: whoever was cancelled has succeeded.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<Outcome, u64>,
    /// By kind and status.
    ended: BTreeMap<(String, &'static str), u64>,
}

impl Metrics {
    /// Counts a request that was answered.
    pub(super) fn answered(&self, status: StatusCode) {
        let outcome = match status {
            // It goes on.
            StatusCode::ACCEPTED => return,
            status if status.is_client_error() => Outcome::ErrorClient,
            status if status.is_server_error() => Outcome::ErrorServer,
            _ => Outcome::Succeeded,
        };
        self.count(|counts| *counts.requests.entry(outcome).or_default() += 1);
    }

    /// Counts an operation that has ended, and the request that it came from.
    pub(super) fn ended(&self, operation: &Operation) {
        let record = operation.record();
        let outcome = match record.life.status {
            Status::Success | Status::Cancelled => Outcome::Succeeded,
            _ => Outcome::ErrorServer,
        };
        self.count(|counts| {
            *counts.ended.entry((record.kind.clone(), record.life.status.key())).or_default() += 1;
            if record.requestor.is_some() && !operation.is_child() {
                *counts.requests.entry(outcome).or_default() += 1;
            }
        });
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Everything as text for Prometheus.
    pub(super) fn text(&self, registry: &Registry) -> String {
        let mut there = BTreeMap::<(&str, &str), u64>::new();
        for operation in registry.operations() {
            *there.entry((operation.record().kind.as_str(), operation.status().key())).or_default() += 1;
        }
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, lines: Vec<(String, u64)>| {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for (labels, count) in lines {
                let _ = writeln!(text, "{name}{{{labels}}} {count}");
            }
        };
        let outcomes = [Outcome::ErrorClient, Outcome::ErrorServer, Outcome::Succeeded].map(|outcome| {
            let word = match outcome {
                Outcome::ErrorClient => "error_client",
                Outcome::ErrorServer => "error_server",
                Outcome::Succeeded => "succeeded",
            };
            (format!("result=\"{word}\""), counts.requests.get(&outcome).copied().unwrap_or(0))
        });
        let help = "Requests that were answered; those that started an operation, when that has ended.";
        family("charmd_api_requests_completed_total", "counter", help, outcomes.to_vec());
        let labels = |kind: &str, status: &str| format!("kind=\"{}\",status=\"{status}\"", escaped(kind));
        let ended = counts.ended.iter().map(|((kind, status), count)| (labels(kind, status), *count));
        let help = "Operations that have ended since the start.";
        family("charmd_operations_ended_total", "counter", help, ended.collect());
        let there = there.into_iter().map(|((kind, status), count)| (labels(kind, status), count));
        family("charmd_operations", "gauge", "Operations that there are.", there.collect());
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
