//! A waiter about to be declared.

use std::time::Duration;

use charms_reactive_core::digest::digest;
use charms_reactive_core::waiter::{Cardinality, NUMBER_MAX, VariablePath, Waiter};

use super::record::{RECORDS_BYTES_MAX, Record};
use super::{WaiterError, WaiterKey, Waiters, key};

/// How long a waiter waits that says nothing else.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_mins(10);

/// How many units have to check in.
#[derive(Clone, Copy, Debug)]
enum Number {
    /// So many.
    Given(u32),
    /// As many as Juju plans to have when the waiter is declared.
    Planned,
}

/// A waiter about to be declared.
#[derive(Clone, Debug)]
#[must_use = "nothing waits before `declare`"]
pub struct Declaration<'a> {
    waiters: &'a Waiters,
    key: WaiterKey,
    success: Option<(String, Number)>,
    failure: Option<(String, Number)>,
    timeout: Duration,
}

impl<'a> Declaration<'a> {
    pub(super) fn new(waiters: &'a Waiters, key: WaiterKey) -> Self {
        Self { waiters, key, success: None, failure: None, timeout: TIMEOUT_DEFAULT }
    }

    /// Succeeds when so many units have checked in under `path`; none is one.
    pub fn success(mut self, path: &str, units: u32) -> Self {
        self.success = Some((path.to_owned(), Number::Given(units)));
        self
    }

    /// Succeeds when as many units have checked in under `path` as Juju plans to have when the waiter is
    /// declared; later changes of scale do not change it.
    pub fn success_of_all(mut self, path: &str) -> Self {
        self.success = Some((path.to_owned(), Number::Planned));
        self
    }

    /// Fails when so many units have checked in under `path`; none is one.
    pub fn failure(mut self, path: &str, units: u32) -> Self {
        self.failure = Some((path.to_owned(), Number::Given(units)));
        self
    }

    /// Ends when so much time has passed; [`TIMEOUT_DEFAULT`] without this.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Declares the waiter; it waits from this moment on.
    ///
    /// Only the leader can; of another unit it does nothing, and before the relation is there neither, so
    /// that a charm may say it in every dispatch.  A waiter never changes: one that is there already, in
    /// whatever state, stays as it is until [`Waiters::forget`].
    ///
    /// # Errors
    ///
    /// [`WaiterError`], when it is not a waiter that can be.
    pub fn declare(self) -> Result<(), WaiterError> {
        let name = self.key.name();
        let dispatch = &self.waiters.endpoint.dispatch;
        let Some((success, number)) = &self.success else { return Err(WaiterError::NoSuccess { name }) };
        let success = (super::parsed(success)?, *number);
        let failure = match &self.failure {
            Some((path, number)) => Some((super::parsed(path)?, *number)),
            None => None,
        };
        let now = self.waiters.now();
        if self.timeout.is_zero() || now.checked_after(self.timeout).is_none() {
            return Err(WaiterError::Timeout { name, timeout: self.timeout });
        }
        let is_known = [key::flag(name, "waiting"), key::flag(name, "done")]
            .iter()
            .any(|flag| dispatch.flags.borrow().is_set(flag));
        if is_known {
            return Ok(());
        }
        let Some(relation) = self.waiters.led_relation()? else { return Ok(()) };
        let Some(mut records) = self.waiters.records(&relation)? else { return Ok(()) };
        if records.0.contains_key(name) {
            return Ok(());
        }
        let condition = |(path, number): (VariablePath, Number)| -> Result<Cardinality, WaiterError> {
            let number = match number {
                Number::Given(number) => number.min(NUMBER_MAX),
                Number::Planned => {
                    let planned = dispatch.model.goal_state()?.planned_units();
                    let own = dispatch.context.unit.application();
                    let count = planned.iter().filter(|unit| unit.application() == own).count();
                    u32::try_from(count).unwrap_or(NUMBER_MAX)
                }
            };
            Ok(Cardinality::new(path, number))
        };
        let waiter = Waiter {
            success: condition(success)?,
            failure: failure.map(condition).transpose()?,
            timeout: self.timeout,
            created: now,
        };
        // No unit declares the same waiter twice in one nanosecond.
        let uid = digest(&format!("{name} {} {now}", dispatch.context.unit));
        records.0.insert(name.to_owned(), Record::new(&waiter, uid));
        let bytes = records.to_text().len();
        if bytes > RECORDS_BYTES_MAX {
            return Err(WaiterError::Full { bytes });
        }
        self.waiters.write(&relation, &records)?;
        if let Some(service) = self.waiters.service() {
            service.declare(name, &records.0[name]);
        }
        Ok(())
    }
}
