use charms_reactive::prelude::*;

charms_reactive::charm!("charm/metadata.yaml");

fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
    let config: Config = hook.config()?;
    hook.open_port(&format!("{}/tcp", config.prt));
    Ok(())
}

fn main() {
    let _ = App::new(metadata()).handler(configure, when(options::PRT.changed()));
}
