//! Two servers on one etcd: one truth.

#![expect(clippy::disallowed_methods, reason = "waits for deadlines")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::charmd::{CONFIG, ask, listed, receive, send, waiter};
use crate::cluster::{Cluster, Server};

/// Two servers on an etcd of one member, with a config.
fn two() -> (Cluster, Server, Server) {
    let cluster = Cluster::start(1);
    let (left, right) = (cluster.charmd(), cluster.charmd());
    fine(&left, "POST", "projects/p/configs", &json!({ "name": CONFIG }));
    (cluster, left, right)
}

#[track_caller]
fn fine(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = ask(&server.socket(), method, path, body).expect("an answer");
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
}

fn variable(path: &str, text: &str) -> Value {
    json!({"name": format!("{CONFIG}/variables/{path}"), "text": text})
}

/// As [`waiter`], for all that is below a path.
fn waiter_on(path: &str, name: &str, number: usize, timeout: &str) -> Value {
    let mut body = waiter(name, number, timeout);
    body["success"]["cardinality"]["path"] = path.into();
    body
}

#[track_caller]
fn write(server: &Server, path: &str) -> Value {
    fine(server, "POST", &format!("{CONFIG}/variables"), &variable(path, path))
}

/// Asks until the answer is one of `status`.
#[track_caller]
fn until(socket: &Path, status: u16, method: &str, path: &str, body: &Value) -> Value {
    let begin = Instant::now();
    loop {
        let (found, answer) = ask(socket, method, path, body).expect("an answer");
        if found == status {
            return answer;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{found} {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn of_two_servers_that_create_the_same_one_does() {
    let (_cluster, left, right) = two();
    for round in 0..15 {
        let config = format!("projects/p/configs/c{round}");
        let bodies = [
            ("projects/p/configs".to_owned(), json!({ "name": config })),
            (format!("{CONFIG}/variables"), variable(&format!("v{round}"), "x")),
            (format!("{CONFIG}/waiters"), waiter(&format!("w{round}"), 1, "900s")),
        ];
        for (path, body) in bodies {
            let sent =
                [&left, &right].map(|server| send(&server.socket(), "POST", &path, &body).expect("sent"));
            let mut answers = sent.map(|stream| receive(stream).expect("an answer"));
            answers.sort_by_key(|(status, _)| *status);
            let [(200, made), (409, refused)] = answers else { panic!("{answers:?}") };
            assert_eq!(refused["error"]["status"], "ALREADY_EXISTS");
            let name = body["name"].as_str().expect("a name");
            let found = [&left, &right].map(|server| fine(server, "GET", name, &Value::Null));
            assert_eq!(found[0], found[1]);
            if path.ends_with("variables") {
                assert_eq!(found[0], made);
            }
        }
    }
}

#[test]
fn what_one_server_has_answered_the_other_knows() {
    let (_cluster, left, right) = two();
    let name = format!("{CONFIG}/variables/a");
    for round in 0..40 {
        let (writer, reader) = if round % 2 == 0 { (&left, &right) } else { (&right, &left) };
        let made = write(writer, "a");
        assert_eq!(fine(reader, "GET", &name, &Value::Null), made);
        let put = fine(reader, "PUT", &name, &json!({"text": round.to_string()}));
        assert!(put["updateTime"].as_str() > made["updateTime"].as_str(), "one time for all");
        assert_eq!(fine(writer, "GET", &name, &Value::Null)["text"], round.to_string());
        fine(writer, "DELETE", &name, &Value::Null);
        let (status, _) = ask(&reader.socket(), "GET", &name, &Value::Null).expect("an answer");
        assert_eq!(status, 404);
    }
    // Request ids, too.
    let path = format!("{CONFIG}/variables?requestId=r");
    let made = fine(&left, "POST", &path, &variable("b", "x"));
    assert_eq!(fine(&right, "POST", &path, &variable("b", "y")), made);
}

#[test]
fn a_write_on_one_server_answers_a_watch_on_the_other() {
    let (_cluster, left, right) = two();
    write(&left, "a");
    let name = format!("{CONFIG}/variables/a");
    let watch = || {
        let stream = send(&right.socket(), "POST", &format!("{name}:watch"), &json!({})).expect("sent");
        // Asked later on the same server, so that the watch has begun.
        std::thread::sleep(Duration::from_millis(100));
        fine(&right, "GET", &name, &Value::Null);
        stream
    };
    let watching = watch();
    let begin = Instant::now();
    let put = fine(&left, "PUT", &name, &json!({"text": "b"}));
    assert_eq!(receive(watching).expect("an answer"), (200, put.clone()));
    let watching = watch();
    fine(&left, "DELETE", CONFIG, &Value::Null);
    let mut gone = put;
    gone["state"] = "DELETED".into();
    assert_eq!(receive(watching).expect("an answer"), (200, gone));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn a_waiter_ends_once_whichever_server_decides() {
    const WAITERS: usize = 60;
    let (_cluster, left, right) = two();
    let servers = [&left, &right];
    for number in 0..WAITERS {
        // Some succeed, the times of some end, and of others nobody knows.
        let (count, timeout) = match number % 3 {
            0 => (1 + number, "900s".to_owned()),
            1 => (1000, "1s".to_owned()),
            _ => {
                (1 + number, format!("{:.3}s", 0.4 + f64::from(u32::try_from(number).expect("small")) / 50.0))
            }
        };
        let body = waiter(&format!("w{number}"), count, &timeout);
        fine(servers[number % 2], "POST", &format!("{CONFIG}/waiters"), &body);
    }
    let mut seen: Vec<BTreeMap<String, Value>> = Vec::new();
    std::thread::scope(|scope| {
        for (side, server) in servers.into_iter().enumerate() {
            scope.spawn(move || {
                for number in 0..WAITERS / 2 {
                    write(server, &format!("a/{side}-{number}"));
                    std::thread::sleep(Duration::from_millis(15));
                }
            });
        }
        let watcher = |server: &Server| {
            let mut ended = BTreeMap::new();
            let begin = Instant::now();
            while ended.len() < WAITERS {
                assert!(begin.elapsed() < Duration::from_secs(30), "only {} have ended", ended.len());
                for (name, found) in listed(&server.socket(), "waiters") {
                    if found["done"] == true {
                        let before = ended.insert(name, found.clone());
                        assert!(before.is_none_or(|before| before == found), "it ends once");
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            ended
        };
        let watchers = servers.map(|server| scope.spawn(move || watcher(server)));
        seen.extend(watchers.map(|watcher| watcher.join().expect("a watcher")));
    });
    assert_eq!(seen[0], seen[1]);
    let count = seen[0].values().filter(|waiter| waiter.get("error").is_none()).count();
    assert!((WAITERS / 3..=WAITERS / 3 * 2).contains(&count), "some in time, some not: {count}");
}

#[test]
fn a_deadline_is_met_by_whoever_is_left() {
    let (_cluster, mut left, right) = two();
    let path = format!("{CONFIG}/waiters");
    fine(&left, "POST", &path, &waiter("over", 2, "1s"));
    fine(&left, "POST", &path, &waiter("met", 1, "900s"));
    left.kill();
    write(&right, "a/x");
    let met = fine(&right, "GET", &format!("{path}/met"), &Value::Null);
    assert_eq!((&met["done"], met.get("error")), (&json!(true), None));
    std::thread::sleep(Duration::from_millis(1200));
    let over = fine(&right, "GET", &format!("{path}/over"), &Value::Null);
    assert_eq!(over["error"]["message"], "Timeout expired.");
    left.start();
    assert_eq!(fine(&left, "GET", &format!("{path}/over"), &Value::Null), over);
    assert_eq!(fine(&left, "GET", &format!("{path}/met"), &Value::Null), met);
}

#[test]
fn a_server_that_missed_what_is_compacted_reads_everything_anew() {
    let (mut cluster, left, right) = two();
    for name in ["same", "other", "gone"] {
        write(&left, name);
    }
    fine(&left, "POST", &format!("{CONFIG}/waiters"), &waiter("w", 30, "900s"));
    let watch = |name| {
        let path = format!("{CONFIG}/variables/{name}:watch");
        send(&right.socket(), "POST", &path, &json!({})).expect("sent")
    };
    let watches = ["other", "gone"].map(watch);
    fine(&right, "GET", CONFIG, &Value::Null);
    std::thread::sleep(Duration::from_millis(200));
    right.pause(true);
    // What is on the way to it is lost.
    cluster.kill_member(0);
    cluster.start_member(0);
    cluster.wait();
    let put = until(&left.socket(), 200, "PUT", &format!("{CONFIG}/variables/other"), &json!({"text": "x"}));
    fine(&left, "DELETE", &format!("{CONFIG}/variables/gone"), &Value::Null);
    for number in 0..30 {
        write(&left, &format!("a/{number}"));
    }
    cluster.compact(0).expect("compacted");
    right.pause(false);
    let [other, gone] = watches.map(|stream| receive(stream).expect("an answer"));
    assert_eq!(other, (200, put));
    assert_eq!((gone.0, &gone.1["state"]), (200, &json!("DELETED")));
    for list in ["variables", "waiters"] {
        assert_eq!(listed(&left.socket(), list), listed(&right.socket(), list));
    }
    assert_eq!(fine(&right, "GET", &format!("{CONFIG}/waiters/w"), &Value::Null)["done"], true);
    assert!(right.log().contains("everything is read anew: etcd has compacted"), "{}", right.log());
    // And it goes on as before.
    write(&right, "b");
    write(&left, "c");
    assert_eq!(listed(&left.socket(), "variables"), listed(&right.socket(), "variables"));
}

#[test]
fn without_etcd_the_service_is_unavailable_until_it_is_back() {
    let (mut cluster, left, right) = two();
    let name = format!("{CONFIG}/variables/a");
    write(&left, "a");
    fine(&left, "POST", &format!("{CONFIG}/waiters"), &waiter_on("/", "met", 2, "900s"));
    fine(&left, "POST", &format!("{CONFIG}/waiters"), &waiter("over", 3, "1s"));
    let watching = send(&right.socket(), "POST", &format!("{name}:watch"), &json!({})).expect("sent");
    fine(&right, "GET", &name, &Value::Null);
    cluster.kill_member(0);
    let (status, answer) = receive(watching).expect("an answer");
    assert_eq!((status, &answer["error"]["status"]), (503, &json!("UNAVAILABLE")), "watches end");
    for (method, path) in [("GET", name.as_str()), ("PUT", name.as_str()), ("GET", "projects/p/configs")] {
        let (status, answer) =
            ask(&left.socket(), method, path, &json!({"text": "lost"})).expect("an answer");
        assert_eq!((status, &answer["error"]["status"]), (503, &json!("UNAVAILABLE")), "{method}");
    }
    cluster.start_member(0);
    cluster.wait();
    let found = until(&left.socket(), 200, "GET", &name, &Value::Null);
    assert_eq!(found["text"], "a", "what was refused has not happened");
    let over = until(&right.socket(), 200, "GET", &format!("{CONFIG}/waiters/over"), &Value::Null);
    assert_eq!(over["error"]["message"], "Timeout expired.");
    // Watches and waiters go on.
    let watching = send(&right.socket(), "POST", &format!("{name}:watch"), &json!({})).expect("sent");
    fine(&right, "GET", &name, &Value::Null);
    let put = fine(&left, "PUT", &name, &json!({"text": "b"}));
    write(&left, "b");
    assert_eq!(receive(watching).expect("an answer"), (200, put));
    let met = fine(&right, "GET", &format!("{CONFIG}/waiters/met"), &Value::Null);
    assert_eq!((&met["done"], met.get("error")), (&json!(true), None));
}
