//! The program `promtool`, and which of many jobs it refuses.

use std::io::Write;
use std::process::Command;

use serde_json::{Map, Value, json};

/// The seed of this run, printed so that a failure can be had again.
#[expect(clippy::disallowed_methods, reason = "a test takes its seed from the environment")]
#[expect(clippy::print_stderr, reason = "shown when a test fails")]
pub(crate) fn seed(default: u64) -> u64 {
    let seed = std::env::var("PROMTOOL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    eprintln!("PROMTOOL_SEED={seed}");
    seed
}

/// What promtool says about a configuration with these jobs; None when it has nothing against it.
#[expect(clippy::disallowed_methods, reason = "promtool is what this test is about")]
pub(crate) fn refusal(jobs: &[Map<String, Value>]) -> Option<String> {
    let mut file = tempfile::Builder::new().suffix(".yml").tempfile().expect("a temporary file");
    let config = json!({ "scrape_configs": jobs });
    file.write_all(config.to_string().as_bytes()).expect("the disk has room");
    let output = Command::new("promtool")
        .args(["check", "config", "--syntax-only"])
        .arg(file.path())
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "cannot start `promtool`: {error}; install Debian's package `prometheus`, or put it on PATH"
            )
        });
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // A promtool that does not know its arguments must not look like one that refuses a job.
    assert!(said.contains("SUCCESS") || said.contains("FAILED"), "promtool did not check: {said}");
    (!output.status.success()).then_some(said)
}

/// One job that promtool refuses, and what it says about it.
pub(crate) fn culprit(jobs: &[Map<String, Value>]) -> Option<(&Map<String, Value>, String)> {
    let message = refusal(jobs)?;
    if let [job] = jobs {
        return Some((job, message));
    }
    let (left, right) = jobs.split_at(jobs.len() / 2);
    let found = culprit(left).or_else(|| culprit(right));
    Some(found.unwrap_or_else(|| panic!("promtool refuses these jobs together only: {message}")))
}
