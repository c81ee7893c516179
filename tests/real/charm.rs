//! The Prometheus charm itself: its process, its options, its action.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use serde_json::json;

use crate::http::{self, free_port};
use crate::world::{PROMETHEUS, World};

#[test]
fn an_idle_hook_asks_juju_one_thing() {
    let mut world = World::new();
    let pid = world.prometheus.pid();
    world.sim.update_status(PROMETHEUS).expect("a unit");
    let runs = world.settle();
    let [run] = runs.as_slice() else { panic!("one hook, not {runs:?}") };
    assert_eq!((run.hook.as_str(), run.commands), ("update-status", 1));
    assert_eq!(world.prometheus.pid(), pid);
}

#[test]
fn a_killed_prometheus_is_started_by_the_next_hook() {
    let mut world = World::new();
    let old = world.prometheus.kill();
    assert_eq!(world.prometheus.pid(), None);
    world.sim.update_status(PROMETHEUS).expect("a unit");
    world.settle();
    let new = world.prometheus.pid().expect("it runs again");
    assert_ne!(new, old);
    assert_eq!(world.status(PROMETHEUS), "active: ready");
    http::get(world.prometheus.port(), "/-/ready").expect("it answers");
}

#[test]
fn prometheus_keeps_nothing_of_the_hook_that_started_it() {
    let world = World::new();
    let pid = world.prometheus.pid().expect("it runs");
    let open = |stream: u8| fs::read_link(format!("/proc/{pid}/fd/{stream}")).expect("an open stream");
    let log = world.prometheus.folder().join("log");
    assert_eq!([open(0), open(1), open(2)], ["/dev/null".into(), log.clone(), log]);
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("readable");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(!environment.contains("JUJU_"), "{environment}");
}

#[test]
fn prometheus_ends_with_its_unit() {
    let mut world = World::new();
    let pid = world.prometheus.pid().expect("it runs");
    world.sim.remove_application("prometheus").expect("removed");
    world.settle();
    assert!(!world.prometheus.is_alive(pid));
    TcpListener::bind((Ipv4Addr::LOCALHOST, world.prometheus.port())).expect("nobody listens there");
}

#[test]
fn prometheus_moves_to_another_port() {
    let mut world = World::new();
    let (old_port, old_pid) = (world.prometheus.port(), world.prometheus.pid());
    let port = free_port();
    world.configure("prometheus", &[("port", &port.to_string())]);
    http::get(port, "/-/ready").expect("it answers there");
    assert!(http::get(old_port, "/-/ready").is_err());
    assert_ne!(world.prometheus.pid(), old_pid);
    world.prometheus.set_port(port);
    assert_eq!(world.prometheus.jobs(), Vec::<String>::new());
}

#[test]
fn options_that_cannot_be_are_told_and_prometheus_goes_on() {
    let mut world = World::new();
    let pid = world.prometheus.pid();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let taken = taken.local_addr().expect("bound").port().to_string();
    let own = world.prometheus.port().to_string();
    for (option, text, right, message) in [
        ("port", "0", &*own, "option `port` is `0`, expected 1 to 65535".to_owned()),
        ("port", "65536", &own, "option `port` is `65536`, expected 1 to 65535".to_owned()),
        (
            "port",
            &taken,
            &own,
            format!("port {taken} is taken by another program, expected a free one in option `port`"),
        ),
        (
            "scrape-interval",
            "often",
            "1s",
            "option `scrape-interval`: not a valid duration string: \"often\"".to_owned(),
        ),
    ] {
        world.configure("prometheus", &[(option, text)]);
        assert_eq!(world.status(PROMETHEUS), format!("blocked: {message}"));
        assert_eq!(world.prometheus.pid(), pid, "`{text}` changes nothing");
        world.configure("prometheus", &[(option, right)]);
        assert_eq!(world.status(PROMETHEUS), "active: ready");
        assert_eq!(world.prometheus.pid(), pid);
    }
}

#[test]
fn a_missing_program_is_told() {
    let mut world = World::with_path(Some("/nonexistent"));
    world.settle();
    assert_eq!(
        world.status(PROMETHEUS),
        "blocked: `prometheus` not found on PATH, expected the package `prometheus` to be installed"
    );
    let jobs = json!([{ "job_name": "node", "static_configs": [{ "targets": ["127.0.0.1:9"] }] }]);
    world.add_jobs("jobs", 1, &[("jobs", &jobs.to_string())]);
    assert_eq!(world.status("jobs/0"), "active: 1 job registered with 1 Prometheus");
    assert!(
        world.action("jobs/0", "list-jobs").results["jobs"]
            .as_str()
            .is_some_and(|jobs| jobs.ends_with("no answer yet"))
    );
}

#[test]
fn the_configuration_is_shown_without_passwords() {
    let mut world = World::new();
    let jobs = json!([{
        "job_name": "node",
        "static_configs": [{ "targets": ["127.0.0.1:9"] }],
        "basic_auth": { "username": "reader", "password": "hunter2" },
    }]);
    let relation = world.add_jobs("jobs", 1, &[("jobs", &jobs.to_string())]);
    let result = world.action(PROMETHEUS, "show-config");
    assert_eq!((result.status.as_str(), result.message.as_str()), ("completed", ""));
    let shown = result.results["config"].as_str().expect("a text");
    let name = world.final_name(relation, "jobs/0", "node");
    for part in [format!("job_name: {name}"), "scrape_interval: 1s".to_owned(), "username: reader".to_owned()]
    {
        assert!(shown.contains(&part), "`{part}` is in {shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(world.prometheus.configuration().expect("written").contains("hunter2"));
}
