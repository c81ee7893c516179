//! `charms-reactive simulate` of scenarios with `random`.

use expect_test::expect;
use serde_json::Value;

use crate::charm::{Desk, check, read, text};

/// At most one unit says that it is the primary: two units at most, so one of them does not.
const RING: &str = "\
applications:
  ring: {charm: ./ring, num_units: 2}
steps:
- settle
random:
  steps: 20
  seeds: 0..20
  units: {ring: 2}
  options: {ring: {port: [80, 81]}}
  expect: {databag: {ring:ring: {ring/1: {primary: null}}}}
";

#[test]
fn steps_that_break_something_are_found_and_can_be_run_again() {
    let desk = Desk::new();
    desk.write("ring.yaml", RING);
    let found = desk.run(&["simulate", "ring.yaml", "--save", "failing.yaml"]);
    check(
        &found,
        &expect![[r#"
                 Settled 1/1 (15 hooks)
                  Failed seed 2, in the end with 2 steps of 20
                   Saved failing.yaml
            error: failing.yaml:14: step 5/5, `expect: databags of ring:ring`: not as expected
              databag of ring/1 in ring:ring: primary
                - (not there)
                + yes
            ---- exit code 1
            seed: 2
            applications:
              ring:
                charm: ./ring
                num_units: 2
            check:
            - leaders
            - statuses
            steps:
            - settle
            - config: {ring: {port: "81"}}
            - set-leader: ring/1
            - settle
            - expect:
                databag:
                  ring:ring:
                    ring/1:
                      primary: null

            App   Version  Status   Scale  Charm  Rev  Message
            ring           unknown  2      ring   0

            Unit     Workload  Agent  Machine  Public address  Ports  Message
            ring/0   unknown   idle   0        10.1.0.1
            ring/1*  unknown   idle   1        10.1.0.2

            Integration provider  Requirer   Interface  Type  Message
            ring:ring             ring:ring  ring       peer
        "#]],
    );
    let again = desk.run(&["simulate", "failing.yaml"]);
    check(
        &again,
        &expect![[r#"
                 Settled 1/5 (14 hooks)
                     Ran 2/5 config: {ring: {port: "81"}}
                     Ran 3/5 set-leader: ring/1
                 Settled 4/5 (5 hooks)
                  Failed 5/5 databags of ring:ring
            error: failing.yaml:14: step 5/5, `expect: databags of ring:ring`: not as expected
              databag of ring/1 in ring:ring: primary
                - (not there)
                + yes
            ---- exit code 1
            App   Version  Status   Scale  Charm  Rev  Message
            ring           unknown  2      ring   0

            Unit     Workload  Agent  Machine  Public address  Ports  Message
            ring/0   unknown   idle   0        10.1.0.1
            ring/1*  unknown   idle   1        10.1.0.2

            Integration provider  Requirer   Interface  Type  Message
            ring:ring             ring:ring  ring       peer
        "#]],
    );
    // The same for another folder, from which the charm has another path.
    std::fs::create_dir(desk.path("kept")).unwrap();
    desk.run(&["simulate", "ring.yaml", "--save", "kept/failing.yaml"]);
    let again = desk.run(&["simulate", "kept/failing.yaml"]);
    assert!(
        again.contains("databag of ring/1 in ring:ring: primary") && again.contains("exit code 1"),
        "{again}"
    );
    let document = desk.output(&["simulate", "ring.yaml", "--json"]);
    let document: Value = serde_json::from_str(&text(&document.stdout)).unwrap();
    assert_eq!(document["failing"].as_str().unwrap(), read(&desk.path("failing.yaml")));
}

#[test]
fn a_charm_without_fault_survives_chance() {
    let desk = Desk::new();
    let random = "\
random:
  steps: 12
  seeds: 0..4
  options: {web: {port: [80, 81]}}
  run: {web: [backup]}
  faults: true
";
    check(
        &desk.simulate(random, &[]),
        &expect![[r#"
                    Drew 12 steps with each of 4 seeds, nothing is wrong
            ---- exit code 0
            App  Version  Status  Scale  Charm  Rev  Message
            db            active  1      db     0    2 clients
            web           active  2      web    0    uses 10.1.0.3

            Unit    Workload  Agent  Machine  Public address  Ports   Message
            db/0*   active    idle   2        10.1.0.3                2 clients
            web/0*  active    idle   0        10.1.0.1        80/tcp  uses 10.1.0.3
            web/1   active    idle   1        10.1.0.2        80/tcp  uses 10.1.0.3

            Integration provider  Requirer  Interface  Type     Message
            db:server             web:db    sql        regular
        "#]],
    );
}
