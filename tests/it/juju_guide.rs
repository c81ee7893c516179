//! The blocks of docs/juju.md, one module each: they compile, and are charms that live.

#![expect(unreachable_pub, reason = "as a charm writes them")]

use charms_reactive_testkit::{Deployment, Sim, in_process};

pub(super) mod obstacles {
    use charms_reactive::prelude::*;

    pub fn app() -> App {
        App::new(Charm::default()).handler(install, once()).handler(licence, on(HookEvent::Start))
    }

    fn install(hook: &mut Hook) -> Result<(), HandlerError> {
        // blocked: attach resource: juju attach-resource web image=FILE
        let image = hook.resource("image")?;
        hook.write_file("/srv/web/image", std::fs::read(image)?, 0o644);
        hook.status(Active("installed"));
        Ok(())
    }

    fn licence(hook: &mut Hook) -> Result<(), HandlerError> {
        if hook.kept("licence").is_none() {
            return Err(Obstacle::new(Blocked("give a licence: juju run web/0 set-licence")).into());
        }
        Ok(())
    }
}

pub(super) mod options {
    use charms_reactive::charm::{FromConfig, ValueError, typed_value};
    use charms_reactive::prelude::*;
    use charms_reactive::serde_json::{Map, Value};

    pub fn app() -> App {
        App::new(Charm::default()).keep_options().handler(listen, on(HookEvent::ConfigChanged))
    }

    /// `charm!` makes such a type of all options.
    struct Config {
        port: u16,
    }

    impl FromConfig for Config {
        fn from_config(config: &Map<String, Value>) -> Result<Self, ValueError> {
            Ok(Self { port: typed_value(config, "port", "a port")? })
        }
    }

    fn listen(hook: &mut Hook) -> Result<(), HandlerError> {
        let config: Config = hook.config()?;
        if let Some(before) = hook.config_before::<Config>() {
            hook.close_port(&format!("{}/tcp", before.port));
        }
        hook.open_port(&format!("{}/tcp", config.port));
        Ok(())
    }
}

pub(super) mod actions {
    use charms_reactive::charm::{ActionKey, FromParameters, ValueError, typed_value};
    use charms_reactive::prelude::*;
    use charms_reactive::serde_json::{Map, Value};

    /// `charm!` makes this, and the type, of actions.yaml.
    const BACKUP: ActionKey<Backup> = ActionKey::new("backup");

    struct Backup {
        target: String,
    }

    impl FromParameters for Backup {
        fn from_parameters(parameters: &Map<String, Value>) -> Result<Self, ValueError> {
            Ok(Self { target: typed_value(parameters, "target", "a text")? })
        }
    }

    pub fn app() -> App {
        App::new(Charm::default()).action(BACKUP, backup)
    }

    fn backup(hook: &mut Hook, Backup { target }: Backup) -> Result<(), HandlerError> {
        if target.is_empty() {
            return Err("give a target".into());
        }
        hook.action_log("half way")?;
        hook.action_result("backup.target", target);
        Ok(())
    }
}

pub(super) mod secrets {
    use charms_reactive::hookcmd::commands::Rotation;
    use charms_reactive::prelude::*;
    use charms_reactive::secret::SecretChange;
    use charms_reactive::{Endpoint, EndpointKey, Role, SecretEvent};

    const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Provides, "mysql");
    const PUBLISHED: Flag = Flag::new("db.published");

    pub fn app() -> App {
        App::new(Charm::default().endpoint(DB))
            .handler(log_in, on(HookEvent::ConfigChanged))
            .handler(follow, on(HookEvent::Secret(SecretEvent::Changed)))
            .handler(publish, all([DB.joined(), IS_LEADER]).and_not(PUBLISHED))
            .handler(rotate, on(HookEvent::Secret(SecretEvent::Rotate)))
            .handler(tidy, on(HookEvent::Secret(SecretEvent::Remove)))
    }

    /// A secret of an operator's: `juju config web password=secret:...`.
    fn log_in(hook: &mut Hook) -> Result<(), HandlerError> {
        if let Some(secret) = hook.config_secret("password")? {
            let content = secret.labelled("password").get()?;
            hook.write_file("/etc/web/password", content["password"].as_bytes(), 0o600);
        }
        Ok(())
    }

    /// There is a newer revision.
    fn follow(hook: &mut Hook) -> Result<(), HandlerError> {
        if hook.context().secret_label.as_deref() == Some("password") {
            let content = hook.secret_by_label("password").refresh()?;
            hook.write_file("/etc/web/password", content["password"].as_bytes(), 0o600);
        }
        Ok(())
    }

    fn publish(hook: &mut Hook) -> Result<(), HandlerError> {
        let secret =
            SecretChange::new([("password", "chosen by chance")]).label("db").rotate(Rotation::Monthly);
        let id = hook.add_secret(secret);
        for relation in &hook.endpoint(DB).relations()? {
            hook.grant_secret(&id, relation.relation_id());
            relation.to_publish_app().set_text("secret", &id)?;
        }
        hook.keep("secret", Some(&id));
        hook.set(PUBLISHED);
        Ok(())
    }

    fn rotate(hook: &mut Hook) -> Result<(), HandlerError> {
        let id = hook.kept("secret").unwrap_or_default();
        hook.set_secret(&id, SecretChange::new([("password", "chosen anew")]));
        Ok(())
    }

    /// Nobody reads this revision any more.
    fn tidy(hook: &mut Hook) -> Result<(), HandlerError> {
        let (id, revision) = (hook.kept("secret"), hook.context().secret_revision);
        if let (Some(id), Some(revision)) = (id, revision) {
            hook.remove_secret_revision(&id, revision);
        }
        Ok(())
    }
}

pub(super) mod storage {
    use charms_reactive::prelude::*;
    use charms_reactive::{HookEvent, StorageEvent};

    pub fn app() -> App {
        App::new(Charm::default()).handler(
            mount,
            on(HookEvent::Storage { storage: "data".to_owned(), event: StorageEvent::Attached }),
        )
    }

    fn mount(hook: &mut Hook) -> Result<(), HandlerError> {
        let storage = hook.storage("data")?;
        for data in storage.iter() {
            log::info!("{} is a {} at {}", data.id, data.kind, data.location.display());
        }
        if storage.len() < 2 {
            hook.add_storage("data", 1);
        }
        Ok(())
    }
}

pub(super) mod addresses {
    use charms_reactive::prelude::*;
    use charms_reactive::{Endpoint, EndpointKey, EndpointName, Role};

    const WEB: EndpointKey<Endpoint> = EndpointKey::new("web", Role::Provides, "http");

    pub fn app() -> App {
        App::new(Charm::default().endpoint(WEB)).handler(publish, none([Flag::new("web.stopped")]))
    }

    fn publish(hook: &mut Hook) -> Result<(), HandlerError> {
        let network = hook.network("web")?;
        if hook.data_changed("network", &*network)? {
            hook.write_file("/etc/web/listen", network.bind_address().unwrap_or_default(), 0o644);
        }
        for relation in &hook.endpoint(WEB).relations()? {
            // From another model this unit may be reached otherwise than from its own.
            let network = relation.network()?;
            relation.to_publish().set_text("host", network.ingress_address().unwrap_or_default())?;
        }
        hook.open_port("8000-8010/udp");
        hook.open_port("icmp");
        hook.open_port_for("443/tcp", &[EndpointName::parse("web")?]);
        Ok(())
    }
}

pub(super) mod restarts {
    use charms_reactive::prelude::*;

    const RESTARTED: Flag = Flag::new("kernel.restarted");

    pub fn app() -> App {
        App::new(Charm::default()).handler(restart, none([RESTARTED]))
    }

    fn restart(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.status(Maintenance("restarting the machine"));
        hook.set(RESTARTED);
        hook.reboot();
        Ok(())
    }
}

const METADATA: &str = "\
name: web
provides:
  db: {interface: mysql}
  web: {interface: http}
storage:
  data: {type: filesystem, multiple: {range: 0-3}}
resources:
  image: {type: file, filename: image.txt}
";

/// Deploys a charm of the page, and gives the model once it rests.
fn life(app: fn() -> charms_reactive::App) -> Sim {
    let mut sim = Sim::from_seed(7);
    let charm = in_process(app)
        .metadata(METADATA)
        .config("options: {port: {type: int, default: 80}, password: {type: secret}}");
    sim.deploy_with("web", charm, &Deployment::units(1).storage("data", 1)).expect("deployed");
    let settled = sim.settle().expect("a model that comes to rest");
    assert_eq!(settled.failed, [], "{}", sim.transcript());
    sim
}

fn operate(mut sim: Sim) -> Result<(), Box<dyn std::error::Error>> {
    sim.attach_resource("web", "image", "an image")?;
    sim.settle()?;
    let blocked = sim.unit("web/0")?.workload;
    assert_eq!(blocked.message, "give a licence: juju run web/0 set-licence");
    Ok(())
}

#[test]
fn the_charms_of_the_page_live() {
    let shown = |sim: &Sim| sim.unit("web/0").expect("a unit").workload.message;
    // Two handlers are stalled; of equals the last is shown.
    let blocked = life(obstacles::app);
    assert_eq!(shown(&blocked), "give a licence: juju run web/0 set-licence");
    assert!(
        blocked.unit_state("web/0").expect("a unit")["stalled/0"]
            .contains("juju attach-resource web image=FILE")
    );
    operate(blocked).expect("an operator");
    assert_eq!(life(options::app).unit("web/0").expect("a unit").ports, ["80/tcp"]);
    life(actions::app);
    life(secrets::app);
    assert_eq!(life(storage::app).storage().len(), 2);
    assert_eq!(life(addresses::app).unit("web/0").expect("a unit").ports.len(), 3);
    let restarted = life(restarts::app);
    assert_eq!(restarted.transcript().matches("juju-reboot").count(), 1);
}
