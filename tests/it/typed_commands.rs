//! Every hook command of Juju through its typed method: each is there, the simulator serves it, and all
//! backends bring the same typed answer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use charms_reactive::hookcmd::program::{COMMANDS, Line};
use charms_reactive_testkit::{CharmSource, Deployment, InProcess, JujuVersion, Sim};

#[path = "../support/typed_list.rs"]
mod typed_list;

const METADATA: &str = "\
name: web
summary: runs every hook command
description: See tests/support/typed_list.rs.
peers:
  ring: {interface: ring}
storage:
  data: {type: filesystem, multiple: {range: 0-3}}
resources:
  image: {type: file, filename: image.txt}
payloads:
  engine: {type: docker}
";
const ACTIONS: &str = "report: {params: {depth: {type: integer}}}\n";
const CONFIG: &str = "options: {title: {type: string, default: ''}, port: {type: int, default: 80}}\n";
const METRICS: &str = "metrics: {users: {type: gauge, description: Who is there.}}\n";

/// How the charm reaches the model.
#[derive(Clone, Copy)]
enum Way {
    InProcess,
    /// As a program, with a backend of this name.
    Backend(&'static str),
}

#[expect(clippy::disallowed_methods, reason = "the tests make the charms they run")]
fn lay_out(folder: &Path, way: Way) -> CharmSource {
    let files = [
        ("metadata.yaml", METADATA),
        ("actions.yaml", ACTIONS),
        ("config.yaml", CONFIG),
        ("metrics.yaml", METRICS),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("a file of the charm");
    }
    match way {
        Way::InProcess => InProcess::from_folder(folder, |mut commands, environment| {
            let dir = PathBuf::from(environment.var("JUJU_CHARM_DIR").expect("Juju sets it"));
            let variable = |name: &str| environment.var(name).map(str::to_owned);
            typed_list::run_typed(&mut *commands, variable, &dir);
            0
        })
        .files(folder)
        .into(),
        Way::Backend(backend) => {
            let program = env!("CARGO_BIN_EXE_every-command");
            let script = format!(
                "#!/bin/sh\nexport SUITE_LIST=typed CHARMS_REACTIVE_BACKEND={backend}\nexec {program}\n"
            );
            let dispatch = folder.join("dispatch");
            fs::write(&dispatch, script).expect("a program");
            fs::set_permissions(&dispatch, fs::Permissions::from_mode(0o755)).expect("a mode");
            folder.into()
        }
    }
}

/// Where the charm lives.
#[derive(Clone, Copy, Debug)]
enum Model {
    Machines,
    Kubernetes,
    Juju2,
    Juju4,
}

const MODELS: [Model; 4] = [Model::Machines, Model::Kubernetes, Model::Juju2, Model::Juju4];

/// A life of two peers, and what the first of them tells of each command.
fn live(way: Way, model: Model) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut builder = Sim::builder().seed(11);
    builder = match model {
        Model::Machines => builder,
        Model::Kubernetes => builder.kubernetes(),
        Model::Juju2 => builder.juju_version(JujuVersion::V2_9),
        Model::Juju4 => builder.juju_version(JujuVersion::V4_0),
    };
    if !matches!(way, Way::InProcess | Way::Backend("socket")) {
        builder = builder.program(env!("CARGO_BIN_EXE_sim-hook-command"));
    }
    let mut sim = builder.build().expect("a model");
    let deployment = Deployment::units(2).storage("data", 1).resource("image", "an image").trust();
    sim.deploy_with("web", lay_out(folder.path(), way), &deployment).expect("deployed");
    let settle = |sim: &mut Sim| {
        let settled = sim.settle().expect("a model that comes to rest");
        assert_eq!(settled.failed, [], "{}", sim.transcript());
    };
    settle(&mut sim);
    sim.update_status("web/0").expect("a unit");
    settle(&mut sim);
    // Refused by Juju 4.
    let _ = sim.collect_metrics("web/0");
    sim.run_action("web/0", "report", serde_json::json!({"depth": 3})).expect("an action");
    let report = sim.charm_dir("web/0").expect("a unit").join(typed_list::TYPED_REPORT);
    fs::read_to_string(report).expect("every hook writes into it")
}

/// What the simulator's own backend brings back.
fn expected() -> &'static [String; 4] {
    static EXPECTED: OnceLock<[String; 4]> = OnceLock::new();
    EXPECTED.get_or_init(|| MODELS.map(|model| live(Way::InProcess, model)))
}

#[track_caller]
fn check(backend: &'static str) {
    for (model, expected) in MODELS.into_iter().zip(expected()) {
        let found = live(Way::Backend(backend), model);
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{model:?}");
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "{model:?}");
    }
}

#[test]
fn every_command_has_a_method_and_the_simulator_serves_it() {
    let [machine, kubernetes, ..] = expected();
    for command in COMMANDS {
        let served = format!("{}: Ok(", command.name);
        let is_served = machine.lines().chain(kubernetes.lines()).any(|line| line.starts_with(&served));
        assert!(is_served, "`{}` never ends well\n{machine}", command.name);
    }
}

#[test]
fn the_guide_names_every_command_and_its_methods() {
    let guide = include_str!("../../docs/juju.md");
    let methods = include_str!("../../src/hookcmd/commands.rs");
    let (_, table) = guide.split_once("## Every hook command").expect("the last part of the page");
    let names =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut told = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        told.extend(names(cells[0]));
        let of_row = names(cells[1]);
        assert!(!of_row.is_empty(), "{row}");
        for method in of_row {
            assert!(methods.contains(&format!("    fn {method}(")), "{method}");
        }
    }
    told.sort();
    assert_eq!(told, COMMANDS.iter().map(|command| command.name).collect::<Vec<_>>());
}

#[test]
fn answers_have_their_types() {
    let [machine, kubernetes, ..] = expected();
    for line in [
        r#"relation-get: Ok(Some("h"))"#,
        r#"unit-get: Ok("10.1.0.1")"#,
        r#"state-get: Ok(Some("1"))"#,
        "state-get: Ok(None)",
        r#"status-get: Ok(ShownStatus { status: "active", message: "-dash \"quoted\"" })"#,
        r#"opened-ports: Ok([OpenedPort { port: "9000-9010/tcp", endpoints: None }, OpenedPort { port: "icmp", endpoints: None }])"#,
        r#"storage-get: Ok(Storage { id: "data/0", kind: Filesystem, location: "ROOT/storage/data-0" })"#,
        r#"resource-get: Ok("ROOT/agents/unit-web-0/resources/image/image.txt")"#,
        r#"secret-get: Ok({"password": "hunter2\n"})"#,
        r#"action-get: Ok({"depth": Number(3)})"#,
        "juju-reboot: Ok(())",
    ] {
        assert!(machine.lines().any(|found| found == line), "{line}\n{machine}");
    }
    assert!(kubernetes.contains(r#"k8s-spec-get: Ok(Some("version: 3"))"#), "{kubernetes}");
}

#[test]
fn a_command_that_a_juju_does_not_have_is_told_as_that() {
    let [machine, kubernetes, old, new] = expected();
    for command in COMMANDS {
        let Some(releases) = command.releases() else { continue };
        let told =
            format!("{}: Err(\"this Juju has no hook command `{0}`, expected {releases}\")", command.name);
        let is_told = |report: &str| report.lines().any(|line| line == told);
        assert!(!is_told(machine) && !is_told(kubernetes), "{told}");
        // Metrics are asked for in a hook that Juju 4 does not run.
        let is_asked = command.name != "add-metric";
        assert_eq!(is_told(old), !command.is_in(Line::V2), "{told}\n{old}");
        assert_eq!(is_told(new), is_asked && !command.is_in(Line::V4), "{told}\n{new}");
    }
}

#[test]
fn as_programs() {
    check("programs");
}

#[test]
fn over_the_socket() {
    check("socket");
}

#[test]
fn over_both() {
    check("auto");
}
