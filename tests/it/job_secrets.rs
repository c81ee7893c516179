//! Private keys of jobs: as Juju secrets between charms of ours, plain for all others.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use charms_reactive::prelude::*;
use charms_reactive::{EndpointKey, Role};
use charms_reactive_testkit::{InProcess, JujuVersion, Sim, Verdict, every_command, in_process};
use prometheus_manual::render::Rendered;
use prometheus_manual::{
    PrometheusManualProvides, PrometheusManualRequires, ProvidesFlags as _, RequiresFlags as _,
};
use serde_json::{Value, json};

const PROVIDER: &str = "name: provider\nprovides: {metrics: {interface: prometheus-manual}}\n";
const OPTIONS: &str = "options: {body: {type: string, default: MIGHAgEAMBMGByqGSM49AgEG}, jobs: {type: string, default: node}}\n";
const REQUIRER: &str = "name: requirer\nrequires: {jobs: {interface: prometheus-manual}}\n";
const METRICS: EndpointKey<PrometheusManualProvides> =
    EndpointKey::new("metrics", Role::Provides, "prometheus-manual");
const JOBS: EndpointKey<PrometheusManualRequires> =
    EndpointKey::new("jobs", Role::Requires, "prometheus-manual");
const STALE: Flag = Flag::new("jobs.stale");

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIB\n-----END CERTIFICATE-----\n";

/// The beginning and the end of a private key; what is between is in option `body`.
const KEY: [&str; 2] = ["-----BEGIN PRIVATE KEY-----\n", "\n-----END PRIVATE KEY-----\n"];

/// The body of the key by default, and another.
const FIRST: &str = "MIGHAgEAMBMGByqGSM49AgEG";
const SECOND: &str = "MIGHAgEAMBMGByqGSM49AgEX";

fn provider() -> App {
    let option = |name: &str| charms_reactive::OptionSpec {
        name: name.to_owned(),
        kind: charms_reactive::OptionKind::String,
        default: Value::Null,
    };
    let metadata =
        charms_reactive::Metadata { options: vec![option("body"), option("jobs")], ..Default::default() };
    App::new(Charm::new(metadata).endpoint(METRICS))
        .handler(register, any([CONFIG_CHANGED, METRICS.joined()]))
        .handler(report, when(METRICS.all_responses()))
}

struct Options {
    body: String,
    jobs: String,
}

impl charms_reactive::charm::FromConfig for Options {
    fn from_config(
        config: &serde_json::Map<String, Value>,
    ) -> Result<Self, charms_reactive::charm::ValueError> {
        let text = |name: &str| charms_reactive::charm::typed_value::<Option<String>>(config, name, "a text");
        Ok(Self { body: text("body")?.unwrap_or_default(), jobs: text("jobs")?.unwrap_or_default() })
    }
}

fn register(hook: &mut Hook) -> Result<(), HandlerError> {
    let options: Options = hook.config()?;
    let side = hook.endpoint(METRICS);
    let data = json!({"scheme": "https", "static_configs": [{"targets": ["h:1"]}], "tls_config": {}});
    let data = data.as_object().expect("a map");
    let jobs: Vec<_> = options
        .jobs
        .split_whitespace()
        .map(|name| {
            // Ids that are drawn by chance would come in another order after a fault.
            let job = side.register_job(name, data.clone()).shared();
            if options.body.is_empty() {
                job
            } else {
                job.client_cert(CERTIFICATE).client_key(&KEY.join(&options.body))
            }
        })
        .collect();
    Ok(side.register_only(&jobs)?)
}

fn report(hook: &mut Hook) -> Result<(), HandlerError> {
    let refusals = hook.endpoint(METRICS).refusals()?;
    match refusals.first() {
        Some(refusal) => hook.status(Blocked(refusal.reason.clone())),
        None => hook.status(Active("all accepted")),
    }
    Ok(())
}

fn requirer() -> App {
    App::new(Charm::default().endpoint(JOBS))
        .trigger(set(JOBS.new_jobs()).sets(STALE))
        .trigger(set(JOBS.removed_jobs()).sets(STALE))
        .handler(take, on(HookEvent::Start).or_on(HookEvent::UpdateStatus))
        .handler(take, when(STALE))
}

fn take(hook: &mut Hook) -> Result<(), HandlerError> {
    let rendered = Rendered::new(hook.endpoint(JOBS).jobs()?, &hook.context().charm_dir.join("certs"));
    rendered.plan_files(hook);
    for (job, _) in &rendered.accepted {
        job.accept()?;
    }
    for (job, reason) in &rendered.refused {
        job.refuse(reason)?;
    }
    hook.clear(JOBS.removed_jobs());
    hook.clear(STALE);
    Ok(())
}

pub(crate) fn model(version: JujuVersion, requirer: impl Into<charms_reactive_testkit::CharmSource>) -> Sim {
    let mut sim = Sim::builder().seed(7).juju_version(version).build().expect("a model");
    sim.deploy("provider", in_process(provider).metadata(PROVIDER).config(OPTIONS), 1).expect("deployed");
    sim.deploy("requirer", requirer, 1).expect("deployed");
    sim
}

pub(crate) fn ours() -> InProcess {
    in_process(requirer).metadata(REQUIRER)
}

/// The other side, which reads everything and says nothing, as the first charms in Python did.
fn silent() -> InProcess {
    InProcess::from_yaml(REQUIRER, |_, _| 0)
}

#[track_caller]
pub(crate) fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("the model works");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

/// The flags that a unit keeps.
pub(crate) fn flags(sim: &Sim, unit: &str) -> Vec<String> {
    let state = sim.unit_state(unit).expect("a unit");
    state.get("flags").map_or_else(Vec::new, |text| serde_json::from_str(text).expect("JSON"))
}

/// The requests of the provider.
fn requests(sim: &Sim, relation: u32) -> Vec<Value> {
    let databag = sim.unit_databag(relation, "provider/0").expect("a relation");
    let texts = databag.iter().filter(|(key, _)| key.starts_with("request_"));
    texts.map(|(_, text)| serde_json::from_str(text).expect("JSON")).collect()
}

/// The key files of the requirer: content and mode.
fn keys(sim: &Sim) -> Vec<(String, u32)> {
    let folder = sim.charm_dir("requirer/0").expect("a unit").join("certs");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let keys = files.filter(|path| path.to_string_lossy().ends_with(".key"));
    let read = |path: &Path| {
        let mode = std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        (std::fs::read_to_string(path).expect("readable"), mode)
    };
    keys.map(|path| read(&path)).collect()
}

fn secrets(sim: &mut Sim) -> Vec<String> {
    sim.operator().secrets()
}

#[test]
fn a_private_key_travels_as_a_secret_when_both_sides_can() {
    for version in [JujuVersion::V3_6, JujuVersion::V4_0] {
        let mut sim = model(version, ours());
        let relation = sim.relate("provider:metrics", "requirer:jobs").expect("related");
        settle(&mut sim);
        let [request] = requests(&sim, relation).try_into().expect("one request");
        assert_eq!(request["client_key"], Value::Null);
        assert_eq!(request["client_cert"], CERTIFICATE);
        assert_eq!(json!(secrets(&mut sim)), json!([request["secret_id"]]));
        assert_eq!(keys(&sim), [(KEY.join(FIRST), 0o600)]);
        assert_eq!(sim.unit("provider/0").expect("a unit").workload.message, "all accepted");
        for unit in ["provider/0", "requirer/0"] {
            let state = json!(sim.unit_state(unit).expect("a unit")).to_string();
            assert!(!state.contains("PRIVATE KEY"), "{state}");
        }
        let folder = sim.charm_dir("provider/0").expect("a unit").join(".charms-reactive-secrets");
        assert_eq!(std::fs::read_dir(folder).map_or(0, Iterator::count), 0, "no file is left");
        // Once it is said, it is not said again.
        sim.update_status("provider/0").expect("a unit");
        settle(&mut sim);
        let report = sim.transcript();
        assert_eq!(report.matches("> secret-add").count(), 1, "{report}");
        let written = report.lines().filter(|line| line.contains("* databag") || line.contains("juju-log"));
        let written: Vec<&str> = written.filter(|line| line.contains("PRIVATE KEY")).collect();
        assert_eq!(written, [""; 0]);
    }
}

#[test]
fn a_key_is_plain_for_who_does_not_read_secrets() {
    for (version, other) in [(JujuVersion::V3_6, silent()), (JujuVersion::V2_9, ours())] {
        let mut sim = model(version, other);
        let relation = sim.relate("provider:metrics", "requirer:jobs").expect("related");
        settle(&mut sim);
        let [request] = requests(&sim, relation).try_into().expect("one request");
        assert_eq!(request["client_key"], KEY.join(FIRST));
        assert_eq!(request.get("secret_id"), None);
        assert_eq!(secrets(&mut sim), [""; 0]);
        let bag = sim.unit_databag(relation, "requirer/0").expect("a relation");
        assert_eq!(bag.text("takes_secrets"), None);
    }
}

#[test]
fn another_key_is_another_secret_and_the_old_one_goes() {
    let mut sim = model(JujuVersion::V3_6, ours());
    let relation = sim.relate("provider:metrics", "requirer:jobs").expect("related");
    settle(&mut sim);
    let before = secrets(&mut sim);
    sim.configure("provider", &[("body", SECOND)]).expect("an option");
    settle(&mut sim);
    let after = secrets(&mut sim);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    assert_eq!(keys(&sim), [(KEY.join(SECOND), 0o600)]);
    // Two jobs have two; a job without a key, or one that is withdrawn, has none.
    sim.configure("provider", &[("jobs", "node disk")]).expect("an option");
    settle(&mut sim);
    assert_eq!((secrets(&mut sim).len(), keys(&sim).len()), (2, 2));
    sim.configure("provider", &[("jobs", "disk")]).expect("an option");
    settle(&mut sim);
    assert_eq!((secrets(&mut sim).len(), keys(&sim).len()), (1, 1));
    sim.configure("provider", &[("body", "")]).expect("an option");
    settle(&mut sim);
    assert_eq!((secrets(&mut sim).len(), keys(&sim).len()), (0, 0));
    assert_eq!(requests(&sim, relation).len(), 1);
    sim.configure("provider", &[("body", FIRST)]).expect("an option");
    settle(&mut sim);
    sim.remove_relation(relation).expect("there");
    settle(&mut sim);
    assert_eq!(secrets(&mut sim), [""; 0], "with the relation go its secrets");
}

#[test]
fn a_key_follows_what_the_other_side_can() {
    let mut sim = model(JujuVersion::V3_6, ours());
    let relation = sim.relate("provider:metrics", "requirer:jobs").expect("related");
    settle(&mut sim);
    let before = secrets(&mut sim);
    // As a revision does that reads no secrets; ours says again that it does as soon as it looks.
    let unit = charms_reactive::UnitName::parse("requirer/0").expect("a name");
    let party = charms_reactive::hookcmd::commands::Party::Unit(unit);
    sim.operator().write_databag(relation, &party, "takes_secrets", "").expect("a relation");
    settle(&mut sim);
    let report = sim.transcript();
    let written = report.lines().filter(|line| line.contains("* databag 0 of provider/0"));
    let forms: Vec<&str> = written
        .filter_map(|line| line.rsplit_once(", is "))
        .map(|(_, now)| if now.contains("PRIVATE KEY") { "plain" } else { "secret" })
        .collect();
    assert_eq!(forms[forms.len() - 3..], ["secret", "plain", "secret"], "{report}");
    let [request] = requests(&sim, relation).try_into().expect("one request");
    assert_eq!(request["client_key"], Value::Null);
    assert_eq!(json!(secrets(&mut sim)), json!([request["secret_id"]]));
    assert_ne!(secrets(&mut sim), before, "read from the old one, and put into a new one");
    assert_eq!(keys(&sim), [(KEY.join(FIRST), 0o600)]);
}

#[test]
fn a_secret_that_cannot_be_read_refuses_its_job_alone() {
    let mut sim = model(JujuVersion::V3_6, ours());
    sim.configure("provider", &[("jobs", "node disk")]).expect("an option");
    sim.relate("provider:metrics", "requirer:jobs").expect("related");
    settle(&mut sim);
    let first = secrets(&mut sim)[0].clone();
    sim.operator().revoke_secret(&first);
    sim.update_status("requirer/0").expect("a unit");
    settle(&mut sim);
    assert_eq!(keys(&sim).len(), 1);
    let told = "its client key cannot be read: permission denied";
    assert_eq!(sim.unit("provider/0").expect("a unit").workload.message, told);
}

#[test]
fn what_a_neighbour_names_as_a_secret_and_is_none_fails_no_hook() {
    let mut sim = model(JujuVersion::V3_6, ours());
    let relation = sim.relate("provider:metrics", "requirer:jobs").expect("related");
    settle(&mut sim);
    let unit = charms_reactive::UnitName::parse("provider/0").expect("a name");
    let party = charms_reactive::hookcmd::commands::Party::Unit(unit);
    let databag = sim.unit_databag(relation, "provider/0").expect("a databag");
    let (key, text) = databag.iter().find(|(key, _)| key.starts_with("request_")).expect("a request");
    let id = secrets(&mut sim)[0].clone();
    for nonsense in ["secret:nonsense", "--label", ""] {
        sim.operator().write_databag(relation, &party, key, &text.replace(&id, nonsense)).expect("written");
        settle(&mut sim);
    }
}

#[test]
fn of_a_unit_that_left_no_key_is_kept() {
    // Plain on the wire, as from a charm in Python.
    let mut sim = model(JujuVersion::V2_9, ours());
    let relation = sim.relate("provider:metrics", "requirer:jobs").expect("related");
    settle(&mut sim);
    assert_eq!(requests(&sim, relation)[0]["client_key"], KEY.join(FIRST));
    sim.add_unit("provider").expect("an application");
    settle(&mut sim);
    sim.remove_unit("provider/0").expect("a unit");
    settle(&mut sim);
    let state = json!(sim.unit_state("requirer/0").expect("a unit")).to_string();
    assert!(state.contains("provider/0"), "it is among the departed: {state}");
    assert!(!state.contains("PRIVATE KEY") && !state.contains("CERTIFICATE"), "{state}");
}

#[test]
fn killed_at_any_command_no_secret_is_left_over() {
    let new = || model(JujuVersion::V3_6, ours());
    let life = |sim: &mut Sim| {
        sim.relate("provider:metrics", "requirer:jobs").expect("related");
        settle(sim);
        sim.configure("provider", &[("body", SECOND)]).expect("an option");
        settle(sim);
        assert_eq!(secrets(sim).len(), 1);
        sim.configure("provider", &[("jobs", " ")]).expect("an option");
        settle(sim);
        assert_eq!(secrets(sim), [""; 0]);
    };
    let covered = every_command(&Verdict::Kill, new, life);
    let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
    assert!(covered.commands > 60, "{covered:?}");
}
