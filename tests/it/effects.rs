//! A charm with every kind of effect, with a fault at every hook command: files, ports, versions, statuses of
//! unit and application, kept texts, relation data of unit and application.

use charms_reactive::prelude::*;
use charms_reactive::{Endpoint, EndpointKey, HookEvent, Role, Store};
use charms_reactive_testkit::{Change, Sim, Verdict, every_command, in_process};

const METADATA: &str = "name: web\npeers:\n  ring: {interface: ring}\n";
const RING: EndpointKey<Endpoint> = EndpointKey::new("ring", Role::Peer, "ring");
const INSTALLED: Flag = Flag::new("web.installed");
const SERVING: Flag = Flag::new("web.serving");

fn app() -> App {
    App::new(Charm::default().endpoint(RING))
        .handler(install, none([INSTALLED]))
        .handler(serve, when(RING.joined()).and_not(SERVING))
        .handler(stop, on(HookEvent::Stop))
}

fn app_with_file() -> App {
    app().store(Store::File)
}

fn install(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.write_file("etc/web.conf", "port = 80\n", 0o644);
    hook.write_file("etc/web.key", "KEY", 0o600);
    hook.workload_version("1.2");
    hook.set(INSTALLED);
    hook.status(Waiting("waiting for peers"));
    Ok(())
}

fn serve(hook: &mut Hook) -> Result<(), HandlerError> {
    let ring = hook.endpoint(RING);
    for relation in ring.relations()? {
        relation.to_publish().set("serving", "yes")?;
    }
    hook.remove_file("etc/web.key");
    hook.open_port("80/tcp");
    hook.keep("served", Some("once"));
    if hook.is_leader()? {
        hook.application_status(Active("the ring is closed"));
    }
    hook.set(SERVING);
    hook.status(Active("serving"));
    Ok(())
}

fn stop(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.close_port("80/tcp");
    hook.remove_file("etc/web.conf");
    Ok(())
}

fn check(app: fn() -> App, fault: &Verdict) {
    let new = || {
        let mut sim = Sim::from_seed(3);
        sim.deploy("web", in_process(app).metadata(METADATA), 2).expect("deployed");
        sim
    };
    let covered = every_command(fault, new, |sim| {
        assert_eq!(sim.settle().expect("settled").failed, [], "{}", sim.transcript());
        sim.remove_unit("web/1").expect("removed");
        assert_eq!(sim.settle().expect("settled").failed, [], "{}", sim.transcript());
    });
    let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
    assert!(covered.commands > 40, "{covered:?}");
}

#[test]
fn a_kill_is_borne() {
    check(app, &Verdict::Kill);
}

#[test]
fn a_refusal_is_borne() {
    check(app, &Verdict::refuse("connection is shut down"));
}

#[test]
fn another_address_is_borne() {
    // Another one each time: the addresses themselves differ from the run without fault.
    let new = || {
        let mut sim = Sim::from_seed(3);
        sim.deploy("web", in_process(app).metadata(METADATA), 2).expect("deployed");
        sim
    };
    let commands = {
        let mut sim = new();
        sim.settle().expect("settled");
        sim.commands_asked()
    };
    for at in 0..commands {
        let mut sim = new();
        sim.rule(
            move |command| {
                if command.total == at { Verdict::Change(Change::ChangeAddress) } else { Verdict::Run }
            },
        )
        .keep();
        assert_eq!(sim.settle().expect("settled").failed, []);
        for unit in ["web/0", "web/1"] {
            let databag = sim.unit_databag(0, unit).expect("a databag");
            let address = sim.unit(unit).expect("a unit").address;
            assert_eq!(databag.text("private-address"), Some(address.as_str()), "{}", sim.transcript());
        }
    }
}

#[test]
fn a_kill_is_borne_with_the_state_in_a_file() {
    check(app_with_file, &Verdict::Kill);
}
