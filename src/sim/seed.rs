//! One seed, one run: which seeds are run, and what is said when one fails.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The variable that chooses the one seed to be run.
pub const SEED_VARIABLE: &str = "CHARMS_REACTIVE_SEED";

/// Runs a test for many seeds; when one fails, says which and how to run it alone.
///
/// The variable `CHARMS_REACTIVE_SEED` chooses one seed.
///
/// ```
/// use charms_reactive_sim::for_seeds;
///
/// for_seeds(0..3, |seed| assert!(seed < 3));
/// ```
///
/// # Panics
///
/// When the test does, after the seed was written to standard error.
pub fn for_seeds(seeds: Range<u64>, test: impl Fn(u64)) {
    let seeds = chosen().map_or(seeds, |seed| seed..seed.saturating_add(1));
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            tell(seed);
            resume_unwind(panic);
        }
    }
}

/// The seed that the environment chooses.
///
/// # Panics
///
/// When it is no number: a seed that is not run must not look like one that is fine.
#[expect(clippy::disallowed_methods, reason = "the one seed to be run is said in the environment")]
pub(crate) fn chosen() -> Option<u64> {
    let text = std::env::var(SEED_VARIABLE).ok()?;
    let seed = text.parse();
    Some(seed.unwrap_or_else(|_| panic!("`{SEED_VARIABLE}` is `{text}`, expected a number")))
}

/// The command that runs this test with one seed.
#[expect(clippy::disallowed_methods, reason = "cargo tells tests the name of their package")]
pub(crate) fn command(seed: u64) -> String {
    let package = std::env::var("CARGO_PKG_NAME").map(|name| format!(" -p {name}")).unwrap_or_default();
    let current = std::thread::current();
    // The test runner names its threads after their tests.
    let test =
        current.name().filter(|name| *name != "main").map(|name| format!(" {name}")).unwrap_or_default();
    format!("{SEED_VARIABLE}={seed} cargo test{package}{test}")
}

#[expect(clippy::print_stderr, reason = "where a test that fails says why")]
pub(crate) fn tell(seed: u64) {
    eprintln!("failed with seed {seed}; again: {}", command(seed));
}
