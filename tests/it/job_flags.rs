//! The flags of jobs on both sides: worked out in every dispatch, not in hooks of the endpoint alone.

use charms_reactive_testkit::Sim;

use super::job_secrets::{flags, model, ours, settle};

#[test]
fn the_flags_of_jobs_are_worked_out_in_every_dispatch() {
    // D20: in Python `available`, `has_jobs` and `new_jobs` change in hooks of the endpoint alone.
    let mut sim: Sim = model(charms_reactive_testkit::JujuVersion::V3_6, ours());
    let has = |sim: &Sim, unit: &str, flag: &str| flags(sim, unit).contains(&flag.to_owned());
    sim.configure("provider", &[("jobs", " ")]).expect("an option");
    sim.relate("provider:metrics", "requirer:jobs").expect("related");
    settle(&mut sim);
    assert!(!has(&sim, "provider/0", "endpoint.metrics.available"));
    assert!(!has(&sim, "requirer/0", "endpoint.jobs.has_jobs"));
    // The hook in which the job is registered is `config-changed`.
    sim.configure("provider", &[("jobs", "node")]).expect("an option");
    sim.step().expect("a hook");
    assert!(has(&sim, "provider/0", "endpoint.metrics.available"));
    settle(&mut sim);
    assert!(has(&sim, "requirer/0", "endpoint.jobs.has_jobs"));
    assert!(!has(&sim, "requirer/0", "endpoint.jobs.new_jobs"), "it was answered");
    sim.configure("provider", &[("jobs", " ")]).expect("an option");
    settle(&mut sim);
    assert!(!has(&sim, "provider/0", "endpoint.metrics.available"));
    assert!(!has(&sim, "requirer/0", "endpoint.jobs.has_jobs"));
}
