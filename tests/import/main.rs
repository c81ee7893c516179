//! Charm `upgraded`: the successor of `tests/charms/python-upgraded`, handler by handler.

use std::process::ExitCode;

use charms_reactive::prelude::*;
use charms_reactive_import::FromPython;

charms_reactive::charm!("metadata.yaml");

fn main() -> ExitCode {
    charms_reactive::run(&app())
}

/// The whole charm: what runs, and when.
fn app() -> App {
    App::new(metadata())
        .import(FromPython::new().handler("set_up_once", "set_up"))
        .handler(install, none([Flag::new("app.installed")]))
        .handler(set_up, once())
        .handler(reload, files_changed(["watched"]))
        .handler(configured, when(CONFIG_CHANGED))
        .handler(changed, when(endpoints::DB.changed()))
        .handler(peers_changed, when(endpoints::PEERS.changed()))
        .handler(hosts, when(endpoints::DB.joined()))
}

/// Adds a line to what the test reads.
fn note(hook: &mut Hook, text: &str) {
    let notes = hook.kept("notes").unwrap_or_default();
    let notes = format!("{notes}{}: {text}\n", hook.event());
    hook.keep("notes", Some(&notes));
}

fn install(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "install");
    hook.set(Flag::new("app.installed"));
    Ok(())
}

fn set_up(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "set up");
    Ok(())
}

fn reload(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "reload");
    Ok(())
}

fn configured(hook: &mut Hook) -> Result<(), HandlerError> {
    let changed: Vec<String> = hook
        .flags()
        .into_iter()
        .filter_map(|flag| flag.strip_prefix("config.changed.").map(str::to_owned))
        .collect();
    note(hook, &format!("config {}", changed.join(" ")));
    Ok(())
}

fn changed(hook: &mut Hook) -> Result<(), HandlerError> {
    let flags = hook.flags();
    let keys = flags.iter().filter_map(|flag| flag.strip_prefix("endpoint.db.changed."));
    let keys = keys.collect::<Vec<_>>().join(" ");
    note(hook, &format!("changed {keys}"));
    hook.endpoint(endpoints::DB).clear_changed();
    Ok(())
}

fn peers_changed(hook: &mut Hook) -> Result<(), HandlerError> {
    note(hook, "peers changed");
    hook.endpoint(endpoints::PEERS).clear_changed();
    Ok(())
}

fn hosts(hook: &mut Hook) -> Result<(), HandlerError> {
    let mut hosts = Vec::new();
    for unit in &hook.endpoint(endpoints::DB).all_joined_units()? {
        hosts.push(unit.received()?.text("host").unwrap_or_default().to_owned());
    }
    hosts.sort();
    if hook.data_changed("hosts", &hosts)? {
        note(hook, "hosts");
    }
    let departed = hook.endpoint(endpoints::DB).all_departed_units().list();
    let departed: Vec<String> = departed
        .iter()
        .map(|unit| Ok(format!("{} {}", unit.unit_name(), unit.received()?.text("host").unwrap_or_default())))
        .collect::<Result<_, HandlerError>>()?;
    hook.keep("departed", Some(&departed.join(", ")));
    hook.status(Active("rust"));
    Ok(())
}
