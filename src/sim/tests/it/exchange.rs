//! The life of a unit, and data over a relation.

use expect_test::expect;

use crate::charm::{Charms, sim};

#[test]
fn a_unit_is_installed_configured_and_started() {
    let mut charms = Charms::new();
    let charm =
        charms.dispatch("name: web", "status-set active \"ran $hook\"\necho \"$hook on $JUJU_UNIT_NAME\"");
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    assert_eq!(sim.settle().unwrap().hooks, 4);
    expect![[r#"
        App  Version  Status  Scale  Charm  Rev  Message
        web           active  1      web    0    ran start

        Unit    Workload  Agent  Machine  Public address  Ports  Message
        web/0*  active    idle   0        10.1.0.1               ran start
    "#]]
    .assert_eq(&sim.status().to_string());
    expect![[r#"
           * web/0 is added
           * web/0 leads web
           * web/0 is maintenance: installing charm software
        == web/0 install
           > status-set active "ran install"
           * web/0 is active: ran install
           | install on web/0
        -- committed
        == web/0 leader-elected
           > status-set active "ran leader-elected"
           * web/0 is active: ran leader-elected
           | leader-elected on web/0
        -- committed
        == web/0 config-changed
           > status-set active "ran config-changed"
           * web/0 is active: ran config-changed
           | config-changed on web/0
        -- committed
        == web/0 start
           > status-set active "ran start"
           * web/0 is active: ran start
           | start on web/0
        -- committed
    "#]]
    .assert_eq(&sim.transcript());
}

const REQUIRER: &str = r#"
case $hook in
  db-relation-joined) relation-set user="$JUJU_UNIT_NAME" ;;
  db-relation-changed)
    if [ -n "$JUJU_REMOTE_UNIT" ]; then
      password=$(relation-get password)
      if [ -n "$password" ]; then status-set active "password $password"; fi
    fi ;;
esac
"#;

const PROVIDER: &str = r#"
case $hook in
  server-relation-changed)
    user=$(relation-get user)
    if [ -n "$user" ]; then relation-set password="for-$user"; fi ;;
esac
"#;

#[test]
fn two_applications_exchange_data() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", REQUIRER);
    let mysql = charms.dispatch("name: mysql\nprovides: {server: {interface: sql}}", PROVIDER);
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.settle().unwrap();
    let relation = sim.relate("web:db", "mysql:server").unwrap();
    let before = sim.transcript().len();
    let settled = sim.settle().unwrap();
    assert_eq!(settled.failed, []);
    expect![[r#"
           * databag 0 of mysql/0: egress-subnets was nothing, is "10.1.0.2/32"
           * databag 0 of mysql/0: ingress-address was nothing, is "10.1.0.2"
           * databag 0 of mysql/0: private-address was nothing, is "10.1.0.2"
           * databag 0 of web/0: egress-subnets was nothing, is "10.1.0.1/32"
           * databag 0 of web/0: ingress-address was nothing, is "10.1.0.1"
           * databag 0 of web/0: private-address was nothing, is "10.1.0.1"
        == web/0 db-relation-created (db:0 mysql)
        -- committed
        == mysql/0 server-relation-created (server:0 web)
        -- committed
        == mysql/0 server-relation-joined (server:0 web/0)
        -- committed
        == web/0 db-relation-joined (db:0 mysql/0)
           > relation-set user=web/0
           * databag 0 of web/0: user was nothing, is "web/0"
        -- committed
        == web/0 db-relation-changed (db:0 mysql/0)
           > relation-get password
        -- committed
        == mysql/0 server-relation-changed (server:0 web/0)
           > relation-get user
           < web/0
           > relation-set password=for-web/0
           * databag 0 of mysql/0: password was nothing, is "for-web/0"
        -- committed
        == web/0 db-relation-changed (db:0 mysql/0)
           > relation-get password
           < for-web/0
           > status-set active "password for-web/0"
           * web/0 is active: password for-web/0
        -- committed
    "#]]
    .assert_eq(&sim.transcript()[before..]);
    assert_eq!(sim.unit_databag(relation, "mysql/0").unwrap().text("password"), Some("for-web/0"));
    expect![[r#"
        App    Version  Status   Scale  Charm  Rev  Message
        mysql           unknown  1      mysql  0
        web             active   1      web    0    password for-web/0

        Unit      Workload  Agent  Machine  Public address  Ports  Message
        mysql/0*  unknown   idle   1        10.1.0.2
        web/0*    active    idle   0        10.1.0.1               password for-web/0

        Integration provider  Requirer  Interface  Type     Message
        mysql:server          web:db    sql        regular
    "#]]
    .assert_eq(&sim.status().to_string());
}

#[test]
fn data_of_a_member_is_remembered_until_its_own_hook() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    let read = "relation-get -r 0 k mysql/0; relation-get -r 0 --app k mysql";
    let write = |value: &str| format!("relation-set -r 0 k={value}; relation-set -r 0 --app k={value}");
    sim.exec("mysql/0", &write("old")).unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.exec("web/0", read).unwrap().stdout, "old\nold\n");
    sim.exec("mysql/0", &write("new")).unwrap();
    // Of applications, nothing is remembered between runs.
    assert_eq!(sim.exec("web/0", read).unwrap().stdout, "old\nnew\n");
    sim.settle().unwrap();
    assert_eq!(sim.exec("web/0", read).unwrap().stdout, "new\nnew\n");
}

#[test]
fn a_run_sees_its_own_writing_before_anybody_else() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\npeers: {ring: ring}", "");
    let mut sim = sim();
    sim.deploy("web", charm, 2).unwrap();
    sim.settle().unwrap();
    let script = "relation-set -r 0 k=1; relation-get -r 0 k web/0; relation-set -r 0 k=; relation-get -r 0 k web/0 --format=json";
    assert_eq!(sim.exec("web/0", script).unwrap().stdout, "1\nnull\n");
}

#[test]
fn a_configuration_hook_refreshes_the_automatic_keys() {
    let mut charms = Charms::new();
    let charm = charms.files(&[
        ("metadata.yaml", "name: web\npeers: {ring: ring}"),
        ("config.yaml", "options: {name: {type: string}}"),
        ("hooks/config-changed", &crate::charm::script("relation-set -r 0 ingress-address=proxy")),
    ]);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    sim.exec("web/0", "relation-set -r 0 private-address=hidden").unwrap();
    let address = |sim: &charms_reactive_sim::Sim, key: &str| {
        sim.unit_databag(0, "web/0").unwrap().text(key).unwrap().to_owned()
    };
    assert_eq!(address(&sim, "private-address"), "hidden");
    sim.configure("web", &[("name", "x")]).unwrap();
    sim.settle().unwrap();
    assert_eq!(address(&sim, "private-address"), "10.1.0.1");
    // What the same hook writes is written over it.
    assert_eq!(address(&sim, "ingress-address"), "proxy");
}
