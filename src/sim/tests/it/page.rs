//! The page of a run: the same for the same seed, left behind by a test that fails, with the charms' traces.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use charms_reactive_sim::hookcmd::{Commands as _, WorkloadStatus};
use charms_reactive_sim::{Event, InProcess, Network, PAGE_VARIABLE, Sim};
use serde_json::json;

const METADATA: &str = "
name: web
peers: { ring: { interface: ring } }
storage: { data: { type: filesystem, location: /srv } }
";

/// A charm that says where it is, and traces what it is told to.
fn web(trace: &'static str) -> InProcess {
    InProcess::from_yaml(METADATA, move |mut commands, environment| {
        let folder = environment.var("JUJU_CHARM_DIR").unwrap_or_default();
        if let Some(path) = environment.var("CHARMS_REACTIVE_TRACE") {
            write(Path::new(path), trace);
        }
        i32::from(commands.status_set(WorkloadStatus::Active, folder).is_err())
    })
}

#[expect(clippy::disallowed_methods, reason = "the charm writes its trace, as a framework would")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn run(seed: u64, is_recorded: bool) -> Sim {
    let mut sim = Sim::builder().seed(seed).record(is_recorded).build().unwrap();
    sim.deploy("web", web("{\"format\": 1}"), 3).unwrap();
    sim.settle().unwrap();
    sim.remove_unit("web/1").unwrap();
    sim.settle().unwrap();
    sim
}

#[test]
fn one_seed_gives_the_same_page_to_the_byte() {
    for is_recorded in [false, true] {
        assert!(run(5, is_recorded).page() == run(5, is_recorded).page());
    }
    assert!(run(5, false).page() != run(6, false).page());
}

#[test]
fn traces_are_in_the_journal_where_they_are_asked_for() {
    let traces =
        |sim: &Sim| sim.events().iter().filter(|event| matches!(event, Event::Traced { .. })).count();
    let ended =
        |sim: &Sim| sim.events().iter().filter(|event| matches!(event, Event::HookEnded { .. })).count();
    assert_eq!(traces(&run(5, false)), 0);
    let sim = run(5, true);
    assert_eq!(traces(&sim), ended(&sim));
    // A trace is part of its hook.
    let at = sim.events().iter().position(|event| matches!(event, Event::Traced { .. })).unwrap();
    assert!(matches!(&sim.events()[at + 1], Event::HookEnded { .. }), "{:?}", &sim.events()[at + 1]);
    // A transcript is the same with and without.
    let transcript = |sim: &Sim| {
        let text = sim.transcript();
        let words = text.split_whitespace().filter(|word| !word.contains("/agents/"));
        words.collect::<Vec<&str>>().join(" ")
    };
    assert_eq!(transcript(&sim), transcript(&run(5, false)));
}

#[test]
fn a_trace_that_is_none_is_told_and_harms_nothing() {
    let mut sim = Sim::builder().record(true).build().unwrap();
    sim.deploy("web", web("{{"), 1).unwrap();
    assert_eq!(sim.settle().unwrap().failed, []);
    let expected = json!({ "unreadable": "key must be a string at line 1 column 2" });
    assert!(
        sim.events().iter().any(|event| matches!(event, Event::Traced { trace, .. } if *trace == expected))
    );
    assert!(sim.page().contains("key must be a string"));
}

#[test]
fn what_an_operator_does_is_told_before_what_follows_from_it() {
    let sim = run(5, false);
    let told = sim.events().iter().filter_map(|event| match event {
        Event::OperatorActed { what } => Some(what.clone()),
        Event::UnitAdded { unit } => Some(format!("+ {unit}")),
        Event::UnitRemoved { unit } => Some(format!("- {unit}")),
        _ => None,
    });
    let told: Vec<String> = told.collect();
    let expected = ["deploy web, 3 units", "+ web/0", "+ web/1", "+ web/2", "remove web/1", "- web/1"];
    assert_eq!(told, expected);
}

#[test]
fn what_is_done_to_agents_storage_networks_and_zones_is_told() {
    let mut sim = Sim::from_seed(1);
    sim.deploy("web", web("{}"), 1).unwrap();
    sim.settle().unwrap();
    let before = sim.events().len();
    sim.stop_agent("web/0").unwrap();
    sim.start_agent("web/0").unwrap();
    sim.operator().set_zone("web/0", "two").unwrap();
    sim.set_network("web/0", "ring", Network::of([10, 9, 0, 1])).unwrap();
    sim.enqueue_action("web/0", "no-such", json!({})).unwrap_err();
    sim.add_storage("web/0", "data", 1).unwrap_err();
    sim.prepare_series_upgrade("web/0", "noble").unwrap();
    let told: Vec<&str> = sim.events()[before..]
        .iter()
        .filter_map(|event| match event {
            Event::OperatorActed { what } => Some(what.as_str()),
            _ => None,
        })
        .collect();
    let expected = [
        "stop the agent of web/0",
        "start the agent of web/0",
        "move web/0 to zone two",
        "give ring of web/0 another network",
        "prepare the machine of web/0 for noble",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_test_that_panics_leaves_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages/failed.html");
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let mut sim = Sim::builder().page_on_panic(&path).build().unwrap();
        sim.deploy("web", web("{}"), 1).unwrap();
        sim.settle().unwrap();
        assert!(sim.events().is_empty(), "this is how a test fails");
    }));
    assert!(panic.is_err());
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.contains("\"hook\":\"install\"") && page.contains("\"event\":\"traced\""));
}

#[test]
fn an_observer_or_a_rule_that_panics_in_a_hook_fails_the_test_and_leaves_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &Path, prepare: &dyn Fn(&mut Sim)| {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let mut sim = Sim::builder().page_on_panic(path).build().unwrap();
            prepare(&mut sim);
            sim.deploy("web", web("{}"), 1).unwrap();
            sim.settle().unwrap();
        }));
        let said = *panic.expect_err("the charm is not to blame").downcast::<&str>().unwrap();
        (said, fs::read_to_string(path).unwrap())
    };
    let (said, page) = at(&folder.path().join("observer.html"), &|sim| {
        sim.observe(Box::new(|event| {
            assert!(!matches!(event, Event::CommandRun { .. }), "the observer's");
        }));
    });
    assert_eq!(said, "the observer's");
    assert!(page.contains("\"event\":\"command-run\""));
    let (said, page) = at(&folder.path().join("rule.html"), &|sim| {
        std::mem::forget(sim.rule(|_| panic!("the rule's")));
    });
    assert_eq!(said, "the rule's");
    assert!(page.contains("\"event\":\"hook-started\"") && !page.contains("\"event\":\"command-run\""));
}

/// Tells the child that it is to fail.
const CHILD: &str = "CHARMS_REACTIVE_TEST_FAILS";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "what the environment asks for is seen in another process alone"
)]
fn the_environment_asks_for_the_pages_of_tests_that_fail() {
    if std::env::var_os(CHILD).is_some() {
        // Two models of one seed, as of a test that holds one run against another.
        let sims = [run(4, false), run(4, false)];
        panic!("{} models", sims.len());
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "page::the_environment_asks_for_the_pages_of_tests_that_fail";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact"])
        .env(PAGE_VARIABLE, folder.path())
        .env(CHILD, "yes")
        .output()
        .unwrap();
    assert!(!child.status.success());
    let complaint = String::from_utf8_lossy(&child.stderr);
    let said = String::from_utf8_lossy(&child.stdout) + &*complaint;
    let stem = format!("{}-seed-4", name.replace("::", "-"));
    for file in [format!("{stem}.html"), format!("{stem}-2.html")] {
        let path = folder.path().join(file);
        assert!(said.contains(&format!("its page: {}", path.display())), "{said}");
        // Recorded, though the test did not ask for it.
        assert!(fs::read_to_string(&path).unwrap().contains("\"event\":\"traced\""));
    }
}

#[test]
fn a_run_whose_beginning_is_forgotten_says_so() {
    let mut sim = Sim::builder().events_max(20).build().unwrap();
    sim.deploy("web", web("{}"), 3).unwrap();
    sim.settle().unwrap();
    assert!(sim.events().len() < 60);
    assert!(!sim.page().contains("\"dropped\":0"));
}
