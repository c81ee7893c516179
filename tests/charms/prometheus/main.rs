//! Charm `prometheus`: a Prometheus that scrapes what other charms ask it to.
//!
//! [`app`] is the whole charm.  [`configuration`] makes `prometheus.yml`; [`promtool`] asks Prometheus'
//! own checker which jobs can be taken; [`server`] runs the program; an [`obstacle`] is for an operator.
//!
//! Prometheus does not live in a service of systemd here but is a child of nobody, so that the charm
//! runs wherever the two programs are: in a container without an init, on a developer's desk.

mod configuration;
mod obstacle;
mod promtool;
mod server;

use std::process::ExitCode;

use charms_reactive::prelude::*;
use prometheus_manual::render::Rendered;
use prometheus_manual::{PrometheusManualRequires, RequiresFlags as _};

use crate::configuration::Configuration;
use crate::obstacle::Obstacle;
use crate::server::Server;

charms_reactive::charm!("metadata.yaml", "manual-jobs": PrometheusManualRequires);

/// Set between the hooks `start` and `stop`: Prometheus is to run.
const STARTED: Flag = Flag::new("prometheus.started");

/// Set while what Prometheus runs with may not be what it should.
const STALE: Flag = Flag::new("prometheus.stale");

fn main() -> ExitCode {
    charms_reactive::run(&app())
}

/// The whole charm: what runs, and when.
fn app() -> App {
    let jobs = endpoints::MANUAL_JOBS;
    App::new(metadata())
        .trigger(set(CONFIG_CHANGED).sets(STALE))
        .trigger(set(jobs.new_jobs()).sets(STALE))
        .trigger(set(jobs.removed_jobs()).sets(STALE))
        .trigger(set(STARTED).sets(STALE))
        .handler(start, on(HookEvent::Start))
        .handler(look_again, on(HookEvent::UpgradeCharm))
        .handler(stop, on(HookEvent::Stop))
        .handler(watch, when(STARTED))
        .handler(configure, all([STARTED, STALE]))
        .action(actions::SHOW_CONFIG, show_config)
}

/// The unit begins its work, or the machine was started again.
fn start(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(STARTED);
    Ok(())
}

/// The charm is another one: it may render otherwise.
fn look_again(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(STALE);
    Ok(())
}

/// The unit goes.
fn stop(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.clear(STARTED);
    let server = Server::new(hook.context())?;
    hook.after_files("stop Prometheus", move || Ok(server.stop()?));
    Ok(())
}

/// Looks in every hook whether Prometheus is still there, without asking Juju anything.
fn watch(hook: &mut Hook) -> Result<(), HandlerError> {
    if !Server::new(hook.context())?.is_running() {
        hook.set(STALE);
    }
    Ok(())
}

/// Gives Prometheus the jobs that it can take, and answers all of them.
///
/// While something is missing that an operator must mend, nothing is touched, no job is answered, and
/// the next hook tries again.
fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
    let server = Server::new(hook.context())?;
    let Prepared { port, version, interval, rendered } = match prepare(hook, &server) {
        Ok(prepared) => prepared,
        Err(error) => {
            let obstacle = error.downcast::<Obstacle>()?;
            hook.status(Blocked(obstacle.to_string()));
            return Ok(());
        }
    };
    rendered.plan_files(hook);
    let text = Configuration::new(&interval, rendered.scrape_configs()).to_yaml()?;
    // Jobs may hold passwords.
    hook.write_file(server.configuration(), text, 0o600);
    hook.after_files("run Prometheus", move || Ok(server.run(port)?));
    answer(&rendered)?;
    hook.workload_version(&version);
    hook.status(Active(summary(&rendered)));
    hook.clear(endpoints::MANUAL_JOBS.removed_jobs());
    hook.clear(STALE);
    Ok(())
}

/// All that is looked at before anything is planned.
struct Prepared {
    port: u16,
    version: String,
    interval: String,
    rendered: Rendered,
}

fn prepare(hook: &Hook, server: &Server) -> Result<Prepared, HandlerError> {
    let config: Config = hook.config()?;
    let port = server.port(config.port)?;
    let version = server::version()?;
    let jobs = hook.endpoint(endpoints::MANUAL_JOBS).jobs()?;
    let rendered = promtool::sift(jobs, &config.scrape_interval, &server.certificates())?;
    Ok(Prepared { port, version, interval: config.scrape_interval, rendered })
}

fn answer(rendered: &Rendered) -> Result<(), HandlerError> {
    for (job, _) in &rendered.accepted {
        job.accept()?;
    }
    for (job, reason) in &rendered.refused {
        job.refuse(reason)?;
    }
    Ok(())
}

/// The message of the unit's status.  A refused job is for the other side to mend.
fn summary(rendered: &Rendered) -> String {
    let refused = match rendered.refused.len() {
        0 => String::new(),
        count => format!(", {count} refused"),
    };
    match rendered.accepted.len() {
        0 if refused.is_empty() => "ready".to_owned(),
        1 => format!("1 job{refused}"),
        count => format!("{count} jobs{refused}"),
    }
}

/// Action `show-config`.
fn show_config(hook: &mut Hook, _: actions::ShowConfig) -> Result<(), HandlerError> {
    let server = Server::new(hook.context())?;
    let text = std::fs::read_to_string(server.configuration())
        .map_err(|_| "Prometheus was not configured yet, expected hook `start` to have run")?;
    hook.action_result("config", configuration::without_secrets(&text)?);
    Ok(())
}
