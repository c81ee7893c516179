//! Programs outside of hooks that ask for one: `juju-exec`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use charms_reactive_sim::{JujuVersion, Sim};

use crate::charm::{Charms, builder, script, sim_of};

/// More than any of it takes.
const LIMIT: Duration = Duration::from_secs(30);

/// A charm that leaves a program behind at `install`, which does this in the folder of the charm.
fn leaving(charms: &mut Charms, behind: &str) -> PathBuf {
    let install = format!("(unset JUJU_CONTEXT_ID\n{behind}\n) </dev/null >told 2>&1 &");
    charms.files(&[
        ("metadata.yaml", "name: web"),
        ("hooks/install", &script(&install)),
        ("hooks/wake-up", &script("state-set woken=\"$JUJU_HOOK_NAME\"")),
    ])
}

fn read(sim: &Sim, name: &str) -> String {
    let folder = sim.charm_dir("web/0").expect("a unit");
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

fn is_done(sim: &Sim) -> bool {
    sim.charm_dir("web/0").expect("a unit").join("done").exists()
}

#[test]
fn a_script_from_outside_runs_between_hooks_and_its_caller_waits() {
    let mut charms = Charms::new();
    let behind = "code=0
juju-exec web/0 'echo out; echo err >&2; is-leader; state-set by=outside; exit 3' || code=$?
echo \"code $code\"
juju-exec -u web/0 'JUJU_DISPATCH_PATH=hooks/wake-up JUJU_HOOK_NAME=wake-up hooks/wake-up'
touch done";
    let mut sim = builder().build().expect("a model");
    sim.deploy("web", leaving(&mut charms, behind), 1).expect("deployed");
    assert!(sim.wait_for(LIMIT, is_done).expect("works"), "{}", read(&sim, "told"));
    assert_eq!(read(&sim, "told"), "out\nTrue\nerr\ncode 3\n");
    let state = sim.unit_state("web/0").expect("a unit");
    // What was staged is flushed, whatever the exit code.
    assert_eq!((state["by"].as_str(), state["woken"].as_str()), ("outside", "wake-up"));
}

#[test]
fn who_is_in_a_hook_is_refused_and_so_is_who_asks_for_nobody() {
    let mut charms = Charms::new();
    let install = "juju-exec web/0 true 2>told || echo \"code $?\" >>told
(unset JUJU_CONTEXT_ID; juju-exec web/7 true 2>>told || echo \"code $?\" >>told)";
    let charm = charms.files(&[("metadata.yaml", "name: web"), ("hooks/install", &script(install))]);
    let mut sim = builder().build().expect("a model");
    sim.deploy("web", charm, 1).expect("deployed");
    assert_eq!(sim.settle().expect("works").failed, []);
    let told = read(&sim, "told");
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with("ERROR juju-exec cannot be called from within a hook, have context \"web/0-")
    );
    assert_eq!(lines[1..], ["code 1", "ERROR unit \"web/7\" not found on this machine", "code 1"]);
}

#[test]
fn it_has_the_name_that_its_juju_gives_it() {
    for (version, name, other) in [
        (JujuVersion::new(2, 9, 49), "juju-run", "juju-exec"),
        (JujuVersion::new(3, 6, 1), "juju-exec", "juju-run"),
    ] {
        let mut charms = Charms::new();
        let behind = format!("type -t {other}\n{name} web/0 'echo ran'\ntouch done");
        let mut sim = sim_of(version);
        sim.deploy("web", leaving(&mut charms, &behind.replace("type -t", "! type -t")), 1)
            .expect("deployed");
        assert!(sim.wait_for(LIMIT, is_done).expect("works"), "{}", read(&sim, "told"));
        assert_eq!(read(&sim, "told"), "ran\n");
    }
}
