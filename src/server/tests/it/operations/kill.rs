//! What a kill, and an orderly end, leave.

#![expect(clippy::disallowed_methods, reason = "sends a signal")]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
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

#[test]
fn what_was_acknowledged_is_there_after_a_kill_under_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = BTreeSet::<String>::new();
    for round in 0..3 {
        let client = Client::in_folder(folder.path());
        for id in &acknowledged {
            let status = metadata(&client, id)["status"].clone();
            assert!(status == "Success" || status == "Failure", "{status}: its process has gone");
        }
        let socket = client.socket();
        let is_over = AtomicBool::new(false);
        let writer = || {
            let mut made = BTreeSet::<String>::new();
            while !is_over.load(Ordering::Relaxed) {
                let body = r#"{"kind": "demo", "input": {"duration": 0.05}}"#;
                let Ok(mut stream) = send(&socket, "POST", "/1.0/operations", body) else { break };
                let mut answer = String::new();
                let is_read = std::io::Read::read_to_string(&mut stream, &mut answer).is_ok();
                let body =
                    answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                match body {
                    Some(body) if is_read => made.insert(id_of(&body)),
                    _ => break,
                };
            }
            made
        };
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4).map(|_| scope.spawn(writer)).collect();
            std::thread::sleep(Duration::from_millis(200 + 100 * round));
            drop(client);
            is_over.store(true, Ordering::Relaxed);
            for writer in writers {
                acknowledged.extend(writer.join().expect("a writer"));
            }
        });
    }
    assert!(acknowledged.len() > 30, "{}", acknowledged.len());
    let client = Client::in_folder(folder.path());
    let (_, list) = client.get("/1.0/operations?recursion=1");
    let lists = list["metadata"].as_object().expect("a map");
    let listed: BTreeSet<String> = lists
        .values()
        .flat_map(|list| list.as_array().expect("a list"))
        .map(|operation| operation["id"].as_str().expect("an id").to_owned())
        .collect();
    assert!(listed.is_superset(&acknowledged), "finished operations stay listed");
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
