//! The charm `prometheus-scrape-jobs` in models, as a real program; the other side is a charm of shell
//! that says what the test wants it to say.

use std::fs;
use std::path::Path;

use charms_reactive_sim::{JujuVersion, Sim};
use serde_json::{Value, json};

use super::layout;

const NODE: &str = "- job_name: node\n  static_configs:\n    - targets: ['10.0.0.5:9100']\n";
const BOTH: &str = "- job_name: node\n  static_configs:\n    - targets: ['10.0.0.5:9100']\n- job_name: disk\n  scheme: https\n";
const CERTIFICATE: &str =
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0FfbmFtZQ==\n-----END CERTIFICATE-----\n";

/// A model with scrape jobs and applications that take them.
struct World {
    sim: Sim,
    folder: tempfile::TempDir,
}

impl World {
    /// `units` units of `jobs`, one `prometheus` for each of `others` units, related.
    fn new(units: u32, others: &[u32]) -> Self {
        Self::on(JujuVersion::V3_6, units, others)
    }

    fn on(version: JujuVersion, units: u32, others: &[u32]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (charm, other) = (folder.path().join("charm"), folder.path().join("other"));
        layout::SCRAPE_JOBS.lay_out(&charm);
        lay_out_silent_charm(&other);
        let mut sim = Sim::builder()
            .juju_version(version)
            .program(env!("CARGO_BIN_EXE_sim-hook-command"))
            .retries_max(0)
            .build()
            .expect("a model");
        sim.deploy("jobs", &charm, units).expect("deployed");
        for (position, units) in others.iter().enumerate() {
            sim.deploy(&name(position), &other, *units).expect("deployed");
            sim.relate("jobs:prometheus", &format!("{}:manual-jobs", name(position))).expect("related");
        }
        let mut world = Self { sim, folder };
        world.settle();
        world
    }

    #[track_caller]
    fn settle(&mut self) {
        let settled = self.sim.settle().expect("the model works");
        assert_eq!(settled.failed, [], "{}", self.sim.transcript());
    }

    #[track_caller]
    fn configure(&mut self, options: &[(&str, &str)]) {
        self.sim.configure("jobs", options).expect("configured");
        self.settle();
    }

    #[track_caller]
    fn status(&self) -> String {
        let unit = self.sim.unit("jobs/0").expect("a unit");
        format!("{}: {}", unit.workload.status, unit.workload.message)
    }

    /// The requests of a unit on a relation, by name of the job.
    #[track_caller]
    fn requests(&self, relation: u32, unit: &str) -> Vec<Value> {
        let databag = self.sim.unit_databag(relation, unit).expect("a databag");
        let texts = databag.iter().filter(|(key, _)| key.starts_with("request_"));
        let mut requests: Vec<Value> =
            texts.map(|(_, text)| serde_json::from_str(text).expect("JSON")).collect();
        requests.sort_by_key(|request| request["job_name"].to_string());
        requests
    }

    /// Lets `unit` of another application publish something.
    #[track_caller]
    fn say(&mut self, unit: &str, relation: u32, key: &str, text: &str) {
        let script = format!("relation-set -r manual-jobs:{relation} '{key}={text}'");
        let result = self.sim.exec(unit, &script).expect("run");
        assert_eq!(result.code, 0, "{}", result.stderr);
        self.settle();
    }

    /// Everything that was logged and shown.
    fn told(&self) -> String {
        self.sim.transcript()
    }
}

fn name(position: usize) -> String {
    format!("prom{position}")
}

/// A charm that does nothing by itself.
fn lay_out_silent_charm(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let put = |name: &str, text: &str| {
        let effect = charms_reactive::FileEffect::Write { content: text.into(), mode: 0o755 };
        effect.apply(&folder.join(name)).expect("written");
    };
    put("dispatch", "#!/bin/sh\nexit 0\n");
    put(
        "metadata.yaml",
        "name: silent\nsummary: s\ndescription: d\nrequires:\n  manual-jobs:\n    interface: prometheus-manual\n",
    );
}

#[test]
fn a_job_is_registered_under_a_uuid_with_every_prometheus() {
    let mut world = World::new(1, &[1, 1]);
    assert_eq!(world.status(), "blocked: no scrape jobs: set option `jobs`");
    world.configure(&[("jobs", NODE), ("ca-cert", CERTIFICATE)]);
    assert_eq!(world.status(), "active: 1 job registered with 2 Prometheus");
    for relation in [0, 1] {
        let requests = world.requests(relation, "jobs/0");
        let [request] = requests.as_slice() else { panic!("one request, not {requests:?}") };
        assert_eq!(request["job_name"], "node", "the name stays as given");
        assert_eq!(request["job_data"], json!({"static_configs": [{"targets": ["10.0.0.5:9100"]}]}));
        assert_eq!(request["ca_cert"], CERTIFICATE);
        assert_eq!(request["client_key"], Value::Null);
        let id = request["request_id"].as_str().expect("a text");
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}

#[test]
fn all_units_register_the_same_job_under_one_id() {
    let mut world = World::new(3, &[1]);
    world.configure(&[("jobs", NODE)]);
    let first = world.requests(0, "jobs/0");
    assert_eq!(first.len(), 1);
    assert_eq!(world.requests(0, "jobs/1"), first);
    assert_eq!(world.requests(0, "jobs/2"), first);
    // Nobody need be the leader: who leads, and who leaves, changes nothing for the others.
    world.sim.set_leader("jobs/2").expect("a unit");
    world.settle();
    world.sim.remove_unit("jobs/0").expect("a unit");
    world.settle();
    assert_eq!(world.requests(0, "jobs/1"), first);
    world.sim.add_unit("jobs").expect("a unit");
    world.settle();
    assert_eq!(world.requests(0, "jobs/3"), first);
}

#[test]
fn jobs_follow_the_configuration() {
    let mut world = World::new(1, &[1]);
    world.configure(&[("jobs", BOTH)]);
    assert_eq!(world.status(), "active: 2 jobs registered with 1 Prometheus");
    let before = world.requests(0, "jobs/0");
    world.configure(&[("jobs", &BOTH.replace("10.0.0.5", "10.0.0.6"))]);
    let after = world.requests(0, "jobs/0");
    assert_eq!(after[0], before[0], "`disk` is as it was");
    assert_eq!(after[1]["request_id"], before[1]["request_id"], "an update keeps its UUID");
    assert_ne!(after[1], before[1]);
    world.configure(&[("jobs", NODE)]);
    assert_eq!(world.requests(0, "jobs/0"), before[1..], "`disk` was taken back");
    let flags = |world: &World| world.sim.unit_state("jobs/0").expect("a unit")["flags"].clone();
    assert!(flags(&world).contains("endpoint.prometheus.available"));
    world.configure(&[("jobs", "[]")]);
    assert!(!flags(&world).contains("endpoint.prometheus.available"));
    assert_eq!(world.requests(0, "jobs/0"), [Value::Null; 0]);
    assert_eq!(world.status(), "blocked: no scrape jobs: set option `jobs`");
}

#[test]
fn a_prometheus_that_comes_later_gets_all_jobs() {
    let mut world = World::new(1, &[]);
    world.configure(&[("jobs", NODE)]);
    assert_eq!(world.status(), "waiting: waiting for a Prometheus");
    let other = world.folder.path().join("other");
    for application in ["first", "second"] {
        world.sim.deploy(application, &other, 1).expect("deployed");
        world.sim.relate("jobs:prometheus", &format!("{application}:manual-jobs")).expect("related");
        world.settle();
    }
    assert_eq!(world.status(), "active: 1 job registered with 2 Prometheus");
    assert_eq!(world.requests(0, "jobs/0"), world.requests(1, "jobs/0"));
    world.sim.remove_relation(0).expect("a relation");
    world.settle();
    assert_eq!(world.status(), "active: 1 job registered with 1 Prometheus");
    world.sim.remove_relation(1).expect("a relation");
    world.settle();
    assert_eq!(world.status(), "waiting: waiting for a Prometheus");
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_and_the_jobs_stay() {
    let mut world = World::new(1, &[1]);
    world.configure(&[("jobs", NODE)]);
    let good = world.requests(0, "jobs/0");
    let too_long = format!("- job_name: node\n  x: {}", "y".repeat(1024 * 1024));
    for (option, text, message) in [
        ("jobs", "job_name: node", "option `jobs` is a map, expected a YAML list of scrape jobs"),
        ("jobs", "- scheme: http", "option `jobs`: item 1 has no `job_name`, expected a text"),
        (
            "jobs",
            "- job_name: a\n- job_name: a",
            "option `jobs`: two jobs are called `a`, expected each name once",
        ),
        ("jobs", "- job_name: [", "option `jobs`: not valid YAML: "),
        ("jobs", &too_long, "option `jobs`: 1048598 bytes are too many, expected at most 524288"),
        (
            "jobs",
            "- job_name: node\n  scrape_interval: 5\n",
            "job `node`: `scrape_interval` is `5`, expected a number and a unit",
        ),
        (
            "jobs",
            "- job_name: node\n  scrape_intervall: 5s\n",
            "job `node`: `scrape_intervall` is not a field",
        ),
        ("jobs", "- job_name: \"a\\0b\"\n", "job `a\u{fffd}b`: `job_name` is "),
        ("ca-cert", "hello", "option `ca-cert`: no PEM block found, expected a certificate in PEM form"),
        (
            "client-cert",
            CERTIFICATE,
            "option `client-key` is not set, expected it together with `client-cert`",
        ),
    ] {
        world.configure(&[(option, text)]);
        let status = world.status();
        assert!(status.starts_with(&format!("blocked: {message}")), "{status}");
        assert!(status.len() < 250 && !status.contains('\n'), "{status}");
        assert_eq!(world.requests(0, "jobs/0"), good, "what was registered stays");
        world.configure(&[(option, if option == "jobs" { NODE } else { "" })]);
        assert_eq!(world.status(), "active: 1 job registered with 1 Prometheus", "it heals");
    }
}

#[test]
fn a_refusal_is_shown_until_the_job_changes() {
    let mut world = World::new(1, &[1]);
    world.configure(&[("jobs", NODE)]);
    let id = world.requests(0, "jobs/0")[0]["request_id"].as_str().expect("a text").to_owned();
    let key = format!("response_{id}");
    world.say("prom0/0", 0, &key, r#"{"success": false, "reason": "no disk left"}"#);
    assert_eq!(world.status(), "blocked: job `node` refused by prom0/0: no disk left");
    let listed = world.sim.run_action("jobs/0", "list-jobs", Value::Null).expect("an action");
    assert_eq!(listed.results["count"], "1");
    let expected = format!("node: registered with prom0 as {id}: refused by prom0/0: no disk left");
    assert_eq!(listed.results["jobs"], json!(expected));
    world.say("prom0/0", 0, &key, r#"{"success": true, "reason": null}"#);
    assert_eq!(world.status(), "active: 1 job registered with 1 Prometheus");
}

#[test]
fn nonsense_from_the_other_side_puts_no_unit_into_error() {
    let mut world = World::new(1, &[1]);
    world.configure(&[("jobs", NODE)]);
    let id = world.requests(0, "jobs/0")[0]["request_id"].as_str().expect("a text").to_owned();
    let control = r#"{"success": false, "reason": "a\u0000b"}"#;
    for text in ["null", "[]", "7", "text", "{}", control, r#"{"success": 3}"#, r#"{"success": false}"#] {
        for key in [format!("response_{id}"), "response_x".to_owned(), "request_x".to_owned()] {
            world.say("prom0/0", 0, &key, text);
        }
    }
    assert_eq!(world.status(), "blocked: job `node` refused by prom0/0: no reason given");
    world.say("prom0/0", 0, &format!("response_{id}"), "null");
    assert_eq!(world.status(), "blocked: job `node` refused by prom0/0: its answer cannot be read");
    world.say("prom0/0", 0, &format!("response_{id}"), "");
    assert_eq!(world.status(), "active: 1 job registered with 1 Prometheus");
    assert_eq!(world.requests(0, "jobs/0").len(), 1, "nothing is lost");
}

#[test]
fn an_upgrade_changes_nothing_that_is_registered() {
    let mut world = World::new(1, &[1]);
    world.configure(&[("jobs", NODE)]);
    let before = world.sim.unit_databag(0, "jobs/0").expect("a databag");
    let charm = world.folder.path().join("charm");
    world.sim.upgrade("jobs", &charm).expect("upgraded");
    world.settle();
    assert_eq!(world.sim.unit_databag(0, "jobs/0").expect("a databag"), before);
    assert_eq!(world.status(), "active: 1 job registered with 1 Prometheus");
}

#[test]
fn jobs_can_be_validated_before_they_are_configured() {
    let mut world = World::new(1, &[]);
    let mut validate =
        |jobs: &str| world.sim.run_action("jobs/0", "validate", json!({ "jobs": jobs })).expect("an action");
    let good = validate(BOTH);
    assert_eq!((good.status.as_str(), &good.results["count"]), ("completed", &json!("2")));
    let bad = validate("- job_name: node\n  scheme: ftp\n");
    assert_eq!(bad.status, "failed");
    assert!(bad.message.starts_with("job `node`: `scheme` is `\"ftp\"`, expected "), "{}", bad.message);
    assert_eq!(world.status(), "blocked: no scrape jobs: set option `jobs`", "nothing changed");
}

/// The hook commands of the last run of a hook, by name.
fn commands_of(world: &Sim, unit: &str, hook: &str) -> Vec<String> {
    use charms_reactive_sim::Event;

    let mut commands = Vec::new();
    let mut is_inside = false;
    for event in world.events() {
        match event {
            Event::HookStarted { unit: of, hook: name, .. } => {
                is_inside = of.to_string() == unit && name == hook;
                if is_inside {
                    commands.clear();
                }
            }
            Event::CommandRun { unit: of, name, .. } if is_inside && of.to_string() == unit => {
                commands.push(name.clone());
            }
            _ => {}
        }
    }
    commands
}

#[test]
fn an_idle_hook_runs_one_hook_command() {
    let mut world = World::new(1, &[2]);
    world.configure(&[("jobs", NODE)]);
    world.sim.update_status("jobs/0").expect("a unit");
    world.settle();
    assert_eq!(commands_of(&world.sim, "jobs/0", "update-status"), ["state-get"]);
}

#[test]
fn a_changed_hook_costs_the_same_with_many_units() {
    let cost = |units: u32| {
        let mut world = World::new(1, &[units]);
        world.configure(&[("jobs", NODE)]);
        let id = world.requests(0, "jobs/0")[0]["request_id"].as_str().expect("a text").to_owned();
        world.say("prom0/0", 0, &format!("response_{id}"), r#"{"success": true, "reason": null}"#);
        commands_of(&world.sim, "jobs/0", "prometheus-relation-changed")
    };
    let one = cost(1);
    assert!(one.len() <= 10, "{one:?}");
    assert_eq!(cost(12), one);
}

#[test]
fn every_line_of_juju_is_served() {
    for version in [JujuVersion::V2_9, JujuVersion::V3_6, JujuVersion::V4_0] {
        let mut world = World::on(version, 2, &[2]);
        world.configure(&[("jobs", NODE)]);
        assert_eq!(world.status(), "active: 1 job registered with 1 Prometheus", "{version:?}");
        world.sim.remove_relation(0).expect("a relation");
        world.settle();
        assert_eq!(world.status(), "waiting: waiting for a Prometheus", "{version:?}");
    }
}

#[test]
fn no_key_is_ever_told() {
    let mut world = World::new(1, &[1]);
    let key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----\n";
    world.configure(&[("jobs", NODE), ("client-cert", CERTIFICATE), ("client-key", key)]);
    assert_eq!(world.requests(0, "jobs/0")[0]["client_key"], key);
    let state = world.sim.unit_state("jobs/0").expect("a unit");
    assert!(!json!(state).to_string().contains("MIGHAgEAMBMG"), "{state:?}");
    let logged: Vec<String> =
        world.told().lines().filter(|line| line.contains("juju-log")).map(str::to_owned).collect();
    assert!(!logged.is_empty());
    assert!(!logged.join("\n").contains("MIGHAgEAMBMG"), "{logged:?}");
}
