//! A charm in Python becomes one in Rust, while it is related.

use crate::charm::charms;
use crate::model::Language::{Python, Rust};
use crate::model::Model;

#[test]
fn a_provider_in_python_becomes_one_in_rust() {
    let jobs = [("node", "10.0.0.5:9100"), ("refuse-me", "10.0.0.6:9100")];
    for requirer in [Rust, Python] {
        let (mut model, relation) = Model::related(Python, requirer, &jobs);
        model.sim.upgrade("provider", charms().provider(Rust)).expect("the same endpoint");
        model.settle();
        assert_eq!(model.jobs("requirer/0"), ["node 10.0.0.5:9100"], "{requirer:?}");
        let requests = model.published(relation, "provider/0", "request_");
        assert_eq!(requests.len(), 2, "{requirer:?}: the jobs of the charm in Python are taken back");
        assert_eq!(
            model.status("provider/0"),
            "blocked: job `refuse-me` refused by requirer/0: refused by request",
            "{requirer:?}"
        );
    }
}

#[test]
fn a_requirer_in_python_becomes_one_in_rust() {
    let jobs = [("node", "10.0.0.5:9100"), ("refuse-me", "10.0.0.6:9100")];
    for provider in [Rust, Python] {
        let (mut model, relation) = Model::related(provider, Python, &jobs);
        model.sim.upgrade("requirer", charms().requirer(Rust)).expect("the same endpoint");
        model.settle();
        assert_eq!(model.jobs("requirer/0"), ["node 10.0.0.5:9100"], "{provider:?}");
        assert_eq!(model.published(relation, "requirer/0", "response_").len(), 2, "{provider:?}");
        assert_eq!(model.status("provider/0"), model.one_refused("refuse-me", "requirer/0"), "{provider:?}");
        model.set_jobs("provider", &[("node", "10.0.0.7:9100")]);
        model.settle();
        assert_eq!(model.jobs("requirer/0")[..1], ["node 10.0.0.7:9100"], "{provider:?}");
    }
}
