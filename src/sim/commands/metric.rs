//! `add-metric`, for the hook `collect-metrics` (to Juju 3).

use charms_reactive_core::HookEvent;

use super::flags::Flag;
use super::{Asked, Command, Done, Outcome, failed, usage};
use crate::event::Event;
use crate::run::Purpose;

pub(super) const COMMANDS: &[Command] = &[Command::setter(
    "add-metric",
    "key1=value1 [key2=value2 ...]",
    &[Flag::value(&["l", "labels"])],
    add_metric,
)];

/// # Source
///
/// `J/add-metric.go`, and `juju/juju:internal/worker/metrics/spool` for what a metric may be.
fn add_metric(asked: &mut Asked<'_>) -> Outcome {
    if asked.line.positional.is_empty() {
        return usage("no metrics specified");
    }
    let pairs = asked.pairs()?;
    let is_collecting =
        matches!(&asked.run.purpose, Purpose::Hook(hook) if hook.event == HookEvent::CollectMetrics);
    if !is_collecting {
        return failed("metrics not allowed in this context");
    }
    let unit = asked.run.unit.clone();
    let charm = asked.model.units.get(&unit).map(|unit| unit.charm.clone());
    for (key, value) in &pairs {
        if !charm.as_ref().is_some_and(|charm| charm.metrics.contains(key)) {
            return failed(format!("cannot record metric: metric key {key:?} not declared by the charm"));
        }
        if value.parse::<f64>().is_err() {
            return failed(format!(
                "cannot record metric: invalid value type: expected float, got {value:?}"
            ));
        }
    }
    for (key, value) in pairs {
        if let Some(known) = asked.model.units.get_mut(&unit) {
            known.metrics.insert(key.clone(), value.clone());
        }
        asked.model.journal.record(Event::MetricAdded { unit: unit.clone(), key, value });
    }
    Ok(Done::Nothing)
}
