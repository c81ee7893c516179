//! The pod of a unit on Kubernetes: its workload containers, and what happens in them.

use std::collections::{BTreeSet, VecDeque};

use charms_reactive_core::{ApplicationName, UnitName, WorkloadEvent};

use super::{Life, Model, Substrate, Unit};
use crate::error::ModelError;

/// Something that happened in a workload container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) container: String,
    pub(crate) event: WorkloadEvent,
    /// Number and key of a notice.
    pub(crate) notice: Option<(u32, String)>,
    /// The name of a check.
    pub(crate) check: Option<String>,
}

/// What Kubernetes does with one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pod {
    /// What the charm was not told yet, in the order in which it happened.
    pub(crate) news: VecDeque<Workload>,
    /// Containers whose Pebble does not answer before the charm has started.
    pub(crate) late: BTreeSet<String>,
    /// Whether the pod is told to end while its unit stays.
    pub(crate) is_ending: bool,
    notices_made: u32,
}

impl Pod {
    fn tell_ready(&mut self, container: String) {
        self.news.push_back(Workload {
            container,
            event: WorkloadEvent::PebbleReady,
            notice: None,
            check: None,
        });
    }
}

impl Model {
    /// Has the containers of a new pod come up: each before the charm's first hook, or after `start`.
    ///
    /// # Source
    ///
    /// `U/container/workload.go` and `U/pebblepoller.go`: each Pebble is polled by itself, so Juju
    /// leaves open when it answers first.
    pub(crate) fn start_containers(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.pod.news.clear();
        unit.pod.late.clear();
        for container in unit.charm.containers.clone() {
            if self.random.index(2) == 0 {
                unit.pod.tell_ready(container);
            } else {
                unit.pod.late.insert(container);
            }
        }
    }

    /// Has the containers come up that had not before the charm started.
    pub(crate) fn start_late_containers(&mut self, name: &UnitName) {
        let Some(unit) = self.units.get_mut(name) else { return };
        for container in std::mem::take(&mut unit.pod.late) {
            unit.pod.tell_ready(container);
        }
    }

    /// Tells a unit that something happened in one of its containers.
    pub(crate) fn tell_workload(
        &mut self,
        name: &UnitName,
        container: &str,
        event: WorkloadEvent,
        key: Option<&str>,
    ) -> Result<(), ModelError> {
        let is_known = match event {
            WorkloadEvent::PebbleReady => true,
            WorkloadEvent::CustomNotice => self.juju.has_notices(),
            WorkloadEvent::CheckFailed | WorkloadEvent::CheckRecovered => self.juju.has_checks(),
        };
        if !is_known {
            return Err(ModelError::NotInJuju { what: "this event of a container", version: self.juju });
        }
        let unit = self.unit_mut(name)?;
        if !unit.charm.containers.iter().any(|known| known == container) {
            return Err(ModelError::NoContainer { name: container.to_owned(), unit: name.clone() });
        }
        let mut workload = Workload { container: container.to_owned(), event, notice: None, check: None };
        match event {
            WorkloadEvent::PebbleReady => {
                // One that was to come up late is up now.
                unit.pod.late.remove(container);
            }
            WorkloadEvent::CustomNotice => {
                unit.pod.notices_made += 1;
                workload.notice = Some((unit.pod.notices_made, key.unwrap_or_default().to_owned()));
            }
            WorkloadEvent::CheckFailed | WorkloadEvent::CheckRecovered => {
                workload.check = key.map(str::to_owned);
            }
        }
        unit.pod.news.push_back(workload);
        Ok(())
    }

    /// Has the pods of units end that are to take over an upgrade: it comes with a new pod.
    ///
    /// # Source
    ///
    /// `juju/juju:internal/provider/kubernetes/application`: another charm or image is another pod template.
    pub(crate) fn roll_pods(&mut self, application: &ApplicationName) {
        if self.substrate != Substrate::Kubernetes {
            return;
        }
        let is_meant =
            |unit: &&Unit| unit.is_started && unit.life == Life::Alive && self.is_upgrade_pending(unit);
        let pending: Vec<UnitName> =
            self.units_of(application).filter(is_meant).map(|unit| unit.name.clone()).collect();
        for name in pending {
            if let Some(unit) = self.units.get_mut(&name) {
                unit.pod.is_ending = true;
            }
        }
    }

    /// Puts a new pod in the place of a unit's old one: nothing that lay in it is left.
    ///
    /// # Source
    ///
    /// `U/reboot/resolver.go`: a pod that is not the one that ran `start` is a reboot.
    pub(crate) fn replace_pod(&mut self, name: &UnitName) {
        let address = self.next_address();
        let Some(unit) = self.units.get_mut(name) else { return };
        unit.pod.is_ending = false;
        unit.has_files = false;
        unit.address = address;
        unit.is_rebooted = unit.is_started;
        self.start_containers(name);
    }
}
