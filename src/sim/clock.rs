//! Virtual time: nothing waits, the clock is moved from one thing that is due to the next.
//!
//! Time passes in [`Sim::advance`] only, and where [`Sim::settle`] waits for the retry of a failed hook.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use charms_reactive_core::UnitName;
use charms_reactive_core::waiter::Moment;

use crate::charm::BEGIN;
use crate::dispatch::Settled;
use crate::error::SimError;
use crate::model::{Life, Model, Unit};
use crate::operator::acted;
use crate::random::Random;
use crate::secret::Secret;
use crate::sim::Sim;

/// How long a failed hook waits for its first retry.
///
/// # Source
///
/// `juju/juju:api/agent/retrystrategy` and its facade: 5 s, doubled each time, at most 5 min.
pub const RETRY_MIN: Duration = Duration::from_secs(5);
/// How long a failed hook waits for a retry at most.
pub const RETRY_MAX: Duration = Duration::from_mins(5);
/// How long a unit that was told that it leads may count on it.
///
/// # Source
///
/// `is-leader` in Juju's documentation: true is a promise for thirty seconds.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often `update-status` comes, when the model does not say otherwise.
///
/// # Source
///
/// Model setting `update-status-hook-interval`, with twenty per cent more or less.
pub const UPDATE_STATUS_INTERVAL: Duration = Duration::from_mins(5);

/// How often metrics are collected, up to twenty per cent more or less.
///
/// # Source
///
/// `juju/juju:internal/worker/metrics/collect/manifold.go` and `.../spool/listener.go`, to 3.
const METRICS_INTERVAL: Duration = Duration::from_mins(5);

/// What the clock says, and what waits for it.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) now: Duration,
    random: Random,
    update_status_interval: Duration,
    /// When `update-status` comes next.
    update_status: BTreeMap<UnitName, Duration>,
    /// How long the last retry of a failed hook was waited for, and when it is.
    retries: BTreeMap<UnitName, (Duration, Duration)>,
    /// When the metrics of a unit are collected next.
    metrics: BTreeMap<UnitName, Duration>,
    /// The units whose agent does not run, with the end of the lease that it had then.
    stopped: BTreeMap<UnitName, Duration>,
}

impl Clock {
    pub(crate) fn new(seed: u64, update_status_interval: Duration) -> Self {
        Self {
            now: Duration::ZERO,
            random: Random::new(seed.rotate_left(32)),
            update_status_interval,
            update_status: BTreeMap::new(),
            retries: BTreeMap::new(),
            metrics: BTreeMap::new(),
            stopped: BTreeMap::new(),
        }
    }

    /// Whether the agent of a unit runs.
    pub(crate) fn is_running(&self, unit: &UnitName) -> bool {
        !self.stopped.contains_key(unit)
    }

    /// What the clock says.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// Notes that a hook failed.
    ///
    /// # Source
    ///
    /// `juju/utils:timer.go`, `BackoffTimer`: the first wait is exact, each further one is twice as long with up
    /// to three per cent more or less.
    pub(crate) fn fail(&mut self, unit: &UnitName) {
        let wait = match self.retries.get(unit) {
            None => RETRY_MIN,
            Some((wait, _)) => self.about(*wait * 2, 3).min(RETRY_MAX),
        };
        self.retries.insert(unit.clone(), (wait, self.now + wait));
    }

    /// Notes that a unit has no failed hook any more.
    pub(crate) fn succeed(&mut self, unit: &UnitName) {
        self.retries.remove(unit);
    }

    /// When the failed hook of a unit is run again.
    pub(crate) fn retry_at(&self, unit: &UnitName) -> Duration {
        self.retries.get(unit).map_or(self.now, |(_, at)| *at)
    }

    /// Lets time pass until `at`, if that is not over.
    pub(crate) fn reach(&mut self, at: Duration) {
        self.now = self.now.max(at);
    }

    /// A time, up to so many per cent more or less.
    fn about(&mut self, time: Duration, percent: u32) -> Duration {
        let least = time * (100 - percent) / 100;
        let window = (time * percent / 50).as_micros();
        let window = usize::try_from(window).unwrap_or(usize::MAX);
        least + Duration::from_micros(self.random.index(window.max(1)) as u64)
    }

    /// Starts the timers of units that have none, and stops those of units that are gone.
    fn keep_timers(&mut self, model: &Model) {
        let ticking: BTreeSet<&UnitName> = model
            .units
            .values()
            .filter(|unit| {
                unit.life == Life::Alive && unit.is_started && !self.update_status_interval.is_zero()
            })
            .map(|unit| &unit.name)
            .collect();
        self.update_status.retain(|unit, _| ticking.contains(unit));
        self.retries.retain(|unit, _| model.units.contains_key(unit));
        self.stopped.retain(|unit, _| model.units.contains_key(unit));
        for unit in ticking {
            if !self.update_status.contains_key(unit) {
                let at = self.now + self.about(self.update_status_interval, 20);
                self.update_status.insert(unit.clone(), at);
            }
        }
        let is_measured = |unit: &&Unit| {
            unit.is_installed
                && !unit.is_removed
                && model.juju.has_metrics()
                && !unit.charm.metrics.is_empty()
        };
        let measured: BTreeSet<&UnitName> =
            model.units.values().filter(is_measured).map(|unit| &unit.name).collect();
        self.metrics.retain(|unit, _| measured.contains(unit));
        for unit in measured {
            if !self.metrics.contains_key(unit) {
                let at = self.now + self.about(METRICS_INTERVAL, 20);
                self.metrics.insert(unit.clone(), at);
            }
        }
    }

    /// The next moment at which something happens by itself.
    fn next(&self, model: &Model) -> Option<Duration> {
        let timers = self.update_status.values().chain(self.metrics.values()).copied();
        let is_failed = |unit: &UnitName| model.units.get(unit).is_some_and(|unit| unit.failed.is_some());
        let retries = self.retries.iter().filter(|(unit, _)| self.is_running(unit) && is_failed(unit));
        let retries = retries.map(|(_, (_, at))| *at);
        let leases = self.stopped.iter().filter(|(unit, _)| model.is_leader(unit)).map(|(_, at)| *at);
        let leases = leases.filter(|at| *at > self.now);
        let secrets = model.secrets.values().filter_map(Secret::next_moment);
        timers.chain(retries).chain(leases).chain(secrets).min()
    }
}

impl Sim {
    /// How much time has passed since the simulation was made.
    pub fn now(&self) -> Duration {
        self.clock.now
    }

    /// The same as a moment, as hooks are told it.
    pub fn moment(&self) -> Moment {
        Moment::from_unix(BEGIN + self.clock.now)
    }

    /// Lets time pass: `update-status` comes on its timers, failed hooks are run again, leases end, secrets rotate
    /// and expire, metrics are collected.
    ///
    /// All that is due is run first, and after each of these.  Only hooks whose time has not come are left
    /// in error.
    pub fn advance(&mut self, time: Duration) -> Result<Settled, SimError> {
        let end = self.clock.now + time;
        let mut settled = self.settle_now()?;
        loop {
            self.clock.keep_timers(&self.model);
            let next = self.clock.next(&self.model).filter(|at| *at <= end);
            self.clock.reach(next.unwrap_or(end));
            if next.is_none() {
                return Ok(settled);
            }
            self.fire();
            self.due.forget();
            for unit in self.measured_by_now() {
                settled.hooks += usize::from(self.collect_metrics(&unit.to_string())?.is_some());
            }
            for unit in self.retries_due() {
                self.resolve(&unit.to_string(), true)?;
                settled.hooks += 1;
            }
            let more = self.settle_now()?;
            settled = Settled { hooks: settled.hooks + more.hooks, failed: more.failed };
        }
    }

    /// The units whose failed hook is to be run again by now.
    fn retries_due(&self) -> Vec<UnitName> {
        let failed = self.model.units.values().filter(|unit| unit.failed.is_some()).map(|unit| &unit.name);
        let is_due =
            |unit: &&UnitName| self.clock.is_running(unit) && self.clock.retry_at(unit) <= self.clock.now;
        failed.filter(is_due).cloned().collect()
    }

    /// The units whose metrics are to be collected by now; their timers begin again.
    fn measured_by_now(&mut self) -> Vec<UnitName> {
        let now = self.clock.now;
        let due = self.clock.metrics.iter().filter(|(unit, at)| **at <= now && self.clock.is_running(unit));
        let due: Vec<UnitName> = due.map(|(unit, _)| unit.clone()).collect();
        for unit in &due {
            self.clock.metrics.remove(unit);
        }
        due
    }

    /// Has happen what is due by now, besides retries and metrics.
    fn fire(&mut self) {
        let now = self.clock.now;
        let due: Vec<UnitName> = self
            .clock
            .update_status
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(unit, _)| unit.clone())
            .collect();
        for name in due {
            let next = now + self.clock.about(self.clock.update_status_interval, 20);
            self.clock.update_status.insert(name.clone(), next);
            if let Some(unit) = self.model.units.get_mut(&name) {
                unit.is_update_status_due = true;
            }
        }
        for secret in self.model.secrets.values_mut() {
            secret.reach(now);
        }
        let ended: Vec<UnitName> =
            self.clock.stopped.iter().filter(|(_, at)| **at <= now).map(|(unit, _)| unit.clone()).collect();
        for unit in ended {
            if !self.model.is_leader(&unit) {
                continue;
            }
            let next = self
                .model
                .units_of(unit.application())
                .find(|other| other.life == Life::Alive && self.clock.is_running(&other.name))
                .map(|other| other.name.clone());
            // Where nobody is there to claim it, the old leader finds it unclaimed when it comes back.
            if let Some(next) = next {
                self.model.set_leader(&next).expect("a living unit may lead");
            }
        }
    }

    /// Stops the agent of a unit, as a network that is down does: no hook of it runs, and when it leads,
    /// another unit does after [`LEASE`].
    pub fn stop_agent(&mut self, unit: &str) -> Result<(), SimError> {
        let unit = self.model.unit(&UnitName::parse(unit)?)?.name.clone();
        let end = self.clock.now + LEASE;
        self.model.journal.record(acted(format!("stop the agent of {unit}")));
        self.clock.stopped.entry(unit).or_insert(end);
        Ok(())
    }

    /// Has the agent of a unit come back: it learns what has become of the model.
    pub fn start_agent(&mut self, unit: &str) -> Result<(), SimError> {
        self.clock.stopped.remove(&UnitName::parse(unit)?);
        self.model.journal.record(acted(format!("start the agent of {unit}")));
        Ok(())
    }
}
