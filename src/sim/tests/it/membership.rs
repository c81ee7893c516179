//! Who is in a relation, as hooks are shown it.

use charms_reactive_sim::JujuVersion;
use expect_test::expect;

use crate::charm::{Charms, DOES, ask, builder, hooks, on, sim};

/// Writes down what a hook sees of its relation, except in `-created`.
const LOOK: &str = r#"
case $hook in db-relation-*)
  echo "list $(relation-list --format=json) ids $(relation-ids db --format=json) app $(relation-list --app)"
  echo "get $(relation-get - --format=json 2>&1)"
;; esac
"#;

#[test]
fn each_hook_of_a_relation_sees_its_own_members() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", &format!("{LOOK}\n{DOES}"));
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", DOES);
    let mut sim = sim();
    sim.deploy("mysql", mysql, 2).unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.settle().unwrap();
    on(&sim, "mysql/0", "server-relation-created", "relation-set name=zero\nrelation-set --app name=whole");
    on(&sim, "mysql/1", "server-relation-created", "relation-set name=one");
    let relation = sim.relate("web", "mysql").unwrap();
    let mut text = String::new();
    let mut look = |sim: &mut charms_reactive_sim::Sim| {
        let from = sim.events().len();
        sim.settle().unwrap();
        for event in &sim.events()[from..] {
            match event {
                charms_reactive_sim::Event::HookStarted { unit, hook, about }
                    if unit.to_string() == "web/0" =>
                {
                    text += &format!("{hook} {}\n", about.as_deref().unwrap_or_default());
                }
                charms_reactive_sim::Event::Output { line, .. } => {
                    text += &format!("  {line}\n")
                        .replace("\"egress-subnets\":\"10.1.0.1/32\",\"ingress-address\":\"10.1.0.1\",", "")
                        .replace("\"egress-subnets\":\"10.1.0.2/32\",\"ingress-address\":\"10.1.0.2\",", "");
                }
                _ => {}
            }
        }
    };
    look(&mut sim);
    sim.remove_unit("mysql/1").unwrap();
    look(&mut sim);
    sim.remove_relation(relation).unwrap();
    look(&mut sim);
    expect![[r#"
        db-relation-created db:0 mysql
          list [] ids ["db:0"] app mysql
          get {"name":"whole"}
        db-relation-changed db:0 mysql
          list [] ids ["db:0"] app mysql
          get {"name":"whole"}
        db-relation-joined db:0 mysql/0
          list ["mysql/0"] ids ["db:0"] app mysql
          get {"name":"zero","private-address":"10.1.0.1"}
        db-relation-changed db:0 mysql/0
          list ["mysql/0"] ids ["db:0"] app mysql
          get {"name":"zero","private-address":"10.1.0.1"}
        db-relation-joined db:0 mysql/1
          list ["mysql/0","mysql/1"] ids ["db:0"] app mysql
          get {"name":"one","private-address":"10.1.0.2"}
        db-relation-changed db:0 mysql/1
          list ["mysql/0","mysql/1"] ids ["db:0"] app mysql
          get {"name":"one","private-address":"10.1.0.2"}
        db-relation-departed db:0 mysql/1
          list ["mysql/0"] ids ["db:0"] app mysql
          get {"name":"one","private-address":"10.1.0.2"}
        db-relation-departed db:0 mysql/0
          list [] ids ["db:0"] app mysql
          get {"name":"zero","private-address":"10.1.0.1"}
        db-relation-broken db:0 mysql
          list [] ids [] app mysql
          get {"name":"whole"}
    "#]]
    .assert_eq(&text);
    assert!(sim.databag(relation, &charms_reactive_sim::Party::Unit("web/0".parse().unwrap())).is_err());
}

#[test]
fn a_broken_relation_is_listed_by_juju_2_9() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", LOOK);
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    for (version, expected) in
        [(JujuVersion::V2_9, "list [] ids [\"db:0\"]"), (JujuVersion::V3_6, "list [] ids []")]
    {
        let mut sim = builder().juju_version(version).build().unwrap();
        sim.deploy("mysql", &mysql, 1).unwrap();
        sim.deploy("web", &web, 1).unwrap();
        let relation = sim.relate("web", "mysql").unwrap();
        sim.settle().unwrap();
        sim.remove_relation(relation).unwrap();
        sim.settle().unwrap();
        let transcript = sim.transcript();
        let broken = transcript.split("db-relation-broken (db:0 mysql)").nth(1).expect("the hook was run");
        assert!(broken.contains(expected), "{broken}");
    }
}

#[test]
fn data_of_a_departed_unit_stays_readable() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "");
    let mysql = charms.dispatch(
        "name: mysql\nprovides: {server: sql}",
        "case $hook in *-created) relation-set a=1 ;; esac",
    );
    let mut sim = sim();
    sim.deploy("mysql", mysql, 2).unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    sim.remove_unit("mysql/1").unwrap();
    sim.settle().unwrap();
    expect![[r#"
        $ relation-list -r 0
        mysql/0
        $ relation-get -r 0 a mysql/1
        1
        $ relation-get -r 0 a mysql/9
        ERROR cannot read settings for unit "mysql/9" in relation "web:db mysql:server": unit "mysql/9": settings not found
        [1]
        $ relation-get -r 0 a other/0
        ERROR permission denied
        [1]
    "#]].assert_eq(&ask(
        &mut sim,
        "web/0",
        &["relation-list -r 0", "relation-get -r 0 a mysql/1", "relation-get -r 0 a mysql/9", "relation-get -r 0 a other/0"],
    ));
}

#[test]
fn peers_never_see_themselves_and_nothing_breaks() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(
        "name: web\npeers: {ring: ring}",
        "case $hook in ring-*) echo \"$(relation-list --format=json) ${JUJU_DEPARTING_UNIT-}\" ;; esac",
    );
    let mut sim = sim();
    sim.deploy("web", charm, 3).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.remove_unit("web/2").unwrap();
    sim.settle().unwrap();
    expect![[r#"
        web/2 ring-relation-departed ring:0 web/0
        web/0 ring-relation-departed ring:0 web/2
        web/1 ring-relation-departed ring:0 web/2
        web/2 ring-relation-departed ring:0 web/1
        web/2 stop
        web/2 remove
    "#]]
    .assert_eq(&hooks(&sim, from));
    let from = sim.events().len();
    sim.remove_application("web").unwrap();
    sim.settle().unwrap();
    let rest = hooks(&sim, from);
    assert!(!rest.contains("broken"), "{rest}");
    assert_eq!(sim.status().to_string(), "");
}

#[test]
fn an_application_that_goes_takes_its_units_through_every_hook() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "echo ${JUJU_DEPARTING_UNIT-none}");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "echo ${JUJU_DEPARTING_UNIT-none}");
    let mut sim = sim();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    let from = sim.transcript().len();
    sim.remove_application("mysql").unwrap();
    sim.settle().unwrap();
    expect![[r#"
        == web/0 db-relation-departed (db:0 mysql/0)
           | mysql/0
        -- committed
        == mysql/0 leader-settings-changed
           | none
        -- committed
        == web/0 db-relation-broken (db:0 mysql)
           | none
        -- committed
        == mysql/0 server-relation-departed (server:0 web/0)
           | mysql/0
        -- committed
        == mysql/0 server-relation-broken (server:0 web)
           * relation 0 is gone
           | none
        -- committed
           * mysql/0 is maintenance: stopping charm software
        == mysql/0 stop
           | none
        -- committed
           * mysql/0 is maintenance: cleaning up prior to charm deletion
        == mysql/0 remove
           * mysql/0 is terminated
           * mysql/0 is gone
           * nobody leads mysql
           | none
        -- committed
    "#]]
    .assert_eq(&sim.transcript()[from..]);
    assert!(sim.charm_dir("mysql/0").is_err());
}
