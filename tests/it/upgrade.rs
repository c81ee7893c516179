//! Versions of one charm side by side: units upgraded in every order, and back after each.

use charms_reactive::App;
use charms_reactive_testkit::hookcmd::UnitName;
use charms_reactive_testkit::{
    CharmSource, Event, Mode, Sim, UpgradesCovered, every_upgrade, in_both_modes, in_process,
};
use tempfile::TempDir;

use super::layout::Charm;

#[path = "../charms/rolling/app.rs"]
mod rolling;

/// The member whose number changes.
const FIRST: &str = "rolling/0";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charms/rolling");

/// The charm in each version.
struct Versions {
    one: CharmSource,
    two: CharmSource,
    three: CharmSource,
    _folders: [TempDir; 3],
}

impl Versions {
    fn new(mode: Mode) -> Self {
        let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
        let programs = [
            env!("CARGO_BIN_EXE_rolling-one"),
            env!("CARGO_BIN_EXE_rolling-two"),
            env!("CARGO_BIN_EXE_rolling-three"),
        ];
        for (program, folder) in programs.into_iter().zip(&folders) {
            Charm { program, folder: FOLDER }.lay_out(folder.path());
        }
        let apps: [fn() -> App; 3] = [rolling::one, rolling::two, rolling::three];
        let [one, two, three] =
            [0, 1, 2].map(|at| in_process(apps[at]).source(mode, FOLDER, folders[at].path()));
        Self { one, two, three, _folders: folders }
    }
}

/// Settled members of version one, each of which has told a number.
fn members(charm: &CharmSource, units: u32) -> Sim {
    let builder = Sim::builder().seed(5).retries_max(0);
    let mut sim = builder.program(env!("CARGO_BIN_EXE_sim-hook-command")).build().expect("a model");
    sim.deploy("rolling", charm.clone(), units).expect("deployed");
    assert_eq!(sim.settle().expect("settled").failed, [], "{}", sim.transcript());
    look(&sim).expect("all members see each other");
    sim
}

/// Has a member tell its next number, and the others see it.
fn live(sim: &mut Sim) -> Result<(), String> {
    let asked = sim.enqueue_action(FIRST, "bump", serde_json::Value::Null);
    asked.map_err(|error| error.to_string())?;
    sim.settle().map_err(|error| error.to_string())?;
    look(sim)
}

/// Whether each member shows the sum of what the others tell: of all but the first, this is one.
fn look(sim: &Sim) -> Result<(), String> {
    let first = UnitName::parse(FIRST).expect("a name");
    let is_bump = |event: &&Event| matches!(event, Event::HookStarted { unit, hook, .. } if *unit == first && hook == "bump");
    let number = sim.events().iter().filter(is_bump).count() + 1;
    let units = sim.units("rolling");
    for unit in &units {
        let expected = if *unit == first { units.len() - 1 } else { number + units.len() - 2 };
        let shown = sim.unit(&unit.to_string()).expect("a unit").workload.message;
        if shown != expected.to_string() {
            return Err(format!("{unit} shows {shown:?}, expected {expected}"));
        }
    }
    Ok(())
}

in_both_modes! {
    fn two_versions_get_along_in_every_order_and_back(mode: Mode) {
        let Versions { one, two, _folders, .. } = Versions::new(mode);
        // Programs take a hundred times as long; the orders of two are few.
        let (units, expected) = match mode {
            Mode::InProcess => (3, UpgradesCovered { upgrades: 6, rollbacks: 51, looks: 363 }),
            Mode::Program => (2, UpgradesCovered { upgrades: 2, rollbacks: 6, looks: 34 }),
        };
        let covered = every_upgrade("rolling", one.clone(), two, || members(&one, units), live);
        assert_eq!(covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript)), expected);
    }

    fn what_the_old_charm_cannot_read_is_found_with_its_order(mode: Mode) {
        let Versions { one, three, _folders, .. } = Versions::new(mode);
        let broken = every_upgrade("rolling", one.clone(), three, || members(&one, 2), live);
        let broken = broken.expect_err("version one cannot read what version three says");
        let told = broken.to_string();
        let expected = "after rolling/0 takes the new charm: hook `ring-relation-changed` of `rolling/1` failed: exit code 1";
        assert_eq!(told, expected, "{}", broken.transcript);
        assert!(broken.transcript.contains("cannot read key `member` of"), "{}", broken.transcript);
    }
}
