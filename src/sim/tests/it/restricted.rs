//! Hooks of Juju up to 3 that are gone since: metrics, meter, payloads, another series.

use expect_test::expect;

use crate::charm::{Charms, ask, builder, hooks, script, sim, sim_of};
use charms_reactive_sim::{Event, JujuVersion, Outcome, Sim};

/// Prints what the process got, and what it may ask.
const LOOK: &str = r#"
case $hook in collect-metrics|meter-status-changed)
  mapfile -d '' -t variables < /proc/$$/environ
  printf '%s\n' "${variables[@]}" | sed 's/=.*//' | sort | xargs
  echo "$JUJU_METER_STATUS: $JUJU_METER_INFO"
  config-get 2>&1 || echo "[$?]"
  relation-ids db 2>&1 || echo "[$?]"
  is-leader 2>&1 || echo "[$?]"
  add-metric users=5 2>&1 || echo "[$?]"
  add-metric guests=5 2>&1 || echo "[$?]"
  juju-log seen
;; esac
"#;

fn metered(charms: &mut Charms, sim: &mut Sim) {
    let charm = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("metrics.yaml", "metrics: {users: {type: gauge, description: x}}"),
        ("dispatch", &script(LOOK)),
    ]);
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
}

/// What a unit wrote from an event on.
fn printed(sim: &Sim, from: usize) -> String {
    let lines = sim.events()[from..].iter().filter_map(|event| match event {
        Event::Output { line, .. } => Some(format!("{line}\n")),
        _ => None,
    });
    lines.collect()
}

#[test]
fn collect_metrics_sees_nothing_of_the_model() {
    let mut charms = Charms::new();
    let mut sim = sim();
    metered(&mut charms, &mut sim);
    let from = sim.events().len();
    let run = sim.collect_metrics("web/0").unwrap().expect("the charm has metrics");
    assert_eq!(run.outcome, Outcome::Committed);
    expect![[r#"
        APT_LISTCHANGES_FRONTEND CHARM_DIR DEBIAN_FRONTEND JUJU_AGENT_SOCKET_ADDRESS JUJU_AGENT_SOCKET_NETWORK JUJU_CHARM_DIR JUJU_CONTEXT_ID JUJU_DISPATCH_PATH JUJU_METER_INFO JUJU_METER_STATUS JUJU_UNIT_NAME LANG PATH TERM
        AMBER: not set
        ERROR not implemented for restricted context not implemented
        [1]
        ERROR not implemented for restricted context not implemented
        [1]
        ERROR not implemented for restricted context not implemented
        [1]
        ERROR cannot record metric: metric key "guests" not declared by the charm
        [1]
    "#]]
    .assert_eq(&printed(&sim, from));
    assert!(sim.transcript().contains("* web/0 measures users: 5"));
    assert_eq!(
        ask(&mut sim, "web/0", &["add-metric users=5"]),
        "$ add-metric users=5\nERROR metrics not allowed in this context\n[1]\n"
    );
}

#[test]
fn another_meter_is_told_to_every_unit_also_in_error() {
    let mut charms = Charms::new();
    let mut sim = builder().retries_max(0).build().unwrap();
    metered(&mut charms, &mut sim);
    let from = sim.events().len();
    let runs = sim.set_meter_status("RED", "over").unwrap();
    assert_eq!(runs.len(), 1);
    let text = printed(&sim, from);
    assert!(text.contains("RED: over\n"), "{text}");
    assert!(text.contains("ERROR metrics not allowed in this context\n"), "{text}");
    assert_eq!(sim.set_meter_status("RED", "over").unwrap(), [], "it is the same");
    // Ordinary hooks see it, too.
    assert_eq!(sim.exec("web/0", "echo $JUJU_METER_STATUS").unwrap().stdout, "RED\n");

    let failing = charms.files(&[
        ("metadata.yaml", "name: bad"),
        ("metrics.yaml", "metrics: {users: }"),
        ("hooks/collect-metrics", &script("exit 3")),
        ("hooks/start", &script("exit 4")),
    ]);
    sim.deploy("bad", failing, 1).unwrap();
    sim.settle().unwrap();
    let run = sim.collect_metrics("bad/0").unwrap().expect("the charm has metrics");
    assert_eq!(run.outcome, Outcome::Failed { error: "exit code 3".to_owned() });
    assert_eq!(sim.unit("bad/0").unwrap().failed_hook.unwrap().hook, "start", "as before");
    // No metrics, no hook.
    let plain = charms.dispatch("name: plain", "");
    sim.deploy("plain", plain, 1).unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.collect_metrics("plain/0").unwrap(), None);
}

#[test]
fn what_pods_are_to_be_is_kept_when_the_leader_says_it() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", "");
    let mut sim = builder().kubernetes().build().unwrap();
    sim.deploy("web", charm.clone(), 2).unwrap();
    sim.settle().unwrap();
    let lines = [
        "k8s-spec-get",
        "k8s-spec-set --file - <<< 'version: 3'; pod-spec-get",
        "k8s-spec-set --file - <<< '[}'",
        "k8s-spec-set < /dev/null",
        "k8s-raw-get",
        "k8s-raw-set --file - <<< 'containers: []'",
        "k8s-raw-get; k8s-spec-get",
    ];
    expect![[r#"
        $ k8s-spec-get
        ERROR k8s spec for web not found
        [1]
        $ k8s-spec-set --file - <<< 'version: 3'; pod-spec-get
        version: 3
        $ k8s-spec-set --file - <<< '[}'
        ERROR yaml: did not find expected node content at line 1 column 2, while parsing a flow node
        [2]
        $ k8s-spec-set < /dev/null
        ERROR no k8s spec specified: pipe k8s spec to command, or specify a file with --file
        [1]
        $ k8s-raw-get
        ERROR k8s spec for web not found
        [1]
        $ k8s-raw-set --file - <<< 'containers: []'
        $ k8s-raw-get; k8s-spec-get
        version: 3
        ERROR k8s spec for web not found
    "#]]
    .assert_eq(&ask(&mut sim, "web/0", &lines));
    expect![[r#"
        $ pod-spec-set --file - <<< 'version: 4'
        $ k8s-spec-get
        version: 3
    "#]]
    .assert_eq(&ask(&mut sim, "web/1", &["pod-spec-set --file - <<< 'version: 4'", "k8s-spec-get"]));
    let mut machines = sim_of(JujuVersion::V3_6);
    machines.deploy("web", charm, 1).unwrap();
    machines.settle().unwrap();
    expect![[r#"
        $ k8s-spec-get
        ERROR called CAASModel() on a non-CAAS Model not supported
        [1]
    "#]]
    .assert_eq(&ask(&mut machines, "web/0", &["k8s-spec-get"]));
}

#[test]
fn payloads_are_registered_at_once() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\npayloads: {engine: {type: docker}}", "");
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    expect![[r#"
        $ payload-register docker engine a1 big blue
        $ payload-register docker other a1
        ERROR payload "other" not found in metadata.yaml
        [1]
        $ payload-status-set engine a1 stopping
        $ payload-status-set engine a1 gone
        ERROR status "gone" not supported; expected one of [starting running stopping stopped]
        [1]
        $ payload-status-set engine a2 stopped
        ERROR payload engine/a2 not found
        [1]
        $ payload-unregister engine a2
    "#]]
    .assert_eq(&ask(
        &mut sim,
        "web/0",
        &[
            "payload-register docker engine a1 big blue",
            "payload-register docker other a1",
            "payload-status-set engine a1 stopping",
            "payload-status-set engine a1 gone",
            "payload-status-set engine a2 stopped",
            "payload-unregister engine a2",
        ],
    ));
    let payloads = sim.payloads("web/0").unwrap();
    let payload = &payloads[&("engine".to_owned(), "a1".to_owned())];
    assert_eq!((payload.kind.as_str(), payload.status.as_str()), ("docker", "stopping"));
    assert_eq!(payload.labels, ["big", "blue"]);
    sim.exec("web/0", "payload-unregister engine a1").unwrap();
    assert!(sim.payloads("web/0").unwrap().is_empty());
}

#[test]
fn nothing_runs_while_a_machine_moves_to_another_series() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(
        "name: web",
        "case $hook in pre-*) echo \"$JUJU_TARGET_SERIES ${JUJU_TARGET_BASE-none}\" ;; esac",
    );
    for (version, expected) in [(JujuVersion::V3_6, "jammy ubuntu@22.04"), (JujuVersion::V2_9, "jammy none")]
    {
        let mut sim = sim_of(version);
        sim.deploy("web", &charm, 1).unwrap();
        sim.settle().unwrap();
        let from = sim.events().len();
        let early = sim.complete_series_upgrade("web/0").unwrap_err().to_string();
        assert_eq!(early, "machine of unit `web/0` is not prepared for another series");
        sim.prepare_series_upgrade("web/0", "jammy").unwrap();
        sim.set_trust("web", true).unwrap();
        sim.update_status("web/0").unwrap();
        sim.settle().unwrap();
        assert_eq!(hooks(&sim, from), "web/0 pre-series-upgrade\n");
        assert!(sim.transcript().contains(&format!("| {expected}")), "{}", sim.transcript());
        sim.complete_series_upgrade("web/0").unwrap();
        sim.settle().unwrap();
        assert_eq!(
            hooks(&sim, from),
            "web/0 pre-series-upgrade\nweb/0 post-series-upgrade\nweb/0 config-changed\nweb/0 update-status\n"
        );
    }
}

#[test]
fn juju_4_has_none_of_this() {
    let mut charms = Charms::new();
    let mut sim = sim_of(JujuVersion::V4_0);
    metered(&mut charms, &mut sim);
    let refusals = [
        sim.collect_metrics("web/0").unwrap_err(),
        sim.set_meter_status("RED", "").unwrap_err(),
        sim.prepare_series_upgrade("web/0", "noble").unwrap_err(),
    ];
    let text: String = refusals.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        Juju 4.0.1 does not have metrics and meters
        Juju 4.0.1 does not have metrics and meters
        Juju 4.0.1 does not have upgrades of a machine's series
    "#]]
    .assert_eq(&text);
    for command in ["add-metric a=1", "payload-register a b c", "leader-get"] {
        assert_ne!(sim.exec("web/0", command).unwrap().code, 0, "{command}");
    }
}
