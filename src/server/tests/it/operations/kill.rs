//! What a kill, and an orderly end, leave.

#![expect(clippy::disallowed_methods, reason = "sends a signal")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, id_of, send};

fn metadata(client: &Client, id: &str) -> Value {
    let (status, answer) = client.get(&format!("/1.0/operations/{id}"));
    assert_eq!(status, 200, "{id}: {answer}");
    answer["metadata"].clone()
}

fn start(client: &Client, class: &str, input: &Value) -> String {
    id_of(&client.post(&json!({"kind": "demo", "class": class, "input": input})).1)
}

#[test]
fn after_a_kill_tasks_have_failed_and_durable_ones_go_on_from_their_last_stage() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = Client::in_folder(folder.path());
    let over = start(&client, "task", &json!({"duration": 0}));
    let before = client.get(&format!("/1.0/operations/{over}/wait")).1["metadata"].clone();
    let task = start(&client, "task", &json!({"duration": 60}));
    let parent = start(&client, "task", &json!({"children": [{"duration": 60}, {"duration": 0}]}));
    let durable = start(&client, "durable", &json!({"duration": 2, "steps": 10}));
    let token = start(&client, "token", &Value::Null);
    // Some steps, and not all.
    while metadata(&client, &durable)["metadata"]["step"].as_u64() < Some(3) {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(client);
    let client = Client::in_folder(folder.path());
    assert_eq!(metadata(&client, &over), before);
    let failed = metadata(&client, &task);
    let told = (&failed["status"], &failed["err"], &failed["err_code"]);
    assert_eq!(told, (&json!("Failure"), &json!("charmd ended while the operation ran"), &json!(503)));
    assert_eq!(metadata(&client, &parent)["err"], "One or more child operations failed");
    assert_eq!(metadata(&client, &token)["status"], "Running", "nobody has used it");
    let again = metadata(&client, &durable);
    assert_eq!(again["status"], "Running");
    assert!(again["metadata"]["step"].as_u64() >= Some(3), "{again}");
    let (_, waited) = client.get(&format!("/1.0/operations/{durable}/wait?timeout=20"));
    assert_eq!(
        (&waited["metadata"]["status"], &waited["metadata"]["metadata"]["step"]),
        (&json!("Success"), &json!(10))
    );
}

/// What one client was told, and what it saw, until the server died under it.
#[derive(Default)]
struct Told {
    /// Operations by id, with their class.
    acknowledged: BTreeMap<String, String>,
    /// Operations that it saw over, with all that it saw.
    over: BTreeMap<String, Value>,
    /// All that it saw.
    seen: BTreeSet<String>,
}

/// The body of an answer; None where the server died.
fn answer(socket: &Path, method: &str, path: &str, body: &str) -> Option<Value> {
    let mut answer = String::new();
    send(socket, method, path, body).ok()?.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Starts tasks and durable operations by turns.
fn write(socket: &Path, told: &mut Told) {
    for class in ["task", "durable", "durable"].iter().cycle() {
        let body = json!({"kind": "demo", "class": class, "input": {"duration": 0.05, "steps": 3}});
        let Some(started) = answer(socket, "POST", "/1.0/operations", &body.to_string()) else { return };
        told.acknowledged.insert(id_of(&started), (*class).to_owned());
    }
}

/// Looks at everything, again and again.
fn look(socket: &Path, told: &mut Told) {
    while let Some(list) = answer(socket, "GET", "/1.0/operations?recursion=1", "") {
        let lists = list["metadata"].as_object().expect("a map").values();
        for operation in lists.flat_map(|list| list.as_array().expect("a list")) {
            let id = operation["id"].as_str().expect("an id").to_owned();
            if operation["status_code"].as_u64() >= Some(200) {
                told.over.insert(id.clone(), operation.clone());
            }
            told.seen.insert(id);
        }
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_under_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut told = Told::default();
    for round in 0..3 {
        let client = Client::in_folder(folder.path());
        let socket = client.socket();
        std::thread::scope(|scope| {
            let act = |deed: fn(&Path, &mut Told)| {
                let socket = &socket;
                scope.spawn(move || {
                    let mut told = Told::default();
                    deed(socket, &mut told);
                    told
                })
            };
            let clients = [write, write, write, look, look].map(act);
            std::thread::sleep(Duration::from_millis(200 + 100 * round));
            drop(client);
            for client in clients {
                let Told { acknowledged, over, seen } = client.join().expect("a client");
                told.acknowledged.extend(acknowledged);
                told.over.extend(over);
                told.seen.extend(seen);
            }
        });
    }
    assert!(
        told.acknowledged.len() > 30 && told.over.len() > 10,
        "{} {}",
        told.acknowledged.len(),
        told.over.len()
    );
    let client = Client::in_folder(folder.path());
    for id in &told.seen {
        metadata(&client, id);
    }
    for (id, over) in &told.over {
        assert_eq!(metadata(&client, id), *over, "nobody saw an end that was not kept");
    }
    for (id, class) in &told.acknowledged {
        let (_, ended) = client.get(&format!("/1.0/operations/{id}/wait?timeout=20"));
        let ended = (&ended["metadata"]["status"], &ended["metadata"]["err"]);
        let is_true = match class.as_str() {
            "durable" => ended == (&json!("Success"), &json!("")),
            _ => {
                ended == (&json!("Success"), &json!(""))
                    || ended == (&json!("Failure"), &json!("charmd ended while the operation ran"))
            }
        };
        assert!(is_true, "a {class} has ended as {ended:?}");
    }
    let (_, list) = client.get("/1.0/operations");
    let lists = list["metadata"].as_object().expect("a map").values();
    let listed: usize = lists.map(|list| list.as_array().map_or(0, Vec::len)).sum();
    assert!(listed >= told.acknowledged.len(), "finished operations stay listed");
}

#[test]
fn an_orderly_end_cancels_tasks_and_leaves_durable_ones_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut client = Client::in_folder(folder.path());
    let task = start(&client, "task", &json!({"duration": 60}));
    let durable = start(&client, "durable", &json!({"duration": 60, "steps": 10}));
    let pid = client.server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    assert!(client.server.child.wait().expect("it ends").success());
    drop(client);
    let client = Client::in_folder(folder.path());
    let cancelled = metadata(&client, &task);
    assert_eq!(cancelled["status"], "Cancelled");
    assert_eq!(cancelled["err"], "cancelled: charmd is shutting down");
    assert_eq!(metadata(&client, &durable)["status"], "Running");
}
