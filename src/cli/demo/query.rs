//! Prometheus' own HTTP interface: what it scrapes, and how that goes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// How often Prometheus is asked.
const PAUSE: Duration = Duration::from_millis(100);

/// One target of Prometheus.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct TargetState {
    /// The name of its job.
    #[serde(rename = "scrapePool")]
    pub(super) job: String,
    /// Where it is.
    #[serde(rename = "scrapeUrl")]
    pub(super) url: String,
    /// `up`, `down` or `unknown`.
    health: String,
    /// Why it is not up.
    #[serde(rename = "lastError")]
    pub(super) last_error: String,
}

impl TargetState {
    pub(super) fn is_up(&self) -> bool {
        self.health == "up"
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Targets,
}

#[derive(Deserialize)]
struct Targets {
    #[serde(rename = "activeTargets")]
    active: Vec<TargetState>,
}

/// The targets of the Prometheus on `port`, once all are up, or when the time is over.
#[expect(clippy::disallowed_methods, reason = "waits for another program, in real time")]
pub(super) fn wait_until_scraped(port: &str, limit: Duration) -> anyhow::Result<Vec<TargetState>> {
    let start = Instant::now();
    loop {
        let states = targets(port);
        let is_done =
            states.as_ref().is_ok_and(|states| !states.is_empty() && states.iter().all(TargetState::is_up));
        if is_done || start.elapsed() > limit {
            return states.context("Prometheus does not answer");
        }
        thread::sleep(PAUSE);
    }
}

fn targets(port: &str) -> anyhow::Result<Vec<TargetState>> {
    let mut socket = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(socket, "GET /api/v1/targets HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("no HTTP answer") };
    if !head.contains(" 200 ") {
        bail!("{}", head.lines().next().unwrap_or_default());
    }
    Ok(serde_json::from_str::<Answer>(body)?.data.active)
}
