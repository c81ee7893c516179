//! Two versions of a charm in one model: what each sees, and units upgraded in every order.

use std::path::PathBuf;

use charms_reactive_sim::hookcmd::UnitName;
use charms_reactive_sim::{JujuVersion, Sim, UpgradesCovered, every_upgrade};
use serde_json::Value;

use crate::charm::{Charms, DOES, builder, hooks, script, sim_of};

/// Each member publishes a number of its own, and shows the sum of the others'.
const MEMBER: &str = r#"
    peers() { relation-list -r ring:0 2> /dev/null || true; }
    show() {
        sum=0
        for unit in $(peers); do
            peer=$(relation-get -r ring:0 number "$unit")
            sum=$((sum + ${peer:-0}))
        done
        status-set active "$sum"
    }
    number=$(state-get number)
    number=${number:-1}
    case $JUJU_DISPATCH_PATH in
    hooks/install | hooks/remove) exit ;;
    actions/bump) number=$((number + 1)) ;;
    esac
    state-set "number=$number"
"#;

/// What the first version writes.
const ONE: &str = "relation-set -r ring:0 \"number=$number\"\nshow";
/// The second one says more, in a key that the first does not know.
const TWO: &str = "relation-set -r ring:0 \"number=$number\" weight=2\nshow";
/// One that says more in the key that the first does know.
const TWO_BROKEN: &str =
    "relation-set -r ring:0 \"number=$number weight=2\"\nshow() { status-set active 0; }\nshow";
/// One that takes away what the first needs, for all but the first unit.
const TWO_SILENT: &str = "relation-set -r ring:0 number= \"no=$number\"\nstatus-set active 0";

fn member(charms: &mut Charms, version: &str) -> PathBuf {
    charms.files(&[
        ("metadata.yaml", "name: member\npeers: {ring: ring}"),
        ("actions.yaml", "bump: {}"),
        ("dispatch", &script(&format!("{MEMBER}\n{version}"))),
    ])
}

/// Has a member publish another number, and holds what each shows against what the others say.
fn bump(sim: &mut Sim) -> Result<(), String> {
    let units = sim.units("member");
    sim.enqueue_action(&units[0].to_string(), "bump", Value::Null).map_err(|error| error.to_string())?;
    sim.settle().map_err(|error| error.to_string())?;
    let number =
        |unit: &UnitName| -> u32 { sim.unit_state(&unit.to_string()).unwrap()["number"].parse().unwrap() };
    for unit in &units {
        let others: u32 = units.iter().filter(|other| *other != unit).map(number).sum();
        let shown = sim.unit(&unit.to_string()).unwrap().workload.message;
        if shown != others.to_string() {
            return Err(format!("{unit} shows {shown}, expected {others}"));
        }
    }
    Ok(())
}

fn members(charm: &PathBuf, units: u32) -> Sim {
    let mut sim = builder().retries_max(0).build().unwrap();
    sim.deploy("member", charm, units).unwrap();
    assert_eq!(sim.settle().unwrap().failed, []);
    sim
}

#[test]
fn two_versions_get_along_in_every_order_and_back() {
    let mut charms = Charms::new();
    let (one, two) = (member(&mut charms, ONE), member(&mut charms, TWO));
    let covered = every_upgrade("member", &one, &two, || members(&one, 2), bump).unwrap();
    assert_eq!(covered, UpgradesCovered { upgrades: 2, rollbacks: 6, looks: 34 });
}

#[test]
fn a_form_that_the_old_charm_cannot_read_is_found_with_its_order() {
    let mut charms = Charms::new();
    let (one, two) = (member(&mut charms, ONE), member(&mut charms, TWO_BROKEN));
    let broken = every_upgrade("member", &one, &two, || members(&one, 2), bump).unwrap_err();
    let told =
        "after member/0 takes the new charm: hook `ring-relation-changed` of `member/1` failed: exit code 1";
    assert_eq!(broken.to_string(), told, "{}", broken.transcript);
    assert!(broken.transcript.starts_with("== member/"), "{}", broken.transcript);
    assert!(broken.transcript.contains("number=2 weight=2"), "{}", broken.transcript);
}

#[test]
fn what_the_new_charm_does_not_say_any_more_is_found_by_looking() {
    let mut charms = Charms::new();
    let (one, two) = (member(&mut charms, ONE), member(&mut charms, TWO_SILENT));
    let broken = every_upgrade("member", &one, &two, || members(&one, 2), bump).unwrap_err();
    assert_eq!(broken.order.len(), 1);
    assert_eq!(broken.reason, "member/0 shows 0, expected 1");
}

#[test]
fn a_unit_that_is_held_back_keeps_its_charm_and_its_options_to_juju_3() {
    const OPTIONS: &str = "options: {port: {type: int, default: 80}, WORD: {type: string, default: a}}";
    let mut charms = Charms::new();
    let mut charm = |word: &str| {
        let config = OPTIONS.replace("WORD", word);
        let files = [("metadata.yaml", "name: web"), ("config.yaml", &config), ("dispatch", &script(DOES))];
        charms.files(&files)
    };
    let (one, two) = (charm("one"), charm("two"));
    for (version, held) in [
        (JujuVersion::V2_9, "one: a\nport: 80\n"),
        (JujuVersion::V3_6, "one: a\nport: 80\n"),
        (JujuVersion::V4_0, "port: 81\ntwo: a\n"),
    ] {
        let mut sim = sim_of(version);
        sim.deploy("web", &one, 2).unwrap();
        sim.settle().unwrap();
        sim.operator().hold_upgrade("web/1").unwrap();
        let from = sim.events().len();
        sim.upgrade("web", &two).unwrap();
        sim.configure("web", &[("port", "81")]).unwrap();
        sim.settle().unwrap();
        let told = hooks(&sim, from);
        let first: Vec<&str> = told.lines().filter(|line| line.starts_with("web/0")).collect();
        assert_eq!(first, ["web/0 upgrade-charm", "web/0 config-changed"]);
        assert_eq!(told.contains("web/1"), version == JujuVersion::V4_0, "{told}");
        let mut shown = |unit| sim.exec(unit, "config-get --format yaml").unwrap().stdout;
        assert_eq!((shown("web/0").as_str(), shown("web/1").as_str()), ("port: 81\ntwo: a\n", held));
        let from = sim.events().len();
        sim.operator().release_upgrade("web/1").unwrap();
        sim.settle().unwrap();
        assert_eq!(hooks(&sim, from), "web/1 upgrade-charm\nweb/1 config-changed\n");
        let shown = sim.exec("web/1", "config-get --format yaml").unwrap().stdout;
        assert_eq!(shown, "port: 81\ntwo: a\n");
    }
}
