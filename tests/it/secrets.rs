//! Secrets: those that an operator grants, and those of a charm's own.

use charms_reactive::hookcmd::commands::{SecretOwner, SecretReader};
use charms_reactive::prelude::*;
use charms_reactive::secret::SecretChange;
use charms_reactive::{Endpoint, EndpointKey, Role, SecretEvent};
use charms_reactive_testkit::{Sim, Verdict, every_command, in_process};

use super::unit::{DB, MYSQL, WITH_DB, charm_with_options, metadata_with_options, settle, shown, sim};

fn with_secret() -> App {
    App::new(Charm::new(metadata_with_options()))
        .handler(configure, when(CONFIG_CHANGED))
        .handler(refresh, on(HookEvent::Secret(SecretEvent::Changed)))
}

fn configure(hook: &mut Hook) -> Result<(), HandlerError> {
    match hook.config_secret("password")? {
        None => hook.status(Blocked("name a secret: juju config web password=SECRET")),
        Some(secret) => {
            let password = secret.get()?["password"].clone();
            hook.status(Active(format!("logs in with {password}")));
        }
    }
    Ok(())
}

fn refresh(hook: &mut Hook) -> Result<(), HandlerError> {
    let id = hook.context().secret_id.clone().expect("a hook of a secret");
    let secret = hook.secret(&id);
    assert_eq!(secret.get()?["password"], "hunter2", "it tracks what it read");
    assert_eq!(secret.peek()?["password"], "hunter3");
    assert_eq!(secret.get()?["password"], "hunter2", "looking changes nothing");
    assert_eq!(secret.refresh()?["password"], "hunter3");
    assert_eq!(secret.get()?["password"], "hunter3");
    hook.status(Active("knows the new one"));
    Ok(())
}

#[test]
fn a_secret_of_an_operator_is_read_once_it_is_granted_and_followed() {
    let mut sim = sim();
    sim.deploy("web", charm_with_options(with_secret), 1).expect("deployed");
    settle(&mut sim);
    let id = sim.add_secret(&[("password", "hunter2")]).expect("a secret");
    sim.configure("web", &[("password", &id)]).expect("configured");
    settle(&mut sim);
    let bare = id.trim_start_matches("secret:");
    let blocked = format!("blocked grant the secret of option `password`: juju grant-secret {bare} web");
    assert_eq!(shown(&sim, "web/0"), blocked);
    // Granting runs no hook; the next one that comes is as good as any.
    sim.grant_secret(&id, "web").expect("granted");
    sim.update_status("web/0").expect("a unit");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "active logs in with hunter2");
    sim.update_secret(&id, &[("password", "hunter3")]).expect("updated");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "active knows the new one");
    // A secret that is not there.
    sim.remove_secret(&id).expect("removed");
    sim.configure("web", &[("port", "81")]).expect("configured");
    settle(&mut sim);
    let blocked = format!(
        "blocked no secret for option `password`, or none that is granted: juju grant-secret {bare} web"
    );
    assert_eq!(shown(&sim, "web/0"), blocked);
}

const ASKED: Flag = Flag::new("db.asked");
const LABEL: &str = "db-password";

fn server_app() -> App {
    const SERVER: EndpointKey<Endpoint> = EndpointKey::new("server", Role::Provides, "mysql");
    fn publish(hook: &mut Hook) -> Result<(), HandlerError> {
        let id = hook.add_secret(
            SecretChange::new([("password", "hunter2")])
                .label(LABEL)
                .description("for those who log in")
                .owner(SecretOwner::Application),
        );
        assert_eq!(hook.secret(&id).get()?["password"], "hunter2", "own writes are seen at once");
        assert!(hook.secret_by_label(LABEL).find()?.is_some());
        for relation in &hook.endpoint(SERVER).relations()? {
            hook.grant_secret(&id, relation.relation_id());
            relation.to_publish_app().set_text("secret", &id)?;
        }
        hook.keep("secret", Some(&id));
        hook.set(ASKED);
        Ok(())
    }
    fn rotate(hook: &mut Hook) -> Result<(), HandlerError> {
        let id = hook.kept("secret").unwrap_or_default();
        let info = hook.secret(&id).info()?.ok_or("it is ours")?;
        assert_eq!((info.label.as_str(), info.access.len()), (LABEL, 1));
        match info.revision {
            1 => hook.set_secret(&id, SecretChange::new([("password", "hunter3")])),
            2 => {
                let relation = hook.endpoint(SERVER).relations()?[0].relation_id().clone();
                hook.revoke_secret(&id, SecretReader::Relation(relation));
                hook.set_secret(&id, SecretChange::new([("password", "hunter4")]).description("last"));
            }
            revision => return Err(format!("revision {revision}").into()),
        }
        Ok(())
    }
    fn end(hook: &mut Hook) -> Result<(), HandlerError> {
        let id = hook.kept("secret").unwrap_or_default();
        hook.remove_secret(&id);
        assert!(hook.secret(&id).find()?.is_none());
        hook.keep("secret", None);
        Ok(())
    }
    App::new(Charm::default().endpoint(SERVER))
        .handler(publish, all([SERVER.joined(), IS_LEADER]).and_not(ASKED))
        .handler(rotate, on(HookEvent::UpdateStatus).and(ASKED))
        .handler(end, on(SERVER.hook(RelationEvent::Broken)))
}

fn client_app() -> App {
    fn log_in(hook: &mut Hook) -> Result<(), HandlerError> {
        for relation in &hook.endpoint(DB).relations()? {
            let model = hook.model_of(relation.relation_id())?;
            assert_eq!(Some(model), hook.context().model_uuid);
            let goal = hook.goal_state()?;
            assert_eq!(goal.relations[&DB.name()].units.len(), 1);
            if let Some(id) = relation.received_app()?.text("secret") {
                let password = hook.secret(id).labelled("theirs").get()?["password"].clone();
                hook.status(Active(format!("logs in with {password}")));
            }
        }
        Ok(())
    }
    fn refresh(hook: &mut Hook) -> Result<(), HandlerError> {
        assert_eq!(hook.context().secret_label.as_deref(), Some("theirs"));
        let password = hook.secret_by_label("theirs").refresh()?["password"].clone();
        hook.keep("refreshed", Some(&password));
        assert_eq!(hook.event(), &HookEvent::Secret(SecretEvent::Changed));
        Ok(())
    }
    App::new(Charm::default().endpoint(DB))
        .handler(refresh, on(HookEvent::Secret(SecretEvent::Changed)).and(DB.joined()))
        .handler(log_in, when(DB.joined()).and_not(Flag::new("never")))
}

fn related() -> Sim {
    let mut sim = sim();
    sim.deploy("web", in_process(client_app).metadata(WITH_DB), 1).expect("deployed");
    sim.deploy("mysql", in_process(server_app).metadata(MYSQL), 1).expect("deployed");
    sim
}

fn life(sim: &mut Sim) {
    let relation = sim.relate("web", "mysql").expect("related");
    settle(sim);
    sim.update_status("mysql/0").expect("a unit");
    settle(sim);
    sim.update_status("mysql/0").expect("a unit");
    settle(sim);
    sim.remove_relation(relation).expect("removed");
    settle(sim);
}

#[test]
fn a_secret_of_ours_is_granted_changed_taken_back_and_removed() {
    let mut sim = related();
    let relation = sim.relate("web", "mysql").expect("related");
    settle(&mut sim);
    let databag = sim.application_databag(relation, "mysql").expect("a databag");
    let id = databag.text("secret").expect("published").to_owned();
    assert_eq!(id.len(), "secret:".len() + 20, "{id}");
    assert_eq!(sim.unit_state("mysql/0").expect("a unit")["charm/secret"], id);
    assert_eq!(sim.operator().secrets(), std::slice::from_ref(&id));
    assert_eq!(shown(&sim, "web/0"), "active logs in with hunter2");
    sim.update_status("mysql/0").expect("a unit");
    settle(&mut sim);
    assert!(sim.transcript().contains("logs in with hunter3"), "{}", sim.transcript());
    sim.update_status("mysql/0").expect("a unit");
    settle(&mut sim);
    sim.update_status("web/0").expect("a unit");
    settle(&mut sim);
    let told = shown(&sim, "web/0");
    assert!(told.starts_with("waiting secret") && told.ends_with("is not granted to web"), "{told}");
    sim.remove_relation(relation).expect("removed");
    settle(&mut sim);
    assert!(sim.operator().secrets().is_empty());
    // There is nobody to log in to, and nothing to wait for.
    assert!(shown(&sim, "web/0").starts_with("active"), "{}", shown(&sim, "web/0"));
    let folder = sim.charm_dir("mysql/0").expect("a unit").join(".charms-reactive-secrets");
    assert_eq!(std::fs::read_dir(folder).expect("made").count(), 0, "no secret is left in a file");
}

#[test]
fn secrets_are_part_of_the_transaction() {
    let new = || {
        let mut sim = related();
        settle(&mut sim);
        sim
    };
    for fault in [Verdict::Kill, Verdict::refuse("connection is shut down")] {
        let covered = every_command(&fault, new, life);
        let covered = covered.unwrap_or_else(|broken| panic!("{broken}\n{}", broken.transcript));
        assert!(covered.commands > 60, "{}", covered.commands);
    }
}

/// What a neighbour may publish in place of the id of a secret.
const NONSENSE: [&str; 5] = ["secret:nonsense", "--label", "-", "", "9m4e2mr0ui3e8a215n4g"];

#[test]
fn what_is_no_secret_is_not_there() {
    fn look(hook: &mut Hook) -> Result<(), HandlerError> {
        for id in NONSENSE {
            assert!(hook.secret(id).find()?.is_none(), "{id}");
        }
        assert!(hook.secret_by_label("none").find()?.is_none());
        assert!(hook.secret_by_label("none").info()?.is_none());
        hook.secret("secret:nonsense").get()?;
        Ok(())
    }
    let app = || App::new(Charm::default()).handler(look, on(HookEvent::Start));
    let mut sim = sim();
    sim.deploy("web", in_process(app).metadata("name: web"), 1).expect("deployed");
    settle(&mut sim);
    assert_eq!(shown(&sim, "web/0"), "waiting secret `nonsense` is not there");
}

#[test]
fn a_key_is_no_path_and_what_juju_refuses_leaves_no_file() {
    fn add(hook: &mut Hook) -> Result<(), HandlerError> {
        hook.add_secret(SecretChange::new([("../escape", "hunter2")]));
        Ok(())
    }
    let app = || App::new(Charm::default()).handler(add, on(HookEvent::Start));
    let mut sim = sim();
    sim.deploy("web", in_process(app).metadata("name: web"), 1).expect("deployed");
    let settled = sim.settle().expect("settled");
    assert_eq!(settled.failed.len(), 1, "{}", sim.transcript());
    let charm = sim.charm_dir("web/0").expect("a unit");
    assert!(!charm.join("escape").exists());
    let left = std::fs::read_dir(charm.join(".charms-reactive-secrets")).expect("made").count();
    assert_eq!(left, 0, "no secret is left in a file");
}

#[test]
fn the_content_of_a_secret_is_not_shown() {
    let change = SecretChange::new([("password", "hunter2")]).label("db");
    let told = format!("{change:?}");
    assert!(told.contains("password") && !told.contains("hunter2"), "{told}");
}
