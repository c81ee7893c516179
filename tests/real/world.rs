//! A simulated model with a Prometheus and scrape jobs in it.

use std::fs;
use std::path::{Path, PathBuf};

use charms_reactive_sim::{ActionResult, HookRun, Outcome, Sim};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::free_port;
use crate::program::command;
use crate::prometheus::Prometheus;

/// The unit with Prometheus.
pub(crate) const PROMETHEUS: &str = "prometheus/0";

/// A charm: its name, its program, the folder of its YAML files.
struct Charm {
    name: &'static str,
    program: &'static str,
    folder: &'static str,
}

const CHARMS: [Charm; 2] = [
    Charm {
        name: "prometheus",
        program: env!("CARGO_BIN_EXE_prometheus-charm"),
        folder: concat!(env!("CARGO_MANIFEST_DIR"), "/charms/prometheus"),
    },
    Charm {
        name: "prometheus-scrape-jobs",
        program: env!("CARGO_BIN_EXE_prometheus-scrape-jobs"),
        folder: concat!(env!("CARGO_MANIFEST_DIR"), "/.."),
    },
];

/// A model with one unit of application `prometheus`, and what the test deploys besides.
///
/// Fields are dropped in this order: Prometheus is ended before its folder goes.
pub(crate) struct World {
    /// What runs on the unit.
    pub(crate) prometheus: Prometheus,
    /// The model.
    pub(crate) sim: Sim,
    /// For certificates and whatever else a test needs.
    pub(crate) folder: TempDir,
}

impl World {
    /// A model in which Prometheus runs, without jobs, and scrapes every second.
    #[track_caller]
    pub(crate) fn new() -> Self {
        // Told by name here rather than by a status that nobody expects.
        for name in ["prometheus", "promtool"] {
            command(name);
        }
        let mut world = Self::with_path(None);
        world.settle();
        assert_eq!(world.status(PROMETHEUS), "active: ready");
        world
    }

    /// The same before any hook ran; `path` is what the charms have in PATH besides hook commands.
    #[track_caller]
    pub(crate) fn with_path(path: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut builder = Sim::builder().program(env!("CARGO_BIN_EXE_sim-hook-command")).retries_max(0);
        if let Some(path) = path {
            builder = builder.path_tail(path);
        }
        let mut sim = builder.build().expect("a model");
        for charm in &CHARMS {
            charm.lay_out(&folder.path().join("charms").join(charm.name));
        }
        let port = free_port();
        sim.deploy("prometheus", folder.path().join("charms/prometheus"), 1).expect("deployed");
        let options = [("port", &*port.to_string()), ("scrape-interval", "1s")];
        sim.configure("prometheus", &options).expect("configured");
        let prometheus = Prometheus::new(&sim.charm_dir(PROMETHEUS).expect("a unit"), port);
        Self { prometheus, sim, folder }
    }

    /// Deploys scrape jobs under a name, configures and relates them, and runs all hooks.
    ///
    /// Gives the number of the relation.
    #[track_caller]
    pub(crate) fn add_jobs(&mut self, name: &str, units: u32, options: &[(&str, &str)]) -> u32 {
        let charm = self.folder.path().join("charms/prometheus-scrape-jobs");
        self.sim.deploy(name, charm, units).expect("deployed");
        self.sim.configure(name, options).expect("configured");
        let relation = self.sim.relate(name, "prometheus").expect("related");
        self.settle();
        relation
    }

    /// Configures an application and runs all hooks.
    #[track_caller]
    pub(crate) fn configure(&mut self, name: &str, options: &[(&str, &str)]) {
        self.sim.configure(name, options).expect("configured");
        self.settle();
    }

    /// Runs all hooks that are due.
    ///
    /// # Panics
    ///
    /// When one fails, or promtool does not accept what it wrote.
    #[track_caller]
    pub(crate) fn settle(&mut self) -> Vec<HookRun> {
        let mut runs = Vec::new();
        let mut checked = None;
        while let Some(run) = self.sim.step().expect("the model works") {
            let is_well = matches!(run.outcome, Outcome::Committed | Outcome::Skipped);
            assert!(is_well, "{run:?}\n{}", self.sim.transcript());
            let written = self.prometheus.configuration();
            if written.is_some() && written != checked {
                self.prometheus.check_configuration();
                checked = written;
            }
            runs.push(run);
        }
        runs
    }

    /// The workload status of a unit: `active: 2 jobs`.
    #[track_caller]
    pub(crate) fn status(&self, unit: &str) -> String {
        let unit = self.sim.unit(unit).expect("a unit");
        format!("{}: {}", unit.workload.status, unit.workload.message)
    }

    /// Runs an action.
    #[track_caller]
    pub(crate) fn action(&mut self, unit: &str, name: &str) -> ActionResult {
        self.sim.run_action(unit, name, Value::Null).expect("an action of the charm")
    }

    /// The name that Prometheus knows a job of a unit by: `<name>-<uuid>`.
    #[track_caller]
    pub(crate) fn final_name(&self, relation: u32, unit: &str, job: &str) -> String {
        let databag = self.sim.unit_databag(relation, unit).expect("a databag");
        let requests = databag.keys().filter(|key| key.starts_with("request_"));
        let ids: Vec<String> = requests
            .filter_map(|key| serde_json::from_str::<Value>(databag.text(key)?).ok())
            .filter(|request| request["job_name"] == job)
            .map(|request| request["request_id"].as_str().expect("requests carry their id").to_owned())
            .collect();
        match ids.as_slice() {
            [id] => {
                assert_eq!(id.len(), 36, "`{id}` is a UUID");
                format!("{job}-{id}")
            }
            ids => panic!("{} requests of `{unit}` are for `{job}`, expected 1", ids.len()),
        }
    }
}

impl Charm {
    /// Makes the folder of the charm, as `cargo pack` does.
    fn lay_out(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        copy(Path::new(self.program), folder.join("dispatch"));
        for name in ["metadata.yaml", "config.yaml", "actions.yaml"] {
            copy(&Path::new(self.folder).join(name), folder.join(name));
        }
    }
}

fn copy(from: &Path, to: PathBuf) {
    let copied = fs::copy(from, to);
    copied.unwrap_or_else(|error| panic!("cannot copy `{}`: {error}", from.display()));
}
