//! What README.md and the guides in docs/ show is code that compiles.

use std::path::PathBuf;

use charms_reactive_testkit::{InProcess, Sim, Verdict, in_process};

/// Each page, and how many blocks of Rust it has.
const PAGES: [(&str, &str, usize); 4] = [
    ("README.md", include_str!("../../README.md"), 2),
    ("docs/testing.md", include_str!("../../docs/testing.md"), 2),
    ("docs/migrating-from-python.md", include_str!("../../docs/migrating-from-python.md"), 9),
    ("docs/juju.md", include_str!("../../docs/juju.md"), 8),
];

/// Where the code of the pages stands, compiled.
const SOURCES: [&str; 4] = [
    include_str!("../charms/node-metrics/main.rs"),
    include_str!("readme.rs"),
    include_str!("migrating.rs"),
    include_str!("juju_guide.rs"),
];

/// The model of the README.
#[expect(clippy::print_stdout, reason = "as the README shows it")]
fn model(hook_commands: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let mut sim = Sim::builder().seed(7).program(hook_commands).build()?;
    sim.deploy("prometheus", "target/charms/prometheus", 1)?;
    sim.deploy("jobs", "target/charms/prometheus-scrape-jobs", 2)?;
    sim.relate("jobs:prometheus", "prometheus:manual-jobs")?;
    sim.configure("jobs", &[("jobs", "- job_name: node\n  scheme: https")])?;
    sim.settle()?;
    println!("{}", sim.status());
    Ok(())
}

/// The charm `web` of docs/testing.md.
mod web {
    use charms_reactive::prelude::*;

    pub(super) fn app() -> App {
        App::new(Charm::default())
    }
}

const MYSQL: &str = "name: mysql\nprovides:\n  server: {interface: mysql}\n";

/// The model of docs/testing.md.
fn testing() -> Result<(), Box<dyn std::error::Error>> {
    let mut sim = Sim::from_seed(7);
    sim.deploy("web", in_process(web::app).folder(env!("CARGO_MANIFEST_DIR")), 3)?;
    sim.deploy("mysql", InProcess::from_yaml(MYSQL, |_, _| 0), 1)?;
    sim.relate("web:db", "mysql:server")?;
    sim.settle()?;
    assert_eq!(sim.unit("web/2")?.workload.message, "ready");
    let guard = sim.rule(|command| match command.name {
        "relation-set" => Verdict::Kill,
        _ => Verdict::Run,
    });
    drop(guard);
    Ok(())
}

/// Lines without indentation, so that a block may stand deeper in its source.
fn flat(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rust_block_of_a_page_is_compiled_somewhere() {
    // The models are compiled; such ones run in `cargo demo` and in the tests of the test kit.
    let _: fn(PathBuf) -> _ = model;
    let _: fn() -> _ = testing;
    for (name, page, count) in PAGES {
        let blocks: Vec<&str> =
            page.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(blocks.len(), count, "{name}");
        for block in blocks {
            let is_compiled = SOURCES.iter().any(|source| flat(source).contains(flat(block).trim()));
            assert!(is_compiled, "this block of {name} stands in no source that is compiled:\n{block}");
        }
    }
}
