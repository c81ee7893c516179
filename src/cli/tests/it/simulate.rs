//! `charms-reactive simulate`, with charms in bash.

use expect_test::expect;
use serde_json::Value;

use crate::charm::{Desk, SHOP, check, read, text};

#[test]
fn a_scenario_is_run_and_the_model_is_shown() {
    let desk = Desk::new();
    let steps = "\
steps:
- settle
- expect:
    status: {web/*: active, db: 'active: 2 clients'}
    leader: {web: web/0, db: db/0}
    units: {web: 2}
    flags: {web/*: {web.installed: true, web.broken: false}}
    databag:
      web:db db:server: {web/1: {name: web/1, none: null}, db/0: {host: 10.*}}
    ports: {web/0: [80/tcp]}
- run: [web/1, backup, {to: there}]
- expect:
    action: {status: completed, results: {size: 7, where: there}}
- config: {web: {port: 81}}
- add-unit: web
- settle
- expect: {units: {web: 3}, ports: {web/2: [81/tcp]}}
- remove-relation: [web, db]
";
    check(
        &desk.simulate(steps, &[]),
        &expect![[r#"
             Settled 1/9 (23 hooks)
             Checked 2/9 status of db, web/*; leader of db, web; units of web; flags of web/*; databags o...
                 Ran 3/9 run: [web/1, backup, {to: there}] (1 hook)
             Checked 4/9 the action
                 Ran 5/9 config: {web: {port: "81"}}
                 Ran 6/9 add-unit: web
             Settled 7/9 (12 hooks)
             Checked 8/9 units of web; ports of web/2
                 Ran 9/9 remove-relation: [web, db]
        ---- exit code 0
        App  Version  Status   Scale  Charm  Rev  Message
        db            active   1      db     0    3 clients
        web           blocked  3      web    0    no database

        Unit    Workload  Agent  Machine  Public address  Ports          Message
        db/0*   active    idle   2        10.1.0.3                       3 clients
        web/0*  blocked   idle   0        10.1.0.1        80/tcp,81/tcp  no database
        web/1   blocked   idle   1        10.1.0.2        80/tcp,81/tcp  no database
        web/2   blocked   idle   3        10.1.0.4        81/tcp         no database
    "#]],
    );
    // One seed and one scenario: the same, to the letter.
    let args = ["simulate", "scenario.yaml", "--transcript", "--seed", "3"];
    let first = desk.run(&args);
    assert_eq!(first, desk.run(&args));
    assert!(first.contains("== web/0 install"), "{first}");
    assert_ne!(first, desk.run(&["simulate", "scenario.yaml", "--transcript", "--seed", "4"]));
}

#[test]
fn what_is_not_as_expected_is_shown_side_by_side() {
    let desk = Desk::new();
    let steps = "\
steps:
- settle
- expect:
    status: {web/0: 'blocked: no database', web/9: active, web/*: 'active: *', db: active}
    leader: {web: web/1}
    flags: {web/0: {web.installed: false}}
    databag:
      web:db db:server: {web/1: {name: other}, db/0: {host: null, hots: x}}
      web:db other:server: {web/1: {name: other}}
    state: {web/0: {flags: '*broken*'}}
    ports: {web/1: []}
    action: {status: completed}
- config: {web: {port: 81}}
";
    check(
        &desk.simulate(steps, &[]),
        &expect![[r#"
             Settled 1/3 (23 hooks)
              Failed 2/3 status of db, web/*, web/0, web/9; leader of web; flags of web/0; databags of we...
        error: scenario.yaml:8: step 2/3, `expect: status of db, web/*, web/0, web/9; leader of web; flags of web/0; databa...`: not as expected
          status of web/0
            - blocked: no database
            + active: uses 10.1.0.3
          status of web/9
            - active
            + (not there)
          leader of web
            - web/1
            + web/0
          flag web.installed of web/0
            - not set
            + set
          databag of db/0 in web:db db:server: host
            - (not there)
            + 10.1.0.3
          databag of db/0 in web:db db:server: hots
            - x
            + (not there)
          databag of web/1 in web:db db:server: name
            - other
            + web/1
          relation web:db other:server
            - there
            + (not there)
          state of web/0: flags
            - *broken*
            + ["web.installed"]
          ports of web/1
            - 
            + 80/tcp
          the last action
            - one was run
            + none was run
        ---- exit code 1
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

#[test]
fn an_expectation_that_is_too_early_says_so() {
    let desk = Desk::new();
    check(
        &desk.simulate("steps:\n- expect: {status: {db: active}}\n", &[]),
        &expect![[r#"
                  Failed 1/1 status of db
            error: scenario.yaml:7: step 1/1, `expect: status of db`: not as expected
              status of db
                - active
                + waiting: waiting for machine
            hint: hooks are due: put `- settle` before it
            ---- exit code 1
            App  Version  Status   Scale  Charm  Rev  Message
            db            waiting  1      db     0    waiting for machine
            web           waiting  2      web    0    waiting for machine

            Unit    Workload  Agent       Machine  Public address  Ports  Message
            db/0*   waiting   allocating  2        10.1.0.3               waiting for machine
            web/0*  waiting   allocating  0        10.1.0.1               waiting for machine
            web/1   waiting   allocating  1        10.1.0.2               waiting for machine

            Integration provider  Requirer  Interface  Type     Message
            db:server             web:db    sql        regular
        "#]],
    );
}

#[test]
fn what_the_model_refuses_ends_the_run() {
    let desk = Desk::new();
    check(
        &desk.simulate("steps:\n- settle\n\n- remove-unit: web/7\n- settle", &[]),
        &expect![[r#"
             Settled 1/3 (23 hooks)
              Failed 2/3 remove-unit: web/7
        error: scenario.yaml:9: step 2/3, `remove-unit: web/7`: unit `web/7` not found
        ---- exit code 1
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

#[test]
fn a_unit_left_in_error_is_one_unless_it_is_expected() {
    let desk = Desk::new();
    check(
        &desk.simulate("steps:\n- config: {web: {port: 0}}\n", &[]),
        &expect![[r#"
                 Ran 1/1 config: {web: {port: "0"}}
        error: web/0 is left in error: config-changed failed, exit code 1; it said: port 0 is none
        hint: where that is meant, expect it: `- expect: {status: {UNIT: error}}`
        error: web/1 is left in error: config-changed failed, exit code 1; it said: port 0 is none
        hint: where that is meant, expect it: `- expect: {status: {UNIT: error}}`
        ---- exit code 1
        App  Version  Status  Scale  Charm  Rev  Message
        db            active  1      db     0    2 clients
        web           error   2      web    0    hook failed: "config-changed"

        Unit    Workload  Agent  Machine  Public address  Ports  Message
        db/0*   active    idle   2        10.1.0.3               2 clients
        web/0*  error     idle   0        10.1.0.1               hook failed: "config-changed"
        web/1   error     idle   1        10.1.0.2               hook failed: "config-changed"

        Integration provider  Requirer  Interface  Type     Message
        db:server             web:db    sql        regular
    "#]],
    );
    let steps = "\
steps:
- config: {web: {port: 0}}
- settle
- expect: {status: {web/*: 'error: hook failed: \"config-changed\"'}}
";
    assert!(desk.simulate(steps, &[]).contains("---- exit code 0\n"));
}

#[test]
fn what_cannot_be_run_has_another_exit_code() {
    let desk = Desk::new();
    check(
        &desk.run(&["simulate", "none.yaml"]),
        &expect![[r#"
        error: cannot read `none.yaml`
          because: No such file or directory (os error 2)
        ---- exit code 2
    "#]],
    );
    check(
        &desk.simulate("steps:\n- setle\n", &[]),
        &expect![[r#"
        error: scenario.yaml:7:3: steps[0]: unknown word `setle`
        hint: did you mean `settle`?
        ---- exit code 2
    "#]],
    );
    desk.write("wrong.yaml", "applications:\n  web: {charm: ./wbe}\n");
    check(
        &desk.run(&["simulate", "wrong.yaml"]),
        &expect![[r#"
            error: charm `./wbe` of `web` is not there
            hint: did you mean `web`?
            ---- exit code 2
        "#]],
    );
    desk.write("hub.yaml", "applications:\n  web: {charm: postgresql}\n");
    check(
        &desk.run(&["simulate", "hub.yaml"]),
        &expect![[r#"
        error: charm `postgresql` of `web` is not there
        hint: charms of Charmhub have to be fetched before: `juju download postgresql`; charms of this workspace are `cargo:postgresql`
        ---- exit code 2
    "#]],
    );
    desk.write("option.yaml", "applications:\n  web: {charm: ./web, options: {prot: 1}}\n");
    check(
        &desk.run(&["simulate", "option.yaml"]),
        &expect![[r#"
        error: cannot deploy `web`
          because: unknown option "prot"
        ---- exit code 2
    "#]],
    );
    desk.write("ends.yaml", &format!("{SHOP}- [web:db, db:client]\n"));
    check(
        &desk.run(&["simulate", "ends.yaml"]),
        &expect![[r#"
        error: cannot deploy `web:db db:client`
          because: no relation found between `web:db` and `db:client`: `web:db` requires `sql`; `db:client` is no endpoint of its charm
        ---- exit code 2
    "#]],
    );
    desk.write("broken.charm", "no archive");
    desk.write("broken.yaml", "applications:\n  web: {charm: broken.charm}\n");
    check(
        &desk.run(&["simulate", "broken.yaml"]),
        &expect![[r#"
        error: cannot unpack `./broken.charm`
          because: invalid Zip archive: Could not find EOCD
        ---- exit code 2
    "#]],
    );
    let usage = desk.run(&["simulate", "scenario.yaml", "--seeds", "3..1"]);
    assert!(usage.contains("`3..1` are no seeds") && usage.contains("exit code 2"), "{usage}");
}

#[test]
fn several_seeds_are_run_and_the_one_that_fails_is_named() {
    let desk = Desk::new();
    check(
        &desk.simulate("steps:\n- settle\n", &["--seeds", "0..3"]),
        &expect![[r#"
                     Ran seed 0 (23 hooks)
                     Ran seed 1 (25 hooks)
                     Ran seed 2 (23 hooks)
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
    // Which of the two is first is open.
    let steps = "steps:\n- hook\n- expect: {status: {web/0: 'waiting: *'}}\n";
    check(
        &desk.simulate(steps, &["--seeds", "0..3"]),
        &expect![[r#"
                  Failed seed 0 (1 hook)
            error: scenario.yaml:8: step 2/2, `expect: status of web/0`: not as expected
              status of web/0
                - waiting: *
                + maintenance: installing charm software
            hint: hooks are due: put `- settle` before it
            note: again: charms-reactive simulate scenario.yaml --seed 0
                     Ran seed 1 (25 hooks)
                  Failed seed 2 (1 hook)
            error: scenario.yaml:8: step 2/2, `expect: status of web/0`: not as expected
              status of web/0
                - waiting: *
                + maintenance: installing charm software
            hint: hooks are due: put `- settle` before it
            note: again: charms-reactive simulate scenario.yaml --seed 2
            ---- exit code 1
            App  Version  Status   Scale  Charm  Rev  Message
            db            waiting  1      db     0    waiting for machine
            web           waiting  2      web    0    waiting for machine

            Unit    Workload     Agent       Machine  Public address  Ports  Message
            db/0*   waiting      allocating  2        10.1.0.3               waiting for machine
            web/0*  maintenance  idle        0        10.1.0.1               installing charm software
            web/1   waiting      allocating  1        10.1.0.2               waiting for machine

            Integration provider  Requirer  Interface  Type     Message
            db:server             web:db    sql        regular
        "#]],
    );
}

#[test]
fn a_program_reads_json() {
    let desk = Desk::new();
    desk.write("scenario.yaml", &format!("{SHOP}steps:\n- settle\n- expect: {{leader: {{db: db/1}}}}\n"));
    let output = desk.output(&["simulate", "scenario.yaml", "--json", "--juju", "2.9"]);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &document["runs"][0];
    assert_eq!(document["ok"], false);
    assert_eq!(run["status"]["units"][0]["name"], "db/0");
    let problem = serde_json::to_string_pretty(&run["problems"]).unwrap();
    check(
        &problem,
        &expect![[r#"
        [
          {
            "differences": [
              {
                "expected": "db/1",
                "found": "db/0",
                "what": "leader of db"
              }
            ],
            "hint": null,
            "line": 8,
            "reason": "not as expected",
            "step": "step 2/2, `expect: leader of db`"
          }
        ]"#]],
    );
    let events = run["events"].as_array().unwrap();
    let hooks =
        || events.iter().filter(|event| event["event"] == "hook-ended" || event["event"] == "hook-skipped");
    assert!(hooks().any(|event| event["unit"] == "db/0" && event["hook"] == "install"), "{events:?}");
    assert_eq!(run["hooks"].as_u64().unwrap(), hooks().count() as u64);
}

#[test]
fn a_page_is_written() {
    let desk = Desk::new();
    desk.simulate("steps:\n- settle\n", &["--html", "run.html"]);
    let page = read(&desk.path("run.html"));
    assert!(page.starts_with("<!doctype html>") && page.contains("db-relation-joined"), "{page}");
    assert!(page.contains(r#""recorded":true"#), "{page}");
    let found = desk.simulate("steps:\n- settle\n", &["--html", "none/run.html"]);
    check(
        found.split("----").next().unwrap(),
        &expect![[r#"
             Settled 1/1 (23 hooks)
        error: cannot write `none/run.html`
          because: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn upgrades_faults_and_time_are_steps() {
    let desk = Desk::new();
    desk.charm(
        "web-2",
        "name: web\nrequires: {db: sql}",
        &[],
        "#!/bin/bash\nstatus-set active \"version 2\"\n",
    );
    let steps = "\
charms: {web-2: ./web-2}
steps:
- kill-at: 3
- settle
- expect: {status: {web/*: 'active: uses *'}}
- fail-commit: no controller
- update-status: web/0
- advance: 10min
- set-leader: web/1
- stop-agent: web/0
- refresh: {web: web-2}
- settle
- expect: {status: {web/0: 'active: uses *', web/1: 'active: version 2'}}
- start-agent: web/0
- settle
- expect: {status: {web/*: 'active: version 2'}}
- exec: {web/0: 'status-set maintenance hello'}
- expect: {status: {web/0: 'maintenance: hello'}}
";
    check(
        &desk.simulate(steps, &[]),
        &expect![[r#"
                 Ran 1/16 kill-at: 3
             Settled 2/16 (24 hooks)
             Checked 3/16 status of web/*
                 Ran 4/16 fail-commit: no controller
                 Ran 5/16 update-status: web/0
                 Ran 6/16 advance: 10min (7 hooks)
                 Ran 7/16 set-leader: web/1
                 Ran 8/16 stop-agent: web/0
                 Ran 9/16 refresh: {web: web-2}
             Settled 10/16 (3 hooks)
             Checked 11/16 status of web/0, web/1
                 Ran 12/16 start-agent: web/0
             Settled 13/16 (3 hooks)
             Checked 14/16 status of web/*
                 Ran 15/16 exec: {web/0: status-set maintenance hello} (1 hook)
             Checked 16/16 status of web/0
        ---- exit code 0
        App  Version  Status       Scale  Charm  Rev  Message
        db            active       1      db     0    2 clients
        web           maintenance  2      web    1    hello

        Unit    Workload     Agent  Machine  Public address  Ports   Message
        db/0*   active       idle   2        10.1.0.3                2 clients
        web/0   maintenance  idle   0        10.1.0.1        80/tcp  hello
        web/1*  active       idle   1        10.1.0.2        80/tcp  version 2

        Integration provider  Requirer  Interface  Type     Message
        db:server             web:db    sql        regular
    "#]],
    );
}

#[test]
fn help_lists_every_step() {
    let desk = Desk::new();
    let help = text(&desk.output(&["simulate", "--help"]).stdout);
    let error: Result<charms_reactive_sim::Step, _> = serde_json::from_str("{\"none\": 1}");
    let error = error.unwrap_err().to_string();
    let names: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(names.len() > 50, "{names:?}");
    let missing: Vec<&&str> = names.iter().filter(|name| !help.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
