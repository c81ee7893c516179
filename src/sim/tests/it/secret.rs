//! Secrets: staged, granted over relations, tracked by revision.

use expect_test::expect;

use crate::charm::{Charms, ask, builder, hooks};

#[test]
fn a_secret_crosses_a_relation_revision_by_revision() {
    let mut charms = Charms::new();
    let web = charms.dispatch(
        "name: web\nrequires: {db: sql}",
        "case $hook in secret-changed) echo \"$JUJU_SECRET_LABEL\"; secret-get --label db --refresh ;; esac",
    );
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = builder().build().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 2).unwrap();
    let relation = sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();

    let added =
        sim.exec("mysql/0", "secret-add password=one user=root --label root --description x").unwrap();
    let id = added.stdout.trim().trim_start_matches("secret:").to_owned();
    assert_eq!(id.len(), 20);
    let mut text = String::new();
    let say = |sim: &mut charms_reactive_sim::Sim, unit: &str, lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|line| line.replace("ID", &id)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        ask(sim, unit, &lines).replace(&id, "ID")
    };
    text += &say(&mut sim, "web/0", &["secret-get secret:ID", "secret-get", "secret-get 12", "secret-ids"]);
    text += &say(
        &mut sim,
        "mysql/1",
        &[
            "secret-get ID password",
            "secret-set ID password=x",
            "secret-add a=b --owner unit",
            "secret-add abc=1",
        ],
    );
    text += &say(
        &mut sim,
        "mysql/0",
        &[
            "secret-grant ID -r 0",
            "secret-grant ID",
            "secret-grant ID -r 0 --unit other/0",
            "secret-info-get ID",
            "secret-ids --format=json",
            "secret-info-get --label none",
        ],
    );
    text += &say(
        &mut sim,
        "web/0",
        &[
            "secret-get ID --label db",
            "secret-get --label db password#base64",
            "secret-get ID nope",
            "secret-get ID --peek --refresh",
            "secret-set ID abc=1",
        ],
    );
    text +=
        &say(&mut sim, "mysql/0", &["secret-set ID password=one user=root", "secret-set ID password=two"]);
    let from = sim.events().len();
    text += &say(&mut sim, "web/0", &["secret-get --label db", "secret-get --label db --peek"]);
    sim.settle().unwrap();
    text += &hooks(&sim, from);
    text += &say(&mut sim, "web/0", &["secret-get --label db"]);
    text += &say(&mut sim, "mysql/0", &["secret-revoke ID -r 0", "secret-revoke ID"]);
    text += &say(&mut sim, "web/0", &["secret-get ID"]);
    text +=
        &say(&mut sim, "mysql/0", &["secret-remove ID --revision 9", "secret-remove ID", "secret-get ID"]);
    expect![[r#"
        $ secret-get secret:ID
        ERROR permission denied
        [1]
        $ secret-get
        ERROR require either a secret URI or label
        [2]
        $ secret-get 12
        ERROR secret URI "12" not valid
        [2]
        $ secret-ids
        $ secret-get ID password
        one
        $ secret-set ID password=x
        ERROR permission denied
        [1]
        $ secret-add a=b --owner unit
        ERROR key "a" must start and end with lowercase alphanumeric, contain only lowercase alphanumeric and hyphens, and have at least 3 characters
        [2]
        $ secret-add abc=1
        ERROR this unit is not the leader
        [1]
        $ secret-grant ID -r 0
        $ secret-grant ID
        ERROR no relation id specified
        [2]
        $ secret-grant ID -r 0 --unit other/0
        ERROR cannot specify unit "other/0" in relation to application "web"
        [2]
        $ secret-info-get ID
        ID:
          access:
          - role: view
            scope: relation-web.db#mysql.server
            target: application-web
          description: x
          label: root
          owner: application
          revision: 1
          rotation: never
        $ secret-ids --format=json
        ["ID"]
        $ secret-info-get --label none
        ERROR secret "none" not found
        [1]
        $ secret-get ID --label db
        password: one
        user: root
        $ secret-get --label db password#base64
        b25l
        $ secret-get ID nope
        ERROR secret key value "nope" not found
        [1]
        $ secret-get ID --peek --refresh
        ERROR specify one of --peek or --refresh but not both
        [2]
        $ secret-set ID abc=1
        ERROR permission denied
        [1]
        $ secret-set ID password=one user=root
        $ secret-set ID password=two
        $ secret-get --label db
        password: one
        user: root
        $ secret-get --label db --peek
        password: two
        web/0 juju-exec
        web/0 juju-exec
        web/0 secret-changed
        mysql/0 secret-remove
        $ secret-get --label db
        password: two
        $ secret-revoke ID -r 0
        $ secret-revoke ID
        ERROR missing relation or application or unit
        [2]
        $ secret-get ID
        ERROR permission denied
        [1]
        $ secret-remove ID --revision 9
        ERROR secret revision "ID/9" not found
        [1]
        $ secret-remove ID
        $ secret-get ID
        ERROR secret "ID" not found
        [1]
    "#]].assert_eq(&text);
    sim.remove_relation(relation).unwrap();
    sim.settle().unwrap();
}

#[test]
fn a_secret_of_a_failed_hook_does_not_exist() {
    let mut charms = Charms::new();
    let charm = charms
        .dispatch("name: web", "case $hook in start) secret-add abc=1; secret-ids | wc -l; false ;; esac");
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    assert_eq!(sim.settle().unwrap().failed.len(), 1);
    assert!(sim.transcript().contains("| 1\n"));
    assert_eq!(sim.exec("web/0", "secret-ids").unwrap().stdout, "");
}
