//! What happens to two related charms, whatever they are written in.

use std::fs;

use serde_json::json;

use crate::model::Language::{self, Python, Rust};
use crate::model::Model;

const NODE: (&str, &str) = ("node", "10.0.0.5:9100");
const NODE_JOB: &str = "node 10.0.0.5:9100";

pub(crate) fn jobs_arrive_and_answers_come_back(provider: Language, requirer: Language) {
    let jobs = [NODE, ("refuse-me", "10.0.0.6:9100")];
    let (mut model, relation) = Model::related(provider, requirer, &jobs);
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB]);
    assert_eq!(model.status("requirer/0"), "active: 1 jobs");
    assert_eq!(model.status("provider/0"), model.one_refused("refuse-me", "requirer/0"));
    assert_eq!(model.published(relation, "requirer/0", "response_").len(), 2);

    model.set_jobs("provider", &[NODE]);
    model.settle();
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB]);
    // Python can neither take a job back (D10) nor an answer (D9).
    let requests = if provider == Rust { 1 } else { 2 };
    let responses = if requirer == Rust { requests } else { 2 };
    assert_eq!(model.published(relation, "provider/0", "request_").len(), requests);
    assert_eq!(model.published(relation, "requirer/0", "response_").len(), responses);
}

pub(crate) fn certificates_arrive_with_their_job(provider: Language, requirer: Language) {
    let pem = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\nMIIBszCCAVmgAwIB{body}=\n-----END {label}-----\n")
    };
    let certificates = [
        ("ca-cert", pem("CERTIFICATE", "Y2F"), "ca_file"),
        ("client-cert", pem("CERTIFICATE", "Y2V"), "cert_file"),
        ("client-key", pem("PRIVATE KEY", "a2V"), "key_file"),
    ];
    let jobs = json!([{
        "job_name": "node",
        "scheme": "https",
        "static_configs": [{"targets": ["10.0.0.5:9100"]}],
        "tls_config": {"ca_file": "placeholder", "server_name": "node"},
    }]);
    let mut model = Model::new(provider, requirer);
    let (jobs, mut options) = (jobs.to_string(), Vec::new());
    options.push(("jobs", jobs.as_str()));
    options.extend(certificates.iter().map(|(option, text, _)| (*option, text.as_str())));
    model.sim.configure("provider", &options).expect("options of the charm");
    model.relate("provider", "requirer");
    model.settle();
    let items = model.items("requirer/0");
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["tls_config"]["server_name"], "node");
    for (option, text, field) in &certificates {
        let path = items[0]["tls_config"][field].as_str().expect("a path");
        let found = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(found.trim_end(), text.trim_end(), "{option}");
    }
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));

    // Options that are empty again are no certificates, in any language.
    model.sim.reset("provider", &["ca-cert", "client-cert", "client-key"]).expect("options of the charm");
    model.settle();
    let tls = &model.items("requirer/0")[0]["tls_config"];
    assert_eq!(*tls, json!({"ca_file": "placeholder", "server_name": "node"}));
    let left = fs::read_dir(model.sim.charm_dir("requirer/0").expect("a unit").join("certs"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "certificate files are left");
}

pub(crate) fn jobs_follow_the_configuration(provider: Language, requirer: Language) {
    let (mut model, relation) = Model::related(provider, requirer, &[NODE]);
    let first = model.published(relation, "provider/0", "request_");
    assert_eq!(first.len(), 1);

    model.set_jobs("provider", &[("node", "10.0.0.7:9100")]);
    model.settle();
    assert_eq!(model.jobs("requirer/0"), ["node 10.0.0.7:9100"]);
    assert_eq!(model.published(relation, "provider/0", &first[0].0).len(), 1, "the id stays");
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));

    model.set_jobs("provider", &[("node", "10.0.0.7:9100"), ("app", "10.0.0.8:80")]);
    model.settle();
    assert_eq!(model.jobs("requirer/0"), ["app 10.0.0.8:80", "node 10.0.0.7:9100"]);
    assert_eq!(model.status("provider/0"), model.all_accepted(2, 1));

    model.set_jobs("provider", &[("app", "10.0.0.8:80")]);
    model.settle();
    let left: &[&str] = match provider {
        Rust => &["app 10.0.0.8:80"],
        // It cannot take a job back (D10).
        Python => &["app 10.0.0.8:80", "node 10.0.0.7:9100"],
    };
    assert_eq!(model.jobs("requirer/0"), left);
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));
}

/// The jobs of `units` units of one provider: in Rust they share one, in Python each has its own.
fn node_jobs(provider: Language, units: usize) -> Vec<&'static str> {
    vec![NODE_JOB; if provider == Rust { 1 } else { units }]
}

pub(crate) fn units_of_the_provider_come_and_go(provider: Language, requirer: Language) {
    let (mut model, _) = Model::related(provider, requirer, &[NODE]);
    model.sim.add_unit("provider").expect("an application");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), node_jobs(provider, 2));
    assert_eq!(model.status("provider/1"), model.all_accepted(1, 1));

    // Another unit leads: nothing hangs on that.
    model.sim.set_leader("provider/1").expect("a unit");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), node_jobs(provider, 2));

    model.sim.remove_unit("provider/0").expect("a unit");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB]);
    assert_eq!(model.status("provider/1"), model.all_accepted(1, 1));

    model.sim.remove_unit("provider/1").expect("a unit");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [""; 0]);
    assert_eq!(model.status("requirer/0"), "active: 0 jobs");

    model.sim.add_unit("provider").expect("an application");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB]);
    assert_eq!(model.status("provider/2"), model.all_accepted(1, 1));
}

pub(crate) fn units_of_the_requirer_come_and_go(provider: Language, requirer: Language) {
    let jobs = [NODE, ("refuse-me", "10.0.0.6:9100")];
    let (mut model, relation) = Model::related(provider, requirer, &jobs);
    model.sim.add_unit("requirer").expect("an application");
    model.settle();
    for unit in ["requirer/0", "requirer/1"] {
        assert_eq!(model.jobs(unit), [NODE_JOB], "{unit}");
        assert_eq!(model.published(relation, unit, "response_").len(), 2, "{unit}");
    }
    assert_eq!(model.status("provider/0"), model.one_refused("refuse-me", "requirer/0"));

    model.sim.remove_unit("requirer/0").expect("a unit");
    model.settle();
    assert_eq!(model.jobs("requirer/1"), [NODE_JOB]);
    assert_eq!(model.status("provider/0"), model.one_refused("refuse-me", "requirer/1"));

    model.sim.remove_unit("requirer/1").expect("a unit");
    model.settle();
    assert_eq!(model.status("provider/0"), model.alone());
}

pub(crate) fn a_relation_is_made_again(provider: Language, requirer: Language) {
    let (mut model, relation) = Model::related(provider, requirer, &[NODE]);
    model.sim.remove_relation(relation).expect("a relation");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [""; 0]);
    assert_eq!(model.status("provider/0"), model.alone());

    // In text, 10 comes before 2.
    model.relations_from(10);
    let relation = model.relate("provider", "requirer");
    assert_eq!(relation, 10);
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB]);
    assert_eq!(model.published(relation, "provider/0", "request_").len(), 1);
    assert_eq!(model.published(relation, "requirer/0", "response_").len(), 1);
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));
}

pub(crate) fn one_provider_has_two_requirers(provider: Language, requirer: Language) {
    let mut model = Model::new(provider, requirer);
    model.deploy("other", &crate::charm::charms().requirer(requirer));
    model.set_jobs("provider", &[NODE]);
    model.relations_from(9);
    assert_eq!(model.relate("provider", "requirer"), 9);
    model.settle();
    assert_eq!(model.relate("provider", "other"), 10);
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB]);
    match provider {
        Rust => assert_eq!(model.jobs("other/0"), [NODE_JOB]),
        // It finds the job on the first relation, and so never makes one on the second (D5).
        Python => assert_eq!(model.jobs("other/0"), [""; 0]),
    }
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 2));

    // Each relation goes alone.
    model.sim.remove_relation(9).expect("a relation");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [""; 0]);
    if provider == Rust {
        assert_eq!(model.jobs("other/0"), [NODE_JOB]);
        assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));
    }
}

pub(crate) fn one_requirer_has_two_providers(provider: Language, requirer: Language) {
    let mut model = Model::new(provider, requirer);
    model.deploy("other", &crate::charm::charms().provider(provider));
    model.set_jobs("provider", &[NODE]);
    // The same name, and one that is refused.
    model.set_jobs("other", &[("node", "10.0.0.6:9100"), ("refuse-me", "10.0.0.7:9100")]);
    model.relations_from(9);
    assert_eq!(model.relate("provider", "requirer"), 9);
    assert_eq!(model.relate("other", "requirer"), 10);
    model.settle();
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB, "node 10.0.0.6:9100"]);
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));
    assert_eq!(model.status("other/0"), model.one_refused("refuse-me", "requirer/0"));
    assert_eq!(model.published(9, "requirer/0", "response_").len(), 1);
    assert_eq!(model.published(10, "requirer/0", "response_").len(), 2);

    model.sim.remove_application("provider").expect("an application");
    model.settle();
    assert_eq!(model.jobs("requirer/0"), ["node 10.0.0.6:9100"]);
}

pub(crate) fn a_hook_that_failed_is_made_good(provider: Language, requirer: Language) {
    let (mut model, relation) = Model::related(provider, requirer, &[NODE]);
    let jobs = [NODE, ("refuse-me", "10.0.0.6:9100")];

    model.fail_once("provider/0");
    model.set_jobs("provider", &jobs);
    model.settle();
    assert_eq!(model.failures(), ["provider/0 config-changed"]);
    assert_eq!(model.published(relation, "provider/0", "request_").len(), 2, "nothing is there twice");
    assert_eq!(model.jobs("requirer/0"), [NODE_JOB]);
    assert_eq!(model.status("provider/0"), model.one_refused("refuse-me", "requirer/0"));

    model.fail_once("requirer/0");
    model.set_jobs("provider", &[NODE, ("app", "10.0.0.8:80")]);
    model.settle();
    let failures = model.failures();
    assert_eq!(failures[1..], ["requirer/0 manual-jobs-relation-changed"]);
    assert_eq!(model.jobs("requirer/0"), ["app 10.0.0.8:80", NODE_JOB]);
    assert_eq!(model.status("provider/0"), model.all_accepted(2, 1));
}

pub(crate) fn an_upgrade_changes_nothing(provider: Language, requirer: Language) {
    let (mut model, relation) = Model::related(provider, requirer, &[NODE]);
    let both = |model: &Model| {
        let requests = model.published(relation, "provider/0", "request_");
        (requests, model.published(relation, "requirer/0", "response_"), model.items("requirer/0"))
    };
    let before = both(&model);
    model.sim.upgrade("provider", crate::charm::charms().provider(provider)).expect("the same charm");
    model.sim.upgrade("requirer", crate::charm::charms().requirer(requirer)).expect("the same charm");
    model.settle();
    assert_eq!(both(&model), before);
    assert_eq!(model.status("provider/0"), model.all_accepted(1, 1));

    // Both still follow.
    model.set_jobs("provider", &[("node", "10.0.0.7:9100")]);
    model.settle();
    assert_eq!(model.jobs("requirer/0"), ["node 10.0.0.7:9100"]);
}
