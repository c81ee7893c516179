//! The charm in a model: as a function and as a program, with faults, for many seeds.

use charms_reactive_testkit::{
    Explored, Mode, Possible, Sim, Trial, Verdict, every_command, explore, for_seeds, in_both_modes,
    in_process, lay_out,
};
use expect_test::expect;

/// The packed charm, as `juju deploy` takes it.
fn packed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(env!("CARGO_BIN_EXE_greeter"), env!("CARGO_MANIFEST_DIR"), folder.path()).expect("laid out");
    folder
}

/// A model with this many greeters.
fn model(mode: Mode, packed: &tempfile::TempDir, units: u32) -> Sim {
    let program = env!("CARGO_BIN_EXE_hook-command");
    let mut sim = Sim::builder().seed(7).program(program).build().expect("a model");
    let charm = in_process(greeter::app).source(mode, env!("CARGO_MANIFEST_DIR"), packed.path());
    sim.deploy("greeter", charm, units).expect("deployed");
    sim
}

in_both_modes! {
    fn everybody_greets(mode: Mode) {
        let packed = packed();
        let mut sim = model(mode, &packed, 2);
        let findings = sim.check_all();
        sim.configure("greeter", &[("greeting", "good morning")]).expect("configured");
        sim.settle().expect("settled");
        expect![[r#"
            App      Version  Status  Scale  Charm    Rev  Message
            greeter           active  2      greeter  0    says good morning

            Unit        Workload  Agent  Machine  Public address  Ports  Message
            greeter/0*  active    idle   0        10.1.0.1               says good morning
            greeter/1   active    idle   1        10.1.0.2               says good morning

            Integration provider  Requirer       Interface  Type  Message
            greeter:choir         greeter:choir  choir      peer
        "#]]
        .assert_eq(&sim.status().to_string());
        assert_eq!(sim.unit_databag(0, "greeter/1").expect("a databag").text("greeting"), Some("\"good morning\""));
        let shout = sim.run_action("greeter/0", "shout", Default::default()).expect("run");
        assert_eq!(shout.results["said"], "GOOD MORNING");
        assert_eq!(findings.none(), Ok(()));
    }

    fn it_may_be_killed_at_any_command(mode: Mode) {
        let packed = packed();
        let covered = every_command(&Verdict::Kill, || model(mode, &packed, 1), |sim| drop(sim.settle().expect("settled")));
        assert!(covered.unwrap_or_else(|broken| panic!("{broken}")).commands > 5);
    }
}

fn in_this_process(seed: u64, units: u32) -> Sim {
    let mut sim = Sim::from_seed(seed);
    let charm = in_process(greeter::app).folder(env!("CARGO_MANIFEST_DIR"));
    sim.deploy("greeter", charm, units).expect("deployed");
    sim
}

/// Every unit says something.
fn all_greet(sim: &mut Sim) -> Result<(), String> {
    for unit in sim.status().units {
        if !unit.workload.message.starts_with("says") {
            return Err(format!("{} is {}: {}", unit.name, unit.workload.status, unit.workload.message));
        }
    }
    Ok(())
}

#[test]
fn a_day_passes() {
    for_seeds(0..5, |seed| {
        let mut sim = in_this_process(seed, 3);
        sim.advance(std::time::Duration::from_hours(24)).expect("settled");
        assert_eq!(all_greet(&mut sim), Ok(()));
    });
}

#[test]
fn nothing_an_operator_does_breaks_it() {
    let possible = Possible::new()
        .application("greeter", 4)
        .option("greeter", "greeting", &["hello", "", "good morning"])
        .kills();
    let trial = Trial::new(|seed| in_this_process(seed, 2), all_greet);
    if let Some(failure) = trial.find(0..50, &possible, 30) {
        panic!("{failure}\n{}", failure.transcript);
    }
}

#[test]
fn one_unit_has_one_order() {
    let explored = explore(
        100,
        || in_this_process(0, 1),
        |sim| {
            sim.settle().map_err(|error| error.to_string())?;
            all_greet(sim)
        },
    );
    assert_eq!(explored, Ok(Explored { runs: 1, merged: 0, is_complete: true }));
}
