//! The program `promtool`, and which of many jobs it refuses.

use std::fmt::Write as _;
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

/// How a configuration is spelt.
pub(crate) type Spelling = fn(&Value) -> String;

/// As Rust spells JSON.
pub(crate) fn plain(config: &Value) -> String {
    config.to_string()
}

/// As Python spells JSON: everything beyond ASCII is escaped, in halves where UTF-16 needs two.
pub(crate) fn escaped(config: &Value) -> String {
    let mut text = String::new();
    for c in config.to_string().chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for half in c.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{half:04x}").expect("a String takes everything");
            }
        }
    }
    text
}

/// What promtool says about a configuration with these jobs; None when it has nothing against it.
#[expect(clippy::disallowed_methods, reason = "promtool is what this test is about")]
pub(crate) fn refusal(jobs: &[Map<String, Value>], spelling: Spelling) -> Option<String> {
    let mut file = tempfile::Builder::new().suffix(".yml").tempfile().expect("a temporary file");
    let config = json!({ "scrape_configs": jobs });
    file.write_all(spelling(&config).as_bytes()).expect("the disk has room");
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
pub(crate) fn culprit(
    jobs: &[Map<String, Value>],
    spelling: Spelling,
) -> Option<(&Map<String, Value>, String)> {
    let message = refusal(jobs, spelling)?;
    if let [job] = jobs {
        return Some((job, message));
    }
    let (left, right) = jobs.split_at(jobs.len() / 2);
    let found = culprit(left, spelling).or_else(|| culprit(right, spelling));
    Some(found.unwrap_or_else(|| panic!("promtool refuses these jobs together only: {message}")))
}
