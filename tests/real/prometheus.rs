//! A running Prometheus, seen from outside: its process, and what it says over HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::http;
use crate::program::run;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// How many looks until something must have come about: thirty seconds, for slow machines.
const LOOKS_MAX: u32 = 600;

/// What Prometheus says of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scraped {
    /// What it asks.
    pub(crate) url: String,
    /// `up`, `down`, or `unknown` before the first time.
    pub(crate) health: String,
    /// Why it is down.
    pub(crate) error: String,
}

/// The Prometheus of a charm directory.  It is killed when this value goes, whatever became of the test.
#[derive(Debug)]
pub(crate) struct Prometheus {
    folder: PathBuf,
    port: u16,
}

impl Prometheus {
    /// The Prometheus of a charm directory, listening on `port` once it runs.
    pub(crate) fn new(charm_dir: &Path, port: u16) -> Self {
        Self { folder: charm_dir.join("prometheus"), port }
    }

    /// The port it is asked on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder that it keeps everything in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on it is asked on another one.
    pub(crate) fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// Its configuration, if it was written.
    pub(crate) fn configuration(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("prometheus.yml")).ok()
    }

    /// Asks promtool about the configuration, with all files that it names.
    #[track_caller]
    pub(crate) fn check_configuration(&self) {
        let path = self.folder.join("prometheus.yml");
        run("promtool", &["check", "config", path.to_str().expect("a plain name")]);
    }

    /// The certificate files, sorted by name.
    pub(crate) fn certificate_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.join("certificates")).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }

    /// Its process, if that is alive.
    pub(crate) fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.folder.join("pid")).ok()?.trim().parse().ok()?;
        self.is_alive(pid).then_some(pid)
    }

    /// Whether `pid` is a Prometheus of this folder.
    pub(crate) fn is_alive(&self, pid: u32) -> bool {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*self.folder.to_string_lossy())
    }

    /// Kills it and waits until it is gone.
    #[track_caller]
    pub(crate) fn kill(&self) -> u32 {
        let pid = self.pid().expect("a running Prometheus");
        run("sh", &["-c", "kill -s KILL \"$0\"", &pid.to_string()]);
        wait_for("end of the killed Prometheus", || (!self.is_alive(pid)).then_some(()));
        pid
    }

    /// The active targets by the name of their job.
    pub(crate) fn targets(&self) -> BTreeMap<String, Vec<Scraped>> {
        let mut targets: BTreeMap<String, Vec<Scraped>> = BTreeMap::new();
        let answer = self.ask("/api/v1/targets?state=active");
        for target in answer.pointer("/data/activeTargets").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| target[key].as_str().unwrap_or_default().to_owned();
            let scraped =
                Scraped { url: text("scrapeUrl"), health: text("health"), error: text("lastError") };
            targets.entry(text("scrapePool")).or_default().push(scraped);
        }
        targets
    }

    /// The names of the jobs with targets.
    pub(crate) fn jobs(&self) -> Vec<String> {
        self.targets().into_keys().collect()
    }

    /// The one target of a job, once its health is `health`.
    #[track_caller]
    pub(crate) fn wait_until(&self, job: &str, health: &str) -> Scraped {
        wait_for(&format!("`{job}` to be `{health}`"), || match self.targets().get(job).map(Vec::as_slice) {
            Some([target]) if target.health == health => Some(target.clone()),
            _ => None,
        })
    }

    /// Waits until a query gives one value, and gives that.
    #[track_caller]
    pub(crate) fn wait_for_value(&self, query: &str) -> String {
        let path = format!("/api/v1/query?query={}", http::percent_encoded(query));
        wait_for(&format!("a value of `{query}`"), || {
            let answer = self.ask(&path);
            let values = answer.pointer("/data/result").and_then(Value::as_array)?;
            let [value] = values.as_slice() else { return None };
            value.pointer("/value/1").and_then(Value::as_str).map(str::to_owned)
        })
    }

    /// Null while it gives no answer.
    fn ask(&self, path: &str) -> Value {
        let body = http::get(self.port, path).unwrap_or_default();
        serde_json::from_str(&body).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Not by the file with its process id: that may be gone, or name only the last of several.
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid.filter(|pid| self.is_alive(*pid)) {
                run("sh", &["-c", "kill -s KILL \"$0\" || true", &u32::to_string(&pid)]);
            }
        }
    }
}

/// Looks again and again, for a limited time.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look() {
            return found;
        }
        sleep(PAUSE);
    }
    panic!("waited in vain for {what}");
}
