//! Steps are read as they are written.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

/// One step of each kind, in the order of the table of all kinds.
fn samples() -> Vec<Step> {
    let text = include_str!("samples.yaml");
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_kind_of_step_is_read_as_it_is_written() {
    let text = include_str!("samples.yaml");
    let steps = samples();
    let lines: Vec<String> = steps.iter().map(|step| format!("- {step}")).collect();
    let written: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(lines, written);
    for step in &steps {
        let json = serde_json::to_string(step).unwrap();
        assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), *step, "{json}");
        let yaml = serde_yaml::to_string(step).unwrap();
        assert_eq!(serde_yaml::from_str::<Step>(&yaml).unwrap(), *step, "{yaml}");
    }
    // The samples are complete: each name that is known is among them.
    let error = serde_json::from_value::<Step>(json!({"none": 1})).unwrap_err().to_string();
    let names: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    let of_samples: Vec<String> = steps.iter().map(name).collect();
    for known in &names {
        assert!(of_samples.iter().any(|name| name == known), "no sample of `{known}`");
    }
    assert!(names.len() > 50, "{names:?}");
}

fn name(step: &Step) -> String {
    let text = step.to_string();
    text.split(':').next().unwrap_or_default().to_owned()
}

#[test]
fn numbers_and_words_are_values_of_options() {
    let step: Step =
        serde_yaml::from_str("config: {web: {port: 80, ratio: 1.50, is-on: true, name: a b}}").unwrap();
    expect![[r#"config: {web: {is-on: "true", name: a b, port: "80", ratio: "1.50"}}"#]]
        .assert_eq(&step.to_string());
}

#[test]
fn what_is_no_step_is_refused_with_its_place() {
    let check = |text: &str, expected: Expect| {
        let error = serde_yaml::from_str::<Vec<Step>>(text).unwrap_err().to_string();
        // The names of all steps are long.
        let (begin, rest) = error.split_once(", expected one of").unwrap_or((&error, ""));
        let place = rest.split_once(" at line").map(|(_, place)| format!(" at line{place}"));
        expected.assert_eq(&(begin.to_owned() + &place.unwrap_or_default()));
    };
    check("- settle\n- ad-unit: web", expect![".[1]: unknown variant `ad-unit` at line 2 column 3"]);
    check(
        "- settle\n- advance: soon",
        expect![
            ".[1]: `soon` is no time, expected one as `10min`, `1h30min`, `90s`, `500ms` at line 2 column 3"
        ],
    );
    check(
        "- settle\n- scale-application: {web: 1, db: 2}",
        expect![
            ".[1].scale-application: invalid length 2, expected a map with one entry, `{NAME: ...}` at line 2 column 22"
        ],
    );
    check(
        "- settle\n- scale-application: {web: -1}",
        expect![".[1].scale-application.web: invalid type: integer `-1`, expected usize at line 2 column 28"],
    );
    check(
        "- settle\n- integrate: [web]",
        expect![
            ".[1].integrate: invalid length 1, expected tuple variant Step::Relate with 2 elements at line 2 column 14"
        ],
    );
    check(
        "- settle\n- add-unit: [web]",
        expect![".[1].add-unit: invalid type: sequence, expected a string at line 2 column 13"],
    );
    check(
        "- add-unit: web\n  settle: 1",
        expect![".[0]: invalid value: map, expected map with a single key at line 1 column 3"],
    );
    check("- settle: {}", expect![".[0]: invalid type: map, expected unit variant at line 1 column 3"]);
    check(
        "- deploy: {application: web, charm: web, unit: 1}",
        expect![".[0].deploy: unknown field `unit` at line 1 column 42"],
    );
}

#[test]
fn steps_are_drawn_from_all_that_is_possible() {
    let possible = Possible::new()
        .application("web", 3)
        .relation("web:db", "db:server")
        .option("web", "port", &["80"])
        .upgrade("web", "web-2")
        .action("web", "backup", json!({"to": "there"}))
        .storage("web", "data")
        .secret("password")
        .kubernetes()
        .faults()
        .gives_up();
    let steps = possible.draw(1, 3_000);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for step in &steps {
        *counts.entry(name(step)).or_default() += 1;
    }
    assert_eq!(counts.len(), 38, "{counts:?}");
    let settle = counts["settle"] + counts["hook"];
    assert!(settle > 200 && settle < 600, "{counts:?}");
    // Without faults, none are drawn.
    let quiet = Possible::new().application("web", 3).draw(1, 1_000);
    assert!(quiet.iter().all(|step| !name(step).ends_with("-at") && *step != Step::LoseCommit));
}

#[test]
fn agents_that_were_stopped_run_in_the_end() {
    let steps: Vec<Step> =
        serde_yaml::from_str("[stop-agent: a/0, stop-agent: a/1, start-agent: a/0, stop-agent: a/1]")
            .unwrap();
    assert_eq!(Step::healing(&steps), [Step::StartAgent("a/1".to_owned())]);
}

#[test]
fn what_is_simpler_never_leads_back() {
    for step in samples() {
        let mut seen = vec![step.clone()];
        let mut at = 0;
        while let Some(step) = seen.get(at).cloned() {
            for simpler in step.simpler() {
                assert_ne!(simpler, seen[0], "a circle from {}", seen[0]);
                if !seen.contains(&simpler) {
                    seen.push(simpler);
                }
            }
            at += 1;
        }
    }
}
