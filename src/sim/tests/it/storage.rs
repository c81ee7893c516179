//! Storage: attached before `install`, added in hooks, detached before a unit goes.

use expect_test::expect;

use crate::charm::{Charms, DOES, ask, builder, hooks, on, sim};
use charms_reactive_sim::{Deployment, Outcome};

const METADATA: &str = "name: db\nstorage: {data: {type: filesystem, location: /srv}, disk: {type: block, multiple: {range: 0-2}}}";

/// Writes down what a hook of storage is told.
const LOOK: &str = r#"
case $hook in *-storage-*)
  echo "$JUJU_STORAGE_ID $JUJU_STORAGE_KIND ${JUJU_STORAGE_LOCATION##*/} $(storage-get kind) $(storage-list --format=json)"
  if [ $JUJU_STORAGE_KIND = filesystem ]; then [ -d $(storage-get location) ]; else [ -f $(storage-get location) ]; fi
;; esac
"#;

#[test]
fn storage_comes_before_install_and_goes_before_stop() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, LOOK);
    let mut sim = sim();
    sim.deploy_with("db", charm, &Deployment::units(1).storage("disk", 2)).unwrap();
    sim.settle().unwrap();
    sim.remove_unit("db/0").unwrap();
    sim.settle().unwrap();
    let text = hooks(&sim, 0);
    let lines: Vec<&str> = text.lines().collect();
    let mut attached = lines[..3].to_vec();
    attached.sort_unstable();
    assert_eq!(
        attached,
        [
            "db/0 data-storage-attached data/0",
            "db/0 disk-storage-attached disk/1",
            "db/0 disk-storage-attached disk/2",
        ]
    );
    assert_eq!(lines[3], "db/0 install");
    let leaving: Vec<&str> = lines.iter().rev().take(5).rev().copied().collect();
    let mut detached = leaving[..3].to_vec();
    detached.sort_unstable();
    assert_eq!(
        detached,
        [
            "db/0 data-storage-detaching data/0",
            "db/0 disk-storage-detaching disk/1",
            "db/0 disk-storage-detaching disk/2",
        ]
    );
    assert_eq!(leaving[3..], ["db/0 stop", "db/0 remove"]);
    let all = "[\"data/0\",\"disk/1\",\"disk/2\"]";
    assert!(sim.transcript().contains(&format!("| data/0 filesystem data-0 filesystem {all}")));
    assert!(sim.transcript().contains(&format!("| disk/1 block disk-1 block {all}")));
    // The instances stay, without a unit.
    assert_eq!(sim.storage().iter().filter(|storage| storage.unit.is_none()).count(), 3);
}

#[test]
fn install_waits_for_storage_that_the_cloud_has_not_made() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, LOOK);
    let mut sim = sim();
    sim.hold_storage(true);
    sim.deploy("db", charm, 1).unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, 0), "");
    sim.provide_storage("data/0").unwrap();
    sim.settle().unwrap();
    assert!(hooks(&sim, 0).starts_with("db/0 data-storage-attached data/0\ndb/0 install\n"));
    // Once installed, a unit does not wait for more.
    sim.add_storage("db/0", "disk", 1).unwrap();
    let from = sim.events().len();
    sim.update_status("db/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "db/0 update-status\n");
    sim.provide_storage("disk/1").unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "db/0 update-status\ndb/0 disk-storage-attached disk/1\n");
}

#[test]
fn a_unit_that_goes_before_its_storage_is_there_gets_neither_hook() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, "");
    let mut sim = sim();
    sim.hold_storage(true);
    sim.deploy("db", charm, 1).unwrap();
    sim.settle().unwrap();
    sim.remove_unit("db/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, 0), "");
    assert!(sim.unit("db/0").is_err());
}

#[test]
fn a_unit_that_goes_between_storage_and_install_only_detaches() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, "");
    let mut sim = sim();
    sim.deploy("db", charm, 1).unwrap();
    sim.step().unwrap();
    sim.remove_unit("db/0").unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, 0), "db/0 data-storage-attached data/0\ndb/0 data-storage-detaching data/0\n");
    assert!(sim.unit("db/0").is_err());
}

#[test]
fn storage_added_in_a_hook_is_attached_after_it_or_fails_it() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, DOES);
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("db", charm, 1).unwrap();
    sim.settle().unwrap();
    on(&sim, "db/0", "update-status", "storage-add disk=2; storage-list disk");
    let from = sim.events().len();
    sim.update_status("db/0").unwrap();
    sim.settle().unwrap();
    let text = hooks(&sim, from);
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.remove(0), "db/0 update-status");
    lines.sort_unstable();
    assert_eq!(lines, ["db/0 disk-storage-attached disk/1", "db/0 disk-storage-attached disk/2"]);
    for (body, expected) in [
        (
            "storage-add disk",
            "cannot add storage: adding 1 storage instance brings the total to 3, exceeding the maximum of 2",
        ),
        ("storage-add tape", "cannot add storage: charm storage \"tape\" not found"),
    ] {
        on(&sim, "db/0", "update-status", body);
        sim.update_status("db/0").unwrap();
        let outcome = sim.step().unwrap().unwrap().outcome;
        assert_eq!(outcome, Outcome::Failed { error: expected.to_owned() });
        sim.resolve("db/0", false).unwrap();
    }
    assert_eq!(sim.storage().len(), 3);
}

#[test]
fn an_operator_moves_storage_between_units() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, "");
    let mut sim = sim();
    sim.deploy_with("db", &charm, &Deployment::units(2).storage("disk", 1)).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.detach_storage("disk/1").unwrap();
    sim.settle().unwrap();
    sim.attach_storage("db/1", "disk/1").unwrap();
    sim.settle().unwrap();
    assert_eq!(hooks(&sim, from), "db/0 disk-storage-detaching disk/1\ndb/1 disk-storage-attached disk/1\n");
    sim.remove_storage("disk/1").unwrap();
    sim.settle().unwrap();
    assert!(!sim.storage().iter().any(|storage| storage.id == "disk/1"));
    let refusals = [
        sim.detach_storage("data/0").unwrap_err(),
        sim.detach_storage("data/9").unwrap_err(),
        sim.attach_storage("db/0", "data/0").unwrap_err(),
        sim.attach_storage("db/0", "disk/3").unwrap_err(),
        sim.add_storage("db/0", "disk", 3).unwrap_err(),
        sim.deploy_with("x", &charm, &Deployment::units(0).storage("disk", 3)).unwrap_err(),
        sim.deploy_with("x", &charm, &Deployment::units(0).storage("data", 2)).unwrap_err(),
        sim.deploy_with("x", &charm, &Deployment::units(0).storage("tape", 1)).unwrap_err(),
    ];
    let text: String = refusals.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        storage `data`: removing 1 storage instance brings the total to 0, which is less than the minimum of 1
        storage `data/9` not found
        storage `data`: adding 1 storage instance brings the total to 2, exceeding the maximum of 1
        storage `disk/3` is attached already
        storage `disk`: adding 3 storage instances brings the total to 3, exceeding the maximum of 2
        storage `disk`: at most 2 instances supported, 3 specified
        storage `data`: storage is singular, 2 specified
        storage `tape`: charm has no store of this name
    "#]]
    .assert_eq(&text);
    // A refused deployment leaves nothing behind.
    sim.deploy("x", &charm, 0).unwrap();
}

#[test]
fn an_upgrade_brings_the_storage_that_the_new_charm_needs() {
    let mut charms = Charms::new();
    let old = charms.dispatch("name: db", "");
    let new = charms.dispatch(METADATA, "");
    let mut sim = sim();
    sim.deploy("db", old, 1).unwrap();
    sim.settle().unwrap();
    let from = sim.events().len();
    sim.upgrade("db", new).unwrap();
    sim.settle().unwrap();
    assert_eq!(
        hooks(&sim, from),
        "db/0 data-storage-attached data/0\ndb/0 upgrade-charm\ndb/0 config-changed\n"
    );
}

#[test]
fn commands_of_storage_answer_as_juju_does() {
    let mut charms = Charms::new();
    let charm = charms.dispatch(METADATA, "");
    let mut sim = sim();
    sim.deploy_with("db", charm, &Deployment::units(1).storage("disk", 1)).unwrap();
    sim.settle().unwrap();
    let root = sim.storage()[0].location.replace("/data-0", "");
    let text = ask(
        &mut sim,
        "db/0",
        &[
            "storage-list",
            "storage-list data --format=json",
            "storage-list none --format=json",
            "storage-get",
            "storage-get -s data/0",
            "storage-get -s disk/1 kind --format=json",
            "storage-get -s data/0 size",
            "storage-get -s data/9",
            "storage-get -s data",
            "storage-add",
            "storage-add disk=x",
            "storage-add disk=0",
        ],
    );
    expect![[r#"
        $ storage-list
        data/0
        disk/1
        $ storage-list data --format=json
        ["data/0"]
        $ storage-list none --format=json
        []
        $ storage-get
        ERROR no storage instance specified
        [2]
        $ storage-get -s data/0
        kind: filesystem
        location: ROOT/data-0
        $ storage-get -s disk/1 kind --format=json
        "block"
        $ storage-get -s data/0 size
        ERROR invalid storage attribute "size"
        [1]
        $ storage-get -s data/9
        ERROR invalid value "data/9" for option -s: storage not found
        [2]
        $ storage-get -s data
        ERROR invalid value "data" for option -s: invalid storage ID "data"
        [2]
        $ storage-add
        ERROR storage add requires a storage directive
        [2]
        $ storage-add disk=x
        ERROR only count can be specified for "disk"
        [2]
        $ storage-add disk=0
        ERROR only count can be specified for "disk"
        [2]
    "#]]
    .assert_eq(&text.replace(&root, "ROOT"));
}
