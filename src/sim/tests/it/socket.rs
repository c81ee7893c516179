//! The agent's socket, spoken to directly and by what a hook leaves behind.

use std::time::Duration;

use charms_reactive_sim::{Event, RunError, SimError};

use crate::charm::{Charms, DOES, builder, on, sim};

#[test]
fn another_context_id_is_refused() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    let result = sim.exec("web/0", "JUJU_CONTEXT_ID=web/0-install-00 is-leader").unwrap();
    assert_eq!(result.code, 1);
    assert_eq!(result.stderr, "ERROR bad request: wrong context ID; got \"web/0-install-00\"\n");
    let refused = sim
        .events()
        .iter()
        .any(|event| matches!(event, Event::CallRefused { name, .. } if name == "is-leader"));
    assert!(refused, "the refusal is not told");
}

#[test]
fn a_command_of_another_juju_is_refused() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    for (version, command, said) in [
        (charms_reactive_sim::JujuVersion::V4_0, "leader-get", "unknown hook command: leader-get"),
        (charms_reactive_sim::JujuVersion::V2_9, "secret-ids", "unknown command: secret-ids"),
    ] {
        let mut sim = builder().juju_version(version).build().unwrap();
        sim.deploy("web", &charm, 1).unwrap();
        sim.settle().unwrap();
        let script = format!(
            "command -v {command} || echo none\nln -s $(readlink $(command -v is-leader)) {command}\n./{command}"
        );
        let result = sim.exec("web/0", &script).unwrap();
        assert_eq!(result.stdout, "none\n");
        assert_eq!(result.stderr, format!("ERROR bad request: {said}\n"));
    }
}

#[test]
fn the_socket_is_gone_between_runs() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", "[ -S \"$JUJU_AGENT_SOCKET_ADDRESS\" ]");
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    assert_eq!(sim.settle().unwrap().failed, []);
    assert!(!sim.charm_dir("web/0").unwrap().with_file_name("agent.socket").exists());
}

#[test]
fn several_connections_are_served_side_by_side() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web\npeers: {ring: ring}", DOES);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    let script = "for i in 1 2 3 4 5 6 7 8; do state-set k$i=$i & done; wait";
    assert_eq!(sim.exec("web/0", script).unwrap().code, 0);
    assert_eq!(sim.unit_state("web/0").unwrap().len(), 8);
}

#[test]
fn a_connection_left_open_is_a_loud_failure() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = builder().connection_time_limit(Duration::from_millis(100)).build().unwrap();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    // A program that waits for its standard input while it holds the connection, and outlives the hook.
    on(
        &sim,
        "web/0",
        "update-status",
        "mkfifo pipe\n{ state-set --file - < <(read -t 2 <> pipe); } > /dev/null 2>&1 &\nwhile [ ! -e /proc/$!/fd ]; do :; done\nread -t 0.2 <> pipe || true",
    );
    sim.update_status("web/0").unwrap();
    let error = sim.settle().unwrap_err();
    let SimError::Run(RunError::ConnectionLeft { open: 1, hook, .. }) = &error else { panic!("{error}") };
    assert_eq!(hook, "update-status");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time a real process takes is the subject")]
fn a_daemon_that_keeps_the_streams_does_not_hold_up_the_hook() {
    let mut charms = Charms::new();
    let charm = charms.dispatch("name: web", DOES);
    let mut sim = sim();
    sim.deploy("web", charm, 1).unwrap();
    sim.settle().unwrap();
    on(&sim, "web/0", "update-status", "mkfifo pipe\nread -t 5 <> pipe &\necho started");
    sim.update_status("web/0").unwrap();
    let start = std::time::Instant::now();
    sim.settle().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
    assert!(sim.transcript().contains("| started"));
}
