//! Hooks that fail, are killed, take too long, or are not there.

use std::time::Duration;

use charms_reactive_sim::{JujuVersion, Outcome};
use expect_test::expect;

use crate::charm::{Charms, DOES, builder, hooks, on, script, sim};

#[test]
fn a_failed_hook_keeps_what_is_immediate_and_drops_what_is_staged() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\npeers: {ring: ring}", DOES);
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    let body = "status-set blocked seen\nleader-set a=1\napplication-version-set 7\nrelation-set -r 0 k=v\nrelation-set -r 0 --app k=v\nstate-set k=v\nopen-port 80\nfalse";
    on(&sim, "web/0", "update-status", body);
    sim.update_status("web/0").unwrap();
    let settled = sim.settle().unwrap();
    assert_eq!(settled.failed.len(), 1);
    let unit = sim.unit("web/0").unwrap();
    assert_eq!((unit.workload.message.as_str(), unit.version.as_str()), ("seen", "7"));
    assert_eq!(unit.ports, [""; 0]);
    assert_eq!(unit.failed_hook.unwrap().error, "exit code 1");
    assert_eq!(unit.agent.message, "hook failed: \"update-status\"");
    assert!(sim.unit_state("web/0").unwrap().is_empty());
    assert_eq!(sim.unit_databag(0, "web/0").unwrap().text("k"), None);
    assert!(sim.application_databag(0, "web").unwrap().is_empty());
    assert_eq!(sim.exec("web/0", "leader-get a").unwrap().stdout, "1\n");
    expect![[r#"
        App  Version  Status  Scale  Charm  Rev  Message
        web  7        error   1      web    0    hook failed: "update-status"

        Unit    Workload  Agent  Machine  Public address  Ports  Message
        web/0*  error     idle   0        10.1.0.1               hook failed: "update-status"

        Integration provider  Requirer  Interface  Type  Message
        web:ring              web:ring  ring       peer
    "#]]
    .assert_eq(&sim.status().to_string());
}

#[test]
fn a_retry_is_a_fresh_context_and_commits_everything_at_once() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    let body = "echo \"$JUJU_CONTEXT_ID\" >> seen\nstate-set \"try$(wc -l < seen)=x\"\nstate-get -\n[ $(wc -l < seen) = 3 ]";
    on(&sim, "web/0", "update-status", body);
    let from = sim.events().len();
    sim.update_status("web/0").unwrap();
    let settled = sim.settle().unwrap();
    assert_eq!((settled.hooks, settled.failed.len()), (3, 0));
    assert_eq!(hooks(&sim, from), "web/0 update-status\n".repeat(3));
    let keys: Vec<_> = sim.unit_state("web/0").unwrap().into_keys().collect();
    assert_eq!(keys, ["try3"]);
    let seen = std::fs::read_to_string(sim.charm_dir("web/0").unwrap().join("seen")).unwrap();
    let mut ids: Vec<&str> = seen.lines().collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_unit_in_error_holds_back_other_hooks_and_sees_only_the_newest() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", DOES);
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", DOES);
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 2).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    on(&sim, "web/0", "update-status", "false");
    sim.update_status("web/0").unwrap();
    sim.settle().unwrap();
    // Two changes, a unit that comes and goes, and one that goes, all while the unit is in error.
    for value in ["1", "2"] {
        sim.exec("mysql/0", &format!("relation-set -r 0 k={value}")).unwrap();
    }
    sim.remove_unit("mysql/1").unwrap();
    let added = sim.add_unit("mysql").unwrap();
    sim.settle().unwrap();
    sim.remove_unit(&added.to_string()).unwrap();
    sim.settle().unwrap();
    on(&sim, "web/0", "update-status", "true");
    on(&sim, "web/0", "db-relation-changed", "relation-get k");
    let from = sim.events().len();
    assert_eq!(sim.resolve("web/0", true).unwrap().unwrap().outcome, Outcome::Committed);
    sim.settle().unwrap();
    expect![[r#"
        web/0 update-status
        web/0 db-relation-departed db:0 mysql/1
        web/0 db-relation-changed db:0 mysql/0
    "#]]
    .assert_eq(&hooks(&sim, from));
}

#[test]
fn a_hook_that_is_given_up_counts_as_done() {
    let mut charms = Charms::new();
    let web = charms.dispatch(
        "name: web\nrequires: {db: sql}",
        "case $hook in *-joined) relation-set a=1; false ;; esac",
    );
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    assert_eq!(sim.settle().unwrap().failed.len(), 1);
    let from = sim.events().len();
    assert_eq!(sim.resolve("web/0", false).unwrap(), None);
    assert_eq!(sim.settle().unwrap().failed, []);
    assert_eq!(hooks(&sim, from), "web/0 db-relation-changed db:0 mysql/0\n");
    assert_eq!(sim.unit_databag(0, "web/0").unwrap().text("a"), None);
}

#[test]
fn all_units_in_error_are_resolved_at_once() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", charm, 3).unwrap();
    sim.settle().unwrap();
    for unit in ["web/0", "web/2"] {
        on(&sim, unit, "update-status", "[ -e mended ]");
        sim.update_status(unit).unwrap();
    }
    assert_eq!(sim.settle().unwrap().failed.len(), 2);
    on(&sim, "web/0", "update-status", "true");
    let outcomes: Vec<bool> =
        sim.resolve_all(true).unwrap().iter().map(|run| run.outcome == Outcome::Committed).collect();
    assert_eq!(outcomes, [true, false]);
    assert_eq!(sim.resolve_all(false).unwrap(), []);
    assert_eq!(sim.settle().unwrap().failed, []);
}

#[test]
fn a_killed_hook_is_run_again_without_error() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    for signal in ["KILL", "TERM"] {
        let mut sim = sim();
        sim.deploy("web", &charm, 1).unwrap();
        on(
            &sim,
            "web/0",
            "install",
            &format!("state-set a=1\nif [ ! -e once ]; then echo > once; kill -{signal} $$; fi"),
        );
        assert_eq!(sim.step().unwrap().unwrap().outcome, Outcome::Requeued);
        assert!(sim.unit_state("web/0").unwrap().is_empty());
        assert_eq!(sim.step().unwrap().unwrap().outcome, Outcome::Committed);
        assert_eq!(sim.unit_state("web/0").unwrap().len(), 1);
    }
}

#[test]
fn a_hook_killed_by_another_signal_has_failed() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", "kill -SEGV $$");
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    let outcome = sim.step().unwrap().unwrap().outcome;
    assert_eq!(outcome, Outcome::Failed { error: "killed by signal 11".to_owned() });
}

#[test]
fn a_hook_that_takes_too_long_is_killed() {
    let mut charms = Charms::new();
    // `read` from a pipe that nobody writes: bash itself waits, so that nothing outlives it.
    let charm = charms.dispatch("name: web", "read -t 20 -u 3 3<> <(:) || true");
    let mut sim = builder().hook_time_limit(Duration::from_millis(50)).build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    let outcome = sim.step().unwrap().unwrap().outcome;
    assert_eq!(outcome, Outcome::Failed { error: "killed after the time limit of 50ms".to_owned() });
}

#[test]
fn hooks_without_a_file_are_skipped_and_flush_nothing() {
    let mut charms = Charms::new();
    let charm =
        charms.files(&[("metadata.yaml", "name: web"), ("hooks/start", &script("status-set active up"))]);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    assert_eq!(sim.settle().unwrap().hooks, 1);
    expect![[r#"
           * web/0 is added
           * web/0 leads web
           * web/0 is maintenance: installing charm software
        == web/0 install: missing, skipped
        == web/0 leader-elected: missing, skipped
        == web/0 config-changed: missing, skipped
        == web/0 start
           > status-set active up
           * web/0 is active: up
        -- committed
    "#]]
    .assert_eq(&sim.transcript());
}

#[test]
fn a_file_that_cannot_be_run_is_an_error_with_a_reason() {
    let mut charms = Charms::new();
    let cases = [
        ("dispatch", "true", "`dispatch` is not executable, set its exec bit: permission denied"),
        ("hooks/install", "true", "`hooks/install` is not executable, set its exec bit: permission denied"),
        ("dispatch/file", "true", "`dispatch` is a directory, expected a program"),
    ];
    for (name, text, expected) in cases {
        let charm = charms.files(&[("metadata.yaml", "name: web"), (name, text)]);
        let mut sim = sim();
        sim.deploy("web", charm, 1).unwrap();
        let outcome = sim.step().unwrap().unwrap().outcome;
        assert_eq!(outcome, Outcome::Failed { error: expected.to_owned() });
    }
    let charm = charms.files(&[("metadata.yaml", "name: web"), ("dispatch", "#!/no/such/shell\n")]);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    let Outcome::Failed { error } = sim.step().unwrap().unwrap().outcome else { panic!("it ran") };
    assert!(error.starts_with("cannot start `"), "{error}");
}

#[test]
fn a_reboot_runs_start_again() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    on(
        &sim,
        "web/0",
        "update-status",
        "state-set a=1\nif [ ! -e once ]; then echo > once; juju-reboot --now; fi\ntrue",
    );
    sim.update_status("web/0").unwrap();
    let from = sim.events().len();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 update-status\nweb/0 start\nweb/0 update-status\n");
    on(&sim, "web/0", "update-status", "juju-reboot\nstate-set b=2");
    sim.update_status("web/0").unwrap();
    let from = sim.events().len();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 update-status\nweb/0 start\n");
    assert_eq!(sim.unit_state("web/0").unwrap().len(), 2);
}

#[test]
fn a_model_that_does_not_settle_names_the_last_hooks() {
    let mut charms = Charms::new();
    let charm = charms
        .dispatch("name: web\npeers: {ring: ring}", "relation-set -r ring:0 a=$RANDOM$RANDOM 2>&1 || true");
    let mut sim = builder().juju_version(JujuVersion::V4_0).hooks_max(30).build().unwrap();
    sim.deploy("web", charm, 2).unwrap();
    let error = sim.settle().unwrap_err().to_string();
    assert!(error.starts_with("the model did not settle in 30 hooks, last ones: web/"), "{error}");
}

#[test]
fn too_much_state_fails_the_flush() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    on(
        &sim,
        "web/0",
        "install",
        "printf -v value '%65536s' x\nfor i in {1..33}; do echo \"k$i: '$value'\"; done | state-set --file -",
    );
    let outcome = sim.step().unwrap().unwrap().outcome;
    let expected = "max allowed size (2097152) for charm state exceeded: 2162778";
    assert_eq!(outcome, Outcome::Failed { error: expected.to_owned() });
}
