use charms_reactive::prelude::*;

charms_reactive::charm!("charm/metadata.yaml");

/// Those of another action.
struct Other;

fn restart(_: &mut Hook, _: Other) -> Result<(), HandlerError> {
    Ok(())
}

fn main() {
    let _ = App::new(metadata()).action(actions::RESTART, restart);
}
