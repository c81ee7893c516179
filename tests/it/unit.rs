//! What Juju gives to a unit besides options and relations, and what an operator has to give first.

use std::net::Ipv4Addr;

use charms_reactive::charm::{ActionKey, FromConfig, FromParameters, ValueError, typed_value};
use charms_reactive::prelude::*;
use charms_reactive::{Endpoint, EndpointKey, EndpointName, Metadata, OptionKind, OptionSpec, Role};
use charms_reactive_testkit::{Deployment, InProcess, Sim, Verdict, every_command, in_process};
use serde_json::{Map, Value, json};

pub(crate) const READY: Flag = Flag::new("web.ready");

pub(crate) fn sim() -> Sim {
    Sim::builder().seed(7).build().expect("a model")
}

pub(crate) fn settle(sim: &mut Sim) {
    let settled = sim.settle().expect("a model that comes to rest");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
}

/// Its status and message, as `juju status` shows them.
pub(crate) fn shown(sim: &Sim, unit: &str) -> String {
    let workload = sim.unit(unit).expect("a unit").workload;
    format!("{} {}", workload.status, workload.message)
}

fn flags(sim: &Sim, unit: &str) -> String {
    sim.unit_state(unit).expect("a unit")["flags"].clone()
}

pub(crate) fn deployed(metadata: &str, app: fn() -> App, deployment: &Deployment) -> Sim {
    let mut sim = sim();
    sim.deploy_with("web", in_process(app).metadata(metadata), deployment).expect("deployed");
    settle(&mut sim);
    sim
}

// Storage.

const STORAGE: &str = "name: web\nstorage:\n  data: {type: filesystem, multiple: {range: 0-3}}\n";

struct Nothing;

impl FromParameters for Nothing {
    fn from_parameters(_: &Map<String, Value>) -> Result<Self, ValueError> {
        Ok(Self)
    }
}

const GROW: ActionKey<Nothing> = ActionKey::new("grow");

fn storing() -> App {
    App::new(Charm::default()).handler(tell_storage, none([Flag::new("never")])).action(
        GROW,
        |hook, Nothing| {
            hook.add_storage("data", 1);
            hook.add_storage("data", 1);
            Ok(())
        },
    )
}

fn tell_storage(hook: &mut Hook) -> Result<(), HandlerError> {
    let storage = hook.storage("data")?;
    let told = storage.iter().map(|it| format!("{} is a {} at {}", it.id, it.kind, it.location.display()));
    hook.status(Active(told.collect::<Vec<_>>().join(", ")));
    if let Some(id) = hook.context().storage_id.clone() {
        hook.keep("last", Some(&id));
    }
    Ok(())
}

#[test]
fn storage_is_there_with_its_place() {
    let actions = tempfile::tempdir().expect("a folder");
    let mut sim = sim();
    lay_out(actions.path(), &[("metadata.yaml", STORAGE), ("actions.yaml", "grow: {}\n")]);
    let charm = in_process(storing).folder(actions.path());
    sim.deploy_with("web", charm, &Deployment::units(1).storage("data", 1)).expect("deployed");
    settle(&mut sim);
    assert!(
        shown(&sim, "web/0").starts_with("active data/0 is a filesystem at "),
        "{}",
        shown(&sim, "web/0")
    );
    let grown = sim.run_action("web/0", "grow", Value::Null).expect("an action");
    assert_eq!(grown.status, "completed", "{grown:?}");
    settle(&mut sim);
    let told = shown(&sim, "web/0");
    assert_eq!(told.matches(" is a filesystem").count(), 3, "{told}");
    assert_eq!(sim.unit_state("web/0").expect("a unit")["charm/last"], "data/2");
}

#[expect(clippy::disallowed_methods, reason = "the tests make the charms they run")]
fn lay_out(folder: &std::path::Path, files: &[(&str, &str)]) {
    std::fs::create_dir_all(folder).expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file of the charm");
    }
}

// Resources.

fn with_resource() -> App {
    App::new(Charm::default()).handler(install, on(HookEvent::Install)).handler(serve, when(READY))
}

/// Leaves traces, and needs what is not there.
fn install(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(READY);
    hook.keep("begun", Some("yes"));
    hook.write_file("begun", "yes", 0o600);
    let path = hook.resource("image")?;
    hook.write_file("installed", std::fs::read(path)?, 0o600);
    Ok(())
}

fn serve(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.status(Active("serving"));
    Ok(())
}

const RESOURCE: &str = "name: web\nresources:\n  image: {type: file, filename: image.txt}\n";

#[test]
fn a_resource_that_is_missing_blocks_until_it_is_attached() {
    let mut sim = deployed(RESOURCE, with_resource, &Deployment::units(1));
    assert_eq!(shown(&sim, "web/0"), "blocked attach resource: juju attach-resource web image=FILE");
    assert_eq!(flags(&sim, "web/0"), "[]", "nothing of what the handler did is left");
    let folder = sim.charm_dir("web/0").expect("a unit");
    assert!(!folder.join("begun").exists());
    assert!(!sim.unit_state("web/0").expect("a unit").contains_key("charm/begun"));
    assert!(sim.transcript().contains("handler `install` is tried again in the next hook"));

    sim.attach_resource("web", "image", "an image").expect("attached");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "active serving");
    assert_eq!(std::fs::read_to_string(folder.join("installed")).expect("written"), "an image");
    assert!(!sim.unit_state("web/0").expect("a unit").contains_key("stalled/0"));
}

#[test]
fn a_fault_at_any_command_changes_nothing_of_it() {
    let new = || sim();
    let scenario = |sim: &mut Sim| {
        sim.deploy("web", in_process(with_two).metadata(RESOURCE), 1).expect("deployed");
        settle(sim);
        sim.set_trust("web", true).expect("trusted");
        settle(sim);
        sim.attach_resource("web", "image", "an image").expect("attached");
        settle(sim);
    };
    for fault in [Verdict::Kill, Verdict::refuse("connection is shut down")] {
        let covered = every_command(&fault, new, scenario);
        let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
        assert!(covered.commands > 30, "{}", covered.commands);
    }
}

/// Two things are missing, and a third handler is fine.
fn with_two() -> App {
    App::new(Charm::default())
        .handler(install, on(HookEvent::Install))
        .handler(|hook: &mut Hook| hook.credential().map(drop).map_err(Into::into), on(HookEvent::Start))
        .handler(count, none([Flag::new("never")]))
}

fn count(hook: &mut Hook) -> Result<(), HandlerError> {
    let count = hook.kept("count").and_then(|text| text.parse::<u32>().ok()).unwrap_or_default();
    hook.keep("count", Some(&(count + 1).to_string()));
    Ok(())
}

#[test]
fn handlers_that_can_go_on_do_and_run_once() {
    let mut sim = deployed(RESOURCE, with_two, &Deployment::units(1));
    let hooks = sim
        .events()
        .iter()
        .filter(|event| matches!(event, charms_reactive_testkit::Event::HookStarted { .. }));
    let hooks = hooks.count();
    let state = sim.unit_state("web/0").expect("a unit");
    assert_eq!(state["charm/count"], hooks.to_string(), "once in each dispatch: {}", sim.transcript());
    assert!(
        state["stalled/0"].contains("juju trust web")
            && state["stalled/0"].contains("juju attach-resource web")
    );
    sim.set_trust("web", true).expect("trusted");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "blocked attach resource: juju attach-resource web image=FILE");
    sim.attach_resource("web", "image", "an image").expect("attached");
    settle(&mut sim);
    // No handler ever said a status.
    assert_eq!(shown(&sim, "web/0"), "active ");
}

// The credential of the cloud.

fn with_credential() -> App {
    App::new(Charm::default()).handler(log_in, on(HookEvent::Start))
}

fn log_in(hook: &mut Hook) -> Result<(), HandlerError> {
    let cloud = hook.credential()?;
    hook.status(Active(format!("on {} {}", cloud.kind, cloud.name)));
    Ok(())
}

#[test]
fn a_charm_without_trust_is_blocked_until_it_is_trusted() {
    let mut sim = deployed("name: web", with_credential, &Deployment::units(1));
    assert_eq!(shown(&sim, "web/0"), "blocked trust this application: juju trust web");
    sim.set_trust("web", true).expect("trusted");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "active on lxd localhost");
}

#[test]
fn on_kubernetes_trust_is_for_the_cluster() {
    let mut sim = Sim::builder().seed(7).kubernetes().build().expect("a model");
    sim.deploy("web", in_process(with_credential).metadata("name: web"), 1).expect("deployed");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "blocked trust this application: juju trust web --scope=cluster");
}

// Options, before and after.

const SECRET: &str = "options: {password: {type: secret}, port: {type: int, default: 80}}\n";

pub(crate) fn metadata_with_options() -> Metadata {
    let option = |name: &str, kind, default| OptionSpec { name: name.to_owned(), kind, default };
    Metadata {
        options: vec![
            option("password", OptionKind::Secret, Value::Null),
            option("port", OptionKind::Int, json!(80)),
        ],
        ..Metadata::default()
    }
}

pub(crate) fn charm_with_options(app: fn() -> App) -> InProcess {
    in_process(app).metadata("name: web").config(SECRET)
}

struct Port(i64);

impl FromConfig for Port {
    fn from_config(config: &Map<String, Value>) -> Result<Self, ValueError> {
        Ok(Self(typed_value(config, "port", "a number")?))
    }
}

fn with_port() -> App {
    App::new(Charm::new(metadata_with_options())).keep_options().handler(move_port, when(CONFIG_CHANGED))
}

fn move_port(hook: &mut Hook) -> Result<(), HandlerError> {
    let Port(now) = hook.config()?;
    if let Some(Port(before)) = hook.config_before() {
        hook.close_port(&format!("{before}/tcp"));
        hook.status(Active(format!("moved from {before} to {now}")));
    }
    hook.open_port(&format!("{now}/tcp"));
    if now == 7 {
        hook.resource("none")?;
    }
    Ok(())
}

#[test]
fn options_are_known_as_they_were_before() {
    let mut sim = sim();
    sim.deploy("web", charm_with_options(with_port), 1).expect("deployed");
    settle(&mut sim);
    assert_eq!(sim.unit("web/0").expect("a unit").ports, ["80/tcp"]);
    sim.configure("web", &[("port", "8080")]).expect("configured");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "active moved from 80 to 8080");
    assert_eq!(sim.unit("web/0").expect("a unit").ports, ["8080/tcp"]);
    // What a handler could not take in has still to change.
    sim.configure("web", &[("port", "7")]).expect("configured");
    settle(&mut sim);
    assert!(shown(&sim, "web/0").starts_with("blocked attach resource"), "{}", shown(&sim, "web/0"));
    sim.configure("web", &[("port", "9")]).expect("configured");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "active moved from 8080 to 9");
    assert_eq!(sim.unit("web/0").expect("a unit").ports, ["9/tcp"]);
}

// The machine: its addresses, its restart.

fn restarting() -> App {
    App::new(Charm::default()).handler(restart, on(HookEvent::Install)).handler(go_on, on(HookEvent::Start))
}

fn restart(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.set(READY);
    hook.status(Maintenance("restarting"));
    hook.reboot();
    Ok(())
}

fn go_on(hook: &mut Hook) -> Result<(), HandlerError> {
    assert!(hook.is_set(&READY), "the dispatch before was kept");
    hook.status(Active("went on"));
    Ok(())
}

#[test]
fn after_a_restart_the_unit_goes_on() {
    let sim = deployed("name: web", restarting, &Deployment::units(1));
    assert_eq!(shown(&sim, "web/0"), "active went on");
    assert_eq!(sim.transcript().matches("juju-reboot").count(), 1, "{}", sim.transcript());
}

fn restarting_now() -> App {
    App::new(Charm::default()).handler(restart_now, on(HookEvent::Install))
}

fn restart_now(hook: &mut Hook) -> Result<(), HandlerError> {
    let folder = hook.context().charm_dir.clone();
    if !folder.join("restarted").exists() {
        lay_out(&folder, &[("restarted", "")]);
        hook.set(READY);
        hook.reboot_now()?;
    }
    assert!(!hook.is_set(&READY), "nothing of the first one is kept");
    hook.status(Active("restarted in the middle"));
    Ok(())
}

#[test]
fn a_restart_in_the_middle_of_a_hook_runs_it_again() {
    let sim = deployed("name: web", restarting_now, &Deployment::units(1));
    assert_eq!(shown(&sim, "web/0"), "active restarted in the middle");
    assert_eq!(sim.transcript().matches("killed for a reboot").count(), 1, "{}", sim.transcript());
}

pub(crate) const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");
pub(crate) const WITH_DB: &str = "name: web\nrequires:\n  db: {interface: mysql}\n";
pub(crate) const MYSQL: &str = "name: mysql\nprovides:\n  server: {interface: mysql}\n";

fn addressed() -> App {
    App::new(Charm::default().endpoint(DB)).handler(tell_address, none([Flag::new("never")]))
}

fn tell_address(hook: &mut Hook) -> Result<(), HandlerError> {
    let network = hook.network("db")?;
    if hook.data_changed("network", &*network)? {
        let address = network.ingress_address().unwrap_or_default().to_owned();
        hook.status(Active(format!("listens on {address}")));
        for relation in &hook.endpoint(DB).relations()? {
            let own = relation.network()?;
            relation.to_publish().set_text("host", own.bind_address().unwrap_or_default())?;
        }
    }
    Ok(())
}

#[test]
fn another_address_is_seen() {
    let mut sim = deployed(WITH_DB, addressed, &Deployment::units(1));
    let first = shown(&sim, "web/0");
    assert!(first.starts_with("active listens on 10."), "{first}");
    sim.deploy("mysql", InProcess::from_yaml(MYSQL, |_, _| 0), 1).expect("deployed");
    let relation = sim.relate("web", "mysql").expect("related");
    settle(&mut sim);
    sim.set_address("web/0", Ipv4Addr::new(10, 9, 8, 7)).expect("a unit");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "active listens on 10.9.8.7");
    assert_eq!(sim.unit_databag(relation, "web/0").expect("a databag").text("host"), Some("10.9.8.7"));
}

#[test]
fn what_is_read_twice_is_asked_once() {
    fn read(hook: &mut Hook) -> Result<(), HandlerError> {
        for _ in 0..2 {
            assert_eq!(hook.network("db")?.egress_subnets.len(), 1);
            assert!(hook.storage("data")?.is_empty());
            assert_eq!(hook.goal_state()?.planned_units(), [hook.context().unit.clone()]);
            assert!(hook.resource("image")?.ends_with("image.txt"));
            assert_eq!(hook.credential()?.region, "localhost");
        }
        Ok(())
    }
    let app = || App::new(Charm::default().endpoint(DB)).handler(read, on(HookEvent::UpdateStatus));
    let metadata = format!(
        "{WITH_DB}storage:\n  data: {{type: filesystem, multiple: {{range: 0-1}}}}\nresources:\n  image: {{type: file, filename: image.txt}}\n"
    );
    let deployment = Deployment::units(1).resource("image", "an image").trust();
    let mut sim = deployed(&metadata, app, &deployment);
    let before = sim.commands_asked();
    sim.update_status("web/0").expect("a unit");
    settle(&mut sim);
    let names = ["state-get", "network-get", "storage-list", "goal-state", "resource-get", "credential-get"];
    assert_eq!(sim.commands_asked() - before, names.len(), "{}", sim.transcript());
}

fn with_ports() -> App {
    App::new(Charm::default().endpoint(DB))
        .handler(open, on(HookEvent::Start))
        .handler(close, on(HookEvent::UpdateStatus))
}

fn open(hook: &mut Hook) -> Result<(), HandlerError> {
    let db = EndpointName::parse("db")?;
    hook.open_port("8000-8010/udp");
    hook.open_port("ICMP");
    hook.open_port("80");
    hook.open_port_for("443/tcp", &[db]);
    Ok(())
}

fn close(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.open_port("80/tcp");
    hook.open_port_for("80", &[EndpointName::parse("db")?]);
    hook.close_port("icmp");
    hook.close_port("443");
    Ok(())
}

#[test]
fn ports_are_opened_for_endpoints_and_in_ranges() {
    let mut sim = deployed(WITH_DB, with_ports, &Deployment::units(1));
    assert_eq!(
        sim.unit("web/0").expect("a unit").ports.len(),
        4,
        "{:?}",
        sim.unit("web/0").expect("a unit").ports
    );
    let before = sim.commands_asked();
    sim.update_status("web/0").expect("a unit");
    settle(&mut sim);
    assert_eq!(sim.unit("web/0").expect("a unit").ports, ["80/tcp", "8000-8010/udp"]);
    let asked: Vec<&str> = vec!["state-get", "opened-ports", "close-port", "close-port", "juju-log"];
    assert_eq!(sim.commands_asked() - before, asked.len(), "{}", sim.transcript());
}

// Actions.

fn acting() -> App {
    App::new(Charm::default()).action(GROW, |hook, Nothing| {
        hook.set(READY);
        hook.action_log("looking for the image")?;
        hook.resource("image")?;
        Ok(())
    })
}

#[test]
fn an_obstacle_in_an_action_is_its_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(folder.path(), &[("metadata.yaml", RESOURCE), ("actions.yaml", "grow: {}\n")]);
    let mut sim = sim();
    sim.deploy("web", in_process(acting).folder(folder.path()), 1).expect("deployed");
    settle(&mut sim);
    let result = sim.run_action("web/0", "grow", Value::Null).expect("an action");
    assert_eq!(result.status, "failed");
    assert!(result.message.contains("juju attach-resource web image=FILE"), "{}", result.message);
    assert_eq!(result.log, ["looking for the image"]);
    assert_eq!(flags(&sim, "web/0"), "[]");
}
