//! The page of a run, looked at in a real browser.
//!
//! ```text
//! tests/setup/debian.sh
//! cargo test -p charms-reactive-tests --test browser
//! ```
//!
//! Pictures of what was looked at are left in `target/pages`.

mod chromium;
mod framework;
mod hostile;
mod large;
mod point;
mod touch;
mod world;

use std::path::{Path, PathBuf};

use charms_reactive_sim::{Event, Sim};

/// Where pictures are left.
fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in a workspace").join("target/pages").join(name)
}

/// The number that the page gives to the `nth` run of a hook of a unit, counted from 0.
#[track_caller]
fn number(sim: &Sim, unit: &str, hook: &str, nth: usize) -> usize {
    let runs = sim.events().iter().filter_map(|event| match event {
        Event::HookStarted { unit, hook, .. } | Event::HookSkipped { unit, hook, .. } => Some((unit, hook)),
        _ => None,
    });
    let same = |(_, (of, name)): &(usize, (&_, &String))| ToString::to_string(of) == unit && *name == hook;
    let mut found = runs.enumerate().filter(same);
    found.nth(nth).unwrap_or_else(|| panic!("no {hook} of {unit}: {}", sim.transcript())).0 + 1
}

/// A text as the page shows it: what turns the direction of writing is named.
fn visible(text: &str) -> String {
    text.replace('\u{202e}', "‹U+202E›")
}

/// How many runs there are.
fn runs(sim: &Sim) -> usize {
    let is_run = |event: &&Event| matches!(event, Event::HookStarted { .. } | Event::HookSkipped { .. });
    sim.events().iter().filter(is_run).count()
}
