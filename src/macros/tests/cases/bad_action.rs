use charms_reactive::prelude::*;

charms_reactive::charm!("charm/metadata.yaml");

fn reload(_: &mut Hook, _: actions::Reload) -> Result<(), HandlerError> {
    Ok(())
}

fn main() {
    let _ = App::new(metadata()).action(actions::RELOAD, reload);
}
