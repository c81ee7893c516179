//! Units in pods: containers, pods that are replaced, and what differs from machines.

use expect_test::expect;

use crate::charm::{Charms, DOES, ask, builder, hooks, on};
use charms_reactive_sim::{Builder, JujuVersion, Sim};

const METADATA: &str = "name: redis\ncontainers: {redis: , exporter: }\nstorage: {data: {type: filesystem}}";

fn cluster() -> Builder {
    builder().kubernetes()
}

/// The hooks of `redis/0` from an event on.
fn own(sim: &Sim, from: usize) -> Vec<String> {
    let text = hooks(sim, from);
    text.lines().filter_map(|line| line.strip_prefix("redis/0 ")).map(str::to_owned).collect()
}

#[test]
fn containers_are_ready_once_each_and_storage_comes_after_start() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, "echo \"[$JUJU_MACHINE_ID] ${JUJU_WORKLOAD_NAME-}\"");
    let mut places = std::collections::BTreeSet::new();
    for seed in 0..12 {
        let mut sim = cluster().seed(seed).build().unwrap();
        sim.deploy("redis", &charm, 1).unwrap();
        sim.settle().unwrap();
        let mut hooks = own(&sim, 0);
        for container in ["redis", "exporter"] {
            let ready = format!("{container}-pebble-ready");
            let place = hooks.iter().position(|hook| *hook == ready).expect("it is ready");
            hooks.remove(place);
            assert!(!hooks.contains(&ready), "seed {seed}");
            places.insert(place > 3);
            assert!(sim.transcript().contains(&format!("| [] {container}\n")));
        }
        assert_eq!(
            hooks,
            ["install", "leader-elected", "config-changed", "start", "data-storage-attached data/0"],
            "seed {seed}"
        );
    }
    assert_eq!(places.len(), 2, "in twelve seeds Pebble answers both before and after `start`");
}

#[test]
fn a_pod_that_is_replaced_stops_and_starts_without_its_files() {
    let mut charms = Charms::new();
    let charm = charms
        .dispatch(METADATA, "state-set \"$hook=$(date +%s%N)\"\n[ $hook = install ] && touch made\ntrue");
    let mut sim = cluster().build().unwrap();
    sim.deploy("redis", charm, 1).unwrap();
    sim.settle().unwrap();
    let folder = sim.charm_dir("redis/0").unwrap();
    assert!(folder.join("made").exists());
    let (state, address) = (sim.unit_state("redis/0").unwrap(), sim.unit("redis/0").unwrap().address);
    let from = sim.events().len();
    sim.replace_pod("redis/0").unwrap();
    sim.settle().unwrap();
    let mut hooks = own(&sim, from);
    let mut ready: Vec<String> = hooks.extract_if(.., |hook| hook.ends_with("-pebble-ready")).collect();
    ready.sort();
    assert_eq!(ready, ["exporter-pebble-ready", "redis-pebble-ready"]);
    assert_eq!(hooks, ["stop", "start", "config-changed"]);
    assert!(!folder.join("made").exists(), "a file of the old pod is there");
    assert!(folder.join("dispatch").exists());
    let unit = sim.unit("redis/0").unwrap();
    assert_ne!(unit.address, address);
    // What Juju keeps is kept, and the storage is still attached.
    assert_eq!(sim.unit_state("redis/0").unwrap()["install"], state["install"]);
    assert_eq!(sim.exec("redis/0", "storage-list").unwrap().stdout, "data/0\n");
}

#[test]
fn a_pod_that_is_lost_starts_again_without_stop() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: redis", "");
    let mut sim = cluster().build().unwrap();
    sim.deploy("redis", charm, 1).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.lose_pod("redis/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(own(&sim, from), ["start", "config-changed"]);
    // Before `start` was ever run, nothing has to be started again.
    sim.add_unit("redis").unwrap();
    sim.lose_pod("redis/1").unwrap();
    let from = sim.events().len();
    sim.settle().unwrap();
    let text = hooks(&sim, from);
    assert_eq!(text.lines().filter(|line| line.ends_with("/1 start")).count(), 1, "{text}");
}

#[test]
fn what_happens_in_containers_is_told_in_its_order() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, DOES);
    let mut sim = cluster().build().unwrap();
    sim.deploy("redis", charm, 1).unwrap();
    sim.settle().unwrap();
    on(
        &sim,
        "redis/0",
        "all",
        "echo \"$JUJU_WORKLOAD_NAME ${JUJU_NOTICE_ID-} ${JUJU_NOTICE_TYPE-} ${JUJU_NOTICE_KEY-} ${JUJU_PEBBLE_CHECK_NAME-}\"",
    );
    let from = sim.transcript().len();
    sim.notify("redis/0", "redis", "example.com/backup").unwrap();
    sim.fail_check("redis/0", "exporter", "http-ok").unwrap();
    sim.recover_check("redis/0", "exporter", "http-ok").unwrap();
    sim.restart_container("redis/0", "redis").unwrap();
    sim.settle().unwrap();
    expect![[r#"
        == redis/0 redis-pebble-custom-notice
           | redis 1 custom example.com/backup
        -- committed
        == redis/0 exporter-pebble-check-failed
           | exporter    http-ok
        -- committed
        == redis/0 exporter-pebble-check-recovered
           | exporter    http-ok
        -- committed
        == redis/0 redis-pebble-ready
           | redis
        -- committed
    "#]]
    .assert_eq(&sim.transcript()[from..]);
}

#[test]
fn addresses_ports_and_scale_are_those_of_kubernetes() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: redis\npeers: {ring: ring}", "");
    let mut sim = cluster().build().unwrap();
    sim.deploy("redis", charm, 3).unwrap();
    sim.settle().unwrap();
    expect![[r#"
        $ network-get ring --format=json
        {"bind-addresses":[{"addresses":[{"cidr":"","hostname":"","value":"10.1.0.1"}],"interface-name":"","mac-address":""}],"egress-subnets":["10.152.183.1/32"],"ingress-addresses":["10.152.183.1"]}
        $ relation-get -r 0 ingress-address redis/0
        10.152.183.1
        $ open-port 80-90
        ERROR port ranges are not supported for k8s applications, please specify a single port
        [1]
        $ open-port 80
        $ echo $CLOUD_API_VERSION $KUBERNETES_SERVICE_PORT
        1.29.0 443
    "#]]
    .assert_eq(&ask(
        &mut sim,
        "redis/0",
        &[
            "network-get ring --format=json",
            "relation-get -r 0 ingress-address redis/0",
            "open-port 80-90",
            "open-port 80",
            "echo $CLOUD_API_VERSION $KUBERNETES_SERVICE_PORT",
        ],
    ));
    let error = sim.remove_unit("redis/0").unwrap_err().to_string();
    assert_eq!(
        error,
        "unit `redis/0` cannot go alone on Kubernetes, where the unit with the highest number goes first"
    );
    sim.scale("redis", 1).unwrap();
    sim.settle().unwrap();
    let names: Vec<String> = sim.status().units.into_iter().map(|unit| unit.name).collect();
    assert_eq!(names, ["redis/0"]);
    sim.scale("redis", 2).unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.status().units.len(), 2);
}

#[test]
fn what_machines_do_not_have_is_refused() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, "");
    let mut machines = builder().build().unwrap();
    machines.deploy("redis", &charm, 1).unwrap();
    machines.settle().unwrap();
    let mut pods = cluster().juju_version(JujuVersion::V2_9).build().unwrap();
    pods.deploy("redis", &charm, 1).unwrap();
    pods.settle().unwrap();
    let refusals = [
        machines.replace_pod("redis/0").unwrap_err(),
        machines.notify("redis/0", "redis", "a.b/c").unwrap_err(),
        pods.notify("redis/0", "redis", "a.b/c").unwrap_err(),
        pods.fail_check("redis/0", "redis", "up").unwrap_err(),
        pods.restart_container("redis/0", "none").unwrap_err(),
        pods.add_unit_beside("redis", "redis/0").unwrap_err(),
        pods.prepare_series_upgrade("redis/0", "noble").unwrap_err(),
    ];
    let text: String = refusals.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        a pod replaced needs a model on Kubernetes, this one is of machines: choose it with `Builder::kubernetes`
        an event of a container needs a model on Kubernetes, this one is of machines: choose it with `Builder::kubernetes`
        Juju 2.9.52 does not have this event of a container
        Juju 2.9.52 does not have this event of a container
        charm of unit `redis/0` has no container `none`
        a unit placed needs a model of machines, this one is on Kubernetes
        an upgrade of a machine's series needs a model of machines, this one is on Kubernetes
    "#]]
    .assert_eq(&text);
    assert!(!hooks(&machines, 0).contains("pebble"));
}

#[test]
fn an_upgrade_comes_with_a_new_pod() {
    let mut charms = Charms::new();
    let one = charms.dispatch(METADATA, "[ $hook = install ] && touch made\ntrue");
    let two = charms.dispatch(METADATA, "ls made new 2> /dev/null || true; touch new");
    let mut sim = cluster().build().unwrap();
    sim.deploy("redis", one, 2).unwrap();
    sim.settle().unwrap();
    let address = sim.unit("redis/0").unwrap().address;
    sim.operator().hold_upgrade("redis/1").unwrap();
    let from = sim.events().len();
    sim.upgrade("redis", two).unwrap();
    sim.settle().unwrap();
    let told = hooks(&sim, from);
    assert!(!told.contains("redis/1"), "{told}");
    let mut hooks = own(&sim, from);
    hooks.retain(|hook| !hook.ends_with("-pebble-ready"));
    assert_eq!(hooks, ["stop", "upgrade-charm", "config-changed", "start"]);
    assert_ne!(sim.unit("redis/0").unwrap().address, address);
    let folder = sim.charm_dir("redis/0").unwrap();
    assert!(folder.join("new").exists() && !folder.join("made").exists());
    let from = sim.events().len();
    sim.operator().release_upgrade("redis/1").unwrap();
    sim.settle().unwrap();
    assert!(crate::charm::hooks(&sim, from).starts_with("redis/1 stop\n"));
    assert_eq!(sim.settle().unwrap().hooks, 0);
}
