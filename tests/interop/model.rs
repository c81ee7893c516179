//! A model with a provider and a requirer, and what a story asks of it.

use std::fs;
use std::path::Path;

use charms_reactive_sim::{Event, Sim};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::charm::{self, charms};

/// What a charm is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Python,
}

/// A model of an application `provider` and an application `requirer`, one unit each.
pub(crate) struct Model {
    pub(crate) sim: Sim,
    provider: Language,
    folder: TempDir,
}

impl Model {
    /// A model that has settled; nothing is related yet.
    pub(crate) fn new(provider: Language, requirer: Language) -> Self {
        let mut model = Self::empty(provider);
        model.deploy("provider", &charms().provider(provider));
        model.deploy("requirer", &charms().requirer(requirer));
        model.settle();
        model
    }

    /// A model without applications; `provider` is what [`Model::provider_says`] is about.
    pub(crate) fn empty(provider: Language) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sim = Sim::builder()
            .seed(seed())
            .program(env!("CARGO_BIN_EXE_sim-hook-command"))
            .folder(folder.path())
            .build()
            .expect("a simulation");
        Self { sim, provider, folder }
    }

    /// A model whose provider has jobs, and whose applications are related; gives the relation.
    pub(crate) fn related(provider: Language, requirer: Language, jobs: &[(&str, &str)]) -> (Self, u32) {
        let mut model = Self::empty(provider);
        model.deploy("provider", &charms().provider(provider));
        model.deploy("requirer", &charms().requirer(requirer));
        model.set_jobs("provider", jobs);
        let relation = model.relate("provider", "requirer");
        model.settle();
        (model, relation)
    }

    pub(crate) fn deploy(&mut self, name: &str, charm: &Path) {
        self.sim.deploy(name, charm, 1).expect("a charm");
    }

    pub(crate) fn relate(&mut self, provider: &str, requirer: &str) -> u32 {
        let ends = (format!("{provider}:prometheus"), format!("{requirer}:manual-jobs"));
        self.sim.relate(&ends.0, &ends.1).expect("endpoints that fit")
    }

    /// Uses up numbers of relations, so that the next relation has this one.
    pub(crate) fn relations_from(&mut self, number: u32) {
        let (left, right) = (self.folder.path().join("left"), self.folder.path().join("right"));
        let left = charm::bash(&left, "name: left\nprovides: {link: link}", "");
        let right = charm::bash(&right, "name: right\nrequires: {link: link}", "");
        self.sim.deploy("left", left, 0).expect("a charm");
        self.sim.deploy("right", right, 0).expect("a charm");
        loop {
            let made = self.sim.relate("left", "right").expect("endpoints that fit");
            self.sim.remove_relation(made).expect("the relation made above");
            assert!(made < number, "relation {made} was made already");
            if made + 1 == number {
                return;
            }
        }
    }

    /// Configures jobs, each with a name and a target.
    pub(crate) fn set_jobs(&mut self, application: &str, jobs: &[(&str, &str)]) {
        let jobs = jobs
            .iter()
            .map(|(name, target)| json!({"job_name": name, "static_configs": [{"targets": [target]}]}));
        // JSON is YAML.
        let text = jobs.collect::<Value>().to_string();
        self.sim.configure(application, &[("jobs", &text)]).expect("an option of the charm");
    }

    /// Runs all hooks that are due; no unit may be left in error.
    pub(crate) fn settle(&mut self) {
        let settled = self.sim.settle().expect("a model that settles");
        assert!(settled.failed.is_empty(), "{:?} failed:\n{}", settled.failed, self.sim.transcript());
    }

    /// The items of `scrape_configs` that a unit of the requirer wrote.
    pub(crate) fn items(&self, unit: &str) -> Vec<Value> {
        let path = self.sim.charm_dir(unit).expect("a unit").join("jobs.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).expect("a list")
    }

    /// The jobs that a unit of the requirer wrote, sorted, each as its name without id, and its target.
    pub(crate) fn jobs(&self, unit: &str) -> Vec<String> {
        let job = |item: &Value| {
            let name = item["job_name"].as_str().expect("a name");
            let target = item["static_configs"][0]["targets"][0].as_str().expect("a target");
            format!("{} {target}", without_uuid(name))
        };
        let mut jobs: Vec<String> = self.items(unit).iter().map(job).collect();
        jobs.sort();
        jobs
    }

    /// The status of a unit, as `status: message`.
    pub(crate) fn status(&self, unit: &str) -> String {
        let status = self.sim.unit(unit).expect("a unit").workload;
        format!("{}: {}", status.status, status.message)
    }

    /// The keys of a unit's databag that begin with `prefix`, with their texts.
    pub(crate) fn published(&self, relation: u32, unit: &str, prefix: &str) -> Vec<(String, String)> {
        let databag = self.sim.unit_databag(relation, unit).expect("a relation");
        let pairs = databag.iter().filter(|(key, _)| key.starts_with(prefix));
        pairs.map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
    }

    /// What a unit of the provider says when all its jobs are accepted.
    pub(crate) fn all_accepted(&self, jobs: usize, requirers: usize) -> String {
        let plural = if jobs == 1 { "" } else { "s" };
        match self.provider {
            Language::Rust => format!("active: {jobs} job{plural} registered with {requirers} Prometheus"),
            Language::Python => format!("active: {jobs} jobs accepted"),
        }
    }

    /// What it says when one is refused.
    pub(crate) fn one_refused(&self, job: &str, unit: &str) -> String {
        match self.provider {
            Language::Rust => format!("blocked: job `{job}` refused by {unit}: refused by request"),
            Language::Python => format!("blocked: job {job} refused: refused by request"),
        }
    }

    /// What it says when nobody is there.
    pub(crate) fn alone(&self) -> &'static str {
        match self.provider {
            Language::Rust => "waiting: waiting for a Prometheus",
            Language::Python => "waiting: not related to prometheus",
        }
    }

    /// Has `relation-set` fail once, when this unit runs it next.
    pub(crate) fn fail_once(&self, unit: &str) {
        let tool = self.folder.path().join("tools/relation-set");
        let marker = self.folder.path().join("fail-once");
        if !marker.exists() {
            fs::remove_file(&tool).expect("a hook command");
        }
        charm::write(&marker, unit, 0o644);
        let (marker, program) = (marker.display(), env!("CARGO_BIN_EXE_sim-hook-command"));
        let script = format!(
            "#!/bin/bash\n\
             if [ \"$(cat '{marker}')\" = \"$JUJU_UNIT_NAME\" ]; then\n\
             : >'{marker}'\n\
             echo 'ERROR the API server is away' >&2\n\
             exit 1\n\
             fi\n\
             exec -a relation-set '{program}' \"$@\"\n"
        );
        charm::write(&tool, &script, 0o755);
    }

    /// The hooks that failed up to now, as `unit hook`.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self.sim.events().iter().filter_map(|event| match event {
            Event::HookEnded { unit, hook, committed: false, .. } => Some(format!("{unit} {hook}")),
            _ => None,
        });
        failed.collect()
    }

    /// What a unit logged, in order.
    pub(crate) fn log(&self, unit: &str) -> Vec<&str> {
        let logged = self.sim.events().iter().filter_map(|event| match event {
            Event::Log { unit: by, message, .. } if by.to_string() == unit => Some(message.as_str()),
            _ => None,
        });
        logged.collect()
    }

    /// A folder for charms that a test writes itself.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What decides the order of hooks where Juju leaves it open; `INTEROP_SEED` chooses another one.
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a test takes and tells its seed")]
fn seed() -> u64 {
    let seed =
        std::env::var("INTEROP_SEED").map_or(1, |text| text.parse().expect("a number in INTEROP_SEED"));
    println!("seed {seed}");
    seed
}

/// The name of a job without the UUID at its end.
fn without_uuid(name: &str) -> &str {
    const UUID_CHARS: usize = 36;
    let split = name.len().checked_sub(UUID_CHARS + 1).expect("a name with a UUID");
    assert_eq!(&name[split..=split], "-", "`{name}` has no UUID");
    &name[..split]
}
