//! Daemons of units on a real etcd: they are one, and keep the waiters of their charm.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use charms_reactive_testkit::{Event, Sim};

use crate::{LIMIT, model, packed};

/// A running etcd on loopback; killed when dropped.
struct Etcd {
    child: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Etcd {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let port =
            || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let [client, peer] = [port(), port()].map(|port| format!("http://127.0.0.1:{port}"));
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(data.path())
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}"), "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd starts: tests/setup/debian.sh installs it");
        let etcd = Self { child, url: client, _data: data };
        let address = etcd.url.strip_prefix("http://").expect("an address");
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begin.elapsed() < LIMIT, "etcd does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        etcd
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn units_whose_daemons_are_one_are_woken_when_the_last_has_checked_in() {
    let etcd = Etcd::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut sim = model();
    let charm = packed(folder.path(), env!("CARGO_BIN_EXE_patient-in-service"), false);
    sim.deploy("web", charm, 0).expect("deployed");
    sim.configure("web", &[("seconds", "600"), ("etcd", &etcd.url)]).expect("configured");
    for _ in 0..4 {
        sim.add_unit("web").expect("added");
    }
    let all_say = |sim: &Sim, text: &str| {
        sim.units("web")
            .iter()
            .all(|unit| sim.unit(&unit.to_string()).expect("a unit").workload.message == text)
    };
    let is_waiting = |sim: &Sim| all_say(sim, "for five units");
    assert!(sim.wait_for(LIMIT, is_waiting).expect("the model works"), "{}", sim.transcript());
    sim.add_unit("web").expect("added");
    let is_over = |sim: &Sim| all_say(sim, "five units are here");
    assert!(sim.wait_for(LIMIT, is_over).expect("the model works"), "{}", sim.transcript());
    let wakes = |event: &&Event| matches!(event, Event::HookStarted { hook, .. } if hook == "juju-exec");
    assert!(sim.events().iter().filter(wakes).count() > 0, "{}", sim.transcript());
    // No unit said in its databag that it is ready, so no other had to run a hook for it.
    for unit in sim.units("web") {
        let databag = sim.unit_databag(0, &unit.to_string()).expect("a databag");
        assert_eq!(databag.text("runtimeconfig"), None);
    }
}
