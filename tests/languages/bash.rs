//! A charm of single hooks in bash, related with one on ops.

use charms_reactive_sim::Deployment;
use serde_json::Value;

use crate::charm::{Charm, builder, committed, settle};

#[test]
fn a_charm_of_single_hooks_lives_beside_one_on_ops() {
    let (bash, ops) = (Charm::lay_out("bash-hooks"), Charm::lay_out("python-ops"));
    let mut sim = builder().build().expect("a model");
    sim.deploy("bash", bash.folder(), 2).expect("a charm");
    sim.deploy_with("words", ops.folder(), &Deployment::units(2).config("word", "good")).expect("a charm");
    let relation = sim.relate("words:out", "bash:in").expect("two endpoints");
    settle(&mut sim);

    for (unit, other) in [("bash/0", "bash/1"), ("bash/1", "bash/0")] {
        let state = sim.unit_state(unit).expect("a unit");
        let mut seen: Vec<&str> = state["seen"].split_whitespace().collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, ["words/0=good", "words/1=good"], "{unit}");
        assert_eq!(state["password"], "first", "{unit}");
        let view = sim.unit(unit).expect("a unit");
        assert_eq!((view.workload.message.as_str(), view.ports), ("hello", vec!["8080/tcp".to_owned()]));
        let counted = sim.run_action(unit, "count", Value::Null).expect("an action");
        assert_eq!(counted.results["peers"], other);
    }
    // Files that are not there are skipped, and nothing of them is committed.
    let run = committed(&sim, "bash/0", 0);
    assert_eq!(run[..3], ["data-storage-attached", "install", "config-changed"]);
    assert!(!run.iter().any(|hook| hook == "start" || hook.starts_with("ring-")), "{run:?}");

    // A new revision of the secret arrives, and the old one goes.
    let id = sim.application_databag(relation, "words").expect("a relation");
    let id = id.text("secret").expect("it was shared").to_owned();
    sim.rotate_secret(&id).expect("it rotates");
    settle(&mut sim);
    for unit in ["bash/0", "bash/1"] {
        assert_eq!(sim.unit_state(unit).expect("a unit")["password"], "second");
    }
    assert!(sim.transcript().contains("> secret-remove"), "{}", sim.transcript());

    sim.remove_application("bash").expect("it is there");
    sim.remove_application("words").expect("it is there");
    settle(&mut sim);
    assert_eq!(sim.status().to_string(), "");
}
