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

/// A model in which `web/0` reads secrets of `mysql`, which has two units; with the relation's number.
fn shared(charms: &mut Charms) -> (charms_reactive_sim::Sim, u32) {
    let body =
        "case $hook in secret-*) echo \"$hook $JUJU_SECRET_LABEL ${JUJU_SECRET_REVISION-none}\" ;; esac";
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", body);
    let mut sim = builder().build().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 2).unwrap();
    let relation = sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    (sim, relation)
}

/// Adds a secret as a unit, with these flags.
fn added(sim: &mut charms_reactive_sim::Sim, unit: &str, flags: &str) -> String {
    let added = sim.exec(unit, &format!("secret-add password=one {flags}")).unwrap();
    added.stdout.trim().to_owned()
}

#[test]
fn owners_are_told_when_a_secret_rotates_or_expires() {
    let mut charms = Charms::new();
    let (mut sim, _) = shared(&mut charms);
    let whole = added(&mut sim, "mysql/0", "--label root --rotate daily --expire 24h");
    let own = added(&mut sim, "mysql/1", "--owner unit --label mine --expire 24h");
    let from = sim.events().len();
    sim.rotate_secret(&whole).unwrap();
    sim.expire_secret(&whole).unwrap();
    sim.expire_secret(&own).unwrap();
    sim.settle().unwrap();
    let text = hooks(&sim, from);
    let of = |unit: &str| text.lines().filter_map(|line| line.strip_prefix(unit)).collect::<Vec<_>>();
    // The leader alone is told of an application's secret, its expiry first.
    assert_eq!(of("mysql/0 "), ["secret-expired", "secret-rotate"]);
    assert_eq!(of("mysql/1 "), ["secret-expired"]);
    let transcript = sim.transcript();
    for line in ["| secret-expired root 1", "| secret-rotate root none", "| secret-expired mine 1"] {
        assert!(transcript.contains(line), "{line}");
    }
    // Told once, until the time comes again.
    let from = sim.events().len();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "");
    let refused = sim.rotate_secret(&own).unwrap_err().to_string();
    assert_eq!(refused, format!("secret `{own}` has no rotation"));
    assert_eq!(sim.rotate_secret("none").unwrap_err().to_string(), "secret `none` not found");
}

#[test]
fn a_hook_about_a_secret_is_skipped_when_leadership_has_gone() {
    let mut charms = Charms::new();
    let (mut sim, _) = shared(&mut charms);
    let id = added(&mut sim, "mysql/0", "--rotate hourly");
    crate::charm::on(&sim, "mysql/0", "none", "true");
    let folder = sim.charm_dir("mysql/0").unwrap();
    std::fs::remove_file(folder.join("dispatch")).unwrap();
    std::fs::create_dir(folder.join("dispatch")).unwrap();
    sim.rotate_secret(&id).unwrap();
    assert!(matches!(sim.step().unwrap().unwrap().outcome, charms_reactive_sim::Outcome::Failed { .. }));
    sim.set_leader("mysql/1").unwrap();
    let from = sim.events().len();
    let retried = sim.resolve("mysql/0", true).unwrap().unwrap();
    assert_eq!(
        (retried.hook.as_str(), retried.outcome),
        ("secret-rotate", charms_reactive_sim::Outcome::Skipped)
    );
    assert_eq!(hooks(&sim, from), "mysql/0 secret-rotate\n");
}

#[test]
fn a_revision_that_nobody_reads_any_more_is_for_its_owner_to_remove() {
    let mut charms = Charms::new();
    let (mut sim, relation) = shared(&mut charms);
    let id = added(&mut sim, "mysql/0", "--label root");
    sim.exec("mysql/0", &format!("secret-grant {id} -r {relation}")).unwrap();
    sim.exec("web/0", &format!("secret-get {id}")).unwrap();
    let from = sim.events().len();
    sim.exec("mysql/0", &format!("secret-set {id} password=two")).unwrap();
    sim.settle().unwrap();
    // `web/0` still reads the old one.
    assert_eq!(hooks(&sim, from), "mysql/0 juju-exec\nweb/0 secret-changed\n");
    let from = sim.events().len();
    sim.exec("web/0", &format!("secret-get {id} --refresh")).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 juju-exec\nmysql/0 secret-remove\n");
    assert!(sim.transcript().contains("| secret-remove root 1"));
    // Another leader has not been told, and is.
    let from = sim.events().len();
    sim.set_leader("mysql/1").unwrap();
    sim.settle().unwrap();
    assert!(hooks(&sim, from).contains("mysql/1 secret-remove\n"));
    sim.exec("mysql/1", &format!("secret-remove {id} --revision 1")).unwrap();
    let from = sim.events().len();
    sim.set_leader("mysql/0").unwrap();
    sim.settle().unwrap();
    assert!(!hooks(&sim, from).contains("secret-remove"));
}

#[test]
fn a_secret_of_the_operator_is_read_by_those_it_was_granted_to() {
    let mut charms = Charms::new();
    let web = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("config.yaml", "options: {token: {type: secret}}"),
        (
            "dispatch",
            &crate::charm::script(
                "case $hook in secret-changed) secret-get $JUJU_SECRET_ID --refresh ;; esac",
            ),
        ),
    ]);
    let mut sim = builder().build().unwrap();
    sim.deploy("web", &web, 1).unwrap();
    sim.settle().unwrap();
    let id = sim.add_secret(&[("token", "one")]).unwrap();
    sim.configure("web", &[("token", &id)]).unwrap();
    sim.settle().unwrap();
    let look = "secret-get $(config-get token) token";
    assert_eq!(sim.exec("web/0", look).unwrap().stderr, "ERROR permission denied\n");
    sim.grant_secret(&id, "web").unwrap();
    assert_eq!(sim.exec("web/0", look).unwrap().stdout, "one\n");
    let from = sim.events().len();
    sim.update_secret(&id, &[("token", "two")]).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 secret-changed\n");
    assert_eq!(sim.exec("web/0", look).unwrap().stdout, "two\n");
    // The charm can read it, and no more.
    assert_eq!(
        sim.exec("web/0", &format!("secret-set {id} token=x")).unwrap().stderr,
        "ERROR permission denied\n"
    );
    assert_eq!(sim.exec("web/0", "secret-ids --format=json").unwrap().stdout, "[]\n");
    sim.remove_secret(&id).unwrap();
    assert!(sim.exec("web/0", look).unwrap().stderr.ends_with("not found\n"));
    let mut old = builder().juju_version("3.1".parse().unwrap()).build().unwrap();
    assert_eq!(
        old.add_secret(&[("token", "one")]).unwrap_err().to_string(),
        "Juju 3.1.0 does not have secrets of operators"
    );
}

#[test]
fn a_secret_that_is_removed_under_a_consumer_is_not_found_and_not_told() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", "");
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", "");
    let mut sim = builder().build().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 1).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    let added = sim.exec("mysql/0", "secret-add password=one").unwrap();
    let id = added.stdout.trim().to_owned();
    sim.exec("mysql/0", &format!("secret-grant {id} -r 0")).unwrap();
    assert_eq!(sim.exec("web/0", &format!("secret-get {id} password --label db")).unwrap().stdout, "one\n");
    let from = sim.events().len();
    sim.exec("mysql/0", &format!("secret-remove {id}")).unwrap();
    assert_eq!(sim.settle().unwrap().hooks, 0);
    assert_eq!(hooks(&sim, from), "mysql/0 juju-exec\n");
    let short = id.trim_start_matches("secret:");
    let found = sim.exec("web/0", &format!("secret-get {id}")).unwrap();
    assert_eq!((found.code, found.stderr), (1, format!("ERROR secret \"{short}\" not found\n")));
    // By its label, the consumer still knows which one it was.
    let found = sim.exec("web/0", "secret-get --label db").unwrap();
    assert_eq!((found.code, found.stderr), (1, format!("ERROR secret \"{short}\" not found\n")));
}
