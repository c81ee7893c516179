//! Subordinates, relations of scope `container`, and the implicit endpoint.

use expect_test::expect;

use crate::charm::{Charms, DOES, ask, builder, hooks, on, sim};

const LOG: &str = "name: log\nsubordinate: true\nrequires: {host: {interface: juju-info, scope: container}}";
const WEB: &str = "name: web";

#[test]
fn a_subordinate_is_beside_each_principal_and_sees_only_it() {
    let mut charms = Charms::new();
    let web = charms.dispatch(WEB, "");
    let log = charms.dispatch(
        LOG,
        "case $hook in install) echo \"$JUJU_UNIT_NAME beside $JUJU_PRINCIPAL_UNIT on $JUJU_MACHINE_ID\" ;; esac",
    );
    let mut sim = sim();
    sim.deploy("web", web, 2).unwrap();
    sim.deploy("log", log, 0).unwrap();
    sim.relate("log", "web").unwrap();
    sim.settle().unwrap();
    let text = hooks(&sim, 0);
    for number in [0, 1] {
        let name = format!("log/{number}");
        let own: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(&name)).collect();
        let machine = sim.status().units.iter().find(|unit| unit.name == name).unwrap().machine.clone();
        let principal = format!("web/{machine}");
        let mut expected = vec![
            " install".to_owned(),
            " host-relation-created host:0 web".to_owned(),
            " leader-elected".to_owned(),
            " config-changed".to_owned(),
            " start".to_owned(),
            format!(" host-relation-joined host:0 {principal}"),
            format!(" host-relation-changed host:0 {principal}"),
        ];
        if !sim.unit(&name).unwrap().leader {
            expected[2] = " leader-settings-changed".to_owned();
        }
        assert_eq!(own, expected, "{name}");
        assert!(sim.transcript().contains(&format!("| {name} beside {principal} on {machine}")));
        let shown = ask(&mut sim, &name, &["relation-list -r 0", "unit-get private-address"]);
        let address = sim.unit(&principal).unwrap().address;
        assert_eq!(
            shown,
            format!("$ relation-list -r 0\n{principal}\n$ unit-get private-address\n{address}\n")
        );
    }
    // Providing `juju-info` is no event for a charm.
    assert!(!text.contains("juju-info"), "{text}");
    assert_eq!(
        ask(&mut sim, "web/0", &["relation-ids juju-info", "relation-list -r 0"]),
        "$ relation-ids juju-info\njuju-info:0\n$ relation-list -r 0\n"
    );
}

#[test]
fn a_principal_that_goes_waits_for_its_subordinate() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nprovides: {logs: logging}", "");
    let log = charms.dispatch(
        "name: log\nsubordinate: true\nrequires: {host: {interface: logging, scope: container}}",
        "",
    );
    for seed in 0..8 {
        let mut sim = builder().seed(seed).build().unwrap();
        sim.deploy("web", &web, 2).unwrap();
        sim.deploy("log", &log, 0).unwrap();
        sim.relate("log", "web").unwrap();
        sim.settle().unwrap();
        let from = sim.events().len();
        sim.remove_unit("web/1").unwrap();
        sim.settle().unwrap();
        let text = hooks(&sim, from);
        let beside = text.lines().find(|line| line.ends_with("host-relation-departed host:0 web/1"));
        let beside = beside.expect("its subordinate departs").split(' ').next().unwrap().to_owned();
        let of = |name: &str| -> Vec<String> {
            let own = text.lines().filter_map(|line| line.strip_prefix(name));
            own.filter(|line| !line.contains("leader")).map(str::to_owned).collect()
        };
        assert_eq!(
            of("web/1"),
            [
                &format!(" logs-relation-departed logs:0 {beside}"),
                " logs-relation-broken logs:0 log",
                " stop",
                " remove"
            ]
        );
        assert_eq!(
            of(&beside),
            [" host-relation-departed host:0 web/1", " host-relation-broken host:0 web", " stop", " remove"]
        );
        let transcript = sim.transcript();
        let place = |text: &str| transcript.rfind(text).expect("it is told");
        assert!(place("* web/1 is gone") > place(&format!("* {beside} is gone")), "seed {seed}");
        assert!(sim.unit("web/0").is_ok());
        assert_eq!(sim.status().units.len(), 2, "seed {seed}");
    }
}

#[test]
fn a_subordinate_goes_with_its_relation() {
    let mut charms = Charms::new();
    let web = charms.dispatch(WEB, "");
    let log = charms.dispatch(LOG, "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("log", log, 0).unwrap();
    let relation = sim.relate("web", "log").unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.remove_relation(relation).unwrap();
    sim.settle().unwrap();
    expect![[r#"
        log/0 leader-settings-changed
        log/0 host-relation-departed host:0 web/0
        log/0 host-relation-broken host:0 web
        log/0 stop
        log/0 remove
    "#]]
    .assert_eq(&hooks(&sim, from));
    // Another relation brings another unit.
    sim.relate("web", "log").unwrap();
    sim.settle().unwrap();
    assert!(sim.unit("log/1").is_ok());
}

#[test]
fn a_subordinate_of_two_principals_has_a_unit_beside_each() {
    let mut charms = Charms::new();
    let web = charms.dispatch(WEB, "");
    let log = charms.dispatch(&format!("{LOG}\npeers: {{ring: ring}}"), "");
    let mut sim = sim();
    sim.deploy("one", &web, 1).unwrap();
    sim.deploy("two", &web, 1).unwrap();
    sim.deploy("log", log, 0).unwrap();
    sim.relate("log", "one").unwrap();
    sim.relate("log", "two").unwrap();
    sim.settle().unwrap();
    // Each is in the relation with its own principal; peers see each other across machines.
    let seen = ["log/0", "log/1"].map(|unit| ask(&mut sim, unit, &["relation-ids host"]).lines().count());
    assert_eq!(seen, [2, 2]);
    assert_eq!(ask(&mut sim, "log/0", &["relation-list -r ring:0"]), "$ relation-list -r ring:0\nlog/1\n");
}

#[test]
fn an_endpoint_that_is_declared_is_meant_before_the_implicit_one() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nprovides: {info: juju-info}", "");
    let probe = charms.dispatch("name: probe\nrequires: {host: juju-info}", "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("probe", probe, 1).unwrap();
    sim.relate("probe", "web").unwrap();
    sim.relate("probe", "web:juju-info").unwrap();
    let keys: Vec<String> = sim.status().relations.iter().map(|relation| relation.provider.clone()).collect();
    assert_eq!(keys, ["web:info", "web:juju-info"]);
    // Of scope `global` all units are seen, and the charm of the provider is told nothing still.
    sim.settle().unwrap();
    let text = hooks(&sim, 0);
    assert!(text.contains("probe/0 host-relation-joined host:1 web/0"), "{text}");
    assert!(text.contains("web/0 info-relation-joined info:0 probe/0"), "{text}");
    assert!(!text.contains("juju-info-relation"), "{text}");
    let from = sim.events().len();
    sim.remove_application("web").unwrap();
    sim.settle().unwrap();
    assert!(hooks(&sim, from).contains("web/0 remove"));
    assert!(sim.status().relations.is_empty());
}

#[test]
fn an_operator_is_refused_what_subordinates_are_not_for() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {box: {interface: juju-info, scope: container}}", "");
    let log = charms.dispatch(LOG, "");
    let mut sim = sim();
    sim.deploy("web", &web, 1).unwrap();
    sim.deploy("other", &web, 1).unwrap();
    sim.deploy("log", &log, 0).unwrap();
    let error = sim.relate("log", "web").unwrap_err().to_string();
    assert_eq!(
        error,
        "ambiguous relation: `log` and `web` could refer to \"log:host web:juju-info\"; \"web:box log:juju-info\""
    );
    sim.relate("log:host", "web").unwrap();
    sim.settle().unwrap();
    let refusals = [
        sim.add_unit("log").unwrap_err(),
        sim.remove_unit("log/0").unwrap_err(),
        sim.relate("web:box", "other").unwrap_err(),
        sim.deploy_with("again", &log, &charms_reactive_sim::Deployment::units(1)).unwrap_err(),
    ];
    let text: String = refusals.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        cannot add unit to application "log": application is a subordinate
        unit "log/0" is a subordinate, to remove use remove-relation. Note: this will remove all units of "log"
        cannot relate `web:box other:juju-info`: scope is container, and neither side is a subordinate
        cannot add unit to application "again": application is a subordinate
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_machine_has_each_port_once() {
    let mut charms = Charms::new();
    let web = charms.dispatch(WEB, "");
    let log = charms.dispatch(LOG, DOES);
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("log", log, 0).unwrap();
    sim.relate("log", "web").unwrap();
    sim.settle().unwrap();
    sim.exec("web/0", "open-port 80-90; open-port icmp").unwrap();
    expect![[r#"
        $ open-port 85
        ERROR cannot open 85/tcp (unit "log/0"): port range conflicts with 80-90/tcp (unit "web/0")
        [1]
        $ open-port 85/udp
        $ open-port icmp
        $ open-port 91
    "#]]
    .assert_eq(&ask(
        &mut sim,
        "log/0",
        &["open-port 85", "open-port 85/udp", "open-port icmp", "open-port 91"],
    ));
    on(&sim, "log/0", "update-status", "juju-reboot");
    let from = sim.events().len();
    sim.update_status("log/0").unwrap();
    sim.settle().unwrap();
    // A machine restarts with all that is on it.
    let text = hooks(&sim, from);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["log/0 start", "log/0 update-status", "web/0 start"]);
}

#[test]
fn units_of_several_applications_share_a_machine() {
    let mut charms = Charms::new();
    let web = charms.dispatch(WEB, "");
    let mut sim = sim();
    sim.deploy("web", &web, 1).unwrap();
    sim.deploy("two", &web, 0).unwrap();
    sim.add_unit_beside("two", "web/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.unit("two/0").unwrap().address, sim.unit("web/0").unwrap().address);
    sim.exec("web/0", "open-port 80").unwrap();
    let shown = ask(&mut sim, "two/0", &["open-port 80"]);
    assert!(shown.contains("port range conflicts with 80/tcp (unit \"web/0\")"), "{shown}");
    let from = sim.events().len();
    sim.reboot("two/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from).lines().filter(|line| line.ends_with(" start")).count(), 2);
}
