//! Work that other programs do: what they may say, how they end, and what is left of them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use charms_reactive_core::operation::{Class, OperationId};
use charms_reactive_server::operations::{
    Announce, CharmWork, Command, Kind as _, Kinds, Memory, Operations, Place, RESULT_BYTES_MAX, Settings,
    end_leftovers,
};
use serde_json::{Value, json};

use super::client::{Client, id_of};
use super::desk::{end, runtime};

/// Runs scripts as work, with little patience.
struct World {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    operations: Operations,
}

fn place(folder: &Path) -> Place {
    let unit = "web/0".parse().expect("a name");
    Place { charm: folder.to_owned(), data: folder.join("data"), unit: Some(unit) }
}

impl World {
    fn new() -> Self {
        Self::announced_by(None)
    }

    fn announced_by(announce: Option<Arc<dyn Announce>>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(folder.path());
        let kinds = Kinds::standard().with(CharmWork(place.clone())).with(Command(place));
        let settings = Settings { grace: Duration::from_millis(500), announce, ..Settings::default() };
        let runtime = runtime();
        let operations = Operations::start(Box::new(Memory), kinds, &settings, runtime.handle().clone());
        Self { folder, runtime, operations: operations.expect("started") }
    }

    /// Starts a shell script.
    fn start(&self, script: &str, input: &Value) -> OperationId {
        let kind = Command(place(self.folder.path()));
        let inputs = json!({"name": "test", "command": ["/bin/sh", "-c", script], "input": input});
        let draft = kind.draft(Some(Class::Durable), inputs).expect("a draft");
        let created = self.runtime.block_on(self.operations.act(move |turn| turn.create(draft)));
        created.expect("kept").expect("made").id()
    }

    fn end(&self, id: OperationId) -> Value {
        self.runtime.block_on(end(&self.operations, id))
    }

    /// Runs a shell script to its end.
    fn run(&self, script: &str) -> Value {
        self.end(self.start(script, &Value::Null))
    }

    fn cancel(&self, id: OperationId) {
        let told = self.operations.act(move |turn| turn.registry.cancel(id, None, Some("enough"), turn.now));
        self.runtime.block_on(told).expect("kept").expect("told");
    }

    fn wait_for(&self, file: &str) {
        let path = self.folder.path().join(file);
        let there = async {
            while !path.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited =
            self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), there).await });
        assert!(waited.is_ok(), "waited for `{file}`");
    }
}

fn told(ended: &Value) -> (&str, &str) {
    (ended["status"].as_str().expect("text"), ended["err"].as_str().expect("text"))
}

#[test]
fn what_a_program_says_is_shown() {
    let world = World::new();
    let script = r#"
        read first
        echo "$first" > first
        echo '{"progress": {"stage": "count", "text": "Counting", "done": 1, "total": 4}}'
        echo '{"keep": {"at": 1}}'
        read answer
        echo "$answer" > answer
        env > variables
        echo '{"result": {"count": 4}}'
    "#;
    let id = world.start(script, &json!({"size": 3}));
    let ended = world.end(id);
    assert_eq!(told(&ended), ("Success", ""));
    let metadata = &ended["metadata"];
    assert_eq!((&metadata["result"], &metadata["kept"]), (&json!({"count": 4}), &json!({"at": 1})));
    assert_eq!(metadata["count_progress"], "Counting: 25%");
    let read = |name: &str| std::fs::read_to_string(world.folder.path().join(name)).expect("written");
    let first: Value = serde_json::from_str(&read("first")).expect("JSON");
    assert_eq!(first, json!({"id": id.to_string(), "input": {"size": 3}, "kept": null}));
    assert_eq!(read("answer"), "{\"kept\":true}\n");
    let variables = read("variables");
    assert!(variables.contains(&format!("CHARMD_OPERATION={id}\n")), "{variables}");
    assert!(variables.contains("JUJU_UNIT_NAME=web/0\n"), "{variables}");
}

/// Who was announced, how often.
#[derive(Debug, Default)]
struct Heard(AtomicUsize);

impl Announce for Heard {
    fn announce(&self, _: OperationId) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn acknowledged(&self, _: OperationId) {}
}

#[test]
fn the_unit_is_woken_for_progress_no_more_often_than_it_wants() {
    let heard = Arc::new(Heard::default());
    let world = World::announced_by(Some(heard.clone()));
    let script = r#"
        for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
            echo '{"progress": {"done": '$number', "total": 25}}'
            sleep 0.1
        done
    "#;
    let run = |wake_every: Value, in_outbox: bool| {
        let kind = Command(place(world.folder.path()));
        let mut inputs = json!({"name": "test", "command": ["/bin/sh", "-c", script]});
        inputs["wake_every"] = wake_every;
        let mut draft = kind.draft(Some(Class::Durable), inputs).expect("a draft");
        draft.in_outbox = in_outbox;
        let before = heard.0.load(Ordering::Relaxed);
        let created = world.runtime.block_on(world.operations.act(move |turn| turn.create(draft)));
        let ended = world.end(created.expect("kept").expect("made").id());
        assert_eq!(told(&ended), ("Success", ""));
        heard.0.load(Ordering::Relaxed) - before
    };
    // Once for the end, and for 2.5 seconds of progress at most twice; on a busy machine it takes longer.
    let woken = run(json!(1), true);
    assert!((2..=9).contains(&woken), "{woken} times");
    assert_eq!(run(Value::Null, true), 1, "only for the end");
    assert_eq!(run(json!(1), false), 0, "of an operation that is nothing to the unit");
}

#[test]
fn how_a_program_failed_is_said_with_the_end_of_its_output() {
    let world = World::new();
    assert_eq!(
        told(&world.run("echo one >&2; echo two >&2; exit 3")),
        ("Failure", "ended with exit code 3: one\ntwo")
    );
    assert_eq!(told(&world.run("exit 3")), ("Failure", "ended with exit code 3"));
    assert_eq!(told(&world.run("kill -9 $$")), ("Failure", "was ended by signal 9"));
    assert_eq!(told(&world.run(r#"echo '{"error": "no room"}'; exit 1"#)), ("Failure", "no room"));
    assert_eq!(
        told(&world.run(r#"echo '{"error": "no room"}'"#)),
        ("Failure", "no room"),
        "whatever its exit code"
    );
    let long =
        format!("head -c {RESULT_BYTES_MAX} /dev/zero | tr '\\0' x | sed 's/.*/{{\"result\": \"&\"}}/'");
    let ended = world.run(&long);
    assert!(told(&ended).1.starts_with("the result has 16386 bytes, expected at most 16384"), "{ended}");
    let kept = r#"
        keep() { printf '{"keep": "%s"}\n' "$(head -c $1 /dev/zero | tr '\0' x)"; read answer; echo "$answer" >&2; }
        read first
        keep 10
        keep 66000
        keep 200000
        exit 1
    "#;
    let ended = world.run(kept);
    let expected = "ended with exit code 1: {\"kept\":true}\n{\"refused\":\"Operation metadata has 66011 bytes, expected at \
                    most 65536\"}\n{\"refused\":\"it is too long\"}";
    assert_eq!(told(&ended).1, expected);
}

#[test]
fn a_program_that_is_not_there_has_failed() {
    let world = World::new();
    let kind = CharmWork(place(world.folder.path()));
    let draft = kind.draft(None, json!({"name": "index"})).expect("a draft");
    let created = world.runtime.block_on(world.operations.act(move |turn| turn.create(draft)));
    let ended = world.end(created.expect("kept").expect("made").id());
    let text = format!("cannot run `{}/dispatch`: No such file", world.folder.path().display());
    assert!(told(&ended).1.starts_with(&text), "{ended}");
}

#[test]
fn a_flood_of_output_fills_nothing() {
    let world = World::new();
    let script = r#"
        i=0
        while [ $i -lt 20000 ]; do echo "{\"progress\": {\"done\": $i}}"; i=$((i+1)); done
        head -c 5000000 /dev/zero | tr '\0' x
        head -c 5000000 /dev/zero | tr '\0' '\n'
        echo '{"result": 1}'
    "#;
    let ended = world.run(script);
    assert_eq!((told(&ended).0, &ended["metadata"]["result"]), ("Success", &json!(1)));
}

#[test]
fn one_that_is_cancelled_is_told_so_and_with_it_all_that_it_started() {
    let world = World::new();
    let polite = world.start(
        "trap 'echo stopped > trapped; exit 1' TERM; touch began; while :; do sleep 0.01; done",
        &Value::Null,
    );
    world.wait_for("began");
    world.cancel(polite);
    assert_eq!(told(&world.end(polite)), ("Cancelled", "cancelled: enough"));
    assert!(world.folder.path().join("trapped").exists());

    // It listens to nothing, and has a child that has left its pipes open.
    let stubborn = world.start(
        "trap '' TERM; (trap '' TERM; sleep 600) & echo $! > child; mv child began2; wait",
        &Value::Null,
    );
    world.wait_for("began2");
    world.cancel(stubborn);
    assert_eq!(told(&world.end(stubborn)), ("Cancelled", "did not stop within 0.5s, and was ended"));
    let child = std::fs::read_to_string(world.folder.path().join("began2")).expect("a number");
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    let is_gone = async {
        while !state().is_empty() && !state().contains(") Z ") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited =
        world.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), is_gone).await });
    assert!(waited.is_ok(), "what it started is still there");
}

#[test]
fn what_a_program_leaves_running_does_not_hold_its_end_up() {
    let world = World::new();
    let ended = world.run("(sleep 600) & echo '{\"result\": 1}'");
    assert_eq!(told(&ended), ("Success", ""));
}

#[test]
fn leftovers_are_ended_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |directory: &Path| {
        std::process::Command::new("/bin/sleep")
            .arg("600")
            .env("CHARMD_DIRECTORY", directory)
            .spawn()
            .expect("started")
    };
    let (mut ours, mut other) = (start(folder.path()), start(&folder.path().join("x")));
    // Nobody reaps them but this test.
    let reaper = std::thread::spawn(move || ours.wait().expect("reaped"));
    end_leftovers(folder.path());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&reaper.join().expect("ended")), Some(9));
    assert!(other.try_wait().expect("asked").is_none(), "that of another charmd");
    other.kill().and_then(|()| other.wait()).expect("ended");
}

#[test]
fn over_the_socket_ends_are_in_the_outbox_until_they_are_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display();
    std::fs::write(folder.path().join("dispatch"), "#!/bin/sh\necho \"{\\\"result\\\": \\\"$1 $2\\\"}\"\n")
        .expect("written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("dispatch"), mode).expect("executable");
    let arguments = ["--data".to_owned(), format!("{path}/data"), "--charm".to_owned(), path.to_string()];
    let client = || Client { server: crate::charmd::Charmd::start(folder.path(), &arguments) };
    let server = client();
    let body = json!({"kind": "work", "class": "durable", "input": {"name": "index"}, "wake": true});
    let (status, answer) = server.post(&body);
    assert_eq!(status, 202, "{answer}");
    let id = id_of(&answer);
    server.get(&format!("/1.0/operations/{id}/wait"));
    let outbox = |client: &Client| client.get("/1.0/outbox").1["metadata"].take();
    let wake_ups = |client: &Client| client.get("/1.0/wake-ups").1["metadata"].as_array().map(Vec::len);
    assert_eq!(
        (outbox(&server)[0]["metadata"]["result"].take(), wake_ups(&server)),
        (json!("work index"), Some(1))
    );
    drop(server);
    let server = client();
    assert_eq!(
        (outbox(&server)[0]["id"].take(), wake_ups(&server)),
        (json!(id), Some(1)),
        "after a kill, too"
    );
    let (status, answer) =
        server.post(&json!({"kind": "command", "input": {"name": "x", "command": ["true"]}}));
    assert_eq!(status, 400, "{answer}");
    assert_eq!(server.delete(&format!("/1.0/outbox/{id}"), "").0, 200);
    assert_eq!(server.delete(&format!("/1.0/outbox/{id}"), "").0, 200, "said again");
    assert_eq!(server.delete("/1.0/outbox/x", "").0, 404);
    assert_eq!((outbox(&server), wake_ups(&server)), (json!([]), Some(0)));
    let (_, running) = server.post(&json!({"kind": "demo", "input": {"duration": 600}, "wake": true}));
    let (status, answer) = server.delete(&format!("/1.0/outbox/{}", id_of(&running)), "");
    assert_eq!(
        (status, &answer["error"]),
        (400, &json!("Only operations that have ended can be acknowledged"))
    );
    assert_eq!(server.ask("PUT", "/1.0/outbox", "").1["error_code"], 501);
}
