//! Addresses of bindings, and relations with other models.

use expect_test::expect;

use crate::charm::{Charms, DOES, ask, hooks, on, sim, sim_of};
use charms_reactive_sim::{Deployment, JujuVersion, Network, Sim};

const WEB: &str = "name: web\nrequires: {db: sql}\nextra-bindings: {admin: }";
const MYSQL: &str = "name: mysql\nprovides: {server: sql}";

#[test]
fn a_binding_has_addresses_of_its_own_and_a_change_is_told() {
    let mut charms = Charms::new();
    let web = charms.dispatch(WEB, "");
    let mysql = charms.dispatch(MYSQL, "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    let network = |text: &str| Network::of(text.parse::<std::net::IpAddr>().unwrap());
    sim.set_network("web/0", "admin", network("10.9.0.1")).unwrap();
    sim.set_network("web/0", "db", network("fd00::7")).unwrap();
    let from = sim.events().len();
    sim.settle().unwrap();
    // The charm is told of its own address, the other side of the databag that follows from it.
    assert_eq!(hooks(&sim, from), "web/0 config-changed\nmysql/0 server-relation-changed server:0 web/0\n");
    expect![[r#"
        $ network-get admin --bind-address
        10.9.0.1
        $ network-get db --egress-subnets
        fd00::7/128
        $ network-get juju-info --ingress-address
        10.1.0.1
        $ network-get none
        ERROR no network config found for binding "none"
        [1]
        $ unit-get private-address
        10.1.0.1
        $ relation-get -r 0 - web/0
        egress-subnets: fd00::7/128
        ingress-address: fd00::7
        private-address: fd00::7
    "#]]
    .assert_eq(&ask(
        &mut sim,
        "web/0",
        &[
            "network-get admin --bind-address",
            "network-get db --egress-subnets",
            "network-get juju-info --ingress-address",
            "network-get none",
            "unit-get private-address",
            "relation-get -r 0 - web/0",
        ],
    ));
    let error = sim.set_network("web/0", "none", network("10.9.0.1")).unwrap_err().to_string();
    assert_eq!(error, "unit `web/0` has no binding `none`");
    let from = sim.events().len();
    sim.set_address("mysql/0", "10.8.0.1".parse().unwrap()).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "mysql/0 config-changed\nweb/0 db-relation-changed db:0 mysql/0\n");
    // The same address again is no news.
    let from = sim.events().len();
    sim.set_address("mysql/0", "10.8.0.1".parse().unwrap()).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "");
}

/// `web` in the model `shop` consumes the offer of `mysql`.
fn across(charms: &mut Charms, version: JujuVersion) -> (Sim, u32) {
    let look = "case $hook in *-relation-*) echo \"$JUJU_MODEL_NAME: ${JUJU_REMOTE_UNIT:-$JUJU_REMOTE_APP} ${JUJU_DEPARTING_UNIT-}\" ;; esac";
    let web = charms.dispatch(WEB, &format!("{look}\n{DOES}"));
    let mysql = charms.dispatch(MYSQL, &format!("{look}\n{DOES}"));
    let mut sim = sim_of(version);
    sim.deploy_with("web", web, &Deployment::units(1).in_model("shop")).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    let relation = sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    (sim, relation)
}

/// A text with the token of the consumer made plain.
fn plain(text: &str) -> String {
    let Some(at) = text.find("remote-") else { return text.to_owned() };
    let token = text[at..].chars().take(39).collect::<String>();
    assert!(token[7..].chars().all(|letter| letter.is_ascii_hexdigit()), "{token}");
    text.replace(&token, "remote-TOKEN")
}

#[test]
fn an_offer_knows_its_consumer_by_a_token() {
    let mut charms = Charms::new();
    let (mut sim, _) = across(&mut charms, JujuVersion::V3_6);
    on(
        &sim,
        "mysql/0",
        "server-relation-changed",
        "secret-add abc=1 > id; secret-grant $(cat id) -r 0 --unit $JUJU_REMOTE_UNIT",
    );
    sim.exec("web/0", "relation-set -r 0 a=1").unwrap();
    sim.settle().unwrap();
    let id = std::fs::read_to_string(sim.charm_dir("mysql/0").unwrap().join("id")).unwrap();
    assert_eq!(sim.exec("web/0", &format!("secret-get {id}")).unwrap().stdout, "abc: \"1\"\n");
    expect![[r#"
        mysql/0 server-relation-created server:0 remote-TOKEN
        mysql/0 server-relation-joined server:0 remote-TOKEN/0
        mysql/0 server-relation-changed server:0 remote-TOKEN/0
        mysql/0 server-relation-changed server:0 remote-TOKEN/0
        web/0 db-relation-created db:0 mysql
        web/0 db-relation-joined db:0 mysql/0
        web/0 db-relation-changed db:0 mysql/0
    "#]]
    .assert_eq(&{
        let text = plain(&hooks(&sim, 0));
        let mut lines: Vec<&str> = text.lines().filter(|line| line.contains("-relation-")).collect();
        lines.sort_by_key(|line| line.split(' ').next());
        lines.iter().map(|line| format!("{line}\n")).collect::<String>()
    });
    let transcript = plain(&sim.transcript());
    assert!(
        transcript.contains("| sim: remote-TOKEN/0 \n") || transcript.contains("| sim: remote-TOKEN/0\n")
    );
    assert!(transcript.contains("| shop: mysql/0"), "{transcript}");
    let shown = ask(
        &mut sim,
        "mysql/0",
        &[
            "relation-list -r 0",
            "relation-list -r 0 --app",
            "relation-get -r 0 a $(relation-list -r 0)",
            "relation-get -r 0 a web/0",
            "goal-state --format=json",
        ],
    );
    expect![[r#"
        $ relation-list -r 0
        remote-TOKEN/0
        $ relation-list -r 0 --app
        remote-TOKEN
        $ relation-get -r 0 a $(relation-list -r 0)
        1
        $ relation-get -r 0 a web/0
        ERROR permission denied
        [1]
        $ goal-state --format=json
        {"relations":{"server":{"remote-TOKEN":{"since":"2024-05-01 10:00:00Z","status":"joined"},"remote-TOKEN/0":{"since":"2024-05-01 10:00:00Z","status":"unknown"}}},"units":{"mysql/0":{"since":"2024-05-01 10:00:00Z","status":"unknown"}}}
    "#]]
    .assert_eq(&plain(&shown));
    let uuid = |sim: &mut Sim, unit: &str, line: &str| sim.exec(unit, line).unwrap().stdout;
    let remote = uuid(&mut sim, "mysql/0", "relation-model-get -r 0 --format=json");
    let own = uuid(&mut sim, "web/0", "echo $JUJU_MODEL_UUID");
    assert_eq!(remote, format!("{{\"uuid\":\"{}\"}}\n", own.trim()));
    assert_ne!(own, uuid(&mut sim, "mysql/0", "echo $JUJU_MODEL_UUID"));
}

#[test]
fn a_suspended_relation_departs_and_comes_back_from_the_start() {
    let mut charms = Charms::new();
    let (mut sim, relation) = across(&mut charms, JujuVersion::V3_6);
    sim.exec("web/0", "relation-set -r 0 a=1").unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.suspend_relation(relation).unwrap();
    sim.settle().unwrap();
    let of = |sim: &Sim, from: usize, unit: &str| -> Vec<String> {
        let text = plain(&hooks(sim, from));
        text.lines().filter(|line| line.starts_with(unit)).map(str::to_owned).collect()
    };
    assert_eq!(
        of(&sim, from, "mysql/0"),
        [
            "mysql/0 server-relation-departed server:0 remote-TOKEN/0",
            "mysql/0 server-relation-broken server:0 remote-TOKEN"
        ]
    );
    assert_eq!(
        of(&sim, from, "web/0"),
        ["web/0 db-relation-departed db:0 mysql/0", "web/0 db-relation-broken db:0 mysql"]
    );
    assert_eq!(
        ask(&mut sim, "web/0", &["relation-ids db --format=json"]),
        "$ relation-ids db --format=json\n[]\n"
    );
    assert_eq!(sim.status().relations.len(), 1, "it is not gone");
    let from = sim.events().len();
    sim.resume_relation(relation).unwrap();
    sim.settle().unwrap();
    assert_eq!(
        of(&sim, from, "web/0"),
        [
            "web/0 db-relation-created db:0 mysql",
            "web/0 db-relation-joined db:0 mysql/0",
            "web/0 db-relation-changed db:0 mysql/0"
        ]
    );
    // A unit that left and came back has a fresh bag.
    assert_eq!(sim.unit_databag(relation, "web/0").unwrap().text("a"), None);
    sim.suspend_relation(relation).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.remove_relation(relation).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "", "it was broken before");
    assert!(sim.status().relations.is_empty());
}

#[test]
fn a_relation_within_a_model_cannot_pause() {
    let mut charms = Charms::new();
    let web = charms.dispatch(WEB, "");
    let mysql = charms.dispatch(MYSQL, "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    let relation = sim.relate("web", "mysql").unwrap();
    let error = sim.suspend_relation(relation).unwrap_err().to_string();
    assert_eq!(error, "cannot suspend relation `web:db mysql:server`: it is with no offer of another model");
    assert_eq!(sim.suspend_relation(9).unwrap_err().to_string(), "relation 9 not found");
}
