//! Every hook command through its typed method, and what came of it.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use charms_reactive::hookcmd::commands::{
    LogLevel, Party, PayloadStatus, PodSpec, Rotation, SecretName, SecretOptions, SecretOwner, SecretReader,
    SecretRevision, UnitAddress,
};
use charms_reactive::hookcmd::{CommandError, Commands as _, HookCommands};
use charms_reactive::{ApplicationName, EndpointName, RelationId, UnitName, WorkloadStatus};

/// The file in the charm directory to which each hook adds.
pub(crate) const TYPED_REPORT: &str = "typed.txt";

/// Written before the process is killed, so that it happens once.
const KILLED: &str = "killed.txt";

/// Written before the machine is restarted after a hook, so that it happens once.
const REBOOTED: &str = "rebooted.txt";

/// What is told: `NAME: Ok(ANSWER)` or `NAME: Err(WORDS)`, a line each.
struct Report(String);

impl Report {
    fn tell<T: Debug>(&mut self, name: &str, answer: Result<T, CommandError>) -> Option<T> {
        let answer = answer.map_err(|error| error.to_string());
        writeln!(self.0, "{name}: {answer:?}").expect("texts can be written");
        answer.ok()
    }
}

/// Runs all commands through their methods, and tells in [`TYPED_REPORT`] what came of each.
pub(crate) fn run_typed(
    commands: &mut dyn HookCommands,
    variable: impl Fn(&str) -> Option<String>,
    dir: &Path,
) {
    let path = variable("JUJU_DISPATCH_PATH").unwrap_or_default();
    let mut report = Report(format!("== {path}\n"));
    if path == "hooks/collect-metrics" {
        report.tell("add-metric", commands.add_metric(&map(&[("users", "5")]), &map(&[("zone", "a")])));
    } else {
        relations(commands, &mut report);
        model(commands, &mut report);
        kept_and_shown(commands, &mut report);
        unit(commands, &mut report);
        secrets(commands, &mut report, dir);
        action(commands, &mut report);
        payloads(commands, &mut report);
        let is_killed = path == "hooks/update-status" && !dir.join(KILLED).exists();
        if is_killed {
            report.tell("storage-add", commands.storage_add("data", 1));
        }
        let is_leader = commands.is_leader().unwrap_or_default();
        if is_leader {
            pod_specs(commands, &mut report, is_killed);
        }
        let is_machine = variable("CLOUD_API_VERSION").unwrap_or_default().is_empty();
        if is_machine && path == "hooks/config-changed" && is_new(&dir.join(REBOOTED)) {
            report.tell("juju-reboot", commands.juju_reboot());
        }
    }
    let root = dir.ancestors().nth(3).unwrap_or(dir).to_string_lossy().into_owned();
    let text = report.0.replace(&root, "ROOT");
    let file = OpenOptions::new().append(true).create(true).open(dir.join(TYPED_REPORT));
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the charm directory is there");
    if path == "hooks/update-status" && is_new(&dir.join(KILLED)) {
        let answer = commands.juju_reboot_now();
        panic!("neither a program nor a function comes this far: {answer:?}");
    }
}

/// Whether a file was not there yet; it is from now on.
fn is_new(path: &Path) -> bool {
    OpenOptions::new().write(true).create_new(true).open(path).is_ok()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

fn ring() -> RelationId {
    RelationId::parse("ring:0").expect("an id")
}

fn name(text: &str) -> EndpointName {
    EndpointName::parse(text).expect("a name")
}

fn relations(commands: &mut dyn HookCommands, report: &mut Report) {
    let own = Party::Unit(UnitName::parse("web/0").expect("a name"));
    let ours = Party::Application(ApplicationName::parse("web").expect("a name"));
    report.tell("relation-ids", commands.relation_ids(&name("ring")));
    report.tell("relation-ids", commands.relation_ids(&name("missing")));
    report.tell("relation-list", commands.relation_list(&ring()));
    report.tell("relation-list", commands.relation_application(&ring()));
    report.tell("relation-set", commands.relation_set(&ring(), false, &map(&[("host", "h"), ("gone", "")])));
    report.tell("relation-set", commands.relation_set(&ring(), true, &map(&[("vip", "\u{e9}t\u{e9}\n=")])));
    report.tell(
        "relation-get",
        commands.relation_get(&ring(), &own).map(|bag| bag.text("host").map(str::to_owned)),
    );
    report.tell("relation-get", commands.relation_get(&ring(), &ours));
    report.tell("relation-model-get", commands.relation_model_get(&ring()).map(|uuid| uuid.len()));
}

fn model(commands: &mut dyn HookCommands, report: &mut Report) {
    report.tell("config-get", commands.config_get());
    report.tell("is-leader", commands.is_leader());
    report.tell("leader-set", commands.leader_set(&map(&[("who", "me")])));
    report.tell("leader-get", commands.leader_get());
    report.tell("goal-state", commands.goal_state());
    report.tell("credential-get", commands.credential_get());
}

fn kept_and_shown(commands: &mut dyn HookCommands, report: &mut Report) {
    report.tell("state-set", commands.state_set(&map(&[("count", "1"), ("other", "two\nlines")])));
    report.tell("state-get", commands.state_get_key("count"));
    report.tell("state-delete", commands.state_delete("count"));
    report.tell("state-get", commands.state_get_key("count"));
    report.tell("state-get", commands.state_get());
    report.tell("status-set", commands.status_set(WorkloadStatus::Active, "-dash \"quoted\""));
    report.tell("status-get", commands.status_get());
    report.tell("status-set", commands.application_status_set(WorkloadStatus::Waiting, ""));
    report.tell("status-get", commands.application_status_get());
    report.tell("application-version-set", commands.application_version_set("1.2"));
    report.tell("juju-log", commands.juju_log(LogLevel::Info, "one\ntwo"));
    report.tell("juju-log", commands.juju_log(LogLevel::Debug, &"x".repeat(150_000)));
}

fn unit(commands: &mut dyn HookCommands, report: &mut Report) {
    report.tell("network-get", commands.network_get("ring", None));
    report.tell("network-get", commands.network_get("ring", Some(&ring())));
    report.tell("network-get", commands.network_get("missing", None));
    report.tell("unit-get", commands.unit_get(UnitAddress::Private));
    report.tell("unit-get", commands.unit_get(UnitAddress::Public));
    report.tell("open-port", commands.open_port("80/tcp", &[]));
    report.tell("open-port", commands.open_port("icmp", &[]));
    report.tell("open-port", commands.open_port("8000/udp", &[name("ring")]));
    report.tell("open-port", commands.open_port("9000-9010", &[]));
    report.tell("opened-ports", commands.opened_ports());
    report.tell("close-port", commands.close_port("80/tcp", &[]));
    report.tell("close-port", commands.close_port("8000/udp", &[name("ring")]));
    report.tell("close-port", commands.close_port("99999", &[]));
    report.tell("opened-ports", commands.opened_ports());
    let ids = report.tell("storage-list", commands.storage_list(None)).unwrap_or_default();
    report.tell("storage-list", commands.storage_list(Some("missing")));
    for id in ids {
        report.tell("storage-get", commands.storage_get(&id));
    }
    report.tell("storage-get", commands.storage_get("data/77"));
    report.tell("storage-add", commands.storage_add("data", 0));
    report.tell("resource-get", commands.resource_get("image"));
    report.tell("resource-get", commands.resource_get("missing"));
}

/// Everything about secrets: what is drawn by chance is not told.
#[expect(clippy::disallowed_methods, reason = "a charm of the tests")]
fn secrets(commands: &mut dyn HookCommands, report: &mut Report, dir: &Path) {
    let file = |text: &str| {
        let path = dir.join("secret.txt");
        std::fs::write(&path, text).expect("the charm directory is there");
        BTreeMap::from([("password".to_owned(), path)])
    };
    let options = SecretOptions {
        label: Some("key".to_owned()),
        description: Some("for tests".to_owned()),
        expire: Some("2100-01-01T00:00:00Z".to_owned()),
        rotate: Some(Rotation::Monthly),
        owner: Some(SecretOwner::Unit),
    };
    let added = commands.secret_add(&options, &file("hunter2\n"));
    let id = added.as_ref().ok().cloned().unwrap_or_default();
    report.tell("secret-add", added.map(|id| id.starts_with("secret:")));
    let bare = id.trim_start_matches("secret:").to_owned();
    let mine = SecretName::Id(id.clone());
    report.tell("secret-get", commands.secret_get(&mine, SecretRevision::Tracked));
    report.tell("secret-get", commands.secret_get(&mine, SecretRevision::Peek));
    report.tell(
        "secret-get",
        commands.secret_get(&SecretName::Label("key".to_owned()), SecretRevision::Refresh),
    );
    let both = SecretName::Labelled { id: id.clone(), label: "key".to_owned() };
    report.tell("secret-get", commands.secret_get(&both, SecretRevision::Tracked));
    report.tell(
        "secret-get",
        commands.secret_get(&SecretName::Id("nonsense".to_owned()), SecretRevision::Peek),
    );
    let changed = SecretOptions { description: Some("changed".to_owned()), ..SecretOptions::default() };
    report.tell("secret-set", commands.secret_set(&id, &changed, &BTreeMap::new()));
    report.tell("secret-set", commands.secret_set(&id, &SecretOptions::default(), &file("other")));
    report.tell("secret-grant", commands.secret_grant(&id, &ring(), None));
    let info = |info: charms_reactive::hookcmd::commands::SecretInfo| {
        let access = info.access.clone();
        (info.id == bare, info.description, info.rotation, info.expiry, info.owner, info.revision, access)
    };
    report.tell("secret-info-get", commands.secret_info_get(&mine).map(&info));
    report.tell(
        "secret-info-get",
        commands.secret_info_get(&SecretName::Label("missing".to_owned())).map(&info),
    );
    let peer = UnitName::parse("web/1").expect("a name");
    report.tell("secret-revoke", commands.secret_revoke(&id, &SecretReader::Relation(ring())));
    report.tell("secret-grant", commands.secret_grant(&id, &ring(), Some(&peer)));
    report.tell("secret-revoke", commands.secret_revoke(&id, &SecretReader::Unit(peer)));
    let own = ApplicationName::parse("web").expect("a name");
    report.tell("secret-revoke", commands.secret_revoke(&id, &SecretReader::Application(own)));
    report.tell("secret-ids", commands.secret_ids().map(|ids| ids.contains(&bare)));
    report.tell("secret-remove", commands.secret_remove(&id, Some(7)));
    report.tell("secret-remove", commands.secret_remove(&id, None));
    report.tell("secret-ids", commands.secret_ids());
    if !bare.is_empty() {
        report.0 = report.0.replace(&bare, "SECRET");
    }
}

fn action(commands: &mut dyn HookCommands, report: &mut Report) {
    report.tell("action-get", commands.action_get());
    report.tell("action-log", commands.action_log("half way"));
    report.tell("action-set", commands.action_set(&map(&[("answer.depth", "3")])));
    report.tell("action-fail", commands.action_fail("-because"));
}

fn payloads(commands: &mut dyn HookCommands, report: &mut Report) {
    report.tell("payload-register", commands.payload_register("docker", "engine", "a1", &["big"]));
    let status = commands.payload_status_set("engine", "a1", PayloadStatus::Stopping);
    report.tell("payload-status-set", status);
    report.tell("payload-unregister", commands.payload_unregister("engine", "a1"));
}

/// The two kinds exclude each other: the other one is for a hook that is killed before its end.
fn pod_specs(commands: &mut dyn HookCommands, report: &mut Report, is_killed: bool) {
    let kinds = [
        (PodSpec::Juju, "k8s-spec-set", "k8s-spec-get"),
        (PodSpec::Old, "pod-spec-set", "pod-spec-get"),
        (PodSpec::Raw, "k8s-raw-set", "k8s-raw-get"),
    ];
    for (kind, set, get) in kinds {
        if kind != PodSpec::Raw || is_killed {
            report.tell(set, commands.pod_spec_set(kind, "version: 3\n"));
        }
        report.tell(get, commands.pod_spec_get(kind));
    }
}
