//! What README.md shows is code that compiles.

use std::path::PathBuf;

use charms_reactive_sim::Sim;

const README: &str = include_str!("../../README.md");

/// Where the code of the README stands, compiled.
const SOURCES: [&str; 2] = [include_str!("../charms/node-metrics/main.rs"), include_str!("readme.rs")];

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

/// Lines without indentation, so that a block may stand deeper in its source.
fn flat(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rust_block_of_the_readme_is_compiled_somewhere() {
    // The model is compiled; it runs in `cargo demo` and the tests with a real Prometheus.
    let _: fn(PathBuf) -> _ = model;
    let blocks: Vec<&str> =
        README.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let is_compiled = SOURCES.iter().any(|source| flat(source).contains(flat(block).trim()));
        assert!(is_compiled, "this block of README.md stands in no source that is compiled:\n{block}");
    }
}
