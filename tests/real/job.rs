//! What becomes of a job: from the configuration of one charm to the targets of the other's Prometheus.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::certificates::{Authority, pem};
use crate::prometheus::wait_for;
use crate::target::Target;
use crate::world::{PROMETHEUS, World};

/// The option `jobs` with these jobs, each over TLS, with one target.
fn jobs(named: &[(&str, &Target)]) -> String {
    let job = |(name, target): &(&str, &Target)| job(name, target, &json!({}));
    json!(named.iter().map(job).collect::<Vec<_>>()).to_string()
}

/// A job over TLS with one target, and more fields.
fn job(name: &str, target: &Target, more: &serde_json::Value) -> serde_json::Value {
    let mut job = json!({
        "job_name": name,
        "scheme": "https",
        "static_configs": [{ "targets": [target.address()] }],
    });
    let fields = job.as_object_mut().expect("a map");
    fields.extend(more.as_object().expect("a map").clone());
    job
}

fn up(job: &str) -> String {
    format!("up{{job=\"{job}\"}}")
}

/// The last parts of the names of files: `ca.crt`.
fn kinds(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().expect("a file").to_string_lossy().into_owned();
    paths.iter().map(|path| name(path).split_once('.').expect("a kind").1.to_owned()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_job_is_up_with_the_authority_that_came_over_the_relation() {
    let mut world = World::new();
    let authority = Authority::new(world.folder.path(), "authority");
    let stranger = Authority::new(world.folder.path(), "stranger");
    let target = Target::open(&authority.server());
    let options = [("jobs", &*jobs(&[("node", &target)])), ("ca-cert", &pem(&authority.certificate()))];

    let relation = world.add_jobs("jobs", 1, &options);

    assert_eq!(world.status("jobs/0"), "active: 1 job registered with 1 Prometheus");
    assert_eq!(world.status(PROMETHEUS), "active: 1 job");
    let node = world.final_name(relation, "jobs/0", "node");
    let scraped = world.prometheus.wait_until(&node, "up");
    assert_eq!(scraped.url, format!("https://{}/metrics", target.address()));
    assert_eq!(world.prometheus.wait_for_value(&up(&node)), "1");
    assert_eq!(kinds(&world.prometheus.certificate_files()), ["ca.crt"]);

    // It is this authority that makes the difference.
    world.configure("jobs", &[("ca-cert", &pem(&stranger.certificate()))]);
    let scraped = world.prometheus.wait_until(&node, "down");
    assert!(scraped.error.contains("x509"), "{scraped:?}");
    world.configure("jobs", &[("ca-cert", &pem(&authority.certificate()))]);
    world.prometheus.wait_until(&node, "up");
}

#[test]
fn a_target_that_wants_a_client_certificate_is_shown_the_one_that_came_along() {
    let mut world = World::new();
    let authority = Authority::new(world.folder.path(), "authority");
    let target = Target::for_clients_of(&authority.certificate(), &authority.server());
    let options = [("jobs", &*jobs(&[("node", &target)])), ("ca-cert", &pem(&authority.certificate()))];
    let relation = world.add_jobs("jobs", 1, &options);
    let node = world.final_name(relation, "jobs/0", "node");
    // How the end of the handshake looks to Prometheus depends on who is faster.
    world.prometheus.wait_until(&node, "down");

    let client = authority.client("scraper");
    let pair = [("client-cert", &*pem(&client.certificate)), ("client-key", &pem(&client.key))];
    world.configure("jobs", &pair);

    world.prometheus.wait_until(&node, "up");
    assert_eq!(world.prometheus.wait_for_value("target_client{name=\"scraper\"}"), "1");
    let files = world.prometheus.certificate_files();
    assert_eq!(kinds(&files), ["ca.crt", "client.crt", "client.key"]);
    assert_eq!(mode(&files[2]), 0o600);
    assert_eq!(fs::read_to_string(&files[2]).expect("the key"), pem(&client.key));
}

#[test]
fn a_changed_job_is_scraped_as_it_is_now_under_the_same_name() {
    let mut world = World::new();
    let authority = Authority::new(world.folder.path(), "authority");
    let target = Target::open(&authority.server());
    let options = [("jobs", &*jobs(&[("node", &target)])), ("ca-cert", &pem(&authority.certificate()))];
    let relation = world.add_jobs("jobs", 1, &options);
    let node = world.final_name(relation, "jobs/0", "node");
    world.prometheus.wait_until(&node, "up");
    let pid = world.prometheus.pid();

    let changed = json!([job("node", &target, &json!({ "metrics_path": "/other" }))]);
    world.configure("jobs", &[("jobs", &changed.to_string())]);

    assert_eq!(world.final_name(relation, "jobs/0", "node"), node);
    let url = format!("https://{}/other", target.address());
    wait_for("a scrape of the other path", || {
        world
            .prometheus
            .targets()
            .get(&node)?
            .iter()
            .find(|scraped| scraped.url == url && scraped.health == "up")
            .cloned()
    });
    assert_eq!(world.prometheus.wait_for_value("target_path{path=\"/other\"}"), "1");
    assert_eq!(world.prometheus.pid(), pid, "it was reloaded, not started anew");
}

#[test]
fn a_removed_job_goes_with_its_files() {
    let mut world = World::new();
    let authority = Authority::new(world.folder.path(), "authority");
    let target = Target::open(&authority.server());
    let both = jobs(&[("one", &target), ("two", &target)]);
    let options = [("jobs", &*both), ("ca-cert", &pem(&authority.certificate()))];
    let relation = world.add_jobs("jobs", 1, &options);
    let one = world.final_name(relation, "jobs/0", "one");
    let two = world.final_name(relation, "jobs/0", "two");
    world.prometheus.wait_until(&one, "up");
    world.prometheus.wait_until(&two, "up");
    assert_eq!(world.status(PROMETHEUS), "active: 2 jobs");
    let before = world.prometheus.certificate_files();
    assert_eq!(kinds(&before), ["ca.crt", "ca.crt"]);

    world.configure("jobs", &[("jobs", &jobs(&[("two", &target)]))]);

    wait_for("job `one` to go", || (world.prometheus.jobs() == [two.clone()]).then_some(()));
    assert_eq!(world.status(PROMETHEUS), "active: 1 job");
    assert_eq!(world.prometheus.certificate_files(), before[1..]);

    world.sim.remove_relation(relation).expect("removed");
    world.settle();

    wait_for("job `two` to go", || world.prometheus.jobs().is_empty().then_some(()));
    assert_eq!(world.status(PROMETHEUS), "active: ready");
    assert_eq!(world.status("jobs/0"), "waiting: waiting for a Prometheus");
    assert_eq!(world.prometheus.certificate_files(), Vec::<PathBuf>::new());
}

#[test]
fn a_refused_job_leaves_the_others_and_its_charm_says_why() {
    let mut world = World::new();
    let authority = Authority::new(world.folder.path(), "authority");
    let target = Target::open(&authority.server());
    let ca = pem(&authority.certificate());
    let relation = world.add_jobs("jobs", 1, &[("jobs", &jobs(&[("first", &target)])), ("ca-cert", &ca)]);
    let first = world.final_name(relation, "jobs/0", "first");
    // Nobody but Go can tell that this is no regular expression.
    let rules =
        json!({ "metric_relabel_configs": [{ "action": "drop", "source_labels": ["a"], "regex": "(" }] });
    let mixed = |more: &serde_json::Value| {
        let all = [job("a", &target, &json!({})), job("bad", &target, more), job("c", &target, &json!({}))];
        json!(all).to_string()
    };

    let relation = world.add_jobs("mixed", 1, &[("jobs", &mixed(&rules)), ("ca-cert", &ca)]);

    assert_eq!(world.status(PROMETHEUS), "active: 3 jobs, 1 refused");
    assert_eq!(
        world.status("mixed/0"),
        "blocked: job `bad` refused by prometheus/0: error parsing regexp: missing closing ): `^(?:()$`"
    );
    assert_eq!(world.status("jobs/0"), "active: 1 job registered with 1 Prometheus");
    let a = world.final_name(relation, "mixed/0", "a");
    let bad = world.final_name(relation, "mixed/0", "bad");
    let c = world.final_name(relation, "mixed/0", "c");
    for name in [&first, &a, &c] {
        world.prometheus.wait_until(name, "up");
    }
    assert_eq!(world.prometheus.jobs(), [a, c, first]);
    assert_eq!(world.prometheus.certificate_files().len(), 3);

    world.configure("mixed", &[("jobs", &mixed(&json!({})))]);

    world.prometheus.wait_until(&bad, "up");
    assert_eq!(world.status(PROMETHEUS), "active: 4 jobs");
    assert_eq!(world.status("mixed/0"), "active: 3 jobs registered with 1 Prometheus");
}

#[test]
fn a_job_with_certificates_that_cannot_be_used_is_refused() {
    let mut world = World::new();
    let authority = Authority::new(world.folder.path(), "authority");
    let target = Target::for_clients_of(&authority.certificate(), &authority.server());
    let (client, other) = (authority.client("scraper"), authority.client("other"));
    // It has the form of a certificate, which is all that the requester can see.
    let broken = pem(&authority.certificate()).replace("MII", "MIX");
    let certificate = pem(&client.certificate);
    let options = [
        ("jobs", &*jobs(&[("node", &target)])),
        ("ca-cert", &broken),
        ("client-cert", &certificate),
        ("client-key", &pem(&other.key)),
    ];
    let relation = world.add_jobs("jobs", 1, &options);
    let refused = "blocked: job `node` refused by prometheus/0: unable to use specified";
    assert_eq!(world.status("jobs/0"), format!("{refused} CA cert `ca_cert`"));
    assert_eq!(world.status(PROMETHEUS), "active: 0 jobs, 1 refused");
    assert_eq!(world.prometheus.certificate_files(), Vec::<PathBuf>::new());

    world.configure("jobs", &[("ca-cert", &pem(&authority.certificate()))]);
    assert_eq!(
        world.status("jobs/0"),
        format!(
            "{refused} client cert (`client_cert`) & key (`client_key`): tls: private key does not match public key"
        )
    );

    world.configure("jobs", &[("client-key", &pem(&client.key))]);
    assert_eq!(world.status("jobs/0"), "active: 1 job registered with 1 Prometheus");
    let node = world.final_name(relation, "jobs/0", "node");
    world.prometheus.wait_until(&node, "up");
}

#[test]
fn a_job_of_two_units_is_there_once_and_stays_with_the_last() {
    let mut world = World::new();
    let authority = Authority::new(world.folder.path(), "authority");
    let target = Target::open(&authority.server());
    let options = [("jobs", &*jobs(&[("node", &target)])), ("ca-cert", &pem(&authority.certificate()))];
    let relation = world.add_jobs("jobs", 2, &options);
    let node = world.final_name(relation, "jobs/0", "node");
    assert_eq!(world.final_name(relation, "jobs/1", "node"), node);
    world.prometheus.wait_until(&node, "up");
    assert_eq!(world.status(PROMETHEUS), "active: 1 job");

    world.sim.remove_unit("jobs/0").expect("removed");
    world.settle();

    assert_eq!(world.status(PROMETHEUS), "active: 1 job");
    let configuration = world.prometheus.configuration().expect("written");
    assert_eq!(configuration.matches("job_name:").count(), 1, "{configuration}");
    // What it scrapes from now on, not what it remembers.
    world.prometheus.kill();
    world.sim.update_status(PROMETHEUS).expect("a unit");
    world.settle();
    world.prometheus.wait_until(&node, "up");
    assert_eq!(world.prometheus.jobs(), [node]);
}
