//! What a snapshot shows, and that nothing a charm leaves behind escapes it.

use charms_reactive_sim::{Deployment, Network, Sim, Verdict, every_command};
use expect_test::expect;

use crate::charm::{Charms, DOES, builder, on, script};

const METADATA: &str = "name: web
peers: {ring: ring}
requires: {db: sql}
payloads: {worker: {type: docker}}
storage: {data: {type: filesystem, multiple: {range: 0-3}}}
resources: {blob: {type: file, filename: blob.bin}}
";
const METRICS: &str = "metrics: {pings: {type: gauge, description: pings}}";

/// A model of one unit whose charm does what a test says.
fn web(charms: &mut Charms) -> Sim {
    let files = [
        ("metadata.yaml", METADATA),
        ("metrics.yaml", METRICS),
        ("actions.yaml", "check: {}"),
        ("config.yaml", "options: {port: {type: int, default: 80}}"),
        ("dispatch", &script(DOES)),
    ];
    let charm = charms.files(&files);
    let db = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = builder().build().unwrap();
    let deployment = Deployment::units(1).storage("data", 1).resource("blob", b"blob").trust();
    sim.deploy_with("web", charm, &deployment).unwrap();
    sim.deploy("mysql", db, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    sim
}

#[test]
fn a_snapshot_shows_whatever_is_left_behind() {
    let mut charms = Charms::new();
    let mut sim = web(&mut charms);
    let before = sim.snapshot();
    on(
        &sim,
        "web/0",
        "update-status",
        "rm do/update-status
         payload-register docker worker 7 blue
         leader-set a=1
         open-port 80; open-port 90 --endpoints db
         storage-add data
         relation-set -r ring:0 k=1; relation-set -r ring:0 --app k=2
         state-set k=1
         secret-add --label token --owner unit --rotate daily token=abc
         status-set active up; status-set --application active 'all up'
         application-version-set 7
         resource-get blob
         echo 1 > $(storage-get -s data/0 location)/file",
    );
    on(&sim, "web/0", "check", "action-set a=1\nrm do/check");
    on(&sim, "web/0", "collect-metrics", "add-metric pings=5\nrm do/collect-metrics");
    sim.update_status("web/0").unwrap();
    sim.enqueue_action("web/0", "check", serde_json::Value::Null).unwrap();
    sim.settle().unwrap();
    sim.enqueue_action("mysql/0", "none", serde_json::Value::Null).unwrap_err();
    sim.collect_metrics("web/0").unwrap();
    sim.add_unit("mysql").unwrap();
    sim.configure("web", &[("port", "81")]).unwrap();
    sim.set_network("web/0", "db", Network::of([10, 9, 0, 1])).unwrap();
    sim.settle().unwrap();
    expect![[r#"
        - databag 1 web/0 egress-subnets = "10.1.0.1/32"
        - databag 1 web/0 ingress-address = "10.1.0.1"
        - databag 1 web/0 private-address = "10.1.0.1"
        - relation 1 web:db mysql:server: Alive, of mysql/0 web/0
        - status web/0 unknown: 
        - version web/0 
        + action 1 check of web/0: completed  {"a":"1"}
        + config web port = 81
        + databag 0 web k = "2"
        + databag 0 web/0 k = "1"
        + databag 1 mysql/1 egress-subnets = "10.1.0.3/32"
        + databag 1 mysql/1 ingress-address = "10.1.0.3"
        + databag 1 mysql/1 private-address = "10.1.0.3"
        + databag 1 web/0 egress-subnets = "10.9.0.1/32"
        + databag 1 web/0 ingress-address = "10.9.0.1"
        + databag 1 web/0 private-address = "10.9.0.1"
        + file data/0 file (644) "1\n"
        + file web/0 resource blob/blob.bin (644) "blob"
        + leader web a = "1"
        + member 1 mysql/1 knows web/0
        + member 1 mysql/1: created
        + member 1 web/0 knows mysql/1
        + metric web/0 pings = 5
        + network web/0 db: Network { bind: 10.9.0.1, ingress: 10.9.0.1, egress: ["10.9.0.1/32"] }
        + payload web/0 worker/7: docker running blue
        + port web/0 80/tcp for all endpoints
        + port web/0 90/tcp for db
        + relation 1 web:db mysql:server: Alive, of mysql/0 mysql/1 web/0
        + secret <id> of web/0 (token) revision 1: token=YWJj
        + secret <id> of web/0 (token): "", rotated daily, stays
        + state web/0 k = "1"
        + status mysql/1 unknown: 
        + status web active: all up
        + status web/0 active: up
        + storage data/1 filesystem of web/0: Alive, there
        + storage data/1 is known to web/0
        + unit mysql/1: Alive at 10.1.0.3 (installed, started)
        + version mysql/1 
        + version web/0 7
    "#]]
    .assert_eq(&before.difference(&sim.snapshot()));
}

#[test]
fn a_trace_of_a_hook_that_did_not_end_well_is_found_wherever_it_is() {
    for (immediate, place) in [
        ("leader-set seen=$n", "leader web seen"),
        ("payload-register docker worker $n", "payload web/0 worker"),
        ("echo $n >> seen", "file web/0 seen"),
        ("echo $n >> $(storage-get -s data/0 location)/seen", "file data/0 seen"),
    ] {
        let broken = every_command(
            &Verdict::Kill,
            || {
                let sim = web(&mut Charms::new());
                // How often the hook was run is known outside of what a snapshot looks at only.
                let body = format!("echo >> ../count; n=$(wc -l < ../count)\n{immediate}\nis-leader");
                on(&sim, "web/0", "update-status", &body);
                sim
            },
            |sim| {
                sim.update_status("web/0").unwrap();
                sim.settle().unwrap();
            },
        );
        let broken = broken.expect_err(place);
        assert!(broken.reason.contains(place), "{place}: {broken}");
    }
}
