//! What each step does to a model.

use charms_reactive_sim::{Done, Event, InProcess, Sim, SimError, Step};
use expect_test::{Expect, expect};

use crate::charm::{Charms, DOES, builder, on};

fn run(sim: &mut Sim, text: &str) -> Result<Done, SimError> {
    let step: Step = serde_yaml::from_str(text).unwrap();
    step.run(sim)
}

/// Runs steps, settles after each, and tells what happened: facts and hooks, and what was refused.
fn told(sim: &mut Sim, steps: &[&str]) -> String {
    let mut text = String::new();
    for step in steps {
        let from = sim.events().len();
        text += &format!("{step}\n");
        if let Err(error) = run(sim, step) {
            text += &format!("  refused: {error}\n");
        }
        sim.settle().unwrap();
        for event in &sim.events()[from..] {
            // The step has said so itself, and when is no matter here.
            if matches!(event, Event::OperatorActed { .. } | Event::TimePassed { .. }) {
                continue;
            }
            let line = event.to_string();
            if line.starts_with("==") || line.starts_with("   *") || line.contains("rolled back") {
                text += &format!("  {}\n", line.trim());
            }
        }
    }
    text
}

fn check(sim: &mut Sim, steps: &[&str], expected: &Expect) {
    expected.assert_eq(&told(sim, steps));
}

#[test]
fn applications_units_and_relations_come_and_go() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = builder().build().unwrap();
    sim.name_charm("web-1", &web);
    sim.deploy("mysql", &mysql, 1).unwrap();
    sim.settle().unwrap();
    check(
        &mut sim,
        &[
            "deploy: {application: web, charm: web-1, units: 1}",
            "deploy: {application: other, charm: web-9}",
            "integrate: [web, mysql]",
            "write-databag: {relation: [web, mysql], of: mysql/0, key: host, value: here}",
            "write-databag: {relation: [web:db, mysql:server], of: mysql, key: port, value: '1'}",
            "add-unit-beside: {web: mysql/0}",
            "scale-application: {web: 1}",
            "remove-relation: [mysql:server, web:db]",
            "remove-relation: [mysql, web]",
            "refresh: {web: web-1}",
            "refresh: {web: web-2}",
            "change-address: web/0",
            "lose-unit: web/0",
            "remove-application: web",
        ],
        &expect![[r#"
            deploy: {application: web, charm: web-1, units: 1}
              * web/0 is added
              * web/0 leads web
              * web/0 is maintenance: installing charm software
              == web/0 install
              == web/0 leader-elected
              == web/0 config-changed
              == web/0 start
              * web/0 is unknown
            deploy: {application: other, charm: web-9}
              refused: no charm is called `web-9`, known are: web-1
            integrate: [web, mysql]
              * relation 0 is web:db mysql:server
              * databag 0 of mysql/0: egress-subnets was nothing, is "10.1.0.1/32"
              * databag 0 of mysql/0: ingress-address was nothing, is "10.1.0.1"
              * databag 0 of mysql/0: private-address was nothing, is "10.1.0.1"
              * databag 0 of web/0: egress-subnets was nothing, is "10.1.0.2/32"
              * databag 0 of web/0: ingress-address was nothing, is "10.1.0.2"
              * databag 0 of web/0: private-address was nothing, is "10.1.0.2"
              == web/0 db-relation-created (db:0 mysql)
              == mysql/0 server-relation-created (server:0 web)
              == mysql/0 server-relation-joined (server:0 web/0)
              == web/0 db-relation-joined (db:0 mysql/0)
              == web/0 db-relation-changed (db:0 mysql/0)
              == mysql/0 server-relation-changed (server:0 web/0)
            write-databag: {relation: [web, mysql], of: mysql/0, key: host, value: here}
              * databag 0 of mysql/0: host was nothing, is "here"
              == web/0 db-relation-changed (db:0 mysql/0)
            write-databag: {relation: [web:db, mysql:server], of: mysql, key: port, value: '1'}
              * databag 0 of mysql: port was nothing, is "1"
              == web/0 db-relation-changed (db:0 mysql)
            add-unit-beside: {web: mysql/0}
              * web/1 is added
              * web/1 is maintenance: installing charm software
              == web/1 install
              * databag 0 of web/1: egress-subnets was nothing, is "10.1.0.1/32"
              * databag 0 of web/1: ingress-address was nothing, is "10.1.0.1"
              * databag 0 of web/1: private-address was nothing, is "10.1.0.1"
              == web/1 db-relation-created (db:0 mysql)
              == web/1 leader-settings-changed
              == mysql/0 server-relation-joined (server:0 web/1)
              == mysql/0 server-relation-changed (server:0 web/1)
              == web/1 config-changed
              == web/1 start
              * web/1 is unknown
              == web/1 db-relation-changed (db:0 mysql)
              == web/1 db-relation-joined (db:0 mysql/0)
              == web/1 db-relation-changed (db:0 mysql/0)
            scale-application: {web: 1}
              == mysql/0 server-relation-departed (server:0 web/1)
              == web/1 db-relation-departed (db:0 mysql/0)
              == web/1 db-relation-broken (db:0 mysql)
              * web/1 is maintenance: stopping charm software
              == web/1 stop
              * web/1 is maintenance: cleaning up prior to charm deletion
              == web/1 remove
              * web/1 is terminated
              * web/1 is gone
            remove-relation: [mysql:server, web:db]
              == mysql/0 server-relation-departed (server:0 web/0)
              == mysql/0 server-relation-broken (server:0 web)
              == web/0 db-relation-departed (db:0 mysql/0)
              == web/0 db-relation-broken (db:0 mysql)
              * relation 0 is gone
            remove-relation: [mysql, web]
              refused: no relation of `mysql web`, or several: name both endpoints, as in `web:db mysql:server`
            refresh: {web: web-1}
              == web/0 upgrade-charm
              == web/0 config-changed
            refresh: {web: web-2}
              refused: no charm is called `web-2`, known are: web-1
            change-address: web/0
              == web/0 config-changed
            lose-unit: web/0
              * web/0 is gone
              * nobody leads web
            remove-application: web
        "#]],
    );
}

#[test]
fn faults_are_met_once() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\npeers: {ring: ring}", DOES);
    let mut sim = builder().build().unwrap();
    sim.deploy("web", &web, 2).unwrap();
    sim.settle().unwrap();
    for unit in ["web/0", "web/1"] {
        on(&sim, unit, "all", "is-leader; status-set active");
    }
    check(
        &mut sim,
        &[
            "kill-at: 1",
            "update-status: web/0",
            "refuse: status-set",
            "update-status: web/1",
            "refuse-at: 0",
            "update-status: web/1",
            "fail-commit: no controller",
            "update-status: web/0",
            "lose-commit",
            "update-status: web/0",
            "lose-leadership-at: 1",
            "update-status: web/0",
            "change-address-at: 0",
            "update-status: web/0",
            "update-status: web/0",
        ],
        &expect![[r#"
            kill-at: 1
            update-status: web/0
              == web/0 update-status
              -- rolled back, killed by signal 9
              == web/0 update-status
              * web/0 is active
            refuse: status-set
            update-status: web/1
              == web/1 update-status
              -- rolled back, exit code 1
              == web/1 update-status
              * web/1 is active
            refuse-at: 0
            update-status: web/1
              == web/1 update-status
              -- rolled back, exit code 1
              == web/1 update-status
            fail-commit: no controller
            update-status: web/0
              == web/0 update-status
              -- rolled back, no controller
              == web/0 update-status
            lose-commit
            update-status: web/0
              == web/0 update-status
              -- rolled back
              == web/0 update-status
            lose-leadership-at: 1
            update-status: web/0
              == web/0 update-status
              * web/1 leads web
              == web/0 leader-settings-changed
              == web/1 leader-elected
            change-address-at: 0
            update-status: web/0
              == web/0 update-status
              == web/0 config-changed
              * databag 0 of web/0: egress-subnets was "10.1.0.1/32", is "10.1.0.3/32"
              * databag 0 of web/0: ingress-address was "10.1.0.1", is "10.1.0.3"
              * databag 0 of web/0: private-address was "10.1.0.1", is "10.1.0.3"
              == web/1 ring-relation-changed (ring:0 web/0)
            update-status: web/0
              == web/0 update-status
        "#]],
    );
}

#[test]
fn secrets_go_by_names() {
    let mut charms = Charms::new();
    let charm = charms.files(&[
        ("metadata.yaml", "name: web\npeers: {ring: ring}"),
        ("config.yaml", "options: {password: {type: secret}}"),
        (
            "dispatch",
            &crate::charm::script(
                "case $hook in
                   install) secret-add --label own --rotate daily --expire 2050-01-01T00:00:00Z key=1 ;;
                   secret-*) echo about $JUJU_SECRET_LABEL ;;
                   *) secret=$(config-get password); [ -z \"$secret\" ] || secret-get $secret text || true ;;
                 esac",
            ),
        ),
    ]);
    let mut sim = builder().build().unwrap();
    sim.deploy("web", &charm, 1).unwrap();
    sim.settle().unwrap();
    let steps = [
        "add-secret: {password: {text: xyzzy}}",
        "grant-secret: [password, web]",
        "config: {web: {password: 'secret:password'}}",
        "update-secret: {password: {text: plugh}}",
        "rotate-secret: own",
        "expire-secret: own",
        "rotate-secret: password",
        "revoke-secret: password",
        "update-status: web/0",
        "remove-secret: password",
        "revoke-secret: none",
    ];
    let mut text = String::new();
    for step in steps {
        let from = sim.events().len();
        text += &format!("{step}\n");
        if let Err(error) = run(&mut sim, step) {
            text += &format!("  refused: {error}\n");
        }
        sim.settle().unwrap();
        for event in &sim.events()[from..] {
            // The step has said so itself, and when is no matter here.
            if matches!(event, Event::OperatorActed { .. } | Event::TimePassed { .. }) {
                continue;
            }
            let line = event.to_string();
            if line.starts_with("==") || line.starts_with("   |") || line.starts_with("   E") {
                text += &format!("  {}\n", line.trim());
            }
        }
    }
    expect![[r#"
        add-secret: {password: {text: xyzzy}}
        grant-secret: [password, web]
        config: {web: {password: 'secret:password'}}
          == web/0 config-changed
          | xyzzy
        update-secret: {password: {text: plugh}}
          == web/0 secret-changed
          | about
        rotate-secret: own
          == web/0 secret-rotate
          | about own
        expire-secret: own
          == web/0 secret-expired
          | about own
        rotate-secret: password
          refused: secret `secret:72i6sat75a0vr80upa99` has no rotation
        revoke-secret: password
        update-status: web/0
          == web/0 update-status
          E ERROR permission denied
        remove-secret: password
        revoke-secret: none
          refused: secret `none` not found
    "#]]
    .assert_eq(&text);
}

#[test]
fn what_is_run_tells_what_came_of_it() {
    let mut charms = Charms::new();
    let charm = charms.files(&[
        ("metadata.yaml", "name: web\nstorage: {data: {type: filesystem, multiple: {range: 0-}}}"),
        ("actions.yaml", "say: {params: {word: {type: string}}}"),
        (
            "dispatch",
            &crate::charm::script(
                "case ${JUJU_ACTION_NAME-} in say) action-set said=$(action-get word) ;; esac",
            ),
        ),
    ]);
    let mut sim = builder().build().unwrap();
    sim.deploy("web", &charm, 1).unwrap();
    let mut text = String::new();
    for step in [
        "hook",
        "settle",
        "advance: 1s",
        "run: [web/0, say, {word: hello}]",
        "run: [web/0, shout]",
        "run-in-background: [web/0, say]",
        "cancel-task: 2",
        "exec: {web/0: 'echo here; exit 3'}",
        "add-storage: [web/0, data, 1]",
        "settle",
        "detach-storage: data/0",
        "settle",
        "attach-storage: {web/0: data/0}",
        "settle",
        "remove-storage: data/0",
        "resolved: web/0",
        "resolved-no-retry: web/0",
        "replace-pod: web/0",
        "hook",
    ] {
        text += &match run(&mut sim, step) {
            Ok(done) => format!("{step} -> {done:?}\n"),
            Err(error) => format!("{step} -> refused: {error}\n"),
        };
    }
    expect![[r#"
        hook -> Hook(Some(HookRun { unit: UnitName { application: ApplicationName("web"), number: 0 }, hook: "install", about: None, outcome: Committed, commands: 0 }))
        settle -> Settled(Settled { hooks: 3, failed: [] })
        advance: 1s -> Settled(Settled { hooks: 0, failed: [] })
        run: [web/0, say, {word: hello}] -> Action(ActionResult { id: 1, status: "completed", message: "", results: {"said": String("hello")}, code: Some(0), stdout: "", stderr: "", log: [] })
        run: [web/0, shout] -> refused: action `shout` not defined on unit `web/0`
        run-in-background: [web/0, say] -> Changed
        cancel-task: 2 -> Changed
        exec: {web/0: 'echo here; exit 3'} -> Script(ExecResult { code: 3, stdout: "here\n", stderr: "", flush_error: None })
        add-storage: [web/0, data, 1] -> Changed
        settle -> Settled(Settled { hooks: 1, failed: [] })
        detach-storage: data/0 -> Changed
        settle -> Settled(Settled { hooks: 1, failed: [] })
        attach-storage: {web/0: data/0} -> Changed
        settle -> Settled(Settled { hooks: 1, failed: [] })
        remove-storage: data/0 -> Changed
        resolved: web/0 -> refused: unit `web/0` is not in an error state
        resolved-no-retry: web/0 -> refused: unit `web/0` is not in an error state
        replace-pod: web/0 -> refused: a pod replaced needs a model on Kubernetes, this one is of machines: choose it with `Builder::kubernetes`
        hook -> Hook(Some(HookRun { unit: UnitName { application: ApplicationName("web"), number: 0 }, hook: "data-storage-detaching", about: Some("data/0"), outcome: Committed, commands: 0 }))
    "#]].assert_eq(&text);
}

#[test]
fn a_list_of_steps_stays_one_when_the_model_refuses_some() {
    let mut sim = Sim::from_seed(0);
    sim.deploy("web", InProcess::from_yaml("name: web", |_, _| 0), 1).unwrap();
    for text in ["remove-unit: web/7", "integrate: [web, web]", "rotate-secret: none", "refresh: {web: none}"]
    {
        let step: Step = serde_yaml::from_str(text).unwrap();
        assert!(matches!(step.run(&mut sim), Err(SimError::Model(_))), "{text}");
        step.apply(&mut sim).unwrap();
    }
    // A name that is none is the writer's mistake.
    assert!(Step::SetLeader("web".to_owned()).apply(&mut sim).is_err());
}
