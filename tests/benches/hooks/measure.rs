//! Several ways to do the same, measured in turns.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// One way to do something.
pub(crate) struct Side<'a> {
    name: String,
    run: Box<dyn FnMut() + 'a>,
    /// How often one measurement does it.
    batch: u32,
    /// In how many rounds it takes part: all, or one of so many.
    every: usize,
}

impl<'a> Side<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run), batch: 1, every: 1 }
    }

    /// The same, so often in one measurement: for what is shorter than the clock is exact.
    pub(crate) fn batch(mut self, batch: u32) -> Self {
        self.batch = batch;
        self
    }

    /// The same, in one of so many rounds: for what takes long.
    pub(crate) fn every(mut self, every: usize) -> Self {
        self.every = every;
        self
    }
}

/// What came of a side.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) median: Duration,
    pub(crate) low: Duration,
    pub(crate) high: Duration,
    pub(crate) count: usize,
}

/// Measures all sides, one after the other in each round, so that what else the machine does hits all.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) fn measure(rounds: usize, mut sides: Vec<Side<'_>>) -> Vec<Measured> {
    let mut samples: Vec<Vec<Duration>> = sides.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for (side, samples) in sides.iter_mut().zip(&mut samples) {
            // The first round warms up.
            if round > 0 && round % side.every != 0 {
                continue;
            }
            let start = Instant::now();
            for _ in 0..side.batch {
                (side.run)();
            }
            if round > 0 {
                samples.push(start.elapsed() / side.batch);
            }
        }
    }
    let summary = |(side, mut samples): (Side<'_>, Vec<Duration>)| {
        samples.sort();
        let at = |percent: usize| samples[(samples.len() - 1) * percent / 100];
        let (median, low, high) = (at(50), at(10), at(90));
        Measured { name: side.name, median, low, high, count: samples.len() }
    };
    sides.into_iter().zip(samples).map(summary).collect()
}

/// The sides as a table; ratios are to the first.
pub(crate) fn table(measured: &[Measured]) -> String {
    let mut table = "| | median | 10 % to 90 % | runs | ratio |\n|---|---:|---:|---:|---:|\n".to_owned();
    for side in measured {
        let ratio = side.median.as_secs_f64() / measured[0].median.as_secs_f64();
        let Measured { name, median, low, high, count } = side;
        let (median, low, high) = (shown(*median), shown(*low), shown(*high));
        writeln!(table, "| {name} | {median} | {low} to {high} | {count} | {} |", ratio_shown(ratio))
            .expect("texts can be written");
    }
    table
}

fn ratio_shown(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

/// A time with three digits and a unit.
pub(crate) fn shown(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    let (value, unit) = if micros < 1000.0 { (micros, "µs") } else { (micros / 1000.0, "ms") };
    if value < 10.0 {
        format!("{value:.2} {unit}")
    } else if value < 100.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}
