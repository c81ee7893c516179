//! Our programs as `cargo pack` makes them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the tests.
pub(crate) fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Starts a program that must succeed, and gives what it printed.
#[expect(clippy::disallowed_methods, reason = "a bench starts programs")]
pub(crate) fn output(program: impl AsRef<Path>, args: &[&str], dir: &Path) -> String {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output =
        command.output().unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
    assert!(output.status.success(), "{} {args:?} failed", program.display());
    String::from_utf8(output.stdout).expect("a text")
}

/// Our programs, built as `cargo pack` builds charms.
pub(crate) struct Ours {
    pub(crate) charm: PathBuf,
    pub(crate) hook_command: PathBuf,
    pub(crate) scrape_jobs: PathBuf,
}

impl Ours {
    /// The packed form, or what Cargo built for a test of this bench.
    pub(crate) fn build(is_test: bool) -> Self {
        if is_test {
            return Self {
                charm: env!("CARGO_BIN_EXE_bench-charm").into(),
                hook_command: env!("CARGO_BIN_EXE_sim-hook-command").into(),
                scrape_jobs: env!("CARGO_BIN_EXE_prometheus-scrape-jobs").into(),
            };
        }
        let text = output(
            env!("CARGO"),
            &["pack", "--json", "--charm", "bench-charm", "--charm", "prometheus-scrape-jobs"],
            tests(),
        );
        let packed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let folder = |name: &str| {
            let charms = packed["charms"].as_array().expect("a list");
            let charm = charms.iter().find(|charm| charm["name"] == name).expect("packed just now");
            PathBuf::from(charm["folder"].as_str().expect("a path")).join("dispatch")
        };
        let [charm, scrape_jobs] = ["bench-charm", "prometheus-scrape-jobs"].map(folder);
        Self { hook_command: charm.clone(), charm, scrape_jobs }
    }
}
