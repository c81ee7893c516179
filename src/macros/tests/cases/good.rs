use charms_reactive::prelude::*;
use prometheus_manual::{PrometheusManualProvides, PrometheusManualRequires};

charms_reactive::charm!(
    "charm/metadata.yaml",
    metrics: PrometheusManualProvides,
    "manual-jobs": PrometheusManualRequires,
);

/// Set while the file may not say what the options do.
const STALE: Flag = Flag::new("web.stale");

fn app() -> App {
    App::new(metadata())
        .trigger(set(options::PORT.changed()).sets(STALE))
        .handler(configure, when(endpoints::DATABASE.joined()).and(any([STALE])))
        .action(actions::RESTART, restart)
}

fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    let port: i64 = config.port;
    let title: Option<String> = config.title;
    hook.endpoint(endpoints::METRICS).withdraw_job("old")?;
    for job in hook.endpoint(endpoints::MANUAL_JOBS).jobs()? {
        job.refuse("no room")?;
    }
    hook.status(Active(format!("{} on port {port}", title.unwrap_or_default())));
    Ok(())
}

fn restart(hook: &mut Hook, parameters: actions::Restart) -> Result<(), HandlerError> {
    let graceful: bool = parameters.graceful;
    hook.action_result("graceful", graceful.to_string());
    Ok(())
}

fn main() {
    let _ = app();
}
