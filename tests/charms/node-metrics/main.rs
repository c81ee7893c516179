//! The charm of the README.

use charms_reactive::prelude::*;
use prometheus_manual::PrometheusManualProvides;

// Endpoints, options and actions come from metadata.yaml, config.yaml and actions.yaml when the charm
// is compiled: a misspelt name, or the wrong side of an interface, does not compile.
charms_reactive::charm!("metadata.yaml", prometheus: PrometheusManualProvides);

const STALE: Flag = Flag::new("node-metrics.stale");

fn app() -> App {
    App::new(metadata())
        .trigger(set(CONFIG_CHANGED).sets(STALE))
        .trigger(set(endpoints::PROMETHEUS.joined()).sets(STALE))
        .handler(register, when(STALE))
}

fn register(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    let job = serde_json::json!({
        "static_configs": [{"targets": [format!("{}:9100", config.address)]}],
    });
    let prometheus = hook.endpoint(endpoints::PROMETHEUS);
    prometheus.register_job("node", job.as_object().cloned().unwrap_or_default()).send()?;
    hook.clear(STALE);
    hook.status(Active("metrics registered"));
    Ok(())
}

fn main() -> std::process::ExitCode {
    charms_reactive::run(&app())
}
