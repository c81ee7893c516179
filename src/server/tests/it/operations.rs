//! Operations over the socket: what LXD's clients rely on, and what a kill leaves.

#![expect(clippy::disallowed_methods, reason = "measures waits")]

mod child;
pub(crate) mod client;
mod described;
mod desk;
mod events;
mod flags;
mod hostile;
mod hyperkit;
mod kill;
mod members;
mod recorded;
mod slow;
mod trust;
mod websocket;

use std::time::{Duration, Instant};

use serde_json::json;

use client::{Client, id_of};

#[test]
fn the_server_says_what_it_can_do() {
    let (_folder, client) = Client::start();
    let (status, root) = client.get("/");
    let expected = json!({"type": "sync", "status": "Success", "status_code": 200, "metadata": ["/1.0"]});
    assert_eq!((status, root), (200, expected));
    let (head, server) = client.ask("GET", "/1.0", "");
    assert!(head.contains("\r\netag: \"") && head.contains("\r\nx-content-type-options: nosniff"), "{head}");
    let server = &server["metadata"];
    assert_eq!((&server["auth"], &server["api_version"]), (&json!("trusted"), &json!("1.0")));
    assert_eq!(server["environment"]["server_clustered"], false);
    assert!(server["api_extensions"].as_array().expect("a list").contains(&json!("operation_wait")));
}

#[test]
fn an_operation_is_started_shown_and_listed() {
    let (_folder, client) = Client::start();
    assert_eq!(client.get("/1.0/operations").1["metadata"], json!({}), "an object, never a list");
    let body = json!({
        "kind": "demo", "description": "Reindexing", "input": {"duration": 30}, "entity_url": "/1.0/things/a",
        "resources": {"things": ["/1.0/things/a"]}, "metadata": {"by": "a test"},
    });
    let (head, answer) = client.ask("POST", "/1.0/operations", &body.to_string());
    let id = id_of(&answer);
    let url = format!("/1.0/operations/{id}");
    assert!(
        head.starts_with("HTTP/1.1 202 ") && head.contains(&format!("\r\nlocation: {url}\r\n")),
        "{head}"
    );
    assert_eq!((&answer["type"], &answer["status"]), (&json!("async"), &json!("Operation created")));
    assert_eq!((&answer["status_code"], &answer["operation"]), (&json!(100), &json!(url)));
    let mut shown = answer["metadata"].clone();
    for key in ["created_at", "updated_at"] {
        let time = shown.as_object_mut().expect("a map").remove(key).expect(key);
        assert!(time.as_str().expect("text").ends_with('Z'), "{time}");
    }
    let expected = json!({
        "id": id, "class": "task", "description": "Reindexing", "status": "Running", "status_code": 103,
        "resources": {"things": ["/1.0/things/a"]},
        "metadata": {"by": "a test", "entity_url": "/1.0/things/a"},
        "may_cancel": true, "err": "", "err_code": 0, "child_count": 0, "location": "none",
        "requestor": {"username": shown["requestor"]["username"], "protocol": "unix", "address": "@"},
    });
    assert_eq!(shown, expected);
    assert_eq!(
        client.get(&url),
        (
            200,
            json!({
                "type": "sync", "status": "Success", "status_code": 200, "metadata": answer["metadata"],
            })
        )
    );
    for recursion in ["", "?recursion=0", "?recursion=x", "?"] {
        let (_, list) = client.get(&format!("/1.0/operations{recursion}"));
        assert_eq!(list["metadata"], json!({"running": [url]}), "{recursion}");
    }
    let (_, list) = client.get("/1.0/operations/?recursion=1");
    assert_eq!(list["metadata"], json!({"running": [answer["metadata"]]}));
}

#[test]
fn children_are_shown_with_their_parent_and_alone() {
    let (_folder, client) = Client::start();
    let children = json!([{"duration": 0}, {"duration": 0, "outcome": "failure", "error": "boom"}]);
    let id = client.start_demo(&json!({ "children": children }));
    let (_, waited) = client.get(&format!("/1.0/operations/{id}/wait"));
    let parent = &waited["metadata"];
    assert_eq!((&parent["status"], &parent["child_count"]), (&json!("Failure"), &json!(2)));
    assert_eq!(
        (&parent["err"], &parent["err_code"]),
        (&json!("One or more child operations failed"), &json!(500))
    );
    let (_, list) = client.get("/1.0/operations?recursion=1");
    assert_eq!(list["metadata"]["failure"].as_array().map(Vec::len), Some(1), "parents alone");
    assert_eq!(list["metadata"]["failure"][0].get("children"), None);
    let (_, list) = client.get("/1.0/operations?recursion=2");
    let children = &list["metadata"]["failure"][0]["children"];
    assert_eq!((&children[0]["status"], &children[1]["err"]), (&json!("Success"), &json!("boom")));
    let (_, shown) = client.get(&format!("/1.0/operations/{id}?recursion=1"));
    assert_eq!(shown["metadata"]["children"], *children);
    let child = children[1]["id"].as_str().expect("an id");
    assert_eq!(client.get(&format!("/1.0/operations/{child}")).1["metadata"], children[1]);
}

#[test]
fn stages_run_one_after_another() {
    let (_folder, client) = Client::start();
    let children = json!([
        {"duration": 0.1}, {"duration": 0.1, "stage": 1, "outcome": "failure"},
        {"duration": 0, "stage": 2}, {"duration": 0, "stage": 3, "must_run": true},
    ]);
    let id = client.start_demo(&json!({ "children": children }));
    let (_, shown) = client.get(&format!("/1.0/operations/{id}?recursion=1"));
    assert_eq!(shown["metadata"]["children"][1]["status_code"], 105, "its turn has not come");
    client.get(&format!("/1.0/operations/{id}/wait"));
    let (_, shown) = client.get(&format!("/1.0/operations/{id}?recursion=1"));
    let children = shown["metadata"]["children"].as_array().expect("a list");
    let statuses: Vec<&str> = children.iter().filter_map(|child| child["status"].as_str()).collect();
    assert_eq!(statuses, ["Success", "Failure", "Cancelled", "Success"]);
}

#[test]
fn a_wait_has_a_limit_and_answers_in_one_form() {
    let (_folder, client) = Client::start();
    let id = client.start_demo(&json!({"duration": 30}));
    for (limit, least, most) in [("0", 0, 900), ("1", 1000, 2500)] {
        let begin = Instant::now();
        let (status, answer) = client.get(&format!("/1.0/operations/{id}/wait?timeout={limit}"));
        assert_eq!(
            (status, &answer["type"], &answer["metadata"]["status"]),
            (200, &json!("sync"), &json!("Running"))
        );
        let took = begin.elapsed();
        assert!(
            took >= Duration::from_millis(least) && took < Duration::from_millis(most),
            "{limit}: {took:?}"
        );
    }
    for (outcome, code, err) in [
        ("success", 200, ""),
        ("failure", 400, "boom"),
        ("cancelled", 401, "cancelled itself as it was told"),
    ] {
        let input = json!({"duration": 0.2, "outcome": outcome, "error": "boom"});
        let id = client.start_demo(&input);
        for limit in ["", "?timeout=-1", "?timeout=20", "?"] {
            let (status, answer) = client.get(&format!("/1.0/operations/{id}/wait{limit}"));
            assert_eq!((status, &answer["type"]), (200, &json!("sync")), "{outcome}");
            assert_eq!(
                (&answer["metadata"]["status_code"], &answer["metadata"]["err"]),
                (&json!(code), &json!(err))
            );
            assert_eq!(answer.get("error"), None, "Hyperkit would take it for the text");
        }
    }
}

#[test]
fn a_wait_is_heard_at_once_and_outlives_its_client() {
    let (_folder, client) = Client::start();
    let id = client.start_demo(&json!({"duration": 30}));
    let path = format!("/1.0/operations/{id}/wait");
    let mut waits: Vec<_> = (0..50).map(|_| client.send("GET", &path, "")).collect();
    for wait in &mut waits {
        // The head comes now, the body when it is over.
        assert!(client::read_head(wait).starts_with("HTTP/1.1 200 "));
    }
    // Clients that hang up hold nothing up, and end nothing.
    waits.truncate(2);
    assert_eq!(client.get(&format!("/1.0/operations/{id}")).1["metadata"]["status"], "Running");
    assert_eq!(client.delete(&format!("/1.0/operations/{id}"), "").0, 200);
    for wait in waits {
        let body = client::read_rest(wait);
        assert!(body.contains("\"status\":\"Cancelled\""), "{body}");
    }
}

#[test]
fn to_cancel_says_who_and_why() {
    let (_folder, client) = Client::start();
    let id = client.start_demo(&json!({"duration": 30}));
    let url = format!("/1.0/operations/{id}");
    let (status, answer) = client.delete(&url, r#"{"reason": "wrong index"}"#);
    assert_eq!((status, &answer["metadata"]), (200, &json!({})));
    let shown = client.get(&url).1["metadata"].clone();
    let err = shown["err"].as_str().expect("text");
    assert!(err.starts_with("cancelled by ") && err.ends_with(": wrong index"), "{err}");
    assert_eq!((&shown["status_code"], &shown["err_code"]), (&json!(401), &json!(499)));
    assert_eq!(shown["may_cancel"], false, "there is nothing to be cancelled");
    let (status, answer) = client.delete(&url, "\"\"");
    assert_eq!((status, &answer["type"], &answer["error_code"]), (400, &json!("error"), &json!(400)));
    assert_eq!(answer["error"], "Only running operations can be cancelled");
    let fixed = json!({"kind": "demo", "may_cancel": false, "input": {"duration": 30}});
    let id = id_of(&client.post(&fixed).1);
    let (status, answer) = client.delete(&format!("/1.0/operations/{id}"), "");
    assert_eq!((status, &answer["error"]), (400, &json!("This operation cannot be cancelled")));
}

#[test]
fn to_cancel_does_not_wait_for_work_that_does_not_listen() {
    let (_folder, client) = Client::start();
    let id = client.start_demo(&json!({"duration": 3, "stubborn": true}));
    let begin = Instant::now();
    assert_eq!(client.delete(&format!("/1.0/operations/{id}"), "").0, 200);
    assert!(begin.elapsed() < Duration::from_millis(2500), "{:?}", begin.elapsed());
    assert_eq!(client.get(&format!("/1.0/operations/{id}")).1["metadata"]["status"], "Cancelling");
    let (_, answer) = client.get(&format!("/1.0/operations/{id}/wait"));
    assert_eq!(answer["metadata"]["status"], "Success", "it was done before it heard of it");
}

#[test]
fn a_token_stands_until_it_is_cancelled() {
    let (_folder, client) = Client::start();
    let body = json!({"kind": "demo", "class": "token", "metadata": {"secret": "abc"}});
    let id = id_of(&client.post(&body).1);
    let url = format!("/1.0/operations/{id}");
    assert_eq!(client.get(&url).1["metadata"]["class"], "token");
    assert_eq!(client.delete(&url, "").0, 200);
    assert_eq!(client.get(&url).1["metadata"]["status"], "Cancelled");
}

#[test]
fn one_of_a_reference_runs_and_who_is_refused_learns_which() {
    let (_folder, client) = Client::start();
    let body = |on_conflict: &str| json!({"kind": "demo", "reference": "reindex", "on_conflict": on_conflict, "input": {"duration": 30}});
    let id = id_of(&client.post(&body("fail")).1);
    let (status, answer) = client.post(&body("fail"));
    assert_eq!((status, &answer["error_code"]), (409, &json!(409)));
    assert_eq!(answer["error"], "An operation with this conflict reference is already running");
    assert_eq!(answer["metadata"]["operation"], format!("/1.0/operations/{id}"));
    let (status, answer) = client.post(&body("join"));
    assert_eq!((status, id_of(&answer)), (202, id.clone()));
    client.delete(&format!("/1.0/operations/{id}"), "");
    assert_ne!(id_of(&client.post(&body("fail")).1), id);
}

#[test]
fn one_that_replaces_runs_when_the_other_has_stopped() {
    let (_folder, client) = Client::start();
    let body = |duration: f64, stubborn: bool| {
        let input = json!({"duration": duration, "stubborn": stubborn});
        client
            .post(&json!({"kind": "demo", "reference": "reindex", "on_conflict": "replace", "input": input}))
    };
    let first = id_of(&body(1.5, true).1);
    let (status, answer) = body(0.1, false);
    assert_eq!((status, &answer["metadata"]["status"]), (202, &json!("Pending")));
    let second = id_of(&answer);
    let shown = |id: &str| client.get(&format!("/1.0/operations/{id}")).1["metadata"].clone();
    assert_eq!(
        (&shown(&first)["status"], &shown(&second)["status"]),
        (&json!("Cancelling"), &json!("Pending"))
    );
    let (_, answer) = client.get(&format!("/1.0/operations/{second}/wait"));
    assert_eq!(answer["metadata"]["status"], "Success");
    let (first, second) = (shown(&first), shown(&second));
    assert!(first["updated_at"].as_str() < second["updated_at"].as_str(), "one after the other");
    let fast = id_of(&body(30.0, false).1);
    let third = id_of(&body(0.1, false).1);
    client.get(&format!("/1.0/operations/{third}/wait"));
    let replaced = format!("replaced by operation {third}");
    assert!(shown(&fast)["err"].as_str().is_some_and(|err| err.ends_with(&replaced)));
}

#[test]
fn a_request_that_is_repeated_with_its_id_starts_once() {
    let (_folder, client) = Client::start();
    let id = "01a1ff76-7ae3-7e36-ab99-db34ad3473d9";
    let body = json!({"kind": "demo", "id": id, "input": {"duration": 0}});
    for _ in 0..3 {
        let (status, answer) = client.post(&body);
        assert_eq!((status, id_of(&answer).as_str()), (202, id));
    }
    client.get(&format!("/1.0/operations/{id}/wait"));
    let (_, list) = client.get("/1.0/operations");
    assert_eq!(list["metadata"], json!({"success": [format!("/1.0/operations/{id}")]}));
}

#[test]
fn lists_are_by_project_and_filter_over_the_socket() {
    let (_folder, client) = Client::start();
    let demo = |class: &str| json!({"kind": "demo", "class": class, "input": {"duration": 30}}).to_string();
    let url = |answer| format!("/1.0/operations/{}", id_of(&answer));
    let here = url(client.ask("POST", "/1.0/operations", &demo("task")).1);
    let there = url(client.ask("POST", "/1.0/operations?project=foo", &demo("durable")).1);
    let check = |query: &str, expected: &[&String]| {
        let (status, list) = client.get(&format!("/1.0/operations?{query}"));
        assert_eq!(status, 200, "{list}");
        let lists = if expected.is_empty() { json!({}) } else { json!({ "running": expected }) };
        assert_eq!(list["metadata"], lists, "{query}");
    };
    check("", &[&here]);
    check("project=foo", &[&there]);
    check("project=nothing", &[]);
    check("all-projects=true", &[&here, &there]);
    check("all-projects=true&filter=class%20eq%20durable", &[&there]);
    check("filter=status+eq+running+and+kind+eq+demo", &[&here]);
    check("filter=status+eq+success", &[]);
    check("all-projects=true&limit=1", &[&there]);
    let before = there.rsplit('/').next().expect("an id");
    check(&format!("all-projects=true&limit=1&before={before}"), &[&here]);
    check(&format!("project=foo&before={before}"), &[]);
    for wrong in ["limit=x", "limit=-1", "before=x"] {
        assert_eq!(client.get(&format!("/1.0/operations?{wrong}")).0, 400, "{wrong}");
    }
    let (status, answer) = client.get("/1.0/operations?all-projects=true&project=foo");
    assert_eq!(
        (status, &answer["error"]),
        (400, &json!("Cannot specify a project when requesting all projects"))
    );
}
