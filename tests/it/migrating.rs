//! The blocks of docs/migrating-from-python.md, one module each: they compile, and are charms.

#![expect(unreachable_pub, reason = "as a charm writes them")]

pub(super) mod list {
    use charms_reactive::charm::OptionKey;
    use charms_reactive::prelude::*;

    const INSTALLED: Flag = Flag::new("web.installed");
    const STOPPED: Flag = Flag::new("web.stopped");
    const PORT: OptionKey = OptionKey::new("port");

    pub fn app() -> App {
        App::new(Charm::default())
            .handler(install, none([INSTALLED]))
            .handler(configure, all([INSTALLED, PORT.changed()]).and_not(STOPPED))
    }

    fn install(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set(INSTALLED);
        Ok(())
    }

    fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.write_file("/etc/nginx/conf.d/web.conf", "listen 80;\n", 0o644);
        Ok(())
    }
}

pub(super) mod conditions {
    use charms_reactive::prelude::*;

    const INSTALLED: Flag = Flag::new("web.installed");
    const STALE: Flag = Flag::new("web.stale");

    pub fn app() -> App {
        App::new(Charm::default())
            .trigger(set(CONFIG_CHANGED).sets(STALE))
            .handler(upgrade, on(HookEvent::UpgradeCharm).or_on(HookEvent::Start).and(INSTALLED))
    }

    fn upgrade(hook: &mut Hook) -> Result<(), HandlerError> {
        if hook.warn_unless("upgrade", &[STALE]) {
            hook.clear(STALE);
        }
        Ok(())
    }
}

pub(super) mod memory {
    use charms_reactive::prelude::*;

    pub fn app() -> App {
        App::new(Charm::default())
            .handler(configure, on(HookEvent::ConfigChanged))
            .handler(restart, files_changed(["/etc/web.conf"]))
            .handler(create_database, once())
    }

    fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.write_file("/etc/web.conf", "port = 80\n", 0o644);
        Ok(())
    }

    fn restart(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.after_files("restart", || Ok(()));
        Ok(())
    }

    fn create_database(hook: &mut Hook) -> Result<(), HandlerError> {
        let hosts = ["10.0.0.1", "10.0.0.2"];
        if hook.data_changed("hosts", &hosts)? {
            hook.keep("hosts", Some(&hosts.join(" ")));
        }
        Ok(())
    }
}

pub(super) mod leadership {
    use charms_reactive::LeaderKey;
    use charms_reactive::prelude::*;

    const PASSWORD: LeaderKey = LeaderKey::new("password");

    pub fn app() -> App {
        App::new(Charm::default())
            .handler(choose_password, when(IS_LEADER).and_not(PASSWORD.set()))
            .handler(use_password, when(PASSWORD.changed()))
    }

    fn choose_password(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.set_leader_setting(PASSWORD.name(), "chosen by chance")?;
        Ok(())
    }

    fn use_password(hook: &mut Hook) -> Result<(), HandlerError> {
        let password = hook.leader_setting(PASSWORD.name())?.unwrap_or_default();
        hook.write_file("/etc/web.password", password, 0o600);
        Ok(())
    }
}

pub(super) mod endpoints {
    use charms_reactive::prelude::*;
    use charms_reactive::{Endpoint, EndpointKey, Role};

    const DB: EndpointKey<Endpoint> = EndpointKey::new("db", Role::Requires, "mysql");

    pub fn app() -> App {
        App::new(Charm::default().endpoint(DB)).handler(changed, when(DB.changed()))
    }

    fn changed(hook: &mut Hook) -> Result<(), HandlerError> {
        let db = hook.endpoint(DB);
        for unit in &db.all_joined_units()? {
            let received = unit.received()?;
            let (host, port) = (received.text("host"), received.parse::<u16>("port")?);
            log::info!("{} is {host:?}, {port:?}", unit.unit_name());
        }
        for unit in &db.all_departed_units().list() {
            log::info!("{} has left, its last port was {:?}", unit.unit_name(), unit.received()?.get("port"));
        }
        db.all_departed_units().clear();
        let is_leader = hook.is_leader()?;
        for relation in &db.relations()? {
            relation.to_publish().set("ready", true)?;
            if is_leader {
                relation.to_publish_app().set_text("vip", "10.0.0.100")?;
            }
        }
        db.clear_changed();
        Ok(())
    }
}

pub(super) mod jobs {
    use charms_reactive::prelude::*;
    use charms_reactive::{EndpointKey, Role};
    use prometheus_manual::{PrometheusManualProvides, PrometheusManualRequires, RequiresFlags as _};
    use serde_json::json;

    const PROMETHEUS: EndpointKey<PrometheusManualProvides> =
        EndpointKey::new("prometheus", Role::Provides, "prometheus-manual");
    const JOBS: EndpointKey<PrometheusManualRequires> =
        EndpointKey::new("manual-jobs", Role::Requires, "prometheus-manual");

    pub fn app() -> App {
        App::new(Charm::default().endpoint(PROMETHEUS).endpoint(JOBS))
            .handler(register, when(PROMETHEUS.joined()))
            .handler(take, when(JOBS.new_jobs()))
    }

    fn register(hook: &mut Hook) -> Result<(), HandlerError> {
        let data = json!({"static_configs": [{"targets": ["10.0.0.5:9100"]}]});
        let data = data.as_object().cloned().unwrap_or_default();
        let prometheus = hook.endpoint(PROMETHEUS);
        prometheus.register_job("node", data).ca_cert("").client_cert("").client_key("").send()?;
        Ok(())
    }

    fn take(hook: &mut Hook) -> Result<(), HandlerError> {
        for job in hook.endpoint(JOBS).new_jobs()? {
            match job.check() {
                Ok(()) => job.accept()?,
                Err(error) => job.refuse(&error.to_string())?,
            }
        }
        Ok(())
    }
}

pub(super) mod interfaces {
    use charms_reactive::prelude::*;
    use charms_reactive::{Endpoint, Interface, Manage, Role};

    pub struct MysqlRequires(Endpoint);

    impl Interface for MysqlRequires {
        const INTERFACE: &'static str = "mysql";
        const ROLE: Option<Role> = Some(Role::Requires);

        fn new(endpoint: Endpoint) -> Self {
            Self(endpoint)
        }
    }

    impl Manage for MysqlRequires {
        fn manage_flags(&self) -> Result<(), HandlerError> {
            // Goes by what changed, rather than read every unit in every dispatch.
            self.0.toggle_flag("available", self.0.is_joined() && self.0.is_flag_set("changed.password"));
            Ok(())
        }
    }

    impl MysqlRequires {
        pub fn password(&self) -> Result<Option<String>, HandlerError> {
            let received = self.0.all_joined_units()?.received_raw()?;
            Ok(received.text("password").map(str::to_owned))
        }
    }
}

pub(super) mod programs {
    use charms_reactive::prelude::*;

    pub fn app() -> App {
        App::new(Charm::default()).external_handlers()
    }
}

pub(super) mod import {
    use charms_reactive::prelude::*;
    use charms_reactive_import::FromPython;

    pub fn app() -> App {
        App::new(Charm::default())
            .import(FromPython::new().handler("install_packages", "install"))
            .handler(install, once())
    }

    fn install(_: &mut Hook) -> Result<(), HandlerError> {
        Ok(())
    }
}

#[test]
fn the_blocks_of_the_guide_are_charms() {
    use charms_reactive::{EndpointKey, Role};
    const DB: EndpointKey<interfaces::MysqlRequires> = EndpointKey::new("db", Role::Requires, "mysql");
    let _: fn(&interfaces::MysqlRequires) -> _ = interfaces::MysqlRequires::password;
    assert_eq!(DB.joined().to_string(), "endpoint.db.joined");
    let looks_at =
        |app: fn() -> charms_reactive::App| app().flags().into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(looks_at(list::app), "config.changed.port web.installed web.stopped");
    assert_eq!(looks_at(conditions::app), "config.changed web.installed");
    assert_eq!(
        looks_at(leadership::app),
        "leadership.changed.password leadership.is_leader leadership.set.password"
    );
    assert_eq!(looks_at(endpoints::app), "endpoint.db.changed");
    assert_eq!(looks_at(jobs::app), "endpoint.manual-jobs.new_jobs endpoint.prometheus.joined");
    for app in [memory::app, programs::app, import::app] {
        assert_eq!(looks_at(app), "");
    }
}
