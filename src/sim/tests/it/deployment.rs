//! What applications are given beside their charm: resources, trust, options, and forced upgrades.

use expect_test::expect;

use crate::charm::{Charms, DOES, ask, builder, hooks, on, script, sim, sim_of};
use charms_reactive_sim::{Deployment, JujuVersion, Outcome};
use serde_json::json;

const METADATA: &str = "name: web\nresources: {blob: {type: file, filename: blob.bin}, image: {type: oci-image}, none: {type: file, filename: x}}";

#[test]
fn a_resource_is_a_file_of_the_unit_and_a_new_one_is_an_upgrade() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, "case $hook in upgrade-charm) cat $(resource-get blob) ;; esac");
    let mut sim = sim();
    let deployment = Deployment::units(1).resource("blob", "one\n").resource("image", "registry/web:1");
    sim.deploy_with("web", charm, &deployment).unwrap();
    sim.settle().unwrap();
    let unit = sim.charm_dir("web/0").unwrap().parent().unwrap().display().to_string();
    expect![[r#"
        $ echo "[$(resource-get blob)]"
        [UNIT/resources/blob/blob.bin]
        $ cat $(resource-get blob)
        one
        $ cat $(resource-get image)
        registrypath: registry/web:1
        username: ""
        password: ""
        $ resource-get none
        ERROR could not download resource: resource "none" not found
        [1]
        $ resource-get other
        ERROR could not download resource: resource "other" not found
        [1]
        $ resource-get
        ERROR missing required resource name
        [2]
    "#]]
    .assert_eq(
        &ask(
            &mut sim,
            "web/0",
            &[
                "echo \"[$(resource-get blob)]\"",
                "cat $(resource-get blob)",
                "cat $(resource-get image)",
                "resource-get none",
                "resource-get other",
                "resource-get",
            ],
        )
        .replace(&unit, "UNIT"),
    );
    let from = sim.transcript().len();
    sim.attach_resource("web", "blob", "two\n").unwrap();
    sim.settle().unwrap();
    expect![[r#"
        == web/0 upgrade-charm
           > resource-get blob
           < UNIT/resources/blob/blob.bin
           | two
        -- committed
        == web/0 config-changed
        -- committed
    "#]]
    .assert_eq(&sim.transcript()[from..].replace(&unit, "UNIT"));
    assert_eq!(sim.status().applications[0].revision, 0, "the charm is the same");
    let error = sim.attach_resource("web", "other", "x").unwrap_err().to_string();
    assert_eq!(error, "application `web` has no resource `other`");
}

#[test]
fn trust_is_told_and_opens_the_credential() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", "");
    let mut sim = sim();
    sim.deploy("web", &charm, 1).unwrap();
    sim.deploy_with("trusted", &charm, &Deployment::units(1).trust()).unwrap();
    sim.settle().unwrap();
    sim.set_credential(json!({"type": "lxd", "name": "here"}));
    let look = &["credential-get --format=json"];
    expect![[r#"
        $ credential-get --format=json
        ERROR cannot access cloud credentials: permission denied
        [1]
    "#]]
    .assert_eq(&ask(&mut sim, "web/0", look));
    let from = sim.events().len();
    sim.set_trust("web", true).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 config-changed\n");
    let expected = "$ credential-get --format=json\n{\"name\":\"here\",\"type\":\"lxd\"}\n";
    assert_eq!(ask(&mut sim, "web/0", look), expected);
    assert_eq!(ask(&mut sim, "trusted/0", look), expected);
}

#[test]
fn what_a_deployment_gives_is_there_from_the_first_hook() {
    let mut charms = Charms::new();
    let charm = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("config.yaml", "options: {port: {type: int, default: 80}}"),
        ("dispatch", &script("echo $(config-get port)")),
    ]);
    let mut sim = sim();
    sim.deploy_with("web", &charm, &Deployment::units(1).config("port", "8080")).unwrap();
    sim.step().unwrap();
    assert!(sim.transcript().contains("| 8080"));
    let refused = Deployment::units(1).config("prt", "1");
    assert_eq!(sim.deploy_with("x", &charm, &refused).unwrap_err().to_string(), "unknown option \"prt\"");
    assert!(sim.unit("x/0").is_err());
}

#[test]
fn a_charm_that_assumes_another_juju_is_refused() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\nassumes: [juju >= 3.1, {any-of: [k8s-api, juju < 4]}]", "");
    let deploy = |version| sim_of(version).deploy("web", &charm, 1).map_err(|error| error.to_string());
    assert_eq!(deploy(JujuVersion::V3_6), Ok(()));
    let refusal = |feature: &str| {
        Err(format!("cannot deploy: charm assumes `{feature}`, which this model does not have"))
    };
    assert_eq!(deploy(JujuVersion::V2_9), refusal("juju >= 3.1"));
    assert_eq!(deploy(JujuVersion::V4_0), refusal("{\"any-of\":[\"k8s-api\",\"juju < 4\"]}"));
}

#[test]
fn an_upgrade_forced_in_error_goes_back_to_the_failed_hook() {
    let mut charms = Charms::new();
    let old = charms.dispatch("name: web", "[ $hook != start ]");
    let new = charms.dispatch("name: web", "echo new $hook");
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", &old, 2).unwrap();
    sim.settle().unwrap();
    // An upgrade alone waits for the error to be over.
    sim.upgrade("web", &new).unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.unit("web/0").unwrap().failed_hook.unwrap().hook, "start");
    let from = sim.events().len();
    sim.upgrade_forced("web", &new).unwrap();
    assert!(matches!(sim.resolve("web/0", true).unwrap().unwrap().outcome, Outcome::Committed));
    sim.resolve("web/1", true).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "web/0 start\nweb/1 start\n");
    assert!(sim.transcript().contains("* web/0 has the files of another charm"));
    assert!(sim.transcript().contains("| new start"));
}

#[test]
fn a_forced_upgrade_is_an_ordinary_one_for_a_unit_without_error() {
    let mut charms = Charms::new();
    let old = charms.dispatch("name: web", DOES);
    let new = charms.dispatch("name: web", "echo new $hook");
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("web", &old, 2).unwrap();
    sim.settle().unwrap();
    on(&sim, "web/1", "leader-elected", "false");
    sim.upgrade_forced("web", &new).unwrap();
    // Comes before the upgrade, and fails: then the files are taken over under it.
    sim.set_leader("web/1").unwrap();
    let from = sim.events().len();
    sim.settle().unwrap();
    assert_eq!(sim.unit("web/1").unwrap().failed_hook.unwrap().hook, "leader-elected");
    sim.resolve("web/1", true).unwrap();
    sim.settle().unwrap();
    let text = hooks(&sim, from);
    let of = |unit: &str| text.lines().filter_map(|line| line.strip_prefix(unit)).collect::<Vec<_>>();
    assert_eq!(of("web/0 "), ["leader-settings-changed", "upgrade-charm", "config-changed"]);
    assert_eq!(of("web/1 "), ["leader-elected", "leader-elected"]);
}
