//! Three units become one cluster, which is bootstrapped exactly once.

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

/// Waits for three units.
const BOOTSTRAP: WaiterKey = WaiterKey::new("bootstrap");

/// Set once this unit knows its cluster.
const MEMBER: Flag = Flag::new("cluster.member");

/// The key of the application's databag under which the cluster is, once there is one.
const CLUSTER: &str = "cluster";

/// The whole charm: what runs, and when.
pub(crate) fn app() -> App {
    App::new(metadata())
        .handler(check_in, on(HookEvent::Install).or_on(HookEvent::ConfigChanged))
        .handler(gather, when(IS_LEADER).and_not(MEMBER))
        .handler(show_progress, when(BOOTSTRAP.waiting()))
        .handler(join, when(BOOTSTRAP.success()).and_not(MEMBER))
        .handler(give_up, any([BOOTSTRAP.failure(), BOOTSTRAP.timeout()]))
}

/// Tells the others whether this unit is prepared.
fn check_in(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    let cluster = hook.endpoint(endpoints::CLUSTER);
    let (says, takes_back) = if config.healthy { ("/ready", "/failed") } else { ("/failed", "/ready") };
    cluster.check_out(takes_back)?;
    cluster.check_in(says, &hook.context().unit.to_string())?;
    Ok(())
}

/// Waits for three units that are ready, or two that are not.
fn gather(hook: &mut Hook) -> Result<(), HandlerError> {
    let cluster = hook.endpoint(endpoints::CLUSTER);
    let bootstrap = cluster.waiter(BOOTSTRAP).success("/ready", 3).failure("/failed", 2);
    Ok(bootstrap.timeout(Duration::from_mins(10)).declare()?)
}

/// Says how far it is.
fn show_progress(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Waiting("for three units that are ready"));
    Ok(())
}

/// Bootstraps the cluster where there is none, and joins it.
fn join(hook: &mut Hook) -> Result<(), HandlerError> {
    let cluster = hook.endpoint(endpoints::CLUSTER);
    // A real one starts its database here, with `id` to start it only once.
    let id = || format!("{} {}", hook.context().unit, hook.context().now);
    match cluster.once(CLUSTER, id)? {
        Some(id) => {
            hook.keep(CLUSTER, Some(&id));
            hook.set(MEMBER);
            hook.status(Active(format!("member of the cluster that {id} began")));
        }
        None => hook.status(Waiting("for the leader to bootstrap")),
    }
    Ok(())
}

/// Says that it did not work out; the leader begins anew in its next dispatch.
fn give_up(hook: &mut Hook) -> Result<(), HandlerError> {
    let reason = if hook.is_set(&BOOTSTRAP.failure()) {
        "two units cannot be prepared"
    } else {
        "fewer than three units"
    };
    hook.status(Blocked(format!("no cluster: {reason}")));
    hook.endpoint(endpoints::CLUSTER).forget(BOOTSTRAP)?;
    Ok(())
}
