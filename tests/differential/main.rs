//! Twins, one in Python on the real charms.reactive and one in Rust, through the same sequences of events.
//!
//! ```text
//! tests/setup/python.sh
//! cargo test -p charms-reactive-tests --test twins
//! TWINS_SEQUENCES=5000 TWINS_SEED=1000 cargo test -p charms-reactive-tests --test twins
//! ```
//!
//! A seed draws a program (handlers with conditions and operations, triggers) and events ([`sequence`]).
//! Both twins run the program, each in a model of its own in which the same happens ([`pair`]).  After each
//! of their hooks everything is compared ([`compare`]), save for differences that are meant, each known by
//! its name in `docs/differences.md` ([`difference`]).

mod compare;
mod difference;
mod found;
#[path = "../charms/twin-rust/kit.rs"]
pub mod kit;
mod layout;
mod memory;
mod observation;
mod pair;
mod published;
mod python;
mod random;
mod sequence;
mod shown;
mod shrink;
#[path = "../charms/twin-rust/twin.rs"]
pub mod twin;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::difference::{Counts, Difference};
use crate::layout::{Player, Start};
use crate::sequence::Sequence;

/// How many sequences are played where nobody says otherwise; from as many on every difference has to show.
const SEQUENCES: u64 = 500;

/// The sequences that are played without the shortcut.
const COLD_SEEDS: [u64; 2] = [2, 3];

/// How many at a time.
const WORKERS: usize = 2;

#[test]
fn twins_do_the_same() {
    let (first, count) = (number("TWINS_SEED", 1), number("TWINS_SEQUENCES", SEQUENCES));
    let next = AtomicU64::new(first);
    let failure: Mutex<Option<Sequence>> = Mutex::new(None);
    let totals: Mutex<(Counts, BTreeMap<&str, usize>)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let player = Player::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let has_failed = || failure.lock().expect("no worker panicked").is_some();
                    if seed >= first + count || has_failed() {
                        return;
                    }
                    let sequence = Sequence::draw(seed);
                    let outcome = player.play(&sequence);
                    if outcome.mismatch.is_some() {
                        failure.lock().expect("no worker panicked").get_or_insert(sequence);
                    }
                    let mut totals = totals.lock().expect("no worker panicked");
                    for (difference, count) in outcome.counts {
                        *totals.0.entry(difference).or_default() += count;
                    }
                    *totals.1.entry("dispatches").or_default() += outcome.history.len();
                    if let Some(difference) = outcome.ended_by {
                        *totals.1.entry(difference.name()).or_default() += 1;
                    }
                }
            });
        }
    });
    let (counts, totals) = totals.into_inner().expect("no worker panicked");
    tell(&counts, &totals);
    if let Some(sequence) = failure.into_inner().expect("no worker panicked") {
        panic!("{}", shrink::shrink(&Player::new(), sequence));
    }
    let dead: Vec<&str> = Difference::ALL
        .iter()
        .filter(|known| !counts.contains_key(known))
        .map(|known| known.name())
        .collect();
    assert!(dead.is_empty() || count < SEQUENCES, "differences that no sequence showed: {dead:?}");
}

/// The shortcut that makes many sequences possible changes nothing: dispatches come to the same when each is
/// a process of its own, which runs each hook command as a process.
#[test]
fn a_warm_start_is_a_cold_one() {
    let player = Player::new();
    for seed in COLD_SEEDS {
        let sequence = Sequence::draw(seed);
        let (warm, cold) =
            (player.play_with(&sequence, Start::Warm), player.play_with(&sequence, Start::Cold));
        for played in [&warm, &cold] {
            assert!(played.mismatch.is_none(), "seed {seed}: {:?}\n{}", played.mismatch, played.transcripts);
        }
        assert!(warm.history.len() > 5, "seed {seed} draws a short sequence");
        for (warm, cold) in warm.commands_of_python.iter().zip(&cold.commands_of_python) {
            assert_eq!(warm, cold, "seed {seed}");
        }
        assert_eq!(warm.commands_of_python.len(), cold.commands_of_python.len(), "seed {seed}");
        assert_eq!(warm.history, cold.history, "seed {seed}");
    }
}

#[expect(clippy::print_stdout, reason = "what was recognised, for whoever looks")]
fn tell(counts: &Counts, totals: &BTreeMap<&str, usize>) {
    println!("{totals:?}");
    for (difference, count) in counts {
        println!("{count:7} {difference}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test takes its numbers from who runs it")]
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}
