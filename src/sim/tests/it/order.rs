//! Which hook comes when.

use expect_test::expect;

use crate::charm::{Charms, DOES, builder, hooks, on, sim, sim_of};
use charms_reactive_sim::JujuVersion;

#[test]
fn relations_that_exist_at_the_start_are_created_after_install() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}\npeers: {ring: ring}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    let web: String = hooks(&sim, 0)
        .lines()
        .filter(|line| line.starts_with("web/0"))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        web/0 install
        web/0 ring-relation-created ring:0 web
        web/0 db-relation-created db:1 mysql
        web/0 leader-elected
        web/0 config-changed
        web/0 start
        web/0 db-relation-joined db:1 mysql/0
        web/0 db-relation-changed db:1 mysql/0
    "#]]
    .assert_eq(&web);
}

#[test]
fn one_seed_gives_one_order() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}\npeers: {ring: ring}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let order = |seed: u64| {
        let mut sim = builder().seed(seed).build().unwrap();
        sim.deploy("web", &web, 2).unwrap();
        sim.deploy("mysql", &mysql, 1).unwrap();
        sim.relate("web", "mysql").unwrap();
        sim.settle().unwrap();
        hooks(&sim, 0)
    };
    assert_eq!(order(5), order(5));
    let orders: std::collections::BTreeSet<String> = (0..5).map(order).collect();
    assert!(orders.len() > 1, "five seeds, one order");
}

#[test]
fn changed_follows_joined_in_its_relation_and_other_relations_may_come_between() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut is_between = false;
    for seed in 0..12 {
        let mut sim = builder().seed(seed).build().unwrap();
        sim.deploy("web", &web, 1).unwrap();
        sim.deploy("one", &mysql, 2).unwrap();
        sim.deploy("two", &mysql, 2).unwrap();
        sim.relate("web", "one").unwrap();
        sim.relate("web", "two").unwrap();
        sim.settle().unwrap();
        let text = hooks(&sim, 0);
        let own: Vec<&str> = text.lines().filter(|line| line.starts_with("web/0 db-")).collect();
        for relation in ["db:0", "db:1"] {
            let of_relation: Vec<&str> = own.iter().copied().filter(|line| line.contains(relation)).collect();
            for pair in of_relation.windows(2).filter(|pair| pair[0].contains("joined")) {
                assert_eq!(pair[1], pair[0].replace("joined", "changed"), "seed {seed}");
            }
        }
        is_between |= own.windows(2).any(|pair| pair[0].contains("joined") && !pair[1].contains("changed"));
    }
    assert!(is_between, "no seed put another relation between");
}

#[test]
fn application_data_written_before_is_shown_before_anybody_joins() {
    let mut charms = Charms::new();
    let web = charms.dispatch(
        "name: web\nrequires: {db: sql}",
        "case $hook in db-relation-changed) echo \"[${JUJU_REMOTE_UNIT}] $(relation-get a)\" ;; esac",
    );
    let mysql = charms.dispatch(
        "name: mysql\nprovides: {server: sql}",
        "case $hook in *-created) relation-set --app a=1 ;; esac",
    );
    let mut sim = sim();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.settle().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    // The provider first: `web` is not installed yet, and so not in the relation.
    while !sim.transcript().contains("databag 0 of mysql: a was") {
        sim.step().unwrap();
    }
    sim.settle().unwrap();
    let text = hooks(&sim, 0);
    let own: String =
        text.lines().filter(|line| line.starts_with("web/0 db")).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        web/0 db-relation-created db:0 mysql
        web/0 db-relation-changed db:0 mysql
        web/0 db-relation-joined db:0 mysql/0
        web/0 db-relation-changed db:0 mysql/0
    "#]]
    .assert_eq(&own);
    assert!(sim.transcript().contains("| [] 1"), "{}", sim.transcript());
}

#[test]
fn a_write_that_changes_nothing_causes_no_hook() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", DOES);
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 2).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    let mut check = |script: &str, expected: &str| {
        let from = sim.events().len();
        sim.exec("web/0", script).unwrap();
        sim.settle().unwrap();
        let text = hooks(&sim, from).replacen("web/0 juju-exec\n", "", 1);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines.join("\n"), expected, "`{script}`");
    };
    let both =
        "mysql/0 server-relation-changed server:0 web/0\nmysql/1 server-relation-changed server:0 web/0";
    check("relation-set -r 0 a=1 b=2", both);
    check("relation-set -r 0 a=1", "");
    check("relation-set -r 0 c= d=", "");
    check("relation-set -r 0 a=2; relation-set -r 0 a=1", "");
    check("relation-set -r 0 a=", both);
    let app = "mysql/0 server-relation-changed server:0 web\nmysql/1 server-relation-changed server:0 web";
    check("relation-set -r 0 --app a=1", app);
    check("relation-set -r 0 --app a=1", "");
}

#[test]
fn leadership_moves_between_hooks() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", "is-leader");
    let mut sim = sim();
    sim.deploy("web", &charm, 2).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.set_leader("web/1").unwrap();
    sim.settle().unwrap();
    let mut lines: Vec<String> = hooks(&sim, from).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["web/0 leader-settings-changed", "web/1 leader-elected"]);
    let from = sim.events().len();
    sim.exec("web/1", "leader-set a=1").unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/1 juju-exec\nweb/0 leader-settings-changed\n");
    let from = sim.events().len();
    sim.remove_unit("web/1").unwrap();
    sim.settle().unwrap();
    assert_eq!(
        hooks(&sim, from),
        "web/1 leader-settings-changed\nweb/1 stop\nweb/1 remove\nweb/0 leader-elected\n"
    );
    assert!(sim.unit("web/0").unwrap().leader);

    let mut sim = sim_of(JujuVersion::V4_0);
    sim.deploy("web", &charm, 2).unwrap();
    sim.settle().unwrap();
    assert!(!hooks(&sim, 0).contains("leader-settings-changed"));
}

#[test]
fn configuration_is_shown_when_it_differs_from_what_was_shown() {
    let mut charms = Charms::new();
    let charm = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("config.yaml", "options: {port: {type: int, default: 80}, name: {type: string}}"),
        ("dispatch", &crate::charm::script("config-get --format=json")),
    ]);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.configure("web", &[("port", "81"), ("name", "x")]).unwrap();
    sim.configure("web", &[("port", "82")]).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 config-changed\n");
    assert!(sim.transcript().ends_with("   > config-get --format=json\n   < {\"name\":\"x\",\"port\":82}\n   | {\"name\":\"x\",\"port\":82}\n-- committed\n"));
    let from = sim.events().len();
    sim.configure("web", &[("port", "83")]).unwrap();
    sim.configure("web", &[("port", "82")]).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "");
    sim.reset("web", &["port"]).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 config-changed\n");
    let error =
        |sim: &mut charms_reactive_sim::Sim, option| sim.configure("web", &[option]).unwrap_err().to_string();
    assert_eq!(error(&mut sim, ("ports", "1")), "unknown option \"ports\"");
    assert_eq!(error(&mut sim, ("port", "x")), "option \"port\" expected int, got \"x\"");
    assert_eq!(sim.reset("web", &["ports"]).unwrap_err().to_string(), "unknown option \"ports\"");
}

#[test]
fn an_upgrade_brings_new_files_and_keeps_those_the_charm_made() {
    let mut charms = Charms::new();
    let old = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("dispatch", &crate::charm::script("echo old >> made")),
        ("only-old", ""),
    ]);
    let new = charms.files(&[
        ("metadata.yaml", "name: web\npeers: {ring: ring}"),
        ("dispatch", &crate::charm::script("echo new $hook")),
    ]);
    let mut sim = sim();
    sim.deploy("web", old, 1).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.upgrade("web", new).unwrap();
    let folder = sim.charm_dir("web/0").unwrap();
    assert!(folder.join("only-old").exists());
    sim.settle().unwrap();
    expect![[r#"
        web/0 ring-relation-created ring:0 web
        web/0 upgrade-charm
        web/0 config-changed
    "#]]
    .assert_eq(&hooks(&sim, from));
    assert!(!folder.join("only-old").exists());
    assert!(folder.join("made").exists());
    assert!(sim.transcript().contains("| new upgrade-charm"));
}

#[test]
fn update_status_waits_for_everything_else() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\npeers: {ring: ring}", DOES);
    let mut sim = sim();
    sim.deploy("web", charm, 2).unwrap();
    sim.settle().unwrap();
    on(&sim, "web/0", "all", "true");
    let from = sim.events().len();
    sim.update_status("web/0").unwrap();
    sim.exec("web/1", "relation-set -r ring:0 a=1").unwrap();
    sim.set_leader("web/1").unwrap();
    sim.set_leader("web/0").unwrap();
    sim.settle().unwrap();
    let text = hooks(&sim, from);
    let own: Vec<&str> = text.lines().filter(|line| line.starts_with("web/0")).collect();
    assert_eq!(
        own,
        ["web/0 leader-elected", "web/0 ring-relation-changed ring:0 web/1", "web/0 update-status"]
    );
}

#[test]
fn two_endpoints_of_one_interface_are_two_relations() {
    let mut charms = Charms::new();
    let web = charms.dispatch(
        "name: web\nrequires: {main: sql, backup: sql}",
        "case $hook in *-joined) relation-set from=$JUJU_RELATION ;; esac",
    );
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = sim();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    let error = |result: Result<u32, charms_reactive_sim::SimError>| result.unwrap_err().to_string();
    assert_eq!(
        error(sim.relate("web", "mysql")),
        "ambiguous relation: `web` and `mysql` could refer to \"web:main mysql:server\"; \"web:backup mysql:server\""
    );
    let main = sim.relate("web:main", "mysql").unwrap();
    let backup = sim.relate("mysql:server", "web:backup").unwrap();
    assert_eq!(error(sim.relate("web:main", "mysql")), "relation `web:main mysql:server` already exists");
    assert_eq!(
        error(sim.relate("web:main", "web:backup")),
        "no relation found between `web:main` and `web:backup`: `web:main` requires `sql`; `web:backup` requires `sql`"
    );
    assert_eq!(
        error(sim.relate("web:mian", "mysql")),
        "no relation found between `web:mian` and `mysql`: `web:mian` is no endpoint of its charm; `mysql:server` provides `sql`"
    );
    assert_eq!(error(sim.relate("web:main", "none")), "application `none` not found");
    sim.settle().unwrap();
    assert_eq!(sim.unit_databag(main, "web/0").unwrap().text("from"), Some("main"));
    assert_eq!(sim.unit_databag(backup, "web/0").unwrap().text("from"), Some("backup"));
}

#[test]
fn an_operator_is_refused_what_juju_refuses() {
    let mut charms = Charms::new();
    let web =
        charms.dispatch("name: web\nrequires: {db: {interface: sql, limit: 1}}\npeers: {ring: ring}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let other = charms.dispatch("name: web\nrequires: {database: sql}\npeers: {ring: ring}", "");
    let mut sim = sim();
    sim.deploy("web", &web, 1).unwrap();
    sim.deploy("one", &mysql, 1).unwrap();
    sim.deploy("two", &mysql, 0).unwrap();
    let relation = sim.relate("web", "one").unwrap();
    let mut refusals = vec![
        sim.relate("web", "two").unwrap_err(),
        sim.deploy("web", &web, 1).unwrap_err(),
        sim.deploy("0web", &web, 1).unwrap_err(),
        sim.upgrade("web", &other).unwrap_err(),
        sim.remove_relation(0).unwrap_err(),
        sim.remove_relation(9).unwrap_err(),
        sim.remove_unit("web/9").unwrap_err(),
        sim.set_leader("web").unwrap_err(),
        sim.resolve("web/0", true).unwrap_err(),
        sim.exec("web/0", "true").unwrap_err(),
    ];
    sim.settle().unwrap();
    sim.remove_application("one").unwrap();
    refusals.push(sim.add_unit("one").unwrap_err());
    refusals.push(sim.relate("web", "one").unwrap_err());
    sim.settle().unwrap();
    refusals.push(
        sim.databag(relation, &charms_reactive_sim::Party::Unit("web/0".parse().unwrap())).unwrap_err(),
    );
    let text: String = refusals.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        establishing a new relation for `web:db` would exceed its maximum relation limit of 1
        cannot add application `web`: application already exists
        application name `0web` is not valid, expected letters, digits and dashes, for example `web`
        cannot upgrade: would break relation of `web:db`
        the simulated model cannot have a peer relation removed
        relation 9 not found
        unit `web/9` not found
        unit name `web` has no number, expected `application/number`, for example `web/0`
        unit `web/0` is not in an error state
        unit `web/0` is not installed
        `one` is not alive
        `one` is not alive
        relation 1 not found
    "#]]
    .assert_eq(&text);
    // The limit counts what is there: with the first relation gone, another one fits.
    sim.relate("web", "two").unwrap();
}

#[test]
fn a_unit_that_never_came_up_goes_without_a_hook() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\npeers: {ring: ring}", "");
    let mut sim = sim();
    sim.deploy("web", charm, 2).unwrap();
    sim.remove_unit("web/0").unwrap();
    sim.settle().unwrap();
    assert!(!hooks(&sim, 0).contains("web/0"));
    assert!(sim.unit("web/1").unwrap().leader);
}
