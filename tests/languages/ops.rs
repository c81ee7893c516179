//! A charm on ops, whose view of the model is held against the model.

use std::collections::BTreeMap;

use charms_reactive_sim::{Deployment, JujuVersion, Party, Sim};
use serde_json::{Value, json};

use crate::charm::{Charm, builder, committed, settle};

/// What ops sees, by an action of a unit.
#[track_caller]
fn view(sim: &mut Sim, unit: &str) -> Value {
    let result = sim.run_action(unit, "view", Value::Null).expect("an action");
    assert_eq!((result.status.as_str(), result.code), ("completed", Some(0)), "{}", result.stderr);
    assert_eq!(result.log, ["looked around"]);
    let text = result.results["view"].as_str().expect("a text");
    serde_json::from_str(text).expect("JSON")
}

/// Holds what ops sees of all units against the model.
#[track_caller]
fn agree(sim: &mut Sim, config: &Value) {
    for unit in sim.status().units {
        let found = view(sim, &unit.name);
        let application = unit.name.split('/').next().expect("a name").to_owned();
        let known = sim.unit(&unit.name).expect("listed just now");
        let units = sim.status().units;
        let own = units.iter().filter(|one| one.name.starts_with(&format!("{application}/")));
        assert_eq!(found["unit"], json!(unit.name));
        assert_eq!(found["leader"], json!(known.leader), "{}", unit.name);
        assert_eq!(found["planned"], json!(own.count()), "{}", unit.name);
        assert_eq!(found["address"], json!(known.address));
        let mut ports = known.ports;
        ports.sort();
        assert_eq!(found["ports"], json!(ports), "{}", unit.name);
        assert_eq!(found["status"], json!([known.workload.status, known.workload.message]));
        assert_eq!(found["config"], *config, "{}", unit.name);
        let storage: Vec<String> = sim
            .storage()
            .into_iter()
            .filter(|one| one.unit.as_ref() == Some(&known.name))
            .map(|one| one.id)
            .collect();
        assert_eq!(found["storage"], json!(storage), "{}", unit.name);
        for relation in found["relations"].as_object().expect("endpoints").values() {
            for relation in relation.as_array().expect("relations") {
                agree_on(sim, &unit.name, relation);
            }
        }
        // The stored state has one entry for each hook that was committed and is noted.
        let noted: Vec<String> =
            committed(sim, &unit.name, 0).into_iter().filter(|hook| is_noted(hook)).collect();
        let events: Vec<String> = found["events"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|event| event.as_str().expect("a name").replace('_', "-"))
            .collect();
        assert_eq!(events, noted, "{}", unit.name);
    }
}

/// Whether the charm keeps the name of this hook.
fn is_noted(hook: &str) -> bool {
    let is_unnoted =
        ["ring-relation-changed", "out-relation-joined", "out-relation-changed", "in-relation-created"];
    !is_unnoted.contains(&hook) && !["view", "fail", "leader-settings-changed", "juju-exec"].contains(&hook)
}

/// Holds one relation, as ops sees it, against the model.
#[track_caller]
fn agree_on(sim: &Sim, unit: &str, relation: &Value) {
    let number = u32::try_from(relation["id"].as_u64().expect("a number")).expect("a small one");
    let remote = relation["app"].as_str().expect("a name");
    let mut units: Vec<String> = sim
        .status()
        .units
        .into_iter()
        .map(|one| one.name)
        .filter(|name| name.starts_with(&format!("{remote}/")) && name != unit)
        .collect();
    units.sort();
    assert_eq!(relation["units"], json!(units), "{unit} in {number}");
    for (name, data) in relation["data"].as_object().expect("databags") {
        let party = match name.parse() {
            Ok(unit) => Party::Unit(unit),
            Err(_) => Party::Application(name.parse().expect("an application")),
        };
        let databag = sim.databag(number, &party).expect("a relation");
        let stored: BTreeMap<&str, &str> = databag.iter().collect();
        assert_eq!(*data, json!(stored), "{unit} sees {name} in {number}");
    }
}

/// The life of two applications that share a word and a secret.
fn live(version: JujuVersion, charm: &Charm) {
    let mut sim = builder().juju_version(version).build().expect("a model");
    sim.deploy_with("one", charm.folder(), &Deployment::units(2).storage("data", 1)).expect("a charm");
    sim.deploy("two", charm.folder(), 2).expect("a charm");
    let relation = sim.relate("one:out", "two:in").expect("two endpoints");
    settle(&mut sim);
    let config = json!({"word": "hello", "count": 3, "loud": false});
    agree(&mut sim, &config);
    let password = |sim: &mut Sim, unit: &str| view(sim, unit)["passwords"][relation.to_string()].clone();
    assert_eq!(password(&mut sim, "two/1"), "first");
    assert!(std::fs::read_to_string(format!("{}/mine", sim.storage()[0].location)).is_ok());

    for application in ["one", "two"] {
        sim.configure(application, &[("word", "bye: 'x'\nline"), ("loud", "true")]).expect("options");
    }
    settle(&mut sim);
    let config = json!({"word": "bye: 'x'\nline", "count": 3, "loud": true});
    agree(&mut sim, &config);
    assert_eq!(sim.unit("one/0").expect("a unit").ports, ["80/tcp", "53/udp"]);
    assert_eq!(sim.status().applications[0].version, "1.2.3");

    let databag = sim.application_databag(relation, "one").expect("a relation");
    let id = databag.text("secret").expect("it was shared").to_owned();
    sim.rotate_secret(&id).expect("it rotates");
    settle(&mut sim);
    assert_eq!([password(&mut sim, "two/0"), password(&mut sim, "two/1")], ["second", "second"]);
    let leader = committed(&sim, "one/0", 0);
    assert_eq!(leader[leader.len() - 2..], ["secret-rotate", "secret-remove"]);
    let gone = sim.exec("one/0", &format!("secret-remove {id} --revision 1")).expect("a script");
    assert!(gone.stderr.contains("not found"), "the charm has removed it: {}", gone.stderr);

    sim.set_leader("one/1").expect("a unit");
    sim.add_unit("two").expect("an application");
    sim.set_address("one/0", "10.7.0.1".parse().expect("an address")).expect("a unit");
    settle(&mut sim);
    agree(&mut sim, &config);
    sim.remove_unit("one/0").expect("a unit");
    settle(&mut sim);
    agree(&mut sim, &config);
    let run = committed(&sim, "one/0", 0);
    let detaching = run.iter().position(|hook| hook == "data-storage-detaching").expect("it had storage");
    let mut last: Vec<&str> = run[detaching + 1..].iter().map(String::as_str).collect();
    assert_eq!(last.split_off(last.len() - 2), ["stop", "remove"]);
    assert!(last.iter().all(|hook| hook.ends_with("-departed") || hook.ends_with("-broken")), "{last:?}");

    let failed = sim.run_action("two/0", "fail", json!({"message": "on purpose"})).expect("an action");
    assert_eq!((failed.status.as_str(), failed.message.as_str()), ("failed", "on purpose"));

    sim.remove_relation(relation).expect("a relation");
    settle(&mut sim);
    agree(&mut sim, &config);
    assert_eq!(password(&mut sim, "two/0"), Value::Null);
    sim.remove_application("one").expect("it is there");
    sim.remove_application("two").expect("it is there");
    settle(&mut sim);
    assert_eq!(sim.status().to_string(), "");
}

#[test]
fn ops_sees_what_the_model_is_and_keeps_its_state_in_a_file() {
    live(JujuVersion::V3_6, &Charm::lay_out("python-ops"));
}

#[test]
fn ops_sees_what_the_model_is_and_keeps_its_state_with_juju() {
    live(JujuVersion::V3_6, &Charm::lay_out("python-ops").with("keep-with-juju"));
}

#[test]
fn ops_sees_what_a_model_of_juju_4_is() {
    live(JujuVersion::V4_0, &Charm::lay_out("python-ops").with("keep-with-juju"));
}

#[test]
fn a_new_pod_has_only_what_was_kept_with_juju() {
    let config = json!({"word": "hello", "count": 3, "loud": false});
    for is_kept in [true, false] {
        let charm = Charm::lay_out("python-ops");
        let charm = if is_kept { charm.with("keep-with-juju") } else { charm };
        let mut sim = builder().kubernetes().build().expect("a model");
        sim.deploy("one", charm.folder(), 2).expect("a charm");
        settle(&mut sim);
        if is_kept {
            let address = view(&mut sim, "one/0")["address"].clone();
            agree(&mut sim, &config);
            sim.replace_pod("one/0").expect("a pod");
            settle(&mut sim);
            agree(&mut sim, &config);
            assert_ne!(view(&mut sim, "one/0")["address"], address);
            continue;
        }
        sim.replace_pod("one/0").expect("a pod");
        settle(&mut sim);
        let events = view(&mut sim, "one/0")["events"].clone();
        let events: Vec<&str> = events.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert!(!events.contains(&"install") && events.contains(&"start"), "{events:?}");
    }
}
