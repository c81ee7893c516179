use charms_reactive::prelude::*;

fn nothing(_: &mut Hook) -> Result<(), HandlerError> {
    Ok(())
}

fn main() {
    let _ = App::new(Charm::default()).handler(nothing, any([]));
}
