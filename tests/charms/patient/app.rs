//! Waits for five units, and is woken when its time is over.

use std::time::Duration;

use charms_reactive::prelude::*;
use charms_reactive::waiter::{WaiterKey, Waiters};

use names::{Config, endpoints, metadata};

/// What `metadata.yaml` and `config.yaml` say, as items.
#[expect(unreachable_pub, reason = "the macro expects to stand at the root of a crate")]
mod names {
    use super::Waiters;

    charms_reactive::charm!("metadata.yaml", cluster: Waiters);
}

/// Waits for five units.
const GATHER: WaiterKey = WaiterKey::new("gather");

/// The whole charm: what runs, and when.
pub(crate) fn app() -> App {
    App::new(metadata())
        .daemon()
        .handler(join, on(HookEvent::Install).or_on(HookEvent::ConfigChanged))
        .handler(check_in, on(HookEvent::Start))
        .handler(gather, when(IS_LEADER).and_not(GATHER.done()))
        .handler(wait, when(GATHER.waiting()))
        .handler(go, when(GATHER.success()))
        .handler(give_up, when(GATHER.timeout()))
}

fn join(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    if !config.etcd.is_empty() {
        hook.daemon_options(["--etcd", &config.etcd]);
    }
    Ok(())
}

fn check_in(hook: &mut Hook) -> Result<(), HandlerError> {
    Ok(hook.endpoint(endpoints::CLUSTER).check_in("/ready", "here")?)
}

fn gather(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    let time = Duration::from_secs(u64::try_from(config.seconds)?);
    Ok(hook.endpoint(endpoints::CLUSTER).waiter(GATHER).success("/ready", 5).timeout(time).declare()?)
}

fn wait(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Waiting("for five units"));
    Ok(())
}

fn go(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("five units are here"));
    Ok(())
}

fn give_up(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Blocked("fewer than five units came in time"));
    Ok(())
}
