//! What is no scenario is refused, with its place and a hint.

#![expect(clippy::needless_raw_string_hashes, reason = "`expect-test` writes its snapshots so")]

use expect_test::{Expect, expect};

use super::*;

fn refusal(text: &str) -> String {
    match Scenario::parse(text, "s.yaml") {
        Ok(_) => "fine".to_owned(),
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            format!("{error}{hint}")
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&refusal(text));
}

const WEB: &str = "applications:\n  web: {charm: ./web}\n";

fn with(rest: &str) -> String {
    format!("{WEB}{rest}")
}

#[test]
fn mistakes_in_steps_are_told_with_their_place() {
    check(
        &with("steps:\n- setle"),
        &expect![[r#"
        s.yaml:4:3: steps[0]: unknown word `setle`
        hint: did you mean `settle`?"#]],
    );
    check(
        &with("steps:\n- settle\n- ad-unit: web"),
        &expect![[r#"
        s.yaml:5:3: steps[1]: unknown word `ad-unit`
        hint: did you mean `add-unit`?"#]],
    );
    check(
        &with("steps:\n- frobnicate: web"),
        &expect![[r#"
        s.yaml:4:3: steps[0]: unknown word `frobnicate`
        hint: `charms-reactive simulate --help` lists the steps, with an example of each"#]],
    );
    check(
        &with("steps:\n- advance: 10 minutes"),
        &expect![
            "s.yaml:4:3: steps[0]: `10 minutes` is no time, expected one as `10min`, `1h30min`, `90s`, `500ms`"
        ],
    );
    check(
        &with("steps:\n- scale-application: {web: many}"),
        &expect![[
            r#"s.yaml:4:28: steps[0].scale-application.web: invalid type: string "many", expected a number"#
        ]],
    );
    check(
        &with("steps:\n- integrate: web"),
        &expect![[r#"s.yaml:4:14: steps[0].integrate: invalid type: string "web", expected a list"#]],
    );
    check(
        &with("steps:\n- integrate: [web]"),
        &expect!["s.yaml:4:14: steps[0].integrate: invalid length 1, expected a list of 2"],
    );
    check(
        &with("steps:\n- config: {web: 80}"),
        &expect!["s.yaml:4:17: steps[0].config.web: invalid type: integer `80`, expected a map"],
    );
    check(
        &with("steps:\n- settle: now"),
        &expect![[
            r#"s.yaml:4:11: steps[0].settle: invalid value: string "now", expected nothing after its name"#
        ]],
    );
    check(
        &with("steps:\n- add-unit: web\n  settle:"),
        &expect!["s.yaml:4:3: steps[0]: invalid length 2, expected one step after each `-`"],
    );
    check(
        &with("steps:\n- {}"),
        &expect![
            "s.yaml:4:3: steps[0]: invalid length 0, expected a step, for example `settle` or `add-unit: web`"
        ],
    );
    check(
        &with("steps: settle"),
        &expect![[r#"s.yaml:3:8: steps: invalid type: string "settle", expected a list"#]],
    );
    check(
        &with("steps:\n- 7"),
        &expect![
            "s.yaml:4:3: steps[0]: invalid type: integer `7`, expected a step, for example `settle` or `add-unit: web`"
        ],
    );
    check(
        &with("steps:\n- kill-at: -1"),
        &expect!["s.yaml:4:12: steps[0].kill-at: invalid type: integer `-1`, expected a number"],
    );
}

#[test]
fn mistakes_in_expectations_are_told_with_their_place() {
    check(
        &with("steps:\n- expect: {statuses: {web: active}}"),
        &expect![[r#"
        s.yaml:4:12: steps[0].expect: unknown key `statuses`
        hint: did you mean `status`?"#]],
    );
    check(
        &with("steps:\n- expect: {status: active}"),
        &expect![[r#"s.yaml:4:20: steps[0].expect.status: invalid type: string "active", expected a map"#]],
    );
    check(
        &with("steps:\n- expect:\n    units: {web: two}"),
        &expect![[
            r#"s.yaml:5:18: steps[0].expect.units.web: invalid type: string "two", expected a number"#
        ]],
    );
    check(
        &with("steps:\n- expect: {flags: {web/0: [a.set]}}"),
        &expect!["s.yaml:4:27: steps[0].expect.flags.web/0: invalid type: a list, expected a map"],
    );
}

#[test]
fn mistakes_in_the_bundle_are_told_with_their_place() {
    check("", &expect!["s.yaml:1:1: missing key `applications`"]);
    check(
        "- a",
        &expect![
            "s.yaml:1:1: invalid type: a list, expected a bundle: `applications:`, `relations:`, `steps:`"
        ],
    );
    check(
        "applications:\n  web:\n    chram: ./web",
        &expect![[r#"
            s.yaml:3:5: applications.web: unknown key `chram`
            hint: did you mean `charm`?"#]],
    );
    check(
        "applications:\n  web:\n    charm: ./web\n    num_unit: 2",
        &expect![[r#"
        s.yaml:4:5: applications.web: unknown key `num_unit`
        hint: did you mean `num_units`?"#]],
    );
    check(
        "applications:\n  web: {charm: ./web, num_units: two}",
        &expect![[
            r#"s.yaml:2:34: applications.web.num_units: invalid type: string "two", expected a number"#
        ]],
    );
    check(
        "applications: {web: {charm: [}",
        &expect!["s.yaml:1:29: applications.web.charm: invalid type: a list, expected a string"],
    );
    check(
        &with("relation:\n- [a, b]"),
        &expect![[r#"
        s.yaml:3:1: unknown key `relation`
        hint: did you mean `relations`?"#]],
    );
    check(
        &with("relations:\n- [web:db]"),
        &expect!["s.yaml:4:3: relations[0]: invalid length 1, expected two endpoints, `[web:db, db:server]`"],
    );
    check(
        &with("relations:\n- [web:db, dbb:server]"),
        &expect![[r#"
            s.yaml:4: relation with `dbb:server`: no application `dbb`
            hint: known: web"#]],
    );
    check(
        &with("juju: 3"),
        &expect![
            "s.yaml:3: Juju version `3` is not valid, expected two or three numbers from 2.9 on, for example `3.6`"
        ],
    );
    check(
        &with("check: [leader]"),
        &expect![[r#"
        s.yaml:3:9: check[0]: unknown word `leader`
        hint: did you mean `leaders`?"#]],
    );
    check(
        "applications:\n  web: {charm: ./web, storage: {data: 10G}}",
        &expect!["s.yaml:2: storage `data` of `web`: `10G` names no number of instances"],
    );
    check(
        &with("random: {seeds: 9..2}"),
        &expect!["s.yaml:3:9: random: `9..2` are no seeds, expected some as `0..100`, or one"],
    );
    check(
        &with("random: {option: {}}"),
        &expect![[r#"
        s.yaml:3:10: random: unknown key `option`
        hint: did you mean `options`?"#]],
    );
    check(
        &with("random: {units: {wev: 2}}"),
        &expect![[r#"
        s.yaml:3: random: no application `wev`
        hint: did you mean `web`?"#]],
    );
    check(
        &with("charms: {web-2: ./w}\nrandom: {refresh: {web: [web-3]}}"),
        &expect![[r#"
        s.yaml:4: random.refresh: no charm `web-3` under `charms`
        hint: did you mean `web-2`?"#]],
    );
}

#[test]
fn a_bundle_as_juju_takes_it_is_a_scenario() {
    let text = "
name: shop
description: a bundle
series: jammy
default-base: ubuntu@22.04/stable
applications:
  web:
    charm: ./web
    channel: stable
    revision: 7
    num_units: 2
    to: ['0', '1']
    options: {port: 80, ratio: 1.50, motd: include-file://motd}
    constraints: mem=2G
    bindings: {'': alpha}
    storage: {data: 'ebs,10G,3'}
    expose: true
    annotations: {gui-x: '1'}
  db: {charm: local:./db, scale: 1, resources: {image: registry/db}}
machines: {'0': {}, '1': {}}
relations:
- [web:db, db]
";
    let scenario = Scenario::parse(text, "bundle.yaml").unwrap_or_else(|error| panic!("{error}"));
    let web = &scenario.applications["web"];
    assert_eq!((web.num_units, web.options["ratio"].as_str()), (Some(2), "1.50"));
    assert_eq!(storage_count(&web.storage["data"]), Some(3));
    assert_eq!(scenario.applications["db"].num_units, Some(1));
    assert!(Scenario::parse("bundle: kubernetes\napplications: {}", "b").is_ok_and(|it| it.kubernetes));
}

#[test]
fn steps_know_their_lines() {
    let lines = |text: &str| -> Vec<Option<usize>> {
        let scenario = Scenario::parse(text, "s").unwrap_or_else(|error| panic!("{error}"));
        scenario.steps.iter().map(|entry| entry.line).collect()
    };
    let text = with(
        "steps:\n# first\n- settle\n\n- config:\n    web:\n      motd: |\n        - a\n        - b\n- hook\nseed: 1\n",
    );
    assert_eq!(lines(&text), [Some(5), Some(7), Some(12)]);
    assert_eq!(lines(&with("steps:\n  - settle\n  - hook\n")), [Some(4), Some(5)]);
    assert_eq!(lines(&with("steps: [settle, hook]\n")), [None, None]);
}

#[test]
fn a_scenario_is_written_as_it_is_read() {
    let text = with(
        "relations:\n- [web:ring, web:ring]\ncharms: {web-2: cargo:web}\nrandom: {steps: 3}\nsteps:\n- settle\n- expect: {status: {web: active}}\n",
    );
    let scenario = Scenario::parse(&text, "s").unwrap_or_else(|error| panic!("{error}"));
    let written = scenario.to_yaml(7, &scenario.steps);
    expect![[r#"
        seed: 7
        applications:
          web:
            charm: ./web
        relations:
        - - web:ring
          - web:ring
        charms:
          web-2: cargo:web
        steps:
        - settle
        - expect:
            status:
              web: active
    "#]]
    .assert_eq(&written);
    let again = Scenario::parse(&written, "s").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.to_yaml(7, &again.steps), written);
    let moved = scenario.with_paths_in(Path::new("elsewhere"));
    assert_eq!(moved.applications["web"].charm, "elsewhere/./web");
    assert_eq!(moved.charms["web-2"], "cargo:web");
}

#[test]
fn seeds_are_a_range_or_one() {
    assert_eq!(parse_seeds("0..10"), Ok(0..10));
    assert_eq!(parse_seeds(" 3 "), Ok(3..4));
    for text in ["", "a", "1..", "5..5", "7..3", "-1..3", "1...3"] {
        assert!(parse_seeds(text).is_err(), "{text}");
    }
}
