//! What Kubernetes does to pods and containers.

use charms_reactive_core::{UnitName, WorkloadEvent};

use crate::error::{ModelError, SimError};
use crate::model::Substrate;
use crate::operator::acted;
use crate::sim::Sim;

impl Sim {
    fn pod(&self, unit: &str, what: &'static str) -> Result<UnitName, SimError> {
        if self.model.substrate != Substrate::Kubernetes {
            return Err(ModelError::OnlyKubernetes { what }.into());
        }
        Ok(self.model.unit(&UnitName::parse(unit)?)?.name.clone())
    }

    /// Has Kubernetes end the pod of a unit and start another: `stop` in the old one, then, without any
    /// of its files, `start` in the new one, and `-pebble-ready` for each container.
    ///
    /// # Source
    ///
    /// `U/resolver.go`, `nextOp`: a shutdown while the unit is alive; `U/reboot` for what follows.
    pub fn replace_pod(&mut self, unit: &str) -> Result<(), SimError> {
        let name = self.pod(unit, "a pod replaced")?;
        self.model.journal.record(acted(format!("replace the pod of {name}")));
        let unit = self.model.unit_mut(&name)?;
        if unit.is_started && !unit.is_stopped {
            unit.pod.is_ending = true;
        } else {
            self.model.replace_pod(&name);
        }
        Ok(())
    }

    /// Has the pod of a unit be lost, and another one started: no `stop`, then as above.
    pub fn lose_pod(&mut self, unit: &str) -> Result<(), SimError> {
        let name = self.pod(unit, "a pod lost")?;
        self.model.journal.record(acted(format!("lose the pod of {name}")));
        self.model.replace_pod(&name);
        Ok(())
    }

    /// Has a workload container restart: `-pebble-ready` comes again.
    pub fn restart_container(&mut self, unit: &str, container: &str) -> Result<(), SimError> {
        self.tell_workload(unit, container, WorkloadEvent::PebbleReady, None)
    }

    /// Has somebody in a workload container send a custom notice: `-pebble-custom-notice`.
    pub fn notify(&mut self, unit: &str, container: &str, key: &str) -> Result<(), SimError> {
        self.tell_workload(unit, container, WorkloadEvent::CustomNotice, Some(key))
    }

    /// Has a check of a workload container fail: `-pebble-check-failed`.
    pub fn fail_check(&mut self, unit: &str, container: &str, check: &str) -> Result<(), SimError> {
        self.tell_workload(unit, container, WorkloadEvent::CheckFailed, Some(check))
    }

    /// Has a check of a workload container succeed again: `-pebble-check-recovered`.
    pub fn recover_check(&mut self, unit: &str, container: &str, check: &str) -> Result<(), SimError> {
        self.tell_workload(unit, container, WorkloadEvent::CheckRecovered, Some(check))
    }

    fn tell_workload(
        &mut self,
        unit: &str,
        container: &str,
        event: WorkloadEvent,
        key: Option<&str>,
    ) -> Result<(), SimError> {
        let name = self.pod(unit, "an event of a container")?;
        let what = format!("tell {unit} of its container {container}");
        self.model.act(what, |model| Ok(model.tell_workload(&name, container, event, key)?))
    }
}
