//! A charm in Python becomes one in Rust while it is related with twenty units, and goes on where it was.
//!
//! ```text
//! cargo test -p charms-reactive-tests-import --test import
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use charms_reactive_sim::Sim;
use rusqlite::Connection;
use tempfile::TempDir;

/// What each of them publishes; `N` is its number.  Forms that are easily taken for another.
const DATABAG: &str = r#"
n=${JUJU_UNIT_NAME##*/}
relation-set -r "$JUJU_RELATION_ID" "host=10.0.0.$n" 'text="q"' 'list=[1,2,  {"b": 1, "a": 1.0}]' version=1.10 \
    number=1e5 'odd=  7 ' 'name=kühe 😀' nan=NaN "port=330$n"
"#;

struct World {
    sim: Sim,
    folder: TempDir,
    relation: u32,
}

#[expect(clippy::disallowed_methods, reason = "files of the test, no hook's")]
fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[expect(clippy::disallowed_methods, reason = "a script of this repository lays out Python charms")]
fn python_charm(folder: &Path) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../setup/lay-out-python-charm.sh");
    let charm = folder.join("python");
    let output = Command::new(script).arg("python-upgraded").arg(&charm).output().expect("a script");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    charm
}

fn rust_charm(folder: &Path) -> PathBuf {
    let charm = folder.join("rust");
    fs::create_dir(&charm).expect("made");
    for name in ["metadata.yaml", "config.yaml"] {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), charm.join(name)).expect("copied");
    }
    symlink(env!("CARGO_BIN_EXE_upgraded-charm"), charm.join("dispatch")).expect("a link");
    charm
}

impl World {
    /// A charm in Python, related with these many servers, some of which have left.
    fn in_python(units: u32, servers: u32, gone: &[u32]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = folder.path().join("server");
        write(&server.join("metadata.yaml"), "name: server\nprovides: {db: {interface: mysql}}\n", 0o644);
        let created =
            format!("#!/bin/bash\ncase $JUJU_DISPATCH_PATH in *-relation-created) {DATABAG} ;; esac\n");
        write(&server.join("dispatch"), &created, 0o755);
        let mut sim = Sim::builder()
            .seed(3)
            .program(env!("CARGO_BIN_EXE_import-hook-command"))
            .build()
            .expect("a model");
        sim.deploy("app", python_charm(folder.path()), units).expect("a charm");
        sim.deploy("server", server, servers).expect("a charm");
        sim.configure("app", &[("name", "größe")]).expect("an option");
        let relation = sim.relate("app:db", "server:db").expect("two endpoints");
        let mut world = Self { sim, folder, relation };
        world.settle();
        let watched = world.charm_dir().join("watched");
        write(&watched, "1", 0o644);
        for number in gone {
            world.sim.remove_unit(&format!("server/{number}")).expect("a unit");
        }
        world.settle();
        world.sim.update_status("app/0").expect("a unit");
        world.settle();
        world
    }

    fn settle(&mut self) {
        let settled = self.sim.settle().expect("a model that comes to rest");
        assert!(settled.failed.is_empty(), "{:?}\n{}", settled.failed, self.sim.transcript());
    }

    fn charm_dir(&self) -> PathBuf {
        self.sim.charm_dir("app/0").expect("a unit")
    }

    fn become_rust(&mut self) {
        self.sim.upgrade("app", rust_charm(self.folder.path())).expect("the same endpoints");
        self.settle();
    }

    /// The flags that Python left.
    fn flags_of_python(&self) -> BTreeSet<String> {
        let database = Connection::open(self.charm_dir().join(".unit-state.db")).expect("a database");
        let query = "select substr(key, 17) from kv where key like 'reactive.states.%'";
        let mut statement = database.prepare(query).expect("the table of charmhelpers");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a text")).collect()
    }

    fn state(&self, key: &str) -> String {
        self.sim.unit_state("app/0").expect("a unit").get(key).cloned().unwrap_or_default()
    }

    /// The flags that ours keeps, but those of options, which it has anew.
    fn flags(&self) -> BTreeSet<String> {
        let flags: Vec<String> = serde_json::from_str(&self.state("flags")).expect("JSON");
        flags.into_iter().filter(|flag| !flag.starts_with("config.")).collect()
    }

    /// What the handlers noted since the last look, one a line.
    fn notes(&self, since: usize) -> Vec<String> {
        self.state("charm/notes").lines().skip(since).map(str::to_owned).collect()
    }

    fn set(&mut self, unit: &str, text: &str) {
        let script = format!("relation-set {text}");
        let result = self
            .sim
            .exec_in(unit, self.relation, Some("app/0"), &script)
            .expect("a unit that can run scripts");
        assert_eq!((result.code, result.flush_error), (0, None), "{}", result.stderr);
    }
}

#[test]
fn a_charm_related_with_twenty_units_goes_on_where_it_was() {
    let mut world = World::in_python(1, 20, &[12, 3, 7]);
    let notes = fs::read_to_string(world.charm_dir().join("python-notes")).expect("the charm in Python ran");
    // `reload` may be missing: the tracer has looked at the file first (D1). Its hash is there in any case.
    for expected in ["set up", "config", "changed", "hosts"] {
        assert!(notes.lines().any(|line| line == expected), "`{expected}` in {notes}");
    }
    let before = world.flags_of_python();
    for expected in
        ["app.installed", "app.größe 50%", "endpoint.db.joined", "endpoint.db.changed.ingress-address"]
    {
        assert!(before.contains(expected), "`{expected}` in {before:?}");
    }
    let database = fs::read(world.charm_dir().join(".unit-state.db")).expect("there");
    let departed = departed_of_python(&world);
    assert_eq!(departed.split(", ").count(), 3, "{departed}");

    world.become_rust();
    // Ours has `departed` while the list is not empty, Python in one hook alone.
    let mut expected = before.clone();
    expected.insert("endpoint.db.departed".to_owned());
    assert_eq!(world.flags(), expected, "no flag is lost");
    assert_eq!(world.notes(0), [""; 0], "nothing is new, nothing changed, nothing runs again");
    assert_eq!(world.state("charm/departed"), departed);
    assert_eq!(world.state("charm/my.note"), r#"{"\u00e9": [1, 2.5, null, true]}"#);
    assert_eq!(world.sim.unit("app/0").expect("a unit").workload.message, "rust");
    let after = fs::read(world.charm_dir().join(".unit-state.db")).expect("there");
    assert!(database == after, "the database of Python is left as it is");
    let names = fs::read_dir(world.charm_dir()).expect("readable").flatten().map(|entry| entry.file_name());
    assert!(!names.into_iter().any(|name| name == ".charms-reactive-import"), "no copy is left");

    // A second upgrade takes nothing over again.
    world.sim.upgrade("app", world.folder.path().join("rust")).expect("the same charm");
    world.settle();
    assert_eq!(world.notes(0), [""; 0]);
    assert_eq!(world.state("charm/departed"), departed);

    // From now on each change is noticed once.
    world.set("server/10", "version=1.100 'list=[1, 2]' nan=NaN");
    world.settle();
    // 1.10 and 1.100 are one number to Python, and two texts; a text that is the same is no change.  The
    // flags of Juju's keys are those that the charm in Python never cleared.
    let changed = "changed egress-subnets ingress-address list private-address version";
    assert_eq!(world.notes(0), [format!("db-relation-changed: {changed}")]);
    world.sim.remove_unit("server/15").expect("a unit");
    world.settle();
    assert_eq!(world.notes(1), ["db-relation-departed: hosts"]);
    assert_eq!(world.state("charm/departed"), format!("{departed}, server/15 10.0.0.15"));
    world.sim.add_unit("server").expect("an application");
    world.settle();
    let notes = world.notes(2);
    let joined = "changed egress-subnets host ingress-address list name nan number odd port private-address text version";
    assert_eq!(notes, [format!("db-relation-joined: {joined}"), "db-relation-joined: hosts".to_owned()]);
    let watched = world.charm_dir().join("watched");
    write(&watched, "2", 0o644);
    world.sim.configure("app", &[("port", "1"), ("name", "größe")]).expect("options");
    world.settle();
    assert_eq!(world.notes(4), ["config-changed: reload", "config-changed: config port"]);
    world.sim.update_status("app/0").expect("a unit");
    world.settle();
    assert_eq!(world.notes(6), [""; 0]);
}

/// The units that left and their hosts, as the charm in Python keeps them.
fn departed_of_python(world: &World) -> String {
    let database = Connection::open(world.charm_dir().join(".unit-state.db")).expect("a database");
    let query = "select data from kv where key = 'reactive.endpoints.departed.db'";
    let text: String = database.query_row(query, [], |row| row.get(0)).expect("a list");
    let list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let named = |unit: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        format!("{} {}", text(&unit["unit_name"]), text(&unit["data"]["host"]))
    };
    list.iter().map(named).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_changed_during_the_upgrade_is_noticed() {
    let mut world = World::in_python(2, 3, &[1]);
    let watched = world.charm_dir().join("watched");
    write(&watched, "2", 0o644);
    world.set("server/0", "host=10.9.9.9");
    world.sim.upgrade("app", rust_charm(world.folder.path())).expect("the same endpoints");
    world.settle();
    let lines = world.notes(0);
    let notes: BTreeSet<&str> =
        lines.iter().filter_map(|line| line.split_once(": ")).map(|(_, text)| text).collect();
    assert_eq!(
        notes,
        BTreeSet::from(["changed egress-subnets host ingress-address private-address", "hosts", "reload"]),
        "and of peers nothing"
    );
}
