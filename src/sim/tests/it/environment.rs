//! What a charm finds around it.

use charms_reactive_sim::{Event, JujuVersion, Sim};
use expect_test::expect;

use crate::charm::{Charms, DOES, builder, on, sim_of};

/// Prints the environment as the process got it, without what bash adds.
const PRINT: &str = r#"
mapfile -d '' -t variables < /proc/$$/environ
printf '%s\n' "${variables[@]}"
"#;

/// The lines that a unit printed after the `from`-th event, without what differs between runs.
fn printed(sim: &Sim, from: usize) -> String {
    let charm = sim.charm_dir("web/0").unwrap();
    let root = charm.ancestors().nth(3).unwrap().display().to_string();
    let lines = sim.events()[from..].iter().filter_map(|event| match event {
        Event::Output { line, .. } => match line.split_once('=') {
            // Chance: only the form is of interest.
            Some((name @ ("JUJU_CONTEXT_ID" | "JUJU_MODEL_UUID"), id)) => {
                Some(format!("{name}={}", id.replace(|letter: char| letter.is_ascii_hexdigit(), "x")))
            }
            _ => Some(line.replace(&root, "ROOT")),
        },
        _ => None,
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_hook_of_a_unit_has_what_juju_sets_and_nothing_else() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = builder().path_tail("/bin").build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    on(&sim, "web/0", "install", PRINT);
    sim.settle().unwrap();
    expect![[r#"
        APT_LISTCHANGES_FRONTEND=none
        CHARM_DIR=ROOT/agents/unit-web-0/charm
        CLOUD_API_VERSION=
        DEBIAN_FRONTEND=noninteractive
        JUJU_AGENT_SOCKET_ADDRESS=ROOT/agents/unit-web-0/agent.socket
        JUJU_AGENT_SOCKET_NETWORK=unix
        JUJU_API_ADDRESSES=10.0.0.1:17070
        JUJU_AVAILABILITY_ZONE=
        JUJU_CHARM_DIR=ROOT/agents/unit-web-0/charm
        JUJU_CHARM_FTP_PROXY=
        JUJU_CHARM_HTTPS_PROXY=
        JUJU_CHARM_HTTP_PROXY=
        JUJU_CHARM_NO_PROXY=
        JUJU_CONTEXT_ID=wxx/x-instxll-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        JUJU_DISPATCH_PATH=hooks/install
        JUJU_HOOK_NAME=install
        JUJU_MACHINE_ID=0
        JUJU_METER_INFO=not set
        JUJU_METER_STATUS=AMBER
        JUJU_MODEL_NAME=sim
        JUJU_MODEL_UUID=xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
        JUJU_PRINCIPAL_UNIT=
        JUJU_SLA=unsupported
        JUJU_UNIT_NAME=web/0
        JUJU_VERSION=3.6.8
        LANG=C.UTF-8
        PATH=ROOT/tools:/bin
        TERM=tmux-256color
    "#]]
    .assert_eq(&printed(&sim, 0));
}

#[test]
fn a_departed_hook_names_relation_and_both_units() {
    let mut charms = Charms::new();
    let web = charms.dispatch("name: web\nrequires: {db: sql}", DOES);
    let mysql = charms.dispatch("name: mysql\nprovides: {server: sql}", DOES);
    let mut sim = builder().path_tail("/bin").build().unwrap();
    sim.deploy("web", web, 1).unwrap();
    sim.deploy("mysql", mysql, 2).unwrap();
    sim.relate("web", "mysql").unwrap();
    sim.settle().unwrap();
    let keep = r#"for name in ${!JUJU_RELATION*} ${!JUJU_REMOTE*} ${!JUJU_DEPARTING*}; do echo "$hook $name=${!name}"; done"#;
    on(&sim, "web/0", "all", keep);
    let from = sim.events().len();
    sim.remove_unit("mysql/1").unwrap();
    sim.settle().unwrap();
    sim.remove_unit("web/0").unwrap();
    for _ in 0..2 {
        sim.step().unwrap();
    }
    expect![[r#"
        db-relation-departed JUJU_DEPARTING_UNIT=mysql/1
        db-relation-departed JUJU_RELATION=db
        db-relation-departed JUJU_RELATION_ID=db:0
        db-relation-departed JUJU_REMOTE_APP=mysql
        db-relation-departed JUJU_REMOTE_UNIT=mysql/1
    "#]]
    .assert_eq(&printed(&sim, from));
}

#[test]
fn an_action_and_a_script_have_their_own_variables() {
    let mut charms = Charms::new();
    let charm = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("actions.yaml", "backup: {}"),
        ("actions/backup", &crate::charm::script("echo \"$JUJU_ACTION_NAME $JUJU_ACTION_UUID $JUJU_ACTION_TAG [$JUJU_HOOK_NAME] $JUJU_DISPATCH_PATH\"")),
    ]);
    let mut sim = crate::charm::sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    let result = sim.run_action("web/0", "backup", serde_json::Value::Null).unwrap();
    assert_eq!(result.stdout, "backup 1 action-1 [] actions/backup\n");
    let script = "echo \"[$JUJU_HOOK_NAME] ${JUJU_DISPATCH_PATH-unset} ${JUJU_CONTEXT_ID%-*} $PWD\"";
    let result = sim.exec("web/0", script).unwrap();
    let folder = sim.charm_dir("web/0").unwrap();
    assert_eq!(result.stdout, format!("[] unset web/0-run-commands {}\n", folder.display()));
}

#[test]
fn standard_input_is_empty() {
    let mut charms = Charms::new();
    let charm =
        charms.dispatch("name: web", "if read -r line; then exit 1; fi\necho $(readlink /proc/$$/fd/0)");
    let mut sim = crate::charm::sim();
    sim.deploy("web", charm, 1).unwrap();
    assert_eq!(sim.settle().unwrap().failed, []);
    assert!(sim.transcript().contains("| /dev/null"));
}

#[test]
fn juju_4_has_neither_meter_nor_sla() {
    let mut charms = Charms::new();
    let charm =
        charms.dispatch("name: web", "echo \"$JUJU_VERSION ${JUJU_SLA-none} ${JUJU_METER_STATUS-none}\"");
    for (version, expected) in
        [(JujuVersion::V2_9, "2.9.52 unsupported AMBER"), (JujuVersion::V4_0, "4.0.1 none none")]
    {
        let mut sim = sim_of(version);
        sim.deploy("web", &charm, 1).unwrap();
        sim.step().unwrap();
        assert!(sim.transcript().contains(expected), "{}", sim.transcript());
    }
}

#[test]
fn proxies_and_zones_are_told_where_they_are_set() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = builder().path_tail("/bin").build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    let variables = "env | grep -i -e proxy -e zone | sort";
    let none = "JUJU_AVAILABILITY_ZONE=\nJUJU_CHARM_FTP_PROXY=\nJUJU_CHARM_HTTPS_PROXY=\nJUJU_CHARM_HTTP_PROXY=\nJUJU_CHARM_NO_PROXY=\n";
    assert_eq!(sim.exec("web/0", variables).unwrap().stdout, none);
    sim.operator().set_zone("web/0", "us-east-1a").unwrap();
    sim.operator().set_proxy("http-proxy", "http://old:1").unwrap();
    sim.operator().set_proxy("juju-https-proxy", "http://new:2").unwrap();
    let some = none.replace("ZONE=", "ZONE=us-east-1a").replace("HTTPS_PROXY=", "HTTPS_PROXY=http://new:2");
    let old = "HTTP_PROXY=http://old:1\n";
    let found = sim.exec("web/0", &format!("{variables} | LC_ALL=C sort")).unwrap().stdout;
    assert_eq!(found, format!("{old}{some}http_proxy=http://old:1\n"));
    assert!(sim.operator().set_proxy("apt-mirror", "x").is_err());
}

#[test]
fn a_charm_without_bases_is_warned_of_by_juju_4() {
    let mut charms = Charms::new();
    let old = charms.dispatch("name: web", "");
    let new = charms.files(&[
        ("metadata.yaml", "name: web"),
        ("dispatch", "#!/bin/sh\n"),
        ("manifest.yaml", "bases: [{name: ubuntu, channel: '24.04', architectures: [amd64]}]"),
    ]);
    for (version, charm, is_warned) in
        [(JujuVersion::V3_6, &old, false), (JujuVersion::V4_0, &old, true), (JujuVersion::V4_0, &new, false)]
    {
        let mut sim = sim_of(version);
        sim.deploy("web", charm, 1).unwrap();
        let text = "the charm of web has no bases in `manifest.yaml`, so that Juju 4.0.1 would refuse it";
        assert_eq!(sim.transcript().contains(text), is_warned);
    }
}
