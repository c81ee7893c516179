//! Charm `greeter`: tells its peers how it greets.

use charms_reactive::prelude::*;
use charms_reactive::{Endpoint, HookEvent, RelationEvent};

charms_reactive::charm!("../metadata.yaml", choir: Endpoint);

/// Set while what was told may not be what the configuration says.
const STALE: Flag = Flag::new("greeter.stale");

/// The whole charm: what runs, and when.
pub fn app() -> App {
    App::new(metadata())
        .trigger(set(CONFIG_CHANGED).sets(STALE))
        .handler(look_again, on(endpoints::CHOIR.hook(RelationEvent::Created)).or_on(HookEvent::UpgradeCharm))
        .handler(greet, when(STALE))
        .action(actions::SHOUT, shout)
}

fn look_again(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(STALE);
    Ok(())
}

fn greet(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    for relation in hook.endpoint(endpoints::CHOIR).relations()? {
        relation.to_publish().set("greeting", config.greeting.as_str())?;
    }
    hook.write_file("greeting", config.greeting.as_str(), 0o644);
    hook.clear(STALE);
    hook.status(Active(format!("says {}", config.greeting)));
    Ok(())
}

fn shout(hook: &mut Hook, _: actions::Shout) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    hook.action_result("said", config.greeting.to_uppercase());
    Ok(())
}
