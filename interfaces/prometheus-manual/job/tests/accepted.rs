//! Jobs that Prometheus takes.  `tests/promtool.rs` asks it.

use super::{check, job};

/// One job a line, as JSON.
const ACCEPTED: &str = include_str!("accepted.jsonl");

#[test]
fn what_prometheus_takes_is_accepted() {
    for line in ACCEPTED.lines() {
        assert_eq!(check(&job(line)), Ok(()), "{line}");
    }
}
