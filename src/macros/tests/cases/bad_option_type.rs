use charms_reactive::prelude::*;

charms_reactive::charm!("charm/metadata.yaml");

fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    // It has no default, so it may be missing.
    let title: String = config.title;
    hook.status(Active(title));
    Ok(())
}

fn main() {
    let _ = configure;
}
