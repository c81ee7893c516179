//! Charms in Rust, in Python and in bash on both sides, all related to each other in one model.
//!
//! A unit of a provider in Python registers with the first of its relations only, and finds its job there
//! whenever it looks for one (D5): so only one requirer hears of its jobs.  Which relation is the first goes by
//! their ids as texts (D35): the unit that was there early registered with the requirer in Rust, on relation 9,
//! before relation 12 was made; one that comes later takes 12 for the first, which leads to that in Python.

use serde_json::Value;

use crate::bash::{PROVIDER, quoted};
use crate::charm::{self, charms};
use crate::model::Language::{Python, Rust};
use crate::model::Model;

/// What the provider in bash says: ids that are no UUIDs, fields that nobody knows, JSON of any spacing.
const BY_HAND: [(&str, &str); 4] = [
    (
        "request_m_hand_0",
        r#"{"job_name":"hand/0","job_data":{"static_configs":[{"targets":["10.0.1.1:1"]}]},"request_id":"m_hand_0"}"#,
    ),
    (
        "request_1a2b3c",
        "{ \"request_id\" : \"1a2b3c\",\r\n\t\"port\" : 9100, \"tags\": [ { } ],\n \"job_name\" :\"spaced\" , \"job_data\":{ \"static_configs\" :[ {\"targets\": [\"10.0.1.2:1\" ] } ]}}",
    ),
    (
        "request_größe",
        r#"{"job_name":"gr\u00f6\u00dfe","job_data":{"static_configs":[{"targets":["10.0.1.3:1"]}]},"request_id":"größe","ca_cert":null}"#,
    ),
    (
        "request_0",
        r#"{"job_name":"refuse-me","job_data":{"static_configs":[{"targets":["10.0.1.4:1"]}]},"request_id":"0"}"#,
    ),
];

/// What of it is taken, by final name and target.
const TAKEN: [&str; 3] = ["größe-größe 10.0.1.3:1", "hand/0-m_hand_0 10.0.1.1:1", "spaced-1a2b3c 10.0.1.2:1"];

/// Providers in Rust, Python and bash, each related to a requirer in Rust and to one in Python.
struct Mixed {
    model: Model,
    /// The relations of the provider in bash.
    by_hand: [u32; 2],
}

impl Mixed {
    fn new() -> Self {
        let mut model = Model::empty(Rust);
        let folder = model.folder().join("hand");
        let lines: Vec<String> =
            BY_HAND.iter().map(|(key, text)| format!("relation-set {}", quoted(key, text))).collect();
        let body = format!("if [ \"$hook\" = prometheus-relation-created ]; then\n{}\nfi", lines.join("\n"));
        let metadata = PROVIDER.replace("provider\n", "hand\n");
        model.deploy("hand", &charm::bash(&folder, &metadata, &body));
        for (name, language) in [("rusty", Rust), ("pythonic", Python)] {
            model.deploy(name, &charms().provider(language));
            model.deploy(&format!("{name}-requirer"), &charms().requirer(language));
        }
        model.set_jobs("rusty", &[("node", "10.0.0.1:1"), ("refuse-me", "10.0.0.2:1")]);
        model.set_jobs("pythonic", &[("node", "10.0.0.3:1"), ("app", "10.0.0.4:1")]);
        // Both sides of 10, which comes before 9 as a text.
        model.relations_from(8);
        let mut by_hand = Vec::new();
        for requirer in ["rusty-requirer", "pythonic-requirer"] {
            for provider in ["rusty", "pythonic", "hand"] {
                let relation = model.relate(provider, requirer);
                if provider == "hand" {
                    by_hand.push(relation);
                } else if provider == "pythonic" {
                    // It registers where it is related first.
                    model.settle();
                }
            }
        }
        model.settle();
        Self { model, by_hand: by_hand.try_into().expect("one for each requirer") }
    }

    /// The jobs of a unit by name and target, sorted; UUIDs are cut off.
    fn jobs(&self, unit: &str) -> Vec<String> {
        let job = |item: &Value| {
            let name = item["job_name"].as_str().expect("a name");
            let target = item["static_configs"][0]["targets"][0].as_str().expect("a target");
            let is_part = |(part, length): (&str, usize)| {
                part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            };
            let mut parts: Vec<&str> = name.split('-').collect();
            let uuid = parts.split_off(parts.len().saturating_sub(5));
            if uuid.len() == 5 && uuid.into_iter().zip([8, 4, 4, 4, 12]).all(is_part) {
                format!("{} {target}", parts.join("-"))
            } else {
                format!("{name} {target}")
            }
        };
        let mut jobs: Vec<String> = self.model.items(unit).iter().map(job).collect();
        jobs.sort();
        jobs
    }

    /// Checks the jobs of each unit of both requirers: those by hand, and these besides.
    #[track_caller]
    fn expect(&self, rusty: &[&str], pythonic: &[&str]) {
        for (requirer, besides) in [("rusty-requirer", rusty), ("pythonic-requirer", pythonic)] {
            let mut expected: Vec<&str> = TAKEN.iter().chain(besides).copied().collect();
            expected.sort_unstable();
            for unit in self.model.sim.units(requirer) {
                assert_eq!(self.jobs(&unit.to_string()), expected, "{unit}");
            }
        }
    }

    /// Checks that a unit in Rust or Python accepted all requests by hand but the one to be refused.
    #[track_caller]
    fn expect_answers(&self, requirer: usize, unit: &str) {
        let answers = self.model.published(self.by_hand[requirer], unit, "response_");
        assert_eq!(answers.len(), BY_HAND.len(), "{unit}");
        for (key, text) in answers {
            let answer: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(answer["success"], key != "response_0", "{unit}: {key} is {text}");
        }
    }
}

#[test]
fn everybody_is_related_to_everybody() {
    let mut mixed = Mixed::new();
    mixed.expect(&["node 10.0.0.1:1", "node 10.0.0.3:1", "app 10.0.0.4:1"], &["node 10.0.0.1:1"]);
    mixed.expect_answers(0, "rusty-requirer/0");
    mixed.expect_answers(1, "pythonic-requirer/0");
    let refused = "blocked: job `refuse-me` refused by";
    assert!(mixed.model.status("rusty/0").starts_with(refused), "{}", mixed.model.status("rusty/0"));
    assert_eq!(mixed.model.status("pythonic/0"), "active: 2 jobs accepted");

    // More units on both sides: those in Rust share their job, those in Python have one each.
    for application in ["rusty", "pythonic", "rusty-requirer", "pythonic-requirer", "hand"] {
        mixed.model.sim.add_unit(application).expect("an application");
    }
    mixed.model.settle();
    // Both units by hand say the same under the same ids, which is one job (D14).
    let early = ["node 10.0.0.1:1", "node 10.0.0.3:1", "app 10.0.0.4:1"];
    mixed.expect(&early, &early);
    for number in [0, 1] {
        mixed.expect_answers(0, &format!("rusty-requirer/{number}"));
        mixed.expect_answers(1, &format!("pythonic-requirer/{number}"));
    }

    // The jobs change.
    mixed.model.set_jobs("rusty", &[("node", "10.0.0.7:1")]);
    mixed.model.set_jobs("pythonic", &[("node", "10.0.0.8:1"), ("app", "10.0.0.4:1")]);
    mixed.model.settle();
    let changed = ["node 10.0.0.7:1", "node 10.0.0.8:1", "app 10.0.0.4:1"];
    mixed.expect(&changed, &changed);
    for unit in ["rusty/0", "rusty/1"] {
        assert_eq!(mixed.model.status(unit), "active: 1 job registered with 2 Prometheus", "{unit}");
    }

    // Units go, the first ones, which led.
    for application in ["rusty", "pythonic", "rusty-requirer", "pythonic-requirer", "hand"] {
        mixed.model.sim.remove_unit(&format!("{application}/0")).expect("a unit");
        mixed.model.settle();
    }
    mixed.expect(&["node 10.0.0.7:1"], &changed);
    mixed.expect_answers(0, "rusty-requirer/1");
    mixed.expect_answers(1, "pythonic-requirer/1");
    assert_eq!(mixed.model.status("rusty/1"), "active: 1 job registered with 2 Prometheus");
    assert_eq!(mixed.model.status("pythonic/1"), "active: 2 jobs accepted");

    // One provider after the other goes.
    mixed.model.sim.remove_application("pythonic").expect("an application");
    mixed.model.settle();
    mixed.expect(&["node 10.0.0.7:1"], &["node 10.0.0.7:1"]);
    mixed.model.sim.remove_application("rusty").expect("an application");
    mixed.model.settle();
    mixed.expect(&[], &[]);
}

#[test]
fn what_is_written_by_hand_changes_and_goes() {
    let mut mixed = Mixed::new();
    let [rusty, pythonic] = mixed.by_hand;
    let relations = [(rusty, "rusty-requirer/0"), (pythonic, "pythonic-requirer/0")];
    // Another job under the same id, in another form.
    let text = BY_HAND[0].1.replace("10.0.1.1:1", "10.0.1.9:1").replace(",\"", " ,\n \"");
    for (relation, unit) in relations {
        crate::bash::set(&mut mixed.model, "hand/0", relation, BY_HAND[0].0, &text);
        mixed.model.settle();
        assert!(mixed.jobs(unit).contains(&"hand/0-m_hand_0 10.0.1.9:1".to_owned()), "{unit}");
    }
    // Nothing there any more: the answer goes in Rust (D9), and stays in Python.
    for (relation, unit) in relations {
        crate::bash::set(&mut mixed.model, "hand/0", relation, BY_HAND[0].0, "");
        mixed.model.settle();
        assert!(!mixed.jobs(unit).iter().any(|job| job.starts_with("hand/0")), "{unit}");
    }
    let answers = |(relation, unit)| mixed.model.published(relation, unit, "response_").len();
    assert_eq!(relations.map(answers), [BY_HAND.len() - 1, BY_HAND.len()]);
}
